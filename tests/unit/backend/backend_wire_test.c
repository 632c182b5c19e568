/* The backend against bytes that are hardly HTTP: what is wrong is told as what it is. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/backend/account.h"
#include "tests/unit/backend/backend_fixture.h"
#include "tests/unit/backend/raw_server.h"
#include "tests/unit/suite.h"

#define OK_HEAD "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
#define ANSWER "{\"choices\":[{\"message\":{\"content\":\"Hello.\"},\"finish_reason\":\"stop\"}]}"
#define KIB "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcde\n" \
	    "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcde\n"
#define KEY "sk-planted-0123456789"

static struct raw_server server;

/* One call, tried once; what it came to. */
static struct exchange *ask_as(const struct raw_reply *reply, struct ellu_llm_config *config)
{
	static const int64_t none = 0;
	struct llm_target *target;
	struct exchange *exchange;

	raw_server_say(&server, reply);
	config->max_retries = &none;
	config->api_key = KEY;
	target = test_target(config);
	exchange = exchange_new(target, "Tell of rivers.", 1);
	exchange_submit(exchange);
	wait_for(1);
	llm_target_unref(target);
	ck_assert(strstr(exchange->call.fault.message, KEY) == NULL);
	ck_assert(strstr(exchange->call.fault.message, "planted") == NULL);
	return exchange;
}

static struct exchange *ask(const struct raw_reply *reply)
{
	const double at_once = 0.1;
	struct ellu_llm_config config = test_config();

	config.llm_base_url = server.url;
	if (reply->end == RAW_HOLD) {
		config.stall_seconds = at_once;
		if (!strstr(reply->bytes, "\r\n\r\n"))
			config.first_byte_seconds = at_once;
	}
	return ask_as(reply, &config);
}

static void setup(void)
{
	static const struct raw_reply none = { .bytes = "HTTP/1.1 500 None\r\n\r\n" };

	backend_fixture_setup();
	raw_server_start(&server, &none);
}

static void teardown(void)
{
	raw_server_stop(&server);
	backend_fixture_teardown();
}

static void expect_failure(const struct raw_reply *reply, enum llm_outcome outcome, int status,
			   const char *words)
{
	struct exchange *exchange = ask(reply);
	const struct fault *fault = &exchange->call.fault;

	ck_assert_msg(exchange->call.outcome == outcome, "%.40s: outcome %d, %s", reply->bytes,
		      exchange->call.outcome, fault->message);
	ck_assert_msg(strstr(fault->message, words) != NULL, "%.40s: %s", reply->bytes,
		      fault->message);
	ck_assert_msg(fault->status == status, "%.40s: status %d", reply->bytes, (int)fault->status);
	exchange_free(exchange);
}

START_TEST(good)
{
	static const struct raw_reply replies[] = {
		{ .bytes = OK_HEAD "\r\n" ANSWER },
		{ .bytes = OK_HEAD "Content-Length: 69\r\n\r\n" ANSWER },
		/* What is behind the length that was told is not of the answer. */
		{ .bytes = OK_HEAD "Content-Length: 69\r\n\r\n" ANSWER "and more" },
		{ .bytes = OK_HEAD "Transfer-Encoding: chunked\r\n\r\n45\r\n" ANSWER "\r\n0\r\n\r\n" },
		{ .bytes = OK_HEAD "Content-Encoding: identity\r\n\r\n" ANSWER },
		{ .bytes = "HTTP/1.1 100 Continue\r\n\r\n" OK_HEAD "\r\n" ANSWER },
		{ .bytes = "HTTP/1.0 200\r\n\r\n" ANSWER },
	};

	setup();
	ck_assert_uint_eq(strlen(ANSWER), 69);
	for (size_t i = 0; i < sizeof(replies) / sizeof(*replies); i++) {
		struct exchange *exchange = ask(&replies[i]);

		ck_assert_msg(exchange->call.outcome == LLM_ANSWERED, "%zu: %s", i,
			      exchange->call.fault.message);
		ck_assert_str_eq(exchange->call.text, "Hello.");
		exchange_free(exchange);
	}
	teardown();
}
END_TEST

