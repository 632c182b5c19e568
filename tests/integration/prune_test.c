/*
 * Pruning: log lines of tasks that ended long ago go, on demand and by retention; changes of state,
 * results, and what lives stay, and who watches or lists finds what is left. Where the configuration says
 * so, experiments and tasks go as well.
 */
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "tests/harness/suite.h"

#define DAY_USEC INT64_C(86400000000)

static struct daemon *server;
static struct sim *sim;
static struct wire *wire;

static void begin(const char *config)
{
	server = daemon_start(&(struct daemon_options) { .config = config });
	/* Each failed item is a line. */
	sim = sim_start((const char *[]) { "--content_filter_rate=0.5", NULL });
	wire = daemon_connect(server);
}

static int64_t run(const char *name)
{
	json_object *task = experiment_run(wire, &(struct experiment) {
		.name = name, .rows = 40, .url = sim_url(sim), .max_connections = 4 });

	ck_assert_str_eq(at_text(task, "status"), "SUCCESS");
	return at_int(task, "id");
}

static int64_t n_lines(int64_t id)
{
	return (int64_t)json_object_array_length(
		list_all(wire, "ListTaskLogs", "'id':%lld", (long long)id));
}

static void prune(double older_than_seconds, int64_t tasks, int64_t lines)
{
	json_object *reply = wire_call(wire, "PruneTasks", "{'older_than_seconds':%g}",
				       older_than_seconds);

	ck_assert_int_eq(at_int(reply, "tasks"), tasks);
	ck_assert_int_eq(at_int(reply, "lines"), lines);
}

/* As if it had ended so long ago. */
static void age(int64_t id, int64_t days)
{
	database_run(server, "UPDATE tasks SET finished_at = finished_at - %lld WHERE id = %lld",
		     (long long)(days * DAY_USEC), (long long)id);
}

START_TEST(on_demand)
{
	int64_t ids[3], lines[3], sequence;
	json_object *event;

	begin(NULL);
	for (int i = 0; i < 3; i++) {
		ids[i] = run(text("E%d", i));
		lines[i] = n_lines(ids[i]);
		ck_assert_int_gt(lines[i], 0);
	}
	sequence = at_int(task_get(wire, ids[0]), "sequence");
	age(ids[0], 40);
	age(ids[1], 20);
	prune(30 * 86400, 1, lines[0]);
	prune(30 * 86400, 0, 0);
	ck_assert_int_eq(n_lines(ids[0]), 0);
	ck_assert_int_eq(n_lines(ids[1]), lines[1]);
	prune(0, 2, lines[1] + lines[2]);
	/* Each still has its story, its result, and its numbers. */
	for (int i = 0; i < 3; i++)
		task_must_have_been(server, ids[i], "PENDING STARTED SUCCESS");
	ck_assert_int_eq(at_int(task_get(wire, ids[0]), "sequence"), sequence);
	ck_assert_int_eq(at_int(task_get(wire, ids[0]), "result.results.responses"), 40);
	ck_assert_int_eq(database_int(server, "SELECT count(*) FROM responses"), 120);
	/* From within the gap: the end is all that follows. */
	wire_start(wire, "'more':true", "WatchTask", "{'id':%lld,'after_sequence':3}",
		   (long long)ids[0]);
	event = wire_next(wire);
	ck_assert(!at_has(event, "continues"));
	ck_assert_str_eq(at_text(event, "parameters.event.status"), "SUCCESS");
	ck_assert_int_eq(at_int(event, "parameters.event.sequence"), sequence);
	ck_assert_int_eq(daemon_stop(server), 0);
}
END_TEST

/* What lives keeps its lines, however old they are. */
START_TEST(live_task)
{
	int64_t id, lines;

	begin(NULL);
	id = experiment_submit(wire, &(struct experiment) {
		.rows = 40, .url = sim_url(sim), .max_connections = 2, .n_criteria = 1,
		.config = "'max_retries':0" });
	json_object_put(task_await_status(server, id, "SUCCESS"));
	lines = n_lines(id);
	/* The next task of the same experiment hangs, after some lines of its own. */
	database_run(server, "UPDATE tasks SET status = 'FAILURE' WHERE id = %lld;"
			     "DELETE FROM ratings;"
			     "DELETE FROM responses",
		     (long long)id);
	sim_control(sim, "{'latency_seconds':0.01}");
	id = at_int(wire_call(wire, "RetryTask", "{'id':%lld,'detach':true}", (long long)id), "task.id");
	while (n_lines(id) == 0)
		(void)poll(NULL, 0, 2);
	sim_control(sim, "{'latency_seconds':3600}");
	prune(0, 1, lines);
	ck_assert_int_gt(n_lines(id), 0);
	json_object_put(wire_call(wire, "CancelTask", "{'id':%lld}", (long long)id));
	ck_assert_int_eq(daemon_stop(server), 0);
}
END_TEST

