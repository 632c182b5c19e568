/*
 * Who calls: made once by the front that a call came in by, and all that methods know of their
 * caller. Root and a configured group see and control everybody's tasks and administer the
 * daemon; a user's own daemon is administered by that user.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct user;

enum principal_scope {
	PRINCIPAL_SEES_ALL = 1 << 0, // everybody's tasks
	PRINCIPAL_ADMINISTERS = 1 << 1, // may call what is for administrators
	PRINCIPAL_ONLY_READS = 1 << 2, // may call what changes nothing
};

enum principal_way { PRINCIPAL_SOCKET, PRINCIPAL_BUS, PRINCIPAL_TOKEN };

struct principal {
	struct user *user; // who pays for what the call takes
	int64_t uid;
	unsigned scopes; // enum principal_scope
	enum principal_way way;
	int64_t project_id; // the one project that it is for; 0: all of the user's
};

struct principal_rules {
	int64_t administrator_uid; // besides root; a system's daemon has none: 0
	int64_t administrator_gid; // -1: no group
};

/* What a user may do, by uid and groups. */
unsigned principal_scopes(const struct principal_rules *rules, int64_t uid, const uint32_t *groups,
			  size_t n_groups);
