/*
 * REJECTED: what the state of the daemon shows wrong about a submission. Each is stored as a task
 * with its error, leaves nothing else, and the endpoint never hears of it.
 */
#include <stdlib.h>
#include <string.h>

#include "tests/harness/suite.h"

static struct daemon *server;
static struct sim *sim;
static struct wire *wire;

static void begin(const char *config)
{
	server = daemon_start(&(struct daemon_options) { .config = config });
	sim = sim_start((const char *[]) { "--hang_rate=1", NULL });
	wire = daemon_connect(server);
}

static void must_be_rejected(const struct experiment *experiment, const char *code,
			     const char *field)
{
	json_object *task = experiment_run(wire, experiment);

	ck_assert_msg(at_is(task, "status", "REJECTED"), "%s", json_object_to_json_string(task));
	ck_assert_str_eq(at_text(task, "error.code"), code);
	if (field)
		ck_assert_str_eq(at_text(task, "error.field"), field);
	ck_assert(!at_has(task, "started_at"));
	ck_assert(at_has(task, "finished_at"));
	ck_assert(!at_has(task, "experiment_id"));
	task_must_have_been(server, at_int(task, "id"), "REJECTED");
}

static const char *rows_of(const char *rows)
{
	return text("'collection':{'content':{'name':'C','variables':[%s]}}", rows);
}

START_TEST(states_that_cannot_work)
{
	begin(NULL);
	must_be_rejected(&(struct experiment) { .more = rows_of("") }, "InvalidParameter", "collection");
	must_be_rejected(&(struct experiment) { .more = rows_of("{'subject':'x'}") },
			 "InvalidParameter", "prompt_template");
	must_be_rejected(&(struct experiment) {
		.more = text("%s,'criteria':['Is it {{other}}?']", rows_of("{'topic':'x'}")) },
		"InvalidParameter", "criteria[0]");
	must_be_rejected(&(struct experiment) {
		.rows = 3, .url = sim_url(sim), .config = "'api_key_ref':'env:ELLU_TEST_NO_SUCH_KEY'" },
		"InvalidParameter", "llm_config.api_key_ref");
	must_be_rejected(&(struct experiment) {
		.rows = 3, .url = sim_url(sim), .config = "'api_key_ref':'file:/no/such/key'" },
		"InvalidParameter", "llm_config.api_key_ref");
	/* Nothing of them is left but the tasks. */
	ck_assert_int_eq(database_int(server, "SELECT count(*) FROM tasks"), 5);
	ck_assert_int_eq(database_int(server, "SELECT count(*) FROM experiments"), 0);
	ck_assert_int_eq(database_int(server, "SELECT count(*) FROM collections"), 0);
	ck_assert_int_eq(database_int(server, "SELECT count(*) FROM llm_configs"), 1);
	ck_assert_int_eq(sim_stat(sim, "calls"), 0);
	/* The same works once its state does. */
	sim_control(sim, "{'hang_rate':0}");
	ck_assert_str_eq(at_text(experiment_run(wire, &(struct experiment) {
		.rows = 3, .url = sim_url(sim) }), "status"), "SUCCESS");
	ck_assert_int_eq(daemon_stop(server), 0);
}
END_TEST

/* The key of a rejected submission answers for it, although the same would work by now. */
START_TEST(idempotency)
{
	const char *key = dir_path(dir_new(), "key");
	struct experiment experiment = { .rows = 3, .config = text("'api_key_ref':'file:%s'", key),
					 .more = "'idempotency_key':'k'" };
	json_object *task;
	int64_t id;

	begin(NULL);
	experiment.url = sim_url(sim);
	id = experiment_submit(wire, &experiment);
	file_write(key, "sk-there-now");
	task = experiment_run(wire, &experiment);
	ck_assert_int_eq(at_int(task, "id"), id);
	ck_assert_str_eq(at_text(task, "status"), "REJECTED");
	ck_assert_int_eq(daemon_stop(server), 0);
	daemon_restart(server);
	wire = daemon_connect(server);
	ck_assert_int_eq(at_int(experiment_run(wire, &experiment), "id"), id);
	experiment.name = "Other";
	json_object_put(wire_refused(wire, "Conflict", "RunExperiment", "%s",
				     experiment_request(&experiment)));
	ck_assert_int_eq(database_int(server, "SELECT count(*) FROM tasks"), 1);
	ck_assert_int_eq(daemon_stop(server), 0);
}
END_TEST

