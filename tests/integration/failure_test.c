/*
 * FAILURE and TIMEOUT: what no retry mends ends a task at once and not at its end, what fails item
 * by item is counted, listed and logged, and time and patience run over restarts of the daemon.
 */
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "tests/harness/command.h"
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

static json_object *must_fail(const struct experiment *experiment, const char *code)
{
	json_object *task = experiment_run(wire, experiment);

	ck_assert_msg(at_is(task, "status", "FAILURE"), "%s", json_object_to_json_string(task));
	ck_assert_msg(at_is(task, "error.code", code), "%s", json_object_to_json_string(task));
	task_must_have_been(server, at_int(task, "id"), "PENDING STARTED FAILURE");
	ck_assert_str_eq(database_text(server, "SELECT json_extract(error, '$.code') FROM tasks"
					       " WHERE id = %lld", (long long)at_int(task, "id")), code);
	return task;
}

static void must_say(const char *out, const char *words)
{
	ck_assert_msg(strstr(out, words), "no '%s' in:\n%s", words, out);
}

/* Of 200 rows only those in flight were asked for. */
START_TEST(bad_key)
{
	json_object *task;

	begin(NULL, (const char *[]) { "--api_key=sk-right", NULL });
	task = must_fail(&(struct experiment) {
		.rows = 200, .url = sim_url(sim), .api_key = "sk-wrong", .max_connections = 4 },
		"BackendAuthentication");
	ck_assert_int_eq(at_int(task, "error.status"), 401);
	must_say(at_text(task, "error.message"), text("401 from %s/chat/completions: ", sim_url(sim)));
	ck_assert_int_le(sim_stat(sim, "calls"), 16);
	ck_assert_int_eq(sim_stat(sim, "answered"), 0);
	ck_assert_int_eq(experiment_recorded(wire, at_int(task, "experiment_id")), 0);
	task = must_fail(&(struct experiment) { .name = "keyless", .rows = 5, .url = sim_url(sim),
						.max_connections = 1 }, "BackendAuthentication");
	must_say(at_text(task, "error.message"), "(the config has no api_key)");
	ck_assert_int_eq(daemon_stop(server), 0);
}
END_TEST

START_TEST(unknown_model)
{
	json_object *task;

	begin(NULL, (const char *[]) { "--model=another", NULL });
	task = must_fail(&(struct experiment) {
		.rows = 200, .url = sim_url(sim), .max_connections = 4 }, "BackendRejected");
	ck_assert_int_eq(at_int(task, "error.status"), 404);
	ck_assert_int_le(sim_stat(sim, "calls"), 16);
	ck_assert_int_eq(experiment_recorded(wire, at_int(task, "experiment_id")), 0);
	must_say(at_text(task, "error.message"), text("404 from %s/chat/completions: ", sim_url(sim)));
	ck_assert_ptr_null(strstr(at_text(task, "error.message"), "most servers"));
	ck_assert_int_eq(daemon_stop(server), 0);
}
END_TEST

/* The base URL without its /v1: it says where nothing was, and nothing that may be a key. */
START_TEST(nothing_there)
{
	const char *message, *url;
	json_object *task;

	begin(NULL, NULL);
	url = text("%.*s", (int)(strlen(sim_url(sim)) - strlen("/v1")), sim_url(sim));
	task = must_fail(&(struct experiment) {
		.rows = 5, .url = text("%s?api-version=secret", url), .max_connections = 1 },
		"BackendRejected");
	message = at_text(task, "error.message");
	ck_assert_int_eq(at_int(task, "error.status"), 404);
	must_say(message, text("404 from %s/chat/completions: ", url));
	must_say(message, "/v1 at the end of llm_base_url");
	ck_assert_ptr_null(strstr(message, "secret"));
	ck_assert_int_eq(daemon_stop(server), 0);
}
END_TEST

