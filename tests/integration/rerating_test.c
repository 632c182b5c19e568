/*
 * An experiment rated anew, and what failed asked for again: what it shows before and after, what
 * the endpoint is asked for, and that its counters stay those of its rows.
 */
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/harness/database.h"
#include "tests/integration/rating.h"

static const char *judge_config(const char *name)
{
	return text("{'content':{'name':'%s','provider':'openai','llm_model_name':'%s',"
		    "'llm_base_url':'%s','max_retries':1}}", name, name, sim_url(sim));
}

/* Tokens of which no row tells, since another run recorded the same at the same time. */
static int64_t spent_for_nothing(void)
{
	return database_int(server, "SELECT (SELECT sum(input_tokens) FROM run_epochs)"
				    " - (SELECT sum(input_tokens) FROM responses)"
				    " - (SELECT sum(input_tokens) FROM ratings)");
}

/* The epochs' counters say what the rows say. */
static void counters_must_be_exact(void)
{
	ck_assert_int_eq(
		database_int(server,
			     "SELECT count(*) FROM run_epochs p WHERE p.run_id = (SELECT run_id FROM"
			     "  experiments WHERE id = %lld) AND ("
			     " generated <> (SELECT count(*) FROM responses r WHERE r.run_id = p.run_id"
			     "  AND r.epoch = p.epoch)"
			     " OR failed <> (SELECT count(*) FROM responses r WHERE r.run_id = p.run_id"
			     "  AND r.epoch = p.epoch AND r.error IS NOT NULL)"
			     " OR rated <> generated"
			     " OR ratings <> (SELECT count(*) FROM ratings g JOIN responses r"
			     "  ON r.id = g.response_id WHERE r.run_id = p.run_id"
			     "  AND r.epoch = p.epoch AND g.judge_id = (SELECT judge_id FROM runs"
			     "   WHERE id = p.run_id)))",
			     (long long)experiment_id),
		0);
}

/* ---- An experiment anew ---- */

/* Another judge takes over when, and only when, the task succeeds. */
START_TEST(rate_experiment)
{
	json_object *task, *before, *after;
	int64_t id;

	begin((const char *[]) { "--latency_seconds=0.01", NULL });
	run_first(&(struct experiment) { .rows = 40, .n_criteria = 1, .url = sim_url(sim),
					 .max_connections = 4, .more = "'n_epochs':2" });
	before = results_of();
	id = submit_slow("RateExperiment");
	await_recorded(id, 5);
	/* One live task an experiment, of whatever kind. */
	wire_refused(wire, "Conflict", "RunExperiment", "{'experiment':{'id':%lld}}",
		     (long long)experiment_id);
	wire_refused(wire, "Conflict", "RateExperiment", "{'experiment':{'id':%lld}}",
		     (long long)experiment_id);
	wire_refused(wire, "Conflict", "RetryFailed", "{'experiment':{'id':%lld}}",
		     (long long)experiment_id);
	wire_call(wire, "CancelTask", "{'id':%lld}", (long long)id);
	after = results_of();
	ck_assert_str_eq(at_text(after, "rating_mode"), "fast");
	ck_assert_str_eq(json_object_to_json_string(at_json(after, "results")),
			 json_object_to_json_string(at_json(before, "results")));
	counters_must_be_exact();
	ck_assert_int_eq(spent_for_nothing(), 0);
	/* To the end: judge, criteria, mode and results are the new ones. */
	sim_reset(sim);
	task = rate_well("RateExperiment",
			 text("{'experiment':{'id':%lld},'criteria':['Is it new?','Is it {{topic}}?'],"
			      "'rating_mode':'detailed','rating_llm_config':%s}",
			      (long long)experiment_id, judge_config("second")));
	ck_assert_int_eq(at_int(task, "experiment_id"), experiment_id);
	ck_assert_int_eq(at_count(task, "result.results.criteria"), 2);
	ck_assert_int_eq(at_int(task, "result.results.ratings"), 160);
	ck_assert_int_eq(sim_stat(sim, "calls"), 160);
	after = results_of();
	ck_assert_str_eq(at_text(after, "rating_mode"), "detailed");
	ck_assert_str_eq(at_text(after, "rating_llm_config.name"), "second");
	ck_assert_str_eq(at_text(after, "criterion_set.criteria.0.criterion_str"), "Is it new?");
	ck_assert_str_eq(json_object_to_json_string(at_json(after, "results")),
			 json_object_to_json_string(at_json(task, "result.results")));
	/* Again: nothing to ask, and going on with the experiment is none either. */
	sim_reset(sim);
	rate_well("RateExperiment", text("{'experiment':{'id':%lld}}", (long long)experiment_id));
	task = at_json(wire_call(wire, "RunExperiment", "{'experiment':{'id':%lld}}",
				 (long long)experiment_id), "task");
	ck_assert_str_eq(at_text(task, "status"), "SUCCESS");
	ck_assert_int_eq(sim_stat(sim, "calls"), 0);
	counters_must_be_exact();
	ck_assert_int_eq(spent_for_nothing(), 0);
	ck_assert_int_eq(daemon_stop(server), 0);
}
END_TEST

/* The judge fails throughout: the experiment keeps what it had. */
START_TEST(rate_experiment_fails)
{
	json_object *task, *before;

	begin(NULL);
	run_first(&(struct experiment) { .rows = 4, .n_criteria = 1, .url = sim_url(sim) });
	before = results_of();
	sim_control(sim, "{'bad_verdict_rate':1}");
	task = rate("RateExperiment", text("{'experiment':{'id':%lld},'rating_mode':'detailed'}",
					   (long long)experiment_id));
	ck_assert_str_eq(at_text(task, "status"), "FAILURE");
	ck_assert_str_eq(json_object_to_json_string(results_of()), json_object_to_json_string(before));
	ck_assert_int_eq(daemon_stop(server), 0);
}
END_TEST

