#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/work/experiment/batching.h"
#include "daemon/work/experiment/experiment_run.h"
#include "daemon/work/judging/judge.h"
#include "proto/content/template.h"
#include "proto/text/plural.h"
#include "proto/text/utf8.h"

/* ---- The end ---- */

static void fail_all(struct experiment_run *run, int64_t n, const char *item)
{
	const struct ellu_experiment_results *results = run->results.ret_results;
	struct fault *fault = &run->base.fault;

	run->base.end.status = TASK_FAILURE;
	fault_set(fault, ELLU_E_BACKEND_UNAVAILABLE, "all %" PRId64 " %ss failed", n, item);
	for (size_t i = 0; i < results->n_errors; i++) {
		const struct ellu_error_count *commonest = results->errors[i];

		if (strcmp(commonest->item, item) != 0)
			continue;
		fault_from_error(commonest->error, fault);
		if (commonest->count == n)
			snprintf(fault->message, sizeof(fault->message), "all %" PRId64 " %ss failed: %s", n,
				 item, commonest->error->message);
		else
			snprintf(fault->message, sizeof(fault->message),
				 "all %" PRId64 " %ss failed, %" PRId64 " of them with: %s", n, item,
				 commonest->count, commonest->error->message);
		return;
	}
}

static void fail_if_all_failed(struct experiment_run *run)
{
	const struct ellu_experiment_results *results = run->results.ret_results;

	if (progress_all_failed(&run->base.progress))
		fail_all(run, run->base.progress.total, "response");
	else if (results->ratings > 0 && results->failed_ratings == results->ratings)
		fail_all(run, results->ratings, "rating");
}

static void end_experiment(struct run *base)
{
	struct experiment_run *run = (struct experiment_run *)base;

	base->result.experiment_id = &base->task.experiment_id;
	base->result.results = run->results.ret_results;
	fail_if_all_failed(run);
}

/* What an experiment does not take over is no result of it. */
static void end_rating(struct run *base)
{
	struct experiment_run *run = (struct experiment_run *)base;

	if (run->spec->adopt) {
		end_experiment(base);
		if (base->end.status == TASK_FAILURE)
			base->end.result = NULL;
		return;
	}
	base->result.ratings = run->results.ret_ratings;
	fail_if_all_failed(run);
}

static void conclude(struct run *base)
{
	struct experiment_run *run = (struct experiment_run *)base;

	progress_complete(&base->progress);
	run_changed(base);
	run->results.run_id = run->spec->run_id;
	run_conclude(base, &run->results.request);
	store_results_compute(base->host.store, &run->results);
}

/* ---- Caps ---- */

static bool same_endpoint(const struct ellu_llm_config *a, const struct ellu_llm_config *b)
{
	return a && b && same_text(a->provider, b->provider) &&
	       same_text(a->llm_base_url, b->llm_base_url) &&
	       same_text(a->llm_model_name, b->llm_model_name) &&
	       same_text(a->api_key, b->api_key);
}

/* The route of an earlier one to the same endpoint, or its own. */
static struct route *route_of_judge(struct experiment_run *run, size_t i)
{
	const struct run_judge_spec *judges = run->spec->judges;

	if (same_endpoint(run->spec->config, judges[i].config))
		return run->generating;
	for (size_t k = 0; k < i; k++)
		if (same_endpoint(judges[k].config, judges[i].config))
			return run->judging_routes[k];
	return &run->base.routes[1 + i];
}

/* The largest of their caps. */
static int tune_judges(struct experiment_run *run)
{
	struct run *base = &run->base;
	int most = 0;

	run->judging_routes[0] = &base->routes[1];
	base->routes[1].cap = run_cap_of(base, NULL);
	for (size_t i = 0; i < run->spec->n_judges; i++) {
		struct route *route = route_of_judge(run, i);
		int cap = run_cap_of(base, run->spec->judges[i].config);

		run->judging_routes[i] = route;
		if (route == &base->routes[1 + i] || cap > route->cap)
			route->cap = cap;
		most = cap > most ? cap : most;
	}
	return most ? most : base->routes[1].cap;
}

