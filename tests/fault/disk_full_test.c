/*
 * A disk that fills up in the middle of a run: the task holds and says why, and goes on when
 * there is room again. The disk is a small tmpfs in a mount namespace of the test's own.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "tests/harness/process.h"
#include "tests/harness/suite.h"

#define ROWS 400
#define DISK_SIZE "mode=0700,size=160m" // more than a submission wants to see free

static bool enter_namespace(void)
{
	return geteuid() == 0 && unshare(CLONE_NEWNS) == 0 &&
	       mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0;
}

static int open_filler(const char *disk)
{
	int fd = open(dir_path(disk, "filler"), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

	ck_assert_int_ge(fd, 0);
	return fd;
}

/* Leaves so many bytes free. The daemon writes meanwhile, so what was free may be gone. */
static void fill_but(const char *disk, uint64_t leave)
{
	int fd = open_filler(disk);
	struct statvfs status;
	int r;

	do {
		ck_assert_int_eq(statvfs(disk, &status), 0);
		r = posix_fallocate(fd, 0, (off_t)(status.f_bavail * status.f_frsize - leave));
	} while (r == ENOSPC && status.f_bavail * status.f_frsize > leave);
	ck_assert_int_eq(r, 0);
	close(fd);
}

/* To the last byte, while the daemon goes on writing. */
static void fill(const char *disk)
{
	static const char block[1 << 16];
	int fd = open_filler(disk);

	for (size_t size = sizeof(block); size > 0; size /= 2)
		while (write(fd, block, size) > 0)
			;
	ck_assert_int_eq(errno, ENOSPC);
	close(fd);
}

static bool has_hold(struct wire *wire, int64_t id)
{
	json_object *task = task_get(wire, id);
	bool holds = at_is(task, "hold", "storage");

	ck_assert_msg(!at_has(task, "finished_at"), "%s", json_object_to_json_string(task));
	json_object_put(task);
	return holds;
}

static void await_hold(struct wire *wire, int64_t id)
{
	double deadline = now_seconds() + WAIT_SECONDS;

	while (!has_hold(wire, id)) {
		ck_assert_msg(now_seconds() < deadline, "no hold");
		(void)poll(NULL, 0, 10);
	}
}

static void check_all(struct wire *wire, struct sim *sim, json_object *task)
{
	json_object *responses = list_all(wire, "ListResponses", "'experiment':{'id':%lld}",
					  (long long)at_int(task, "experiment_id"));

	ck_assert_uint_eq(json_object_array_length(responses), ROWS);
	ck_assert_int_eq(at_int(task, "progress.failed"), 0);
	ck_assert_int_eq(at_int(task, "result.results.ratings"), ROWS);
	/* What was answered while the disk was full was kept, not asked for again. */
	ck_assert_int_eq(sim_stat(sim, "repeated_by_key"), 0);
	ck_assert_int_eq(sim_stat(sim, "calls"), 2 * ROWS);
}

START_TEST(full_in_mid_run)
{
	const char *disk = dir_new();
	const char *state_dir = dir_path(disk, "state");
	struct daemon *daemon;
	struct sim *sim;
	struct wire *wire;
	json_object *status, *task;
	int64_t id;

	ck_assert(enter_namespace());
	ck_assert_int_eq(mount("tmpfs", disk, "tmpfs", 0, DISK_SIZE), 0);
	daemon = daemon_start(&(struct daemon_options) { .state_dir = state_dir });
	sim = sim_start((const char *[]) { "--latency_seconds=0.02", NULL });
	wire = daemon_connect(daemon);
	id = experiment_submit(wire, &(struct experiment) {
		.rows = ROWS, .n_criteria = 1, .url = sim_url(sim), .max_connections = 8 });
	experiment_await_recorded(wire, id, at_int(task_get(wire, id), "experiment_id"), 40);
	fill(disk);
	await_hold(wire, id);
	status = wire_call(wire, "GetStatus", "{}");
	ck_assert(at_bool(status, "storage.full"));
	/* A submission says so; reading goes on. */
	wire_refused(wire, "StorageFull", "RunExperiment", "%s",
		     experiment_request(&(struct experiment) { .name = "other", .rows = 3 }));
	wire_refused(wire, "StorageFull", "CreateCollection", "{'collection':{'name':'X'}}");
	ck_assert(daemon_is_well(daemon));
	ck_assert(has_hold(wire, id));
	/* Room again. */
	ck_assert_int_eq(unlink(dir_path(disk, "filler")), 0);
	task = task_await_status(daemon, id, "SUCCESS");
	ck_assert(!at_has(task, "hold"));
	check_all(wire, sim, task);
	wire_call(wire, "CreateCollection", "{'collection':{'name':'X'}}");
	ck_assert_int_eq(daemon_stop(daemon), 0);
	ck_assert_int_eq(umount2(disk, MNT_DETACH), 0);
}
END_TEST

