#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/base/hash.h"
#include "daemon/work/experiment/experiment_run.h"
#include "daemon/work/judging/check.h"
#include "daemon/work/judging/judge.h"
#include "proto/content/template.h"
#include "proto/limits.h"
#include "proto/text/utf8.h"
#include "proto/usage.h"

#define CRITERION_SHOWN 80 // bytes of it in a log line

/* By an evaluator, in the place of the judgement's own call. */
struct case_score {
	struct scoring scoring;
	struct run_evaluator evaluator; // as this judge is asked by it
	struct judgement *judgement;
	json_object *inputs;
};

static struct arena *memory(struct judgement *judgement)
{
	return &judgement->record.request.arena;
}

static void on_recorded(struct store_request *request);
static void take_failure(struct judgement *judgement, const struct fault *fault);

static struct judgement *judgement_open(struct open_case *open_case)
{
	struct experiment_run *run = open_case->run;
	struct judgement *made = run->spare_judgements;

	if (made)
		run->spare_judgements = made->newer;
	else
		made = malloc(sizeof(*made));
	if (!made)
		return NULL;
	*made = (struct judgement){ .open_case = open_case };
	store_request_init(&made->record.request, run->base.host.loop, on_recorded, made);
	made->record.request.for_uid = run->spec->owner_uid;
	made->older = run->newest_judgement;
	if (made->older)
		made->older->newer = made;
	run->newest_judgement = made;
	return made;
}

/* Moves the run's sum to what the question, and its second one, take now. */
static void weigh(struct judgement *judgement)
{
	size_t bytes = arena_size(memory(judgement));
	struct experiment_run *run = judgement->open_case->run;

	run_weigh(&run->base, RUN_QUESTIONS, judgement->bytes, bytes);
	judgement->bytes = bytes;
}

static void score_free(struct case_score *score)
{
	if (!score)
		return;
	scoring_release(&score->scoring);
	json_object_put(score->inputs);
	free(score);
}

static void release(struct judgement *judgement)
{
	score_free(judgement->score);
	judgement->score = NULL;
	arena_done(&judgement->asking.call.arena);
	store_request_done(&judgement->record.request);
}

static void judgement_close(struct judgement *judgement)
{
	struct experiment_run *run = judgement->open_case->run;

	run_weigh(&run->base, RUN_QUESTIONS, judgement->bytes, 0);
	release(judgement);
	if (judgement->newer)
		judgement->newer->older = judgement->older;
	else
		run->newest_judgement = judgement->older;
	if (judgement->older)
		judgement->older->newer = judgement->newer;
	judgement->newer = run->spare_judgements;
	run->spare_judgements = judgement;
}

void judgement_free(struct judgement *judgement)
{
	release(judgement);
	free(judgement);
}

/* The call that its record is of. */
static struct run_call *asked(struct judgement *judgement)
{
	struct case_score *score = judgement->score;

	return score && score->scoring.asking.route ? &score->scoring.asking : &judgement->asking;
}

/* ---- Recording ---- */

/* What a first answer without a verdict took counts as well. */
static void add_usage(struct judgement *judgement)
{
	const struct llm_call *call = &judgement->asking.call;
	struct rating_record *record = &judgement->record;

	record->attempts += call->attempts;
	record->duration_usec += call->duration_usec;
	usage_add(&record->input_tokens, call->input_tokens);
	usage_add(&record->output_tokens, call->output_tokens);
	usage_add(&record->cached_tokens, call->cached_tokens);
	usage_add(&record->cost_nanodollars, call->cost_nanodollars);
}

/* Whose verdict it is, and whether it is one of a panel's. */
static void take_judge(struct judgement *judgement)
{
	const struct run_spec *spec = judgement->open_case->run->spec;
	struct rating_record *record = &judgement->record;

	record->judge_id = spec->judge_id;
	record->is_score = judgement->measure->use != NULL;
	if (spec->n_judges < 2 || !judgement->measure->by_judge)
		return;
	record->judge_id = spec->judges[judgement->judge].id;
	record->panel_id = spec->judge_id;
	record->n_judges = (int64_t)spec->n_judges;
}

