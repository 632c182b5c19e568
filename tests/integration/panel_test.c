/*
 * Several judges: each is asked by itself, once, and what they say comes to one verdict, which is the
 * experiment's. What they agree on, and who goes on after whom.
 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "tests/harness/command.h"
#include "tests/harness/database.h"
#include "tests/integration/rating.h"

#define JUDGES 3

static struct sim *sims[JUDGES]; // judges, who are of different minds; the first answers too

static void begin_with_judges(void)
{
	static char seeds[JUDGES][20];

	begin(NULL);
	sims[0] = sim;
	for (int i = 1; i < JUDGES; i++) {
		snprintf(seeds[i], sizeof(seeds[i]), "--seed=%d", 100 + i);
		sims[i] = sim_start((const char *[]) { seeds[i], NULL });
	}
}

static int64_t calls(void)
{
	int64_t n = 0;

	for (int i = 0; i < JUDGES; i++)
		n += sim_stat(sims[i], "calls");
	return n;
}

static const char *judge(int i)
{
	return text("{'content':{'name':'judge %d','provider':'openai','llm_model_name':'m%d','llm_base_url':'%s',"
		    "'max_connections':4}}", i, i, sim_url(sims[i]));
}

static const char *judges(int n, const char *reduction)
{
	return text("'rating_llm_configs':[%s,%s%s%s],'rating_reduction':'%s'", judge(0), judge(1),
		    n > 2 ? "," : "", n > 2 ? judge(2) : "", reduction);
}

static bool is_of_panel(const char *name, int n_judges)
{
	int i = -1;

	return sscanf(name, "judge %d", &i) == 1 && i < n_judges;
}

/* Of each response and criterion the verdict is what the first so many judges come to; and all of them
 * agree by Krippendorff's alpha, here by its definition for two values. */
static void check_panel(int n_judges, bool is_mean, size_t n_responses)
{
	json_object *responses = list_all(wire, "ListResponses", "'experiment':{'id':%lld}",
					  (long long)experiment_id);
	json_object *reply = wire_call(wire, "GetJudgeAgreement", "{'experiment':{'id':%lld}}",
				       (long long)experiment_id);
	double unlike = 0, n_yes = 0, n = 0;

	ck_assert_uint_eq(json_object_array_length(responses), n_responses);
	for (size_t i = 0; i < n_responses; i++) {
		json_object *said = list_all(wire, "ListRatings", "'experiment':{'id':%lld},'response_id':%lld",
					     (long long)experiment_id,
					     (long long)at_int(responses, text("%zu.id", i)));

		for (int k = 0; k < 2; k++) {
			json_object *rating = at_json(responses, text("%zu.ratings.%d", i, k));
			int yes = 0, of = 0;

			for (size_t m = 0; m < json_object_array_length(said); m++) {
				if (!is_of_panel(at_text(said, text("%zu.judge", m)), n_judges) ||
				    at_int(said, text("%zu.criterion.id", m)) != at_int(rating, "criterion.id"))
					continue;
				yes += at_is(said, text("%zu.rating", m), "YES");
				of++;
			}
			ck_assert_int_eq(of, n_judges);
			ck_assert_str_eq(at_text(rating, "rating"),
					 (is_mean ? 2 * yes >= n_judges : 2 * yes > n_judges) ? "YES" : "NO");
			ck_assert_double_eq_tol(at_number(rating, "score"),
						is_mean ? (double)yes / n_judges : 2 * yes > n_judges, 1e-9);
			unlike += 2.0 * yes * (n_judges - yes) / (n_judges - 1);
			n_yes += yes;
			n += n_judges;
		}
		json_object_put(said);
	}
	ck_assert_double_eq_tol(at_number(reply, "all.alpha"), 1 - (n - 1) * unlike / (2 * n_yes * (n - n_yes)),
				1e-9);
	ck_assert_double_le(at_number(reply, "all.alpha_low"), at_number(reply, "all.alpha"));
	ck_assert(at_has(reply, "criteria.1.alpha_scores"));
	json_object_put(responses);
}

START_TEST(majority_and_mean)
{
	json_object *task;

	begin_with_judges();
	run_first(&(struct experiment) { .rows = 10, .n_criteria = 2, .url = sim_url(sim),
					 .more = judges(3, "majority") });
	check_panel(3, false, 10);
	ck_assert_int_eq(database_int(server, "SELECT sum(ratings) FROM run_epochs"), 20);
	ck_assert_int_eq(at_int(results_of(), "results.ratings"), 20);
	ck_assert_str_eq(at_text(results_of(), "rating_llm_configs.2.name"), "judge 2");
	/* Rated again: of what they have said nothing is asked again, be it by another panel. */
	for (int i = 0; i < JUDGES; i++)
		sim_reset(sims[i]);
	rate_well("RateExperiment", text("{'experiment':{'id':%lld}}", (long long)experiment_id));
	task = rate_well("RateExperiment",
			 text("{'experiment':{'id':%lld},'rating_llm_configs':[{'ref':{'name':'judge 0'}},"
			      "{'ref':{'name':'judge 1'}}],'rating_reduction':'mean'}", (long long)experiment_id));
	ck_assert_int_eq(at_int(task, "result.results.ratings"), 20);
	ck_assert_int_eq(calls(), 0);
	check_panel(2, true, 10);
	/* More epochs are judged by the same. */
	wire_call(wire, "AddEpochs", "{'experiment':{'id':%lld},'epochs':1}", (long long)experiment_id);
	ck_assert_int_eq(calls(), 10 + 2 * 20);
	check_panel(2, true, 20);
	ck_assert_uint_eq(at_count(wire_call(wire, "CloneExperiment", "{'experiment':{'id':%lld}}",
					     (long long)experiment_id), "experiment.rating_llm_configs"), 2);
	/* An archive has them, and what they came to. */
	command_run_line(server, 0, "$0 export Experiment -o there.tar && $0 import there.tar --name Copy");
	task = at_json(wire_call(wire, "GetExperiment", "{'experiment':{'name':'Copy'}}"), "experiment");
	ck_assert_uint_eq(at_count(task, "rating_llm_configs"), 2);
	ck_assert_str_eq(at_text(task, "rating_reduction"), "mean");
	ck_assert_uint_eq(json_object_array_length(list_all(wire, "ListRatings", "'experiment':{'name':'Copy'}")), 40);
	ck_assert_int_eq(daemon_stop(server), 0);
}
END_TEST

