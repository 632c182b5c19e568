/*
 * The dialect of Google's generateContent, of the Gemini API and of Vertex. What others have at the
 * top of a request stands in its generationConfig; a tool's result goes by the tool's name; thoughts
 * are parts of an answer beside its text, and are counted beside it.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/backend/dialect/request.h"
#include "proto/content/llm_config_rules.h"

enum {
	FIELD_MEDIA_TYPE = REQUEST_OWN,
	FIELD_SCHEMA,
};

static const char *const field_names[_REQUEST_MAX] = {
	[REQUEST_SYSTEM] = "systemInstruction",
	[REQUEST_TOOLS] = "tools",
	[REQUEST_TOOL_CHOICE] = "toolConfig",
	/* In PARAMS_OBJECT, as all below. */
	[REQUEST_MAX_TOKENS] = "maxOutputTokens",
	[REQUEST_TEMPERATURE] = "temperature",
	[REQUEST_TOP_P] = "topP",
	[REQUEST_TOP_K] = "topK",
	[REQUEST_SEED] = "seed",
	[REQUEST_STOP] = "stopSequences",
	[REQUEST_FREQUENCY_PENALTY] = "frequencyPenalty",
	[REQUEST_PRESENCE_PENALTY] = "presencePenalty",
	[REQUEST_LOGPROBS] = "responseLogprobs",
	[REQUEST_THINKING] = "thinkingConfig",
	[FIELD_MEDIA_TYPE] = "responseMimeType",
	[FIELD_SCHEMA] = "responseJsonSchema",
};

#define PARAMS_OBJECT "generationConfig"

static bool is_role(const struct ellu_message *message, const char *role)
{
	return strcmp(message->role, role) == 0;
}

static void put_text_part(const char *text, struct buffer *body)
{
	request_element(body);
	buffer_text(body, "{\"text\":");
	buffer_json(body, text);
	buffer_text(body, "}");
}

static void put_media_part(const struct ellu_media *media, struct buffer *body)
{
	request_element(body);
	buffer_text(body, media->data ? "{\"inlineData\":{\"data\":" : "{\"fileData\":{\"fileUri\":");
	buffer_json(body, media->data ? media->data : media->url);
	if (media_type(media))
		media_put("mimeType", media_type(media), body);
	buffer_text(body, "}}");
}

static void put_parts(const struct ellu_message *message, struct buffer *body)
{
	const char *content = message->content ? message->content : "";

	/* Something has to be there, be it empty. */
	if (!message->parts && (*content || message->n_tool_calls == 0))
		put_text_part(content, body);
	for (size_t i = 0; i < message->n_parts; i++) {
		const struct ellu_message_part *part = message->parts[i];

		if (part->text)
			put_text_part(part->text, body);
		else
			put_media_part(part->image ? part->image : part->document, body);
	}
}

static void put_system(const struct llm_call *call, struct buffer *body)
{
	const char *system_message = request_system(call);

	if (!request_begin_system(call, REQUEST_SYSTEM, body))
		return;
	buffer_text(body, "{\"parts\":[");
	if (system_message && *system_message)
		put_text_part(system_message, body);
	for (size_t i = 0; i < call->n_messages; i++) {
		if (request_is_system(call->messages[i]))
			put_parts(call->messages[i], body);
	}
	buffer_text(body, "]}");
}

static void put_tool_calls(const struct ellu_message *message, size_t *left, struct buffer *body)
{
	for (size_t i = 0; i < message->n_tool_calls; i++) {
		const struct ellu_tool_call *tool_call = message->tool_calls[i];

		request_element(body);
		buffer_text(body, "{\"functionCall\":{\"id\":");
		buffer_json(body, tool_call->id);
		buffer_text(body, ",\"name\":");
		buffer_json(body, tool_call->name);
		buffer_text(body, ",\"args\":");
		request_arguments(tool_call->arguments, left, body);
		buffer_text(body, "}");
		/* Without it newer models refuse what they called. */
		if (tool_call->signature)
			media_put("thoughtSignature", tool_call->signature, body);
		buffer_text(body, "}");
	}
}

