/*
 * Experiments from the request to the results, against the simulated endpoint: every form of the
 * call, what is recorded, what the status says.
 */
#include <stdlib.h>
#include <string.h>

#include "tests/harness/suite.h"

static json_object *get_experiment(struct wire *wire, int64_t id)
{
	json_object *reply = wire_call(wire, "GetExperiment", "{'experiment':{'id':%lld}}",
				       (long long)id);

	return at_json(reply, "experiment");
}

/* How many items of a list have this text at the path. */
static size_t count_items(json_object *items, const char *path, const char *value)
{
	size_t n = 0;

	for (size_t i = 0; i < json_object_array_length(items); i++)
		n += at_is(json_object_array_get_idx(items, i), path, value);
	return n;
}

/* The results say what the listings say. */
static void check_results(struct wire *wire, int64_t experiment_id, unsigned n_criteria)
{
	json_object *experiment = get_experiment(wire, experiment_id);
	json_object *results = at_json(experiment, "results");
	json_object *responses = list_all(wire, "ListResponses", "'experiment':{'id':%lld}",
					  (long long)experiment_id);
	json_object *ratings = list_all(wire, "ListRatings", "'experiment':{'id':%lld}",
					(long long)experiment_id);
	double n_responses = (double)json_object_array_length(responses);
	double yes = (double)count_items(ratings, "rating", "YES");
	double no = (double)count_items(ratings, "rating", "NO");
	double all_met = 0;
	int64_t input_tokens = 0, output_tokens = 0;

	for (size_t i = 0; i < json_object_array_length(responses); i++) {
		json_object *response = json_object_array_get_idx(responses, i);

		ck_assert_uint_eq(at_count(response, "ratings"), n_criteria);
		all_met += count_items(at_json(response, "ratings"), "rating", "YES") == n_criteria;
		input_tokens += at_int(response, "input_tokens");
		output_tokens += at_int(response, "output_tokens");
		ck_assert(at_number(response, "duration_seconds") > 0);
	}
	for (size_t i = 0; i < json_object_array_length(ratings); i++) {
		input_tokens += at_int(ratings, text("%zu.input_tokens", i));
		output_tokens += at_int(ratings, text("%zu.output_tokens", i));
	}
	ck_assert_int_eq(at_int(results, "responses"), (int64_t)n_responses);
	ck_assert_int_eq(at_int(results, "failed_responses"), 0);
	ck_assert_int_eq(at_int(results, "ratings"), (int64_t)(n_responses * n_criteria));
	ck_assert_uint_eq(json_object_array_length(ratings), (size_t)(n_responses * n_criteria));
	ck_assert_double_eq_tol(at_number(results, "mean_all_ratings.yes"), yes / (yes + no), 1e-9);
	ck_assert_double_eq_tol(at_number(results, "success_rate.value"), all_met / n_responses, 1e-9);
	ck_assert_uint_eq(at_count(results, "criteria"), n_criteria);
	ck_assert_int_eq(at_int(results, "total_input_tokens"), input_tokens);
	ck_assert_int_eq(at_int(results, "total_output_tokens"), output_tokens);
	ck_assert(!at_bool(results, "simulated"));
}

START_TEST(blocking)
{
	struct daemon *daemon = daemon_start(NULL);
	struct sim *sim = sim_start(NULL);
	struct wire *wire = daemon_connect(daemon);
	json_object *task = experiment_run(wire, &(struct experiment) {
		.rows = 40, .n_criteria = 2, .url = sim_url(sim), .max_connections = 8 });

	ck_assert_str_eq(at_text(task, "status"), "SUCCESS");
	ck_assert_int_eq(at_int(task, "progress.responses_generated"), 40);
	ck_assert_int_eq(at_int(task, "progress.responses_rated"), 40);
	ck_assert_int_eq(at_int(task, "progress.failed"), 0);
	ck_assert_double_eq_tol(at_number(task, "progress.percent_complete"), 100, 1e-9);
	ck_assert_int_eq(at_int(task, "result.results.responses"), 40);
	check_results(wire, at_int(task, "experiment_id"), 2);
	/* One call for each response and rating, no more; each with its own key. */
	ck_assert_int_eq(sim_stat(sim, "calls"), 120);
	ck_assert_int_eq(sim_stat(sim, "answered"), 120);
	ck_assert_int_eq(sim_stat(sim, "distinct_keys"), 120);
	ck_assert_int_le(sim_stat(sim, "max_in_flight"), 8);
	ck_assert_int_eq(daemon_stop(daemon), 0);
}
END_TEST

