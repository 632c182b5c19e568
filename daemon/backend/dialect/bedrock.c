/*
 * The dialect of Amazon Bedrock's Converse. Users and assistants alternate there, so that messages
 * of one role that follow each other are one; a structured answer is the input of a tool that has to
 * be called. Requests are signed, unless the key is a bearer's token; types of errors stand in a
 * header.
 */
#include <string.h>

#include "daemon/backend/dialect/aws_sigv4.h"
#include "daemon/backend/dialect/request.h"
#include "proto/content/llm_config_rules.h"

#define SERVICE "bedrock"
#define ANSWER_TOOL "answer" // whose input is the answer where a form is asked for
#define DOCUMENT_NAME "document" // where nobody gives one: they must have one

static const char *const field_names[_REQUEST_MAX] = {
	[REQUEST_SYSTEM] = "system",
	[REQUEST_TOOLS] = "toolConfig",
	/* In PARAMS_OBJECT, as all below. */
	[REQUEST_MAX_TOKENS] = "maxTokens",
	[REQUEST_TEMPERATURE] = "temperature",
	[REQUEST_TOP_P] = "topP",
	[REQUEST_STOP] = "stopSequences",
};

#define PARAMS_OBJECT "inferenceConfig"

/* ---- Keys ---- */

/* `ACCESS:SECRET` or `ACCESS:SECRET:SESSION`. */
static int take_credentials(struct llm_target *target, const char *region, struct fault *fault)
{
	struct aws_credentials *credentials = arena_alloc(&target->arena, sizeof(*credentials));
	char *key = arena_strdup(&target->arena, target->key), *secret, *session;

	if (!credentials || !key)
		return fault_oom(fault);
	if (!region)
		return fault_invalid(fault, "llm_config.custom",
				     "a `region` to sign for: the URL names none");
	secret = strchr(key, ':');
	*secret++ = '\0';
	session = strchr(secret, ':');
	if (session)
		*session++ = '\0';
	*credentials = (struct aws_credentials){ .access_key = key, .secret_key = secret,
						 .session_token = session, .region = region,
						 .service = SERVICE };
	target->aws = credentials;
	if (target_keep_secret(target, key) < 0 || target_keep_secret(target, secret) < 0)
		return fault_oom(fault);
	if (session && (target_keep_secret(target, session) < 0 ||
			target_add_header(target, "X-Amz-Security-Token", "", session) < 0))
		return fault_oom(fault);
	return 0;
}

static int prepare(struct llm_target *target, const struct ellu_llm_config *config,
		   struct fault *fault)
{
	const char *region;
	int r = llm_config_region(config, "llm_config", &target->arena, &region, fault);

	if (r >= 0 && target->key && !target_has_header(config, "Authorization")) {
		if (strchr(target->key, ':'))
			r = take_credentials(target, region, fault);
		else if (target_add_header(target, "Authorization", "Bearer ", target->key) < 0)
			r = fault_oom(fault);
	}
	return r < 0 ? r : request_take_extra(target, config, fault);
}

static void sign(const struct llm_target *target, const char *url, const struct buffer *body,
		 int64_t wall_usec, struct buffer *lines)
{
	if (target->aws)
		aws_sigv4_sign(target->aws, &(struct aws_request) {
			.url = url, .headers = target->headers, .body = body->data, .size = body->size },
			wall_usec, lines);
}

/* ---- Requests ---- */

static bool is_role(const struct ellu_message *message, const char *role)
{
	return strcmp(message->role, role) == 0;
}

/* An empty one is refused. */
static void put_text_block(const char *text, struct buffer *body)
{
	if (!text || !*text)
		return;
	request_element(body);
	buffer_text(body, "{\"text\":");
	buffer_json(body, text);
	buffer_text(body, "}");
}

/* What is behind the slash of its type: a format's name, but for a few. */
static const char *format_of(const struct ellu_media *media)
{
	static const struct {
		const char *type, *format;
	} formats[] = {
		{ "text/plain", "txt" },
		{ "text/markdown", "md" },
		{ "application/msword", "doc" },
		{ "application/vnd.openxmlformats-officedocument.wordprocessingml.document", "docx" },
		{ "application/vnd.ms-excel", "xls" },
		{ "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", "xlsx" },
	};
	const char *type = media_type(media), *slash = strchr(type, '/');

	for (size_t i = 0; i < sizeof(formats) / sizeof(*formats); i++)
		if (strcmp(type, formats[i].type) == 0)
			return formats[i].format;
	return slash ? slash + 1 : type;
}

