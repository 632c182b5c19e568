/*
 * RetryTask: going on after a task that ended, from each end there is; what it inherits, when it
 * is refused, and that nothing recorded is asked for again.
 */
#include <stdlib.h>
#include <string.h>

#include "tests/harness/suite.h"

static struct daemon *server;
static struct sim *sim;
static struct wire *wire;

static void begin(const char *config, const char *const *settings)
{
	server = daemon_start(&(struct daemon_options) { .config = config });
	sim = sim_start(settings);
	wire = daemon_connect(server);
}

static int64_t cancelled_task(const struct experiment *experiment)
{
	int64_t id = experiment_submit(wire, experiment);

	json_object_put(wire_call(wire, "CancelTask", "{'id':%lld}", (long long)id));
	experiment_await_workers_free(wire);
	return id;
}

static void must_conflict(int64_t id, const char *type, const char *reason)
{
	json_object *reply = wire_refused(wire, "Conflict", "RetryTask", "{'id':%lld}", (long long)id);

	ck_assert_str_eq(at_text(reply, "parameters.resource_type"), type);
	ck_assert_msg(strstr(at_text(reply, "parameters.reason"), reason), "%s",
		      json_object_to_json_string(reply));
}

/* Revoked in the middle: the new task inherits all, and asks for the rest. */
START_TEST(after_a_cancel)
{
	int64_t id, recorded;
	json_object *task;

	begin(NULL, (const char *[]) { "--latency_seconds=0.02", NULL });
	id = experiment_submit(wire, &(struct experiment) {
		.rows = 60, .n_criteria = 1, .url = sim_url(sim), .max_connections = 4,
		.config = "'price_input':'1','price_output':'1'",
		.more = "'priority':'batch','time_limit_seconds':1234.5,'cost_limit':'7.25'" });
	task = task_get(wire, id);
	experiment_await_recorded(wire, id, at_int(task, "experiment_id"), 20);
	json_object_put(wire_call(wire, "CancelTask", "{'id':%lld}", (long long)id));
	/* REVOKED is answered while what came in with the cancel is still being recorded. */
	experiment_await_workers_free(wire);
	recorded = experiment_recorded(wire, at_int(task, "experiment_id"));
	ck_assert_int_lt(recorded, 120);
	sim_reset(sim);
	task = at_json(wire_call(wire, "RetryTask", "{'id':%lld}", (long long)id), "task");
	ck_assert_str_eq(at_text(task, "status"), "SUCCESS");
	ck_assert_int_eq(at_int(task, "retry_of"), id);
	ck_assert_str_eq(at_text(task, "kind"), "experiment");
	ck_assert_str_eq(at_text(task, "priority"), "batch");
	ck_assert_str_eq(at_text(task, "cost_limit"), "7.25");
	ck_assert_double_eq_tol(at_number(task, "time_limit_seconds"), 1234.5, 1e-6);
	ck_assert_int_eq(sim_stat(sim, "answered"), 120 - recorded);
	task_must_have_been(server, id, "PENDING STARTED REVOKED");
	task_must_have_been(server, at_int(task, "id"), "PENDING STARTED SUCCESS");
	ck_assert_int_eq(database_int(server, "SELECT count(*) FROM responses"), 60);
	ck_assert_int_eq(daemon_stop(server), 0);
}
END_TEST

/* What is given counts; what would not mend may have been mended since. */
START_TEST(after_a_failure)
{
	json_object *task;

	begin(NULL, (const char *[]) { "--api_key=sk-right", NULL });
	task = experiment_run(wire, &(struct experiment) {
		.rows = 6, .n_criteria = 1, .url = sim_url(sim), .api_key = "sk-wrong",
		.config = "'price_input':'1','price_output':'1'" });
	ck_assert_str_eq(at_text(task, "status"), "FAILURE");
	ck_assert_str_eq(at_text(task, "error.code"), "BackendAuthentication");
	sim_control(sim, "{'api_key':'sk-wrong'}");
	task = at_json(wire_call(wire, "RetryTask", "{'id':%lld,'priority':'interactive',"
				 "'time_limit_seconds':60,'cost_limit':'1'}",
				 (long long)at_int(task, "id")), "task");
	ck_assert_str_eq(at_text(task, "status"), "SUCCESS");
	ck_assert_str_eq(at_text(task, "priority"), "interactive");
	ck_assert_str_eq(at_text(task, "cost_limit"), "1");
	ck_assert_double_eq_tol(at_number(task, "time_limit_seconds"), 60, 1e-6);
	ck_assert_int_eq(sim_stat(sim, "answered"), 12);
	must_conflict(at_int(task, "id"), "task", "RetryFailed");
	ck_assert_int_eq(daemon_stop(server), 0);
}
END_TEST