START_TEST(detailed_mode)
{
	struct daemon *daemon = daemon_start(NULL);
	struct sim *sim = sim_start(NULL);
	struct wire *wire = daemon_connect(daemon);
	json_object *task = experiment_run(wire, &(struct experiment) {
		.rows = 10, .n_criteria = 2, .url = sim_url(sim), .max_connections = 4,
		.more = "'rating_mode':'detailed'" });
	json_object *ratings;

	ck_assert_str_eq(at_text(task, "status"), "SUCCESS");
	check_results(wire, at_int(task, "experiment_id"), 2);
	ratings = list_all(wire, "ListRatings", "'experiment':{'id':%lld}",
			   (long long)at_int(task, "experiment_id"));
	for (size_t i = 0; i < json_object_array_length(ratings); i++)
		ck_assert_uint_gt(strlen(at_text(json_object_array_get_idx(ratings, i), "reasoning")), 0);
	ck_assert_int_eq(daemon_stop(daemon), 0);
}
END_TEST

/* Reads a stream to its end: every event follows from the one before. The terminal event. */
static json_object *follow(struct wire *wire, size_t *ret_n_events)
{
	int64_t sequence = -1;
	double percent = 0;

	for (*ret_n_events = 1;; ++*ret_n_events) {
		json_object *reply = wire_next(wire);
		json_object *event = at_json(reply, "parameters.event");

		ck_assert_msg(event, "%s", json_object_to_json_string(reply));
		ck_assert_int_ge(at_int(event, "sequence"), sequence);
		sequence = at_int(event, "sequence");
		if (at_has(event, "progress")) {
			ck_assert_double_ge(at_number(event, "progress.percent_complete"), percent);
			percent = at_number(event, "progress.percent_complete");
		}
		if (!at_has(reply, "continues"))
			return event;
	}
}

START_TEST(streamed)
{
	struct daemon *daemon = daemon_start(NULL);
	struct sim *sim = sim_start((const char *[]) { "--latency_seconds=0.05", NULL });
	struct wire *wire = daemon_connect(daemon);
	char *request = experiment_request(&(struct experiment) {
		.rows = 60, .n_criteria = 1, .url = sim_url(sim), .max_connections = 4,
		.more = "'min_interval_seconds':0.05" });
	json_object *last;
	size_t n_events;

	wire_start(wire, "'more':true", "RunExperiment", "%s", request);
	last = follow(wire, &n_events);
	ck_assert_str_eq(at_text(last, "status"), "SUCCESS");
	ck_assert_int_eq(at_int(last, "result.results.responses"), 60);
	ck_assert_double_eq_tol(at_number(last, "progress.percent_complete"), 100, 1e-9);
	/* 1.5 s at the least, with progress in between. */
	ck_assert_uint_ge(n_events, 8);
	/* The connection goes on. */
	json_object_put(wire_call(wire, "GetStatus", "{}"));
	ck_assert_int_eq(daemon_stop(daemon), 0);
}
END_TEST

