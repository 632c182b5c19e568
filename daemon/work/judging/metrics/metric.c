#include "daemon/work/judging/metrics/metric.h"

#include <math.h>
#include <string.h>

#include "daemon/work/judging/metrics/metric_internal.h"

static const struct {
	const char *name;
	metric_function *decide;
} functions[] = {
	{ "equals", metric_equals },
	{ "contains_all", metric_contains_all },
	{ "contains_any", metric_contains_any },
	{ "contains_none", metric_contains_none },
	{ "starts_with", metric_starts_with },
	{ "regex", metric_regex },
	{ "is_json", metric_is_json },
	{ "json_schema", metric_json_schema },
	{ "json_property_completeness", metric_json_property_completeness },
	{ "json_property_names", metric_json_property_names },
	{ "json_property_types", metric_json_property_types },
	{ "json_filled_values", metric_json_filled_values },
	{ "json_equals", metric_json_equals },
	{ "length", metric_length },
	{ "word_count", metric_word_count },
	{ "levenshtein", metric_levenshtein },
	{ "bleu", metric_bleu },
	{ "rouge_l", metric_rouge_l },
	{ "latency", metric_latency },
	{ "cost", metric_cost },
	{ "finish_reason", metric_finish_reason },
};

static metric_function *find(const char *function)
{
	for (size_t i = 0; i < sizeof(functions) / sizeof(*functions); i++)
		if (strcmp(functions[i].name, function) == 0)
			return functions[i].decide;
	return NULL;
}

bool metric_is_known(const char *function)
{
	return find(function) != NULL;
}

int metric_decide(const char *function, json_object *inputs, struct arena *arena,
		  struct metric_score *ret_score, size_t *ret_steps, struct fault *fault)
{
	struct metric_score score = { .score = NAN };
	struct arena scratch;
	struct metric metric = {
		.inputs = inputs,
		.arena = &scratch,
		.out = arena,
		.score = &score,
		.fault = fault,
	};
	metric_function *decide = find(function);
	int r;

	*ret_steps = 0;
	if (!decide)
		return fault_set(fault, ELLU_E_UNSUPPORTED, "the function '%s' is not known", function);
	arena_init(&scratch);
	r = decide(&metric);
	arena_done(&scratch);
	*ret_steps = metric.steps;
	if (r >= 0)
		*ret_score = score;
	return r;
}
