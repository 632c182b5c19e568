/*
 * Running what is there already: an experiment by its name, again, with the same key, changed,
 * and with faults on the way.
 */
#include <stdlib.h>
#include <string.h>

#include "tests/harness/suite.h"

static const char *const hanging[] = { "--hang_rate=1", NULL };

/* Cancelled in the middle, run again: only what is missing is asked for. */
START_TEST(run_again)
{
	struct daemon *daemon = daemon_start(NULL);
	struct sim *sim = sim_start((const char *[]) { "--latency_seconds=0.02", NULL });
	struct wire *wire = daemon_connect(daemon);
	struct experiment experiment = { .rows = 60, .n_criteria = 1, .url = sim_url(sim),
					 .max_connections = 4 };
	int64_t id = experiment_submit(wire, &experiment);
	int64_t experiment_id = at_int(task_get(wire, id), "experiment_id");
	json_object *reply, *task;
	int64_t recorded;

	experiment_await_recorded(wire, id, experiment_id, 20);
	reply = wire_call(wire, "CancelTask", "{'id':%lld}", (long long)id);
	ck_assert_str_eq(at_text(reply, "task.status"), "REVOKED");
	/* It is answered while what came in with the cancel is still being recorded. */
	experiment_await_workers_free(wire);
	recorded = experiment_recorded(wire, experiment_id);
	ck_assert_int_lt(recorded, 120);
	sim_reset(sim);
	reply = wire_call(wire, "RunExperiment", "{'experiment':{'id':%lld}}",
			  (long long)experiment_id);
	task = at_json(reply, "task");
	ck_assert_str_eq(at_text(task, "status"), "SUCCESS");
	ck_assert_int_eq(at_int(task, "retry_of"), id);
	ck_assert_int_eq(experiment_recorded(wire, experiment_id), 120);
	ck_assert_int_eq(sim_stat(sim, "answered"), 120 - recorded);
	/* Finished: nothing is missing, nothing is asked for. */
	sim_reset(sim);
	reply = wire_call(wire, "RunExperiment", "{'experiment':{'name':'Experiment'}}");
	ck_assert_str_eq(at_text(reply, "task.status"), "SUCCESS");
	ck_assert_int_eq(sim_stat(sim, "calls"), 0);
	ck_assert_int_eq(daemon_stop(daemon), 0);
}
END_TEST

START_TEST(existing_name)
{
	struct daemon *daemon = daemon_start(NULL);
	struct sim *sim = sim_start(NULL);
	struct wire *wire = daemon_connect(daemon);
	struct experiment experiment = { .rows = 5, .n_criteria = 1, .url = sim_url(sim) };
	json_object *task = experiment_run(wire, &experiment);
	int64_t first = at_int(task, "experiment_id");
	char *request = experiment_request(&experiment);
	json_object *reply;

	ck_assert_str_eq(at_text(task, "status"), "SUCCESS");
	reply = wire_refused(wire, "Conflict", "RunExperiment", "%s", request);
	ck_assert_str_eq(at_text(reply, "parameters.resource_type"), "experiment");
	ck_assert_str_eq(at_text(reply, "parameters.resource_name"), "Experiment");
	ck_assert_int_eq(at_int(reply, "parameters.resource_id"), first);

	/* With update_existing the finished one is answered as it is. */
	sim_reset(sim);
	experiment.more = "'update_existing':true";
	task = experiment_run(wire, &experiment);
	ck_assert_str_eq(at_text(task, "status"), "SUCCESS");
	ck_assert_int_eq(at_int(task, "experiment_id"), first);
	ck_assert_int_eq(sim_stat(sim, "calls"), 0);

	/* Other content is an experiment of its own. */
	experiment.more = "'update_existing':true";
	experiment.rows = 6;
	task = experiment_run(wire, &experiment);
	ck_assert_msg(at_is(task, "status", "SUCCESS"), "%s", json_object_to_json_string(task));
	ck_assert_int_ne(at_int(task, "experiment_id"), first);
	reply = wire_call(wire, "GetExperiment", "{'experiment':{'id':%lld}}",
			  (long long)at_int(task, "experiment_id"));
	ck_assert_str_eq(at_text(reply, "experiment.name"), "Experiment #2");

	/* And one that is wanted afresh is a new one in any case. */
	experiment.more = "'update_existing':true,'run_afresh':true";
	task = experiment_run(wire, &experiment);
	reply = wire_call(wire, "GetExperiment", "{'experiment':{'id':%lld}}",
			  (long long)at_int(task, "experiment_id"));
	ck_assert_str_eq(at_text(reply, "experiment.name"), "Experiment #3");
	ck_assert_int_eq(daemon_stop(daemon), 0);
}
END_TEST

