#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "daemon/store/engine/store_internal.h"

/* The memory that WAL shares between connections does not work across machines. */
static const struct network_file_system {
	unsigned long magic;
	const char *name;
} network_file_systems[] = {
	{ 0x6969, "NFS" },	 { 0x517b, "SMB" },	 { 0xff534d42, "CIFS" },
	{ 0xfe534d42, "SMB2" },	 { 0x73757245, "Coda" }, { 0x5346414f, "AFS" },
	{ 0x6b414653, "AFS" },	 { 0x564c, "NCP" },	 { 0x00c36400, "Ceph" },
	{ 0x0bd00bd0, "Lustre" },
};

static int check_file_system(const char *state_dir, struct fault *fault)
{
	struct statfs fs;

	if (statfs(state_dir, &fs) < 0)
		return fault_set(fault, ELLU_E_INTERNAL, "The state folder %s cannot be examined: %s.",
				 state_dir, strerror(errno));
	for (size_t i = 0; i < sizeof(network_file_systems) / sizeof(network_file_systems[0]); i++)
		if ((unsigned long)fs.f_type == network_file_systems[i].magic)
			return fault_set(fault, ELLU_E_UNSUPPORTED,
					 "The state folder %s is on a network file system (%s); it must be "
					 "on a local disk.", state_dir, network_file_systems[i].name);
	return 0;
}

static int make_folders(const char *state_dir)
{
	char *path = strdup(state_dir);
	int r = 0;

	if (!path)
		return -ENOMEM;
	for (char *at = path + 1; r == 0; at++) {
		if (*at != '/' && *at != '\0')
			continue;
		char was = *at;

		*at = '\0';
		if (mkdir(path, 0700) < 0 && errno != EEXIST)
			r = -errno;
		*at = was;
		if (was == '\0')
			break;
	}
	free(path);
	/* A folder above that cannot be made matters only when the state folder is missing. */
	return access(state_dir, F_OK) == 0 ? 0 : r;
}

/* Whoever could write there could put another database in the place of ours. */
static int check_closed(const char *state_dir, struct fault *fault)
{
	struct stat status;

	if (stat(state_dir, &status) < 0)
		return fault_set(fault, ELLU_E_INTERNAL, "The state folder %s cannot be examined: %s.",
				 state_dir, strerror(errno));
	if (!S_ISDIR(status.st_mode))
		return 0; // said when the lock is opened
	if (status.st_uid != geteuid() && geteuid() != 0)
		return fault_set(fault, ELLU_E_PERMISSION_DENIED,
				 "The state folder %s belongs to another user.", state_dir);
	if (status.st_mode & (S_IRWXG | S_IRWXO))
		return fault_set(fault, ELLU_E_PERMISSION_DENIED,
				 "The state folder %s is open to others (mode %03o): it holds keys and "
				 "answers. Close it with `chmod 700 %s`.", state_dir,
				 (unsigned)status.st_mode & 0777, state_dir);
	return 0;
}

static int held_by(int fd, const char *state_dir, struct fault *fault)
{
	char pid[32] = "";
	ssize_t n = pread(fd, pid, sizeof(pid) - 1, 0);

	pid[n > 0 ? n : 0] = '\0';
	pid[strcspn(pid, "\n")] = '\0';
	return fault_conflict(fault, "state folder", state_dir, 0,
			      "another daemon holds the state folder %s%s%s%s", state_dir,
			      *pid ? " (process " : "", pid, *pid ? ")" : "");
}

int lock_state_dir(const char *state_dir, int *ret_fd, struct fault *fault)
{
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	char path[4096], pid[32];
	int fd, r;

	r = make_folders(state_dir);
	if (r < 0)
		return fault_set(fault, ELLU_E_PERMISSION_DENIED,
				 "The state folder %s cannot be made: %s.", state_dir, strerror(-r));
	r = check_closed(state_dir, fault);
	if (r >= 0)
		r = check_file_system(state_dir, fault);
	if (r < 0)
		return r;
	if (snprintf(path, sizeof(path), "%s/lock", state_dir) >= (int)sizeof(path))
		return fault_set(fault, ELLU_E_INTERNAL, "The path of the state folder is too long.");
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return fault_set(fault, ELLU_E_PERMISSION_DENIED,
				 "The state folder %s cannot be written to: %s.", state_dir,
				 strerror(errno));
	/* Of the open file, not of the process: two stores in one process exclude each other. */
	if (fcntl(fd, F_OFD_SETLK, &lock) < 0) {
		r = errno == EAGAIN || errno == EACCES ?
			    held_by(fd, state_dir, fault) :
			    fault_set(fault, ELLU_E_INTERNAL, "The state folder %s cannot be locked: %s.",
				      state_dir, strerror(errno));
		close(fd);
		return r;
	}
	/* Only a help for people, so a full disk does not matter. */
	snprintf(pid, sizeof(pid), "%ld\n", (long)getpid());
	if (ftruncate(fd, 0) == 0)
		(void)!pwrite(fd, pid, strlen(pid), 0);
	*ret_fd = fd;
	return 0;
}
