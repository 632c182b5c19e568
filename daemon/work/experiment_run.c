#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/base/clock.h"
#include "daemon/base/log.h"
#include "daemon/work/judge.h"
#include "daemon/work/run_state.h"
#include "proto/template.h"

/* ---- Ending ---- */

static void cancel_calls(struct experiment_run *run)
{
	if (run->cancelled)
		return;
	run->cancelled = true;
	if (backend_cancel_flow(run->host.backend, run->task.task_id) < 0)
		log_warning("Task %" PRId64 ": its calls cannot be cancelled, awaiting them",
			    run->task.task_id);
}

void run_drain_calls(struct experiment_run *run)
{
	if (run->drained)
		return;
	run->drained = true;
	if (backend_drain_flow(run->host.backend, run->task.task_id) < 0)
		log_warning("Task %" PRId64 ": its calls cannot be given back, awaiting them",
			    run->task.task_id);
}

void run_fail(struct experiment_run *run, const struct fault *fault)
{
	if (run->phase == RUN_STOPPING || run->phase == RUN_ENDED)
		return;
	run->phase = RUN_STOPPING;
	run->end.status = TASK_FAILURE;
	run->fault = *fault;
	cancel_calls(run);
}

void run_fail_oom(struct experiment_run *run)
{
	struct fault fault = { 0 };

	fault_oom(&fault);
	run_fail(run, &fault);
}

void run_stop(struct experiment_run *run, bool cancel)
{
	/* What is complete ends as what it is: only its results are still to be had. */
	if (run->phase == RUN_AGGREGATING || run->phase == RUN_ENDED)
		return;
	if (run->phase != RUN_STOPPING) {
		run->phase = RUN_STOPPING;
		run->end.status = TASK_PENDING;
	}
	if (cancel)
		cancel_calls(run);
}

static void give_back(struct experiment_run *run)
{
	if (run->phase != RUN_STOPPING && run->phase != RUN_ENDED) {
		run->phase = RUN_STOPPING;
		run->end.status = TASK_PENDING;
	}
	cancel_calls(run);
}

static void finish(struct experiment_run *run)
{
	run->phase = RUN_ENDED;
	/* What it still has is freed with it. */
	run_weigh(run, &run->case_bytes, run->case_bytes, 0);
	run_weigh(run, &run->judgement_bytes, run->judgement_bytes, 0);
	run->end.over_budget = run->over_budget && run->end.status == TASK_PENDING;
	if (run->end.over_budget)
		tuning_log_spent(run);
	run_log_end(&run->log);
	if (run->end.status == TASK_FAILURE &&
	    fault_to_error(&run->fault, &run->arena, &run->end.error) < 0)
		run->end.error = NULL;
	run->events.ended(run->events.userdata);
}

bool run_take_answer(struct experiment_run *run, const struct store_request *request)
{
	run->n_outstanding--;
	if (request->result >= 0)
		return true;
	/* No fault of the run's: it goes on when the store can be written again. */
	if (request->result == ELLU_E_STORAGE_DAMAGED || request->result == ELLU_E_STORAGE_FULL)
		give_back(run);
	else
		run_fail(run, &request->fault);
	return false;
}

void run_changed(struct experiment_run *run)
{
	run->events.changed(run->events.userdata);
}

/* ---- Aggregating ---- */

static void fill_result(struct experiment_run *run)
{
	const struct run_spec *spec = run->spec;

	run->result = (struct ellu_task_result)ELLU_RECORD(struct ellu_task_result);
	run->end.result = &run->result;
	if (spec->rating_run_id && !spec->adopt) {
		run->result.ratings = run->results.ret_ratings;
		return;
	}
	run->result.experiment_id = &run->task.experiment_id;
	run->result.results = run->results.ret_results;
}

