/*
 * Messages, tools and formats as OpenAI's chat completions have them, put into ours and back: pure, JSON
 * to JSON. What is wrong with theirs is InvalidParameter with their field; what ours cannot say,
 * Unsupported. The values of what fits are looked at where ours are read.
 */
#pragma once

#include "daemon/front/http/json_maker.h"
#include "proto/fault/fault.h"

/* All answer NULL and set the fault's code, or the maker's `failed`. `path` is that of the field. */
json_object *messages_from_openai(struct json_maker *maker, json_object *messages, const char *path,
				  struct fault *fault);
/* Puts what is asked with: messages, tools and which of them, and the form of the answer, which `format`
 * names in theirs. Whether it has such a form. */
bool asked_from_openai(struct json_maker *maker, json_object *given, const char *format, json_object *to,
		       struct fault *fault);

json_object *messages_to_openai(struct json_maker *maker, json_object *messages);
json_object *tool_calls_to_openai(struct json_maker *maker, json_object *calls);
json_object *tools_to_openai(struct json_maker *maker, json_object *tools);
json_object *tool_choice_to_openai(struct json_maker *maker, const char *choice); // NULL for NULL
json_object *schema_to_openai(struct json_maker *maker, json_object *schema); // NULL for NULL