/* ---- What failed, again ---- */

START_TEST(retry_failed)
{
	int64_t first, failed, failed_ratings, id, left;
	json_object *task;

	begin((const char *[]) { "--content_filter_rate=0.3", "--latency_seconds=0.01", "--seed=7",
				 NULL });
	task = run_first(&(struct experiment) { .rows = 60, .n_criteria = 2, .url = sim_url(sim),
						.max_connections = 4, .more = "'n_epochs':2" });
	first = at_int(task, "id");
	failed = at_int(task, "result.results.failed_responses");
	failed_ratings = at_int(task, "result.results.failed_ratings");
	ck_assert_int_gt(failed, 5);
	ck_assert_int_gt(failed_ratings, 5);
	sim_control(sim, "{'content_filter_rate':0}");
	/* Killed on the way, and gone on with. */
	id = at_int(wire_call(wire, "RetryFailed", "{'experiment':{'id':%lld},'detach':true}",
			      (long long)experiment_id), "task.id");
	sim_await(sim, "answered", 10);
	kill_server();
	left = database_int(server, "SELECT (SELECT count(*) * 3 FROM responses WHERE error IS NOT NULL)"
				    " + (SELECT count(*) FROM ratings WHERE error IS NOT NULL)"
				    " + (SELECT count(*) * 2 FROM responses WHERE error IS NULL)"
				    " - (SELECT count(*) FROM ratings)");
	ck_assert_int_gt(left, 0);
	sim_reset(sim);
	daemon_restart(server);
	wire = daemon_connect(server);
	task = task_await_status(server, id, "SUCCESS");
	ck_assert_int_eq(at_int(task, "retry_of"), first);
	ck_assert_int_eq(sim_stat(sim, "answered"), left);
	ck_assert_int_eq(at_int(task, "result.results.failed_responses"), 0);
	ck_assert_int_eq(at_int(task, "result.results.failed_ratings"), 0);
	ck_assert_int_eq(at_int(task, "result.results.ratings"), 240);
	counters_must_be_exact();
	ck_assert_int_eq(spent_for_nothing(), 0);
	/* What was asked again says how often it was tried in all. */
	ck_assert_int_eq(database_int(server, "SELECT count(*) FROM responses WHERE attempts = 2"), failed);
	ck_assert_int_eq(database_int(server, "SELECT count(*) FROM ratings WHERE attempts = 2"),
			 failed_ratings);
	ck_assert_int_eq(database_int(server, "SELECT max(attempts) FROM responses"), 2);
	/* Nothing failed: nothing is asked for. */
	sim_reset(sim);
	task = at_json(wire_call(wire, "RetryFailed", "{'experiment':{'id':%lld}}",
				 (long long)experiment_id), "task");
	ck_assert_str_eq(at_text(task, "status"), "SUCCESS");
	ck_assert_int_eq(at_int(task, "retry_of"), id);
	ck_assert_int_eq(sim_stat(sim, "calls"), 0);
	counters_must_be_exact();
	ck_assert_int_eq(spent_for_nothing(), 0);
	ck_assert_int_eq(daemon_stop(server), 0);
}
END_TEST

/* Fails again: counted as such, and still not lost. */
START_TEST(retry_fails_again)
{
	json_object *task;
	int64_t failed;

	begin((const char *[]) { "--content_filter_rate=0.5", NULL });
	task = run_first(&(struct experiment) { .rows = 20, .url = sim_url(sim) });
	failed = at_int(task, "result.results.failed_responses");
	ck_assert_int_gt(failed, 0);
	sim_control(sim, "{'content_filter_rate':1}");
	task = at_json(wire_call(wire, "RetryFailed", "{'experiment':{'id':%lld}}",
				 (long long)experiment_id), "task");
	ck_assert_str_eq(at_text(task, "status"), "SUCCESS");
	ck_assert_int_eq(at_int(task, "result.results.failed_responses"), failed);
	ck_assert_int_eq(sim_stat(sim, "calls"), failed);
	counters_must_be_exact();
	ck_assert_int_eq(spent_for_nothing(), 0);
	ck_assert_int_eq(daemon_stop(server), 0);
}
END_TEST

/* Two that rate the same at once, and the experiment's own run beside them. */
START_TEST(side_by_side)
{
	json_object *task;
	int64_t id, live;

	begin((const char *[]) { "--latency_seconds=0.02", NULL });
	live = experiment_submit(wire, &(struct experiment) {
		.rows = 60, .n_criteria = 2, .url = sim_url(sim), .max_connections = 4 });
	experiment_id = at_int(task_get(wire, live), "experiment_id");
	experiment_await_recorded(wire, live, experiment_id, 40);
	wire_call(wire, "CancelTask", "{'id':%lld}", (long long)live);
	id = at_int(wire_call(wire, "RateResponses", "{'experiment':{'id':%lld},'detach':true}",
			      (long long)experiment_id), "task.id");
	task = at_json(wire_call(wire, "RunExperiment", "{'experiment':{'id':%lld}}",
				 (long long)experiment_id), "task");
	ck_assert_str_eq(at_text(task, "status"), "SUCCESS");
	ck_assert_int_eq(at_int(task, "progress.responses_rated"), 60);
	ck_assert_int_eq(at_int(task, "result.results.ratings"), 120);
	task_await_status(server, id, "SUCCESS");
	/* The next run counts what the other recorded. */
	wire_call(wire, "RunExperiment", "{'experiment':{'id':%lld}}", (long long)experiment_id);
	counters_must_be_exact();
	/* Each run has spent what it asked for. */
	ck_assert_int_ge(spent_for_nothing(), 0);
	ck_assert_int_eq(daemon_stop(server), 0);
}
END_TEST

