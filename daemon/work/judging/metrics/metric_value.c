/* What functions read and say: inputs as values, steps, a score with its justification. */
#include "daemon/work/judging/metrics/metric.h"
#include "daemon/work/judging/metrics/metric_internal.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/json/json_check.h"
#include "proto/json/json_schema.h"

/* ---- What it takes ---- */

int metric_spend(struct metric *metric, size_t steps)
{
	if (steps > METRIC_STEPS_MAX - metric->steps)
		return fault_set(metric->fault, ELLU_E_TOO_LARGE,
				 "these inputs would take more than %d steps", METRIC_STEPS_MAX);
	metric->steps += steps;
	return 0;
}

int metric_spend_product(struct metric *metric, size_t a, size_t b)
{
	return metric_spend(metric, b > 0 && a > METRIC_STEPS_MAX / b ? METRIC_STEPS_MAX + 1u : a * b);
}

/* ---- Inputs ---- */

int metric_invalid(struct metric *metric, const char *name, const char *expected)
{
	return fault_invalid(metric->fault, name, "%s", expected);
}

static json_object *find_input(const struct metric *metric, const char *name)
{
	json_object *value = NULL;

	json_object_object_get_ex(metric->inputs, name, &value);
	return value;
}

int metric_text(struct metric *metric, const char *name, const char **ret_text)
{
	json_object *value = find_input(metric, name);

	if (!value)
		return metric_invalid(metric, name, "a text");
	if (json_object_is_type(value, json_type_string)) {
		*ret_text = json_object_get_string(value);
		return 0;
	}
	*ret_text = arena_strdup(metric->arena,
				 json_object_to_json_string_ext(value, JSON_C_TO_STRING_PLAIN |
							       JSON_C_TO_STRING_NOSLASHESCAPE));
	return *ret_text ? 0 : fault_oom(metric->fault);
}

int metric_number(struct metric *metric, const char *name, double *ret_number)
{
	json_object *value = find_input(metric, name);
	const char *text = json_object_get_string(value);
	char *end = NULL;

	if (!json_object_is_type(value, json_type_int) && !json_object_is_type(value, json_type_double) &&
	    !json_object_is_type(value, json_type_string))
		return metric_invalid(metric, name, "a number");
	/* Neither "inf" nor "0x10" nor blanks. */
	if (text[strspn(text, "0123456789.eE+-")] || strspn(text, ".0123456789") == 0)
		return metric_invalid(metric, name, "a number that is not negative");
	*ret_number = strtod(text, &end);
	return *end || !isfinite(*ret_number) ? metric_invalid(metric, name, "a number") : 0;
}

/* Values take longer than the bytes that they are written in. */
#define STEPS_PER_VALUE 16

static int parse(struct metric *metric, const char *text, json_object **ret_json,
		 const char **ret_wrong)
{
	struct fault fault = { 0 };
	const char *value;
	size_t size;
	int r;

	schema_find_value(text, strlen(text), &value, &size);
	r = metric_spend(metric, size + STEPS_PER_VALUE * json_count_values(value, size));
	if (r < 0)
		return r;
	r = json_parse_strict(value, size, ret_json, &fault);
	if (r != ELLU_E_INVALID_MESSAGE)
		return r < 0 ? fault_oom(metric->fault) : 0;
	*ret_wrong = arena_strdup(metric->arena, fault.message);
	return *ret_wrong ? -EBADMSG : fault_oom(metric->fault);
}

int metric_json(struct metric *metric, const char *name, json_object **ret_json)
{
	json_object *value = find_input(metric, name);
	char expected[200];
	const char *wrong;
	int r;

	if (value && !json_object_is_type(value, json_type_string)) {
		*ret_json = json_object_get(value);
		return metric_spend(metric, 1);
	}
	if (!value)
		return metric_invalid(metric, name, "JSON");
	r = parse(metric, json_object_get_string(value), ret_json, &wrong);
	if (r != -EBADMSG)
		return r;
	snprintf(expected, sizeof(expected), "JSON (%s)", wrong);
	return metric_invalid(metric, name, expected);
}

int metric_response_json(struct metric *metric, json_object **ret_json, const char **ret_wrong)
{
	const char *text;
	int r = metric_text(metric, "response", &text);

	return r < 0 ? r : parse(metric, text, ret_json, ret_wrong);
}

/* ---- What came of it ---- */

int metric_say(struct metric *metric, double score, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	metric->score->justification = arena_vprintf(metric->out, format, arguments);
	va_end(arguments);
	metric->score->score = score;
	return metric->score->justification ? 0 : fault_oom(metric->fault);
}
