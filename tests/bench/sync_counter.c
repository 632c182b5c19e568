/*
 * For LD_PRELOAD: counts what the process asks the disk to make durable, into the file that
 * $ELLU_SYNC_COUNTER names (a uint64_t, shared with whoever maps it).
 */
#include <dlfcn.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#define EXPORT __attribute__((visibility("default")))

static uint64_t nowhere;
static uint64_t *count = &nowhere;
static int (*real_fsync)(int fd);
static int (*real_fdatasync)(int fd);

__attribute__((constructor)) static void begin(void)
{
	const char *path = getenv("ELLU_SYNC_COUNTER");
	int fd = path ? open(path, O_RDWR | O_CLOEXEC) : -1;
	void *shared;

	*(void **)&real_fsync = dlsym(RTLD_NEXT, "fsync");
	*(void **)&real_fdatasync = dlsym(RTLD_NEXT, "fdatasync");
	if (fd < 0)
		return;
	shared = mmap(NULL, sizeof(*count), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (shared != MAP_FAILED)
		count = shared;
	close(fd);
}

EXPORT int fsync(int fd)
{
	__atomic_fetch_add(count, 1, __ATOMIC_RELAXED);
	return real_fsync(fd);
}

EXPORT int fdatasync(int fd)
{
	__atomic_fetch_add(count, 1, __ATOMIC_RELAXED);
	return real_fdatasync(fd);
}
