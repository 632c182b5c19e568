/*
 * The dialect of Cohere's second chat interface: messages and tools are OpenAI's, parameters have
 * names of their own, and a choice among tools is made by showing only those.
 */
#include <string.h>

#include "daemon/backend/dialect/openai_form.h"
#include "daemon/backend/dialect/request.h"

#define DENIED_STATUS 498 // a text that the account does not allow

enum {
	FIELD_INPUT_TYPE = REQUEST_OWN,
	FIELD_EMBEDDING_TYPES,
};

static const char *const field_names[_REQUEST_MAX] = {
	[REQUEST_MODEL] = "model",
	[REQUEST_MAX_TOKENS] = "max_tokens",
	[REQUEST_TEMPERATURE] = "temperature",
	[REQUEST_TOP_P] = "p",
	[REQUEST_TOP_K] = "k",
	[REQUEST_SEED] = "seed",
	[REQUEST_STOP] = "stop_sequences",
	[REQUEST_FREQUENCY_PENALTY] = "frequency_penalty",
	[REQUEST_PRESENCE_PENALTY] = "presence_penalty",
	[REQUEST_LOGPROBS] = "logprobs",
	[REQUEST_THINKING] = "thinking",
	[REQUEST_TOOLS] = "tools",
	[REQUEST_TOOL_CHOICE] = "tool_choice",
	[REQUEST_RESPONSE_FORMAT] = "response_format",
	[REQUEST_TEXTS] = "texts",
	[FIELD_INPUT_TYPE] = "input_type",
	[FIELD_EMBEDDING_TYPES] = "embedding_types",
	[REQUEST_DIMENSIONS] = "output_dimension",
};

static void put_effort(const struct llm_target *target, const char *effort, struct buffer *body)
{
	int64_t tokens = effort ? request_effort_tokens(effort) : 0;

	if (!effort || !request_begin(target, REQUEST_THINKING, body))
		return;
	buffer_text(body, tokens > 0 ? "{\"type\":\"enabled\",\"token_budget\":" :
				       "{\"type\":\"disabled\"");
	if (tokens > 0)
		buffer_int(body, tokens);
	buffer_text(body, "}");
}

static void put_params(const struct llm_call *call, struct buffer *body)
{
	const struct ellu_generation_params params = request_params(call);
	const struct llm_target *target = call->target;

	request_int(target, REQUEST_MAX_TOKENS, params.max_tokens, body);
	request_sampling(target, &params, body);
	put_effort(target, params.reasoning_effort, body);
}

/* Whether the choice is one tool alone. */
static bool is_name(const char *choice)
{
	return choice && strcmp(choice, "auto") != 0 && strcmp(choice, "none") != 0 &&
	       strcmp(choice, "required") != 0;
}

static void put_tools(const struct llm_call *call, struct buffer *body)
{
	const char *choice = call->tool_choice;

	if (call->n_tools > 0 && request_begin(call->target, REQUEST_TOOLS, body)) {
		buffer_text(body, "[");
		for (size_t i = 0; i < call->n_tools; i++) {
			if (is_name(choice) && strcmp(call->tools[i]->name, choice) != 0)
				continue;
			request_element(body);
			openai_put_tool(call->tools[i], body);
		}
		buffer_text(body, "]");
	}
	/* Free to choose is what it is where nothing is said. */
	if (choice && strcmp(choice, "auto") != 0)
		request_text(call->target, REQUEST_TOOL_CHOICE,
			     strcmp(choice, "none") == 0 ? "NONE" : "REQUIRED", body);
}

static void put_response_format(const struct llm_call *call, const struct request_form *form,
				struct buffer *body)
{
	if (!call->response_format || form->structured_output == STRUCTURED_NONE ||
	    !request_begin(call->target, REQUEST_RESPONSE_FORMAT, body))
		return;
	buffer_text(body, "{\"type\":\"json_object\"");
	if (form->structured_output == STRUCTURED_JSON_SCHEMA) {
		buffer_text(body, ",\"json_schema\":");
		buffer_text(body, call->response_format);
	}
	buffer_text(body, "}");
}

static void request(const struct llm_call *call, const struct request_form *form,
		    struct buffer *body)
{
	request_open(call->target, body);
	openai_put_messages(call, body);
	put_params(call, body);
	put_tools(call, body);
	put_response_format(call, form, body);
	if (call->stream)
		buffer_text(body, ",\"stream\":true");
	request_close(call->target, body);
}

/* In the words that all dialects share, where there is one. */
static const char *finish_reason_of(const char *reason)
{
	static const struct answer_word words[] = {
		{ "COMPLETE", "stop" },
		{ "STOP_SEQUENCE", "stop" },
		{ "MAX_TOKENS", "length" },
		{ "TOOL_CALL", "tool_calls" },
		{ "ERROR_TOXIC", "content_filter" },
		{ NULL, NULL },
	};

	return answer_word_of(words, reason);
}

static bool is_word(const char *text, const char *word)
{
	return text && strcmp(text, word) == 0;
}

/* What came to an end by the provider's fault is no answer. */
static void read_end(struct json_value *from, struct answer *answer)
{
	struct json_value *usage = json_member(from, "usage"), *tokens = json_member(usage, "tokens");
	const char *reason = json_text_member(from, "finish_reason");

	answer_usage(answer, json_member(tokens, "input_tokens"), json_member(tokens, "output_tokens"),
		     NULL);
	answer_cached(answer, json_member(usage, "cached_tokens"), NULL, /* beside= */ false);
	if (json_text_member(from, "error"))
		answer_failed(answer, from);
	else if (is_word(reason, "ERROR") || is_word(reason, "TIMEOUT"))
		answer_unusable(answer, "the provider gave the answer up");
	else
		answer_finish_reason(answer, finish_reason_of(reason));
}

