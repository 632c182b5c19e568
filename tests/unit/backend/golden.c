#include "tests/unit/backend/golden.h"

#include <stdio.h>
#include <string.h>

#include "tests/unit/suite.h"

#define PATH_MAX_BYTES 512

json_object *golden_read(const char *name)
{
	char path[512];
	json_object *json;

	snprintf(path, sizeof(path), "%s/%s.json", GOLDEN_FOLDER, name);
	json = json_object_from_file(path);
	ck_assert_msg(json != NULL, "%s: %s", path, json_util_get_last_err());
	return json;
}

json_object *golden_member(json_object *object, const char *name)
{
	json_object *value = NULL;

	if (json_object_is_type(object, json_type_object))
		json_object_object_get_ex(object, name, &value);
	return value;
}

const char *golden_text(json_object *object, const char *name)
{
	return json_object_get_string(golden_member(object, name));
}

void golden_expect(const char *dialect, const char *name, json_object *expected,
			 json_object *found)
{
	ck_assert_msg(json_object_equal(expected, found), "%s, %s: expected\n%s\nfound\n%s", dialect,
		      name, json_object_to_json_string_ext(expected, JSON_C_TO_STRING_PLAIN),
		      json_object_to_json_string_ext(found, JSON_C_TO_STRING_PLAIN));
}

json_object *golden_parse(const char *text, size_t size)
{
	json_tokener *tokener = json_tokener_new();
	json_object *json = json_tokener_parse_ex(tokener, text, (int)size);

	json_tokener_free(tokener);
	ck_assert_msg(json != NULL, "%.*s", (int)size, text);
	return json;
}

static void add_text(json_object *to, const char *name, const char *value)
{
	if (value)
		json_object_object_add(to, name, json_object_new_string(value));
}

static void add_count(json_object *to, const char *name, int64_t value)
{
	if (value >= 0)
		json_object_object_add(to, name, json_object_new_int64(value));
}

/* What became of it, as the golden data have it. */
json_object *golden_result(const struct llm_call *call, const struct attempt *attempt)
{
	static const char *const classes[] = {
		[ATTEMPT_RETRY] = "retry", [ATTEMPT_WAIT] = "wait", [ATTEMPT_ITEM] = "item",
		[ATTEMPT_CONFIG] = "config",
	};
	json_object *result = json_object_new_object();

	if (attempt->class != ATTEMPT_ANSWERED) {
		add_text(result, "class", attempt->code == ELLU_E_BACKEND_AUTHENTICATION ?
						  "key" : classes[attempt->class]);
		add_text(result, "message", attempt->message);
		if (attempt->wait_usec >= 0)
			json_object_object_add(result, "wait_seconds",
					       json_object_new_double((double)attempt->wait_usec / 1e6));
		return result;
	}
	add_text(result, "text", call->text);
	if (call->tool_calls)
		json_object_object_add(result, "tool_calls",
				       golden_parse(call->tool_calls, strlen(call->tool_calls)));
	add_text(result, "finish_reason", call->finish_reason);
	add_count(result, "input_tokens", call->input_tokens);
	add_count(result, "output_tokens", call->output_tokens);
	add_count(result, "reasoning_tokens", call->reasoning_tokens);
	add_count(result, "cached_tokens", call->cached_tokens);
	return result;
}

/* Reads a body with that status; events if it is framed. */
void golden_walk(json_object *value, const char *path, json_object *places, const char *look)
{
	char below[PATH_MAX_BYTES];

	if (json_object_is_type(value, json_type_array)) {
		snprintf(below, sizeof(below), "%s[]", path);
		for (size_t i = 0; i < json_object_array_length(value); i++)
			golden_walk(json_object_array_get_idx(value, i), below, places, look);
	} else if (json_object_is_type(value, json_type_object)) {
		json_object_object_foreach(value, name, part) {
			snprintf(below, sizeof(below), "%s.%s", path, name);
			if (!look)
				json_object_object_add(places, below, NULL);
			else if (!strstr(below, "input.") && !strstr(below, "args."))
				ck_assert_msg(json_object_object_get_ex(places, below, NULL),
					      "%s: no golden answer has %s", look, below);
			golden_walk(part, below, places, look);
		}
	}
}

json_object *golden_places(json_object *golden)
{
	json_object *places = json_object_new_object();

	json_object_object_foreach(golden_member(golden, "answers"), name, answer) {
		json_object *events = golden_member(answer, "events");

		(void)name;
		golden_walk(golden_member(answer, "body"), "", places, NULL);
		for (size_t i = 0; events && i < json_object_array_length(events); i++) {
			json_object *event = json_object_array_get_idx(events, i);

			golden_walk(event, "", places, NULL);
			if (!golden_member(golden, "stream_type"))
				continue;
			json_object_object_foreach(event, type, data) {
				(void)type;
				golden_walk(data, "", places, NULL);
			}
		}
	}
	return places;
}
