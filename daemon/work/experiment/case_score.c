/* A case's score by an evaluator, in the place of the judgement's own call. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "daemon/work/experiment/experiment.h"
#include "proto/generated/interface.h"

struct case_score {
	struct scoring scoring;
	struct run_evaluator evaluator; // as this judge is asked by it
	struct judgement *judgement;
	json_object *inputs;
};

const struct run_evaluator *measure_evaluator(const struct run_spec *spec, const struct run_measure *measure)
{
	const struct run_measure *first = spec->measures + (spec->n_measures - spec->n_evaluators);

	return measure->use ? &spec->evaluators[measure - first] : NULL;
}

struct run_call *case_score_call(const struct case_score *score)
{
	return score->scoring.asking.route ? (struct run_call *)&score->scoring.asking : NULL;
}

void case_score_free(struct case_score *score)
{
	if (!score)
		return;
	scoring_release(&score->scoring);
	json_object_put(score->inputs);
	free(score);
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
		judgement_record(judgement, scoring->score, scoring->justification, NULL);
	} else if (scorers_can_ask(&run->scorers, &score->evaluator)) {
		judgement_fail(judgement, &scoring->fault);
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

static void ask(struct judgement *judgement, const struct run_evaluator *evaluator, json_object *inputs)
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
void case_score(struct judgement *judgement)
{
	const struct open_case *open_case = judgement->open_case;
	const struct run_evaluator *evaluator = measure_evaluator(open_case->run->spec, judgement->measure);
	struct fault fault = { 0 };
	json_object *inputs;
	int r = case_inputs(open_case, evaluator->evaluator, judgement->measure->use,
			    &judgement->record.request.arena, &inputs, &fault);

	if (r >= 0)
		ask(judgement, evaluator, inputs);
	else if (r == ELLU_E_TOO_LARGE || r == ELLU_E_INVALID_PARAMETER)
		judgement_fail(judgement, &fault);
	else
		run_fail(&open_case->run->base, &fault);
}
