/*
 * The dialect of OpenAI's chat completions. Nothing is sent that nobody set: many endpoints refuse
 * parameters that they do not know. Answers are read leniently: providers leave out what they do
 * not know. Only an answer without any choice is none.
 */
#include <string.h>

#include "daemon/backend/dialect/openai_form.h"
#include "daemon/backend/dialect/request.h"

enum {
	FIELD_STREAM_OPTIONS = REQUEST_OWN,
};

/* The same wherever this is spoken, but for two. */
#define FIELD_NAMES(seed, dimensions)                                                              \
	{                                                                                          \
		[REQUEST_MODEL] = "model",                                                 \
		[REQUEST_MAX_TOKENS] = "max_tokens",                                       \
		[REQUEST_MAX_COMPLETION_TOKENS] = "max_completion_tokens", /* instead of it */ \
		[REQUEST_TOP_P] = "top_p",                                                 \
		[REQUEST_TEMPERATURE] = "temperature",                                     \
		[REQUEST_TOP_K] = "top_k",                                                 \
		[REQUEST_FREQUENCY_PENALTY] = "frequency_penalty",                         \
		[REQUEST_PRESENCE_PENALTY] = "presence_penalty",                           \
		[REQUEST_SEED] = (seed),                                                   \
		[REQUEST_STOP] = "stop",                                                   \
		[REQUEST_REASONING_EFFORT] = "reasoning_effort",                           \
		[REQUEST_VERBOSITY] = "verbosity",                                         \
		[REQUEST_LOGPROBS] = "logprobs",                                           \
		[REQUEST_TOOLS] = "tools",                                                 \
		[REQUEST_TOOL_CHOICE] = "tool_choice",                                     \
		[REQUEST_RESPONSE_FORMAT] = "response_format",                             \
		[FIELD_STREAM_OPTIONS] = "stream_options",                                 \
		[REQUEST_TEXTS] = "input",                                                 \
		[REQUEST_DIMENSIONS] = (dimensions),                                       \
	}

static const char *const field_names[_REQUEST_MAX] = FIELD_NAMES("seed", "dimensions");
static const char *const mistral_names[_REQUEST_MAX] = FIELD_NAMES("random_seed", "output_dimension");

static void put_params(const struct llm_target *target,
		       const struct ellu_generation_params *params, bool completion_tokens,
		       struct buffer *body)
{
	if (!request_replaced(target, REQUEST_MAX_TOKENS) &&
	    !request_replaced(target, REQUEST_MAX_COMPLETION_TOKENS))
		request_int(target, completion_tokens ? REQUEST_MAX_COMPLETION_TOKENS :
							REQUEST_MAX_TOKENS, params->max_tokens, body);
	request_sampling(target, params, body);
	request_text(target, REQUEST_REASONING_EFFORT, params->reasoning_effort, body);
	request_text(target, REQUEST_VERBOSITY, params->verbosity, body);
}

static int prepare(struct llm_target *target, const struct ellu_llm_config *config,
		   struct fault *fault)
{
	int r = request_take_extra(target, config, fault);

	for (int i = 0; r >= 0 && i < 2; i++) {
		struct buffer text = { 0 };

		put_params(target, &target->params, /* completion_tokens= */ i == 1, &text);
		target->params_json[i] = arena_strndup(&target->arena, text.data ? text.data : "",
						       text.size);
		if (!target->params_json[i] || text.failed)
			r = fault_oom(fault);
		buffer_done(&text);
	}
	return r;
}

static void put_tools(const struct llm_call *call, struct buffer *body)
{
	if (call->n_tools > 0 && request_begin(call->target, REQUEST_TOOLS, body)) {
		for (size_t i = 0; i < call->n_tools; i++) {
			buffer_text(body, i == 0 ? "[" : ",");
			openai_put_tool(call->tools[i], body);
		}
		buffer_text(body, "]");
	}
	if (!call->tool_choice || !request_begin(call->target, REQUEST_TOOL_CHOICE, body))
		return;
	if (strcmp(call->tool_choice, "auto") == 0 || strcmp(call->tool_choice, "none") == 0) {
		buffer_json(body, call->tool_choice);
	} else if (strcmp(call->tool_choice, "required") == 0) {
		buffer_json(body, call->target->dialect->any_tool);
	} else {
		buffer_text(body, "{\"type\":\"function\",\"function\":{\"name\":");
		buffer_json(body, call->tool_choice);
		buffer_text(body, "}}");
	}
}

