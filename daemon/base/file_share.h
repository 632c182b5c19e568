/*
 * File descriptors, which clients and endpoints both take: each of the two sides gets half of what
 * the process may open, less what it needs itself, so that neither can keep the other out.
 */
#pragma once

#include <stdint.h>
#include <sys/resource.h>

#define FILES_OF_OUR_OWN 64 // loops, mailboxes, the store, secrets, the bus
#define FILES_SHARE_MIN 4

static inline int64_t file_share(void)
{
	struct rlimit files;
	int64_t n = INT32_MAX;

	if (getrlimit(RLIMIT_NOFILE, &files) == 0 && files.rlim_cur < (rlim_t)n)
		n = (int64_t)files.rlim_cur;
	n = (n - FILES_OF_OUR_OWN) / 2;
	return n > FILES_SHARE_MIN ? n : FILES_SHARE_MIN;
}
