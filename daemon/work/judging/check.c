#include "daemon/work/judging/check.h"

#include <errno.h>
#include <string.h>

#include "proto/check_value.h"
#include "proto/content/template.h"
#include "proto/json/json_check.h"
#include "proto/text/regex.h"
#include "proto/text/utf8.h"

static char folded(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

/* A copy in which A to Z are small. */
static const char *fold(const char *text, struct arena *arena)
{
	char *copy = arena_strdup(arena, text);

	for (char *c = copy; c && *c; c++)
		*c = folded(*c);
	return copy;
}

static int decide_length(const char *answer, const char *range, bool *ret_yes, struct fault *fault)
{
	size_t low, high, length = utf8_length(answer, strlen(answer));

	if (check_value_range(range, &low, &high) < 0)
		return fault_invalid(fault, "check.value", CHECK_RANGE_EXPECTED);
	*ret_yes = length >= low && length <= high;
	return 0;
}

static int decide_json(const char *answer, bool *ret_yes, struct fault *fault)
{
	struct json_problem problem;
	int r = json_check(answer, strlen(answer), &problem);

	*ret_yes = r >= 0;
	return r >= 0 || r == -EBADMSG ? 0 : fault_oom(fault);
}

static int decide_regex(const char *answer, const char *pattern, bool *ret_yes, size_t *ret_steps,
			struct fault *fault)
{
	const char *expected;
	int r = regex_find(pattern, answer, ret_yes, ret_steps, &expected);

	if (r == -EINVAL)
		return fault_invalid(fault, "check.value", "%s", expected);
	if (r == -E2BIG)
		return fault_invalid(fault, "check.value", "a pattern that takes at most %d steps in this "
				     "response", REGEX_STEPS_MAX);
	return r < 0 ? fault_oom(fault) : 0;
}

int check_decide(const struct ellu_check *check, const char *answer, json_object *values,
		 struct arena *arena, bool *ret_yes, size_t *ret_steps, struct fault *fault)
{
	const char *kind = check->kind, *value = "";
	int r = 0;

	*ret_steps = 0;
	if (check->value)
		r = template_render(check->value, values, arena, &value, fault);
	if (r < 0)
		return r;
	if (strcmp(kind, "is_json") == 0)
		return decide_json(answer, ret_yes, fault);
	if (strcmp(kind, "length") == 0)
		return decide_length(answer, value, ret_yes, fault);
	if (strcmp(kind, "regex") == 0)
		return decide_regex(answer, value, ret_yes, ret_steps, fault);
	if (strcmp(kind, "icontains") == 0) {
		answer = fold(answer, arena);
		value = fold(value, arena);
		if (!answer || !value)
			return fault_oom(fault);
	}
	if (strcmp(kind, "equals") == 0)
		*ret_yes = strcmp(answer, value) == 0;
	else if (strcmp(kind, "starts_with") == 0)
		*ret_yes = strncmp(answer, value, strlen(value)) == 0;
	else
		*ret_yes = strstr(answer, value) != NULL;
	return 0;
}
