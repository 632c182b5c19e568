/*
 * What a caller may, by uid and groups, whichever way it came in. Root and a configured group see
 * and control everybody's tasks and administer the daemon; a user's own daemon is administered by
 * that user.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct identity_rules {
	int64_t administrator_uid; // besides root; a system's daemon has none: 0
	int64_t administrator_gid; // -1: no group
};

struct identity {
	int64_t uid;
	bool all; // sees everybody's tasks
	bool administrator;
};

struct identity identity_of(const struct identity_rules *rules, int64_t uid, const uint32_t *groups,
			    size_t n_groups);