START_TEST(detached_and_replayed)
{
	struct daemon *daemon = daemon_start(NULL);
	struct sim *sim = sim_start(NULL);
	struct wire *wire = daemon_connect(daemon);
	int64_t id = experiment_submit(wire, &(struct experiment) {
		.rows = 20, .n_criteria = 1, .url = sim_url(sim), .config = "'max_retries':0",
		.max_connections = 4 });
	json_object *task = task_await_status(daemon, id, "SUCCESS");
	json_object *last, *first;
	size_t n_events;
	int64_t last_sequence;

	/* All that was, from the first event on. */
	wire_start(wire, "'more':true", "WatchTask", "{'id':%lld,'after_sequence':0}", (long long)id);
	first = at_json(wire_next(wire), "parameters.event");
	ck_assert_int_ge(at_int(first, "sequence"), 1);
	last = follow(wire, &n_events);
	ck_assert_str_eq(at_text(last, "status"), "SUCCESS");
	last_sequence = at_int(last, "sequence");
	ck_assert_int_eq(last_sequence, at_int(task, "sequence"));
	/* From the middle: what came after, and nothing else. */
	wire_start(wire, "'more':true", "WatchTask", "{'id':%lld,'after_sequence':%lld}",
		   (long long)id, (long long)last_sequence - 1);
	last = follow(wire, &n_events);
	ck_assert_int_eq(at_int(last, "sequence"), last_sequence);
	/* From the end: at once the terminal state. */
	wire_start(wire, "'more':true", "WatchTask", "{'id':%lld,'after_sequence':%lld}",
		   (long long)id, (long long)last_sequence);
	last = follow(wire, &n_events);
	ck_assert_str_eq(at_text(last, "status"), "SUCCESS");
	ck_assert_uint_eq(n_events, 1);
	ck_assert_int_eq(daemon_stop(daemon), 0);
}
END_TEST

/* Two who watch from different moments see the same log lines, each once. */
START_TEST(logs)
{
	struct daemon *daemon = daemon_start(NULL);
	struct sim *sim = sim_start((const char *[]) { "--content_filter_rate=0.3", NULL });
	struct wire *wire = daemon_connect(daemon);
	int64_t id = experiment_submit(wire, &(struct experiment) {
		.rows = 50, .url = sim_url(sim), .max_connections = 4, .n_criteria = 1 });
	json_object *lines;
	char *watched = text("%s", ""), *listed = text("%s", "");
	bool continues = true;
	int64_t failed;

	wire_start(wire, "'more':true", "WatchTask", "{'id':%lld,'after_sequence':0}", (long long)id);
	while (continues) {
		json_object *reply = wire_next(wire);

		if (at_has(reply, "parameters.event.logs_delta"))
			watched = text("%s%s", watched, at_text(reply, "parameters.event.logs_delta"));
		continues = at_has(reply, "continues");
	}
	lines = list_all(wire, "ListTaskLogs", "'id':%lld", (long long)id);
	for (size_t i = 0; i < json_object_array_length(lines); i++)
		listed = text("%s%s\n", listed, at_text(json_object_array_get_idx(lines, i), "line"));
	ck_assert_str_eq(watched, listed);
	failed = at_int(task_get(wire, id), "progress.failed");
	ck_assert_int_gt(failed, 0);
	ck_assert_uint_ge(json_object_array_length(lines), (size_t)failed);
	ck_assert_int_eq(daemon_stop(daemon), 0);
}
END_TEST

