/*
 * A daemon in a memory cgroup that grows too small for it: the kernel kills it in the middle of a
 * run. After the next start nothing recorded is lost or asked for again, and the run goes on.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/harness/suite.h"

#define ROWS 200
#define ITEMS (2 * ROWS)
#define CONNECTIONS 8
#define KILLS 3
#define ROOMY "1073741824"
#define SQUEEZES_MAX 200
#define UPLOAD_BYTES 2000000

/* The two versions of the kernel's interface. */
static const struct kernel {
	const char *mount, *limit, *usage, *events;
} kernels[] = {
	{ "/sys/fs/cgroup/memory", "memory.limit_in_bytes", "memory.usage_in_bytes",
	  "memory.oom_control" },
	{ "/sys/fs/cgroup", "memory.max", "memory.current", "memory.events" },
};

static const struct kernel *kernel;
static const char *group, *parent; // folders

static bool set(const char *folder, const char *name, const char *value)
{
	int fd = open(dir_path(folder, name), O_WRONLY | O_CLOEXEC);
	bool written = fd >= 0 && write(fd, value, strlen(value)) == (ssize_t)strlen(value);

	if (fd >= 0)
		close(fd);
	return written;
}

static int64_t get(const char *name)
{
	char *content = file_read(dir_path(group, name), NULL);

	return content ? strtoll(content, NULL, 10) : -1;
}

static int64_t n_killed(void)
{
	char *events = file_read(dir_path(group, kernel->events), NULL), *at;

	at = events ? strstr(events, "oom_kill ") : NULL;
	return at ? strtoll(at + strlen("oom_kill "), NULL, 10) : -1;
}

/* ---- The group ---- */

/* Where this process is: it goes back there. */
static const char *find_parent(const char *mount, bool unified)
{
	char *groups = file_read("/proc/self/cgroup", NULL), *line = groups;

	while (line && *line) {
		char *end = strchr(line, '\n'), *path = strchr(line, ':');

		if (end)
			*end++ = '\0';
		path = path ? strchr(path + 1, ':') : NULL;
		if (path && (unified ? strncmp(line, "0::", 3) == 0 : strstr(line, ":memory:") != NULL)) {
			const char *folder = text("%s%s", mount, path + 1);

			/* A namespace may call another place by this path. */
			return access(folder, F_OK) == 0 ? folder : mount;
		}
		line = end;
	}
	return mount;
}

static bool make_group(void)
{
	for (size_t i = 0; i < sizeof(kernels) / sizeof(*kernels); i++) {
		kernel = &kernels[i];
		group = text("%s/elluminate-test-%d", kernel->mount, (int)getpid());
		parent = find_parent(kernel->mount, strcmp(kernel->limit, "memory.max") == 0);
		if (mkdir(group, 0755) < 0)
			continue;
		if (n_killed() >= 0 && set(group, kernel->limit, ROOMY)) {
			/* What is swapped out would not count. */
			(void)(set(group, "memory.swap.max", "0") ||
			       set(group, "memory.memsw.limit_in_bytes", ROOMY));
			return true;
		}
		(void)rmdir(group);
	}
	return false;
}

/* Who was killed leaves it a moment later. */
static void remove_group(void)
{
	double deadline = now_seconds() + WAIT_SECONDS;

	while (rmdir(group) < 0 && errno == EBUSY && now_seconds() < deadline)
		(void)poll(NULL, 0, 10);
}

/* ---- The daemon in it ---- */

static void enter(const char *folder)
{
	ck_assert_msg(set(folder, "cgroup.procs", text("%d", (int)getpid())), "%s: %s", folder,
		      strerror(errno));
}

/* What it uses counts from its start on. */
static void start_inside(struct daemon **daemon)
{
	enter(group);
	if (*daemon)
		daemon_restart(*daemon);
	else
		*daemon = daemon_start(NULL);
	enter(parent);
}

/* As far down as the kernel takes the limit: version 1 refuses what it cannot get down to. */
static void lower_limit(void)
{
	int64_t usage = get(kernel->usage);

	for (int percent = 50; percent <= 100; percent += 5)
		if (set(group, kernel->limit, text("%lld", (long long)(usage * percent / 100))))
			return;
}

/* The limit comes down to what the daemon has, and it needs more: a message that it must take
 * in. */
static void squeeze(struct daemon *daemon)
{
	char *message = malloc(UPLOAD_BYTES);
	int64_t killed = n_killed();
	int status = -1;

	ck_assert_ptr_nonnull(message);
	memset(message, 'x', UPLOAD_BYTES);
	for (int i = 0; i < SQUEEZES_MAX && status < 0; i++) {
		struct wire *wire = wire_try_open(daemon_socket(daemon));

		lower_limit();
		if (wire) {
			(void)wire_send(wire, message, UPLOAD_BYTES);
			wire_close(wire);
		}
		status = daemon_wait(daemon, 0.01);
	}
	free(message);
	ck_assert_int_eq(status, 128 + SIGKILL);
	ck_assert_int_gt(n_killed(), killed);
	ck_assert(set(group, kernel->limit, ROOMY));
}

START_TEST(killed_for_memory)
{
	struct sim *sim = sim_start((const char *[]) { "--latency_seconds=0.01", NULL });
	struct daemon *daemon = NULL;
	struct wire *wire;
	int64_t id, experiment_id, recorded = 0, lost = 0;
	json_object *task;

	start_inside(&daemon);
	wire = daemon_connect(daemon);
	id = experiment_submit(wire, &(struct experiment) {
		.rows = ROWS, .n_criteria = 1, .url = sim_url(sim), .max_connections = CONNECTIONS });
	experiment_id = at_int(task_get(wire, id), "experiment_id");
	for (int i = 0; i < KILLS; i++) {
		int64_t now;

		/* However late it is killed, its next lives have something to do. */
		sim_control(sim, "{'hang_rate':1,'faults_after':%lld}",
			    (long long)(lost + ITEMS - (KILLS - i)));
		now = experiment_await_recorded(wire, id, experiment_id,
						recorded + 1 + (ITEMS - recorded) / 8);
		ck_assert_int_gt(now, recorded);
		wire_close(wire);
		squeeze(daemon);
		sim_await_closed(sim);
		recorded = database_copy_int(daemon, "SELECT (SELECT count(*) FROM responses) +"
					     " (SELECT count(*) FROM ratings)");
		ck_assert_int_ge(recorded, now);
		lost = sim_stat(sim, "calls") - recorded; // asked, and not recorded: asked again
		sim_control(sim, "{'hang_rate':0}");
		start_inside(&daemon);
		wire = daemon_connect(daemon);
	}
	task = task_await_status(daemon, id, "SUCCESS");
	ck_assert_int_eq(at_int(task, "progress.failed"), 0);
	ck_assert_int_eq(experiment_recorded(wire, experiment_id), ITEMS);
	ck_assert_int_eq(sim_stat(sim, "calls"), ITEMS + lost);
	ck_assert_int_eq(sim_stat(sim, "distinct_keys"), ITEMS);
	ck_assert_int_eq(daemon_stop(daemon), 0);
	json_object_put(task);
}
END_TEST

int main(void)
{
	int r;

	if (SLOW_BUILD || geteuid() != 0 || !make_group()) {
		fputs("no memory cgroup can be made here, or a sanitizer would need it itself\n", stderr);
		return EXIT_SKIPPED;
	}
	r = RUN_SUITE(killed_for_memory);
	remove_group();
	return r;
}
