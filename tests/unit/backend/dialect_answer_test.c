/* Dialects: what answers, streams and refusals are read as. */
#include <stdlib.h>
#include <string.h>

#include "daemon/backend/dialect/request.h"
#include "tests/unit/backend/minimal.h"
#include "tests/unit/suite.h"

static bool read_odd_usage;
static const char *read_provider = "openai";
static const size_t read_steps[] = { SIZE_MAX / 2, 1, 7 };
static size_t read_step = SIZE_MAX / 2; // bytes of a stream at a time
static const int64_t *read_prices; // input, output, cached, put into the cache, thought; or NULL
static bool read_apart; // the last three as well

/* Reads an answer's body into *call, whose arena is to be freed. */
static enum attempt_class read_framed(struct llm_call *call, const struct framing *framing,
				      const char *body)
{
	char *text = strdup(body);
	struct json_reader reader = { 0 };
	static const int64_t price = 1000000;
	struct ellu_llm_config config = minimal();
	struct attempt attempt = { .status = 200 };
	struct answer answer;

	config.provider = read_provider;
	config.api_key = "sk-0123456789";
	config.price_input = read_prices ? &read_prices[0] : &price;
	config.price_output = read_prices ? &read_prices[1] : &price;
	if (read_prices && read_apart) {
		config.price_cached_input = &read_prices[2];
		config.price_cache_write = &read_prices[3];
		config.price_reasoning = &read_prices[4];
	}
	*call = (struct llm_call){
		.target = make(&config),
		.input_tokens = -1,
		.output_tokens = -1,
		.reasoning_tokens = -1,
		.cached_tokens = -1,
		.cost_nanodollars = -1,
	};
	answer_begin(&answer, call, &reader, framing, &attempt);
	for (size_t at = 0; framing && at < strlen(body); at += read_step)
		if (!answer_take(&answer, body + at, strnlen(body + at, read_step)))
			break;
	answer_end(&answer, text, framing ? 0 : strlen(text));
	answer_done(&answer);
	llm_target_unref(call->target);
	json_reader_done(&reader);
	free(text);
	read_odd_usage = attempt.odd_usage;
	ck_assert_ptr_null(strstr(attempt.message, config.api_key));
	return attempt.class;
}

static enum attempt_class read_body(struct llm_call *call, const char *body)
{
	return read_framed(call, NULL, body);
}

START_TEST(answers)
{
	static const char *const broken[] = {
		"", "null", "[]", "{}", "{\"choices\":[]}", "{\"choices\":[{}]}", "<html>",
		"{\"error\":{\"message\":\"x\"}}", "{\"choices\":[{\"message\":{\"content\":\"x\"}}]",
		"{\"choices\":[{\"message\":{\"content\":\"x\"}}]} trailing",
	};
	struct llm_call call;

	for (size_t i = 0; i < sizeof(broken) / sizeof(*broken); i++)
		ck_assert_int_eq(read_body(&call, broken[i]), ATTEMPT_RETRY);

	ck_assert_int_eq(read_body(&call, "{\"choices\":[{\"message\":{\"content\":null,\"refusal\":"
					  "\"No.\"},\"finish_reason\":\"stop\"}]}"),
			 ATTEMPT_ANSWERED);
	ck_assert_str_eq(call.text, "No.");
	ck_assert_str_eq(call.finish_reason, "refusal");
	ck_assert_int_eq(call.input_tokens, -1);
	arena_done(&call.arena);

	ck_assert_int_eq(read_body(&call, "{\"choices\":[{\"message\":{\"content\":null,\"tool_calls\":"
					  "[{\"id\":\"i\",\"function\":{\"name\":\"f\",\"arguments\":"
					  "\"{\\\"a\\\":1}\"}},{\"function\":{\"name\":\"g\","
					  "\"arguments\":{}}}]}}],\"usage\":null}"),
			 ATTEMPT_ANSWERED);
	ck_assert_ptr_null(call.text);
	ck_assert_str_eq(call.tool_calls,
			 "[{\"id\":\"i\",\"name\":\"f\",\"arguments\":\"{\\\"a\\\":1}\"},"
			 "{\"id\":\"call_1\",\"name\":\"g\",\"arguments\":\"{}\"}]");
	arena_done(&call.arena);

	ck_assert_int_eq(read_body(&call, "{\"choices\":[{\"message\":{\"content\":[{\"type\":\"text\","
					  "\"text\":\"a\\u0000\"},{\"text\":\"b\xff\"}]}}],\"usage\":"
					  "{\"prompt_tokens\":3,\"completion_tokens\":4,"
					  "\"completion_tokens_details\":{\"reasoning_tokens\":2}}}"),
			 ATTEMPT_ANSWERED);
	ck_assert_str_eq(call.text, "a\xef\xbf\xbd" "b\xef\xbf\xbd");
	ck_assert_int_eq(call.replaced, 2);
	ck_assert_int_eq(call.input_tokens, 3);
	ck_assert_int_eq(call.reasoning_tokens, 2);
	arena_done(&call.arena);
}
END_TEST

