#include "client/cli/view/output_file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char target[PATH_MAX];
static char temporary[PATH_MAX]; // "": there is none
static bool is_nameless; // until it is all there

/* What ends the process takes the file with it. */
static void on_signal(int number)
{
	(void) unlink(temporary);
	(void) raise(number); // it has its usual meaning again
}

static void catch_signals(void)
{
	static const int numbers[] = { SIGINT, SIGTERM, SIGHUP };
	const struct sigaction action = { .sa_handler = on_signal, .sa_flags = (int) SA_RESETHAND };
	struct sigaction before;

	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
		sigaction(numbers[i], NULL, &before);
		if (before.sa_handler != SIG_IGN) // as a shell has it for what runs in the background
			sigaction(numbers[i], &action, NULL);
	}
}

/* Links are followed: the place is that of the file itself. 1 where a file may take it, 0 where what is there
 * is written as it is. */
static int find_target(const char *path, struct stat *ret_before)
{
	*ret_before = (struct stat){ 0 };
	if (strncmp(path, "/dev/", 5) == 0 || strncmp(path, "/proc/", 6) == 0)
		return 0;
	if (!realpath(path, target)) {
		if (errno != ENOENT || lstat(path, ret_before) == 0)
			return 0; // what is wrong, opening says; or a link to what is not there
		if (strlen(path) >= sizeof(target))
			return -ENAMETOOLONG;
		strcpy(target, path);
		return 1;
	}
	return stat(target, ret_before) == 0 && S_ISREG(ret_before->st_mode) && access(target, W_OK) == 0;
}

/* Without a name where the file system knows of such and /proc can give it one: then even kill -9 leaves nothing. */
static int open_nameless(const char *folder)
{
	int fd = access("/proc/self/fd", X_OK) == 0 ? open(folder, O_TMPFILE | O_WRONLY | O_CLOEXEC, 0666) : -1;

	is_nameless = fd >= 0;
	return fd;
}

static int give_name(void)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", STDOUT_FILENO);
	return linkat(AT_FDCWD, path, AT_FDCWD, temporary, AT_SYMLINK_FOLLOW) < 0 ? -errno : 0;
}

static int open_beside(const struct stat *before)
{
	const char *slash = strrchr(target, '/');
	const int folder = slash ? (int) (slash - target) + 1 : 0;
	int fd, size;

	snprintf(temporary, sizeof(temporary), "%.*s", folder ? folder : 1, folder ? target : ".");
	fd = open_nameless(temporary);
	size = snprintf(temporary, sizeof(temporary), "%.*s.elluminate-%08x", folder, target, arc4random());
	if (size >= (int) sizeof(temporary)) {
		temporary[0] = '\0';
		if (fd >= 0)
			close(fd);
		return -ENAMETOOLONG;
	}
	catch_signals();
	if (fd < 0)
		fd = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
	if (fd < 0) {
		fd = -errno;
		temporary[0] = '\0';
		return fd;
	}
	if (!S_ISREG(before->st_mode))
		return fd;
	if (fchown(fd, before->st_uid, before->st_gid) < 0) {
		close(fd);
		(void) output_file_close(/* keep= */ false);
		return -EPERM;
	}
	(void) fchmod(fd, before->st_mode & 07777);
	return fd;
}

int output_file_open(const char *path, bool at_once)
{
	struct stat before = { 0 };
	int r = at_once ? 0 : find_target(path, &before), fd = r > 0 ? open_beside(&before) : r;

	/* A folder that takes no file may have one that can be written, and so may another's be, which stays theirs. */
	if (r == 0 || (fd < 0 && S_ISREG(before.st_mode))) {
		fd = open(path, O_WRONLY | (S_ISREG(before.st_mode) ? 0 : O_CREAT) | O_TRUNC | O_CLOEXEC, 0666);
		fd = fd < 0 ? -errno : fd;
	}
	if (fd < 0)
		return fd;
	r = dup2(fd, STDOUT_FILENO) < 0 ? -errno : 0;
	close(fd);
	return r;
}

int output_file_close(bool keep)
{
	int r = 0;

	if (!temporary[0])
		return 0;
	/* Some file systems say only then that there is no room. */
	if (keep && fsync(STDOUT_FILENO) < 0)
		r = -errno;
	if (keep && r == 0 && is_nameless)
		r = give_name(); // a link takes nobody's place, only renaming does
	if (keep && r == 0 && rename(temporary, target) < 0)
		r = -errno;
	if (!keep || r < 0)
		(void) unlink(temporary);
	temporary[0] = '\0';
	return r;
}
