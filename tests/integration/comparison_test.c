/* Judge beside people, and experiments side by side: by criterion, and case by case. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "tests/integration/rating.h"

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

		edit_rating("{'rating_id':%lld,'rating':'%s'}", (long long)at_int(ratings, text("%zu.id", 2 * i)),
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
	must_be_near(reply, "criteria.0.accuracy.value", 0.6);
	must_be_near(reply, "criteria.0.kappa", (alike - chance) / (1 - chance));
	ck_assert_double_lt(at_number(reply, "criteria.0.kappa_low"), at_number(reply, "criteria.0.kappa"));
	ck_assert_int_eq(at_int(reply, "criteria.0.accuracy.rows.rows"), 10); // of two epochs
	must_be_near(reply, "all.accuracy.value", 0.6);
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
		edit_rating("{'rating_id':%lld,'rating':'%s'}",
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
		must_be_near(paired, "value", -0.75);
		must_be_near(paired, "low", -1); // where it ends: -1.0373567531
		must_be_near(paired, "high", -0.4626432469);
		must_be_near(paired, "effect_size", -1.6583123952);
		must_be_near(paired, "p", 0.00390625);
		must_be_near(paired, "p_holm", 0.00390625);
		ck_assert(at_has(paired, "bootstrap_low") == (i == 0));
	}
	ck_assert(at_number(reply, "success_rate.1.paired.bootstrap_low") >= -1 &&
		  at_number(reply, "success_rate.1.paired.bootstrap_high") < -0.4);
	/* One of two that were looked at. */
	reply = wire_call(wire, "CompareExperiments",
			  "{'experiments':[{'id':%lld},{'id':%lld},{'id':%lld}]}", ids[0], ids[1], ids[2]);
	for (int i = 0; i < 2; i++) {
		must_be_near(reply, text("%s.paired.p_holm", places[i]), 0.0078125);
		must_be_near(reply, text("%s.paired.p_bh", places[i]), 0.0078125);
	}
	must_be_near(reply, "success_rate.2.paired.p_holm", 1);
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
		edit_rating("{'rating_id':%lld,'rating':'%s'}",
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
		must_be_near(page, text("criteria.0.rates.%zu.paired.value", e), sum / 8);
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

int main(void)
{
	return RUN_SUITE(judge_and_people, compared, worse_than_chance, case_by_case);
}