/* What was cached, or is thought, has a price of its own, and is part of input and output, however the
 * provider counts it. Prices are in dollars a token here. */
START_TEST(costs)
{
	static const int64_t million = INT64_C(1000000000000000);
	static const struct {
		const char *provider, *body;
		bool apart; // these prices are there
		int64_t input, cached, dollars; // -1: unknown
	} cases[] = {
#define OPENAI(usage) "openai", "{\"choices\":[{\"message\":{\"content\":\"x\"}}],\"usage\":{" usage "}}"
#define ANTHROPIC(usage) "anthropic", "{\"content\":[{\"type\":\"text\",\"text\":\"x\"}],\"usage\":{" usage "}}"
#define OUTPUT "\"completion_tokens\":2,"
#define CACHED(n) "\"prompt_tokens_details\":{\"cached_tokens\":" n "}"
		{ OPENAI(OUTPUT "\"prompt_tokens\":10"), true, 10, -1, 100 + 2 * 20 },
		{ OPENAI(OUTPUT "\"prompt_tokens\":10," CACHED("4")), true, 10, 4, 60 + 4 + 2 * 20 },
		{ OPENAI(OUTPUT "\"prompt_tokens\":10," CACHED("4")), false, 10, 4, 100 + 2 * 20 },
		{ OPENAI(OUTPUT "\"prompt_tokens\":10," CACHED("40")), true, 10, 40, 10 + 2 * 20 },
		{ OPENAI(OUTPUT "\"prompt_tokens\":10," CACHED("-4")), true, 10, -1, 100 + 2 * 20 },
		{ OPENAI(OUTPUT CACHED("4")), true, -1, 4, -1 },
		{ OPENAI("\"completion_tokens\":5,\"completion_tokens_details\":{\"reasoning_tokens\":3},"
			 "\"prompt_tokens\":1"), true, 1, -1, 10 + 3 * 30 + 2 * 20 },
		{ ANTHROPIC("\"input_tokens\":5,\"output_tokens\":2,\"cache_read_input_tokens\":3,"
			    "\"cache_creation_input_tokens\":7"), true, 15, 3, 50 + 3 + 7 * 12 + 2 * 20 },
		{ ANTHROPIC("\"input_tokens\":5,\"output_tokens\":2,\"cache_read_input_tokens\":0"), true,
		  5, 0, 50 + 2 * 20 },
#undef OPENAI
#undef ANTHROPIC
#undef OUTPUT
#undef CACHED
	};
	struct llm_call call;

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		int64_t prices[] = { 10 * million, 20 * million, million, 12 * million, 30 * million };

		read_provider = cases[i].provider;
		read_prices = prices;
		read_apart = cases[i].apart;
		ck_assert_int_eq(read_body(&call, cases[i].body), ATTEMPT_ANSWERED);
		ck_assert_int_eq(call.input_tokens, cases[i].input);
		ck_assert_int_eq(call.cached_tokens, cases[i].cached);
		ck_assert_int_eq(call.cost_nanodollars,
				 cases[i].dollars < 0 ? -1 : cases[i].dollars * INT64_C(1000000000));
		arena_done(&call.arena);
	}
	read_provider = "openai";
	read_prices = NULL;
}
END_TEST

