/*
 * What a kill must not undo: an accepted submission, a committed upload, running time; and what
 * it must not do for ever: a task that brings the daemon down each time.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/harness/suite.h"

static struct daemon *server;

/* ---- Submissions ---- */

#define CLIENTS 8
#define EACH 10
#define ROUNDS 6

static char *submission(int number)
{
	return experiment_request(&(struct experiment) {
		.name = text("E%d", number), .rows = 1, .n_criteria = 1,
		.more = text("'detach':true,'idempotency_key':'key %d'", number) });
}

/* Sends all, reads some of the answers, kills. What was answered is in `ids`. */
static void submit_and_kill(int first, int64_t *ids)
{
	struct wire *wires[CLIENTS];
	int n_answers = 1 + (int)(random() % (CLIENTS * EACH - 1));

	for (int client = 0; client < CLIENTS; client++) {
		wires[client] = daemon_connect(server);
		for (int i = 0; i < EACH; i++)
			wire_start(wires[client], "", "RunExperiment", "%s",
				   submission(first + client * EACH + i));
	}
	for (int n = 0; n < n_answers; n++) {
		/* One after another, a client's answers in its order. */
		json_object *reply = wire_next(wires[n % CLIENTS]);

		ids[(n % CLIENTS) * EACH + n / CLIENTS] = at_int(reply, "parameters.task.id");
		json_object_put(reply);
	}
	daemon_kill(server);
	for (int client = 0; client < CLIENTS; client++)
		wire_close(wires[client]);
}

START_TEST(accepted_is_durable)
{
	struct wire *wire;

	srandom(1);
	server = daemon_start(NULL);
	for (int round = 0; round < ROUNDS; round++) {
		int64_t ids[CLIENTS * EACH] = { 0 };
		int first = round * CLIENTS * EACH;

		submit_and_kill(first, ids);
		daemon_restart(server);
		wire = daemon_connect(server);
		/* The same keys again: what was accepted is the same task, the rest becomes one. */
		for (int i = 0; i < CLIENTS * EACH; i++) {
			json_object *reply = wire_call(wire, "RunExperiment", "%s", submission(first + i));

			if (ids[i])
				ck_assert_int_eq(at_int(reply, "task.id"), ids[i]);
			ids[i] = at_int(reply, "task.id");
			json_object_put(reply);
		}
		for (int i = 0; i < CLIENTS * EACH; i++)
			json_object_put(task_await_status(server, ids[i], "SUCCESS"));
		wire_close(wire);
	}
	wire = daemon_connect(server);
	ck_assert_uint_eq(json_object_array_length(list_all(wire, "ListTasks", "%s", "")),
			  ROUNDS * CLIENTS * EACH);
	ck_assert_int_eq(daemon_stop(server), 0);
}
END_TEST

/* ---- Uploads ---- */

START_TEST(commit_is_durable)
{
	struct wire *wire;
	json_object *reply;
	int64_t count = 0;

	server = daemon_start(NULL);
	wire_call(daemon_connect(server), "CreateCollection", "{'collection':{'name':'A'}}");
	for (int round = 0; round < 10; round++) {
		wire = daemon_connect(server);
		wire_call(wire, "AddTemplateVariables",
			  "{'collection':{'name':'A'},'variables':[{'a':1},{'a':2}],'upload_id':'u%d'}", round);
		/* In every other round the kill comes before the commit. */
		if (round % 2) {
			reply = wire_call(wire, "AddTemplateVariables",
					  "{'collection':{'name':'A'},'variables':[{'a':3}],'upload_id':'u%d',"
					  "'commit':true}", round);
			count += 3;
			ck_assert_int_eq(at_int(reply, "variables_count"), count);
		}
		daemon_kill(server);
		daemon_restart(server);
		reply = wire_call(daemon_connect(server), "GetCollection", "{'collection':{'name':'A'}}");
		ck_assert_int_eq(at_int(reply, "collection.variables_count"), count);
	}
	ck_assert_int_eq(daemon_stop(server), 0);
}
END_TEST

/* ---- Claims ---- */

/* A task that was claimed five times in a row without recording anything is not tried again. */
START_TEST(claimed_in_vain)
{
	struct sim *sim = sim_start((const char *[]) { "--hang_rate=1", NULL });
	json_object *task;
	int64_t id;

	server = daemon_start(NULL);
	id = experiment_submit(daemon_connect(server), &(struct experiment) {
		.rows = 5, .url = sim_url(sim), .max_connections = 1 });
	for (int claim = 1; claim <= 5; claim++) {
		sim_await(sim, "calls", claim);
		task = task_get(daemon_connect(server), id);
		ck_assert_str_eq(at_text(task, "status"), "STARTED");
		daemon_kill(server);
		daemon_restart(server);
	}
	task = task_await_status(server, id, "FAILURE");
	ck_assert_msg(at_has(task, "error.message"), "%s", json_object_to_json_string(task));
	ck_assert_int_eq(sim_stat(sim, "calls"), 5);
	ck_assert_int_eq(daemon_stop(server), 0);
}
END_TEST

#define TASKS 4
#define GUILTY 1

/* Waits until the task runs. False: it has ended. */
static bool await_started(int64_t id)
{
	struct wire *watch = daemon_connect(server);
	bool started = false, ended = false;

	wire_start(watch, "'more':true", "WatchTask", "{'id':%lld}", (long long)id);
	while (!started && !ended) {
		json_object *reply = wire_next(watch);

		started = at_is(reply, "parameters.event.status", "STARTED");
		ended = !started && !at_is(reply, "parameters.event.status", "PENDING");
		json_object_put(reply);
	}
	wire_close(watch);
	return started;
}