static void whole(struct json_value *json, struct answer *answer)
{
	struct json_value *message = json_member(json, "message");
	struct json_value *content = json_member(message, "content"), *block;
	struct json_value *tool_calls = json_member(message, "tool_calls"), *tool_call;

	read_end(json, answer);
	if (!json_is(message, JSON_OBJECT) || (content && !json_is(content, JSON_ARRAY)) ||
	    (tool_calls && !json_is(tool_calls, JSON_ARRAY))) {
		answer_unusable(answer, "the answer's message is not an object with lists");
		return;
	}
	/* What it is about to do with tools, in words. */
	answer_text(answer, json_member(message, "tool_plan"));
	JSON_EACH(block, content) {
		if (!json_is(block, JSON_OBJECT))
			answer_unusable(answer, "a block of the answer's content is not an object");
		answer_text(answer, json_member(block, "text"));
	}
	JSON_EACH(tool_call, tool_calls) {
		struct json_value *function = json_member(tool_call, "function");

		answer_tool_call(answer, json_member(tool_call, "id"), json_member(function, "name"),
				 json_member(function, "arguments"), NULL);
	}
}

/* `{type, index, delta: {message: {content: {text}, tool_calls: {id, function}}}}`; the last one's
 * delta says why it ends, and what it took. */
static void event(struct json_value *json, struct answer *answer)
{
	struct json_value *delta = json_member(json, "delta"), *message = json_member(delta, "message");
	struct json_value *tool_call = json_member(message, "tool_calls");
	struct json_value *function = json_member(tool_call, "function");

	read_end(delta, answer);
	answer_text(answer, json_member(message, "tool_plan"));
	answer_text(answer, json_member(json_member(message, "content"), "text"));
	if (json_is(tool_call, JSON_OBJECT))
		answer_tool_piece(answer, json_member(json, "index"), json_member(tool_call, "id"),
				  json_member(function, "name"), json_member(function, "arguments"));
}

static enum error_hint hint_of(const struct refusal *refusal)
{
	static const char *const formats[] = { "response_format", "json_schema", "json_object" };

	if (refusal->status == DENIED_STATUS)
		return HINT_CONTENT;
	if (!refusal->message)
		return HINT_NONE;
	/* There is no code beside the words. */
	if (refusal->status == 429 && strcasestr(refusal->message, "calls / month"))
		return HINT_QUOTA;
	for (size_t i = 0; i < sizeof(formats) / sizeof(*formats); i++)
		if ((refusal->status == 400 || refusal->status == 422) &&
		    strcasestr(refusal->message, formats[i]))
			return HINT_RESPONSE_FORMAT;
	return HINT_NONE;
}

/* `{message}`, of a stream's end `{error}`: what OpenAI's dialect knows as well. */
static void refusal(struct json_value *json, struct refusal *refusal)
{
	openai_refusal(json, refusal);
	refusal->hint = hint_of(refusal);
}

/* ---- Vectors ---- */

const char *cohere_input_type(const char *purpose)
{
	static const struct answer_word words[] = {
		{ ELLU_EMBEDDING_PURPOSE_DOCUMENT, "search_document" },
		{ ELLU_EMBEDDING_PURPOSE_QUERY, "search_query" },
		{ ELLU_EMBEDDING_PURPOSE_SIMILARITY, "clustering" }, // where no side is a query either
		{ NULL, NULL },
	};

	return answer_word_of(words, purpose ? purpose : ELLU_EMBEDDING_PURPOSE_DOCUMENT);
}

static void request_vectors(const struct llm_call *call, struct buffer *body)
{
	const struct llm_embedding *embedding = call->embedding;
	const struct llm_target *target = call->target;

	request_open(target, body);
	request_texts(target, REQUEST_TEXTS, embedding->texts, embedding->n_texts, body);
	request_text(target, FIELD_INPUT_TYPE, cohere_input_type(embedding->purpose), body);
	if (request_begin(target, FIELD_EMBEDDING_TYPES, body))
		buffer_text(body, "[\"float\"]");
	request_int(target, REQUEST_DIMENSIONS, embedding->dimensions, body);
	request_close(target, body);
}

/* `{embeddings: {float: [[…]]}, meta: {billed_units}}` */
static void read_vectors(struct json_value *json, struct answer *answer)
{
	struct json_value *units = json_member(json_member(json, "meta"), "billed_units");

	answer_usage(answer, json_member(units, "input_tokens"), NULL, NULL);
	answer_vectors(answer, json_member(json_member(json, "embeddings"), "float"));
}

static const struct embedding_form vectors = {
	.path = "/v2/embed",
	.version_path = "/embed",
	.texts_max = 96,
	.request = request_vectors,
	.whole = read_vectors,
};

const struct dialect cohere_dialects[] = {
	{
		.name = "cohere",
		.path = "/v2/chat",
		.version_path = "/chat",
		.key_header = "Authorization",
		.key_prefix = "Bearer ",
		.fields = field_names,
		.media = MEDIA_IMAGE_DATA | MEDIA_IMAGE_URL,
		.prepare = request_take_extra,
		.request = request,
		.whole = whole,
		.event = event,
		.refusal = refusal,
		.change_form = request_step_down,
		.embedding = &vectors,
	},
	{ 0 },
};
