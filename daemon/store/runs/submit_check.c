#include <string.h>

#include "daemon/store/resources/criterion.h"
#include "daemon/store/runs/submit.h"
#include "proto/generated/interface.h"
#include "proto/limits.h"
#include "proto/utf8.h"

#define SUFFIX_CHARS_MAX 9 // " criteria"

static int invalid(struct submission *s, const char *field, const char *expected)
{
	return fault_invalid(s->tx->fault, field, "%s", expected);
}

static int check_criteria(struct submission *s)
{
	const struct ellu_run_experiment_request *a = s->arguments;

	if (a->criteria && a->criterion_set)
		return invalid(s, "criteria", "either criteria or criterion_set");
	if (criteria_check(s->tx, a->criteria, a->n_criteria) < 0)
		return s->tx->fault->code;
	if (a->criteria &&
	    utf8_length(a->name, strlen(a->name)) > NAME_MAX_CHARS - SUFFIX_CHARS_MAX)
		return invalid(s, "name", "at most 191 characters when criteria are given, whose set is "
					  "named after it");
	return 0;
}

int submit_check_parts(struct submission *s)
{
	const struct ellu_run_experiment_request *a = s->arguments;

	if (!a->name)
		return invalid(s, "name", "a name for the experiment");
	if (!a->prompt_template && !a->response_column)
		return invalid(s, "prompt_template",
			       "a prompt template, unless response_column says where the answers are");
	if (!a->collection)
		return invalid(s, "collection", "a collection of test cases");
	return check_criteria(s);
}

int submit_check_again(struct submission *s)
{
	const struct ellu_run_experiment_request *a = s->arguments;
	const struct {
		const char *name;
		const void *value;
	} parts[] = {
		{ "name", a->name },
		{ "description", a->description },
		{ "prompt_template", a->prompt_template },
		{ "collection", a->collection },
		{ "criterion_set", a->criterion_set },
		{ "criteria", a->criteria },
		{ "llm_config", a->llm_config },
		{ "rating_llm_config", a->rating_llm_config },
		{ "response_column", a->response_column },
		{ "generation_params", a->generation_params },
		{ "row_limit", a->row_limit },
	};

	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
		if (parts[i].value)
			return invalid(s, parts[i].name,
				       "nothing, since experiment names one with its parts");
	return 0;
}