START_TEST(epochs)
{
	struct daemon *daemon = daemon_start(NULL);
	struct sim *sim = sim_start(NULL);
	struct wire *wire = daemon_connect(daemon);
	json_object *task = experiment_run(wire, &(struct experiment) {
		.rows = 15, .n_criteria = 1, .url = sim_url(sim), .max_connections = 4,
		.more = "'n_epochs':3" });
	int64_t experiment_id = at_int(task, "experiment_id");

	ck_assert_str_eq(at_text(task, "status"), "SUCCESS");
	ck_assert_int_eq(at_int(task, "progress.total_responses"), 45);
	ck_assert_uint_eq(at_count(task, "progress.epochs"), 3);
	for (int epoch = 1; epoch <= 3; epoch++) {
		json_object *items = list_all(wire, "ListResponses",
					      "'experiment':{'id':%lld},'epoch':%d",
					      (long long)experiment_id, epoch);

		ck_assert_uint_eq(json_object_array_length(items), 15);
		ck_assert_int_eq(at_int(items, "0.epoch"), epoch);
		ck_assert_int_eq(at_int(task, text("progress.epochs.%d.rated", epoch - 1)), 15);
	}
	check_results(wire, experiment_id, 1);
	ck_assert_int_eq(sim_stat(sim, "distinct_keys"), 90);
	ck_assert_int_eq(daemon_stop(daemon), 0);
}
END_TEST

/* A column is rated instead of an answer: no call but the judge's. */
START_TEST(response_column)
{
	struct daemon *daemon = daemon_start(NULL);
	struct sim *sim = sim_start(NULL);
	struct wire *wire = daemon_connect(daemon);
	json_object *task = experiment_run(wire, &(struct experiment) {
		.n_criteria = 2, .url = sim_url(sim), .max_connections = 4,
		.more = "'response_column':'answer','collection':{'content':{'name':'C','variables':["
			"{'topic':'a','answer':'An old answer.'},{'topic':'b','answer':'Another.'}]}}" });
	json_object *items;

	ck_assert_msg(at_is(task, "status", "SUCCESS"), "%s", json_object_to_json_string(task));
	items = list_all(wire, "ListResponses", "'experiment':{'id':%lld}",
			 (long long)at_int(task, "experiment_id"));
	ck_assert_uint_eq(json_object_array_length(items), 2);
	ck_assert_str_eq(at_text(items, "0.response_text"), "An old answer.");
	ck_assert_uint_eq(at_count(items, "1.ratings"), 2);
	ck_assert_int_eq(sim_stat(sim, "calls"), 4);
	ck_assert_int_eq(daemon_stop(daemon), 0);
}
END_TEST

/* The built-in model needs no endpoint, and says that it is one. */
START_TEST(simulated_provider)
{
	struct daemon *daemon = daemon_start(NULL);
	struct wire *wire = daemon_connect(daemon);
	json_object *task = experiment_run(wire, &(struct experiment) { .rows = 25, .n_criteria = 2 });

	ck_assert_msg(at_is(task, "status", "SUCCESS"), "%s", json_object_to_json_string(task));
	ck_assert(at_bool(task, "result.results.simulated"));
	ck_assert_int_eq(at_int(task, "result.results.ratings"), 50);
	ck_assert_int_eq(daemon_stop(daemon), 0);
}
END_TEST

/* A config becomes the default by being chosen, not by being made. */
START_TEST(default_config)
{
	struct daemon *daemon = daemon_start(NULL);
	struct sim *sim = sim_start(NULL);
	struct wire *wire = daemon_connect(daemon);
	json_object *task, *reply;

	experiment_run(wire, &(struct experiment) { .name = "real", .rows = 1, .url = sim_url(sim) });
	ck_assert_int_eq(sim_stat(sim, "calls"), 1);
	task = experiment_run(wire, &(struct experiment) {
		.name = "of default", .rows = 3, .n_criteria = 1 });
	ck_assert(at_bool(task, "result.results.simulated"));
	ck_assert_int_eq(sim_stat(sim, "calls"), 1);
	reply = wire_call(wire, "GetExperiment", "{'experiment':{'name':'of default'}}");
	ck_assert_str_eq(at_text(reply, "experiment.model.provider"), "simulated");
	ck_assert_str_eq(at_text(reply, "experiment.rating_model.provider"), "simulated");
	reply = wire_call(wire, "GetProject", "{}");
	ck_assert_str_eq(at_text(reply, "project.name"), "default");
	ck_assert_str_eq(at_text(reply, "project.default_llm_config.name"), "simulated");

	reply = wire_refused(wire, "NotFound", "SetDefaultLLMConfig",
			     "{'llm_config':{'name':'nothing'}}");
	reply = wire_call(wire, "SetDefaultLLMConfig", "{'llm_config':{'name':'real config'}}");
	ck_assert_str_eq(at_text(reply, "project.default_llm_config.name"), "real config");
	task = experiment_run(wire, &(struct experiment) { .name = "chosen", .rows = 3 });
	ck_assert(!at_bool(task, "result.results.simulated"));
	ck_assert_int_eq(sim_stat(sim, "calls"), 4);
	reply = wire_call(wire, "ListExperiments", "{'limit':1}");
	ck_assert_str_eq(at_text(reply, "items.0.model.provider"), "openai");
	ck_assert_str_eq(at_text(reply, "items.0.model.llm_model_name"), "m");
	ck_assert(!at_has(reply, "items.0.rating_model"));
	ck_assert_int_eq(daemon_stop(daemon), 0);
}
END_TEST

