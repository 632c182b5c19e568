/*
 * A database that cannot be written: for a while, because another program has it, and for good,
 * because its disk fails. Tasks hold and say why; nothing that was paid for is asked for again.
 */
#include <fcntl.h>
#include <poll.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "tests/harness/suite.h"

#define ROWS 100

static struct daemon *server;
static struct sim *sim;
static struct wire *wire, *watch;
static int64_t id;

static void start(const char *const *environment)
{
	server = daemon_start(&(struct daemon_options) { .environment = environment });
	sim = sim_start((const char *[]) { "--latency_seconds=0.05", NULL });
	wire = daemon_connect(server);
	watch = daemon_connect(server);
	id = experiment_submit(wire, &(struct experiment) {
		.rows = ROWS, .n_criteria = 1, .url = sim_url(sim), .max_connections = 8 });
	wire_start(watch, "'more':true", "WatchTask", "{'id':%lld,'min_interval_seconds':0.05}",
		   (long long)id);
	experiment_await_recorded(wire, id, at_int(task_get(wire, id), "experiment_id"), 10);
}

/* Reads on until the task has this hold, or none with NULL; its reason. */
static char *watch_until(const char *hold)
{
	char *reason = NULL;
	bool found = false;

	while (!found) {
		json_object *reply = wire_next(watch);

		ck_assert_msg(at_is(reply, "parameters.event.status", "STARTED"), "%s",
			      json_object_to_json_string(reply));
		found = hold ? at_is(reply, "parameters.event.hold", hold) :
			       !at_has(reply, "parameters.event.hold");
		if (found && hold)
			reason = strdup(at_text(reply, "parameters.event.hold_reason"));
		json_object_put(reply);
	}
	return reason;
}

static void check_trouble(const char *words)
{
	json_object *reply = wire_call(wire, "GetStatus", "{}");

	ck_assert_msg(strstr(at_text(reply, "storage.trouble"), words), "%s",
		      at_text(reply, "storage.trouble"));
	json_object_put(reply);
	reply = task_get(wire, id);
	ck_assert(at_is(reply, "hold", "storage"));
	ck_assert(strstr(at_text(reply, "hold_reason"), words));
	json_object_put(reply);
}

/* Another program writes, and takes longer than anybody waits for it. */
START_TEST(another_program_has_the_database)
{
	sqlite3 *database;
	json_object *task;

	start(NULL);
	ck_assert_int_eq(sqlite3_open(text("%s/elluminate.db", daemon_state_dir(server)), &database),
			 SQLITE_OK);
	sqlite3_busy_timeout(database, 60000);
	ck_assert_int_eq(sqlite3_exec(database, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
	ck_assert(strstr(watch_until("storage"), "another program"));
	check_trouble("another program");
	wire_refused(wire, "Internal", "CancelTask", "{'id':%lld}", (long long)id);
	ck_assert_int_eq(sqlite3_exec(database, "COMMIT", NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(database);
	watch_until(NULL);
	task = task_await_status(server, id, "SUCCESS");
	ck_assert_int_eq(at_int(task, "result.results.ratings"), ROWS);
	ck_assert_int_eq(at_int(task, "progress.failed"), 0);
	ck_assert_int_eq(sim_stat(sim, "repeated_by_key"), 0);
	ck_assert_int_eq(sim_stat(sim, "calls"), 2 * ROWS);
	ck_assert_int_eq(daemon_stop(server), 0);
}
END_TEST

/* Files that may not grow any more are a full disk: tasks go on when they may. */
START_TEST(files_may_not_grow)
{
	const struct rlimit none = { 4096, RLIM_INFINITY };
	struct rlimit before;
	json_object *task;

	start(NULL);
	ck_assert_int_eq(prlimit(daemon_pid(server), RLIMIT_FSIZE, &none, &before), 0);
	ck_assert(strstr(watch_until("storage"), "full"));
	check_trouble("full");
	wire_refused(wire, "StorageFull", "CreateCollection", "{'collection':{'name':'X'}}");
	wire_refused(wire, "StorageFull", "CreateLLMConfig",
		     "{'llm_config':{'name':'K','provider':'openai','llm_model_name':'m',"
		     "'llm_base_url':'http://127.0.0.1:9/v1','api_key':'a-key-for-nothing'}}");
	ck_assert_int_eq(prlimit(daemon_pid(server), RLIMIT_FSIZE, &before, NULL), 0);
	watch_until(NULL);
	task = task_await_status(server, id, "SUCCESS");
	ck_assert_int_eq(at_int(task, "progress.failed"), 0);
	ck_assert_int_eq(sim_stat(sim, "calls"), 2 * ROWS);
	ck_assert_int_eq(daemon_stop(server), 0);
}
END_TEST

/* Its folder is moved away under it: nothing is told as kept that would be lost. */
START_TEST(the_database_is_removed)
{
	const char *place, *away;
	int64_t experiment_id, recorded;

	start(NULL);
	experiment_id = at_int(task_get(wire, id), "experiment_id");
	place = daemon_state_dir(server);
	away = text("%s-away", place);
	ck_assert_int_eq(rename(place, away), 0);
	ck_assert(strstr(watch_until("storage"), "removed"));
	wire_refused(wire, "StorageDamaged", "CreateCollection", "{'collection':{'name':'X'}}");
	recorded = experiment_recorded(wire, experiment_id);
	ck_assert_int_eq(daemon_stop(server), 0);
	/* It is as it was told. */
	ck_assert_int_eq(rename(away, place), 0);
	daemon_restart(server);
	wire = daemon_connect(server);
	ck_assert_int_ge(experiment_recorded(wire, experiment_id), recorded);
	task_await_status(server, id, "SUCCESS");
	ck_assert_int_eq(daemon_stop(server), 0);
}
END_TEST

/* What was committed stays, and can be read; a restart on a disk that works goes on. */
START_TEST(the_disk_fails)
{
	const char *trigger = dir_path(dir_new(), "fail");
	int64_t experiment_id, recorded;
	int fd;

	start((const char *[]) { "LD_PRELOAD=" ELLU_DISK_FAULTS, text("DISK_FAULTS=%s", trigger),
				 NULL });
	experiment_id = at_int(task_get(wire, id), "experiment_id");
	fd = open(trigger, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	ck_assert_int_ge(fd, 0);
	close(fd);
	ck_assert(strstr(watch_until("storage"), "damaged"));
	check_trouble("only read");
	recorded = experiment_recorded(wire, experiment_id);
	ck_assert_int_ge(recorded, 10);
	wire_refused(wire, "StorageDamaged", "CancelTask", "{'id':%lld}", (long long)id);
	/* It holds on, calls nobody any more, and still stops when it is told to. */
	experiment_await_workers_free(wire);
	check_trouble("only read");
	ck_assert_int_eq(daemon_stop(server), 0);
	ck_assert_int_eq(unlink(trigger), 0);
	daemon_restart(server);
	wire = daemon_connect(server);
	ck_assert_int_ge(experiment_recorded(wire, experiment_id), recorded);
	task_await_status(server, id, "SUCCESS");
	ck_assert_int_eq(experiment_recorded(wire, experiment_id), 2 * ROWS);
	ck_assert_int_eq(daemon_stop(server), 0);
}
END_TEST

int main(void)
{
#if SLOW_BUILD
	/* What is preloaded would come before the sanitizer. */
	(void)the_disk_fails;
	return RUN_SUITE(another_program_has_the_database, files_may_not_grow, the_database_is_removed);
#else
	return RUN_SUITE(another_program_has_the_database, files_may_not_grow, the_database_is_removed,
			 the_disk_fails);
#endif
}