/* ---- What a watcher sees ---- */

#define CONNECTIONS 8
#define FILLINGS 4

/* Reads on until the hold is this one, or none with NULL. */
static void watch_until(struct wire *watch, const char *hold)
{
	json_object *reply;
	bool found;

	do {
		reply = wire_next(watch);
		ck_assert_msg(at_is(reply, "parameters.event.status", "STARTED"), "%s",
			      json_object_to_json_string(reply));
		found = hold ? at_is(reply, "parameters.event.hold", hold) :
			       !at_has(reply, "parameters.event.hold");
		json_object_put(reply);
	} while (!found);
}

static void watch_to_success(struct wire *watch)
{
	bool continues = true;

	while (continues) {
		json_object *reply = wire_next(watch);

		continues = at_has(reply, "continues") && at_bool(reply, "continues");
		ck_assert_msg(at_is(reply, "parameters.event.status", continues ? "STARTED" : "SUCCESS"),
			      "%s", json_object_to_json_string(reply));
		ck_assert(continues || !at_has(reply, "parameters.event.hold"));
		json_object_put(reply);
	}
}

/* What is answered and cannot be recorded is bounded, and nothing more is asked. */
static void check_held(struct wire *wire, struct sim *sim, int64_t experiment_id)
{
	int64_t calls = sim_stat(sim, "calls");

	ck_assert_int_le(calls, experiment_recorded(wire, experiment_id) + 2 * CONNECTIONS);
	wire_refused(wire, "StorageFull", "CreateCollection", "{'collection':{'name':'X'}}");
	ck_assert_int_le(sim_stat(sim, "calls"), experiment_recorded(wire, experiment_id) +
						 2 * CONNECTIONS);
}

static void tune(struct wire *wire, int64_t id, int max_connections)
{
	json_object_put(wire_call(wire, "TuneTask", "{'id':%lld,'max_connections':%d}", (long long)id,
				  max_connections));
}

/* Full for a long time, with a little room now and then: each time the watcher sees the hold
 * begin and end. The daemon looks for room once a second, so that it is full for some seconds. */
START_TEST(watched_while_full)
{
	const char *disk = dir_new();
	struct daemon *daemon;
	struct sim *sim;
	struct wire *wire, *watch;
	json_object *task;
	int64_t id, experiment_id, recorded;

	ck_assert(enter_namespace());
	ck_assert_int_eq(mount("tmpfs", disk, "tmpfs", 0, DISK_SIZE), 0);
	daemon = daemon_start(&(struct daemon_options) { .state_dir = dir_path(disk, "state") });
	sim = sim_start((const char *[]) { "--latency_seconds=0.05", NULL });
	wire = daemon_connect(daemon);
	watch = daemon_connect(daemon);
	id = experiment_submit(wire, &(struct experiment) {
		.rows = ROWS, .n_criteria = 1, .url = sim_url(sim), .max_connections = CONNECTIONS });
	experiment_id = at_int(task_get(wire, id), "experiment_id");
	wire_start(watch, "'more':true", "WatchTask", "{'id':%lld,'min_interval_seconds':0.05}",
		   (long long)id);
	/* However long a filling takes, there is something left to be asked then. */
	tune(wire, id, 1);
	for (int i = 0; i < FILLINGS; i++) {
		recorded = experiment_recorded(wire, experiment_id);
		experiment_await_recorded(wire, id, experiment_id, recorded + 1);
		fill(disk);
		watch_until(watch, "storage");
		check_held(wire, sim, experiment_id);
		ck_assert_int_eq(unlink(dir_path(disk, "filler")), 0);
		watch_until(watch, NULL);
	}
	tune(wire, id, CONNECTIONS);
	watch_to_success(watch);
	task = task_get(wire, id);
	check_all(wire, sim, task);
	ck_assert_int_eq(daemon_stop(daemon), 0);
	ck_assert_int_eq(umount2(disk, MNT_DETACH), 0);
}
END_TEST