/* As a stream, after a time limit; a second retry of the same task finds nothing missing. */
START_TEST(after_a_timeout)
{
	bool continues = true;
	json_object *task, *reply = NULL;

	begin(NULL, (const char *[]) { "--hang_rate=1", NULL });
	task = experiment_run(wire, &(struct experiment) {
		.rows = 5, .url = sim_url(sim), .more = "'time_limit_seconds':0.3" });
	ck_assert_str_eq(at_text(task, "status"), "TIMEOUT");
	sim_control(sim, "{'hang_rate':0}");
	wire_start(wire, "'more':true", "RetryTask", "{'id':%lld,'time_limit_seconds':3600}",
		   (long long)at_int(task, "id"));
	while (continues) {
		reply = wire_next(wire);
		ck_assert_msg(at_has(reply, "parameters.event"), "%s",
			      json_object_to_json_string(reply));
		continues = at_has(reply, "continues");
	}
	ck_assert_str_eq(at_text(reply, "parameters.event.status"), "SUCCESS");
	ck_assert_int_eq(sim_stat(sim, "answered"), 5);
	reply = wire_call(wire, "RetryTask", "{'id':%lld,'time_limit_seconds':3600}",
			  (long long)at_int(task, "id"));
	ck_assert_str_eq(at_text(reply, "task.status"), "SUCCESS");
	ck_assert_int_eq(sim_stat(sim, "answered"), 5);
	ck_assert_int_eq(daemon_stop(server), 0);
}
END_TEST

START_TEST(refused)
{
	int64_t id, live;
	json_object *task;

	begin(NULL, (const char *[]) { "--hang_rate=1", NULL });
	id = experiment_submit(wire, &(struct experiment) { .rows = 5, .url = sim_url(sim) });
	must_conflict(id, "task", "STARTED");
	json_object_put(wire_call(wire, "CancelTask", "{'id':%lld}", (long long)id));
	/* Another task of the experiment lives. */
	task = at_json(wire_call(wire, "RunExperiment", "{'experiment':{'name':'Experiment'},"
				 "'detach':true}"), "task");
	live = at_int(task, "id");
	must_conflict(id, "experiment", text("task %lld is STARTED", (long long)live));
	/* There is nothing to go on with. */
	task = experiment_run(wire, &(struct experiment) {
		.name = "Empty", .more = "'collection':{'content':{'name':'empty'}}" });
	ck_assert_str_eq(at_text(task, "status"), "REJECTED");
	must_conflict(at_int(task, "id"), "task", "submit it again");
	json_object_put(wire_refused(wire, "NotFound", "RetryTask", "{'id':999}"));
	ck_assert_int_eq(database_int(server, "SELECT count(*) FROM tasks"), 3);
	json_object_put(wire_call(wire, "CancelTask", "{'id':%lld}", (long long)live));
	ck_assert_int_eq(daemon_stop(server), 0);
}
END_TEST