static void tune(struct run *base)
{
	struct experiment_run *run = (struct experiment_run *)base;
	const struct ellu_generation_params *params = run->spec->generation_params;
	int most;

	base->flow_connections = base->task.tuning.max_connections;
	if (base->flow_connections == 0 && params && params->max_connections)
		base->flow_connections = (int)*params->max_connections;
	run->generating = &base->routes[0];
	run->generating->cap = run_cap_of(base, NULL);
	answerers_tune(&run->answerers, base);
	most = tune_judges(run);
	if (run->scorers.run)
		scorers_tune(&run->scorers);
	for (size_t i = 0; i < RUN_ROUTES; i++)
		most = most > base->routes[i].cap ? most : base->routes[i].cap;
	run->window = 2 * most + 16;
}

/* ---- Loading ---- */

static int find_needed(struct experiment_run *run, struct fault *fault)
{
	const struct run_measure *measures = run->spec->measures;
	size_t n = 2 * (run->spec->n_measures - run->spec->n_evaluators);
	struct ellu_message *messages = arena_array(&run->base.arena, n, sizeof(*messages));
	const struct ellu_message **list = arena_array(&run->base.arena, n, sizeof(*list));

	if (!messages || !list)
		return fault_oom(fault);
	for (size_t i = 0; i < n; i++) {
		const struct run_measure *measure = &measures[i / 2];

		messages[i].content = i % 2 == 0 ? measure->text
				      : measure->check ? measure->check->value : NULL;
		list[i] = &messages[i];
	}
	if (template_placeholders(list, n, &run->base.arena, &run->needed, &run->n_needed) < 0)
		return fault_oom(fault);
	return 0;
}

static void describe(struct experiment_run *run)
{
	const struct run_spec *spec = run->spec;
	const struct ellu_generation_params *params = spec->generation_params;
	const struct ellu_llm_config *config = spec->config;

	if (spec->taken_over_responses > 0)
		run_log_line(&run->base.log, "%" PRId64 " answer%s and %" PRId64 " verdict%s taken over from earlier runs: "
			     "nothing is asked for them", spec->taken_over_responses, plural_s(spec->taken_over_responses),
			     spec->taken_over_ratings, plural_s(spec->taken_over_ratings));
	if (params && params->max_connections && config && config->max_connections &&
	    *config->max_connections < *params->max_connections)
		run_log_line(&run->base.log,
			     "max_connections %" PRId64 " is lowered to %" PRId64 ", the cap of '%s'",
			     *params->max_connections, *config->max_connections, config->name);
}

/* What is built in may have another version since. */
static int check_evaluators(const struct run_spec *spec, struct fault *fault)
{
	const struct run_measure *measures = &spec->measures[spec->n_measures - spec->n_evaluators];

	for (size_t i = 0; i < spec->n_evaluators; i++) {
		const struct ellu_ref *pinned = measures[i].use->evaluator;
		const int64_t *version = spec->evaluators[i].evaluator->version;

		if (pinned->version && version && *pinned->version != *version)
			return fault_set(fault, ELLU_E_UNSUPPORTED, "evaluator '%s' has version %" PRId64 " by now, "
					 "and the run is pinned to %" PRId64 ": have it rated again",
					 pinned->name, *version, *pinned->version);
	}
	return 0;
}

static int begin(struct run *base, struct fault *fault)
{
	struct experiment_run *run = (struct experiment_run *)base;
	const struct run_spec *spec = run->spec = base->spec;
	int r;

	describe(run);
	r = answerers_init(&run->answerers, &run->base, spec, spec->config, fault);
	if (r >= 0 && spec->batch) {
		run->batching = batching_new(run);
		r = run->batching ? 0 : fault_oom(fault);
	}
	for (size_t i = 0; i < spec->n_judges; i++)
		run_price(&run->base, spec->judges[i].config);
	if (r >= 0 && spec->n_evaluators > 0) {
		r = check_evaluators(spec, fault);
		if (r >= 0)
			r = scorers_init(&run->scorers, &run->base, spec, fault);
	}
	if (r >= 0)
		r = run_begin(&run->base, fault);
	if (r < 0)
		return r;
	if (spec->n_measures > 0 && !judge_knows_version(spec->rating_version))
		return fault_set(fault, ELLU_E_UNSUPPORTED, "rating_version '%s' is not known",
				 spec->rating_version);
	for (size_t i = 0; i < spec->n_judges; i++) {
		r = run_target_new(spec->judges[i].config, &spec->judges[i].taken, &run->judge_targets[i], fault);
		if (r < 0)
			return r;
	}
	return find_needed(run, fault);
}

