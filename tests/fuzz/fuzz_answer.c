/*
 * What a provider sends, as each dialect reads it. The first byte chooses the status, the second the
 * dialect, how it is framed and what was asked for, the rest is the body.
 */
#include <errno.h>
#include <json-c/json.h>
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/backend/dialect/answer.h"
#include "daemon/backend/dialect/request.h"
#include "proto/limits.h"
#include "proto/text/utf8.h"

#define KEY "sk-0123456789abcdef"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(int condition)
{
	if (!condition)
		abort();
}

static void require_text(const char *text, size_t max)
{
	require(strlen(text) <= max && utf8_valid(text, strlen(text), NULL) && !strstr(text, KEY));
}

static struct llm_target *make_target(const char *provider)
{
	static const char custom[] = "{\"body\":{\"q\":\"{{messages}}\"},\"text\":\"/result/words\","
				     "\"tool_calls\":\"/result/calls\",\"finish_reason\":\"/result/end\","
				     "\"input_tokens\":\"/spent/in\",\"error\":\"/fault/0/reason\"}";
	static const int64_t price = INTEGER_MAX;
	const struct ellu_llm_config config = {
		.struct_size = sizeof(config),
		.name = "c",
		.provider = provider,
		.llm_model_name = "m",
		.llm_base_url = "http://host/v1",
		.api_key = KEY,
		.custom = strcmp(provider, "custom") == 0 ? custom : NULL,
		.price_input = &price,
		.price_output = &price,
	};
	struct llm_target *target;
	struct fault fault;

	require(llm_target_new(&config, &target, &fault) == 0);
	return target;
}

static void require_answer(const struct llm_call *call)
{
	require(call->text || call->tool_calls);
	if (call->text)
		require_text(call->text, RESPONSE_TEXT_MAX);
	if (call->tool_calls) {
		json_object *json = json_tokener_parse(call->tool_calls);

		require_text(call->tool_calls, RESPONSE_TEXT_MAX);
		require(json_object_is_type(json, json_type_array) &&
			json_object_array_length(json) > 0);
		json_object_put(json);
	}
	if (call->finish_reason)
		require_text(call->finish_reason, 64);
}

/* ---- What json-c reads ---- */

static json_object *read_by_json_c(const char *body, size_t size)
{
	json_tokener *tokener = json_tokener_new_ex(JSON_DEPTH_MAX);
	json_object *json = json_tokener_parse_ex(tokener, body, (int)size);
	bool whole = json_tokener_get_error(tokener) == json_tokener_success;

	for (size_t i = json_tokener_get_parse_end(tokener); whole && i < size; i++)
		whole = strchr(" \t\r\n", body[i]);
	json_tokener_free(tokener);
	if (whole)
		return json;
	json_object_put(json);
	return NULL;
}

static void compare(struct json_value *value, json_object *json)
{
	static const json_type types[] = { json_type_null, json_type_boolean, json_type_double,
					   json_type_string, json_type_array, json_type_object };
	struct json_value *element;
	size_t i = 0;

	require(json_object_is_type(json, types[value->kind]) ||
		(value->kind == JSON_NUMBER && json_object_is_type(json, json_type_int)));
	if (value->kind == JSON_TEXT) {
		size_t size = json_words_size(value);

		require(size == (size_t)json_object_get_string_len(json) &&
			memcmp(json_words(value), json_object_get_string(json), size) == 0);
	} else if (value->kind == JSON_NUMBER) {
		double ours = json_number(value), theirs = json_object_get_double(json);

		/* Those that it has no integer for are the largest or the least to it. */
		require(ours == theirs || isnan(ours) || fabs(ours) > 9e18);
	} else if (value->kind == JSON_ARRAY) {
		JSON_EACH(element, value)
			compare(element, json_object_array_get_idx(json, i++));
		require(i == json_object_array_length(json));
	} else if (value->kind == JSON_OBJECT) {
		json_object_object_foreach(json, name, member) {
			element = json_member(value, name);
			require(!element == !member);
			if (member)
				compare(element, member);
		}
	}
}

/* Values are what json-c makes of them, and there are none where it finds none. */
static void try_json(struct json_reader *reader, const char *body, size_t size)
{
	json_object *json;
	struct json_value *value;
	char *text;
	int r;

	if (memchr(body, 0, size) || !utf8_valid(body, size, NULL) ||
	    memmem(body, size, "\\u0000", 6)) // names end there to it
		return;
	json = read_by_json_c(body, size);
	text = malloc(size);
	require(!size || text);
	if (size > 0)
		memcpy(text, body, size);
	r = json_read(reader, text, size, &value);
	/* Of null it makes NULL, and of a number or a word it waits for the end. */
	require(r >= 0 ? json || value->kind < JSON_TEXT : r == -EBADMSG && !json);
	if (json)
		compare(value, json);
	json_object_put(json);
	free(text);
}

/* ---- What dialects read ---- */

