/*
 * The kind `preference`: which of two experiments' answers to a case is better, for each pair of them. Each
 * pair is asked about in both orders: whoever goes by the place prefers nobody.
 */
#include <json.h>
#include <string.h>

#include "daemon/store/compared_part.h"
#include "daemon/work/conversation/dialogue.h"
#include "daemon/work/kinds/batch.h"
#include "proto/content/template.h"
#include "proto/generated/interface.h"
#include "proto/json/json_check.h"

struct preference_run {
	struct batch_run batch;
	size_t n_experiments;
};

/* ---- Parts ---- */

/* What was pinned. */
static size_t count_parts(struct batch_run *batch, struct fault *fault)
{
	struct preference_run *run = (struct preference_run *)batch;
	json_object *request = json_stored(batch_spec(batch)->request);
	json_object *experiments = json_object_object_get(request, "experiments");
	size_t n_epochs = (size_t)json_object_get_int64(json_object_object_get(request, "n_epochs"));

	run->n_experiments = experiments ? json_object_array_length(experiments) : 0;
	json_object_put(request);
	if (run->n_experiments < 2 || n_epochs == 0)
		fault_oom(fault);
	return run->n_experiments < 2 ? 0 : n_epochs * compared_parts(run->n_experiments);
}

static const struct run_evaluator *evaluator_of(const struct batch_run *batch, size_t part)
{
	(void)part;
	return &batch_spec(batch)->evaluators[0];
}

#define TOO_LARGE "its answers in all epochs take more than 24 MiB: those of the last are not compared"

/* What the first experiment asked, as one text; or, where nothing can be made of its prompt, the row. */
static json_object *request_text(const struct batch_run *batch, const struct run_case *row)
{
	const struct prompt *prompt = &batch_spec(batch)->prompt;
	json_object *values = json_stored(row->input_values), *text = NULL;
	const struct ellu_message *const *messages;
	struct fault fault = { 0 };
	struct arena arena;
	size_t n = 0;

	arena_init(&arena);
	if (values && !prompt_is_empty(prompt) &&
	    prompt_render(prompt, values, &arena, &messages, &n, &fault) >= 0)
		text = dialogue_text(messages, n);
	else if (values && fault.code != ELLU_E_INTERNAL)
		text = json_object_new_string(row->input_values);
	arena_done(&arena);
	json_object_put(values);
	return text;
}

/* The request, and behind it the answers. */
static json_object *read_row(struct batch_run *batch, const struct run_case *row)
{
	json_object *kept = json_object_new_array(), *text = request_text(batch, row);
	bool whole = kept && text && json_object_array_add(kept, text) == 0;

	if (!whole)
		json_object_put(text);
	for (size_t i = 0; whole && i < batch->page.ret_n_answers; i++) {
		const char *said = row->answers[i];
		json_object *answer = said && said == batch->page.ret_too_large ? json_object_new_boolean(false) :
				      said ? json_object_new_string(said) : NULL;

		whole = (answer || !row->answers[i]) && json_object_array_add(kept, answer) == 0;
		if (!whole)
			json_object_put(answer);
	}
	if (whole)
		return kept;
	json_object_put(kept);
	return NULL;
}

static bool add_input(json_object *inputs, const char *name, json_object *value)
{
	if (json_object_object_add(inputs, name, json_object_get(value)) == 0)
		return true;
	json_object_put(value);
	return false;
}

static json_object *inputs_of(const struct batch_run *batch, json_object *kept, size_t part)
{
	const size_t n = ((const struct preference_run *)batch)->n_experiments;
	const struct compared_part places = compared_part(n, part);
	const size_t answers = 1 + places.epoch * n;
	json_object *first = json_object_array_get_idx(kept, answers + places.first);
	json_object *other = json_object_array_get_idx(kept, answers + places.other);
	json_object *inputs;

	if (json_object_is_type(first, json_type_boolean) || json_object_is_type(other, json_type_boolean))
		return json_object_new_string(TOO_LARGE);
	inputs = json_object_new_object();
	if (inputs && add_input(inputs, "request", json_object_array_get_idx(kept, 0)) &&
	    add_input(inputs, "response", first) && add_input(inputs, "other_response", other))
		return inputs;
	json_object_put(inputs);
	return NULL;
}

static const struct batch_parts parts = {
	.count = count_parts,
	.evaluator = evaluator_of,
	.read = read_row,
	.inputs = inputs_of,
	.results = store_preference_results,
	.compares = true,
};

/* ---- The kind ---- */

static int begin(struct run *base, struct fault *fault)
{
	return batch_begin(base, &parts, fault);
}

static void end(struct run *base)
{
	const struct ellu_preference_result *result = ((struct batch_run *)base)->results.ret_preference;
	int64_t n_scored = 0;

	base->result.preference = result;
	for (size_t i = 0; i < result->n_pairs; i++)
		n_scored += result->pairs[i]->n_scored;
	if (n_scored == 0)
		batch_end_failed(base, "no case has two answers of which one could be preferred");
}

const struct job_kind preference_kind = {
	.size = sizeof(struct preference_run),
	.free = batch_free,
	.begin = begin,
	.issue = batch_issue,
	.conclude = batch_conclude,
	.end = end,
	.tune = batch_tune,
};
