/* Also the kind `batch_evaluation`: rows are scored by one evaluator, or by all of a judge. */
#include "daemon/work/kinds/batch.h"

#include <errno.h>
#include <inttypes.h>
#include <json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/generated/interface.h"
#include "proto/json/json_check.h"
#include "proto/limits.h"

#define ITEMS_SCAN 256 // rows looked at for a page
#define PARTS_SCAN 4000 // and parts of them
#define ITEMS_AHEAD 16 // open ones beyond what may be in flight

/* What an evaluator says of a part of an item. Its memory is the arena of its record's request. */
struct batch_score {
	struct scoring scoring;
	struct evaluation_record record;
	struct batch_item *item;
};

/* A row from read to recorded. */
struct batch_item {
	struct batch_run *run;
	int64_t row_id;
	int64_t row_number;
	json_object *kept; // of the row
	bool counted;
	bool scored; // by one of its evaluators
	size_t n_unposted; // records that were not handed to the store
	size_t n_open; // not committed
	size_t next; // of its scores, to be started
	size_t bytes; // of RUN_ITEMS
	struct batch_item *newer; // batch_run::newest
	struct batch_item *older;
	size_t n;
	struct batch_score scores[]; // that are missing
};

/* ---- Items ---- */

static void on_scored(struct scoring *scoring);
static void on_recorded(struct store_request *request);

static bool is_decided(const struct run_case *row, size_t part)
{
	for (size_t i = 0; i < row->n_decided; i++)
		if (row->decided[i].measure_id == (int64_t)part)
			return true;
	return false;
}

static void score_init(struct batch_score *score, struct batch_item *item, size_t part)
{
	struct batch_run *run = item->run;
	const struct run_spec *spec = batch_spec(run);

	score->item = item;
	score->scoring.evaluator = run->parts->evaluator(run, part);
	score->scoring.epoch = spec->epochs[0].epoch;
	score->scoring.done = on_scored;
	snprintf(score->scoring.key, sizeof(score->scoring.key), "b%" PRId64 "-%" PRId64 "-%zu-%" PRId64,
		 spec->run_id, item->row_id, part, spec->round);
	score->record.run_id = spec->run_id;
	score->record.round = spec->round;
	score->record.owner_uid = spec->owner_uid;
	score->record.project_id = spec->project_id;
	score->record.epoch = score->scoring.epoch;
	score->record.row_id = item->row_id;
	score->record.part = (int64_t)part;
	score->record.summed = run->parts->summed;
	store_request_init(&score->record.request, run->base.host.loop, on_recorded, score);
	score->record.request.for_uid = spec->owner_uid;
}

/* What is kept of it, about. */
static size_t row_bytes(const struct batch_run *run, const struct run_case *row)
{
	size_t bytes = 3 * strlen(row->input_values);

	for (size_t i = 0; row->answers && i < run->page.ret_n_answers; i++)
		bytes += row->answers[i] ? strlen(row->answers[i]) : 0;
	return bytes;
}

/* -ENOMEM. */
static int item_open(struct batch_run *run, const struct run_case *row)
{
	const size_t n = run->n_parts - row->n_decided;
	struct batch_item *item = calloc(1, sizeof(*item) + n * sizeof(item->scores[0]));

	if (!item)
		return -ENOMEM;
	item->run = run;
	item->row_id = row->row_id;
	item->row_number = row->row_number;
	item->counted = row->counted;
	item->scored = row->scored;
	item->n = item->n_unposted = item->n_open = n;
	for (size_t i = 0, k = 0; i < run->n_parts && k < n; i++)
		if (!is_decided(row, i))
			score_init(&item->scores[k++], item, i);
	item->older = run->newest;
	if (item->older)
		item->older->newer = item;
	run->newest = run->starting = item;
	run->base.n_open++;
	item->kept = run->parts->read(run, row);
	item->bytes = row_bytes(run, row) + n * sizeof(item->scores[0]);
	run_weigh(&run->base, RUN_ITEMS, 0, item->bytes);
	return item->kept ? 0 : -ENOMEM;
}

static void item_free(struct batch_item *item)
{
	for (size_t i = 0; i < item->n; i++) {
		scoring_release(&item->scores[i].scoring);
		store_request_done(&item->scores[i].record.request);
	}
	json_object_put(item->kept);
	free(item);
}

static void item_close(struct batch_item *item)
{
	struct batch_run *run = item->run;

	run_weigh(&run->base, RUN_ITEMS, item->bytes, 0);
	if (item->newer)
		item->newer->older = item->older;
	else
		run->newest = item->older;
	if (item->older)
		item->older->newer = item->newer;
	if (run->starting == item)
		run->starting = NULL;
	run->base.n_open--;
	item_free(item);
}