static void take_over(struct experiment_run *run);

static void on_taken(struct store_request *request)
{
	struct experiment_run *run = container_of(request, struct experiment_run, taking.request);

	if (run_take_answer(&run->base, request) && run->base.phase == RUN_LOADING) {
		if (run->taking.ret_end)
			run_load(&run->base);
		else
			take_over(run);
	}
	run_go_on(&run->base);
}

static void take_over(struct experiment_run *run)
{
	if (run->taking.request.done)
		store_request_done(&run->taking.request);
	run_expect(&run->base, &run->taking.request, on_taken);
	run->taking.run_id = run->base.spec->run_id;
	store_run_take_over(run->base.host.store, &run->taking);
}

static void on_counted(struct store_request *request)
{
	struct experiment_run *run = container_of(request, struct experiment_run, count.request);

	if (run_take_answer(&run->base, request) && run->base.phase == RUN_LOADING)
		run_load(&run->base);
	run_go_on(&run->base);
}

static void count(struct experiment_run *run)
{
	run->counted = true;
	run->count.spec = run->base.spec;
	run_expect(&run->base, &run->count.request, on_counted);
	store_run_count(run->base.host.store, &run->count);
}

static bool prepare(struct run *base)
{
	struct experiment_run *run = (struct experiment_run *)base;

	if (base->spec->takes_over)
		take_over(run);
	else if (base->spec->uncounted && !run->counted)
		count(run);
	else
		return true;
	return false;
}

/* ---- Life ---- */

static int new_run(struct run *base)
{
	struct experiment_run *run = (struct experiment_run *)base;

	run->scan = RUN_PAGE_SCAN;
	run->judging_tail = &run->judging;
	run->tokener = json_tokener_new_ex(JSON_DEPTH_MAX + 1);
	return run->tokener ? 0 : -ENOMEM;
}

static void free_cases(struct experiment_run *run)
{
	struct judgement *judgement;
	struct open_case *open_case;

	while ((judgement = run->newest_judgement)) {
		run->newest_judgement = judgement->older;
		judgement_free(judgement);
	}
	while ((judgement = run->spare_judgements)) {
		run->spare_judgements = judgement->newer;
		free(judgement);
	}
	while ((open_case = run->newest)) {
		run->newest = open_case->older;
		case_free(open_case);
	}
	while ((open_case = run->spare_cases)) {
		run->spare_cases = open_case->newer;
		free(open_case);
	}
}

static void free_run(struct run *base)
{
	struct experiment_run *run = (struct experiment_run *)base;

	free_cases(run);
	for (size_t i = 0; i < 2; i++)
		if (run->pages[i].state != PAGE_IDLE)
			store_request_done(&run->pages[i].op.request);
	store_request_done(&run->results.request);
	store_request_done(&run->count.request);
	store_request_done(&run->taking.request);
	batching_free(run->batching);
	answerers_done(&run->answerers);
	for (size_t i = 0; i < JUDGES_MAX; i++)
		if (run->judge_targets[i])
			llm_target_unref(run->judge_targets[i]);
	scorers_done(&run->scorers);
	json_tokener_free(run->tokener);
}

static bool issue(struct run *base)
{
	return window_issue((struct experiment_run *)base);
}

static void stop(struct run *base)
{
	struct experiment_run *run = (struct experiment_run *)base;

	if (run->batching)
		batching_stop(run->batching);
}

/* Both look for cases that miss something; a rating's have their responses already. */
#define OF_CASES                                                                      \
	.size = sizeof(struct experiment_run), .new = new_run, .free = free_run,      \
	.prepare = prepare, .begin = begin, .issue = issue, .conclude = conclude, .tune = tune,       \
	.stop = stop

const struct job_kind experiment_kind = { OF_CASES, .end = end_experiment };
const struct job_kind rating_kind = { OF_CASES, .end = end_rating };