/* Of the call that the result is for, which is one of the messages before it. */
static const char *tool_name(const struct llm_call *call, size_t at)
{
	const struct ellu_message *result = call->messages[at];

	if (result->name || !result->tool_call_id)
		return result->name ? result->name : "";
	while (at-- > 0) {
		const struct ellu_message *message = call->messages[at];

		for (size_t i = 0; i < message->n_tool_calls; i++)
			if (strcmp(message->tool_calls[i]->id, result->tool_call_id) == 0)
				return message->tool_calls[i]->name;
	}
	return result->tool_call_id;
}

/* An object is wanted; what a tool says is a text. */
static void put_tool_result(const struct llm_call *call, size_t at, struct buffer *body)
{
	const struct ellu_message *message = call->messages[at];

	request_element(body);
	buffer_text(body, "{\"functionResponse\":{\"id\":");
	buffer_json(body, message->tool_call_id ? message->tool_call_id : "");
	buffer_text(body, ",\"name\":");
	buffer_json(body, tool_name(call, at));
	buffer_text(body, ",\"response\":{\"output\":");
	if (message->parts) {
		buffer_text(body, "[");
		put_parts(message, body);
		buffer_text(body, "]");
	} else {
		buffer_json(body, message->content ? message->content : "");
	}
	buffer_text(body, "}}}");
}

/* Results of tools that were called together go together. */
static void put_contents(const struct llm_call *call, struct buffer *body)
{
	size_t left = REQUEST_ARGUMENTS_MAX;
	const char *open = NULL; // the role whose parts are open

	buffer_member(body, "contents");
	buffer_text(body, "[");
	for (size_t i = 0; i < call->n_messages; i++) {
		const struct ellu_message *message = call->messages[i];

		if (request_is_system(message))
			continue;
		if (!open || strcmp(open, "tool") != 0 || !is_role(message, "tool")) {
			buffer_text(body, open ? "]},{\"role\":" : "{\"role\":");
			buffer_text(body, is_role(message, "assistant") ? "\"model\"" : "\"user\"");
			buffer_text(body, ",\"parts\":[");
		}
		open = message->role;
		if (is_role(message, "tool")) {
			put_tool_result(call, i, body);
			continue;
		}
		put_parts(message, body);
		put_tool_calls(message, &left, body);
	}
	buffer_text(body, open ? "]}]" : "]");
}

static void put_effort(const struct llm_target *target, const char *effort, struct buffer *body)
{
	if (!effort || !request_begin(target, REQUEST_THINKING, body))
		return;
	buffer_text(body, "{\"thinkingBudget\":");
	buffer_int(body, request_effort_tokens(effort));
	buffer_text(body, "}");
}

static void put_format(const struct llm_call *call, const struct request_form *form,
		       struct buffer *body)
{
	if (!call->response_format || form->structured_output == STRUCTURED_NONE)
		return;
	request_text(call->target, FIELD_MEDIA_TYPE, "application/json", body);
	if (form->structured_output == STRUCTURED_JSON_SCHEMA &&
	    request_begin(call->target, FIELD_SCHEMA, body))
		buffer_text(body, call->response_format);
}

static void put_params(const struct llm_call *call, const struct request_form *form,
		       struct buffer *body)
{
	const struct ellu_generation_params params = request_params(call);
	const struct llm_target *target = call->target;

	request_int(target, REQUEST_MAX_TOKENS, params.max_tokens, body);
	request_sampling(target, &params, body);
	put_effort(target, params.reasoning_effort, body);
	put_format(call, form, body);
}

static void put_tools(const struct llm_call *call, struct buffer *body)
{
	if (call->n_tools == 0 || !request_begin(call->target, REQUEST_TOOLS, body))
		return;
	buffer_text(body, "[{\"functionDeclarations\":[");
	for (size_t i = 0; i < call->n_tools; i++) {
		const struct ellu_tool *tool = call->tools[i];

		request_element(body);
		buffer_text(body, "{\"name\":");
		buffer_json(body, tool->name);
		if (tool->description) {
			buffer_text(body, ",\"description\":");
			buffer_json(body, tool->description);
		}
		if (tool->parameters) {
			buffer_text(body, ",\"parametersJsonSchema\":");
			buffer_text(body, tool->parameters);
		}
		buffer_text(body, "}");
	}
	buffer_text(body, "]}]");
}