/* ---- Scores ---- */

static void on_recorded(struct store_request *request)
{
	struct batch_score *score = container_of(request, struct batch_score, record.request);
	const struct evaluation_record *record = &score->record;
	struct batch_item *item = score->item;
	struct batch_run *run = item->run;

	if (score->scoring.asking.route)
		score->scoring.asking.route->uncommitted--;
	run_call_recorded(&score->scoring.asking, &record->spent);
	if (run_take_answer(&run->base, request)) {
		if (record->complete)
			progress_add_response(&run->base.progress, record->epoch, record->failed,
					      /* complete= */ true, /* n_ratings= */ 0);
		progress_add_usage(&run->base.progress, record->input_tokens, record->output_tokens,
				   record->cost_nanodollars);
		run_changed(&run->base);
		scoring_release(&score->scoring); // a row may have many: together they would be too much
		if (--item->n_open == 0)
			item_close(item);
	}
	run_go_on(&run->base);
}

/* The last of an item that does not count yet says what the item is. */
static void record(struct batch_score *score)
{
	struct scoring *scoring = &score->scoring;
	struct evaluation_record *record = &score->record;
	const struct llm_call *call = &scoring->asking.call;
	struct batch_item *item = score->item;
	struct batch_run *run = item->run;

	item->scored |= scoring->scored;
	record->score = scoring->scored ? &scoring->score : NULL;
	record->complete = --item->n_unposted == 0 && !item->counted;
	record->failed = !item->scored;
	record->attempts = call->attempts;
	record->input_tokens = call->input_tokens;
	record->output_tokens = call->output_tokens;
	record->cached_tokens = call->cached_tokens;
	record->cost_nanodollars = call->cost_nanodollars;
	record->spent.source = run_source(&run->base, call->target);
	if (scoring->asking.route)
		scoring->asking.route->uncommitted++;
	run->base.n_outstanding++;
	store_evaluation_record(run->base.host.store, record);
}

static void on_scored(struct scoring *scoring)
{
	struct batch_score *score = container_of(scoring, struct batch_score, scoring);
	struct batch_item *item = score->item;
	struct batch_run *run = item->run;

	if (!scoring->scored) {
		run->last = scoring->fault;
		if (scorers_are_broken(&run->scorers, &run->last)) {
			run_call_lost(&scoring->asking);
			run_fail(&run->base, &run->last);
			return; // it stays missing
		}
		run_log_failure(&run->base.log, "Row %" PRId64 ", evaluator '%s': %s", item->row_number,
				scoring->evaluator->evaluator->name, scoring->fault.message);
	}
	if (scoring_result(scoring, &scoring->arena, &score->record.result) < 0) {
		run_fail_oom(&run->base);
		return;
	}
	record(score);
}

/* ---- What is next ---- */

static void on_page(struct store_request *request)
{
	struct batch_run *run = container_of(request, struct batch_run, page.request);

	run->there = run_take_answer(&run->base, request);
	if (run->there) {
		run->cursor = run->page.ret_cursor;
		run->read_all = run->page.ret_end;
	}
	run_go_on(&run->base);
}

static void ask_page(struct batch_run *run)
{
	if (run->asked) {
		store_request_done(&run->page.request);
		run->there = false;
	}
	run->asked = true;
	run->next = 0;
	run->page = (struct cases_page){
		.run_id = batch_spec(run)->run_id,
		.n_measures = run->n_parts,
		.scores = true,
		.compares = run->parts->compares,
		.cursor = run->cursor,
		.scan = run->n_parts * ITEMS_SCAN > PARTS_SCAN ? PARTS_SCAN / run->n_parts : ITEMS_SCAN,
	};
	run_expect(&run->base, &run->page.request, on_page);
	store_cases_page(run->base.host.store, &run->page);
}

/* The next case; NULL: there is none, or none yet. */
static const struct run_case *next_case(struct batch_run *run)
{
	if (run->there && run->next < run->page.ret_n_cases)
		return &run->page.ret_cases[run->next++];
	if ((run->there || !run->asked) && !run->read_all)
		ask_page(run);
	return NULL;
}

/* 1: there is one to start the scores of. */
static bool find_item(struct batch_run *run)
{
	const struct run_case *row;

	if (run->starting)
		return true;
	if (run->base.n_open >= run->window || !run_may_hold(&run->base, RUN_ITEMS))
		return false;
	row = next_case(run);
	if (row && item_open(run, row) < 0)
		run_fail_oom(&run->base);
	return row && run->base.phase == RUN_RUNNING;
}