/* ---- A person's verdict ---- */

__attribute__((format(printf, 1, 2))) static json_object *edit(const char *parameters, ...)
{
	va_list values;
	char *filled;

	va_start(values, parameters);
	ck_assert_int_ge(vasprintf(&filled, parameters, values), 0);
	va_end(values);
	return at_json(wire_call(wire, "EditRating", "%s", requoted(filled)), "rating");
}

static size_t n_rated(int64_t criterion_id, const char *rating)
{
	return json_object_array_length(
		list_all(wire, "ListResponses", "'experiment':{'id':%lld},'criterion_id':%lld,'rating':'%s'",
			 (long long)experiment_id, (long long)criterion_id, rating));
}

static void results_must_tell_verdicts(int64_t criterion_id)
{
	double yes = at_number(results_of(), "results.criteria.0.yes.value") * 10;

	ck_assert(fabs(yes - (double)n_rated(criterion_id, "YES")) < 1e-9);
}

/* It stands for what the judge said, which stays visible; who judges again does not undo it. */
START_TEST(a_person_overrules)
{
	json_object *before, *after, *all, *rating;
	long long id, response_id, criterion_id;
	size_t n_no, at;

	begin(NULL);
	run_first(&(struct experiment) { .rows = 10, .n_criteria = 2, .url = sim_url(sim),
					 .more = "'rating_mode':'detailed'" });
	before = results_of();
	criterion_id = at_int(before, "criterion_set.criteria.0.id");
	all = list_all(wire, "ListResponses",
		       "'experiment':{'id':%lld},'criterion_id':%lld,'rating':'YES'",
		       (long long)experiment_id, criterion_id);
	response_id = at_int(all, "0.id");
	id = at_int(all, "0.ratings.0.id");
	n_no = n_rated(criterion_id, "NO");
	rating = edit("{'response_id':%lld,'criterion_id':%lld,'rating':'NO','reasoning':'Not at all.'}",
		      response_id, criterion_id);
	ck_assert_int_eq(at_int(rating, "id"), id);
	ck_assert_str_eq(at_text(rating, "rating"), "NO");
	ck_assert_str_eq(at_text(rating, "judge"), "person");
	ck_assert_str_eq(at_text(rating, "reasoning"), "Not at all.");
	ck_assert_str_eq(at_text(rating, "original.rating"), "YES");
	ck_assert(at_has(rating, "original.reasoning"));
	ck_assert_uint_eq(n_rated(criterion_id, "NO"), n_no + 1);
	after = results_of();
	ck_assert(at_number(after, "results.criteria.0.yes.value") + 0.1 -
			  at_number(before, "results.criteria.0.yes.value") < 1e-9);
	ck_assert_int_eq(at_int(after, "results.criteria.0.yes.n_scored"), 10);
	/* The same from every side, and each rating once. */
	rating = list_all(wire, "ListRatings", "'experiment':{'id':%lld},'response_id':%lld",
			  (long long)experiment_id, response_id);
	ck_assert_uint_eq(json_object_array_length(rating), 2);
	ck_assert(at_is(rating, "0.rating", "NO") && at_is(rating, "0.original.rating", "YES"));
	ck_assert_int_eq(at_int(wire_call(wire, "ListRatings", "{'experiment':{'id':%lld},'count':true}",
					  (long long)experiment_id), "count"), 20);
	counters_must_be_exact();
	ck_assert_int_eq(spent_for_nothing(), 0);
	/* Another judge changes nothing about it, nor does a restart. */
	rate_well("RateExperiment", text("{'experiment':{'id':%lld},'rating_mode':'fast'}",
					 (long long)experiment_id));
	kill_server();
	daemon_restart(server);
	wire = daemon_connect(server);
	all = list_all(wire, "ListResponses", "'experiment':{'id':%lld},'rating':'NO','criterion_id':%lld",
		       (long long)experiment_id, criterion_id);
	for (at = 0; at_int(all, text("%zu.id", at)) != response_id;)
		at++;
	ck_assert_str_eq(at_text(all, text("%zu.ratings.0.judge", at)), "person");
	ck_assert(at_has(all, text("%zu.ratings.0.original", at)));
	results_must_tell_verdicts(criterion_id);
	/* Undone, the judge's verdict counts, whatever it is by now. */
	rating = edit("{'response_id':%lld,'criterion_id':%lld,'undo':true}", response_id, criterion_id);
	ck_assert(!at_is(rating, "judge", "person") && !at_has(rating, "original"));
	results_must_tell_verdicts(criterion_id);
	edit("{'rating_id':%lld,'undo':true}", id); // once more is no harm
	counters_must_be_exact();
	ck_assert_int_eq(spent_for_nothing(), 0);
	ck_assert_int_eq(daemon_stop(server), 0);
}
END_TEST

static void assert_near(json_object *reply, const char *path, double expected)
{
	ck_assert_msg(fabs(at_number(reply, path) - expected) < 1e-9, "%s: %.12g", path,
		      at_number(reply, path));
}

#define N_EPOCHS 3

/* How many epochs of a row meet a criterion, or (-1) each; -1: it has no such row. */
static int met_of(json_object *responses, size_t row, int criterion)
{
	int met = 0;

	if (row * N_EPOCHS >= json_object_array_length(responses))
		return -1;
	for (size_t i = row * N_EPOCHS; i < (row + 1) * N_EPOCHS; i++) {
		bool first = at_is(responses, text("%zu.ratings.0.rating", i), "YES");
		bool second = at_is(responses, text("%zu.ratings.1.rating", i), "YES");

		met += criterion < 0 ? first && second : criterion ? second : first;
	}
	return met;
}

static bool is_between(int met)
{
	return met > 0 && met < N_EPOCHS;
}