/* What some servers write, and what none should. */
START_TEST(odd_json)
{
	static const char *const lenient[] = {
		"{'choices':[{'message':{'content':'x\\u00e9\\\\\\\"'}}]}",
		"{\"choices\":[{\"message\":{\"content\":\"x\\u00e9\\\\\\\"\"},\"logprobs\":[NaN,-Infinity,],}]}",
		"{\"choices\":[{\"message\":{\"content\":0,\"cont\\u0065nt\":\"x\\u00E9\\\\\\\"\"}}]}",
	};
	struct llm_call call;

	for (size_t i = 0; i < sizeof(lenient) / sizeof(*lenient); i++) {
		ck_assert_msg(read_body(&call, lenient[i]) == ATTEMPT_ANSWERED, "%s", lenient[i]);
		ck_assert_str_eq(call.text, "x\xc3\xa9\\\"");
		arena_done(&call.arena);
	}
	ck_assert_int_eq(read_body(&call, "{\"choices\":[{\"message\":{\"content\":\"\\ud83d\\ude00 "
					  "\\ud83d\\n\"}}]}"), ATTEMPT_ANSWERED);
	ck_assert_str_eq(call.text, "\xf0\x9f\x98\x80 \xef\xbf\xbd\n");
	arena_done(&call.arena);
	ck_assert_int_eq(read_body(&call, "{\"choices\":[{\"message\":{\"tool_calls\":[{\"id\":\"i\\n\","
					  "\"function\":{\"arguments\":{\"a\" : [ 1.0, \"\\u00e9\" ]},"
					  "\"name\":\"f\"}}]}}]}"), ATTEMPT_ANSWERED);
	ck_assert_str_eq(call.tool_calls, "[{\"id\":\"i\\n\",\"name\":\"f\",\"arguments\":"
					  "\"{\\\"a\\\":[1.0,\\\"\xc3\xa9\\\"]}\"}]");
	arena_done(&call.arena);
}
END_TEST

/* What is of another shape than an answer's is none, rather than one without a text. */
START_TEST(shapes)
{
	static const char *const broken[] = {
		"{\"choices\":{}}",
		"{\"choices\":5}",
		"{\"choices\":[5]}",
		"{\"choices\":[[]]}",
		"{\"choices\":[{\"text\":5}]}",
		"{\"choices\":[{\"message\":5,\"finish_reason\":\"stop\"}]}",
		"{\"choices\":[{\"message\":[],\"finish_reason\":\"stop\"}]}",
		"{\"choices\":[{\"message\":\"x\",\"finish_reason\":\"stop\"}]}",
		"{\"choices\":[{\"message\":{}}]}",
		"{\"choices\":[{\"message\":{\"content\":null}}]}",
		"{\"choices\":[{\"message\":{\"content\":[]}}]}",
		"{\"choices\":[{\"message\":{\"content\":5},\"finish_reason\":\"stop\"}]}",
		"{\"choices\":[{\"message\":{\"content\":{}},\"finish_reason\":\"stop\"}]}",
		"{\"choices\":[{\"message\":{\"content\":true},\"finish_reason\":\"stop\"}]}",
		"{\"choices\":[{\"message\":{\"content\":[5]},\"finish_reason\":\"stop\"}]}",
		"{\"choices\":[{\"message\":{\"content\":[{\"text\":5}]},\"finish_reason\":\"stop\"}]}",
		"{\"choices\":[{\"message\":{\"refusal\":{}},\"finish_reason\":\"stop\"}]}",
		"{\"choices\":[{\"message\":{\"content\":\"x\",\"tool_calls\":5}}]}",
		"{\"choices\":[{\"message\":{\"content\":\"x\",\"tool_calls\":[5]}}]}",
		"{\"choices\":[{\"message\":{\"tool_calls\":[{\"function\":{\"name\":5}}]}}]}",
		"{\"error\":5}",
		"{\"error\":{\"message\":\"the key sk-0123456789 is odd\"}}",
	};
	static const char *const empty[] = {
		"{\"choices\":[{\"message\":{\"content\":\"\"}}]}",
		"{\"choices\":[{\"message\":{\"content\":null},\"finish_reason\":\"length\"}]}",
		"{\"choices\":[{\"message\":{\"role\":\"assistant\"},\"finish_reason\":\"length\"}]}",
		"{\"choices\":[{\"text\":\"\"}]}",
	};
	struct llm_call call;

	for (size_t i = 0; i < sizeof(broken) / sizeof(*broken); i++)
		ck_assert_msg(read_body(&call, broken[i]) == ATTEMPT_RETRY, "%s", broken[i]);
	for (size_t i = 0; i < sizeof(empty) / sizeof(*empty); i++) {
		ck_assert_msg(read_body(&call, empty[i]) == ATTEMPT_ANSWERED, "%s", empty[i]);
		ck_assert_str_eq(call.text, "");
		arena_done(&call.arena);
	}
}
END_TEST