/* More lines than a chunk holds, in one task and in many. */
START_TEST(many_lines)
{
	int64_t id, lines, others = 0;

	begin(NULL);
	id = run("Large");
	for (int i = 0; i < 5; i++)
		others += n_lines(run(text("E%d", i)));
	database_run(server, "INSERT INTO task_events (task_id, sequence, number, owner_uid, project_id,"
			     " at, status, line) WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1"
			     " FROM n WHERE i < 7000) SELECT id, 1000 + i, 1000000 + i, owner_uid,"
			     " project_id, 0, 'STARTED', 'line' FROM tasks, n WHERE id = %lld",
		     (long long)id);
	lines = database_int(server, "SELECT count(*) FROM task_events WHERE task_id = %lld AND line"
				     " IS NOT NULL", (long long)id);
	ck_assert_int_ge(lines, 7000);
	prune(0, 6, lines + others);
	ck_assert_int_eq(database_int(server, "SELECT count(*) FROM task_events WHERE line IS NOT NULL"),
			 0);
	ck_assert_int_eq(daemon_stop(server), 0);
}
END_TEST

static void await_no_lines(int64_t id)
{
	double deadline = now_seconds() + WAIT_SECONDS;

	while (n_lines(id) > 0) {
		ck_assert_double_lt(now_seconds(), deadline);
		(void)poll(NULL, 0, 5);
	}
}

/* By itself at the start: 30 days, unless the configuration says otherwise. */
START_TEST(retention)
{
	int64_t old, young, lines;

	begin(NULL);
	old = run("Old");
	young = run("Young");
	lines = n_lines(young);
	age(old, 31);
	age(young, 29);
	ck_assert_int_eq(daemon_stop(server), 0);
	daemon_restart(server);
	wire = daemon_connect(server);
	await_no_lines(old);
	ck_assert_int_eq(n_lines(young), lines);
	task_must_have_been(server, old, "PENDING STARTED SUCCESS");
	ck_assert_int_eq(daemon_stop(server), 0);
}
END_TEST

START_TEST(no_retention)
{
	int64_t old, lines;

	begin("[queue]\nlog_retention_days = 0\n");
	old = run("Old");
	lines = n_lines(old);
	age(old, 4000);
	ck_assert_int_eq(daemon_stop(server), 0);
	daemon_restart(server);
	wire = daemon_connect(server);
	/* Pruning would have been before this in the writer's queue. */
	json_object_put(experiment_run(wire, &(struct experiment) { .name = "Other", .rows = 1 }));
	ck_assert_int_eq(n_lines(old), lines);
	ck_assert_int_eq(daemon_stop(server), 0);
}
END_TEST

static void await_log(const char *line)
{
	double deadline = now_seconds() + WAIT_SECONDS;

	while (!strstr(daemon_log(server), line)) {
		ck_assert_double_lt(now_seconds(), deadline);
		(void)poll(NULL, 0, 5);
	}
}

static void age_experiment(const char *name, int64_t days)
{
	database_run(server, "UPDATE experiments SET updated_at = updated_at - %lld WHERE name = '%s';"
			     "UPDATE tasks SET finished_at = finished_at - %lld WHERE experiment_id ="
			     " (SELECT id FROM experiments WHERE name = '%s')",
		     (long long)(days * DAY_USEC), name, (long long)(days * DAY_USEC), name);
}

static void experiments_must_be(const char *names)
{
	json_object *items = list_all(wire, "ListExperiments", "'count':false");
	char *all = text("%s", "");

	for (size_t i = json_object_array_length(items); i-- > 0;)
		all = text("%s%s ", all, at_text(json_object_array_get_idx(items, i), "name"));
	ck_assert_str_eq(all, names);
	json_object_put(items);
}