/* Results and list say of rows what their responses, three of each, say; by two criteria. How many are flaky. */
static int check_rows(void)
{
	json_object *responses = list_all(wire, "ListResponses", "'experiment':{'id':%lld}",
					  (long long)experiment_id);
	json_object *flaky = list_all(wire, "ListFlakyRows", "'experiment':{'id':%lld}",
				      (long long)experiment_id);
	json_object *results = at_json(results_of(), "results"), *page;
	int any = 0, all = 0, majority = 0, n = 0, of_criteria[2] = { 0 }, listed = 0, met;
	double pass_at_2 = 0;
	const char *next = "";

	for (size_t row = 0; (met = met_of(responses, row, -1)) >= 0; row++, n++) {
		bool differs[2];

		for (int i = 0; i < 2; i++) {
			differs[i] = is_between(met_of(responses, row, i));
			of_criteria[i] += differs[i];
		}
		any += met > 0;
		all += met == N_EPOCHS;
		majority += met > 1;
		pass_at_2 += met == 0 ? 0 : met == 1 ? 2.0 / 3 : 1;
		if (!differs[0] && !differs[1])
			continue;
		ck_assert_int_eq(at_int(flaky, text("%d.met", listed)), met);
		ck_assert_int_eq(at_int(flaky, text("%d.decided", listed)), N_EPOCHS);
		ck_assert_int_eq(at_int(flaky, text("%d.template_variables.id", listed)),
				 at_int(responses, text("%zu.template_variables.id", row * N_EPOCHS)));
		ck_assert_uint_eq(at_count(flaky, text("%d.criteria", listed)), differs[0] + differs[1]);
		ck_assert_int_eq(at_int(flaky, text("%d.criteria.0.yes", listed)),
				 met_of(responses, row, !differs[0]));
		listed++;
	}
	ck_assert_uint_eq(json_object_array_length(flaky), listed);
	for (int i = 0; i < listed; i++) {
		page = wire_call(wire, "ListFlakyRows", "{'experiment':{'id':%lld},'limit':1,'count':true%s}",
				 (long long)experiment_id, next);
		ck_assert_int_eq(at_int(page, "count"), listed);
		ck_assert_str_eq(json_object_to_json_string(at_json(page, "items.0")),
				 json_object_to_json_string(at_json(flaky, text("%d", i))));
		ck_assert(at_has(page, "next_cursor") == (i + 1 < listed));
		if (i + 1 < listed)
			next = requoted(text(",'cursor':'%s'", at_text(page, "next_cursor")));
	}
	ck_assert_int_eq(at_int(results, "flaky_rows"), any - all);
	for (int i = 0; i < 2; i++)
		ck_assert_int_eq(at_int(results, text("criteria.%d.flaky_rows", i)), of_criteria[i]);
	assert_near(results, "row_shares.any.value", (double)any / n);
	assert_near(results, "row_shares.all.value", (double)all / n);
	assert_near(results, "row_shares.majority.value", (double)majority / n);
	ck_assert_uint_eq(at_count(results, "row_shares.pass_at"), 3);
	assert_near(results, "row_shares.pass_at.0.rows.value", at_number(results, "success_rate.value"));
	assert_near(results, "row_shares.pass_at.1.rows.value", pass_at_2 / n);
	assert_near(results, "row_shares.pass_at.2.rows.value", (double)any / n);
	json_object_put(responses);
	json_object_put(flaky);
	return listed;
}

/* Three epochs of a row say less than three rows; and what edits have changed is what a recount finds. */
START_TEST(epochs_of_a_row_are_no_rows)
{
	static const char *const edits[] = { "'rating':'NO'", "'rating':'YES'", "'undo':true" };
	json_object *before, *after, *ratings;
	double p, half;

	begin(NULL);
	run_first(&(struct experiment) { .rows = 20, .n_criteria = 2, .url = sim_url(sim),
					 .more = "'n_epochs':3" });
	before = at_json(results_of(), "results.success_rate");
	ck_assert_int_eq(at_int(before, "rows.rows"), 20);
	check_rows();
	p = at_number(before, "value");
	half = 1.96 * sqrt(p * (1 - p) / 60);
	ck_assert_double_gt(at_number(before, "high") - at_number(before, "low"), 2.2 * half);
	ratings = list_all(wire, "ListRatings", "'experiment':{'id':%lld}", (long long)experiment_id);
	for (size_t i = 0; i < 60; i++)
		edit("{'rating_id':%lld,%s}",
		     (long long)at_int(ratings, text("%zu.id", i * 37 % json_object_array_length(ratings))),
		     edits[i * i % 7 % 3]);
	ck_assert_int_gt(check_rows(), 1);
	before = at_json(results_of(), "results");
	rate_well("RateExperiment", text("{'experiment':{'id':%lld}}", (long long)experiment_id));
	after = at_json(results_of(), "results");
	ck_assert_str_eq(json_object_to_json_string(at_json(after, "success_rate")),
			 json_object_to_json_string(at_json(before, "success_rate")));
	ck_assert_str_eq(json_object_to_json_string(at_json(after, "criteria")),
			 json_object_to_json_string(at_json(before, "criteria")));
	check_rows();
	ck_assert_int_eq(daemon_stop(server), 0);
}
END_TEST

/* A row of very many verdicts is not looked at by an edit: what it does to the interval is not known, until
 * all is counted again. */