/* Another server is another experiment, even under the same config's name; and so is another
 * config, even if it says the same. Going back finds what was there. */
START_TEST(another_endpoint)
{
	struct daemon *daemon = daemon_start(NULL);
	struct sim *first = sim_start(NULL), *second = sim_start(NULL);
	struct wire *wire = daemon_connect(daemon);
	struct experiment experiment = { .rows = 5, .n_criteria = 1, .url = sim_url(first),
					 .more = "'update_existing':true" };
	json_object *task = experiment_run(wire, &experiment);
	int64_t id = at_int(task, "experiment_id");

	experiment.url = sim_url(second);
	task = experiment_run(wire, &experiment);
	ck_assert_str_eq(at_text(task, "status"), "SUCCESS");
	ck_assert_int_ne(at_int(task, "experiment_id"), id);
	ck_assert_int_eq(sim_stat(second, "calls"), 10);

	sim_reset(first);
	experiment.url = sim_url(first);
	task = experiment_run(wire, &experiment);
	ck_assert_int_eq(at_int(task, "experiment_id"), id);
	ck_assert_int_eq(sim_stat(first, "calls"), 0);

	experiment.url = NULL;
	experiment.more = text("'update_existing':true,'llm_config':{'content':{'name':'Other',"
			       "'provider':'openai','llm_model_name':'m','llm_base_url':'%s'}}",
			       sim_url(first));
	task = experiment_run(wire, &experiment);
	ck_assert_int_ne(at_int(task, "experiment_id"), id);
	ck_assert_int_eq(sim_stat(first, "calls"), 10);
	ck_assert_int_eq(daemon_stop(daemon), 0);
}
END_TEST

static void update_config(struct wire *wire, const char *url, const char *more)
{
	wire_call(wire, "UpdateLLMConfig", "{'llm_config':{'name':'Experiment config'},'content':{'name':"
		  "'Experiment config','provider':'openai','llm_model_name':'another','temperature':0.9,"
		  "'llm_base_url':'%s'%s}}", url, requoted(more));
}

/* The only answer of that epoch costs so much a token. */
static void ck_priced(struct wire *wire, int epoch, double dollars_a_million)
{
	json_object *items = list_all(wire, "ListResponses", "'experiment':{'name':'Experiment'},'epoch':%d",
				      epoch);
	double tokens = (double)(at_int(items, "0.input_tokens") + at_int(items, "0.output_tokens"));

	ck_assert_double_gt(tokens, 0);
	ck_assert_double_eq_tol(strtod(at_text(items, "0.cost"), NULL), tokens * dollars_a_million / 1e6, 1e-9);
}

/* How answers are fetched, and what they cost, can be mended on the way; what they are was pinned. */
START_TEST(mended_config)
{
	struct daemon *daemon = daemon_start(NULL);
	struct sim *sim = sim_start(NULL);
	struct wire *wire = daemon_connect(daemon);
	struct experiment experiment = { .rows = 1, .url = sim_url(sim),
		.config = "'temperature':0.5,'max_retries':0,'proxy':'http://127.0.0.1:1','price_input':'1',"
			  "'price_output':'1'" };
	json_object *task = experiment_run(wire, &experiment), *request;

	ck_assert_str_eq(at_text(task, "status"), "FAILURE");
	ck_assert_int_eq(sim_stat(sim, "calls"), 0);
	update_config(wire, sim_url(sim), ",'price_input':'2','price_output':'2'");
	task = at_json(wire_call(wire, "RetryFailed", "{'experiment':{'name':'Experiment'}}"), "task");
	ck_assert_str_eq(at_text(task, "status"), "SUCCESS");
	request = json_must_parse(at_text(sim_requests(sim, 1), "requests.0.body"));
	ck_assert_str_eq(at_text(request, "model"), "m");
	ck_assert_double_eq(at_number(request, "temperature"), 0.5);
	ck_priced(wire, 1, 2);
	/* A limit of cost stays one where the price is gone. */
	update_config(wire, sim_url(sim), "");
	task = at_json(wire_call(wire, "AddEpochs", "{'experiment':{'name':'Experiment'},'epochs':1}"), "task");
	ck_assert_str_eq(at_text(task, "status"), "SUCCESS");
	ck_priced(wire, 2, 1);
	ck_assert_int_eq(daemon_stop(daemon), 0);
}
END_TEST

