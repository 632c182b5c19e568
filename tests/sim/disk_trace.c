/*
 * For LD_PRELOAD: what is done to the files below the folder DISK_TRACE_FOLDER, the database, its
 * log and the keys, is appended to the file DISK_TRACE. One operation at a time, so that what a
 * sync covers is what stands before it.
 */
#include <dlfcn.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "tests/sim/disk_trace.h"

#define EXPORTED __attribute__((visibility("default")))
#define NEXT(function) ((__typeof__(&function))dlsym(RTLD_NEXT, #function))

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

/* The index of the log is rebuilt by who opens the database after a power loss. */
static bool is_traced(const char *path)
{
	const char *folder = getenv("DISK_TRACE_FOLDER");
	size_t size = folder ? strlen(folder) : 0, length = strlen(path);

	return size > 0 && strncmp(path, folder, size) == 0 &&
	       (path[size] == '/' || path[size] == '\0') && !strstr(path, " (deleted)") &&
	       (length < 4 || strcmp(path + length - 4, "-shm") != 0);
}

static bool path_of(int fd, char ret_path[static 4096])
{
	struct stat status;
	char link[32];
	ssize_t n;

	if (fstat(fd, &status) < 0 || !(S_ISREG(status.st_mode) || S_ISDIR(status.st_mode)))
		return false;
	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	n = readlink(link, ret_path, 4095);
	if (n < 0)
		return false;
	ret_path[n] = '\0';
	return is_traced(ret_path);
}

static bool path_at(int folder_fd, const char *name, char ret_path[static 4096])
{
	size_t size;

	if (name[0] == '/' || folder_fd == AT_FDCWD)
		return snprintf(ret_path, 4096, "%s", name) < 4096 && is_traced(ret_path);
	if (!path_of(folder_fd, ret_path))
		return false;
	size = strlen(ret_path);
	return snprintf(ret_path + size, 4096 - size, "/%s", name) < (int)(4096 - size);
}