START_TEST(an_edit_in_a_large_row)
{
	static const char *const edits[] = { "NO", "YES", "NO" };
	double values[3];
	json_object *rate;
	long long id;

	begin(NULL);
	run_first(&(struct experiment) { .rows = 1, .n_criteria = 11, .url = sim_url(sim),
					 .max_connections = 64, .more = "'n_epochs':1000" });
	id = at_int(wire_call(wire, "ListRatings", "{'experiment':{'id':%lld},'limit':1}",
			      (long long)experiment_id), "items.0.id");
	ck_assert(at_has(at_json(results_of(), "results.success_rate"), "low"));
	for (int i = 0; i < 3; i++) {
		edit("{'rating_id':%lld,'rating':'%s'}", id, edits[i]);
		rate = at_json(results_of(), "results.success_rate");
		ck_assert(!at_has(rate, "low") && !at_has(rate, "high"));
		ck_assert(!at_has(at_json(results_of(), "results"), "row_shares"));
		values[i] = at_number(rate, "value");
	}
	ck_assert_double_eq_tol(values[2], values[0], 1e-12);
	rate_well("RateExperiment", text("{'experiment':{'id':%lld}}", (long long)experiment_id));
	ck_assert(at_has(at_json(results_of(), "results.success_rate"), "low"));
	ck_assert_int_eq(daemon_stop(server), 0);
}
END_TEST

/* A new experiment of the name takes over what people said with the answers. */
START_TEST(edits_are_taken_over)
{
	json_object *responses;
	char *request;

	begin(NULL);
	request = experiment_request(&(struct experiment) { .rows = 4, .n_criteria = 1,
							   .url = sim_url(sim) });
	experiment_id = at_int(wire_call(wire, "RunExperiment", "%s", request), "task.experiment_id");
	responses = list_all(wire, "ListResponses", "'experiment':{'id':%lld}", (long long)experiment_id);
	edit("{'rating_id':%lld,'rating':'NO'}", (long long)at_int(responses, "2.ratings.0.id"));
	wire_call(wire, "AnnotateResponse", "{'response_id':%lld,'annotation':'Odd.'}",
		  (long long)at_int(responses, "1.id"));
	free(request);
	request = experiment_request(&(struct experiment) { .rows = 4, .n_criteria = 2, .url = sim_url(sim),
							   .more = "'update_existing':true" });
	experiment_id = at_int(wire_call(wire, "RunExperiment", "%s", request), "task.experiment_id");
	free(request);
	responses = list_all(wire, "ListResponses", "'experiment':{'id':%lld}", (long long)experiment_id);
	ck_assert_str_eq(at_text(responses, "1.annotation"), "Odd.");
	ck_assert(at_is(responses, "2.ratings.0.rating", "NO"));
	ck_assert_str_eq(at_text(responses, "2.ratings.0.judge"), "person");
	ck_assert(!at_has(responses, "2.ratings.1.original"));
	ck_assert_int_eq(daemon_stop(server), 0);
}
END_TEST

START_TEST(edits_refused)
{
	static const struct {
		const char *error, *parameters, *field;
	} refusals[] = {
		{ "org.varlink.service.InvalidParameter", "{'rating':'YES'}", NULL },
		{ "org.varlink.service.InvalidParameter", "{'rating_id':1,'response_id':1,'rating':'YES'}",
		  NULL },
		{ "org.varlink.service.InvalidParameter", "{'response_id':1,'rating':'YES'}", "criterion_id" },
		{ "org.varlink.service.InvalidParameter", "{'rating_id':1,'criterion_id':1,'rating':'YES'}",
		  "criterion_id" },
		{ "org.varlink.service.InvalidParameter", "{'rating_id':1}", "rating" },
		{ "org.varlink.service.InvalidParameter", "{'rating_id':1,'rating':'YES','undo':true}",
		  "undo" },
		{ "org.varlink.service.InvalidParameter", "{'rating_id':1,'rating':'maybe'}", "rating" },
		{ "NotFound", "{'rating_id':4711,'rating':'YES'}", NULL },
		{ "NotFound", "{'response_id':1,'criterion_id':4711,'rating':'YES'}", NULL },
	};
	json_object *reply;
	int64_t id;

	begin((const char *[]) { "--latency_seconds=0.05", NULL });
	run_first(&(struct experiment) { .rows = 20, .n_criteria = 1, .url = sim_url(sim),
					 .max_connections = 20 });
	for (size_t i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++) {
		reply = wire_refused(wire, refusals[i].error, "EditRating", "%s",
				     requoted(refusals[i].parameters));
		if (refusals[i].field)
			ck_assert_str_eq(at_text(reply, "parameters.parameter"), refusals[i].field);
	}
	/* While a task is about to bring its own results. */
	id = submit_slow("RateExperiment");
	reply = wire_refused(wire, "Conflict", "EditRating", "{'rating_id':1,'rating':'NO'}");
	ck_assert_ptr_nonnull(strstr(at_text(reply, "parameters.reason"), text("task %lld", (long long)id)));
	wire_call(wire, "CancelTask", "{'id':%lld}", (long long)id);
	ck_assert_int_eq(database_int(server, "SELECT count(*) FROM ratings WHERE judge_id IS NULL"), 0);
	ck_assert_int_eq(daemon_stop(server), 0);
}
END_TEST

/* ---- Side by side ---- */

/* People say of the first criterion that the judge was right three times, and wrong in the rest; the other
 * has no label. */