/* The daemon goes down as often as one of the tasks is started, whatever runs beside it: that one
 * ends, in the end, and the others go on. */
START_TEST(only_the_one_at_fault_ends)
{
	struct sim *sim = sim_start((const char *[]) { "--hang_rate=1", NULL });
	int64_t ids[TASKS];
	json_object *task;
	int deaths = 0;
	char *log;

	server = daemon_start(NULL);
	for (int i = 0; i < TASKS; i++)
		ids[i] = experiment_submit(daemon_connect(server), &(struct experiment) {
			.name = text("E%d", i), .rows = 2, .url = sim_url(sim), .max_connections = 1 });
	while (await_started(ids[GUILTY])) {
		daemon_kill(server);
		deaths++;
		ck_assert_int_le(deaths, 7); // two among others, five by itself
		daemon_restart(server);
	}
	ck_assert_int_eq(deaths, 7);
	task = task_await_status(server, ids[GUILTY], "FAILURE");
	log = task_logs(daemon_connect(server), ids[GUILTY]);
	ck_assert_msg(strstr(log, "tried by itself"), "%s", log);
	json_object_put(task);
	for (int i = 0; i < TASKS; i++)
		if (i != GUILTY)
			ck_assert(await_started(ids[i]));
	ck_assert_int_eq(daemon_stop(server), 0);
}
END_TEST

/* Running time is counted over restarts. */
START_TEST(time_limit_goes_on)
{
	struct sim *sim = sim_start((const char *[]) { "--hang_rate=1", NULL });
	struct wire *wire;
	json_object *task;
	double spent = 0;
	int64_t id;

	server = daemon_start(&(struct daemon_options) {
		.config = "[daemon]\nshutdown_grace_seconds = 0\n" });
	id = experiment_submit(daemon_connect(server), &(struct experiment) {
		.rows = 5, .url = sim_url(sim), .max_connections = 1,
		.more = "'time_limit_seconds':1.5" });
	for (int claim = 1; claim <= 2; claim++) {
		double start = now_seconds(), running = 0;

		sim_await(sim, "calls", claim);
		wire = daemon_connect(server);
		while (running < 0.5 * claim && now_seconds() - start < WAIT_SECONDS) {
			task = task_get(wire, id);
			ck_assert_str_eq(at_text(task, "status"), "STARTED");
			running = at_number(task, "running_seconds");
			/* An earlier claim's time counts from the first moment. */
			ck_assert_double_ge(running, spent);
			json_object_put(task);
		}
		spent = running;
		wire_close(wire);
		ck_assert_int_eq(daemon_stop(server), 0);
		daemon_restart(server);
	}
	task = task_await_status(server, id, "TIMEOUT");
	ck_assert_double_ge(at_number(task, "running_seconds"), 1.5);
	ck_assert_double_lt(at_number(task, "running_seconds"), SLOW_BUILD ? 6 : 2.5);
	ck_assert_int_eq(daemon_stop(server), 0);
}
END_TEST

/* ---- Faults of the endpoint and kills together ---- */

START_TEST(killed_among_faults)
{
	enum { ROWS = 120, CRITERIA = 2 };
	struct sim *sim = sim_start((const char *[]) {
		"--latency_seconds=0.005", "--error_500_rate=0.05", "--half_body_rate=0.03",
		"--reset_rate=0.03", "--content_filter_rate=0.05", "--bad_verdict_rate=0.1",
		"--wrong_json_rate=0.03", NULL });
	struct wire *wire;
	json_object *task, *responses;
	int64_t id, experiment_id, recorded = 0;
	size_t n_good = 0;

	srandom(2);
	server = daemon_start(NULL);
	wire = daemon_connect(server);
	id = experiment_submit(wire, &(struct experiment) {
		.rows = ROWS, .n_criteria = CRITERIA, .url = sim_url(sim), .max_connections = 8,
		.more = "'rating_mode':'detailed'" });
	experiment_id = at_int(task_get(wire, id), "experiment_id");
	for (int i = 0; i < 12; i++) {
		recorded = experiment_await_recorded(wire, id, experiment_id,
						     recorded + 1 + random() % 20);
		wire_close(wire);
		daemon_kill(server);
		daemon_restart(server);
		wire = daemon_connect(server);
	}
	task = task_await_status(server, id, "SUCCESS");
	responses = list_all(wire, "ListResponses", "'experiment':{'id':%lld}",
			     (long long)experiment_id);
	ck_assert_uint_eq(json_object_array_length(responses), ROWS);
	for (size_t i = 0; i < ROWS; i++) {
		bool failed = at_has(responses, text("%zu.error", i));

		n_good += !failed;
		ck_assert_uint_eq(at_count(responses, text("%zu.ratings", i)), failed ? 0 : CRITERIA);
	}
	ck_assert_int_eq(at_int(task, "result.results.responses"), ROWS);
	ck_assert_int_eq(at_int(task, "result.results.failed_responses"), (int64_t)(ROWS - n_good));
	ck_assert_int_eq(at_int(task, "result.results.ratings"), (int64_t)(CRITERIA * n_good));
	ck_assert_int_eq(at_int(task, "progress.responses_generated"), ROWS);
	ck_assert_double_eq_tol(at_number(task, "progress.percent_complete"), 100, 1e-9);
	ck_assert_int_eq(daemon_stop(server), 0);
}
END_TEST

int main(void)
{
	return RUN_SUITE(accepted_is_durable, commit_is_durable, claimed_in_vain,
			 only_the_one_at_fault_ends, time_limit_goes_on,
			 killed_among_faults);
}