/* The column is there, but one row has nothing in it, and the column no default. */
START_TEST(row_without_the_variable)
{
	json_object *task;

	begin(NULL, NULL);
	task = must_fail(&(struct experiment) {
		.url = sim_url(sim), .max_connections = 1,
		.more = "'collection':{'content':{'name':'C','variables':["
			"{'topic':'a'},{'subject':'b'},{'topic':'c'}]}}" }, "InvalidParameter");
	ck_assert_msg(strstr(at_text(task, "error.message"), "topic"), "%s",
		      json_object_to_json_string(task));
	ck_assert_int_le(sim_stat(sim, "calls"), 2);
	ck_assert_int_eq(daemon_stop(server), 0);
}
END_TEST

/* Ten items without reaching it are enough, of however many; none of them is recorded. */
START_TEST(unreachable)
{
	json_object *task;

	begin(NULL, NULL);
	task = must_fail(&(struct experiment) {
		.rows = 300, .url = "http://127.0.0.1:1/v1", .max_connections = 4,
		.config = "'max_retries':0" }, "BackendUnavailable");
	ck_assert_int_eq(experiment_recorded(wire, at_int(task, "experiment_id")), 0);
	ck_assert_int_eq(daemon_stop(server), 0);
}
END_TEST

START_TEST(every_item_failed)
{
	json_object *task;

	begin(NULL, (const char *[]) { "--content_filter_rate=1", NULL });
	task = must_fail(&(struct experiment) {
		.rows = 30, .n_criteria = 1, .url = sim_url(sim), .max_connections = 4 },
		"BackendRejected");
	ck_assert_msg(strstr(at_text(task, "error.message"), "all 30 responses failed"), "%s",
		      json_object_to_json_string(task));
	ck_assert_int_eq(at_int(task, "progress.failed"), 30);
	ck_assert_int_eq(at_int(task, "result.results.failed_responses"), 30);
	ck_assert(!at_has(task, "result.results.success_rate.value"));
	ck_assert_int_eq(at_int(task, "result.results.errors.0.count"), 30);
	ck_assert_str_eq(at_text(task, "result.results.errors.0.item"), "response");
	ck_assert_int_eq(database_int(server, "SELECT count(*) FROM responses WHERE error IS NOT NULL"),
			 30);
	/* No judge was asked about what there is not. */
	ck_assert_int_eq(sim_stat(sim, "calls"), 30);
	ck_assert_int_eq(daemon_stop(server), 0);
}
END_TEST

/* A judge that never gives a verdict says nothing of the model. */
START_TEST(every_rating_failed)
{
	json_object *task, *results;
	const char *out;

	begin(NULL, (const char *[]) { "--bad_verdict_rate=1", NULL });
	task = must_fail(&(struct experiment) {
		.rows = 30, .n_criteria = 1, .url = sim_url(sim), .max_connections = 4 },
		"BackendRejected");
	must_say(at_text(task, "error.message"), "all 30 ratings failed: the judge");
	results = at_json(wire_call(wire, "GetExperiment", "{'experiment':{'id':%lld}}",
				    (long long)at_int(task, "experiment_id")), "experiment.results");
	ck_assert(!at_has(results, "success_rate.value"));
	ck_assert(!at_has(results, "success_rate.low"));
	ck_assert(!at_has(results, "mean_all_ratings.yes"));
	ck_assert(!at_has(results, "criteria.0.yes.value"));
	ck_assert_int_eq(at_int(results, "success_rate.n_scored"), 0);
	ck_assert_int_eq(at_int(results, "undecided_responses"), 30);
	ck_assert_uint_eq(at_count(results, "errors"), 1);
	ck_assert_str_eq(at_text(results, "errors.0.item"), "rating");
	ck_assert_int_eq(at_int(results, "errors.0.count"), 30);
	ck_assert_str_eq(at_text(results, "errors.0.error.code"), "BackendRejected");
	out = COMMAND(server, 0, "experiment", "show",
		      text("%lld", (long long)at_int(task, "experiment_id")))->out;
	must_say(out, "all of them (success rate)");
	must_say(out, "30 responses are undecided");
	must_say(out, "30 ratings failed: the judge");
	ck_assert_ptr_null(strstr(out, "0.0 %"));
	ck_assert_int_eq(daemon_stop(server), 0);
}
END_TEST