START_TEST(judge_and_people)
{
	long long counts[2][2] = { { 0 } }, said[4]; // as the judge and as people say
	json_object *ratings, *reply, *responses;
	double alike, chance, n = 0;

	begin(NULL);
	run_first(&(struct experiment) { .rows = 10, .n_criteria = 2, .url = sim_url(sim),
					 .more = "'n_epochs':2" });
	reply = wire_call(wire, "GetJudgeAgreement", "{'experiment':{'id':%lld}}", (long long)experiment_id);
	ck_assert(!at_has(reply, "all.accuracy.value") && !at_has(reply, "all.kappa"));
	ratings = list_all(wire, "ListRatings", "'experiment':{'id':%lld}", (long long)experiment_id);
	for (size_t i = 0; i < 20; i++) {
		bool yes = at_is(ratings, text("%zu.rating", 2 * i), "YES"), right = i % 5 < 3;

		edit("{'rating_id':%lld,'rating':'%s'}", (long long)at_int(ratings, text("%zu.id", 2 * i)),
		     yes == right ? "YES" : "NO");
		counts[!yes][yes != right]++;
		n++;
	}
	reply = wire_call(wire, "GetJudgeAgreement", "{'experiment':{'id':%lld}}", (long long)experiment_id);
	ck_assert_uint_eq(at_count(reply, "criteria"), 2);
	ck_assert_int_eq(at_int(reply, "criteria.1.accuracy.n_total"), 0);
	for (int i = 0; i < 4; i++)
		said[i] = at_int(reply, text("criteria.0.%s", (const char *const[]){ "yes_yes", "yes_no", "no_yes",
										      "no_no" }[i]));
	ck_assert_int_eq(said[0], counts[0][0]);
	ck_assert_int_eq(said[1], counts[0][1]);
	ck_assert_int_eq(said[2], counts[1][0]);
	ck_assert_int_eq(said[3], counts[1][1]);
	alike = (double)(said[0] + said[3]) / n;
	chance = (double)((said[0] + said[1]) * (said[0] + said[2]) + (said[2] + said[3]) * (said[1] + said[3])) /
		 (n * n);
	ck_assert_double_eq_tol(alike, 0.6, 1e-9);
	assert_near(reply, "criteria.0.accuracy.value", 0.6);
	assert_near(reply, "criteria.0.kappa", (alike - chance) / (1 - chance));
	ck_assert_double_lt(at_number(reply, "criteria.0.kappa_low"), at_number(reply, "criteria.0.kappa"));
	ck_assert_int_eq(at_int(reply, "criteria.0.accuracy.rows.rows"), 10); // of two epochs
	assert_near(reply, "all.accuracy.value", 0.6);
	ck_assert(at_has(reply, "criteria.0.threshold"));
	responses = list_all(wire, "ListResponses", "'experiment':{'id':%lld},'overruled':true",
			     (long long)experiment_id);
	ck_assert_uint_eq(json_object_array_length(responses), 8);
	for (size_t i = 0; i < 8; i++)
		ck_assert_str_ne(at_text(responses, text("%zu.ratings.0.rating", i)),
				 at_text(responses, text("%zu.ratings.0.original.rating", i)));
	ck_assert_uint_eq(json_object_array_length(list_all(wire, "ListResponses",
		"'experiment':{'id':%lld},'overruled':false", (long long)experiment_id)), 12);
	ck_assert_int_eq(daemon_stop(server), 0);
}
END_TEST

/* Criteria meet by their texts; differences are to the first. */
START_TEST(compared)
{
	json_object *first, *reply;
	long long ids[2];

	begin(NULL);
	for (int i = 0; i < 2; i++) {
		run_first(&(struct experiment) {
			.name = i ? "Second" : "First", .rows = 12, .url = sim_url(sim),
			.more = i ? "'criteria':['Is it one?','Is it another?']" :
				    "'criteria':['Is it a first?','Is it one?']" });
		ids[i] = experiment_id;
	}
	reply = wire_call(wire, "CompareExperiments", "{'experiments':[{'name':'First'},{'id':%lld}]}",
			  ids[1]);
	ck_assert_int_eq(at_int(reply, "experiments.0.id"), ids[0]);
	ck_assert_int_eq(at_int(reply, "experiments.1.id"), ids[1]);
	ck_assert_int_eq(at_count(reply, "criteria"), 3);
	ck_assert_str_eq(at_text(reply, "criteria.0.criterion"), "Is it a first?");
	ck_assert_str_eq(at_text(reply, "criteria.1.criterion"), "Is it one?");
	ck_assert_str_eq(at_text(reply, "criteria.2.criterion"), "Is it another?");
	ck_assert(at_has(reply, "criteria.0.rates.0.yes.low") && !at_has(reply, "criteria.0.rates.1.yes"));
	ck_assert(!at_has(reply, "criteria.2.rates.0.yes") && at_has(reply, "criteria.2.rates.1.yes"));
	ck_assert(!at_has(reply, "criteria.2.rates.1.difference"));
	ck_assert(fabs(at_number(reply, "criteria.1.rates.1.yes.value") -
		       at_number(reply, "criteria.1.rates.0.yes.value") -
		       at_number(reply, "criteria.1.rates.1.difference")) < 1e-9);
	first = at_json(wire_call(wire, "GetExperiment", "{'experiment':{'id':%lld}}", ids[0]), "experiment");
	ck_assert_str_eq(json_object_to_json_string(at_json(reply, "criteria.1.rates.0.yes")),
			 json_object_to_json_string(at_json(first, "results.criteria.1.yes")));
	ck_assert_str_eq(json_object_to_json_string(at_json(reply, "success_rate.0.yes")),
			 json_object_to_json_string(at_json(first, "results.success_rate")));
	ck_assert(fabs(at_number(reply, "success_rate.0.difference")) < 1e-9);
	ck_assert(!at_has(reply, "criteria.1.rates.0.paired") && !at_has(reply, "success_rate.0.paired"));
	ck_assert(!at_has(reply, "criteria.2.rates.1.paired")); // the first one was not asked
	ck_assert(!at_has(reply, "criteria.1.rates.1.paired")); // other rows
	reply = wire_refused(wire, "org.varlink.service.InvalidParameter", "CompareExperiments",
			     "{'experiments':[{'id':%lld},{'name':'First'}]}", ids[0]);
	ck_assert_str_eq(at_text(reply, "parameters.parameter"), "experiments[1]");
	wire_refused(wire, "NotFound", "CompareExperiments", "{'experiments':[{'id':%lld},{'id':4711}]}",
		     ids[0]);
	ck_assert_int_eq(daemon_stop(server), 0);
}
END_TEST