/* Reached and answered, in a way. */
START_TEST(broken_answers)
{
	static const struct {
		struct raw_reply reply;
		int status;
		const char *words;
	} table[] = {
		{ { .bytes = OK_HEAD "Content-Length: 99\r\n\r\n" ANSWER }, 0, "30 bytes remaining" },
		{ { .bytes = OK_HEAD "Content-Length: 10\r\n\r\n" ANSWER }, 200, "JSON" },
		{ { .bytes = OK_HEAD "Content-Length: x\r\n\r\n" ANSWER }, 0, "Content-Length" },
		{ { .bytes = OK_HEAD "Transfer-Encoding: chunked\r\n\r\nxyz\r\n" }, 0, "chunk" },
		{ { .bytes = OK_HEAD "\r\n{\"choices\":[{", .end = RAW_RESET }, 0, "reset" },
		{ { .bytes = OK_HEAD, .end = RAW_CLOSE }, 200, "JSON" },
		{ { .bytes = OK_HEAD "\r\n{\"choices\":[{", .end = RAW_HOLD }, 0, "stalled" },
		{ { .bytes = "HTTP/1.1 ", .end = RAW_HOLD }, 0, "no byte of the answer" },
		{ { .bytes = "HTTP/1.1 204 No Content\r\n\r\n" }, 204, "JSON" },
		{ { .bytes = OK_HEAD "Content-Encoding: gzip\r\n\r\n\x1f\x8b\x08" }, 200,
		  "compressed (Content-Encoding: gzip)" },
		{ { .bytes = OK_HEAD "Content-Encoding: \xff\r\n\r\nx" }, 200, "compressed" },
		{ { .bytes = OK_HEAD "X-Long: ", .more = KIB, .n_more = 1 }, 0, "" },
		{ { .bytes = OK_HEAD "\r\n\xff\xfe\x80" }, 200, "JSON" },
		{ { .bytes = OK_HEAD "\r\n\0", .size = sizeof(OK_HEAD "\r\n") }, 200, "JSON" },
		{ { .bytes = "\x16\x03\x01 what", }, 0, "HTTP/0.9" },
	};

	setup();
	for (size_t i = 0; i < sizeof(table) / sizeof(*table); i++)
		expect_failure(&table[i].reply, LLM_ITEM_FAILED, table[i].status, table[i].words);
	teardown();
}
END_TEST

static const char *line_of_kib(void)
{
	static char line[1025];

	memset(line, 'h', 1024);
	return line;
}

START_TEST(long_headers)
{
	struct raw_reply one = { .bytes = OK_HEAD "X-Long: ", .more = line_of_kib(),
				 .n_more = 10240, .last = "\r\n\r\n" ANSWER };
	struct raw_reply many = { .bytes = OK_HEAD, .more = "X-Many: 0123456789abcdef\r\n",
				  .n_more = 400000, .last = "\r\n" ANSWER };
	struct raw_reply refused = { .bytes = "HTTP/1.1 500 Oh\r\nX-Long: ", .more = line_of_kib(),
				     .n_more = 10240, .last = "\r\n\r\n" ANSWER };

	setup();
	expect_failure(&one, LLM_ITEM_FAILED, 200, "a header of the answer is too long");
	expect_failure(&many, LLM_ITEM_FAILED, 0, "eader");
	expect_failure(&refused, LLM_ITEM_FAILED, 500, "HTTP status 500");
	teardown();
}
END_TEST

