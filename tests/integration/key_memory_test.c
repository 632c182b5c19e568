/* The daemon's memory, where keys lie as they are: nobody reads it, and no core has it. */
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/harness/suite.h"
#include "tests/harness/users.h"

static bool opens(pid_t pid, const char *name)
{
	int fd = open(text("/proc/%d/%s", (int)pid, name), O_RDONLY);

	if (fd >= 0)
		close(fd);
	return fd >= 0;
}

/* Exits as a process that has become another user, or has the daemon's own and no more rights. */
static int reach(pid_t pid, uid_t uid)
{
	static const char *const names[] = { "mem", "environ", "maps", "fd/0" };
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct none[2] = { { 0 }, { 0 } };

	if (uid != getuid() && (setgid(uid) < 0 || setuid(uid) < 0))
		return 100;
	if (syscall(SYS_capset, &header, none) < 0)
		return 101;
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		if (opens(pid, names[i]))
			return (int)i + 1;
	return 0;
}

static void must_be_out_of_reach(pid_t daemon, uid_t uid)
{
	pid_t pid = fork();
	int status;

	if (pid == 0)
		_exit(reach(daemon, uid));
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == 0, "user %u: %d", (unsigned)uid,
		      WEXITSTATUS(status));
}

/* Root's processes are kept from each other by their rights already: a test that root runs goes
 * on as another user, with a copy of the daemon that this one may run. */
static const char *become_nobody(void)
{
	const char *folder = dir_new(), *copy = text("%s/elluminated", folder);

	if (getuid() != 0)
		return NULL;
	ck_assert_int_eq(system(text("cp '%s' '%s'", ELLUMINATED_PATH, copy)), 0);
	ck_assert_int_eq(chmod(folder, 0711), 0);
	ck_assert_int_eq(chmod(text("%s/..", folder), 0777), 0);
	ck_assert_int_eq(setgroups(0, NULL), 0);
	ck_assert_int_eq(setgid(OTHER_UID), 0);
	ck_assert_int_eq(setuid(OTHER_UID), 0);
	return copy;
}

/* Nobody gets to the daemon's memory, the same user's other processes included. */
START_TEST(memory_is_out_of_reach)
{
	struct daemon *of_root = getuid() == 0 ? daemon_start(NULL) : NULL;
	struct daemon *daemon;
	struct stat status;

	if (of_root) {
		must_be_out_of_reach(daemon_pid(of_root), OTHER_UID);
		ck_assert_int_eq(daemon_stop(of_root), 0);
	}
	daemon = daemon_start(&(struct daemon_options) { .path = become_nobody() });
	must_be_out_of_reach(daemon_pid(daemon), getuid());
	/* What a handler of cores goes by. */
	ck_assert_int_eq(stat(text("/proc/%d/environ", (int)daemon_pid(daemon)), &status), 0);
	ck_assert_uint_eq(status.st_uid, 0);
	ck_assert_int_eq(daemon_stop(daemon), 0);
}
END_TEST

static bool is_no_core(const char *path, void *userdata)
{
	(void)userdata;
	ck_assert_msg(!strstr(path, "core"), "%s", path);
	return true;
}

/* Not even with a limit that somebody has raised, as for a handler behind a pipe. */
START_TEST(no_core)
{
	const struct rlimit unlimited = { RLIM_INFINITY, RLIM_INFINITY };
	struct daemon *daemon = daemon_start(NULL);
	pid_t pid = daemon_pid(daemon);
	char folder[4096];
	siginfo_t info = { 0 };

	/* Only who may raise a hard limit can. */
	(void)prlimit(pid, RLIMIT_CORE, &unlimited, NULL);
	ck_assert_int_eq(chdir(daemon_state_dir(daemon)), 0);
	ck_assert_ptr_nonnull(getcwd(folder, sizeof(folder)));
	daemon_signal(daemon, SIGABRT);
	ck_assert_int_eq(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT), 0);
	ck_assert_int_eq(info.si_status, SIGABRT);
	ck_assert_int_eq(info.si_code, CLD_KILLED); // else CLD_DUMPED
	dir_each_file(folder, is_no_core, NULL);
	ck_assert_int_eq(daemon_wait(daemon, WAIT_SECONDS), 128 + SIGABRT);
}
END_TEST

int main(void)
{
	return RUN_SUITE(memory_is_out_of_reach, no_core);
}
