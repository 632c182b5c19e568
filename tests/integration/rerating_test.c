/*
 * An experiment rated anew, and what failed asked for again: what it shows before and after, what
 * the endpoint is asked for, and that its counters stay those of its rows.
 */
#include <stdio.h>
#include <string.h>

#include "tests/harness/database.h"
#include "tests/integration/rating.h"

static const char *judge_config(const char *name)
{
	return text("{'content':{'name':'%s','provider':'openai','llm_model_name':'%s',"
		    "'llm_base_url':'%s','max_retries':1}}", name, name, sim_url(sim));
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

/* Simulated verdicts on a model's answers are had again where the experiment names that judge, and are
 * nobody's wish where it is merely the default. */
START_TEST(simulated_judge)
{
	json_object *task;
	int64_t first;

	begin(NULL);
	run_first(&(struct experiment) { .rows = 4, .n_criteria = 1, .url = sim_url(sim),
					 .more = "'rating_llm_config':{'ref':{'name':'simulated'}}" });
	first = at_int(wire_call(wire, "ListResponses", "{'experiment':{'id':%lld}}", (long long)experiment_id),
		       "items.0.id");
	task = rate_well("RateExperiment", text("{'experiment':{'id':%lld},'rating_mode':'detailed'}",
						(long long)experiment_id));
	ck_assert_int_eq(at_int(task, "result.results.ratings"), 4);
	rate_well("RateResponses", text("{'response_ids':[%lld],'criteria':['Is it new?']}", (long long)first));
	ck_assert_int_eq(sim_stat(sim, "calls"), 0);
	run_first(&(struct experiment) { .name = "Other", .rows = 1, .n_criteria = 1, .url = sim_url(sim) });
	task = rate("RateResponses", text("{'response_ids':[%lld,%lld],'criteria':['Is it new?']}",
					  (long long)first, (long long)first + 4));
	ck_assert_str_eq(at_text(task, "status"), "REJECTED");
	ck_assert_str_eq(at_text(task, "error.field"), "rating_llm_config");
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
	return RUN_SUITE(rate_experiment, simulated_judge, rate_experiment_fails, retry_failed, retry_fails_again,
			 side_by_side, same_key);
}
