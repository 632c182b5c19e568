/*
 * The dialect of Anthropic's Messages API. It has its own way to say things where OpenAI's has
 * another: the system message and those of role `system` stand apart, calls of tools and their
 * results are blocks of a message's content, and a request must limit its answer.
 */
#include <string.h>

#include "daemon/backend/dialect/request.h"

#define API_VERSION "2023-06-01"
#define MAX_TOKENS 4096 // where nobody says; every model allows as much

enum {
	FIELD_OUTPUT_CONFIG = REQUEST_OWN,
};

static const char *const field_names[_REQUEST_MAX] = {
	[REQUEST_MODEL] = "model",
	[REQUEST_MAX_TOKENS] = "max_tokens",
	[REQUEST_SYSTEM] = "system",
	[REQUEST_TEMPERATURE] = "temperature",
	[REQUEST_TOP_P] = "top_p",
	[REQUEST_TOP_K] = "top_k",
	[REQUEST_STOP] = "stop_sequences",
	[REQUEST_TOOLS] = "tools",
	[REQUEST_TOOL_CHOICE] = "tool_choice",
	[FIELD_OUTPUT_CONFIG] = "output_config",
	[REQUEST_THINKING] = "thinking",
};

static int prepare(struct llm_target *target, const struct ellu_llm_config *config,
		   struct fault *fault)
{
	if (!target_has_header(config, "anthropic-version") &&
	    target_add_header(target, "anthropic-version", "", API_VERSION) < 0)
		return fault_oom(fault);
	return request_take_extra(target, config, fault);
}

/* A text as a block of a content. */
static void put_text_block(const char *text, struct buffer *body)
{
	buffer_text(body, "{\"type\":\"text\",\"text\":");
	buffer_json(body, text);
	buffer_text(body, "}");
}

static void put_source(const struct ellu_media *media, struct buffer *body)
{
	buffer_text(body, ",\"source\":{\"type\":");
	if (media->url) {
		buffer_text(body, "\"url\"");
		media_put("url", media->url, body);
	} else {
		buffer_text(body, "\"base64\"");
		media_put("media_type", media_type(media), body);
		media_put("data", media->data, body);
	}
	buffer_text(body, "}");
}

static void put_part(const struct ellu_message_part *part, struct buffer *body)
{
	if (part->text) {
		put_text_block(part->text, body);
		return;
	}
	buffer_text(body, part->image ? "{\"type\":\"image\"" : "{\"type\":\"document\"");
	put_source(part->image ? part->image : part->document, body);
	if (part->document && part->document->name)
		media_put("title", part->document->name, body);
	buffer_text(body, "}");
}

/* What a message says, as blocks. Returns how many it has put behind `n` others. */
static size_t put_blocks(const struct ellu_message *message, size_t n, struct buffer *body)
{
	if (!message->parts) {
		/* An empty block is refused. */
		if (!message->content || !*message->content)
			return n;
		buffer_text(body, n > 0 ? "," : "");
		put_text_block(message->content, body);
		return n + 1;
	}
	for (size_t i = 0; i < message->n_parts; i++, n++) {
		buffer_text(body, n > 0 ? "," : "");
		put_part(message->parts[i], body);
	}
	return n;
}

static void put_system(const struct llm_call *call, struct buffer *body)
{
	const char *system_message = request_system(call);
	size_t n = 0;

	if (!request_begin_system(call, REQUEST_SYSTEM, body))
		return;
	buffer_text(body, "[");
	if (system_message && *system_message) {
		put_text_block(system_message, body);
		n++;
	}
	for (size_t i = 0; i < call->n_messages; i++) {
		if (request_is_system(call->messages[i]))
			n = put_blocks(call->messages[i], n, body);
	}
	buffer_text(body, "]");
}

static void put_content(const struct ellu_message *message, size_t *left, struct buffer *body)
{
	size_t n;

	if (!message->parts && !message->tool_calls) {
		buffer_json(body, message->content ? message->content : "");
		return;
	}
	buffer_text(body, "[");
	n = put_blocks(message, 0, body);
	for (size_t i = 0; i < message->n_tool_calls; i++, n++) {
		const struct ellu_tool_call *tool_call = message->tool_calls[i];

		buffer_text(body, n > 0 ? ",{\"type\":\"tool_use\",\"id\":" :
					  "{\"type\":\"tool_use\",\"id\":");
		buffer_json(body, tool_call->id);
		buffer_text(body, ",\"name\":");
		buffer_json(body, tool_call->name);
		buffer_text(body, ",\"input\":");
		request_arguments(tool_call->arguments, left, body);
		buffer_text(body, "}");
	}
	buffer_text(body, "]");
}