/* Of a document: other characters than these are refused in it, and so are blanks in a row. */
static void put_name(const char *name, struct buffer *body)
{
	static const char allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-()[]";

	buffer_member(body, "name");
	buffer_text(body, "\"");
	for (; *name; name++)
		buffer_append(body, strchr(allowed, *name) ? name : "-", 1);
	buffer_text(body, "\"");
}

static void put_media(const char *kind, const struct ellu_media *media, struct buffer *body)
{
	request_element(body);
	buffer_text(body, "{");
	buffer_member(body, kind);
	buffer_text(body, "{\"format\":");
	buffer_json(body, format_of(media));
	if (strcmp(kind, "document") == 0)
		put_name(media->name ? media->name : DOCUMENT_NAME, body);
	buffer_text(body, ",\"source\":{\"bytes\":");
	buffer_json(body, media->data);
	buffer_text(body, "}}}");
}

static void put_blocks(const struct ellu_message *message, struct buffer *body)
{
	put_text_block(message->content, body);
	for (size_t i = 0; i < message->n_parts; i++) {
		const struct ellu_message_part *part = message->parts[i];

		if (part->text)
			put_text_block(part->text, body);
		else if (part->image)
			put_media("image", part->image, body);
		else
			put_media("document", part->document, body);
	}
}

static void put_system(const struct llm_call *call, struct buffer *body)
{
	const char *system_message = request_system(call);

	if (!request_begin_system(call, REQUEST_SYSTEM, body))
		return;
	buffer_text(body, "[");
	put_text_block(system_message, body);
	for (size_t i = 0; i < call->n_messages; i++)
		if (request_is_system(call->messages[i]))
			put_blocks(call->messages[i], body);
	buffer_text(body, "]");
}

static void put_tool_calls(const struct ellu_message *message, size_t *left, struct buffer *body)
{
	for (size_t i = 0; i < message->n_tool_calls; i++) {
		const struct ellu_tool_call *tool_call = message->tool_calls[i];

		request_element(body);
		buffer_text(body, "{\"toolUse\":{\"toolUseId\":");
		buffer_json(body, tool_call->id);
		buffer_text(body, ",\"name\":");
		buffer_json(body, tool_call->name);
		buffer_text(body, ",\"input\":");
		request_arguments(tool_call->arguments, left, body);
		buffer_text(body, "}}");
	}
}

static void put_tool_result(const struct ellu_message *message, struct buffer *body)
{
	request_element(body);
	buffer_text(body, "{\"toolResult\":{\"toolUseId\":");
	buffer_json(body, message->tool_call_id ? message->tool_call_id : "");
	buffer_text(body, ",\"content\":[");
	put_blocks(message, body);
	buffer_text(body, "]}}");
}

static void put_messages(const struct llm_call *call, struct buffer *body)
{
	size_t left = REQUEST_ARGUMENTS_MAX;
	const char *open = NULL; // the role of the message that is

	buffer_member(body, "messages");
	buffer_text(body, "[");
	for (size_t i = 0; i < call->n_messages; i++) {
		const struct ellu_message *message = call->messages[i];
		const char *role = is_role(message, "assistant") ? "assistant" : "user";

		if (request_is_system(message))
			continue;
		if (!open || strcmp(open, role) != 0) {
			buffer_text(body, open ? "]},{\"role\":" : "{\"role\":");
			buffer_json(body, role);
			buffer_text(body, ",\"content\":[");
		}
		open = role;
		if (is_role(message, "tool")) {
			put_tool_result(message, body);
			continue;
		}
		put_blocks(message, body);
		put_tool_calls(message, &left, body);
	}
	buffer_text(body, open ? "]}]" : "]");
}

static void put_params(const struct llm_call *call, const struct request_form *form,
		       struct buffer *body)
{
	const struct ellu_generation_params params = request_params(call);

	(void)form;
	request_int(call->target, REQUEST_MAX_TOKENS, params.max_tokens, body);
	request_sampling(call->target, &params, body);
}

static void put_tool(const char *name, const char *description, const char *schema,
		     struct buffer *body)
{
	request_element(body);
	buffer_text(body, "{\"toolSpec\":{\"name\":");
	buffer_json(body, name);
	if (description && *description) {
		buffer_member(body, "description");
		buffer_json(body, description);
	}
	buffer_text(body, ",\"inputSchema\":{\"json\":");
	buffer_text(body, schema ? schema : "{\"type\":\"object\"}");
	buffer_text(body, "}}}");
}

static void put_tool_choice(const char *choice, struct buffer *body)
{
	/* There is no word for `none`. */
	if (!choice || strcmp(choice, "none") == 0)
		return;
	buffer_text(body, ",\"toolChoice\":{");
	if (strcmp(choice, "auto") == 0 || strcmp(choice, "required") == 0) {
		buffer_text(body, *choice == 'a' ? "\"auto\":{}" : "\"any\":{}");
	} else {
		buffer_text(body, "\"tool\":{\"name\":");
		buffer_json(body, choice);
		buffer_text(body, "}");
	}
	buffer_text(body, "}");
}