/* Hands over what came of it. With an error, which lives as long as the judgement, there is no value. */
static void record_rating(struct judgement *judgement, double value, const char *reasoning,
			  const struct fault *error)
{
	struct experiment_run *run = judgement->open_case->run;
	struct open_case *open_case = judgement->open_case;
	struct rating_record *record = &judgement->record;

	record->run_id = run->spec->run_id;
	record->round = run->spec->round;
	record->owner_uid = run->spec->owner_uid;
	record->project_id = run->spec->project_id;
	record->epoch = judgement->asking.epoch;
	record->response_id = open_case->response_id;
	record->measure_id = judgement->measure->id;
	take_judge(judgement);
	record->value = value;
	record->reasoning = reasoning;
	record->raw_text = error ? asked(judgement)->call.text : NULL;
	record->error = error;
	record->spent.source = run_source(&run->base, asked(judgement)->call.target);
	record->complete = --open_case->n_unposted == 0;
	asked(judgement)->route->uncommitted++;
	run->base.n_outstanding++;
	store_rating_record(run->base.host.store, record);
}

static void on_recorded(struct store_request *request)
{
	struct judgement *judgement = container_of(request, struct judgement, record.request);
	struct experiment_run *run = judgement->open_case->run;
	const struct rating_record *record = &judgement->record;
	struct open_case *open_case = judgement->open_case;

	asked(judgement)->route->uncommitted--;
	run_call_recorded(asked(judgement), &record->spent);
	if (run_take_answer(&run->base, request)) {
		if (record->ret_unfit.code)
			take_failure(judgement, &record->ret_unfit);
		if (record->ret_counts || !record->panel_id)
			progress_add_rating(&run->base.progress, record->epoch, record->complete);
		if (record->ret_counts)
			progress_add_verdict(&run->base.progress, record->ret_value);
		progress_add_usage(&run->base.progress, record->input_tokens, record->output_tokens,
				   record->cost_nanodollars);
		run_changed(&run->base);
		judgement_close(judgement);
		if (--open_case->n_open == 0)
			case_close(open_case);
	}
	run_go_on(&run->base);
}

/* ---- The answer ---- */

static void take_failure(struct judgement *judgement, const struct fault *fault)
{
	struct experiment_run *run = judgement->open_case->run;
	struct open_case *open_case = judgement->open_case;
	const char *criterion = judgement->measure->text;
	size_t size = strlen(criterion);
	size_t shown = utf8_cut(criterion, size, CRITERION_SHOWN);
	char name[CASE_NAME_SIZE];

	run_log_failure(&run->base.log, "%s, %s '%.*s%s': %s", case_name(open_case, name),
			judgement->measure->use ? "evaluator" : "criterion", (int)shown, criterion, shown < size ? "..." : "", fault->message);
}

/* The same of an error, which the log tells as well. */
static void fail(struct judgement *judgement, const struct fault *fault)
{
	struct fault *kept = &asked(judgement)->call.fault;

	if (kept != fault)
		*kept = *fault; // outlives the record
	take_failure(judgement, kept);
	record_rating(judgement, -1, NULL, kept);
}

static void on_failed(struct run_call *asking)
{
	struct judgement *judgement = container_of(asking, struct judgement, asking);

	add_usage(judgement);
	fail(judgement, &asking->call.fault);
}

static void make_key(struct judgement *judgement)
{
	const struct open_case *open_case = judgement->open_case;
	const struct run_spec *spec = open_case->run->spec;
	struct llm_call *call = &judgement->asking.call;
	const char *question = call->messages[1]->content;

	snprintf(call->idempotency_key, sizeof(call->idempotency_key),
		 "ellu-r%" PRId64 "-%" PRId64 "-%" PRId64 "-%" PRId64 "%s-%08" PRIx32,
		 open_case->response_id, judgement->measure->id, spec->judges[judgement->judge].id, spec->round,
		 judgement->asking.again ? "-r" : "",
		 (uint32_t)hash_bytes(0, question, strlen(question)));
}

/* Reuses the call; what it answered is copied into the question first. */
static void ask_again(struct judgement *judgement)
{
	struct llm_call *call = &judgement->asking.call;
	struct experiment_run *run = judgement->open_case->run;
	const struct ellu_message *const *messages;
	size_t n_messages;

	if (run->base.phase != RUN_RUNNING || run->base.over_budget) {
		run_call_lost(&judgement->asking);
		return; // it stays missing
	}
	if (judge_ask_again(call->messages, call->n_messages, call->text ? call->text : "",
			    run->spec->detailed, memory(judgement), &messages, &n_messages) < 0) {
		run_fail_oom(&run->base);
		return;
	}
	arena_done(&call->arena);
	weigh(judgement);
	judgement->asking.again = true;
	judgement->asking.input_tokens = call->input_tokens;
	judgement->asking.output_tokens = call->output_tokens;
	judgement->asking.cached_tokens = call->cached_tokens;
	judgement->asking.cost_nanodollars = call->cost_nanodollars;
	call->messages = messages;
	call->n_messages = n_messages;
	make_key(judgement);
	run_call_submit(&judgement->asking);
}

