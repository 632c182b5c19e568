/*
 * Rating as a task of its own: which responses, by what and by whom, in which order the verdicts
 * come, what the endpoint is asked for, and what a kill, a cancel or a judge's nonsense leaves.
 */
#include <stdlib.h>
#include <string.h>

#include "tests/integration/rating.h"

static json_object *ratings_of(int64_t task_id)
{
	return list_all(wire, "ListRatings", "'task_id':%lld", (long long)task_id);
}

/* ---- Which responses ---- */

/* Ids in an order of the caller's, new criteria: verdicts in that order, criterion by criterion. */
START_TEST(by_ids)
{
	static const int order[] = { 7, 2, 9, 1, 5 };
	json_object *responses, *task, *ratings;
	char *ids = text("%s", "");
	int64_t asked[5];

	begin(NULL);
	run_first(&(struct experiment) { .rows = 10, .n_criteria = 1, .url = sim_url(sim) });
	responses = list_all(wire, "ListResponses", "'experiment':{'id':%lld}", (long long)experiment_id);
	for (unsigned i = 0; i < 5; i++) {
		asked[i] = at_int(responses, text("%d.id", order[i]));
		ids = text("%s%s%lld", ids, i ? "," : "", (long long)asked[i]);
	}
	task = rate_well("RateResponses",
			 text("{'response_ids':[%s],'name':'Again','rating_mode':'%s',"
			      "'criteria':['Is it short?','Is it about {{topic}}?'],"
			      "'rating_llm_config':{'ref':{'name':'Experiment config'}}}", ids,
			      _i ? "detailed" : "fast"));
	ck_assert_str_eq(at_text(task, "name"), "Again");
	ck_assert(!at_has(task, "experiment_id"));
	ck_assert_int_eq(at_int(task, "result.ratings.responses"), 5);
	ck_assert_int_eq(at_int(task, "result.ratings.ratings"), 10);
	ck_assert_int_eq(at_count(task, "result.ratings.criteria"), 2);
	ck_assert(!at_has(task, "result.results"));
	ck_assert_int_eq(at_int(task, "progress.total_responses"), 5);
	ck_assert_int_eq(at_int(task, "progress.responses_rated"), 5);
	/* Nothing was generated. */
	ck_assert_int_eq(sim_stat(sim, "calls"), 10);
	ratings = ratings_of(at_int(task, "id"));
	ck_assert_int_eq(json_object_array_length(ratings), 10);
	for (unsigned i = 0; i < 10; i++) {
		ck_assert_int_eq(at_int(ratings, text("%u.response_id", i)), asked[i / 2]);
		ck_assert_str_eq(at_text(ratings, text("%u.criterion.criterion_str", i)),
				 i % 2 ? "Is it about {{topic}}?" : "Is it short?");
		ck_assert(at_has(ratings, text("%u.reasoning", i)) == (_i == 1));
	}
	/* The set has the task's name, and the experiment is as it was. */
	ck_assert_int_eq(database_int(server, "SELECT count(*) FROM criterion_sets"
					      " WHERE name = 'Again criteria'"), 1);
	ck_assert_int_eq(at_count(results_of(), "results.criteria"), 1);
	ck_assert_int_eq(daemon_stop(server), 0);
}
END_TEST

/* Small pages, forwards over cursors, and one response alone. */
START_TEST(pages)
{
	json_object *task, *all, *one, *reply = NULL;
	const char *cursor = "";
	unsigned n = 0;

	begin(NULL);
	run_first(&(struct experiment) { .rows = 7, .n_criteria = 3, .url = sim_url(sim) });
	task = rate_well("RateResponses", text("{'experiment':{'id':%lld},'rating_mode':'detailed'}",
					       (long long)experiment_id));
	all = ratings_of(at_int(task, "id"));
	ck_assert_int_eq(json_object_array_length(all), 21);
	do {
		reply = wire_call(wire, "ListRatings", "{'task_id':%lld,'limit':2,'count':true%s}",
				  (long long)at_int(task, "id"), cursor);
		ck_assert_int_eq(at_int(reply, "count"), 21);
		for (size_t i = 0; i < at_count(reply, "items"); i++, n++)
			ck_assert_int_eq(at_int(reply, text("items.%zu.id", i)),
					 at_int(all, text("%u.id", n)));
		if (at_has(reply, "next_cursor"))
			cursor = text(",\"cursor\":\"%s\"", at_text(reply, "next_cursor"));
	} while (at_has(reply, "next_cursor") && n < 100);
	ck_assert_int_eq(n, 21);
	one = list_all(wire, "ListRatings", "'task_id':%lld,'response_id':%lld",
		       (long long)at_int(task, "id"), (long long)at_int(all, "9.response_id"));
	ck_assert_int_eq(json_object_array_length(one), 3);
	ck_assert_int_eq(at_int(one, "0.id"), at_int(all, "9.id"));
	ck_assert_int_eq(daemon_stop(server), 0);
}
END_TEST