#define CHUNK(delta) "data: {\"choices\":[{\"index\":0,\"delta\":{" delta "},\"finish_reason\":null}]}\n\n"
#define LAST(reason) "data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"" reason "\"}]}\n\n"

static void read_streams(void)
{
	static const char *const broken[] = {
		"", "data: [DONE]\n\n", CHUNK("\"content\":\"x\"") "data: [DONE]\n\n",
		"data: {\n\n" LAST("stop"), "data: 1\n\n" LAST("stop"), LAST("stop") "data: []\n\n",
		CHUNK("\"content\":7") LAST("stop"),
		"data: {\"error\":{\"message\":\"x\"}}\n\n" LAST("stop"),
		CHUNK("\"tool_calls\":[{\"index\":0}]") LAST("tool_calls"),
	};
	struct llm_call call;

	ck_assert_int_eq(read_framed(&call, &framing_sse,
				     CHUNK("\"role\":\"assistant\",\"content\":\"\"") ": alive\n\n"
				     CHUNK("\"content\":\"Hel\"") CHUNK("\"content\":\"lo.\"") LAST("stop")
				     "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":3,"
				     "\"completion_tokens\":2}}\n\ndata: [DONE]\n\n"), ATTEMPT_ANSWERED);
	ck_assert_str_eq(call.text, "Hello.");
	ck_assert_str_eq(call.finish_reason, "stop");
	ck_assert_int_eq(call.input_tokens, 3);
	ck_assert_int_eq(call.output_tokens, 2);
	arena_done(&call.arena);
	ck_assert_int_eq(read_framed(&call, &framing_sse,
				     CHUNK("\"tool_calls\":[{\"index\":0,\"id\":\"a\",\"function\":"
					   "{\"name\":\"f\",\"arguments\":\"\"}}]")
				     CHUNK("\"tool_calls\":[{\"index\":1,\"id\":\"b\",\"function\":"
					   "{\"name\":\"g\"}}]")
				     CHUNK("\"tool_calls\":[{\"index\":0,\"function\":"
					   "{\"arguments\":\"{\\\"x\\\"\"}}]")
				     CHUNK("\"tool_calls\":[{\"index\":0,\"function\":"
					   "{\"arguments\":\":1}\"}}]")
				     LAST("tool_calls")), ATTEMPT_ANSWERED);
	ck_assert_str_eq(call.tool_calls,
			 "[{\"id\":\"a\",\"name\":\"f\",\"arguments\":\"{\\\"x\\\":1}\"},"
			 "{\"id\":\"b\",\"name\":\"g\",\"arguments\":\"{}\"}]");
	ck_assert_ptr_null(call.text);
	arena_done(&call.arena);
	for (size_t i = 0; i < sizeof(broken) / sizeof(*broken); i++) {
		ck_assert_msg(read_framed(&call, &framing_sse, broken[i]) == ATTEMPT_RETRY, "%zu", i);
		ck_assert_ptr_null(call.text);
		arena_done(&call.arena);
	}
}

START_TEST(streams)
{
	for (size_t i = 0; i < sizeof(read_steps) / sizeof(*read_steps); i++) {
		read_step = read_steps[i];
		read_streams();
	}
}
END_TEST