/* Where there are tools of the call's own, the model is to choose among them. */
static bool answers_by_tool(const struct llm_call *call)
{
	return call->response_format && call->n_tools == 0;
}

static void put_tools(const struct llm_call *call, const struct request_form *form,
		      struct buffer *body)
{
	bool structured = answers_by_tool(call) && form->structured_output == STRUCTURED_JSON_SCHEMA;

	if ((call->n_tools == 0 && !structured) || !request_begin(call->target, REQUEST_TOOLS, body))
		return;
	buffer_text(body, "{\"tools\":[");
	for (size_t i = 0; i < call->n_tools; i++)
		put_tool(call->tools[i]->name, call->tools[i]->description, call->tools[i]->parameters,
			 body);
	if (structured)
		put_tool(ANSWER_TOOL, "Gives the answer.", call->response_format, body);
	buffer_text(body, "]");
	put_tool_choice(structured ? ANSWER_TOOL : call->tool_choice, body);
	buffer_text(body, "}");
}

static void request(const struct llm_call *call, const struct request_form *form,
		    struct buffer *body)
{
	buffer_text(body, "{");
	put_messages(call, body);
	put_system(call, body);
	put_tools(call, form, body);
	request_end(call, form, put_params, body);
}

/* ---- Answers ---- */

static const char *finish_reason_of(const struct answer *answer, const char *reason)
{
	static const struct answer_word words[] = {
		{ "end_turn", "stop" },
		{ "stop_sequence", "stop" },
		{ "max_tokens", "length" },
		{ "model_context_window_exceeded", "length" },
		{ "tool_use", "tool_calls" },
		{ "content_filtered", "content_filter" },
		{ "guardrail_intervened", "content_filter" },
		{ NULL, NULL },
	};

	if (reason && strcmp(reason, "tool_use") == 0 && answers_by_tool(answer->call))
		return "stop";
	return answer_word_of(words, reason);
}

static void read_usage(struct json_value *usage, struct answer *answer)
{
	answer_usage(answer, json_member(usage, "inputTokens"), json_member(usage, "outputTokens"),
		     NULL);
	answer_cached(answer, json_member(usage, "cacheReadInputTokens"),
		      json_member(usage, "cacheWriteInputTokens"), /* beside= */ true);
}

static void read_block(struct json_value *block, struct answer *answer)
{
	struct json_value *tool_use = json_member(block, "toolUse");
	struct json_value *input = json_member(tool_use, "input");

	if (!json_is(block, JSON_OBJECT))
		answer_unusable(answer, "a block of the answer's content is not an object");
	else if (tool_use && answers_by_tool(answer->call))
		answer_written(answer, input);
	else if (tool_use)
		answer_tool_call(answer, json_member(tool_use, "toolUseId"),
				 json_member(tool_use, "name"), input, NULL);
	else
		answer_text(answer, json_member(block, "text"));
}

static void whole(struct json_value *json, struct answer *answer)
{
	struct json_value *message = json_member(json_member(json, "output"), "message");
	struct json_value *content = json_member(message, "content"), *block;

	read_usage(json_member(json, "usage"), answer);
	if (!json_is(content, JSON_ARRAY)) {
		answer_unusable(answer, "the answer's content is not an array");
		return;
	}
	JSON_EACH(block, content)
		read_block(block, answer);
	answer_finish_reason(answer, finish_reason_of(answer, json_text_member(json, "stopReason")));
}

/* What an event is, it has as its only member of interest. */
static void event(struct json_value *json, struct answer *answer)
{
	struct json_value *index = json_member(json, "contentBlockIndex");
	struct json_value *delta = json_member(json, "delta");
	struct json_value *tool_use = json_member(delta, "toolUse");
	struct json_value *start = json_member(json_member(json, "start"), "toolUse");
	struct json_value *input = json_member(tool_use, "input");

	read_usage(json_member(json, "usage"), answer);
	answer_finish_reason(answer, finish_reason_of(answer, json_text_member(json, "stopReason")));
	answer_text(answer, json_member(delta, "text"));
	if (answers_by_tool(answer->call)) {
		answer_text(answer, input);
		return;
	}
	if (start)
		answer_tool_piece(answer, index, json_member(start, "toolUseId"),
				  json_member(start, "name"), NULL);
	if (input)
		answer_tool_piece(answer, index, NULL, NULL, input);
}

/* ---- Errors ---- */