static void put_tool_choice(const struct llm_call *call, struct buffer *body)
{
	const char *choice = call->tool_choice;
	bool none = choice && strcmp(choice, "none") == 0;
	bool automatic = choice && strcmp(choice, "auto") == 0;

	if (!choice || !request_begin(call->target, REQUEST_TOOL_CHOICE, body))
		return;
	buffer_text(body, "{\"functionCallingConfig\":{\"mode\":");
	buffer_text(body, none ? "\"NONE\"" : automatic ? "\"AUTO\"" : "\"ANY\"");
	if (!none && !automatic && strcmp(choice, "required") != 0) {
		buffer_text(body, ",\"allowedFunctionNames\":[");
		buffer_json(body, choice);
		buffer_text(body, "]");
	}
	buffer_text(body, "}}");
}

static void request(const struct llm_call *call, const struct request_form *form,
		    struct buffer *body)
{
	buffer_text(body, "{");
	put_contents(call, body);
	put_system(call, body);
	put_tools(call, body);
	put_tool_choice(call, body);
	request_end(call, form, put_params, body);
}

/* In the words that all dialects share, where there is one. */
static const char *finish_reason_of(const char *reason, bool calls_tools)
{
	static const struct answer_word words[] = {
		{ "STOP", "stop" },
		{ "MAX_TOKENS", "length" },
		{ "SAFETY", "content_filter" },
		{ "RECITATION", "content_filter" },
		{ "BLOCKLIST", "content_filter" },
		{ "PROHIBITED_CONTENT", "content_filter" },
		{ "SPII", "content_filter" },
		{ "IMAGE_SAFETY", "content_filter" },
		{ "MODEL_ARMOR", "content_filter" },
		{ NULL, NULL },
	};

	return calls_tools && reason && strcmp(reason, "STOP") == 0 ? "tool_calls" :
								      answer_word_of(words, reason);
}

static void read_part(struct json_value *part, struct answer *answer)
{
	struct json_value *thought = json_member(part, "thought");
	struct json_value *function = json_member(part, "functionCall");

	if (!json_is(part, JSON_OBJECT))
		answer_unusable(answer, "a part of the answer's content is not an object");
	else if (function)
		answer_tool_call(answer, json_member(function, "id"), json_member(function, "name"),
				 json_member(function, "args"), json_member(part, "thoughtSignature"));
	else if (!thought || strcmp(json_words(thought), "true") != 0)
		answer_text(answer, json_member(part, "text"));
}

static void read_candidate(struct json_value *candidate, struct answer *answer)
{
	struct json_value *content = json_member(candidate, "content");
	struct json_value *parts = json_member(content, "parts"), *part;

	if ((content && !json_is(content, JSON_OBJECT)) || (parts && !json_is(parts, JSON_ARRAY))) {
		answer_unusable(answer, "the answer's content is not an object with parts");
		return;
	}
	JSON_EACH(part, parts)
		read_part(part, answer);
	answer_finish_reason(answer, finish_reason_of(json_text_member(candidate, "finishReason"),
						      answer->n_tool_calls + answer->n_pieces > 0));
}

/* `{candidates: [{content: {parts}, finishReason}], promptFeedback, usageMetadata}`: an answer, or as
 * an event what is new of it. */
static void event(struct json_value *json, struct answer *answer)
{
	struct json_value *usage = json_member(json, "usageMetadata");
	struct json_value *candidate = json_first(json_member(json, "candidates"));
	struct json_value *feedback = json_member(json, "promptFeedback");

	answer_usage_beside(answer, json_member(usage, "promptTokenCount"),
			    json_member(usage, "candidatesTokenCount"),
			    json_member(usage, "thoughtsTokenCount"));
	answer_cached(answer, json_member(usage, "cachedContentTokenCount"), NULL, /* beside= */ false);
	if (json_member(json, "error")) {
		answer_failed(answer, json);
	} else if (candidate) {
		read_candidate(candidate, answer);
	} else if (json_text_member(feedback, "blockReason")) {
		answer_finish_reason(answer, "content_filter");
	}
}

static void whole(struct json_value *json, struct answer *answer)
{
	event(json, answer);
	if (!answer->finish_reason && !json_first(json_member(json, "candidates")))
		answer_unusable(answer, "the answer has no candidates");
}

/* What the details of an error have under that name of a type. */
static struct json_value *detail(struct json_value *error, const char *type)
{
	struct json_value *details = json_member(error, "details"), *each;