static int64_t answered(void)
{
	int64_t n = 0;

	for (int i = 0; i < JUDGES; i++)
		n += sim_stat(sims[i], "answered");
	return n;
}

/* Killed while they are at it: each goes on with what he has not said. */
START_TEST(resumed)
{
	int64_t id, left;

	begin_with_judges();
	run_first(&(struct experiment) { .rows = 60, .n_criteria = 2, .url = sim_url(sim),
					 .max_connections = 4 });
	for (int i = 0; i < JUDGES; i++) {
		sim_reset(sims[i]);
		sim_control(sims[i], "{'latency_seconds':0.1}"); // three seconds in all
	}
	id = at_int(wire_call(wire, "RateExperiment", "{'experiment':{'id':%lld},'rating_mode':'detailed',"
						      "'detach':true,%s}", (long long)experiment_id,
			      requoted(judges(3, "majority"))), "task.id");
	await_recorded(id, 30);
	kill_server();
	for (int i = 1; i < JUDGES; i++)
		sim_await_closed(sims[i]);
	left = 360 - database_int(server, "SELECT count(*) FROM ratings g JOIN judges j ON j.id = g.judge_id"
					  " WHERE j.kind = 'model' AND j.rating_mode = 'detailed'");
	ck_assert_int_gt(left, 0);
	for (int i = 0; i < JUDGES; i++) {
		sim_reset(sims[i]);
		sim_control(sims[i], "{'latency_seconds':0}");
	}
	daemon_restart(server);
	wire = daemon_connect(server);
	task_await_status(server, id, "SUCCESS");
	ck_assert_int_eq(answered(), left);
	check_panel(3, false, 60);
	ck_assert_int_eq(database_int(server, "SELECT count(*) FROM ratings g JOIN judges j ON j.id = g.judge_id"
					      " WHERE j.kind = 'panel'"), 120);
	ck_assert_int_eq(recorded(id), 120);
	ck_assert_int_eq(daemon_stop(server), 0);
}
END_TEST

/* Who cannot be had is left out; where nobody can, there is an error. */
START_TEST(one_is_down)
{
	json_object *ratings;

	begin_with_judges();
	sim_control(sims[2], "{'bad_verdict_rate':1}");
	run_first(&(struct experiment) { .rows = 4, .n_criteria = 2, .url = sim_url(sim),
					 .more = judges(3, "mean") });
	ck_assert_int_eq(at_int(results_of(), "results.failed_ratings"), 0);
	ratings = list_all(wire, "ListRatings", "'experiment':{'id':%lld}", (long long)experiment_id);
	for (size_t i = 0; i < json_object_array_length(ratings); i++)
		ck_assert(at_has(ratings, text("%zu.error", i)) ==
			  at_is(ratings, text("%zu.judge", i), "judge 2"));
	ck_assert_int_eq(daemon_stop(server), 0);
}
END_TEST

START_TEST(refused)
{
	static const struct {
		const char *parts, *field;
	} refusals[] = {
		{ "'rating_llm_configs':[{'ref':{'id':1}}]", "rating_llm_configs" },
		{ "'rating_llm_configs':[{'ref':{'id':1}},{'ref':{'id':1}}]", "rating_llm_configs[1]" },
		{ "'rating_llm_config':{'ref':{'id':1}},'rating_llm_configs':[{'ref':{'id':1}},{'ref':{'id':2}}]",
		  "rating_llm_config" },
		{ "'rating_reduction':'mean'", "rating_reduction" },
	};
	json_object *reply;

	begin(NULL);
	run_first(&(struct experiment) { .rows = 2, .n_criteria = 1, .url = sim_url(sim) });
	for (size_t i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++) {
		reply = wire_refused(wire, "org.varlink.service.InvalidParameter", "RateExperiment", "%s",
				     requoted(text("{'experiment':{'id':%lld},%s}", (long long)experiment_id,
						   refusals[i].parts)));
		ck_assert_str_eq(at_text(reply, "parameters.parameter"), refusals[i].field);
	}
	ck_assert_int_eq(daemon_stop(server), 0);
}
END_TEST

int main(void)
{
	return RUN_SUITE(majority_and_mean, resumed, one_is_down, refused);
}