static void on_answered(struct run_call *asking)
{
	struct judgement *judgement = container_of(asking, struct judgement, asking);
	struct llm_call *call = &asking->call;
	struct judge_verdict verdict;
	int r = judge_parse(call->text ? call->text : "", memory(judgement), &verdict);

	if (r == -ENOMEM) {
		run_fail_oom(asking->run);
		return;
	}
	add_usage(judgement);
	if (r >= 0) {
		record_rating(judgement, verdict.value, verdict.reasoning, NULL);
	} else if (!judgement->asking.again) {
		ask_again(judgement);
	} else {
		fault_set(&call->fault, ELLU_E_BACKEND_REJECTED,
			  "the judge's answer holds no verdict, asked twice");
		call->fault.status = 200;
		fail(judgement, &call->fault);
	}
}

/* ---- The question ---- */

static int make_question(struct judgement *judgement, struct fault *fault)
{
	const struct open_case *open_case = judgement->open_case;
	struct llm_call *call = &judgement->asking.call;
	struct judge_question question = {
		.request = open_case->messages,
		.n_request = open_case->n_messages,
		.response = open_case->text,
		.detailed = open_case->run->spec->detailed,
	};
	int r = template_render(judgement->measure->text, open_case->values, memory(judgement),
				&question.criterion, fault);

	if (r == ELLU_E_TOO_LARGE)
		snprintf(fault->message, sizeof(fault->message),
			 "row %" PRId64 ": rendered with the placeholder '%s' the criterion takes more "
			 "than %u bytes", open_case->row_number, fault->field, RENDERED_BYTES_MAX);
	if (r < 0)
		return r;
	r = judge_ask(&question, memory(judgement), &call->messages, &call->n_messages);
	if (r == -E2BIG)
		return fault_too_large(fault, QUESTION_BYTES_MAX,
				       "request, response and criterion, as the judge reads them");
	if (r < 0)
		return fault_oom(fault);
	weigh(judgement);
	call->plain = true;
	call->response_format = judge_response_format(question.detailed);
	make_key(judgement);
	return 0;
}

static void take_unit(struct judgement *judgement)
{
	struct open_case *open_case = judgement->open_case;
	const struct run_spec *spec = open_case->run->spec;
	size_t n = spec->n_judges > 1 ? spec->n_judges : 1;

	while (!case_unit_is_due(open_case, open_case->next_unit))
		open_case->next_unit++;
	judgement->measure = &spec->measures[open_case->next_unit / n];
	judgement->judge = open_case->next_unit % n;
	judgement->record.said = open_case->units && open_case->units[open_case->next_unit] == UNIT_SAID;
	open_case->next_unit++;
}

/* What the row makes of its value is the item's own failure. */
static void decide(struct judgement *judgement)
{
	const struct open_case *open_case = judgement->open_case;
	struct fault fault = { 0 };
	bool yes = false;
	size_t steps;
	int r;

	r = check_decide(judgement->measure->check, open_case->text, open_case->values,
			 memory(judgement), &yes, &steps, &fault);
	run_took(&open_case->run->base, steps);
	weigh(judgement);
	if (r >= 0)
		record_rating(judgement, yes, NULL, NULL);
	else if (r == ELLU_E_TOO_LARGE || r == ELLU_E_INVALID_PARAMETER)
		fail(judgement, &fault);
	else
		run_fail(&open_case->run->base, &fault);
}

/* ---- An evaluator's score ---- */

const struct run_evaluator *measure_evaluator(const struct run_spec *spec, const struct run_measure *measure)
{
	const struct run_measure *first = spec->measures + (spec->n_measures - spec->n_evaluators);

	return measure->use ? &spec->evaluators[measure - first] : NULL;
}

static int64_t before(int64_t total, int64_t last)
{
	return total < 0 ? 0 : total - (last > 0 ? last : 0);
}

static void take_usage(struct rating_record *record, const struct scoring *scoring)
{
	const struct run_total *total = &scoring->total;
	const struct llm_call *last = &scoring->asking.call;

	record->attempts = total->attempts;
	record->duration_usec = total->duration_usec;
	record->input_tokens = last->input_tokens;
	record->output_tokens = last->output_tokens;
	record->cached_tokens = last->cached_tokens;
	record->cost_nanodollars = last->cost_nanodollars;
	record->counted = (struct rating_usage){
		.input_tokens = before(total->input_tokens, last->input_tokens),
		.output_tokens = before(total->output_tokens, last->output_tokens),
		.cached_tokens = before(total->cached_tokens, last->cached_tokens),
		.cost_nanodollars = before(total->cost_nanodollars, last->cost_nanodollars),
	};
}