/* It is admitted like any submission; rejected, it can be retried itself. */
START_TEST(full_queue)
{
	struct experiment experiment = { .name = "Old", .rows = 5 };
	json_object *reply;
	int64_t old, first, waiting, rejected;

	begin("[queue]\nmax_running = 1\nmax_pending = 1\n", (const char *[]) { "--hang_rate=1", NULL });
	experiment.url = sim_url(sim);
	old = cancelled_task(&experiment);
	experiment.name = "Running";
	first = experiment_submit(wire, &experiment);
	experiment.name = "Waiting";
	waiting = experiment_submit(wire, &experiment);
	reply = wire_call(wire, "RetryTask", "{'id':%lld}", (long long)old);
	ck_assert_str_eq(at_text(reply, "task.status"), "REJECTED");
	ck_assert_str_eq(at_text(reply, "task.error.code"), "QueueFull");
	ck_assert_int_eq(at_int(reply, "task.retry_of"), old);
	ck_assert(at_has(reply, "task.experiment_id"));
	rejected = at_int(reply, "task.id");
	task_must_have_been(server, rejected, "REJECTED");
	sim_control(sim, "{'hang_rate':0}");
	json_object_put(wire_call(wire, "CancelTask", "{'id':%lld}", (long long)first));
	json_object_put(task_await_status(server, waiting, "SUCCESS"));
	reply = wire_call(wire, "RetryTask", "{'id':%lld}", (long long)rejected);
	ck_assert_str_eq(at_text(reply, "task.status"), "SUCCESS");
	ck_assert_int_eq(at_int(reply, "task.retry_of"), rejected);
	ck_assert_int_eq(daemon_stop(server), 0);
}
END_TEST

/* The same key brings the same task: while it waits, runs, after its end, after a restart. */
START_TEST(idempotency)
{
	struct experiment experiment = { .name = "Old", .rows = 5 };
	const char *again;
	int64_t old, busy, id;

	begin("[queue]\nmax_running = 1\n", (const char *[]) { "--hang_rate=1", NULL });
	experiment.url = sim_url(sim);
	old = cancelled_task(&experiment);
	experiment.name = "Busy";
	busy = experiment_submit(wire, &experiment);
	again = text("{\"id\":%lld,\"idempotency_key\":\"k\",\"detach\":true}", (long long)old);
	id = at_int(wire_call(wire, "RetryTask", "%s", again), "task.id");
	for (const char *const *state = (const char *[]) { "PENDING", "STARTED", "REVOKED", NULL };
	     *state; state++) {
		json_object *reply = wire_call(wire, "RetryTask", "%s", again);

		ck_assert_int_eq(at_int(reply, "task.id"), id);
		ck_assert_str_eq(at_text(reply, "task.status"), *state);
		json_object_put(wire_call(wire, "CancelTask", "{'id':%lld}",
					  (long long)(strcmp(*state, "PENDING") == 0 ? busy : id)));
		if (strcmp(*state, "PENDING") == 0)
			sim_await(sim, "in_flight", 1);
		while (strcmp(*state, "PENDING") == 0 &&
		       !at_is(task_get(wire, id), "status", "STARTED"))
			;
	}
	ck_assert_int_eq(daemon_stop(server), 0);
	daemon_restart(server);
	wire = daemon_connect(server);
	ck_assert_int_eq(at_int(wire_call(wire, "RetryTask", "%s", again), "task.id"), id);
	/* Another request under the key, of this method or of another. */
	json_object_put(wire_refused(wire, "Conflict", "RetryTask",
				     "{'id':%lld,'idempotency_key':'k','priority':'batch'}",
				     (long long)old));
	json_object_put(wire_refused(wire, "Conflict", "RunExperiment",
				     "{'experiment':{'name':'Old'},'idempotency_key':'k'}"));
	ck_assert_int_eq(database_int(server, "SELECT count(*) FROM tasks"), 3);
	ck_assert_int_eq(daemon_stop(server), 0);
}
END_TEST

/* A retry that goes with the client who asked for it. */
START_TEST(cancel_on_disconnect)
{
	struct wire *leaver;
	int64_t old, id;

	begin(NULL, (const char *[]) { "--hang_rate=1", NULL });
	old = cancelled_task(&(struct experiment) { .rows = 5, .url = sim_url(sim) });
	sim_reset(sim);
	leaver = daemon_connect(server);
	wire_start(leaver, "'more':true", "RetryTask", "{'id':%lld,'cancel_on_disconnect':true}",
		   (long long)old);
	id = at_int(wire_next(leaver), "parameters.event.task_id");
	sim_await(sim, "in_flight", 5);
	wire_close(leaver);
	json_object_put(task_await_status(server, id, "REVOKED"));
	sim_await(sim, "closed_early", 5);
	ck_assert_int_eq(daemon_stop(server), 0);
}
END_TEST

int main(void)
{
	return RUN_SUITE(after_a_cancel, after_a_failure, after_a_timeout, refused, full_queue,
			 idempotency, cancel_on_disconnect);
}