/* A trace with a hole proves nothing. */
static void record(enum disk_op op, const char *path, int64_t offset, const void *data, size_t size)
{
	struct disk_record head = { .op = op, .path_size = (int32_t)strlen(path), .offset = offset,
				    .data_size = (int64_t)size };
	struct iovec parts[] = { { &head, sizeof(head) }, { (void *)path, strlen(path) },
				 { (void *)data, size } };
	size_t total = sizeof(head) + strlen(path) + size;
	static int fd = -1;

	if (fd < 0)
		fd = NEXT(open64)(getenv("DISK_TRACE"), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	if (writev(fd, parts, 3) != (ssize_t)total)
		abort();
}

static int open_traced(int folder_fd, const char *name, int flags, mode_t mode)
{
	char path[4096];
	bool traced = (flags & (O_CREAT | O_TRUNC)) && path_at(folder_fd, name, path), existed;
	int fd;

	if (!traced)
		return NEXT(openat64)(folder_fd, name, flags, mode);
	pthread_mutex_lock(&lock);
	existed = faccessat(folder_fd, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
	fd = NEXT(openat64)(folder_fd, name, flags, mode);
	if (fd >= 0 && !existed)
		record(DISK_CREATE, path, 0, NULL, 0);
	else if (fd >= 0 && (flags & O_TRUNC))
		record(DISK_TRUNCATE, path, 0, NULL, 0);
	pthread_mutex_unlock(&lock);
	return fd;
}

static mode_t mode_of(int flags, va_list arguments)
{
	return flags & (O_CREAT | __O_TMPFILE) ? va_arg(arguments, mode_t) : 0;
}

#define OPEN(name) \
	EXPORTED int name(const char *path, int flags, ...) \
	{ \
		va_list arguments; \
		mode_t mode; \
\
		va_start(arguments, flags); \
		mode = mode_of(flags, arguments); \
		va_end(arguments); \
		return open_traced(AT_FDCWD, path, flags, mode); \
	}

OPEN(open)
OPEN(open64)

EXPORTED int openat(int folder_fd, const char *path, int flags, ...)
{
	va_list arguments;
	mode_t mode;

	va_start(arguments, flags);
	mode = mode_of(flags, arguments);
	va_end(arguments);
	return open_traced(folder_fd, path, flags, mode);
}

EXPORTED ssize_t pwrite64(int fd, const void *data, size_t size, off64_t offset)
{
	char path[4096];
	ssize_t n;

	if (!path_of(fd, path))
		return NEXT(pwrite64)(fd, data, size, offset);
	pthread_mutex_lock(&lock);
	n = NEXT(pwrite64)(fd, data, size, offset);
	if (n > 0)
		record(DISK_WRITE, path, offset, data, (size_t)n);
	pthread_mutex_unlock(&lock);
	return n;
}

EXPORTED ssize_t pwrite(int fd, const void *data, size_t size, off_t offset)
{
	return pwrite64(fd, data, size, offset);
}

EXPORTED ssize_t write(int fd, const void *data, size_t size)
{
	char path[4096];
	ssize_t n;

	if (!path_of(fd, path))
		return NEXT(write)(fd, data, size);
	pthread_mutex_lock(&lock);
	n = NEXT(write)(fd, data, size);
	if (n > 0)
		record(DISK_WRITE, path, lseek(fd, 0, SEEK_CUR) - n, data, (size_t)n);
	pthread_mutex_unlock(&lock);
	return n;
}

EXPORTED int ftruncate64(int fd, off64_t size)
{
	char path[4096];
	int r;

	if (!path_of(fd, path))
		return NEXT(ftruncate64)(fd, size);
	pthread_mutex_lock(&lock);
	r = NEXT(ftruncate64)(fd, size);
	if (r == 0)
		record(DISK_TRUNCATE, path, size, NULL, 0);
	pthread_mutex_unlock(&lock);
	return r;
}

EXPORTED int ftruncate(int fd, off_t size)
{
	return ftruncate64(fd, size);
}

static int sync_traced(int fd, int (*next)(int fd))
{
	char path[4096];
	int r;

	if (!path_of(fd, path))
		return next(fd);
	pthread_mutex_lock(&lock);
	r = next(fd);
	if (r == 0)
		record(DISK_SYNC, path, 0, NULL, 0);
	pthread_mutex_unlock(&lock);
	return r;
}

EXPORTED int fdatasync(int fd)
{
	return sync_traced(fd, NEXT(fdatasync));
}

EXPORTED int fsync(int fd)
{
	return sync_traced(fd, NEXT(fsync));
}

EXPORTED int unlinkat(int folder_fd, const char *name, int flags)
{
	char path[4096];
	int r;

	if (!path_at(folder_fd, name, path))
		return NEXT(unlinkat)(folder_fd, name, flags);
	pthread_mutex_lock(&lock);
	r = NEXT(unlinkat)(folder_fd, name, flags);
	if (r == 0)
		record(DISK_UNLINK, path, 0, NULL, 0);
	pthread_mutex_unlock(&lock);
	return r;
}

EXPORTED int unlink(const char *path)
{
	return unlinkat(AT_FDCWD, path, 0);
}

EXPORTED int renameat(int from_fd, const char *from, int to_fd, const char *to)
{
	char from_path[4096], to_path[4096];
	int r;

	if (!path_at(from_fd, from, from_path) || !path_at(to_fd, to, to_path))
		return NEXT(renameat)(from_fd, from, to_fd, to);
	pthread_mutex_lock(&lock);
	r = NEXT(renameat)(from_fd, from, to_fd, to);
	if (r == 0)
		record(DISK_RENAME, from_path, 0, to_path, strlen(to_path));
	pthread_mutex_unlock(&lock);
	return r;
}

EXPORTED int rename(const char *from, const char *to)
{
	return renameat(AT_FDCWD, from, AT_FDCWD, to);
}
