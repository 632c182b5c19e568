/* An endpoint that speaks as no other does. */
#include <inttypes.h>
#include <json-c/json.h>
#include <string.h>

#include "tests/sim/chat.h"

static bool read_request(struct chat_request *request, struct bytes *error)
{
	struct json_object *turns = chat_member(request->json, "turns");
	struct json_object *tools = chat_member(request->json, "functions");

	if (!json_object_is_type(turns, json_type_array) || json_object_array_length(turns) == 0) {
		bytes_text(error, "no turns");
		return false;
	}
	for (size_t i = 0; i < json_object_array_length(turns); i++) {
		struct json_object *turn = json_object_array_get_idx(turns, i);
		const char *role = chat_text_member(turn, "role");

		request->after_tools = role && strcmp(role, "tool") == 0;
		if (chat_member(turn, "content") && !chat_add_text(request, chat_member(turn, "content"))) {
			bytes_printf(error, "turn %zu has no text", i);
			return false;
		}
	}
	for (size_t i = 0; tools && i < json_object_array_length(tools); i++) {
		struct json_object *function =
			chat_member(json_object_array_get_idx(tools, i), "function");

		chat_add_tool(request, chat_text_member(function, "name"),
			      chat_member(function, "parameters"));
	}
	request->schema = chat_member(request->json, "shape");
	request->format = request->schema ? CHAT_JSON_SCHEMA : CHAT_TEXT;
	return true;
}

static void write_answer(struct bytes *out, const struct chat_answer *answer)
{
	static const char *const words[] = {
		[CHAT_STOP] = "stop", [CHAT_LENGTH] = "length", [CHAT_FILTER] = "content_filter",
		[CHAT_REFUSAL] = "refusal", [CHAT_TOOLS] = "tool_calls",
	};

	bytes_text(out, "{\"result\":{");
	if (answer->tool) {
		bytes_text(out, "\"calls\":[{\"name\":");
		bytes_json(out, span_of(answer->tool));
		bytes_text(out, ",\"args\":");
		bytes_append(out, answer->arguments.data, answer->arguments.size);
		bytes_text(out, "}]");
	} else {
		bytes_text(out, "\"words\":[");
		bytes_json(out, answer->text);
		bytes_text(out, "]");
	}
	bytes_printf(out, ",\"end\":\"%s\"}", words[answer->finish]);
	if (answer->usage)
		bytes_printf(out, ",\"spent\":{\"in\":%" PRIi64 ",\"out\":%" PRIi64 "}",
			     answer->input_tokens, answer->output_tokens);
	bytes_text(out, "}");
}

static int write_problem(struct bytes *out, const struct chat_problem *problem)
{
	bytes_text(out, "{\"fault\":{\"reason\":");
	bytes_json(out, span_of(problem->message));
	bytes_text(out, "}}");
	return problem->status;
}

const struct chat_dialect chat_custom = {
	.path = "/custom/answer",
	.read = read_request,
	.write = write_answer,
	.write_problem = write_problem,
};