static void put_response_format(const struct llm_call *call, const struct request_form *form,
				struct buffer *body)
{
	if (!call->response_format || form->structured_output == STRUCTURED_NONE ||
	    !request_begin(call->target, REQUEST_RESPONSE_FORMAT, body))
		return;
	if (form->structured_output == STRUCTURED_JSON_OBJECT) {
		buffer_text(body, "{\"type\":\"json_object\"}");
		return;
	}
	buffer_text(body, "{\"type\":\"json_schema\",\"json_schema\":{\"name\":\"answer\",\"schema\":");
	buffer_text(body, call->response_format);
	buffer_text(body, "}}");
}

/* Only with the option does a stream say what it took. */
static void put_stream(const struct llm_call *call, const struct request_form *form,
		       struct buffer *body)
{
	if (!call->stream)
		return;
	buffer_text(body, ",\"stream\":true");
	if (!form->plain_stream && request_begin(call->target, FIELD_STREAM_OPTIONS, body))
		buffer_text(body, "{\"include_usage\":true}");
}

static void request(const struct llm_call *call, const struct request_form *form,
		    struct buffer *body)
{
	const struct llm_target *target = call->target;

	request_open(target, body);
	openai_put_messages(call, body);
	if (call->params && !call->plain) {
		const struct ellu_generation_params params = request_params(call);

		put_params(target, &params, form->max_completion_tokens, body);
	} else {
		buffer_text(body, target->params_json[form->max_completion_tokens]);
	}
	put_tools(call, body);
	put_response_format(call, form, body);
	put_stream(call, form, body);
	request_close(target, body);
}

static bool change_form(const struct llm_call *call, enum error_hint hint,
			const struct request_form *used, struct request_form *form)
{
	if (hint == HINT_MAX_TOKENS) {
		bool sent = call->target->params.max_tokens ||
			    (!call->plain && call->params && call->params->max_tokens);

		if (!sent)
			return false;
		form->max_completion_tokens = !used->max_completion_tokens;
		return true;
	}
	if (hint == HINT_STREAM_OPTIONS) {
		form->plain_stream = true;
		return call->stream && !used->plain_stream;
	}
	return request_step_down(call, hint, used, form);
}

static void read_tool_calls(struct json_value *tool_calls, struct answer *answer)
{
	struct json_value *tool_call;

	if (!tool_calls)
		return;
	if (!json_is(tool_calls, JSON_ARRAY)) {
		answer_unusable(answer, "the answer's tool_calls are not an array");
		return;
	}
	JSON_EACH(tool_call, tool_calls) {
		struct json_value *function = json_member(tool_call, "function");

		answer_tool_call(answer, json_member(tool_call, "id"), json_member(function, "name"),
				 json_member(function, "arguments"), NULL);
	}
}

/* A string or a list of parts, of which only those of text have one. */
static void read_content(struct json_value *content, struct answer *answer)
{
	struct json_value *part;

	if (!json_is(content, JSON_ARRAY)) {
		answer_text(answer, content);
		return;
	}
	JSON_EACH(part, content) {
		if (!json_is(part, JSON_OBJECT))
			answer_unusable(answer, "a part of the answer's content is not an object");
		answer_text(answer, json_member(part, "text"));
	}
}

static void read_choice(struct json_value *choice, struct answer *answer)
{
	struct json_value *message = json_member(choice, "message");
	struct json_value *text = json_member(choice, "text"); // of servers for completions

	if (json_member(choice, "error")) {
		answer_failed(answer, choice);
		return;
	}
	answer_finish_reason(answer, json_text_member(choice, "finish_reason"));
	if (!message) {
		answer_text(answer, text);
		if (!text)
			answer_unusable(answer, "the answer has no choices");
		return;
	}
	if (!json_is(message, JSON_OBJECT)) {
		answer_unusable(answer, "the answer's message is not an object");
		return;
	}
	read_content(json_member(message, "content"), answer);
	answer_refusal(answer, json_member(message, "refusal"));
	read_tool_calls(json_member(message, "tool_calls"), answer);
}

static void read_piece(struct json_value *delta, struct answer *answer)
{
	struct json_value *tool_calls = json_member(delta, "tool_calls"), *tool_call;

	answer_text(answer, json_member(delta, "content"));
	answer_refusal(answer, json_member(delta, "refusal"));
	JSON_EACH(tool_call, tool_calls) {
		struct json_value *function = json_member(tool_call, "function");

		answer_tool_piece(answer, json_member(tool_call, "index"), json_member(tool_call, "id"),
				  json_member(function, "name"), json_member(function, "arguments"));
	}
}

/* What an answer, or an event of one, says of itself. The first choice, or NULL. */
static struct json_value *read_envelope(struct json_value *json, struct answer *answer)
{
	struct json_value *choices = json_member(json, "choices");
	struct json_value *error = json_member(json, "error");
	struct json_value *usage = json_member(json, "usage");