/* By experiment, by epoch, and by what its judge said; its own judge and criteria by default. */
START_TEST(by_filter)
{
	int64_t id, yes;
	json_object *task;

	begin(NULL);
	run_first(&(struct experiment) { .rows = 12, .n_criteria = 2, .url = sim_url(sim),
					 .more = "'n_epochs':2" });
	/* What this judge has said already is not asked again. */
	task = rate_well("RateResponses", text("{'experiment':{'id':%lld}}", (long long)experiment_id));
	ck_assert_int_eq(sim_stat(sim, "calls"), 0);
	ck_assert_int_eq(at_int(task, "result.ratings.ratings"), 48);
	task = rate_well("RateResponses", text("{'experiment':{'id':%lld},'epoch':2,'name':'E2',"
					       "'criteria':['Is it kind?']}", (long long)experiment_id));
	ck_assert_int_eq(sim_stat(sim, "calls"), 12);
	ck_assert_int_eq(at_int(task, "result.ratings.responses"), 12);
	ck_assert_int_eq(database_int(server, "SELECT count(*) FROM ratings g JOIN responses r ON r.id ="
					      " g.response_id JOIN measures m ON m.id = g.measure_id"
					      " WHERE m.text = 'Is it kind?' AND r.epoch <> 2"), 0);
	id = at_int(results_of(), "criterion_set.criteria.1.id");
	yes = database_int(server, "SELECT count(*) FROM ratings g JOIN measures m ON m.id ="
				   " g.measure_id WHERE m.criterion_id = %lld AND g.value = 1", (long long)id);
	sim_reset(sim);
	task = rate_well("RateResponses", text("{'experiment':{'id':%lld},'criterion_id':%lld,"
					       "'rating':'YES','criterion_set':{'name':'E2 criteria'},"
					       "'rating_mode':'detailed'}",
					       (long long)experiment_id, (long long)id));
	ck_assert_int_eq(at_int(task, "result.ratings.responses"), yes);
	ck_assert_int_eq(sim_stat(sim, "calls"), yes);
	ck_assert_int_eq(at_int(task, "progress.total_responses"), yes);
	ck_assert_int_eq(daemon_stop(server), 0);
}
END_TEST

static void refused(const char *method, const char *parameters, const char *field)
{
	json_object *reply = wire_refused(wire, "org.varlink.service.InvalidParameter", method, "%s",
					  requoted(parameters));

	ck_assert_msg(at_is(reply, "parameters.parameter", field), "%s: %s", field,
		      json_object_to_json_string(reply));
}

/* Without criteria they are judged as their experiment is: some of them beside its results, all of them for
 * it; those of several have no such criteria. */
START_TEST(as_their_experiment)
{
	json_object *task, *experiment;

	begin(NULL);
	run_first(&(struct experiment) { .rows = 3, .n_criteria = 2, .url = sim_url(sim) });
	task = rate_well("RateResponses", "{'response_ids':[2,1],'rating_mode':'detailed'}");
	ck_assert_int_eq(at_int(task, "result.ratings.ratings"), 4);
	experiment = wire_call(wire, "GetExperiment", "{'experiment':{'id':%lld}}", (long long)experiment_id);
	ck_assert_str_eq(at_text(experiment, "experiment.rating_mode"), "fast");
	task = rate_well("RateResponses", "{'response_ids':[3,1,2],'rating_mode':'detailed'}");
	ck_assert_int_eq(at_int(task, "experiment_id"), experiment_id);
	experiment = wire_call(wire, "GetExperiment", "{'experiment':{'id':%lld}}", (long long)experiment_id);
	ck_assert_str_eq(at_text(experiment, "experiment.rating_mode"), "detailed");
	ck_assert_int_eq(at_int(experiment, "experiment.results.ratings"), 6);
	run_first(&(struct experiment) { .name = "Other", .rows = 1, .n_criteria = 1, .url = sim_url(sim) });
	refused("RateResponses", "{'response_ids':[1,4]}", "criteria");
	/* As many as the one has, but not its own. */
	refused("RateResponses", "{'response_ids':[1,2,4]}", "criteria");
	ck_assert_int_eq(daemon_stop(server), 0);
}
END_TEST