static void read_anthropic_streams(void)
{
	struct llm_call call;

	read_provider = "anthropic";
	ck_assert_int_eq(read_framed(&call, &framing_sse,
		"event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"usage\":"
		"{\"input_tokens\":9,\"output_tokens\":1}}}\n\n"
		"data: {\"type\":\"content_block_start\",\"index\":0,\"content_block\":"
		"{\"type\":\"text\",\"text\":\"\"}}\n\n"
		"data: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":"
		"{\"type\":\"text_delta\",\"text\":\"Hello.\"}}\n\n"
		"data: {\"type\":\"content_block_start\",\"index\":1,\"content_block\":"
		"{\"type\":\"tool_use\",\"id\":\"a\",\"name\":\"f\",\"input\":{}}}\n\n"
		"data: {\"type\":\"content_block_delta\",\"index\":1,\"delta\":"
		"{\"type\":\"input_json_delta\",\"partial_json\":\"{}\"}}\n\n"
		"data: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"tool_use\"},"
		"\"usage\":{\"output_tokens\":7}}\n\n"
		"data: {\"type\":\"message_stop\"}\n\n"), ATTEMPT_ANSWERED);
	ck_assert_str_eq(call.text, "Hello.");
	ck_assert_str_eq(call.tool_calls, "[{\"id\":\"a\",\"name\":\"f\",\"arguments\":\"{}\"}]");
	ck_assert_str_eq(call.finish_reason, "tool_calls");
	ck_assert_int_eq(call.input_tokens, 9);
	ck_assert_int_eq(call.output_tokens, 7);
	arena_done(&call.arena);
	ck_assert_int_eq(read_framed(&call, &framing_sse,
		"data: {\"type\":\"error\",\"error\":{\"message\":\"x\"}}\n\n"), ATTEMPT_RETRY);
	arena_done(&call.arena);
	read_provider = "openai";
}

START_TEST(anthropic_streams)
{
	for (size_t i = 0; i < sizeof(read_steps) / sizeof(*read_steps); i++) {
		read_step = read_steps[i];
		read_anthropic_streams();
	}
}
END_TEST

/* A key that comes back is overwritten, also where it comes in pieces; what might become one waits. */
START_TEST(deltas)
{
	static const char *const events[] = {
		CHUNK("\"content\":\"a sk-01\""), CHUNK("\"content\":\"2345\""),
		CHUNK("\"content\":\"6789 b sk-\""), CHUNK("\"content\":\"x\""),
		CHUNK("\"tool_calls\":[{\"index\":0,\"function\":{\"name\":\"f\",\"arguments\":\"{sk-0\"}}]"),
		CHUNK("\"content\":\" s\"") LAST("stop"),
	};
	static const struct {
		const char *text, *arguments;
	} told[] = {
		{ "a ", NULL }, { NULL, NULL }, { "************* b ", NULL }, { "sk-x", NULL },
		{ NULL, "{" }, { " s", "sk-0" },
	};
	struct ellu_llm_config config = minimal();
	struct json_reader reader = { 0 };
	struct attempt attempt = { .status = 200 };
	struct llm_call call = { 0 };
	struct answer answer;

	config.api_key = "sk-0123456789";
	call.target = make(&config);
	answer_begin(&answer, &call, &reader, &framing_sse, &attempt);
	for (size_t i = 0; i < sizeof(events) / sizeof(events[0]); i++) {
		bool last = i + 1 == sizeof(events) / sizeof(events[0]);
		struct ellu_call_delta delta;
		struct arena arena;
		int r;

		arena_init(&arena);
		ck_assert(answer_take(&answer, events[i], strlen(events[i])));
		r = answer_delta(&answer, last, &arena, &delta);
		ck_assert_int_eq(r, told[i].text || told[i].arguments);
		ck_assert_pstr_eq(delta.text, told[i].text);
		ck_assert_uint_eq(delta.n_tool_calls, told[i].arguments != NULL);
		if (told[i].arguments) {
			ck_assert_str_eq(delta.tool_calls[0]->arguments, told[i].arguments);
			ck_assert_str_eq(delta.tool_calls[0]->id, "call_0");
			ck_assert_pstr_eq(delta.tool_calls[0]->name, last ? NULL : "f");
		}
		arena_done(&arena);
	}
	ck_assert_uint_eq(answer_untold(&answer), 0);
	answer_end(&answer, NULL, 0);
	ck_assert_int_eq(attempt.class, ATTEMPT_ANSWERED);
	ck_assert_str_eq(call.text, "a ************* b sk-x s");
	answer_done(&answer);
	arena_done(&call.arena);
	llm_target_unref(call.target);
	json_reader_done(&reader);
}
END_TEST