	answer_usage(answer, json_member(usage, "prompt_tokens"),
		     json_member(usage, "completion_tokens"),
		     json_member(json_member(usage, "completion_tokens_details"),
				 "reasoning_tokens"));
	answer_cached(answer, json_member(json_member(usage, "prompt_tokens_details"), "cached_tokens"),
		      NULL, /* beside= */ false);
	if (error) {
		answer_failed(answer, json);
		return NULL;
	}
	return json_first(choices);
}

static void whole(struct json_value *json, struct answer *answer)
{
	struct json_value *choice = read_envelope(json, answer);

	if (choice)
		read_choice(choice, answer);
	else
		answer_unusable(answer, "the answer has no choices");
}

/* `{choices: [{delta: {content}, finish_reason}]}`; the last one has no choice. */
static void event(struct json_value *json, struct answer *answer)
{
	struct json_value *choice = read_envelope(json, answer);

	if (json_member(choice, "error")) {
		answer_failed(answer, choice);
		return;
	}
	answer_finish_reason(answer, json_text_member(choice, "finish_reason"));
	read_piece(json_member(choice, "delta"), answer);
}

/* ---- Vectors ---- */

static void request_vectors(const struct llm_call *call, struct buffer *body)
{
	const struct llm_embedding *embedding = call->embedding;
	const struct llm_target *target = call->target;

	request_open(target, body);
	request_texts(target, REQUEST_TEXTS, embedding->texts, embedding->n_texts, body);
	request_int(target, REQUEST_DIMENSIONS, embedding->dimensions, body);
	request_close(target, body);
}

/* `{data: [{index, embedding}], usage}`; some leave out the index. */
static void read_vectors(struct json_value *json, struct answer *answer)
{
	struct json_value *usage = json_member(json, "usage"), *each;
	size_t i = 0;

	answer_usage(answer, json_member(usage, "prompt_tokens"), NULL, NULL);
	if (json_member(json, "error")) {
		answer_failed(answer, json);
		return;
	}
	JSON_EACH(each, json_member(json, "data")) {
		struct json_value *index = json_member(each, "index");
		double number = json_is(index, JSON_NUMBER) ? json_number(index) : (double)i;

		answer_vector(answer, number >= 0 && number < (double)SIZE_MAX ? (size_t)number : SIZE_MAX,
			      json_member(each, "embedding"));
		i++;
	}
}

#define VECTORS_AT(PATH, ...)                                                                      \
	&(const struct embedding_form)                                                             \
	{                                                                                          \
		.path = (PATH), .texts_max = 2048, .request = request_vectors,                     \
		.whole = read_vectors, __VA_ARGS__                                                 \
	}
#define VECTORS .embedding = VECTORS_AT("/embeddings", )

#define OPENAI(NAME, ...)                                                                          \
	{                                                                                          \
		.name = (NAME), .prepare = prepare, .request = request,                    \
		.whole = whole, .event = event, .refusal = openai_refusal,                 \
		.change_form = change_form,                                                \
		__VA_ARGS__                                                                        \
	}
#define USUAL .path = "/chat/completions", .key_header = "Authorization", .key_prefix = "Bearer "
#define NAMES .fields = field_names, .any_tool = "required"
#define IMAGES .media = MEDIA_IMAGE_DATA | MEDIA_IMAGE_URL
#define FILES .media = MEDIA_IMAGE_DATA | MEDIA_IMAGE_URL | MEDIA_DOCUMENT_DATA

const struct dialect openai_dialects[] = {
	OPENAI("openai", USUAL, NAMES, FILES, VECTORS, .batch = &openai_batch),
	OPENAI("azure", NAMES, FILES, .key_header = "api-key", .key_prefix = "",
	       .path = "/openai/deployments/{model}/chat/completions",
	       .version_path = "/chat/completions", .query = "api-version=2024-10-21",
	       .embedding = VECTORS_AT("/openai/deployments/{model}/embeddings",
				       .version_path = "/embeddings")),
	OPENAI("deepseek", USUAL, NAMES),
	OPENAI("groq", USUAL, NAMES, IMAGES, .form = { .max_completion_tokens = true }),
	OPENAI("litellm", USUAL, NAMES, FILES, VECTORS),
	OPENAI("mistral", USUAL, .fields = mistral_names, .any_tool = "any",
	       .form = { .plain_stream = true },
	       .media = MEDIA_IMAGE_DATA | MEDIA_IMAGE_URL | MEDIA_DOCUMENT_URL, VECTORS),
	OPENAI("ollama", USUAL, NAMES, .media = MEDIA_IMAGE_DATA, VECTORS),
	OPENAI("openrouter", USUAL, NAMES, FILES, VECTORS),
	OPENAI("together", USUAL, NAMES, IMAGES, VECTORS),
	OPENAI("xai", USUAL, NAMES, IMAGES, VECTORS, .form = { .max_completion_tokens = true }),
	{ 0 },
};
