/*
 * What a provider sends, as each dialect reads it. The first byte chooses the status, the second
 * the dialect and how it is framed, the rest is the body.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/backend/dialect/answer.h"
#include "daemon/backend/dialect/dialect.h"
#include "proto/limits.h"
#include "proto/utf8.h"

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
	static const int64_t price = INTEGER_MAX;
	const struct ellu_llm_config config = {
		.struct_size = sizeof(config),
		.name = "c",
		.provider = provider,
		.llm_model_name = "m",
		.llm_base_url = "http://host/v1",
		.api_key = KEY,
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

static void try_answer(struct llm_target *target, json_tokener *tokener, enum framing framing,
		       const char *body, size_t size)
{
	struct llm_call call = {
		.target = target,
		.input_tokens = -1,
		.output_tokens = -1,
		.reasoning_tokens = -1,
		.cost_nanodollars = -1,
	};
	struct attempt attempt = { .status = 200 };

	answer_read(&call, tokener, framing, body, size, &attempt);
	require(call.input_tokens >= -1 && call.input_tokens <= ANSWER_TOKENS_MAX);
	require(call.output_tokens >= -1 && call.output_tokens <= ANSWER_TOKENS_MAX);
	require(call.reasoning_tokens >= -1 && call.reasoning_tokens <= ANSWER_TOKENS_MAX);
	require(call.cost_nanodollars >= -1 && call.cost_nanodollars <= INTEGER_MAX);
	if (attempt.class == ATTEMPT_ANSWERED) {
		require_answer(&call);
	} else {
		require(!call.text && !call.tool_calls && attempt.message[0]);
		require_text(attempt.message, sizeof(attempt.message));
	}
	arena_done(&call.arena);
}

static void try_refusal(const struct llm_target *target, int status, json_tokener *tokener,
			const char *body, size_t size)
{
	struct attempt attempt = { .status = status, .wait_usec = -1 };

	refusal_read(target, tokener, body, size, &attempt);
	require(attempt.class != ATTEMPT_ANSWERED && attempt.code != 0 && attempt.message[0]);
	require_text(attempt.message, sizeof(attempt.message));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const int statuses[] = { 200, 400, 401, 403, 404, 422, 429, 500, 503, 302 };
	static const char *const providers[] = { "openai", "anthropic" };
	static struct llm_target *targets[sizeof(providers) / sizeof(*providers)];
	static json_tokener *tokener;
	struct llm_target *target;
	int status;

	if (size < 2)
		return 0;
	if (!tokener) {
		tokener = json_tokener_new_ex(JSON_DEPTH_MAX);
		for (size_t i = 0; i < sizeof(targets) / sizeof(*targets); i++)
			targets[i] = make_target(providers[i]);
	}
	status = statuses[data[0] % (sizeof(statuses) / sizeof(*statuses))];
	target = targets[data[1] % (sizeof(targets) / sizeof(*targets))];
	if (status == 200)
		try_answer(target, tokener,
			   data[1] / (sizeof(targets) / sizeof(*targets)) % 2 ? FRAMING_SSE :
										 FRAMING_NONE,
			   (const char *)data + 2, size - 2);
	else
		try_refusal(target, status, tokener, (const char *)data + 2, size - 2);
	return 0;
}