/* Experiments that ended long ago go with what was recorded for them, and then their tasks; what runs,
 * what was changed since, and what is used by a task that runs stays. */
START_TEST(experiments)
{
	int64_t old, live, rated;

	begin("[daemon]\nshutdown_grace_seconds = 0\n[queue]\nexperiment_retention_days = 90\ntask_retention_days = 60\n");
	old = run("Old");
	(void)run("Young");
	(void)run("Touched");
	rated = run("Rated");
	for (int i = 0; i < 30; i++)
		json_object_put(experiment_run(wire, &(struct experiment) { .name = text("Small %d", i), .rows = 1 }));
	sim_control(sim, "{'latency_seconds':3600}");
	live = experiment_submit(wire, &(struct experiment) { .name = "Live", .rows = 2, .url = sim_url(sim) });
	(void)at_int(wire_call(wire, "RateExperiment", "%s", requoted(text(
			     "{'experiment':{'name':'Rated'},'criteria':['Is it?'],"
			     "'rating_llm_config':{'content':{'name':'slow','provider':'openai',"
			     "'llm_model_name':'m','llm_base_url':'%s'}},'detach':true}", sim_url(sim)))), "task.id");
	age_experiment("Old", 100);
	age_experiment("Young", 89);
	age_experiment("Touched", 100);
	database_run(server, "UPDATE experiments SET updated_at = updated_at + %lld WHERE name = 'Touched'",
		     (long long)(50 * DAY_USEC));
	database_run(server, "UPDATE experiments SET updated_at = 0 WHERE name IN ('Rated', 'Live')");
	age(rated, 100);
	for (int i = 0; i < 30; i++)
		age_experiment(text("Small %d", i), 91);
	daemon_signal(server, SIGHUP); // it says the same
	ck_assert_int_eq(daemon_stop(server), 0);
	daemon_restart(server);
	wire = daemon_connect(server);
	await_log("removed 31 experiments that ended more than 90 days ago");
	await_log("removed 31 tasks that ended more than 60 days ago");
	experiments_must_be("Young Touched Rated Live ");
	json_object_put(wire_refused(wire, "NotFound", "GetTask", "{'id':%lld}", (long long)old));
	ck_assert_str_eq(at_text(task_get(wire, live), "status"), "STARTED");
	while (database_int(server, "SELECT count(*) FROM responses WHERE run_id = (SELECT run_id FROM experiments"
				    " WHERE name = 'Old')") > 0)
		(void)poll(NULL, 0, 5);
	ck_assert_uint_eq(json_object_array_length(list_all(wire, "ListResponses",
			  "'experiment':{'name':'Rated'}")), 40);
	ck_assert_uint_eq(at_count(wire_call(wire, "CheckStorage", "{}"), "problems"), 0);
	json_object_put(wire_call(wire, "CancelTask", "{'id':%lld}", (long long)live));
	ck_assert_int_eq(daemon_stop(server), 0);
}
END_TEST

/* Calls are tasks without an experiment: what they asked and answered goes with them. No id comes again. */
START_TEST(calls)
{
	int64_t ids[3], last;

	begin("[queue]\ntask_retention_days = 10\n");
	for (int i = 0; i < 3; i++) {
		ids[i] = at_int(wire_call(wire, "Call", "{'messages':[{'role':'user','content':'hi'}]}"), "task.id");
		age(ids[i], 11);
	}
	ck_assert_int_eq(daemon_stop(server), 0);
	daemon_restart(server);
	wire = daemon_connect(server);
	/* The newest one stays. */
	await_log("removed 2 tasks that ended more than 10 days ago");
	ck_assert_int_eq(database_int(server, "SELECT count(*) FROM runs WHERE request IS NOT NULL"), 1);
	ck_assert_int_eq(database_int(server, "SELECT count(*) FROM task_events WHERE task_id <> %lld",
				      (long long)ids[2]), 0);
	last = at_int(wire_call(wire, "Call", "{'messages':[{'role':'user','content':'hi'}]}"), "task.id");
	ck_assert_int_gt(last, ids[2]);
	ck_assert_int_eq(daemon_stop(server), 0);
}
END_TEST

int main(void)
{
	return RUN_SUITE(on_demand, live_task, many_lines, retention, no_retention, experiments, calls);
}