static void fail_all(struct experiment_run *run, int64_t n, const char *item)
{
	const struct ellu_experiment_results *results = run->results.ret_results;
	struct fault *fault = &run->fault;

	run->end.status = TASK_FAILURE;
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

static void decide_end(struct experiment_run *run)
{
	const struct ellu_experiment_results *results = run->results.ret_results;

	fill_result(run);
	run->end.status = TASK_SUCCESS;
	if (progress_all_failed(&run->progress))
		fail_all(run, run->progress.total, "response");
	else if (results->ratings > 0 && results->failed_ratings == results->ratings)
		fail_all(run, results->ratings, "rating");
	/* What an experiment does not take over is no result of it. */
	if (run->end.status == TASK_FAILURE && run->spec->adopt)
		run->end.result = NULL;
}

static void on_results(struct store_request *request)
{
	struct experiment_run *run = container_of(request, struct experiment_run, results.request);

	if (run_take_answer(run, request)) {
		decide_end(run);
		run->phase = RUN_STOPPING;
	}
	run_check_end(run);
}

static void aggregate(struct experiment_run *run)
{
	run->phase = RUN_AGGREGATING;
	progress_complete(&run->progress);
	run_changed(run);
	run->results.experiment_id = run->spec->experiment_id;
	run->results.rating_run_id = run->spec->rating_run_id;
	store_request_init(&run->results.request, run->host.loop, on_results, run);
	run->n_outstanding++;
	store_results_compute(run->host.store, &run->results);
}

static bool is_all_done(const struct experiment_run *run)
{
	return run->n_open == 0 && run->read_all && run->pages[0].state == PAGE_IDLE &&
	       run->pages[1].state == PAGE_IDLE;
}

/* Fewer items than it takes to be sure, and every one of them without reaching the endpoint. */
static const struct attempt *find_held(const struct experiment_run *run)
{
	return run->lanes[0].held ? run->lanes[0].held : run->lanes[1].held;
}

void run_check_end(struct experiment_run *run)
{
	if (run->phase == RUN_RUNNING && run->n_outstanding == 0) {
		if (is_all_done(run))
			aggregate(run);
		else if (run->over_budget)
			run_stop(run, false);
		else if (find_held(run))
			run_fail(run, &find_held(run)->call.fault);
	}
	if (run->phase == RUN_STOPPING && run->n_outstanding == 0)
		finish(run);
}

/* ---- Loading ---- */

static int find_needed(struct experiment_run *run, struct fault *fault)
{
	size_t n = run->spec->n_measures;
	struct ellu_message *messages = arena_array(&run->arena, n, sizeof(*messages));
	const struct ellu_message **list = arena_array(&run->arena, n, sizeof(*list));

	if (!messages || !list)
		return fault_oom(fault);
	for (size_t i = 0; i < n; i++) {
		messages[i].content = run->spec->measures[i].text;
		list[i] = &messages[i];
	}
	if (template_placeholders(list, n, &run->arena, &run->needed, &run->n_needed) < 0)
		return fault_oom(fault);
	return 0;
}

static int prepare(struct experiment_run *run, struct fault *fault)
{
	const struct run_spec *spec = run->spec;
	int r;

	if (progress_init(&run->progress, spec, clock_monotonic_usec()) < 0)
		return fault_oom(fault);
	if (spec->n_measures > 0 && !judge_knows_version(spec->rating_version))
		return fault_set(fault, ELLU_E_UNSUPPORTED, "rating_version '%s' is not known",
				 spec->rating_version);
	if (spec->taken_over_responses > 0)
		run_log_line(&run->log, "%" PRId64 " answers and %" PRId64 " verdicts are taken over from "
			     "earlier runs: nothing is asked for them", spec->taken_over_responses,
			     spec->taken_over_ratings);
	tuning_describe(run);
	tuning_apply(run);
	if (spec->config) {
		r = llm_target_new(spec->config, &run->target, fault);
		if (r < 0)
			return r;
	}
	if (spec->n_measures > 0) {
		r = llm_target_new(spec->judge_config, &run->judge_target, fault);
		if (r < 0)
			return r;
	}
	return find_needed(run, fault);
}

static void load(struct experiment_run *run);

static void take_over(struct experiment_run *run);

static void on_taken(struct store_request *request)
{
	struct experiment_run *run = container_of(request, struct experiment_run, taking.request);

	if (run_take_answer(run, request) && run->phase == RUN_LOADING) {
		if (run->taking.ret_end) {
			store_request_done(&run->load.request);
			load(run);
		} else {
			take_over(run);
		}
	}
	run_check_end(run);
}

static void take_over(struct experiment_run *run)
{
	if (run->taking.request.done)
		store_request_done(&run->taking.request);
	store_request_init(&run->taking.request, run->host.loop, on_taken, run);
	run->taking.experiment_id = run->load.ret_spec->experiment_id;
	run->n_outstanding++;
	store_run_take_over(run->host.store, &run->taking);
}

static void on_counted(struct store_request *request)
{
	struct experiment_run *run = container_of(request, struct experiment_run, count.request);

	if (run_take_answer(run, request) && run->phase == RUN_LOADING) {
		store_request_done(&run->load.request);
		load(run);
	}
	run_check_end(run);
}

static void count(struct experiment_run *run)
{
	run->counted = true;
	run->count.spec = run->load.ret_spec;
	store_request_init(&run->count.request, run->host.loop, on_counted, run);
	run->n_outstanding++;
	store_run_count(run->host.store, &run->count);
}

static void begin(struct experiment_run *run)
{
	struct fault fault = { 0 };

	run->spec = run->load.ret_spec;
	if (prepare(run, &fault) < 0)
		run_fail(run, &fault);
	else
		run->phase = RUN_RUNNING;
	if (run->progress.epochs)
		run_changed(run);
}

static void on_loaded(struct store_request *request)
{
	struct experiment_run *run = container_of(request, struct experiment_run, load.request);

	if (run_take_answer(run, request) && run->phase == RUN_LOADING) {
		if (run->load.ret_spec->takes_over)
			take_over(run);
		else if (run->load.ret_spec->uncounted && !run->counted)
			count(run);
		else
			begin(run);
	}
	window_pump(run);
}

static void load(struct experiment_run *run)
{
	store_request_init(&run->load.request, run->host.loop, on_loaded, run);
	run->load.experiment_id = run->task.experiment_id;
	if (run->task.kind == TASK_KIND_RATING)
		run->load.rating_task_id = run->task.task_id;
	run->n_outstanding++;
	store_run_load(run->host.store, &run->load);
}

/* ---- Life ---- */

int experiment_run_new(const struct run_host *host, const struct work_task *task,
		       const struct run_events *events, struct experiment_run **ret_run)
{
	struct experiment_run *run = calloc(1, sizeof(*run));

	if (!run)
		return -ENOMEM;
	run->tokener = json_tokener_new_ex(JSON_DEPTH_MAX + 1);
	if (!run->tokener) {
		free(run);
		return -ENOMEM;
	}
	run->host = *host;
	run->task = *task;
	run->events = *events;
	run->scan = RUN_PAGE_SCAN;
	run->judging_tail = &run->judging;
	run_log_init(&run->log, events->log, events->userdata);
	*ret_run = run;
	return 0;
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

struct experiment_run *experiment_run_free(struct experiment_run *run)
{
	if (!run)
		return NULL;
	free_cases(run);
	for (size_t i = 0; i < 2; i++)
		if (run->pages[i].state != PAGE_IDLE)
			store_request_done(&run->pages[i].op.request);
	if (run->results.request.done)
		store_request_done(&run->results.request);
	if (run->target)
		llm_target_unref(run->target);
	if (run->judge_target)
		llm_target_unref(run->judge_target);
	if (run->count.request.done)
		store_request_done(&run->count.request);
	if (run->taking.request.done)
		store_request_done(&run->taking.request);
	if (run->load.request.done)
		store_request_done(&run->load.request);
	progress_done(&run->progress);
	json_tokener_free(run->tokener);
	arena_done(&run->arena);
	free(run);
	return NULL;
}

void experiment_run_start(struct experiment_run *run)
{
	load(run);
}

void experiment_run_abort(struct experiment_run *run)
{
	run_stop(run, true);
	run_check_end(run);
}

void experiment_run_drain(struct experiment_run *run)
{
	run_stop(run, false);
	run_drain_calls(run);
	run_check_end(run);
}

const struct work_end *experiment_run_end(const struct experiment_run *run)
{
	return &run->end;
}

struct progress *experiment_run_progress(struct experiment_run *run)
{
	return run->progress.epochs ? &run->progress : NULL;
}

bool experiment_run_is_held_up(const struct experiment_run *run)
{
	return run->held_up && run->phase == RUN_RUNNING;
}

int64_t experiment_run_cases(const struct experiment_run *run)
{
	return run->n_open;
}