/* Until as many wait as may; then there is room again when one of them goes. */
static void fill(const char *config, int n_taken)
{
	int64_t ids[8];
	json_object *task;

	begin(config);
	for (int i = 0; i < n_taken; i++)
		ids[i] = experiment_submit(wire, &(struct experiment) {
			.name = text("E%d", i), .rows = 5, .url = sim_url(sim), .max_connections = 1 });
	must_be_rejected(&(struct experiment) { .name = "one more", .rows = 5, .url = sim_url(sim) },
			 "QueueFull", NULL);
	/* Interactive ones need no slot, but a place. */
	must_be_rejected(&(struct experiment) {
		.name = "one more", .rows = 5, .url = sim_url(sim), .more = "'priority':'interactive'" },
		"QueueFull", NULL);
	json_object_put(wire_call(wire, "CancelTask", "{'id':%lld}", (long long)ids[n_taken - 1]));
	ids[n_taken - 1] = experiment_submit(wire, &(struct experiment) {
		.name = "one more", .rows = 5, .url = sim_url(sim), .max_connections = 1 });
	task = task_get(wire, ids[n_taken - 1]);
	ck_assert_str_eq(at_text(task, "status"), "PENDING");
	ck_assert_int_eq(database_int(server, "SELECT count(*) FROM tasks WHERE status = 'STARTED'"), 1);
	sim_control(sim, "{'hang_rate':0}");
	json_object_put(wire_call(wire, "CancelTask", "{'id':%lld}", (long long)ids[0]));
	for (int i = 1; i < n_taken; i++)
		json_object_put(task_await_status(server, ids[i], "SUCCESS"));
	ck_assert_int_eq(daemon_stop(server), 0);
}

START_TEST(queue_full_for_the_user)
{
	fill("[queue]\nmax_running = 1\nmax_pending_per_user = 3\n", 4);
}
END_TEST

START_TEST(queue_full_in_all)
{
	fill("[queue]\nmax_running = 1\nmax_pending = 2\n", 3);
}
END_TEST

/* It said nothing of the request, so the key is free for another try. */
START_TEST(key_after_a_full_queue)
{
	struct experiment experiment = { .name = "keyed", .rows = 5,
					 .more = "'idempotency_key':'k'" };
	int64_t running[2], rejected, id;
	json_object *task;

	begin("[queue]\nmax_running = 1\nmax_pending_per_user = 1\n");
	experiment.url = sim_url(sim);
	for (int i = 0; i < 2; i++)
		running[i] = experiment_submit(wire, &(struct experiment) {
			.name = text("E%d", i), .rows = 5, .url = sim_url(sim), .max_connections = 1 });
	task = experiment_run(wire, &experiment);
	ck_assert_str_eq(at_text(task, "error.code"), "QueueFull");
	rejected = at_int(task, "id");
	for (int i = 0; i < 2; i++)
		json_object_put(wire_call(wire, "CancelTask", "{'id':%lld}", (long long)running[i]));
	experiment_await_workers_free(wire);
	sim_control(sim, "{'hang_rate':0}");
	task = experiment_run(wire, &experiment);
	ck_assert_msg(at_is(task, "status", "SUCCESS"), "%s", json_object_to_json_string(task));
	id = at_int(task, "id");
	ck_assert_int_ne(id, rejected);
	/* From now on it answers for that. */
	ck_assert_int_eq(at_int(experiment_run(wire, &experiment), "id"), id);
	task = at_json(wire_call(wire, "RetryTask", "{'id':%lld,'idempotency_key':'retried'}",
				 (long long)running[0]), "task");
	ck_assert_str_eq(at_text(task, "status"), "SUCCESS");
	ck_assert_int_eq(daemon_stop(server), 0);
}
END_TEST

/* A client that goes on and on does not fill the disk. */
START_TEST(too_many)
{
	json_object *reply;
	double wait;

	begin(NULL);
	for (int i = 0; i < 100; i++)
		ck_assert_str_eq(at_text(experiment_run(wire, &(struct experiment) {
			.more = rows_of("") }), "status"), "REJECTED");
	reply = wire_refused(wire, "TooManyRequests", "RunExperiment", "%s",
			     experiment_request(&(struct experiment) { .more = rows_of("") }));
	wait = at_number(reply, "parameters.retry_after_seconds");
	ck_assert_double_gt(wait, 0);
	ck_assert_double_le(wait, 60);
	/* Whatever it is. */
	json_object_put(wire_refused(wire, "TooManyRequests", "RunExperiment", "%s",
				     experiment_request(&(struct experiment) { .rows = 1 })));
	ck_assert_int_eq(database_int(server, "SELECT count(*) FROM tasks"), 100);
	ck_assert_int_eq(database_int(server, "SELECT count(*) FROM experiments"), 0);
	ck_assert_int_eq(daemon_stop(server), 0);
}
END_TEST

int main(void)
{
	return RUN_SUITE(states_that_cannot_work, idempotency, key_after_a_full_queue,
			 queue_full_for_the_user, queue_full_in_all, too_many);
}