/* Each delta is text that can be told by itself. Returns the bytes of the text in it. */
static size_t tell(struct answer *answer, bool all)
{
	struct ellu_call_delta delta;
	struct arena arena;
	size_t size = 0;

	arena_init(&arena);
	require(answer_delta(answer, all, &arena, &delta) >= 0);
	if (delta.text) {
		size = strlen(delta.text);
		require(size > 0);
		require_text(delta.text, RESPONSE_TEXT_MAX);
	}
	for (size_t i = 0; i < delta.n_tool_calls; i++)
		require_text(delta.tool_calls[i]->arguments, RESPONSE_TEXT_MAX);
	arena_done(&arena);
	return size;
}

/* As many as were asked for, of one length, and each a number. */
static void require_vectors(const struct llm_call *call)
{
	require(call->n_dimensions > 0 && call->n_dimensions <= EMBEDDING_DIMENSIONS_MAX);
	for (size_t i = 0; i < call->embedding->n_texts * call->n_dimensions; i++)
		require(isfinite(call->vectors[i]));
}

static void try_answer(struct llm_target *target, struct json_reader *reader, const struct framing *framing,
		       const struct llm_embedding *embedding, char *body, size_t size)
{
	struct llm_call call = {
		.target = target,
		.embedding = embedding,
		.input_tokens = -1,
		.output_tokens = -1,
		.reasoning_tokens = -1,
		.cost_nanodollars = -1,
	};
	struct attempt attempt = { .status = 200 };
	struct answer answer;
	size_t told = 0;

	answer_begin(&answer, &call, reader, framing, &attempt);
	/* However it is cut. */
	for (size_t at = 0, step; framing && at < size; at += step) {
		step = 1 + (unsigned char)body[at] % (size - at);
		if (!answer_take(&answer, body + at, step))
			break;
		told += tell(&answer, /* all= */ false);
	}
	answer_end(&answer, body, framing ? 0 : size);
	if (framing && attempt.class == ATTEMPT_ANSWERED) {
		told += tell(&answer, /* all= */ true);
		require(!call.text || told == strlen(call.text));
	}
	answer_done(&answer);
	require(call.input_tokens >= -1 && call.input_tokens <= ANSWER_TOKENS_MAX);
	require(call.output_tokens >= -1 && call.output_tokens <= ANSWER_TOKENS_MAX);
	require(call.reasoning_tokens >= -1 && call.reasoning_tokens <= ANSWER_TOKENS_MAX);
	require(call.cost_nanodollars >= -1 && call.cost_nanodollars <= INTEGER_MAX);
	if (attempt.class == ATTEMPT_ANSWERED && embedding) {
		require_vectors(&call);
	} else if (attempt.class == ATTEMPT_ANSWERED) {
		require_answer(&call);
	} else {
		require(!call.text && !call.tool_calls && !call.vectors && attempt.message[0]);
		require_text(attempt.message, sizeof(attempt.message));
	}
	arena_done(&call.arena);
}

static void try_refusal(const struct llm_target *target, int status, struct json_reader *reader,
			char *body, size_t size)
{
	struct attempt attempt = { .status = status, .wait_usec = -1 };

	refusal_read(target, reader, NULL, body, size, &attempt);
	require(attempt.class != ATTEMPT_ANSWERED && attempt.code != 0 && attempt.message[0]);
	require_text(attempt.message, sizeof(attempt.message));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const int statuses[] = { 200, 400, 401, 403, 404, 422, 429, 500, 503, 302 };
	static const char *const texts[] = { "A warm day", "Rivers run" };
	static const struct llm_embedding two = { .texts = texts, .n_texts = 2 };
	static const struct llm_embedding one = { .texts = texts, .n_texts = 1 };
	static const struct {
		const char *provider;
		const struct framing *framing;
		const struct llm_embedding *embedding;
	} ways[] = {
		{ "openai", NULL, NULL }, { "anthropic", NULL, NULL },
		{ "openai", &framing_sse, NULL }, { "anthropic", &framing_sse, NULL },
		{ "bedrock", NULL, NULL }, { "bedrock", &framing_aws, NULL },
		{ "cohere", NULL, NULL }, { "cohere", &framing_sse, NULL },
		{ "gemini", NULL, NULL }, { "gemini", &framing_sse, NULL },
		{ "custom", NULL, NULL }, { "openai", NULL, &two }, { "cohere", NULL, &two },
		{ "gemini", NULL, &two }, { "vertex", NULL, &one }, { "bedrock", NULL, &one },
	};
	static struct llm_target *targets[sizeof(ways) / sizeof(*ways)];
	static struct json_reader reader;
	struct llm_target *target;
	size_t way;
	char *body;
	int status;

	if (size < 2)
		return 0;
	if (!targets[0]) {
		for (size_t i = 0; i < sizeof(targets) / sizeof(*targets); i++)
			targets[i] = make_target(ways[i].provider);
	}
	status = statuses[data[0] % (sizeof(statuses) / sizeof(*statuses))];
	way = data[1] % (sizeof(targets) / sizeof(*targets));
	target = targets[way];
	try_json(&reader, (const char *)data + 2, size - 2);
	body = malloc(size);
	require(body != NULL);
	memcpy(body, data + 2, size - 2);
	if (status == 200)
		try_answer(target, &reader, ways[way].framing, ways[way].embedding, body, size - 2);
	else
		try_refusal(target, status, &reader, body, size - 2);
	free(body);
	return 0;
}