/* Any of the earlier ones, and not the newest alone: by the content of its rows too. */
START_TEST(an_earlier_one)
{
	struct daemon *daemon = daemon_start(NULL);
	struct sim *sim = sim_start(NULL);
	struct wire *wire = daemon_connect(daemon);
	struct experiment experiment = { .rows = 5, .n_criteria = 1, .url = sim_url(sim),
					 .more = "'update_existing':true" };
	int64_t first = at_int(experiment_run(wire, &experiment), "experiment_id"), second;
	json_object *task;

	experiment.rows = 4;
	second = at_int(experiment_run(wire, &experiment), "experiment_id");
	ck_assert_int_ne(first, second);
	sim_reset(sim);
	experiment.rows = 5;
	task = experiment_run(wire, &experiment);
	ck_assert_int_eq(at_int(task, "experiment_id"), first);
	ck_assert_str_eq(at_text(task, "status"), "SUCCESS");
	experiment.rows = 4;
	ck_assert_int_eq(at_int(experiment_run(wire, &experiment), "experiment_id"), second);
	experiment.n_criteria = 2;
	ck_assert_int_gt(at_int(experiment_run(wire, &experiment), "experiment_id"), second);
	experiment.n_criteria = 1;
	ck_assert_int_eq(at_int(experiment_run(wire, &experiment), "experiment_id"), second);
	ck_assert_int_eq(daemon_stop(daemon), 0);
}
END_TEST

static json_object *experiment_of(struct wire *wire, json_object *task)
{
	return at_json(wire_call(wire, "GetExperiment", "{'experiment':{'id':%lld}}",
				 (long long)at_int(task, "experiment_id")), "experiment");
}

/* Only what is new is asked for: the row and criterion that were added. */
START_TEST(taken_over)
{
	struct daemon *daemon = daemon_start(NULL);
	struct sim *sim = sim_start(NULL);
	struct wire *wire = daemon_connect(daemon);
	struct experiment experiment = { .rows = 5, .n_criteria = 1, .url = sim_url(sim),
					 .more = "'update_existing':true" };
	json_object *task = experiment_run(wire, &experiment), *shown;

	sim_reset(sim);
	experiment.rows = 6;
	experiment.n_criteria = 2;
	task = experiment_run(wire, &experiment);
	ck_assert_msg(at_is(task, "status", "SUCCESS"), "%s", json_object_to_json_string(task));
	ck_assert_int_eq(sim_stat(sim, "calls"), 1 + 5 + 2);
	shown = experiment_of(wire, task);
	ck_assert_str_eq(at_text(shown, "name"), "Experiment #2");
	ck_assert_int_eq(at_int(shown, "taken_over_responses"), 5);
	ck_assert_int_eq(at_int(shown, "taken_over_ratings"), 5);
	ck_assert_int_eq(at_int(shown, "results.responses"), 6);
	ck_assert_int_eq(at_int(shown, "results.ratings"), 12);
	ck_assert_int_eq(database_int(daemon, "SELECT count(*) FROM responses n JOIN responses r ON"
					      " r.id = n.taken_from AND r.response_text = n.response_text"), 5);
	ck_assert(strstr(task_logs(wire, at_int(task, "id")), "5 answers and 5 verdicts taken over"));
	ck_assert_int_eq(at_int(task_get(wire, at_int(task, "id")), "progress.responses_rated"), 6);

	/* Of all that went before, and not of the newest alone. */
	experiment.rows = 2;
	ck_assert_int_eq(at_int(experiment_of(wire, experiment_run(wire, &experiment)),
				"taken_over_responses"), 2);
	sim_reset(sim);
	experiment.rows = 6;
	experiment.n_criteria = 1;
	shown = experiment_of(wire, experiment_run(wire, &experiment));
	ck_assert_int_eq(at_int(shown, "taken_over_responses"), 6);
	ck_assert_int_eq(at_int(shown, "taken_over_ratings"), 6);
	ck_assert_int_eq(sim_stat(sim, "calls"), 0);

	/* Another prompt is asked for anew, and so is what is wanted afresh. */
	experiment.more = "'update_existing':true,'run_afresh':true";
	shown = experiment_of(wire, experiment_run(wire, &experiment));
	ck_assert_int_eq(at_int(shown, "taken_over_responses"), 0);
	ck_assert_int_eq(sim_stat(sim, "calls"), 12);
	experiment.more = "'update_existing':true,'prompt_template':{'content':{'name':'Experiment prompt',"
			  "'messages':[{'role':'user','content':'Sing of {{topic}}.'}]}}";
	shown = experiment_of(wire, experiment_run(wire, &experiment));
	ck_assert_int_eq(at_int(shown, "taken_over_responses"), 0);
	ck_assert_int_eq(sim_stat(sim, "calls"), 24);
	ck_assert_int_eq(daemon_stop(daemon), 0);
}
END_TEST

