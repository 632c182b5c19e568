/*
 * The kind `evaluator`: one input is scored by one evaluator, or by all of a judge at the same time. What
 * it is asked stands in the request; each score goes into the result as it came, or with its error.
 */
#include <errno.h>
#include <inttypes.h>
#include <json.h>
#include <stdio.h>
#include <stdlib.h>

#include "daemon/work/judging/scoring.h"
#include "proto/generated/interface.h"
#include "proto/json/json_check.h"
#include "proto/usage.h"

struct evaluator_run {
	struct run base;
	struct scorers scorers;
	json_object *values;
	struct scoring *scorings; // of each evaluator
	size_t n_started;
	size_t n_done;
	size_t n_scored;
	int64_t cost; // of all of them; -1: unknown
	const struct ellu_evaluator_result **results;
	struct ellu_judge_result judgement;
	struct run_spend spend;
};

/* ---- Loading ---- */

static int read_values(struct evaluator_run *run)
{
	json_object *request = json_stored(run->base.spec->request);
	int r = request ? scoring_values(request, &run->values) : -ENOMEM;

	json_object_put(request);
	return r;
}

static int begin(struct run *base, struct fault *fault)
{
	struct evaluator_run *run = (struct evaluator_run *)base;
	const struct run_spec *spec = run->base.spec;
	int r;

	run->cost = -1;
	run->scorings = calloc(spec->n_evaluators, sizeof(*run->scorings));
	run->results = arena_array(&run->base.arena, spec->n_evaluators, sizeof(*run->results));
	if (!run->scorings || !run->results || read_values(run) < 0)
		return fault_oom(fault);
	r = scorers_init(&run->scorers, &run->base, spec, fault);
	return r < 0 ? r : run_begin(&run->base, fault);
}

static void tune(struct run *base)
{
	scorers_tune(&((struct evaluator_run *)base)->scorers);
}

/* ---- Scoring ---- */

static void fill_result(struct evaluator_run *run)
{
	const struct run_spec *spec = run->base.spec;
	struct ellu_task_result *result = &run->base.result;

	if (!spec->evaluators_judge) {
		result->evaluation = run->results[0];
		return;
	}
	run->judgement = ELLU_RECORD(struct ellu_judge_result);
	run->judgement.judge_id = spec->evaluators_judge_id;
	run->judgement.judge_name = spec->evaluators_judge;
	run->judgement.results = run->results;
	run->judgement.n_results = spec->n_evaluators;
	run->judgement.n_scored = (int64_t)run->n_scored;
	run->judgement.n_total = (int64_t)spec->n_evaluators;
	run->judgement.cost = run->cost < 0 ? NULL : &run->cost;
	result->judgement = &run->judgement;
}

/* The task has what each came to for its result all the same. */
static void fail_all(struct evaluator_run *run)
{
	if (run->base.phase == RUN_RUNNING) {
		run->base.result = ELLU_RECORD(struct ellu_task_result);
		fill_result(run);
		run->base.end.result = &run->base.result;
	}
	run_fail(&run->base, &run->scorings[0].fault);
}

static void on_scored(struct scoring *scoring)
{
	struct evaluator_run *run = container_of(scoring->scorers, struct evaluator_run, scorers);
	size_t index = (size_t)(scoring - run->scorings);

	run_call_lost(&scoring->asking);
	if (scoring_result(scoring, &run->base.arena, &run->results[index]) < 0) {
		run_fail_oom(&run->base);
		return;
	}
	usage_add(&run->cost, scoring->total.cost_nanodollars);
	run->n_scored += scoring->scored;
	run->n_done++;
	run->base.n_open--;
	if (!scoring->scored && run->base.spec->n_evaluators > 1)
		run_log_line(&run->base.log, "evaluator '%s': %s", scoring->evaluator->evaluator->name,
			     scoring->fault.message);
	scoring_release(scoring);
	if (run->n_done == run->base.spec->n_evaluators && run->n_scored == 0)
		fail_all(run);
}

static void start_next(struct evaluator_run *run)
{
	const struct run_spec *spec = run->base.spec;
	size_t index = run->n_started++;
	struct scoring *scoring = &run->scorings[index];

	scoring->evaluator = &spec->evaluators[index];
	scoring->epoch = spec->epochs[0].epoch;
	scoring->done = on_scored;
	snprintf(scoring->key, sizeof(scoring->key), "e%" PRId64 "-%zu", spec->run_id, index);
	run->base.n_open++;
	scoring_start(scoring, &run->scorers, run->values);
}

static bool issue(struct run *base)
{
	struct evaluator_run *run = (struct evaluator_run *)base;
	const size_t n = run->base.spec->n_evaluators;

	while (run->n_started < n && base->phase == RUN_RUNNING && run_may_spend(base) &&
	       run_has_time(base) && run_may_hold(base, RUN_QUESTIONS))
		start_next(run);
	return run->n_done == n;
}

/* ---- The end ---- */

static void end(struct run *base)
{
	struct evaluator_run *run = (struct evaluator_run *)base;

	run_item_done(base, &run->spend);
	fill_result(run);
}

/* What it took is recorded with each of them. */
static void conclude(struct run *base)
{
	run_item_conclude(base, &((struct evaluator_run *)base)->spend);
}

static void free_run(struct run *base)
{
	struct evaluator_run *run = (struct evaluator_run *)base;

	for (size_t i = 0; i < run->n_started; i++)
		scoring_release(&run->scorings[i]);
	free(run->scorings);
	json_object_put(run->values);
	scorers_done(&run->scorers);
	store_request_done(&run->spend.request);
}

const struct job_kind evaluator_kind = {
	.size = sizeof(struct evaluator_run),
	.free = free_run,
	.begin = begin,
	.issue = issue,
	.conclude = conclude,
	.end = end,
	.tune = tune,
};