START_TEST(wrong_requests)
{
	json_object *reply, *task;
	int64_t tasks;

	begin(NULL);
	run_first(&(struct experiment) { .rows = 3, .n_criteria = 1, .url = sim_url(sim) });
	tasks = database_int(server, "SELECT count(*) FROM tasks");
	refused("RateResponses", "{}", "response_ids");
	refused("RateResponses", "{'response_ids':[1],'experiment':{'id':1}}", "response_ids");
	refused("RateResponses", "{'response_ids':[1],'criteria':['?'],'epoch':1}", "epoch");
	refused("RateResponses", "{'response_ids':[1],'criteria':['?'],'criterion_id':1}",
		"criterion_id");
	refused("RateResponses", "{'response_ids':[1],'criteria':['?'],'rating':'NO'}", "rating");
	refused("RateResponses", "{'experiment':{'id':1},'rating':'NO'}", "criterion_id");
	refused("RateResponses", "{'response_ids':[2,1,2],'criteria':['?']}", "response_ids");
	refused("RateResponses", "{'response_ids':[1],'criteria':['Good?',' ']}", "criteria[1]");
	refused("RateExperiment", "{'experiment':{'id':1},'criteria':['?'],'criterion_set':{'id':1}}",
		"criteria");
	refused("ListRatings", "{}", "experiment");
	refused("ListRatings", "{'task_id':1,'experiment':{'id':1}}", "experiment");
	refused("ListRatings", "{'task_id':1}", "task_id");
	reply = wire_refused(wire, "NotFound", "RateResponses",
			     "{'response_ids':[3,77],'criteria':['?']}");
	ck_assert_str_eq(at_text(reply, "parameters.resource_type"), "response");
	ck_assert_int_eq(at_int(reply, "parameters.id"), 77);
	wire_refused(wire, "NotFound", "RateResponses", "{'experiment':{'id':1},'criterion_id':99}");
	wire_refused(wire, "NotFound", "RateExperiment", "{'experiment':{'name':'None'}}");
	wire_refused(wire, "NotFound", "RetryFailed", "{'experiment':{'name':'None'}}");
	ck_assert_int_eq(database_int(server, "SELECT count(*) FROM tasks"), tasks);
	/* What the state shows wrong is a rejected task, and nothing else. */
	task = rate("RateResponses", "{'response_ids':[1,2],'criteria':['Is it {{no_column}}?']}");
	ck_assert_str_eq(at_text(task, "status"), "REJECTED");
	ck_assert_str_eq(at_text(task, "error.field"), "criteria[0]");
	ck_assert_int_eq(database_int(server, "SELECT count(*) FROM runs WHERE n_epochs = 0"), 0);
	ck_assert_int_eq(database_int(server, "SELECT count(*) FROM criterion_sets"), 1);
	ck_assert_int_eq(json_object_array_length(ratings_of(at_int(task, "id"))), 0);
	ck_assert_int_eq(daemon_stop(server), 0);
}
END_TEST

/* ---- While it runs ---- */

START_TEST(progress_is_seen)
{
	json_object *reply;
	int64_t rated = 0, between = 0;
	bool continues = true;

	begin((const char *[]) { "--latency_seconds=0.02", NULL });
	run_first(&(struct experiment) { .rows = 60, .n_criteria = 1, .url = sim_url(sim),
					 .max_connections = 4 });
	wire_start(wire, "'more':true", "RateResponses",
		   "{'experiment':{'id':%lld},'rating_mode':'detailed','min_interval_seconds':0.05}",
		   (long long)experiment_id);
	while (continues) {
		reply = wire_next(wire);
		if (at_has(reply, "parameters.event.progress")) {
			int64_t now = at_int(reply, "parameters.event.progress.responses_rated");

			ck_assert_int_ge(now, rated);
			ck_assert_int_eq(at_int(reply, "parameters.event.progress.total_responses"), 60);
			between += now > 0 && now < 60;
			rated = now;
		}
		continues = at_has(reply, "continues");
	}
	ck_assert_str_eq(at_text(reply, "parameters.event.status"), "SUCCESS");
	ck_assert_int_eq(rated, 60);
	ck_assert_int_gt(between, 2);
	ck_assert_int_eq(daemon_stop(server), 0);
}
END_TEST

/* Killed in the middle: no verdict that was recorded is asked for again. */
START_TEST(killed)
{
	json_object *task;
	int64_t id, left;

	begin((const char *[]) { "--latency_seconds=0.01", NULL });
	run_first(&(struct experiment) { .rows = 80, .n_criteria = 2, .url = sim_url(sim),
					 .max_connections = 4 });
	id = submit_slow("RateResponses");
	await_recorded(id, 40);
	kill_server();
	left = 160 - recorded(id);
	ck_assert_int_gt(left, 0);
	sim_reset(sim);
	daemon_restart(server);
	wire = daemon_connect(server);
	task = task_await_status(server, id, "SUCCESS");
	ck_assert_int_eq(at_int(task, "result.ratings.ratings"), 160);
	ck_assert_int_eq(at_int(task, "progress.responses_rated"), 80);
	ck_assert_int_eq(sim_stat(sim, "answered"), left);
	ck_assert_int_eq(recorded(id), 160);
	ck_assert_int_eq(json_object_array_length(ratings_of(id)), 160);
	ck_assert_int_eq(daemon_stop(server), 0);
}
END_TEST