/* What nobody can say of any case ends the run, as a judge's trouble does. */
static void on_scored(struct scoring *scoring)
{
	struct case_score *score = container_of(scoring, struct case_score, scoring);
	struct judgement *judgement = score->judgement;
	struct experiment_run *run = judgement->open_case->run;

	take_usage(&judgement->record, scoring);
	if (scoring->scored) {
		record_rating(judgement, scoring->score, scoring->justification, NULL);
	} else if (scorers_can_ask(&run->scorers, &score->evaluator)) {
		fail(judgement, &scoring->fault);
	} else {
		if (scoring->asking.route)
			run_call_lost(&scoring->asking);
		run_fail(&run->base, &scoring->fault);
	}
}

/* Of a panel one judge alone, and after it those that the evaluator falls back to. */
static int choose(struct case_score *score, const struct run_evaluator *evaluator, struct arena *arena)
{
	const size_t n = evaluator->n_configs - evaluator->n_judges + 1;
	size_t *configs;

	score->evaluator = *evaluator;
	if (evaluator->n_judges == 0)
		return 0;
	configs = arena_array(arena, n, sizeof(*configs));
	if (!configs)
		return -1;
	configs[0] = evaluator->configs[score->judgement->judge];
	for (size_t i = 1; i < n; i++)
		configs[i] = evaluator->configs[evaluator->n_judges + i - 1];
	score->evaluator.configs = configs;
	score->evaluator.n_configs = n;
	return 0;
}

static void ask_evaluator(struct judgement *judgement, const struct run_evaluator *evaluator, json_object *inputs)
{
	const struct open_case *open_case = judgement->open_case;
	const struct run_spec *spec = open_case->run->spec;
	struct case_score *score = calloc(1, sizeof(*score));

	if (!score) {
		json_object_put(inputs);
		run_fail_oom(&open_case->run->base);
		return;
	}
	judgement->score = score;
	score->judgement = judgement;
	score->inputs = inputs;
	if (choose(score, evaluator, &judgement->record.request.arena) < 0) {
		run_fail_oom(&open_case->run->base);
		return;
	}
	score->scoring.evaluator = &score->evaluator;
	score->scoring.epoch = judgement->asking.epoch;
	score->scoring.done = on_scored;
	snprintf(score->scoring.key, sizeof(score->scoring.key), "s%" PRId64 "-%" PRId64 "-%" PRId64 "-%" PRId64,
		 open_case->response_id, judgement->measure->id,
		 spec->n_judges > 0 ? spec->judges[judgement->judge].id : spec->judge_id, spec->round);
	scoring_start(&score->scoring, &open_case->run->scorers, inputs);
}

/* What a row makes of the inputs is the item's own failure. */
static void score_case(struct judgement *judgement)
{
	const struct open_case *open_case = judgement->open_case;
	const struct run_evaluator *evaluator = measure_evaluator(open_case->run->spec, judgement->measure);
	struct fault fault = { 0 };
	json_object *inputs;
	int r = case_inputs(open_case, evaluator->evaluator, judgement->measure->use,
			    &judgement->record.request.arena, &inputs, &fault);

	if (r >= 0)
		ask_evaluator(judgement, evaluator, inputs);
	else if (r == ELLU_E_TOO_LARGE || r == ELLU_E_INVALID_PARAMETER)
		fail(judgement, &fault);
	else
		run_fail(&open_case->run->base, &fault);
}

/* ---- The start ---- */

void judgement_start(struct open_case *open_case)
{
	struct experiment_run *run = open_case->run;
	struct judgement *judgement = judgement_open(open_case);
	struct fault fault = { 0 };

	if (!judgement) {
		run_fail_oom(&run->base);
		return;
	}
	take_unit(judgement);
	run_call_init(&judgement->asking, &run->base, run->judging_routes[judgement->judge],
		      run->judge_targets[judgement->judge]);
	judgement->asking.epoch = run->spec->rates ? 0 : open_case->epoch;
	judgement->asking.answered = on_answered;
	judgement->asking.failed = on_failed;
	judgement->record.input_tokens = -1;
	judgement->record.output_tokens = -1;
	judgement->record.cached_tokens = -1;
	judgement->record.cost_nanodollars = -1;
	if (judgement->record.said) {
		record_rating(judgement, -1, NULL, NULL);
	} else if (judgement->measure->use) {
		score_case(judgement);
	} else if (judgement->measure->check) {
		decide(judgement);
	} else if (make_question(judgement, &fault) >= 0) {
		run_call_submit(&judgement->asking);
	} else if (fault.code == ELLU_E_TOO_LARGE) {
		fail(judgement, &fault);
	} else {
		run_fail(&run->base, &fault);
	}
}