START_TEST(status)
{
	struct daemon *daemon = daemon_start(NULL);
	struct sim *sim = sim_start((const char *[]) { "--hang_rate=1", NULL });
	struct wire *wire = daemon_connect(daemon);
	int64_t id = experiment_submit(wire, &(struct experiment) {
		.rows = 20, .url = sim_url(sim), .max_connections = 3, .n_criteria = 1 });
	json_object *reply;

	sim_await(sim, "in_flight", 3);
	reply = wire_call(wire, "GetStatus", "{}");
	ck_assert_int_eq(at_int(reply, "queue.started"), 1);
	ck_assert_uint_ge(at_count(reply, "workers"), 1);
	ck_assert_uint_eq(at_count(reply, "endpoints"), 1);
	ck_assert_int_eq(at_int(reply, "endpoints.0.in_flight"), 3);
	ck_assert_str_eq(at_text(reply, "endpoints.0.llm_model_name"), "m");
	ck_assert_str_eq(at_text(reply, "storage.state_dir"), daemon_state_dir(daemon));
	ck_assert_int_ge(at_int(reply, "front.connections"), 1);
	ck_assert_int_eq(sim_stat(sim, "max_in_flight"), 3);
	json_object_put(wire_call(wire, "CancelTask", "{'id':%lld}", (long long)id));
	ck_assert_int_eq(daemon_stop(daemon), 0);
}
END_TEST

/* Judges that answer nonsense are asked once more, then the rating is recorded as failed. */
START_TEST(bad_verdicts)
{
	struct daemon *daemon = daemon_start(NULL);
	struct sim *sim = sim_start((const char *[]) { "--bad_verdict_rate=1", NULL });
	struct wire *wire = daemon_connect(daemon);
	json_object *task = experiment_run(wire, &(struct experiment) {
		.rows = 5, .n_criteria = 1, .url = sim_url(sim), .max_connections = 4 });
	json_object *ratings;

	ratings = list_all(wire, "ListRatings", "'experiment':{'id':%lld}",
			   (long long)at_int(task, "experiment_id"));
	ck_assert_uint_eq(json_object_array_length(ratings), 5);
	for (size_t i = 0; i < 5; i++) {
		json_object *rating = json_object_array_get_idx(ratings, i);

		ck_assert(!at_has(rating, "rating"));
		ck_assert(at_has(rating, "error.message"));
		ck_assert(at_has(rating, "raw_text"));
		ck_assert_int_eq(at_int(rating, "attempts"), 2);
	}
	ck_assert_int_eq(sim_stat(sim, "calls"), 15);
	ck_assert_int_eq(daemon_stop(daemon), 0);
}
END_TEST

int main(void)
{
	return RUN_SUITE(blocking, detailed_mode, streamed, detached_and_replayed, logs, epochs,
			 response_column, simulated_provider, default_config, status,
			 bad_verdicts);
}