/* What a token is asked of may be as odd. */
START_TEST(tokens)
{
	static const int64_t none = 0;
	const struct {
		struct raw_reply reply;
		const char *words;
	} table[] = {
		{ { .bytes = OK_HEAD "X-Long: ", .more = line_of_kib(), .n_more = 10240, .last = "\r\n\r\n{}" },
		  "no access token: a header of its answer is too long" },
		{ { .bytes = OK_HEAD "Content-Encoding: gzip\r\n\r\n\x1f\x8b\x08" },
		  "no access token: its answer is compressed, which was not asked for" },
		{ { .bytes = OK_HEAD "Content-Encoding: identity\r\n\r\n{}" }, "no access token: none is in what" },
		{ { .bytes = OK_HEAD "\r\n", .more = line_of_kib(), .n_more = UINT32_MAX },
		  "no access token: its answer is too large" },
		{ { .bytes = "HTTP/1.1 500 Oh\r\n\r\n", .more = line_of_kib(), .n_more = UINT32_MAX },
		  "no access token: 500 from" },
		{ { .bytes = "HTTP/1.1 500 Oh\r\nContent-Encoding: gzip\r\n\r\n\x1f\x8b\x08" },
		  "no access token: 500 from" },
	};
	struct ellu_llm_config config;
	char *account;

	setup();
	account = account_new(server.url, NULL);
	config = test_config();
	config.provider = "vertex";
	config.llm_base_url = "http://127.0.0.1:1/v1/projects/p/locations/l";
	config.api_key = account;
	config.max_retries = &none;
	for (size_t i = 0; i < sizeof(table) / sizeof(*table); i++) {
		struct llm_target *target = test_target(&config);
		struct exchange *exchange = exchange_new(target, "Tell of rivers.", 1);

		raw_server_say(&server, &table[i].reply);
		exchange_submit(exchange);
		wait_for(1);
		ck_assert_int_eq(exchange->call.outcome, LLM_UNREACHABLE);
		ck_assert_msg(strstr(exchange->call.fault.message, table[i].words) != NULL, "%zu: %s", i,
			      exchange->call.fault.message);
		exchange_free(exchange);
		llm_target_unref(target);
	}
	free(account);
	teardown();
}
END_TEST

/* An answer that does not end is too long, an error that does not end is that error. */
START_TEST(endless)
{
	struct raw_reply answer = { .bytes = OK_HEAD "\r\n", .more = line_of_kib(),
				    .n_more = UINT32_MAX };
	struct raw_reply refusal = { .bytes = "HTTP/1.1 500 Oh\r\n\r\n{\"error\":{\"message\":\"" KEY,
				     .more = line_of_kib(), .n_more = UINT32_MAX };
	struct raw_reply unknown = { .bytes = "HTTP/1.1 404 Oh\r\n\r\n<html>",
				     .more = line_of_kib(), .n_more = UINT32_MAX };
	struct exchange *exchange;

	setup();
	exchange = ask(&answer);
	ck_assert_int_eq(exchange->call.outcome, LLM_ITEM_FAILED);
	ck_assert_int_eq(exchange->call.fault.code, ELLU_E_TOO_LARGE);
	ck_assert_int_eq(exchange->call.fault.status, 200);
	exchange_free(exchange);
	expect_failure(&refusal, LLM_ITEM_FAILED, 500, "message");
	expect_failure(&unknown, LLM_CONFIG_FAILED, 404, "HTTP status 404");
	teardown();
}
END_TEST

/* The key, said back where it would be cut in two, behind a redirection, or as an encoding. */
START_TEST(echoed_keys)
{
	static char early[1024], late[2048];
	char *end = stpcpy(early, "HTTP/1.1 400 Oh\r\n\r\n");
	struct raw_reply cut = { .bytes = early };
	struct raw_reply json = { .bytes = late };
	int n_requests;
	struct raw_reply moved = { .bytes = "HTTP/1.1 302 Oh\r\nLocation: /elsewhere?" KEY "\r\n\r\n" };
	struct raw_reply encoded = { .bytes = OK_HEAD "Content-Encoding: 0123456789abcdef0123456789abcd" KEY
						      "\r\n\r\nx" };

	/* Behind 192 bytes of an excerpt of 200, and behind 890 of a message of 900. */
	memset(end, 'x', 192);
	strcpy(end + 192, KEY);
	end = stpcpy(late, "HTTP/1.1 400 Oh\r\n\r\n{\"error\":{\"message\":\"");
	memset(end, 'x', 890);
	strcpy(end + 890, KEY "\"}}");
	setup();
	expect_failure(&cut, LLM_ITEM_FAILED, 400, "xxx********");
	expect_failure(&json, LLM_ITEM_FAILED, 400, "xxx*********");
	expect_failure(&moved, LLM_CONFIG_FAILED, 302, "/elsewhere?********");
	expect_failure(&encoded, LLM_ITEM_FAILED, 200, "0123456789abcd**********)");
	/* The redirection was not followed. */
	(void)raw_server_heard(&server, &n_requests);
	ck_assert_int_eq(n_requests, 4);
	teardown();
}
END_TEST

/* A proxy is asked for the whole address, and an endpoint behind it that does not exist is the
 * proxy's to find. */
