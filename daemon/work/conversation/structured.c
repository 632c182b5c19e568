#include "daemon/work/conversation/structured.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "daemon/work/conversation/dialogue.h"
#include "daemon/work/conversation/thought.h"
#include "proto/json/json_check.h"

static int parse(const char *text, size_t size, json_object **ret_value, struct schema_problem *problem)
{
	struct fault fault = { 0 };
	int r = json_parse_strict(text, size, ret_value, &fault);

	if (r == ELLU_E_INTERNAL)
		return -ENOMEM;
	if (r < 0)
		snprintf(problem->text, sizeof(problem->text), "it is not JSON: %.400s", fault.message);
	return r < 0 ? 0 : 1;
}

int structured_check(const char *schema, const char *answer, struct arena *arena,
		     const char **ret_text, struct schema_problem *ret_problem)
{
	enum schema_verdict verdict = SCHEMA_MISFITS;
	json_object *form, *value = NULL;
	const char *text;
	size_t size;
	int r;

	ret_problem->text[0] = '\0';
	if (!answer) {
		snprintf(ret_problem->text, sizeof(ret_problem->text), "it has no text");
		return 0;
	}
	answer = thought_skip_opened(answer);
	schema_find_value(answer, strlen(answer), &text, &size);
	r = parse(text, size, &value, ret_problem);
	if (r <= 0)
		return r;
	form = json_stored(schema);
	if (form)
		verdict = schema_check(form, value, ret_problem);
	json_object_put(value);
	json_object_put(form);
	if (!form)
		return -ENOMEM;
	if (verdict == SCHEMA_GIVEN_UP)
		snprintf(ret_problem->text, sizeof(ret_problem->text),
			 "whether it fits the schema takes more than %d steps to find out", SCHEMA_STEPS_MAX);
	if (verdict != SCHEMA_FITS)
		return 0;
	*ret_text = arena_strndup(arena, text, size);
	return *ret_text ? 1 : -ENOMEM;
}

int structured_ask_again(const struct ellu_message *const *messages, size_t n_messages,
			 const char *schema, const char *answer, const struct schema_problem *problem,
			 struct arena *arena, const struct ellu_message *const **ret_messages,
			 size_t *ret_n_messages)
{
	const char *reply = arena_printf(arena,
					 "That answer cannot be used: %s. Answer again with one JSON value that "
					 "fits this JSON schema, and with nothing else:\n%s", problem->text, schema);

	return dialogue_go_on(messages, n_messages, answer, reply, arena, ret_messages, ret_n_messages);
}