	JSON_EACH(each, details) {
		const char *name = json_text_member(each, "@type");
		const char *last = name ? strrchr(name, '.') : NULL;

		if (last && strcmp(last + 1, type) == 0)
			return each;
	}
	return NULL;
}

static bool is_word(const char *text, const char *word)
{
	return text && strcmp(text, word) == 0;
}

static enum error_hint hint_of(const struct refusal *refusal)
{
	static const char *const formats[] = { "response_json_schema", "responseJsonSchema",
					       "response_schema", "response_mime_type", "JSON mode" };

	/* It comes as a 400 like any other. */
	if (is_word(refusal->code, "API_KEY_INVALID"))
		return HINT_KEY;
	if (is_word(refusal->code, "BILLING_DISABLED"))
		return HINT_QUOTA;
	/* No request of this config is taken: the country, the account. */
	if (is_word(refusal->type, "FAILED_PRECONDITION") && refusal->status == 400)
		return HINT_QUOTA;
	for (size_t i = 0; i < sizeof(formats) / sizeof(*formats); i++)
		if (refusal->status == 400 && refusal->message && strcasestr(refusal->message, formats[i]))
			return HINT_RESPONSE_FORMAT;
	return HINT_NONE;
}

/* `{error: {code, status, message, details}}`, from some places in a list. */
static void refusal(struct json_value *json, struct refusal *refusal)
{
	struct json_value *error = json_member(json_is(json, JSON_ARRAY) ? json_first(json) : json,
					       "error");
	struct json_value *code = json_member(error, "code");
	double status = json_is(code, JSON_NUMBER) ? json_number(code) : 0;
	const char *delay = json_text_member(detail(error, "RetryInfo"), "retryDelay");

	if (!refusal->status && status >= 300 && status < 600)
		refusal->status = (int)status;
	refusal->message = json_text_member(error, "message");
	refusal->type = json_text_member(error, "status");
	refusal->code = json_text_member(detail(error, "ErrorInfo"), "reason");
	refusal->wait = delay; // `34.07s`
	refusal->hint = hint_of(refusal);
}

/* ---- Vectors ---- */

static const char *task_type(const char *purpose)
{
	static const struct answer_word words[] = {
		{ ELLU_EMBEDDING_PURPOSE_DOCUMENT, "RETRIEVAL_DOCUMENT" },
		{ ELLU_EMBEDDING_PURPOSE_QUERY, "RETRIEVAL_QUERY" },
		{ ELLU_EMBEDDING_PURPOSE_SIMILARITY, "SEMANTIC_SIMILARITY" },
		{ ELLU_EMBEDDING_PURPOSE_CLASSIFICATION, "CLASSIFICATION" },
		{ ELLU_EMBEDDING_PURPOSE_CLUSTERING, "CLUSTERING" },
		{ NULL, NULL },
	};

	return answer_word_of(words, purpose);
}

static void put_dimensions(const struct llm_embedding *embedding, struct buffer *body)
{
	if (!embedding->dimensions)
		return;
	buffer_member(body, "outputDimensionality");
	buffer_int(body, *embedding->dimensions);
}

static void request_vectors(const struct llm_call *call, struct buffer *body)
{
	const struct llm_embedding *embedding = call->embedding;
	char *model = NULL;

	if (asprintf(&model, "models/%s", call->target->model) < 0) {
		body->failed = true;
		return;
	}
	buffer_text(body, "{\"requests\":[");
	for (size_t i = 0; i < embedding->n_texts; i++) {
		request_element(body);
		buffer_text(body, "{\"model\":");
		buffer_json(body, model);
		buffer_text(body, ",\"content\":{\"parts\":[");
		put_text_part(embedding->texts[i], body);
		buffer_text(body, "]}");
		if (embedding->purpose)
			media_put("taskType", task_type(embedding->purpose), body);
		put_dimensions(embedding, body);
		buffer_text(body, "}");
	}
	buffer_text(body, "]");
	request_close(call->target, body);
	free(model);
}

/* `{embeddings: [{values}], usageMetadata}` */
static void read_vectors(struct json_value *json, struct answer *answer)
{
	struct json_value *each;
	size_t i = 0;

	answer_usage(answer, json_member(json_member(json, "usageMetadata"), "promptTokenCount"), NULL, NULL);
	JSON_EACH(each, json_member(json, "embeddings"))
		answer_vector(answer, i++, json_member(each, "values"));
}