/* By its name alone, without what the header has behind it; its case depends on where it stands. */
static bool is_type(const struct refusal *refusal, const char *name)
{
	const char *type = refusal->type ? refusal->type : "";
	const char *at = strchr(type, '#') ? strchr(type, '#') + 1 : type;
	size_t size = strlen(name);

	return strncasecmp(at, name, size) == 0 && (at[size] == '\0' || at[size] == ':');
}

/* An error in a stream has a type alone. */
static int status_of(const struct refusal *refusal)
{
	static const struct {
		const char *type;
		int status;
	} statuses[] = {
		{ "ThrottlingException", 429 },
		{ "ServiceUnavailableException", 503 },
		{ "InternalServerException", 500 },
		{ "ModelStreamErrorException", 424 },
		{ "ModelErrorException", 424 },
		{ "ModelTimeoutException", 408 },
		{ "ModelNotReadyException", 429 },
		{ "ValidationException", 400 },
	};

	for (size_t i = 0; i < sizeof(statuses) / sizeof(*statuses); i++)
		if (is_type(refusal, statuses[i].type))
			return statuses[i].status;
	return 0;
}

/* What there is no type for. */
static enum error_hint hint_of(const struct refusal *refusal)
{
	static const struct {
		const char *words;
		enum error_hint hint;
	} hints[] = {
		{ "toolChoice", HINT_RESPONSE_FORMAT },
		{ "toolConfig", HINT_RESPONSE_FORMAT },
		{ "support tool use", HINT_RESPONSE_FORMAT },
		{ "model identifier is invalid", HINT_MODEL },
		{ "on-demand throughput isn", HINT_MODEL },
	};

	if (is_type(refusal, "ServiceQuotaExceededException"))
		return HINT_QUOTA;
	for (size_t i = 0; i < sizeof(hints) / sizeof(*hints); i++)
		if (refusal->status == 400 && refusal->message &&
		    strcasestr(refusal->message, hints[i].words))
			return hints[i].hint;
	return HINT_NONE;
}

/* `{message}`, with a capital where it does not come from the service itself. */
static void refusal(struct json_value *json, struct refusal *refusal)
{
	refusal->message = json_text_member(json, "message");
	if (!refusal->message)
		refusal->message = json_text_member(json, "Message");
	if (!refusal->type)
		refusal->type = json_text_member(json, "__type");
	if (!refusal->status)
		refusal->status = status_of(refusal);
	refusal->hint = hint_of(refusal);
}

/* ---- Vectors ---- */

/* There is one way to ask for them for each who made a model: Amazon's own, and Cohere's. */
static bool is_cohere(const struct llm_target *target)
{
	return strstr(target->model, "cohere.") != NULL;
}

static void put_input(const struct llm_call *call, struct buffer *body)
{
	const struct llm_embedding *embedding = call->embedding;
	bool cohere = is_cohere(call->target);

	buffer_text(body, cohere ? "{\"texts\":[" : "{\"inputText\":");
	buffer_json(body, embedding->texts[0]);
	if (cohere) {
		buffer_text(body, "]");
		media_put("input_type", cohere_input_type(embedding->purpose), body);
	}
	if (!embedding->dimensions)
		return;
	buffer_member(body, cohere ? "output_dimension" : "dimensions");
	buffer_int(body, *embedding->dimensions);
}

static void request_vectors(const struct llm_call *call, struct buffer *body)
{
	put_input(call, body);
	request_close(call->target, body);
}

/* `{embedding, inputTextTokenCount}`; `{embeddings: [[…]]}` or `{embeddings: {float: [[…]]}}`. */
static void read_vectors(struct json_value *json, struct answer *answer)
{
	struct json_value *list = json_member(json, "embeddings");

	answer_usage(answer, json_member(json, "inputTextTokenCount"), NULL, NULL);
	if (is_cohere(answer->call->target))
		answer_vectors(answer, json_is(list, JSON_OBJECT) ? json_member(list, "float") : list);
	else
		answer_vector(answer, 0, json_member(json, "embedding"));
}

static const struct embedding_form vectors = {
	.path = "/model/{model}/invoke",
	.texts_max = 1,
	.request = request_vectors,
	.whole = read_vectors,
};

const struct dialect bedrock_dialects[] = {
	{
		.name = "bedrock",
		.path = "/model/{model}/converse",
		.stream_path = "/model/{model}/converse-stream",
		.fields = field_names,
		.params_object = PARAMS_OBJECT,
		.media = MEDIA_IMAGE_DATA | MEDIA_DOCUMENT_DATA,
		.type_header = "x-amzn-errortype",
		.prepare = prepare,
		.sign = sign,
		.request = request,
		.whole = whole,
		.event = event,
		.refusal = refusal,
		.change_form = request_step_down,
		.embedding = &vectors,
	},
	{ 0 },
};
