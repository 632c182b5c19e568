/*
 * For LD_PRELOAD: while the file DISK_FAULTS is there, writing and syncing a database fails with
 * EIO, as on a disk that is breaking.
 */
#include <dlfcn.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

#define EXPORTED __attribute__((visibility("default")))

static bool must_fail(int fd)
{
	const char *trigger = getenv("DISK_FAULTS");
	char link[32], path[4096];
	ssize_t n;

	if (!trigger || access(trigger, F_OK) < 0)
		return false;
	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	n = readlink(link, path, sizeof(path) - 1);
	path[n < 0 ? 0 : n] = '\0';
	errno = EIO;
	return strstr(path, "/elluminate.db");
}

EXPORTED ssize_t pwrite64(int fd, const void *data, size_t size, off64_t offset)
{
	static ssize_t (*next)(int fd, const void *data, size_t size, off64_t offset);

	if (!next)
		next = (ssize_t(*)(int, const void *, size_t, off64_t))dlsym(RTLD_NEXT, "pwrite64");
	return must_fail(fd) ? -1 : next(fd, data, size, offset);
}

EXPORTED int fdatasync(int fd)
{
	static int (*next)(int fd);

	if (!next)
		next = (int (*)(int))dlsym(RTLD_NEXT, "fdatasync");
	return must_fail(fd) ? -1 : next(fd);
}

EXPORTED int fsync(int fd)
{
	static int (*next)(int fd);

	if (!next)
		next = (int (*)(int))dlsym(RTLD_NEXT, "fsync");
	return must_fail(fd) ? -1 : next(fd);
}
