#include "tests/harness/users.h"

#include <errno.h>
#include <grp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/harness/harness.h"

static const char *folder_of(const char *path)
{
	return text("%.*s", (int)(strrchr(path, '/') - path), path);
}

struct daemon *daemon_start_system(void)
{
	return daemon_start_system_with(NULL);
}

struct daemon *daemon_start_system_with(const char *config)
{
	struct daemon *daemon = daemon_start(&(struct daemon_options) {
		.config = config, .arguments = (const char *[]) { "--system", NULL } });
	const char *folder = folder_of(daemon_socket(daemon));

	/* The way to the socket is free for all, as it is in /run. */
	if (chmod(folder, 0711) < 0 || chmod(folder_of(folder), 0711) < 0)
		die("chmod %s: %s", folder, strerror(errno));
	return daemon;
}

/* The other side is told of whom the process is when it connects. */
struct wire *connect_as(const struct daemon *daemon, uid_t uid)
{
	return connect_in(daemon, uid, uid);
}

struct wire *connect_in(const struct daemon *daemon, uid_t uid, gid_t gid)
{
	struct wire *wire;

	if (setgroups(0, NULL) < 0 || setegid(gid) < 0 || seteuid(uid) < 0)
		die("user %u cannot be become: %s", (unsigned)uid, strerror(errno));
	wire = daemon_connect(daemon);
	if (seteuid(0) < 0 || setegid(0) < 0)
		die("root cannot be become again: %s", strerror(errno));
	return wire;
}

void as_other_user(struct daemon *daemon, void (*run)(struct wire *wire, void *userdata),
		   void *userdata)
{
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		if (setgid(OTHER_UID) < 0 || setuid(OTHER_UID) < 0)
			die("setuid: %s", strerror(errno));
		run(daemon_connect(daemon), userdata);
		exit(EXIT_SUCCESS);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		die("fork: %s", strerror(errno));
	if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
		die("what the other user did failed");
}