/* It would be as large the next time. */
START_TEST(too_many_values)
{
	size_t size = 4u * 1024 * 1024;
	char *body = malloc(size + 1);
	struct llm_call call;

	ck_assert_ptr_nonnull(body);
	for (size_t i = 0; i < size; i++)
		body[i] = i % 2 ? ',' : '1';
	body[0] = '[';
	body[size - 1] = ']';
	body[size] = '\0';
	ck_assert_int_eq(read_body(&call, body), ATTEMPT_ITEM);
	arena_done(&call.arena);
	free(body);
}
END_TEST

/* Events that have to be read leniently, few values each. */
START_TEST(too_many_lenient_values)
{
	static const char event[] = "data: {\"choices\":[],\"a\":[01,2,3,4,5]}\n\n";
	const size_t step = sizeof(event) - 1, n = (4u << 20) / step;
	char *body = malloc(n * step + 1);
	struct llm_call call;

	for (size_t i = 0; i < n; i++)
		memcpy(body + i * step, event, step + 1);
	ck_assert_int_eq(read_framed(&call, &framing_sse, body), ATTEMPT_ITEM);
	arena_done(&call.arena);
	free(body);
}
END_TEST

START_TEST(anthropic_answers)
{
	static const char *const broken[] = {
		"{}", "{\"content\":5}", "{\"content\":\"x\"}", "{\"content\":[5]}",
		"{\"content\":[{}]}", "{\"content\":[]}", "{\"content\":[{\"type\":5}]}",
		"{\"content\":[{\"type\":\"text\",\"text\":5}],\"stop_reason\":\"end_turn\"}",
		"{\"content\":[{\"type\":\"tool_use\"}],\"stop_reason\":\"end_turn\"}",
		"{\"type\":\"error\",\"error\":{\"type\":\"api_error\",\"message\":\"sk-0123456789\"}}",
		"{\"type\":\"error\",\"error\":5}",
	};
	struct llm_call call;

	read_provider = "anthropic";
	for (size_t i = 0; i < sizeof(broken) / sizeof(*broken); i++)
		ck_assert_msg(read_body(&call, broken[i]) == ATTEMPT_RETRY, "%s", broken[i]);
	ck_assert_int_eq(read_body(&call, "{\"content\":[{\"type\":\"thinking\",\"thinking\":\"hm\"},"
					  "{\"type\":\"text\",\"text\":\"a\"},{\"type\":\"text\",\"text\":"
					  "\"b sk-0123456789\"},{\"type\":\"tool_use\",\"id\":\"i\",\"name\":"
					  "\"f\",\"input\":{\"a\":1}}],\"stop_reason\":\"tool_use\",\"usage\":"
					  "{\"input_tokens\":7,\"output_tokens\":2}}"),
			 ATTEMPT_ANSWERED);
	ck_assert_str_eq(call.text, "ab *************");
	ck_assert_str_eq(call.tool_calls, "[{\"id\":\"i\",\"name\":\"f\",\"arguments\":"
					  "\"{\\\"a\\\":1}\"}]");
	ck_assert_str_eq(call.finish_reason, "tool_calls");
	ck_assert_int_eq(call.input_tokens, 7);
	ck_assert_int_eq(call.output_tokens, 2);
	arena_done(&call.arena);
	ck_assert_int_eq(read_body(&call, "{\"content\":[],\"stop_reason\":\"max_tokens\"}"),
			 ATTEMPT_ANSWERED);
	ck_assert_str_eq(call.text, "");
	ck_assert_str_eq(call.finish_reason, "length");
	arena_done(&call.arena);
	read_provider = "openai";
}
END_TEST

START_TEST(long_finish_reason)
{
	const size_t size = 1024 * 1024;
	char *body = malloc(size + 128);
	char *end = stpcpy(body, "{\"choices\":[{\"message\":{\"content\":\"x\"},\"finish_reason\":\"");
	struct llm_call call;

	memset(end, 's', size);
	strcpy(end + size, "\"}]}");
	ck_assert_int_eq(read_body(&call, body), ATTEMPT_ANSWERED);
	ck_assert_uint_eq(strlen(call.finish_reason), 64);
	arena_done(&call.arena);
	free(body);
}
END_TEST