START_TEST(some_ratings_failed)
{
	json_object *task, *results;
	int64_t undecided;

	begin(NULL, (const char *[]) { "--bad_verdict_rate=0.6", NULL });
	task = experiment_run(wire, &(struct experiment) {
		.rows = 60, .n_criteria = 1, .url = sim_url(sim), .max_connections = 4 });
	ck_assert_str_eq(at_text(task, "status"), "SUCCESS");
	results = at_json(task, "result.results");
	undecided = at_int(results, "undecided_responses");
	ck_assert_int_gt(undecided, 0);
	ck_assert_int_lt(undecided, 60);
	ck_assert_int_eq(at_int(results, "failed_ratings"), undecided);
	ck_assert_int_eq(at_int(results, "success_rate.n_scored"), 60 - undecided);
	ck_assert_int_eq(at_int(results, "errors.0.count"), undecided);
	ck_assert_int_eq(daemon_stop(server), 0);
}
END_TEST

/* What cannot be kept fails for itself: no error of one item ends the run, or leaves it as it is. */
START_TEST(items_that_do_not_fit)
{
	json_object *task;

	begin(NULL, NULL);
	database_run(server, "CREATE TRIGGER unfit_response BEFORE INSERT ON responses"
			     " WHEN NEW.error IS NULL AND NEW.template_variables_id IN (3, 5)"
			     " BEGIN SELECT RAISE(ABORT, 'unfit'); END");
	database_run(server, "CREATE TRIGGER unfit_rating BEFORE INSERT ON ratings WHEN NEW.error IS NULL"
			     " AND (SELECT template_variables_id FROM responses WHERE id = NEW.response_id) = 7"
			     " BEGIN SELECT RAISE(ABORT, 'unfit'); END");
	task = experiment_run(wire, &(struct experiment) {
		.rows = 10, .n_criteria = 2, .url = sim_url(sim), .max_connections = 4 });
	ck_assert_msg(at_is(task, "status", "SUCCESS"), "%s", json_object_to_json_string(task));
	ck_assert_int_eq(at_int(task, "result.results.responses"), 10);
	ck_assert_int_eq(at_int(task, "result.results.failed_responses"), 2);
	ck_assert_int_eq(at_int(task, "result.results.ratings"), 16);
	ck_assert_int_eq(at_int(task, "result.results.failed_ratings"), 2);
	ck_assert_int_eq(at_int(task, "result.results.undecided_responses"), 1);
	must_say(task_logs(wire, at_int(task, "id")), "Row 3, epoch 1: the answer could not be recorded");
	ck_assert_int_eq(daemon_stop(server), 0);
}
END_TEST

/* Some items fail: SUCCESS; each of them has its error, and a line in the log. */
START_TEST(some_items_failed)
{
	json_object *task, *responses, *lines;
	int64_t failed, logged = 0;

	begin(NULL, (const char *[]) { "--content_filter_rate=0.3", NULL });
	task = experiment_run(wire, &(struct experiment) {
		.rows = 60, .url = sim_url(sim), .max_connections = 4 });
	ck_assert_str_eq(at_text(task, "status"), "SUCCESS");
	ck_assert(!at_has(task, "error"));
	failed = database_int(server, "SELECT count(*) FROM responses WHERE error IS NOT NULL");
	ck_assert_int_gt(failed, 0);
	ck_assert_int_lt(failed, 60);
	ck_assert_int_eq(at_int(task, "progress.failed"), failed);
	ck_assert_int_eq(at_int(task, "result.results.failed_responses"), failed);
	responses = list_all(wire, "ListResponses", "'experiment':{'id':%lld},'failed':true",
			     (long long)at_int(task, "experiment_id"));
	ck_assert_int_eq((int64_t)json_object_array_length(responses), failed);
	for (int64_t i = 0; i < failed; i++)
		ck_assert_str_eq(at_text(responses, text("%lld.error.code", (long long)i)),
				 "BackendRejected");
	lines = list_all(wire, "ListTaskLogs", "'id':%lld", (long long)at_int(task, "id"));
	for (size_t i = 0; i < json_object_array_length(lines); i++)
		logged += strncmp(at_text(json_object_array_get_idx(lines, i), "line"), "Row ", 4) == 0;
	ck_assert_int_eq(logged, failed);
	task_must_have_been(server, at_int(task, "id"), "PENDING STARTED SUCCESS");
	ck_assert_int_eq(daemon_stop(server), 0);
}
END_TEST