START_TEST(proxies)
{
	static const struct raw_reply reply = { .bytes = OK_HEAD "\r\n" ANSWER };
	static const struct raw_reply refusal = { .bytes = "HTTP/1.1 407 Who\r\n\r\n" };
	struct ellu_llm_config config = test_config();
	struct exchange *exchange;
	const char *heard;
	char proxy[64];

	setup();
	snprintf(proxy, sizeof(proxy), "%.*s", (int)strlen(server.url) - 3, server.url);
	config.proxy = proxy;
	config.llm_base_url = "http://endpoint.invalid/v1";
	exchange = ask_as(&reply, &config);
	ck_assert_int_eq(exchange->call.outcome, LLM_ANSWERED);
	heard = raw_server_heard(&server, NULL);
	ck_assert_ptr_eq(strstr(heard, "POST http://endpoint.invalid/v1/chat/completions HTTP/1.1\r\n"),
			 heard);
	exchange_free(exchange);
	config.llm_base_url = "https://endpoint.invalid/v1";
	exchange = ask_as(&refusal, &config);
	ck_assert_int_eq(exchange->call.outcome, LLM_UNREACHABLE);
	heard = raw_server_heard(&server, NULL);
	ck_assert_ptr_eq(strstr(heard, "CONNECT endpoint.invalid:443 HTTP/1.1\r\n"), heard);
	ck_assert_ptr_null(strstr(heard, KEY));
	ck_assert_ptr_nonnull(strstr(exchange->call.fault.message, "407"));
	exchange_free(exchange);
	teardown();
}
END_TEST

/* A 429 that waiting does not end is none to wait for. */
START_TEST(hopeless_limits)
{
	static const struct raw_reply quota = {
		.bytes = "HTTP/1.1 429 No\r\nRetry-After: 60\r\n\r\n{\"error\":{\"message\":\"You exceeded "
			 "your current quota.\",\"code\":\"insufficient_quota\"}}" };
	static const struct raw_reply large = {
		.bytes = "HTTP/1.1 429 No\r\nRetry-After: 60\r\n\r\n{\"error\":{\"message\":\"Request too "
			 "large on tokens per min (TPM).\",\"code\":\"rate_limit_exceeded\"}}" };

	setup();
	expect_failure(&quota, LLM_CONFIG_FAILED, 429, "current quota");
	expect_failure(&large, LLM_ITEM_FAILED, 429, "Request too large");
	teardown();
}
END_TEST

/* Events that nobody asked for are an answer all the same. */
START_TEST(events)
{
	static const struct raw_reply reply = {
		.bytes = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream; charset=utf-8\r\n\r\n"
			 "data: {\"choices\":[{\"delta\":{\"content\":\"Hel\"}}]}\r\n\r\n"
			 "data: {\"choices\":[{\"delta\":{\"content\":\"lo.\"},"
			 "\"finish_reason\":\"stop\"}]}\r\n\r\ndata: [DONE]\r\n\r\n" };
	struct exchange *exchange;

	setup();
	exchange = ask(&reply);
	ck_assert_int_eq(exchange->call.outcome, LLM_ANSWERED);
	ck_assert_str_eq(exchange->call.text, "Hello.");
	exchange_free(exchange);
	teardown();
}
END_TEST

/* Counts that cannot be are unknown, and the log says so. */
START_TEST(odd_usage)
{
	static const struct raw_reply reply = {
		.bytes = OK_HEAD "\r\n{\"choices\":[{\"message\":{\"content\":\"Hello.\"}}],\"usage\":"
			 "{\"prompt_tokens\":9223372036854775807,\"completion_tokens\":1.5e300}}" };
	struct exchange *exchange;

	setup();
	exchange = ask(&reply);
	ck_assert_int_eq(exchange->call.outcome, LLM_ANSWERED);
	ck_assert_int_eq(exchange->call.input_tokens, -1);
	ck_assert_int_eq(exchange->call.output_tokens, -1);
	ck_assert_int_eq(flow_of(exchange->flow)->n_notices, 1);
	ck_assert_ptr_nonnull(strstr(flow_of(exchange->flow)->notice, "usage"));
	exchange_free(exchange);
	teardown();
}
END_TEST

int main(void)
{
	return RUN_TESTS(good, broken_answers, long_headers, tokens, endless, echoed_keys, proxies,
			 hopeless_limits, events, odd_usage);
}