/* A key that an endpoint says back goes no further. */
START_TEST(echoed_key)
{
	struct llm_call call;

	ck_assert_int_eq(read_body(&call, "{\"choices\":[{\"message\":{\"content\":\"You sent "
					  "sk-0123456\\u0037\\u00389.\",\"tool_calls\":[{\"id\":\"i\","
					  "\"function\":{\"name\":\"f\",\"arguments\":\"{\\\"a\\\":"
					  "\\\"sk-0123456789\\\"}\"}}]},\"finish_reason\":"
					  "\"sk-0123456789\"}]}"),
			 ATTEMPT_ANSWERED);
	ck_assert_str_eq(call.text, "You sent *************.");
	ck_assert_ptr_null(strstr(call.tool_calls, "sk-0123456789"));
	ck_assert_str_eq(call.finish_reason, "*************");
	arena_done(&call.arena);
}
END_TEST

START_TEST(usage)
{
	static const struct {
		const char *said;
		int64_t tokens;
	} table[] = {
		{ "0", 0 },
		{ "12", 12 },
		{ "12.0", 12 },
		{ "1000000000", 1000000000 },
		{ "1000000001", -1 },
		{ "9007199254740992", -1 },
		{ "9223372036854775807", -1 },
		{ "18446744073709551615", -1 },
		{ "123456789012345678901234567890", -1 },
		{ "1.5e300", -1 },
		{ "1e999", -1 },
		{ "-1", -1 },
		{ "-9223372036854775808", -1 },
		{ "1.5", -1 },
		{ "\"12\"", -1 },
		{ "true", -1 },
		{ "{}", -1 },
		{ "[5]", -1 },
	};
	struct llm_call call;
	char body[256];

	for (size_t i = 0; i < sizeof(table) / sizeof(*table); i++) {
		snprintf(body, sizeof(body),
			 "{\"choices\":[{\"message\":{\"content\":\"x\"}}],\"usage\":{\"prompt_tokens\":"
			 "%s,\"completion_tokens\":5}}", table[i].said);
		ck_assert_int_eq(read_body(&call, body), ATTEMPT_ANSWERED);
		ck_assert_msg(call.input_tokens == table[i].tokens, "%s: %lld", table[i].said,
			      (long long)call.input_tokens);
		ck_assert_int_eq(call.output_tokens, 5);
		ck_assert_int_eq(call.cost_nanodollars,
				 table[i].tokens < 0 ? -1 : table[i].tokens + 5);
		ck_assert_int_eq(read_odd_usage, table[i].tokens < 0);
		arena_done(&call.arena);
	}
	ck_assert_int_eq(read_body(&call, "{\"choices\":[{\"message\":{\"content\":\"x\"}}],\"usage\":"
					  "{\"prompt_tokens\":null}}"), ATTEMPT_ANSWERED);
	ck_assert_int_eq(call.input_tokens, -1);
	ck_assert(!read_odd_usage);
	arena_done(&call.arena);
	/* What no use could be made of was spent all the same. */
	ck_assert_int_eq(read_body(&call, "{\"choices\":[],\"usage\":{\"prompt_tokens\":7,"
					  "\"completion_tokens\":3}}"), ATTEMPT_RETRY);
	ck_assert_int_eq(call.input_tokens, 7);
	ck_assert_int_eq(call.cost_nanodollars, 10);
}
END_TEST

