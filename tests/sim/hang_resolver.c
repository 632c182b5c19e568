/* SPDX-License-Identifier: MIT */
/*
 * For LD_PRELOAD: looking up a name below hang.invalid takes HANG_SECONDS (30) and fails; all
 * other names go the usual way.
 */
#include <dlfcn.h>
#include <netdb.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define HANG_SECONDS_DEFAULT 30

static const char suffix[] = ".hang.invalid";

static void hang(void)
{
	const char *text = getenv("HANG_SECONDS");
	double seconds = text ? strtod(text, NULL) : HANG_SECONDS_DEFAULT;
	struct timespec rest = { .tv_sec = (time_t) seconds };

	rest.tv_nsec = (long) ((seconds - (double) rest.tv_sec) * 1e9);
	while (nanosleep(&rest, &rest) < 0)
		continue;
}

__attribute__((visibility("default"))) int getaddrinfo(const char *node, const char *service,
						       const struct addrinfo *hints,
						       struct addrinfo **ret_result)
{
	size_t size = node ? strlen(node) : 0;
	int (*next)(const char *, const char *, const struct addrinfo *, struct addrinfo **);

	if (size >= sizeof(suffix) && strcmp(node + size - (sizeof(suffix) - 1), suffix) == 0) {
		hang();
		return EAI_AGAIN;
	}
	next = (__typeof__(next)) dlsym(RTLD_NEXT, "getaddrinfo");
	return next ? next(node, service, hints, ret_result) : EAI_SYSTEM;
}