/* A row that is there three times keeps three answers. */
START_TEST(taken_over_once)
{
	struct daemon *daemon = daemon_start(NULL);
	struct sim *sim = sim_start(NULL);
	struct wire *wire = daemon_connect(daemon);
	struct experiment experiment = { .url = sim_url(sim) };
	json_object *shown;

	experiment.more = "'update_existing':true,'collection':{'content':{'name':'C','variables':["
			  "{'topic':'a'},{'topic':'a'},{'topic':'b'}]}}";
	json_object_put(experiment_run(wire, &experiment));
	sim_reset(sim);
	experiment.more = "'update_existing':true,'n_epochs':2,'collection':{'content':{'name':'C',"
			  "'variables':[{'topic':'c'},{'topic':'a'},{'topic':'a'},{'topic':'a'}]}}";
	shown = experiment_of(wire, experiment_run(wire, &experiment));
	ck_assert_int_eq(at_int(shown, "taken_over_responses"), 2);
	ck_assert_int_eq(sim_stat(sim, "calls"), 8 - 2);
	ck_assert_int_eq(database_int(daemon, "SELECT count(DISTINCT taken_from) FROM responses"), 2);
	ck_assert_int_eq(daemon_stop(daemon), 0);
}
END_TEST

START_TEST(second_run_conflicts)
{
	struct daemon *daemon = daemon_start(NULL);
	struct sim *sim = sim_start(hanging);
	struct wire *wire = daemon_connect(daemon);
	int64_t id = experiment_submit(wire, &(struct experiment) {
		.rows = 5, .n_criteria = 1, .url = sim_url(sim) });
	json_object *reply = wire_refused(wire, "Conflict", "RunExperiment",
					  "{'experiment':{'name':'Experiment'}}");

	ck_assert_str_eq(at_text(reply, "parameters.resource_type"), "experiment");
	ck_assert(strstr(at_text(reply, "parameters.reason"), text("task %lld", (long long)id)) != NULL);
	wire_call(wire, "CancelTask", "{'id':%lld}", (long long)id);
	ck_assert_int_eq(daemon_stop(daemon), 0);
}
END_TEST

START_TEST(idempotency)
{
	struct daemon *daemon = daemon_start(NULL);
	struct sim *sim = sim_start(NULL);
	struct wire *wire = daemon_connect(daemon);
	struct experiment experiment = { .rows = 8, .n_criteria = 1, .url = sim_url(sim),
					 .more = "'idempotency_key':'key 1'" };
	int64_t id = experiment_submit(wire, &experiment);
	json_object *task;
	char *request;

	/* The same again, while it runs and after: the same task. */
	ck_assert_int_eq(experiment_submit(wire, &experiment), id);
	task = task_await_status(daemon, id, "SUCCESS");
	ck_assert_int_eq(experiment_submit(wire, &experiment), id);
	ck_assert_int_eq(sim_stat(sim, "calls"), 16);
	/* It stays so over a restart. */
	ck_assert_int_eq(daemon_stop(daemon), 0);
	daemon_restart(daemon);
	wire = daemon_connect(daemon);
	task = experiment_run(wire, &experiment);
	ck_assert_int_eq(at_int(task, "id"), id);
	/* Another request under the key is none of it. */
	experiment.name = "Other";
	request = experiment_request(&experiment);
	wire_refused(wire, "Conflict", "RunExperiment", "%s", request);
	ck_assert_int_eq(daemon_stop(daemon), 0);
}
END_TEST