static void put_message(const struct ellu_message *message, size_t *left, struct buffer *body)
{
	if (strcmp(message->role, "tool") == 0) {
		buffer_text(body, "{\"role\":\"user\",\"content\":[{\"type\":\"tool_result\","
				  "\"tool_use_id\":");
		buffer_json(body, message->tool_call_id ? message->tool_call_id : "");
		buffer_text(body, ",\"content\":");
		put_content(message, left, body);
		buffer_text(body, "}]}");
		return;
	}
	buffer_text(body, "{\"role\":");
	buffer_json(body, message->role);
	buffer_text(body, ",\"content\":");
	put_content(message, left, body);
	buffer_text(body, "}");
}

static void put_messages(const struct llm_call *call, struct buffer *body)
{
	size_t n = 0, left = REQUEST_ARGUMENTS_MAX;

	buffer_member(body, "messages");
	buffer_text(body, "[");
	for (size_t i = 0; i < call->n_messages; i++) {
		if (request_is_system(call->messages[i]))
			continue;
		if (n++ > 0)
			buffer_text(body, ",");
		put_message(call->messages[i], &left, body);
	}
	buffer_text(body, "]");
}

static void put_params(const struct llm_call *call, struct buffer *body)
{
	const struct ellu_generation_params params = request_params(call);
	const struct llm_target *target = call->target;
	const int64_t max_tokens = params.max_tokens ? *params.max_tokens : MAX_TOKENS;

	request_int(target, REQUEST_MAX_TOKENS, &max_tokens, body);
	request_sampling(target, &params, body);
}

static void put_tools(const struct llm_call *call, struct buffer *body)
{
	const char *choice = call->tool_choice;

	if (call->n_tools > 0 && request_begin(call->target, REQUEST_TOOLS, body)) {
		for (size_t i = 0; i < call->n_tools; i++) {
			const struct ellu_tool *tool = call->tools[i];

			buffer_text(body, i == 0 ? "[{\"name\":" : ",{\"name\":");
			buffer_json(body, tool->name);
			if (tool->description) {
				buffer_text(body, ",\"description\":");
				buffer_json(body, tool->description);
			}
			buffer_text(body, ",\"input_schema\":");
			buffer_text(body, tool->parameters ? tool->parameters :
							     "{\"type\":\"object\"}");
			buffer_text(body, "}");
		}
		buffer_text(body, "]");
	}
	if (!choice || !request_begin(call->target, REQUEST_TOOL_CHOICE, body))
		return;
	buffer_text(body, "{\"type\":");
	if (strcmp(choice, "auto") == 0 || strcmp(choice, "none") == 0) {
		buffer_json(body, choice);
	} else if (strcmp(choice, "required") == 0) {
		buffer_text(body, "\"any\"");
	} else {
		buffer_text(body, "\"tool\",\"name\":");
		buffer_json(body, choice);
	}
	buffer_text(body, "}");
}

/* How much thought, and which form; not to think at all is another member's. */
static void put_output(const struct llm_call *call, const struct request_form *form,
		       struct buffer *body)
{
	const bool has_format = call->response_format &&
				form->structured_output == STRUCTURED_JSON_SCHEMA;
	const char *effort = request_params(call).reasoning_effort;

	if (effort && strcmp(effort, "none") == 0) {
		if (request_begin(call->target, REQUEST_THINKING, body))
			buffer_text(body, "{\"type\":\"disabled\"}");
		effort = NULL;
	}
	if ((!effort && !has_format) || !request_begin(call->target, FIELD_OUTPUT_CONFIG, body))
		return;
	buffer_text(body, "{");
	if (effort) {
		buffer_member(body, "effort");
		buffer_json(body, strcmp(effort, "minimal") == 0 ? "low" : effort);
	}
	if (has_format) {
		buffer_member(body, "format");
		buffer_text(body, "{\"type\":\"json_schema\",\"schema\":");
		buffer_text(body, call->response_format);
		buffer_text(body, "}");
	}
	buffer_text(body, "}");
}

static void request(const struct llm_call *call, const struct request_form *form,
		    struct buffer *body)
{
	request_open(call->target, body);
	put_system(call, body);
	put_messages(call, body);
	put_params(call, body);
	put_tools(call, body);
	put_output(call, form, body);
	if (call->stream)
		buffer_text(body, ",\"stream\":true");
	request_close(call->target, body);
}

/* There is nothing between a schema and the mere request in the prompt. */
static bool change_form(const struct llm_call *call, enum error_hint hint,
			const struct request_form *used, struct request_form *form)
{
	if (hint != HINT_RESPONSE_FORMAT || !call->response_format ||
	    call->target->structured_fixed || used->structured_output != STRUCTURED_JSON_SCHEMA)
		return false;
	form->structured_output = STRUCTURED_NONE;
	return true;
}