/* Twelve rows: two collections of them have the same. */
static const char *twelve(const char *name)
{
	return text("'collection':{'content':{'name':'%s','variables':[{'topic':'a'},{'topic':'b'},{'topic':'c'},"
		    "{'topic':'d'},{'topic':'e'},{'topic':'f'},{'topic':'g'},{'topic':'h'},{'topic':'i'},"
		    "{'topic':'j'},{'topic':'k'},{'topic':'l'}]}}", name);
}

static void verdicts(long long id, int n_yes, int n_no)
{
	json_object *all = list_all(wire, "ListResponses", "'experiment':{'id':%lld}", id);

	for (int i = 0; i < n_yes + n_no; i++)
		edit("{'rating_id':%lld,'rating':'%s'}",
		     (long long)at_int(all, text("%d.ratings.0.id", i)), i < n_yes ? "YES" : "NO");
	json_object_put(all);
}

/* Of twelve rows nine are worse. Intervals and effect from SciPy: ttest_1samp([-1] * 9 + [0] * 3, 0). */
START_TEST(worse_than_chance)
{
	static const char *const places[] = { "success_rate.1", "criteria.0.rates.1" };
	long long ids[3];
	json_object *reply;

	begin(NULL);
	for (int i = 0; i < 3; i++) {
		run_first(&(struct experiment) { .name = text("E%d", i), .n_criteria = 1, .url = sim_url(sim),
						 .more = twelve(text("C%d", i)) });
		ids[i] = experiment_id;
		verdicts(ids[i], i == 1 ? 3 : 12, i == 1 ? 9 : 0);
	}
	reply = wire_call(wire, "CompareExperiments", "{'experiments':[{'id':%lld},{'id':%lld}]}", ids[0],
			  ids[1]);
	for (int i = 0; i < 2; i++) {
		json_object *paired = at_json(reply, text("%s.paired", places[i]));

		ck_assert_int_eq(at_int(paired, "rows"), 12);
		ck_assert_int_eq(at_int(paired, "better"), 0);
		ck_assert_int_eq(at_int(paired, "worse"), 9);
		assert_near(paired, "value", -0.75);
		assert_near(paired, "low", -1); // where it ends: -1.0373567531
		assert_near(paired, "high", -0.4626432469);
		assert_near(paired, "effect_size", -1.6583123952);
		assert_near(paired, "p", 0.00390625);
		assert_near(paired, "p_holm", 0.00390625);
		ck_assert(at_has(paired, "bootstrap_low") == (i == 0));
	}
	ck_assert(at_number(reply, "success_rate.1.paired.bootstrap_low") >= -1 &&
		  at_number(reply, "success_rate.1.paired.bootstrap_high") < -0.4);
	/* One of two that were looked at. */
	reply = wire_call(wire, "CompareExperiments",
			  "{'experiments':[{'id':%lld},{'id':%lld},{'id':%lld}]}", ids[0], ids[1], ids[2]);
	for (int i = 0; i < 2; i++) {
		assert_near(reply, text("%s.paired.p_holm", places[i]), 0.0078125);
		assert_near(reply, text("%s.paired.p_bh", places[i]), 0.0078125);
	}
	assert_near(reply, "success_rate.2.paired.p_holm", 1);
	ck_assert(!at_has(reply, "success_rate.2.paired.effect_size")); // no row differs
	ck_assert_int_eq(daemon_stop(server), 0);
}
END_TEST

/* ---- Case by case ---- */

/* Whether the verdicts on a case, as they stand, are other ones by the first criterion. */
static bool must_differ(json_object *one, json_object *two, size_t case_number)
{
	const char *ratings = text("%zu.ratings.0.rating", case_number);

	return strcmp(at_text(one, ratings), at_text(two, ratings)) != 0;
}

/* Each case once: those that changed, then the rest, both in the order of the rows, with what each
 * experiment's own list says; also in small pages, and over other rows of the same values. */