/* Whose scores are all started, and perhaps had, is no more looked at. */
static bool start_next(struct batch_run *run)
{
	struct batch_item *item = run->starting;
	struct batch_score *score = &item->scores[item->next];
	json_object *inputs;

	if (!scorers_have_room(&run->scorers, score->scoring.evaluator) || !run_has_time(&run->base) ||
	    !run_may_hold(&run->base, RUN_QUESTIONS))
		return false;
	item->next++;
	if (item->next == item->n)
		run->starting = NULL;
	inputs = run->parts->inputs(run, item->kept, (size_t)score->record.part);
	if (!inputs) {
		run_fail_oom(&run->base);
		return false;
	}
	if (json_object_is_type(inputs, json_type_string))
		scoring_refuse(&score->scoring, &run->scorers, ELLU_E_TOO_LARGE, json_object_get_string(inputs));
	else
		scoring_start(&score->scoring, &run->scorers, inputs);
	json_object_put(inputs);
	return true;
}

bool batch_issue(struct run *base)
{
	struct batch_run *run = (struct batch_run *)base;

	while (base->phase == RUN_RUNNING && run_may_spend(base) && find_item(run) && start_next(run))
		;
	if (base->phase == RUN_RUNNING && !run->asked)
		ask_page(run); // whether anything is missing at all
	return base->n_open == 0 && run->read_all && run->there && run->next == run->page.ret_n_cases;
}

/* ---- Loading ---- */

int batch_begin(struct run *base, const struct batch_parts *parts, struct fault *fault)
{
	struct batch_run *run = (struct batch_run *)base;
	int r = scorers_init(&run->scorers, base, base->spec, fault);

	run->parts = parts;
	if (r >= 0)
		run->n_parts = parts->count(run, fault);
	if (r >= 0 && run->n_parts == 0)
		r = fault->code;
	return r < 0 ? r : run_begin(base, fault);
}

void batch_tune(struct run *base)
{
	struct batch_run *run = (struct batch_run *)base;
	int64_t window = ITEMS_AHEAD;

	base->flow_connections = base->task.tuning.max_connections;
	scorers_tune(&run->scorers);
	for (size_t i = 0; i < batch_spec(run)->n_configs; i++)
		window += 2 * run->scorers.items[i].route->cap;
	run->window = window;
}

/* ---- The end ---- */

void batch_end_failed(struct run *base, const char *otherwise)
{
	struct batch_run *run = (struct batch_run *)base;

	base->end.status = TASK_FAILURE;
	base->fault = run->last;
	if (!base->fault.code)
		fault_set(&base->fault, ELLU_E_BACKEND_REJECTED, "%s", otherwise);
}

void batch_conclude(struct run *base)
{
	struct batch_run *run = (struct batch_run *)base;

	progress_complete(&base->progress);
	run_changed(base);
	run->results.run_id = batch_spec(run)->run_id;
	run_conclude(base, &run->results.request);
	run->parts->results(base->host.store, &run->results);
}

void batch_free(struct run *base)
{
	struct batch_run *run = (struct batch_run *)base;
	struct batch_item *item;

	while ((item = run->newest)) {
		run->newest = item->older;
		item_free(item);
	}
	if (run->asked)
		store_request_done(&run->page.request);
	store_request_done(&run->results.request);
	scorers_done(&run->scorers);
}

/* ---- The kind: a part for each evaluator ---- */

static size_t count_parts(struct batch_run *run, struct fault *fault)
{
	(void)fault;
	return batch_spec(run)->n_evaluators;
}

static const struct run_evaluator *evaluator_of(const struct batch_run *run, size_t part)
{
	return &batch_spec(run)->evaluators[part];
}

static json_object *read_values(struct batch_run *run, const struct run_case *row)
{
	(void)run;
	return json_stored(row->input_values);
}

static json_object *inputs_of(const struct batch_run *run, json_object *kept, size_t part)
{
	(void)run;
	(void)part;
	return json_object_get(kept);
}

static const struct batch_parts parts = {
	.count = count_parts,
	.evaluator = evaluator_of,
	.read = read_values,
	.inputs = inputs_of,
	.results = store_batch_results,
	.summed = true,
};

static int begin(struct run *base, struct fault *fault)
{
	return batch_begin(base, &parts, fault);
}

static void end(struct run *base)
{
	const struct ellu_batch_result *result = ((struct batch_run *)base)->results.ret_batch;

	base->result.batch = result;
	if (result->failed >= result->items)
		batch_end_failed(base, "no item has a score");
}

const struct job_kind batch_evaluation_kind = {
	.size = sizeof(struct batch_run),
	.free = batch_free,
	.begin = begin,
	.issue = batch_issue,
	.conclude = batch_conclude,
	.end = end,
	.tune = batch_tune,
};