/* What is wrong is told by codes, types and parameters; by words only where these are missing. */
START_TEST(refusals)
{
	static const struct {
		const char *provider;
		int status;
		const char *body;
		enum error_hint hint;
		enum attempt_class class;
	} table[] = {
		{ "openai", 429, "{\"error\":{\"message\":\"You exceeded your current quota\",\"type\":"
				 "\"insufficient_quota\",\"param\":null,\"code\":\"insufficient_quota\"}}",
		  HINT_QUOTA, ATTEMPT_CONFIG },
		{ "openai", 429, "{\"error\":{\"message\":\"x\",\"code\":\"billing_hard_limit_reached\"}}",
		  HINT_QUOTA, ATTEMPT_CONFIG },
		{ "openai", 429, "{\"error\":{\"message\":\"Request too large for gpt-4o on tokens per min "
				 "(TPM): Limit 30000, Requested 90000.\",\"type\":\"tokens\",\"code\":"
				 "\"rate_limit_exceeded\"}}", HINT_CONTENT, ATTEMPT_ITEM },
		{ "openai", 429, "{\"error\":{\"message\":\"Rate limit reached on tokens per min (TPM)\","
				 "\"type\":\"tokens\",\"code\":\"rate_limit_exceeded\"}}",
		  HINT_NONE, ATTEMPT_WAIT },
		{ "openai", 400, "{\"error\":{\"message\":\"'max_tokens' is not supported. Use "
				 "'max_completion_tokens'.\",\"param\":\"max_tokens\",\"code\":"
				 "\"unsupported_parameter\"}}", HINT_MAX_TOKENS, ATTEMPT_ITEM },
		{ "openai", 400, "{\"error\":{\"message\":\"max_completion_tokens is too large\",\"param\":"
				 "\"max_completion_tokens\",\"code\":\"invalid_value\"}}",
		  HINT_NONE, ATTEMPT_ITEM },
		{ "openai", 400, "{\"error\":{\"message\":\"Use max_completion_tokens.\"}}",
		  HINT_MAX_TOKENS, ATTEMPT_ITEM },
		{ "openai", 400, "{\"error\":{\"message\":\"not supported\",\"param\":\"response_format\"}}",
		  HINT_RESPONSE_FORMAT, ATTEMPT_ITEM },
		{ "openai", 400, "{\"error\":{\"message\":\"response_format is unknown\",\"param\":\"\"}}",
		  HINT_RESPONSE_FORMAT, ATTEMPT_ITEM },
		{ "openai", 400, "{\"error\":{\"message\":\"Invalid text about grammar and json_schema\","
				 "\"param\":\"messages[0].content\"}}", HINT_NONE, ATTEMPT_ITEM },
		{ "openai", 400, "{\"error\":{\"message\":\"x\",\"code\":\"context_length_exceeded\"}}",
		  HINT_CONTENT, ATTEMPT_ITEM },
		{ "openai", 403, "{\"error\":{\"message\":\"Flagged.\"}}", HINT_CONTENT, ATTEMPT_ITEM },
		{ "openai", 403, "{\"error\":{\"message\":\"No.\"}}", HINT_NONE, ATTEMPT_CONFIG },
		{ "anthropic", 400, "{\"type\":\"error\",\"error\":{\"type\":\"invalid_request_error\","
				    "\"message\":\"Your credit balance is too low to access the API.\"}}",
		  HINT_QUOTA, ATTEMPT_CONFIG },
		{ "anthropic", 400, "{\"type\":\"error\",\"error\":{\"type\":\"invalid_request_error\","
				    "\"message\":\"output_config.format.schema: no\"}}",
		  HINT_RESPONSE_FORMAT, ATTEMPT_ITEM },
		{ "anthropic", 529, "{\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\","
				    "\"message\":\"Overloaded\"}}", HINT_NONE, ATTEMPT_WAIT },
		{ "anthropic", 400, "[]", HINT_NONE, ATTEMPT_ITEM },
	};
	struct json_reader reader = { 0 };

	for (size_t i = 0; i < sizeof(table) / sizeof(*table); i++) {
		struct attempt attempt = { .status = table[i].status, .wait_usec = -1 };
		struct ellu_llm_config config = minimal();
		char *text = strdup(table[i].body);
		struct llm_target *target;

		config.provider = table[i].provider;
		target = make(&config);
		refusal_read(target, &reader, NULL, text, strlen(text), &attempt);
		ck_assert_msg(attempt.hint == table[i].hint && attempt.class == table[i].class,
			      "%s: hint %d, class %d", table[i].body, attempt.hint, attempt.class);
		ck_assert(attempt.message[0]);
		llm_target_unref(target);
		free(text);
	}
	json_reader_done(&reader);
}
END_TEST

int main(void)
{
	return RUN_TESTS(answers, costs, odd_json, shapes, streams, anthropic_streams, deltas,
			 too_many_values, too_many_lenient_values, anthropic_answers,
			 long_finish_reason, echoed_key, usage, refusals);
}
