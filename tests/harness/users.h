/* Several users of one daemon. A second user is a process that has become one: root is needed. */
#pragma once

#include "tests/harness/daemon.h"

#define OTHER_UID 65534

/* A system daemon whose socket everybody reaches. */
struct daemon *daemon_start_system(void);
/* The same with the text of a configuration file. */
struct daemon *daemon_start_system_with(const char *config);
/* A connection of that user's, in this process; `gid` is the first group, and the only one. */
struct wire *connect_as(const struct daemon *daemon, uid_t uid);
struct wire *connect_in(const struct daemon *daemon, uid_t uid, gid_t gid);
/* Runs it as another user; it reports by ending well or not. */
void as_other_user(struct daemon *daemon, void (*run)(struct wire *wire, void *userdata),
		   void *userdata);