static bool is_text(const char *text, const char *what)
{
	return text && strcmp(text, what) == 0;
}

/* In the words that all dialects share, where there is one. */
static const char *finish_reason_of(const char *stop_reason)
{
	static const struct answer_word words[] = {
		{ "end_turn", "stop" },
		{ "stop_sequence", "stop" },
		{ "max_tokens", "length" },
		{ "model_context_window_exceeded", "length" },
		{ "tool_use", "tool_calls" },
		{ NULL, NULL },
	};

	return answer_word_of(words, stop_reason);
}

static void read_block(struct json_value *block, struct answer *answer)
{
	const char *type = json_text_member(block, "type");

	if (!type)
		answer_unusable(answer, "a block of the answer's content has no type");
	else if (strcmp(type, "tool_use") == 0)
		answer_tool_call(answer, json_member(block, "id"), json_member(block, "name"),
				 json_member(block, "input"), NULL);
	else if (strcmp(type, "text") == 0)
		answer_text(answer, json_member(block, "text"));
}

/* Tokens of the input that went through the cache are counted apart. */
static void read_usage(struct json_value *usage, struct answer *answer)
{
	answer_usage(answer, json_member(usage, "input_tokens"), json_member(usage, "output_tokens"),
		     json_member(json_member(usage, "output_tokens_details"), "thinking_tokens"));
	answer_cached(answer, json_member(usage, "cache_read_input_tokens"),
		      json_member(usage, "cache_creation_input_tokens"), /* beside= */ true);
}

static void whole(struct json_value *json, struct answer *answer)
{
	struct json_value *content = json_member(json, "content");
	struct json_value *usage = json_member(json, "usage");
	struct json_value *block;

	read_usage(usage, answer);
	if (json_member(json, "error")) {
		answer_failed(answer, json);
		return;
	}
	if (!json_is(content, JSON_ARRAY)) {
		answer_unusable(answer, "the answer's content is not an array");
		return;
	}
	answer_finish_reason(answer, finish_reason_of(json_text_member(json, "stop_reason")));
	JSON_EACH(block, content)
		read_block(block, answer);
}

/* `{type, …}`: a block begins, goes on, and what the message came to. */
static void event(struct json_value *json, struct answer *answer)
{
	const char *type = json_text_member(json, "type");
	struct json_value *delta = json_member(json, "delta"), *index = json_member(json, "index");
	struct json_value *block = json_member(json, "content_block");
	struct json_value *usage = json_member(json, "usage");

	if (!usage)
		usage = json_member(json_member(json, "message"), "usage");
	read_usage(usage, answer);
	if (is_text(type, "error")) {
		answer_failed(answer, json);
		return;
	}
	answer_finish_reason(answer, finish_reason_of(json_text_member(delta, "stop_reason")));
	answer_text(answer, json_member(block, "text"));
	answer_text(answer, json_member(delta, "text"));
	if (is_text(json_text_member(block, "type"), "tool_use"))
		answer_tool_piece(answer, index, json_member(block, "id"), json_member(block, "name"),
				  NULL);
	if (json_member(delta, "partial_json"))
		answer_tool_piece(answer, index, NULL, NULL, json_member(delta, "partial_json"));
}

static enum error_hint hint_of(const struct refusal *refusal)
{
	static const char *const formats[] = { "output_config", "output_format", "json_schema" };

	if (refusal->status != 400 || !refusal->message)
		return HINT_NONE;
	if (strcasestr(refusal->message, "credit balance is too low"))
		return HINT_QUOTA;
	for (size_t i = 0; i < sizeof(formats) / sizeof(*formats); i++) {
		if (strcasestr(refusal->message, formats[i]))
			return HINT_RESPONSE_FORMAT;
	}
	return HINT_NONE;
}

/* `{type: error, error: {type, message}}`. */
static void refusal(struct json_value *json, struct refusal *refusal)
{
	struct json_value *error = json_member(json, "error");

	refusal->message = json_text_member(error, "message");
	refusal->type = json_text_member(error, "type");
	refusal->hint = hint_of(refusal);
}

const struct dialect anthropic_dialects[] = {
	{
		.name = "anthropic",
		.path = "/v1/messages",
		.version_path = "/messages",
		.key_header = "x-api-key",
		.key_prefix = "",
		.fields = field_names,
		.media = MEDIA_IMAGE_DATA | MEDIA_IMAGE_URL | MEDIA_PDF_DATA | MEDIA_DOCUMENT_URL,
		.prepare = prepare,
		.request = request,
		.whole = whole,
		.event = event,
		.refusal = refusal,
		.change_form = change_form,
		.batch = &anthropic_batch,
	},
	{ 0 },
};