/* Cancelled: what was recorded stays, and RetryTask does the rest. */
START_TEST(cancelled)
{
	json_object *task;
	int64_t id, n;

	begin((const char *[]) { "--latency_seconds=0.02", NULL });
	run_first(&(struct experiment) { .rows = 60, .n_criteria = 1, .url = sim_url(sim),
					 .max_connections = 4 });
	id = submit_slow("RateResponses");
	await_recorded(id, 10);
	task = at_json(wire_call(wire, "CancelTask", "{'id':%lld}", (long long)id), "task");
	ck_assert_str_eq(at_text(task, "status"), "REVOKED");
	experiment_await_workers_free(wire);
	n = (int64_t)json_object_array_length(ratings_of(id));
	ck_assert_int_ge(n, 10);
	ck_assert_int_lt(n, 60);
	sim_reset(sim);
	task = rate_well("RetryTask", text("{'id':%lld}", (long long)id));
	ck_assert_int_eq(at_int(task, "retry_of"), id);
	ck_assert_int_eq(sim_stat(sim, "answered"), 60 - n);
	ck_assert_int_eq(json_object_array_length(ratings_of(id)), 60);
	ck_assert_int_eq(daemon_stop(server), 0);
}
END_TEST

/* A judge that talks nonsense: asked twice each, then failed ratings; asked again another time. */
START_TEST(nonsense)
{
	json_object *task, *ratings;

	begin(NULL);
	run_first(&(struct experiment) { .rows = 5, .n_criteria = 1, .url = sim_url(sim) });
	sim_control(sim, "{'bad_verdict_rate':1}");
	task = rate("RateResponses", text("{'experiment':{'id':%lld},'criteria':['Is it odd?']}",
					  (long long)experiment_id));
	ck_assert_str_eq(at_text(task, "status"), "FAILURE");
	ck_assert_str_eq(at_text(task, "error.code"), "BackendRejected");
	ck_assert_int_eq(at_int(task, "result.ratings.failed_ratings"), 5);
	ck_assert_int_eq(sim_stat(sim, "calls"), 10);
	ratings = ratings_of(at_int(task, "id"));
	ck_assert_int_eq(json_object_array_length(ratings), 5);
	ck_assert(!at_has(ratings, "0.rating"));
	ck_assert_str_eq(at_text(ratings, "0.error.code"), "BackendRejected");
	ck_assert(at_has(ratings, "0.raw_text"));
	/* An error is no verdict: asked for anew it is tried again, and attempts add up. */
	sim_control(sim, "{'bad_verdict_rate':0}");
	task = rate_well("RateResponses", text("{'experiment':{'id':%lld},'criteria':['Is it odd?']}",
					       (long long)experiment_id));
	ck_assert_int_eq(sim_stat(sim, "calls"), 15);
	ck_assert_int_eq(at_int(task, "result.ratings.failed_ratings"), 0);
	ratings = ratings_of(at_int(task, "id"));
	ck_assert_int_eq(at_int(ratings, "0.attempts"), 3);
	ck_assert(at_has(ratings, "0.rating"));
	ck_assert_int_eq(daemon_stop(server), 0);
}
END_TEST

/* A response that failed has nothing to judge, and is counted. */
START_TEST(failed_responses)
{
	json_object *task;
	int64_t failed;

	begin((const char *[]) { "--content_filter_rate=0.4", NULL });
	task = run_first(&(struct experiment) { .rows = 30, .url = sim_url(sim) });
	failed = at_int(task, "result.results.failed_responses");
	ck_assert_int_gt(failed, 0);
	sim_control(sim, "{'content_filter_rate':0}");
	task = rate_well("RateResponses", text("{'experiment':{'id':%lld},'criteria':['Is it?']}",
					       (long long)experiment_id));
	ck_assert_int_eq(at_int(task, "result.ratings.responses"), 30);
	ck_assert_int_eq(at_int(task, "result.ratings.ratings"), 30 - failed);
	ck_assert_int_eq(at_int(task, "progress.failed"), failed);
	ck_assert_int_eq(at_int(task, "progress.responses_rated"), 30);
	ck_assert_int_eq(sim_stat(sim, "calls"), 30 - failed);
	ck_assert_int_eq(daemon_stop(server), 0);
}
END_TEST

int main(void)
{
	return RUN_SUITE(by_ids, pages, by_filter, as_their_experiment, wrong_requests, progress_is_seen, killed,
			 cancelled, nonsense, failed_responses);
}
