/* Verdicts that people put in the place of a judge's: what lists and results make of them. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/harness/database.h"
#include "tests/integration/rating.h"

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
	rating = edit_rating("{'response_id':%lld,'criterion_id':%lld,'rating':'NO','reasoning':'Not at all.'}",
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
	rating = edit_rating("{'response_id':%lld,'criterion_id':%lld,'undo':true}", response_id, criterion_id);
	ck_assert(!at_is(rating, "judge", "person") && !at_has(rating, "original"));
	results_must_tell_verdicts(criterion_id);
	edit_rating("{'rating_id':%lld,'undo':true}", id); // once more is no harm
	counters_must_be_exact();
	ck_assert_int_eq(spent_for_nothing(), 0);
	ck_assert_int_eq(daemon_stop(server), 0);
}
END_TEST

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
	must_be_near(results, "row_shares.any.value", (double)any / n);
	must_be_near(results, "row_shares.all.value", (double)all / n);
	must_be_near(results, "row_shares.majority.value", (double)majority / n);
	ck_assert_uint_eq(at_count(results, "row_shares.pass_at"), 3);
	must_be_near(results, "row_shares.pass_at.0.rows.value", at_number(results, "success_rate.value"));
	must_be_near(results, "row_shares.pass_at.1.rows.value", pass_at_2 / n);
	must_be_near(results, "row_shares.pass_at.2.rows.value", (double)any / n);
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
		edit_rating("{'rating_id':%lld,%s}",
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
		edit_rating("{'rating_id':%lld,'rating':'%s'}", id, edits[i]);
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
	edit_rating("{'rating_id':%lld,'rating':'NO'}", (long long)at_int(responses, "2.ratings.0.id"));
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

/* Where a person gave the verdict that the judge did not, nothing failed; `n` others did. */
static void failures_must_be(int64_t n)
{
	json_object *results = at_json(results_of(), "results");

	ck_assert_int_eq(at_int(results, "failed_ratings"), n);
	ck_assert_int_eq(at_count(results, "errors"), n > 0);
	ck_assert(n == 0 || at_int(results, "errors.0.count") == n);
}

START_TEST(failed_verdicts)
{
	json_object *all;

	begin((const char *[]) { "--bad_verdict_rate=1", NULL });
	run_first(&(struct experiment) { .rows = 2, .url = sim_url(sim),
					 .more = "'measures':[{'criterion_str':'Is it good?'},{'criterion_str':"
						 "'short','check':{'kind':'length','value':'1..'}}]" });
	failures_must_be(2);
	all = list_all(wire, "ListRatings", "'experiment':{'id':%lld}", (long long)experiment_id);
	for (int i = 0; i < 2; i++) {
		edit_rating("{'rating_id':%lld,'rating':'YES'}", (long long)at_int(all, text("%d.id", 2 * i)));
		failures_must_be(1 - i);
	}
	edit_rating("{'rating_id':%lld,'undo':true}", (long long)at_int(all, "0.id"));
	failures_must_be(1);
	/* The same when they are counted again. */
	rate("RateExperiment", text("{'experiment':{'id':%lld}}", (long long)experiment_id));
	failures_must_be(1);
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

int main(void)
{
	return RUN_SUITE(a_person_overrules, epochs_of_a_row_are_no_rows, an_edit_in_a_large_row,
			 edits_are_taken_over, failed_verdicts, edits_refused);
}