/* Killed while it is full, and started without room: what is recorded can still be read. */
START_TEST(killed_while_full)
{
	const char *disk = dir_new();
	const char *state_dir = dir_path(disk, "state");
	struct daemon *daemon;
	struct sim *sim;
	struct wire *wire;
	int64_t id, experiment_id, recorded;

	ck_assert(enter_namespace());
	ck_assert_int_eq(mount("tmpfs", disk, "tmpfs", 0, DISK_SIZE), 0);
	daemon = daemon_start(&(struct daemon_options) { .state_dir = state_dir });
	sim = sim_start((const char *[]) { "--latency_seconds=0.02", NULL });
	wire = daemon_connect(daemon);
	id = experiment_submit(wire, &(struct experiment) {
		.rows = ROWS, .n_criteria = 1, .url = sim_url(sim), .max_connections = 8 });
	experiment_id = at_int(task_get(wire, id), "experiment_id");
	experiment_await_recorded(wire, id, experiment_id, 40);
	fill(disk);
	await_hold(wire, id);
	recorded = experiment_recorded(wire, experiment_id);
	daemon_kill(daemon);
	ck_assert_int_eq(unlink(dir_path(disk, "filler")), 0);
	daemon_restart(daemon);
	wire = daemon_connect(daemon);
	ck_assert_int_ge(experiment_recorded(wire, experiment_id), recorded);
	task_await_status(daemon, id, "SUCCESS");
	ck_assert_int_eq(experiment_recorded(wire, experiment_id), 2 * ROWS);
	ck_assert_int_eq(daemon_stop(daemon), 0);
	ck_assert_int_eq(umount2(disk, MNT_DETACH), 0);
}
END_TEST

/* Too little room for anything new, enough to finish what is there. */
START_TEST(little_room)
{
	const char *disk = dir_new(), *said;
	struct daemon *daemon;
	struct wire *wire;

	ck_assert(enter_namespace());
	ck_assert_int_eq(mount("tmpfs", disk, "tmpfs", 0, DISK_SIZE), 0);
	daemon = daemon_start(&(struct daemon_options) { .state_dir = dir_path(disk, "state") });
	wire = daemon_connect(daemon);
	fill_but(disk, 40u << 20);
	said = at_text(wire_refused(wire, "StorageFull", "RunExperiment", "%s",
				    experiment_request(&(struct experiment) { .rows = 3 })), "parameters.message");
	ck_assert_msg(strstr(said, "MiB left; new tasks need 64"), "%s", said);
	ck_assert_int_eq(unlink(dir_path(disk, "filler")), 0);
	ck_assert_str_eq(at_text(experiment_run(wire, &(struct experiment) { .rows = 3 }), "status"),
			 "SUCCESS");
	ck_assert_int_eq(daemon_stop(daemon), 0);
	ck_assert_int_eq(umount2(disk, MNT_DETACH), 0);
}
END_TEST

/* ---- Stopped while it is full ---- */

static struct daemon *stopped_daemon;

/* A daemon with a full disk and a task that holds for it. */
static int64_t hold_on_full_disk(const char *disk, const char *config)
{
	struct sim *sim = sim_start((const char *[]) { "--latency_seconds=0.02", NULL });
	struct wire *wire;
	int64_t id;

	ck_assert(enter_namespace());
	ck_assert_int_eq(mount("tmpfs", disk, "tmpfs", 0, DISK_SIZE), 0);
	stopped_daemon = daemon_start(&(struct daemon_options) {
		.state_dir = dir_path(disk, "state"), .config = config });
	wire = daemon_connect(stopped_daemon);
	id = experiment_submit(wire, &(struct experiment) {
		.rows = ROWS, .n_criteria = 1, .url = sim_url(sim), .max_connections = 8 });
	experiment_await_recorded(wire, id, at_int(task_get(wire, id), "experiment_id"), 40);
	fill(disk);
	await_hold(wire, id);
	return id;
}