/* ---- Over restarts ---- */

/* Waits until the task has run for so long. */
static void await_running(int64_t id, double seconds)
{
	double deadline = now_seconds() + WAIT_SECONDS;

	while (at_number(task_get(wire, id), "running_seconds") < seconds) {
		ck_assert_double_lt(now_seconds(), deadline);
		(void)poll(NULL, 0, 20);
	}
}

static int64_t running_usec(int64_t id)
{
	return database_int(server, "SELECT running_usec FROM tasks WHERE id = %lld", (long long)id);
}

/* The end came when both lives together had lasted for the limit. */
static void must_time_out(int64_t id, int64_t before_usec, int64_t limit_usec, const char *history)
{
	json_object *task = task_await_status(server, id, "TIMEOUT");

	ck_assert_str_eq(at_text(task, "error.code"), "Timeout");
	ck_assert_int_ge(running_usec(id), limit_usec);
	ck_assert_int_lt(running_usec(id) - before_usec, limit_usec);
	task_must_have_been(server, id, history);
	ck_assert_int_eq(daemon_stop(server), 0);
}

START_TEST(time_limit_over_a_stop)
{
	int64_t id, before;

	begin("[daemon]\nshutdown_grace_seconds = 0\n", (const char *[]) { "--hang_rate=1", NULL });
	id = experiment_submit(wire, &(struct experiment) {
		.rows = 5, .url = sim_url(sim), .more = "'time_limit_seconds':4" });
	await_running(id, 2);
	ck_assert_int_eq(daemon_stop(server), 0);
	before = running_usec(id);
	ck_assert_int_ge(before, 2000000);
	daemon_restart(server);
	must_time_out(id, before, 4000000, "PENDING STARTED PENDING STARTED TIMEOUT");
}
END_TEST

/* A kill leaves what the last recording proves. */
START_TEST(time_limit_over_a_kill)
{
	int64_t id, before;

	begin(NULL, (const char *[]) { "--latency_seconds=0.02", NULL });
	id = experiment_submit(wire, &(struct experiment) {
		.rows = 900, .url = sim_url(sim), .max_connections = 1,
		.more = "'time_limit_seconds':4" });
	await_running(id, 2);
	daemon_kill(server);
	daemon_restart(server);
	before = running_usec(id);
	ck_assert_int_gt(before, 0);
	must_time_out(id, before, 4000000, "PENDING STARTED PENDING STARTED TIMEOUT");
}
END_TEST

/* A task that keeps taking the daemon down is not taken up for ever. Those beside it that record
 * something are. */
START_TEST(keeps_taking_the_daemon_down)
{
	json_object *task;
	int64_t id;

	begin(NULL, (const char *[]) { "--hang_rate=1", NULL });
	id = experiment_submit(wire, &(struct experiment) {
		.rows = 5, .url = sim_url(sim), .max_connections = 1 });
	for (int life = 1; life <= 5; life++) {
		sim_await(sim, "calls", life);
		daemon_kill(server);
		daemon_restart(server);
	}
	task = task_await_status(server, id, "FAILURE");
	ck_assert_str_eq(at_text(task, "error.code"), "Internal");
	ck_assert_msg(strstr(at_text(task, "error.message"), "5 times in a row"), "%s",
		      json_object_to_json_string(task));
	task_must_have_been(server, id, "PENDING STARTED PENDING STARTED PENDING STARTED PENDING STARTED"
					" PENDING STARTED PENDING FAILURE");
	ck_assert_int_eq(sim_stat(sim, "calls"), 5);
	ck_assert_int_eq(daemon_stop(server), 0);
}
END_TEST

int main(void)
{
	return RUN_SUITE(bad_key, unknown_model, nothing_there, row_without_the_variable, unreachable,
			 every_item_failed, every_rating_failed, some_ratings_failed,
			 items_that_do_not_fit, some_items_failed, time_limit_over_a_stop,
			 time_limit_over_a_kill, keeps_taking_the_daemon_down);
}
