/*
 * For LD_PRELOAD: looking up a name below hang.invalid takes HANG_SECONDS (30) and fails; all
 * other names go the usual way.
 *
 * With HANG_RELEASE_FD it also ends when that descriptor becomes readable or its other end is
 * closed; on HANG_EVENTS_FD a byte tells of each beginning ('(') and end (')').
 */
#include <dlfcn.h>
#include <netdb.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define HANG_SECONDS_DEFAULT 30

static const char suffix[] = ".hang.invalid";

static int fd_of(const char *name)
{
	const char *text = getenv(name);

	return text ? atoi(text) : -1;
}

static void tell(char what)
{
	int fd = fd_of("HANG_EVENTS_FD");

	/* Nobody listens, or it is noticed there that nothing comes. */
	if (fd >= 0 && write(fd, &what, 1) != 1)
		return;
}

static void hang(void)
{
	const char *text = getenv("HANG_SECONDS");
	double seconds = text ? strtod(text, NULL) : HANG_SECONDS_DEFAULT;
	struct pollfd release = { .fd = fd_of("HANG_RELEASE_FD"), .events = POLLIN };

	tell('(');
	(void) poll(&release, 1, (int) (seconds * 1e3));
	tell(')');
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