START_TEST(case_by_case)
{
	json_object *own[3], *all, *page, *found = json_object_new_array();
	const char *next = "", *refs;
	long long ids[3];
	size_t n_changed = 0;

	begin(NULL);
	for (int i = 0; i < 3; i++) {
		run_first(&(struct experiment) {
			.name = text("E%d", i), .url = sim_url(sim),
			.more = text("'collection':{'content':{'name':'C%d','variables':[{'topic':'a'},"
				     "{'topic':'b'},{'topic':'c'},{'topic':'d'}]}},'n_epochs':2,"
				     "'criteria':['Is it one?'%s]", i == 2, i == 1 ? ",'Is it another?'" : "") });
		ids[i] = experiment_id;
	}
	for (int i = 0; i < 3; i++)
		own[i] = list_all(wire, "ListResponses", "'experiment':{'id':%lld}", ids[i]);
	/* Two cases at least are other ones. */
	for (int i = 3; i < 6; i += 2)
		edit("{'rating_id':%lld,'rating':'%s'}",
		     (long long)at_int(own[1], text("%d.ratings.0.id", i)),
		     at_is(own[0], text("%d.ratings.0.rating", i), "YES") ? "NO" : "YES");
	own[1] = list_all(wire, "ListResponses", "'experiment':{'id':%lld}", ids[1]);
	refs = requoted(text("'experiments':[{'id':%lld},{'id':%lld},{'name':'E2'}]", ids[0], ids[1]));
	all = list_all(wire, "ListComparedCases", "%s", refs);
	ck_assert_uint_eq(json_object_array_length(all), json_object_array_length(own[0]));
	for (size_t pass = 0, k = 0; pass < 2; pass++)
		for (size_t i = 0; i < json_object_array_length(own[0]); i++) {
			bool changed = must_differ(own[0], own[1], i) || must_differ(own[0], own[2], i);

			if (changed == (pass > 0))
				continue;
			n_changed += changed;
			ck_assert(at_bool(all, text("%zu.changed", k)) == changed);
			ck_assert_int_eq(at_int(all, text("%zu.epoch", k)), at_int(own[0], text("%zu.epoch", i)));
			ck_assert_int_eq(at_int(all, text("%zu.template_variables.id", k)),
					 at_int(own[0], text("%zu.template_variables.id", i)));
			for (size_t e = 0; e < 3; e++) {
				const char *response = text("%zu.responses.%zu.", k, e);

				ck_assert_int_eq(at_int(all, text("%sresponse_id", response)),
						 at_int(own[e], text("%zu.id", i)));
				ck_assert_str_eq(at_text(all, text("%sresponse_text", response)),
						 at_text(own[e], text("%zu.response_text", i)));
				ck_assert_uint_eq(at_count(all, text("%sverdicts", response)), e == 1 ? 2 : 1);
				ck_assert_str_eq(at_text(all, text("%sverdicts.0.rating", response)),
						 at_text(own[e], text("%zu.ratings.0.rating", i)));
			}
			k++;
		}
	ck_assert_uint_ge(n_changed, 2);
	/* Two epochs of a row are one difference. */
	page = wire_call(wire, "CompareExperiments", "{%s}", refs);
	for (size_t e = 1; e < 3; e++) {
		double sum = 0;

		for (size_t i = 0; i < json_object_array_length(own[0]); i++)
			sum += at_is(own[e], text("%zu.ratings.0.rating", i), "YES") -
			       at_is(own[0], text("%zu.ratings.0.rating", i), "YES");
		ck_assert_int_eq(at_int(page, text("criteria.0.rates.%zu.paired.rows", e)), 4);
		assert_near(page, text("criteria.0.rates.%zu.paired.value", e), sum / 8);
	}
	do {
		page = wire_call(wire, "ListComparedCases", "{%s,'limit':1,'count':true%s}", refs, next);
		ck_assert_int_eq(at_int(page, "count"), (long long)json_object_array_length(own[0]));
		json_object_array_add(found, json_object_get(at_json(page, "items.0")));
		next = at_has(page, "next_cursor") ?
			       requoted(text(",'cursor':'%s'", at_text(page, "next_cursor"))) : NULL;
	} while (next);
	ck_assert_str_eq(json_object_to_json_string(found), json_object_to_json_string(all));
	for (int changed = 0; changed < 2; changed++) {
		page = wire_call(wire, "ListComparedCases", "{%s,'changed':%s,'count':true}", refs,
				 changed ? "true" : "false");
		ck_assert_uint_eq(at_count(page, "items"),
				  changed ? n_changed : json_object_array_length(all) - n_changed);
		ck_assert_int_eq(at_int(page, "count"), (long long)at_count(page, "items"));
		ck_assert(!at_has(page, "next_cursor"));
	}
	for (int better = 0; better < 2; better++) {
		size_t n = 0;

		for (size_t i = 0; i < json_object_array_length(own[0]); i++)
			n += at_is(own[0], text("%zu.ratings.0.rating", i), better ? "NO" : "YES") &&
			     at_is(own[1], text("%zu.ratings.0.rating", i), better ? "YES" : "NO");
		page = wire_call(wire, "ListComparedCases", "{'experiments':[{'id':%lld},{'id':%lld}],"
				 "'better':%s,'count':true,'criterion_ids':[%lld,%lld]}", ids[0], ids[1],
				 better ? "true" : "false", (long long)at_int(all, "0.responses.0.verdicts.0.criterion_id"),
				 (long long)at_int(all, "0.responses.1.verdicts.0.criterion_id"));
		ck_assert_uint_eq(at_count(page, "items"), n);
		ck_assert_int_eq(at_int(page, "count"), (long long)n);
	}
	wire_refused(wire, "org.varlink.service.InvalidParameter", "ListComparedCases",
		     "{%s,'criterion_ids':[1]}", refs);
	/* A cursor of the rest is none of those that changed. */
	wire_refused(wire, "org.varlink.service.InvalidParameter", "ListComparedCases",
		     "{%s,'changed':true,'cursor':'u0.0'}", refs);
	page = wire_refused(wire, "org.varlink.service.InvalidParameter", "ListComparedCases",
			    "{'experiments':[{'name':'E0'},{'id':%lld}]}", ids[0]);
	ck_assert_str_eq(at_text(page, "parameters.parameter"), "experiments[1]");
	wire_refused(wire, "NotFound", "ListComparedCases", "{'experiments':[{'name':'E0'},{'id':4711}]}");
	ck_assert_int_eq(daemon_stop(server), 0);
}
END_TEST

START_TEST(same_key)
{
	const char *request;
	json_object *one, *two;

	begin(NULL);
	run_first(&(struct experiment) { .rows = 4, .n_criteria = 1, .url = sim_url(sim) });
	request = text("{'experiment':{'id':%lld},'rating_mode':'detailed','idempotency_key':'k'}",
		       (long long)experiment_id);
	one = rate_well("RateExperiment", request);
	two = rate_well("RateExperiment", request);
	ck_assert_int_eq(at_int(one, "id"), at_int(two, "id"));
	ck_assert_int_eq(sim_stat(sim, "calls"), 4);
	wire_refused(wire, "Conflict", "RateResponses", "%s", requoted(request));
	ck_assert_int_eq(daemon_stop(server), 0);
}
END_TEST

int main(void)
{
	return RUN_SUITE(rate_experiment, rate_experiment_fails, retry_failed, retry_fails_again,
			 side_by_side, judge_and_people, compared, worse_than_chance, case_by_case, a_person_overrules, epochs_of_a_row_are_no_rows, an_edit_in_a_large_row,
			 edits_are_taken_over, edits_refused,
			 same_key);
}
