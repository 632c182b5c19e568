#include "daemon/front/sdk/trajectory.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A text, or parts of which those that are texts are taken. */
static json_object *content_of(struct json_maker *maker, json_object *content)
{
	char *text = NULL;
	size_t size;
	FILE *out;
	json_object *made;

	if (!json_object_is_type(content, json_type_array))
		return json_object_is_type(content, json_type_string) ? json_object_get(content) : NULL;
	out = open_memstream(&text, &size);
	for (size_t i = 0; out && i < array_length(content); i++) {
		const char *part = member_text(json_object_array_get_idx(content, i), "text");

		fputs(part ? part : "", out);
	}
	if (out)
		fclose(out);
	made = text ? make_text(maker, text) : NULL;
	maker->failed |= !made;
	free(text);
	return made;
}

/* A message says something, if only nothing. */
static json_object *words_of(struct json_maker *maker, json_object *content)
{
	json_object *words = content_of(maker, content);

	return words ? words : make_text(maker, "");
}

static json_object *calls_of(struct json_maker *maker, json_object *given)
{
	json_object *calls = make_array(maker);

	for (size_t i = 0; i < array_length(given); i++) {
		json_object *one = json_object_array_get_idx(given, i), *call = make_object(maker);
		json_object *function = make_object(maker), *arguments = member(one, "arguments");

		put_copy(maker, call, "id", one, "tool_call_id");
		put_text(maker, call, "type", "function");
		put_copy(maker, function, "name", one, "function_name");
		put_text(maker, function, "arguments", arguments ? json_object_to_json_string(arguments) : "{}");
		put(maker, call, "function", function);
		append(maker, calls, call);
	}
	return calls;
}

/* What a step said, and what its tools brought, as OpenAI has it. */
static void add_step(struct json_maker *maker, json_object *messages, json_object *step)
{
	json_object *message = make_object(maker), *calls = member_array(step, "tool_calls");
	json_object *results = member_array(member(step, "observation"), "results");
	const char *source = member_text(step, "source");

	put_text(maker, message, "role", source && strcmp(source, "agent") != 0 ? source : "assistant");
	put(maker, message, "content", array_length(calls) > 0 ? content_of(maker, member(step, "message")) :
								 words_of(maker, member(step, "message")));
	if (array_length(calls) > 0)
		put(maker, message, "tool_calls", calls_of(maker, calls));
	append(maker, messages, message);
	for (size_t i = 0; i < array_length(results); i++) {
		json_object *one = json_object_array_get_idx(results, i);

		if (!member_text(one, "source_call_id"))
			continue;
		message = make_object(maker);
		put_text(maker, message, "role", "tool");
		put_copy(maker, message, "tool_call_id", one, "source_call_id");
		put(maker, message, "content", words_of(maker, member(one, "content")));
		append(maker, messages, message);
	}
}

json_object *trial_messages(struct json_maker *maker, json_object *trial)
{
	json_object *given = member_array(trial, "messages"), *trajectory = member(trial, "trajectory"), *messages;
	json_object *steps = member_array(trajectory, "steps");
	const char *version = member_text(trajectory, "schema_version");

	if (array_length(given) > 0 || !trajectory)
		return json_object_get(given);
	if (!steps || !version || strncmp(version, TRAJECTORY, strlen(TRAJECTORY)) != 0)
		return NULL;
	messages = make_array(maker);
	for (size_t i = 0; i < array_length(steps); i++)
		add_step(maker, messages, json_object_array_get_idx(steps, i));
	return messages;
}
