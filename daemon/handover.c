#include "daemon/handover.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#include "daemon/base/clock.h"
#include "daemon/base/log.h"
#include "daemon/service_manager.h"

/* A step of the wait, after which the service manager is told that we still do; and how many. */
#define STEP_SECONDS 10
#define STEPS_MAX 12
#define STEPS_PATIENT 3 // then calls in flight are aborted

/* What the lock file says: the holder's process, and below it, once it serves, the rest. */
struct holder {
	pid_t pid;
	uintmax_t pid_namespace; // 0: it does not leave
	char socket_path[sizeof(((struct sockaddr_un *)NULL)->sun_path)];
};

static const char holder_format[] = "%" PRIuMAX "\n%s\n";

/* A process's number means nothing in another namespace; 0 when that cannot be known. */
static uintmax_t pid_namespace(void)
{
	struct stat status;

	return stat("/proc/self/ns/pid", &status) == 0 ? (uintmax_t)status.st_ino : 0;
}

bool handover_is_awaited(void)
{
	return getenv("LISTEN_FDS") || getenv("NOTIFY_SOCKET") || getenv("DBUS_STARTER_ADDRESS");
}

static int open_lock(const char *state_dir, int flags)
{
	char path[4096];

	if (snprintf(path, sizeof(path), "%s/lock", state_dir) >= (int)sizeof(path))
		return -ENAMETOOLONG;
	return open(path, flags | O_CLOEXEC | O_NOFOLLOW);
}

void handover_offer(const char *state_dir, const char *socket_path)
{
	int fd = open_lock(state_dir, O_WRONLY | O_APPEND);

	if (fd < 0)
		return;
	/* Without it the daemon is one that stays. */
	(void)!dprintf(fd, holder_format, pid_namespace(), socket_path);
	close(fd);
}

static int read_holder(int fd, struct holder *holder)
{
	char text[256], *rest, *line;
	ssize_t n = pread(fd, text, sizeof(text) - 1, 0);

	*holder = (struct holder){ 0 };
	if (n <= 0)
		return -ENODATA;
	text[n] = '\0';
	line = strtok_r(text, "\n", &rest);
	holder->pid = line ? (pid_t)strtol(line, NULL, 10) : 0;
	line = strtok_r(NULL, "\n", &rest);
	holder->pid_namespace = line ? strtoumax(line, NULL, 10) : 0;
	line = strtok_r(NULL, "\n", &rest);
	if (line && strlen(line) < sizeof(holder->socket_path))
		snprintf(holder->socket_path, sizeof(holder->socket_path), "%s", line);
	return holder->pid > 0 ? 0 : -ENODATA;
}

static bool is_reachable(const struct holder *holder)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	bool reachable;

	memcpy(address.sun_path, holder->socket_path, sizeof(address.sun_path));
	/* Full is as good as taken. When nothing can be known, nothing is done. */
	reachable = fd < 0 || connect(fd, (const struct sockaddr *)&address, sizeof(address)) == 0 ||
		    errno == EAGAIN;
	if (fd >= 0)
		close(fd);
	return reachable;
}

/* Its process, when it is still what the file says and holds the lock. */
static int open_process(int lock_fd, const struct holder *holder)
{
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	struct holder now;
	int fd;

	if (!holder->pid_namespace || holder->pid_namespace != pid_namespace())
		return -EPERM;
	fd = (int)syscall(SYS_pidfd_open, holder->pid, 0);
	if (fd < 0)
		return -errno;
	if (read_holder(lock_fd, &now) < 0 || now.pid != holder->pid ||
	    fcntl(lock_fd, F_OFD_GETLK, &lock) < 0 || lock.l_type == F_UNLCK) {
		close(fd);
		return -ESRCH;
	}
	return fd;
}

static int tell(int process_fd)
{
	return syscall(SYS_pidfd_send_signal, process_fd, HANDOVER_SIGNAL, NULL, 0) < 0 ? -errno : 0;
}

/* Its calls in flight may take their time, as at any stop. */
static int await_end(int process_fd)
{
	struct pollfd ended = { .fd = process_fd, .events = POLLIN };
	int r;

	for (int step = 0; step < STEPS_MAX; step++) {
		service_manager_extend_start(2 * STEP_SECONDS * USEC_PER_SEC);
		r = poll(&ended, 1, STEP_SECONDS * 1000);
		if (r != 0)
			return r < 0 ? -errno : 0; // EINTR: we are told to stop ourselves
		if (step + 1 == STEPS_PATIENT)
			(void)tell(process_fd);
	}
	return -ETIMEDOUT;
}

int handover_take(const char *state_dir, bool awaited, struct fault *fault)
{
	int lock_fd = open_lock(state_dir, O_RDWR), process_fd = -1;
	struct holder holder = { 0 };
	int r = lock_fd < 0 ? lock_fd : read_holder(lock_fd, &holder);

	if (r == 0 && !awaited && is_reachable(&holder))
		r = -EBUSY;
	if (r == 0)
		r = process_fd = open_process(lock_fd, &holder);
	if (r >= 0)
		r = tell(process_fd);
	if (r >= 0) {
		log_notice("process %d holds the state folder %s: it is asked to leave",
			   (int)holder.pid, state_dir);
		r = await_end(process_fd);
	}
	if (process_fd >= 0)
		close(process_fd);
	if (lock_fd >= 0)
		close(lock_fd);
	if (r < 0 && r != -ESRCH && holder.socket_path[0])
		return fault_conflict(fault, "state folder", state_dir, 0,
				      "another daemon (process %d) holds the state folder %s and "
				      "serves on %s%s", (int)holder.pid, state_dir, holder.socket_path,
				      r == -ETIMEDOUT ? "; it was asked to leave, and does not" : "");
	/* -ESRCH: it has just ended by itself. */
	return r == -ESRCH ? 0 : r;
}