/* Of Vertex, some of whose models take one text at a time. */
static void request_prediction(const struct llm_call *call, struct buffer *body)
{
	const struct llm_embedding *embedding = call->embedding;

	buffer_text(body, "{\"instances\":[");
	for (size_t i = 0; i < embedding->n_texts; i++) {
		request_element(body);
		buffer_text(body, "{\"content\":");
		buffer_json(body, embedding->texts[i]);
		if (embedding->purpose)
			media_put("task_type", task_type(embedding->purpose), body);
		buffer_text(body, "}");
	}
	buffer_text(body, "]");
	if (embedding->dimensions) {
		buffer_text(body, ",\"parameters\":{");
		put_dimensions(embedding, body);
		buffer_text(body, "}");
	}
	request_close(call->target, body);
}

/* `{predictions: [{embeddings: {values, statistics: {token_count}}}]}` */
static void read_prediction(struct json_value *json, struct answer *answer)
{
	struct json_value *each;
	size_t i = 0;

	JSON_EACH(each, json_member(json, "predictions")) {
		struct json_value *made = json_member(each, "embeddings");

		answer_usage(answer, json_member(json_member(made, "statistics"), "token_count"), NULL, NULL);
		answer_vector(answer, i++, json_member(made, "values"));
	}
}

static const struct embedding_form vectors = {
	.path = "/v1beta/models/{model}:batchEmbedContents",
	.version_path = "/models/{model}:batchEmbedContents",
	.texts_max = 100,
	.request = request_vectors,
	.whole = read_vectors,
};

static const struct embedding_form vertex_vectors = {
	.path = "/publishers/google/models/{model}:predict",
	.texts_max = 1,
	.request = request_prediction,
	.whole = read_prediction,
};

#define GEMINI(NAME, ...)                                                                          \
	{                                                                                          \
		.name = (NAME), .fields = field_names,                                     \
		.params_object = PARAMS_OBJECT, .stream_query = "alt=sse", .media = MEDIA_ALL,      \
		.request = request, .whole = whole, .event = event, .refusal = refusal,            \
		.change_form = request_step_down, __VA_ARGS__                                      \
	}

/* Vertex takes access tokens; one that is the key, or those that a service account is exchanged for. */
static int prepare_vertex(struct llm_target *target, const struct ellu_llm_config *config,
			  struct fault *fault)
{
	struct service_account *account;
	int r = 0;

	if (target_has_header(config, "Authorization")) {
		/* It has its own. */
	} else if (llm_config_has_account(config)) {
		account = arena_alloc(&target->arena, sizeof(*account));
		r = account ? llm_config_account(config, "llm_config", &target->arena, account, fault) :
			      fault_oom(fault);
		target->account = account;
		if (r >= 0 && target_keep_secret(target, (char *)(uintptr_t)account->private_key) < 0)
			r = fault_oom(fault);
	} else if (target->key &&
		   target_add_header(target, "Authorization", "Bearer ", target->key) < 0) {
		r = fault_oom(fault);
	}
	return r < 0 ? r : request_take_extra(target, config, fault);
}

static void sign_vertex(const struct llm_target *target, const char *url, const struct buffer *body,
			int64_t wall_usec, struct buffer *lines)
{
	(void)url;
	(void)body;
	(void)wall_usec;
	if (!target->account)
		return;
	buffer_text(lines, "Authorization: Bearer ");
	buffer_append(lines, target->bearers[0].text, target->bearers[0].size + 1);
}

const struct dialect gemini_dialects[] = {
	GEMINI("gemini", .path = "/v1beta/models/{model}:generateContent",
	       .version_path = "/models/{model}:generateContent",
	       .stream_path = "/v1beta/models/{model}:streamGenerateContent",
	       .stream_version_path = "/models/{model}:streamGenerateContent",
	       .key_header = "x-goog-api-key", .key_prefix = "", .prepare = request_take_extra,
	       .embedding = &vectors),
	/* The base names project and location. */
	GEMINI("vertex", .path = "/publishers/google/models/{model}:generateContent",
	       .stream_path = "/publishers/google/models/{model}:streamGenerateContent",
	       .prepare = prepare_vertex, .sign = sign_vertex,
	       .embedding = &vertex_vectors),
	{ 0 },
};