static void goes_on_after(const char *disk, int64_t id)
{
	struct wire *wire;

	ck_assert_int_eq(unlink(dir_path(disk, "filler")), 0);
	daemon_restart(stopped_daemon);
	wire = daemon_connect(stopped_daemon);
	json_object_put(task_await_status(stopped_daemon, id, "SUCCESS"));
	ck_assert_int_eq(experiment_recorded(wire, at_int(task_get(wire, id), "experiment_id")),
			 2 * ROWS);
	ck_assert_int_eq(daemon_stop(stopped_daemon), 0);
	ck_assert_int_eq(umount2(disk, MNT_DETACH), 0);
}

static void must_end(void)
{
	int status = daemon_wait(stopped_daemon, WAIT_SECONDS);

	ck_assert_msg(status == 0, "status %d: %s", status, daemon_log(stopped_daemon));
}

/* It ends when its grace period is over, though nothing of what it still has can be recorded. */
START_TEST(stopped_while_full)
{
	const char *disk = dir_new();
	int64_t id = hold_on_full_disk(disk, "[daemon]\nshutdown_grace_seconds = 1\n");

	daemon_signal(stopped_daemon, SIGTERM);
	must_end();
	goes_on_after(disk, id);
}
END_TEST

START_TEST(revoking_while_full)
{
	const char *disk = dir_new();
	int64_t id = hold_on_full_disk(
		disk, "[daemon]\nshutdown_grace_seconds = 1\non_shutdown = revoke\n");

	daemon_signal(stopped_daemon, SIGTERM);
	must_end();
	goes_on_after(disk, id);
}
END_TEST

START_TEST(hurried_while_full)
{
	const char *disk = dir_new();
	int64_t id = hold_on_full_disk(disk, "[daemon]\nshutdown_grace_seconds = 3600\n");

	daemon_signal(stopped_daemon, SIGTERM);
	while (!strstr(daemon_log(stopped_daemon), "stopping on")) // two signals may become one
		(void)poll(NULL, 0, 10);
	daemon_signal(stopped_daemon, SIGTERM);
	must_end();
	goes_on_after(disk, id);
}
END_TEST

/* Whoever wants a task changed is told at once that it can't be, and the task goes on. */
START_TEST(changes_while_full)
{
	static const char *const methods[] = { "CancelTask", "PauseTask" };
	const char *disk = dir_new();
	int64_t id = hold_on_full_disk(disk, NULL);
	struct wire *wire = daemon_connect(stopped_daemon);

	for (size_t i = 0; i < sizeof(methods) / sizeof(methods[0]); i++)
		wire_refused(wire, "StorageFull", methods[i], "{'id':%lld}", (long long)id);
	wire_refused(wire, "StorageFull", "TuneTask", "{'id':%lld,'priority':'batch'}", (long long)id);
	ck_assert_int_eq(unlink(dir_path(disk, "filler")), 0);
	json_object_put(task_await_status(stopped_daemon, id, "SUCCESS"));
	ck_assert_int_eq(daemon_stop(stopped_daemon), 0);
	ck_assert_int_eq(umount2(disk, MNT_DETACH), 0);
}
END_TEST

int main(void)
{
	pid_t pid = fork();

	/* Whether a mount namespace is to be had is tried in a process of its own. */
	if (pid == 0)
		_exit(!enter_namespace());
	if (process_wait(pid, WAIT_SECONDS) != 0) {
		fputs("a mount namespace of one's own needs root\n", stderr);
		return EXIT_SKIPPED;
	}
	return RUN_SUITE(full_in_mid_run, watched_while_full, killed_while_full, little_room, stopped_while_full,
			 revoking_while_full, hurried_while_full, changes_while_full);
}