/* An endpoint at its worst: whatever it does, each item ends with an answer or an error. */
START_TEST(every_fault)
{
	struct daemon *daemon = daemon_start(NULL);
	struct sim *sim = sim_start((const char *[]) {
		"--error_500_rate=0.05", "--error_503_rate=0.05", "--reset_rate=0.05",
		"--half_body_rate=0.05", "--garbage_rate=0.05", "--wrong_type_rate=0.05",
		"--wrong_json_rate=0.05", "--truncated_json_rate=0.05", "--content_filter_rate=0.05",
		"--context_length_rate=0.05", "--empty_rate=0.05", "--utf8_garbage_rate=0.05",
		"--retry_after_seconds=0.05", "--bad_verdict_rate=0.1", NULL });
	struct wire *wire = daemon_connect(daemon);
	json_object *task = experiment_run(wire, &(struct experiment) {
		.rows = 60, .n_criteria = 2, .url = sim_url(sim), .max_connections = 16 });
	long long experiment_id = at_int(task, "experiment_id");
	json_object *responses, *ratings;
	size_t n_failed = 0, n_failed_ratings = 0, n_expected;

	ck_assert_msg(at_is(task, "status", "SUCCESS"), "%s", json_object_to_json_string(task));
	responses = list_all(wire, "ListResponses", "'experiment':{'id':%lld}", experiment_id);
	ck_assert_uint_eq(json_object_array_length(responses), 60);
	for (size_t i = 0; i < 60; i++) {
		bool failed = at_has(responses, text("%zu.error", i));

		n_failed += failed;
		ck_assert(failed || at_has(responses, text("%zu.response_text", i)));
	}
	ratings = list_all(wire, "ListRatings", "'experiment':{'id':%lld}", experiment_id);
	n_expected = 2 * (60 - n_failed);
	ck_assert_uint_eq(json_object_array_length(ratings), n_expected);
	for (size_t i = 0; i < n_expected; i++)
		n_failed_ratings += at_has(ratings, text("%zu.error", i));
	ck_assert_int_eq(at_int(task, "result.results.failed_responses"), (int64_t)n_failed);
	ck_assert_int_eq(at_int(task, "result.results.failed_ratings"), (int64_t)n_failed_ratings);
	ck_assert_uint_lt(n_failed, 30);
	ck_assert_int_eq(daemon_stop(daemon), 0);
}
END_TEST

/* 429 and Retry-After are waits, not attempts: even with no retry allowed all is answered. */
START_TEST(rate_limited)
{
	struct daemon *daemon = daemon_start(NULL);
	struct sim *sim = sim_start((const char *[]) {
		"--rate_limit=20", "--rate_window_seconds=0.5", "--retry_after_seconds=0.5", NULL });
	struct wire *wire = daemon_connect(daemon);
	json_object *task = experiment_run(wire, &(struct experiment) {
		.rows = 40, .n_criteria = 1, .url = sim_url(sim), .max_connections = 16,
		.config = "'max_retries':0" });
	json_object *stats = sim_stats(sim);

	ck_assert_str_eq(at_text(task, "status"), "SUCCESS");
	ck_assert_int_eq(at_int(task, "progress.failed"), 0);
	ck_assert_int_eq(at_int(stats, "answered"), 80);
	ck_assert_int_gt(at_int(stats, "by_status.429"), 0);
	ck_assert_int_eq(daemon_stop(daemon), 0);
}
END_TEST

START_TEST(time_limit)
{
	struct daemon *daemon = daemon_start(NULL);
	struct sim *sim = sim_start(hanging);
	struct wire *wire = daemon_connect(daemon);
	double start = now_seconds();
	json_object *task = experiment_run(wire, &(struct experiment) {
		.rows = 5, .n_criteria = 1, .url = sim_url(sim), .more = "'time_limit_seconds':2" });

	ck_assert_str_eq(at_text(task, "status"), "TIMEOUT");
	ck_assert_double_ge(at_number(task, "running_seconds"), 2);
	ck_assert_double_ge(now_seconds() - start, 2);
	sim_await(sim, "closed_early", 5);
	ck_assert_int_eq(daemon_stop(daemon), 0);
}
END_TEST

int main(void)
{
	return RUN_SUITE(run_again, existing_name, another_endpoint, mended_config, an_earlier_one, taken_over,
			 taken_over_once, second_run_conflicts, idempotency, every_fault,
			 rate_limited, time_limit);
}
