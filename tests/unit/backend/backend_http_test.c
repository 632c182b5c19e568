/* The backend against a real, ill-behaved endpoint: errors, retries, waits, limits. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/unit/backend/backend_fixture.h"
#include "tests/unit/suite.h"

#define KEY "sk-planted-0123456789"

/* One call with the config, returned. */
static struct exchange *ask(const struct ellu_llm_config *config)
{
	struct llm_target *target = test_target(config);
	static int64_t flow;
	struct exchange *exchange = exchange_new(target, "Tell of rivers.", 1);

	exchange->flow = ++flow; // what is said of one is not kept from the next
	exchange_submit(exchange);
	wait_for(1);
	ck_assert(exchange->done);
	llm_target_unref(target);
	return exchange;
}

static struct exchange *ask_plainly(void)
{
	struct ellu_llm_config config = test_config();

	return ask(&config);
}

START_TEST(answers)
{
	struct ellu_llm_config config = test_config();
	const int64_t price_input = 1000000000, price_output = 2000000000;
	struct exchange *exchange;
	struct llm_call *call;
	char *body;

	backend_fixture_setup();
	config.price_input = &price_input;
	config.price_output = &price_output;
	config.system_message = "Be brief.";
	exchange = ask(&config);
	call = &exchange->call;
	ck_assert_int_eq(call->outcome, LLM_ANSWERED);
	ck_assert_ptr_nonnull(call->text);
	ck_assert(call->text[0]);
	ck_assert_str_eq(call->finish_reason, "stop");
	ck_assert_int_eq(call->attempts, 1);
	ck_assert_int_gt(call->input_tokens, 0);
	ck_assert_int_gt(call->output_tokens, 0);
	ck_assert_int_eq(call->cost_nanodollars,
			 call->input_tokens * 1000 + call->output_tokens * 2000);
	ck_assert_int_eq(sim_stat("without_key"), 0);
	body = sim_last_body();
	ck_assert_ptr_nonnull(strstr(body, "Be brief."));
	ck_assert_ptr_null(strstr(body, "max_tokens"));
	ck_assert_ptr_null(strstr(body, "Authorization"));
	ck_assert_ptr_nonnull(strstr(body, "key-1"));
	free(body);
	exchange_free(exchange);
	backend_fixture_teardown();
}
END_TEST

/* What it was first is told beside what it was in the end. */
START_TEST(first_and_last)
{
	struct exchange *exchange;

	backend_fixture_setup();
	sim_control("{\"fail_first_n\": 1, \"content_filter_rate\": 1}");
	exchange = ask_plainly();
	ck_assert_int_eq(exchange->call.outcome, LLM_ITEM_FAILED);
	ck_assert_int_eq(exchange->call.fault.status, 400);
	ck_assert_ptr_nonnull(strstr(exchange->call.fault.message, "filtered"));
	ck_assert_ptr_nonnull(strstr(exchange->call.fault.first_message, "had an error"));
	exchange_free(exchange);
	exchange = ask_plainly();
	ck_assert_str_eq(exchange->call.fault.first_message, "");
	exchange_free(exchange);
	backend_fixture_teardown();
}
END_TEST

/* Each of these is mended by a second attempt under the same key. */
START_TEST(retries)
{
	static const char *const faults[] = { "error_500", "reset", "half_body", "garbage",
					      "wrong_type", "wrong_json", "truncated_json" };
	char control[128];

	backend_fixture_setup();
	for (size_t i = 0; i < sizeof(faults) / sizeof(*faults); i++) {
		struct exchange *exchange;

		snprintf(control, sizeof(control), "{\"%s_rate\": 1, \"faults_until\": %lld}",
			 faults[i], (long long)sim_stat("calls") + 1);
		sim_control(control);
		exchange = ask_plainly();
		ck_assert_msg(exchange->call.outcome == LLM_ANSWERED, "%s: %s", faults[i],
			      exchange->call.fault.message);
		/* A reset of a connection that was used before is mended by libcurl itself. */
		if (strcmp(faults[i], "reset") != 0) {
			ck_assert_msg(exchange->call.attempts == 2, "%s", faults[i]);
			ck_assert_int_eq(flow_of(exchange->flow)->n_notices, 1);
		}
		exchange_free(exchange);
		snprintf(control, sizeof(control), "{\"%s_rate\": 0}", faults[i]);
		sim_control(control);
	}
	ck_assert_int_eq(sim_stat("distinct_keys"), 1);
	ck_assert_int_eq(sim_stat("calls"), 2 * sizeof(faults) / sizeof(*faults));
	backend_fixture_teardown();
}
END_TEST

START_TEST(gives_up)
{
	struct exchange *exchange;

	backend_fixture_setup();
	sim_control("{\"error_500_rate\": 1}");
	exchange = ask_plainly();
	ck_assert_int_eq(exchange->call.outcome, LLM_ITEM_FAILED);
	ck_assert_int_eq(exchange->call.fault.code, ELLU_E_BACKEND_UNAVAILABLE);
	ck_assert_int_eq(exchange->call.fault.status, 500);
	ck_assert_ptr_nonnull(strstr(exchange->call.fault.message, "had an error"));
	ck_assert_int_eq(exchange->call.attempts, 4);
	exchange_free(exchange);
	backend_fixture_teardown();
}
END_TEST

START_TEST(time_limits)
{
	const double short_seconds = 0.2, long_seconds = 30, stall_seconds = 1;
	static const int64_t none = 0;
	struct ellu_llm_config config = test_config();
	struct exchange *exchange;
	double start;

	backend_fixture_setup();
	config.max_retries = &none;
	config.first_byte_seconds = short_seconds;
	config.stall_seconds = stall_seconds;
	sim_control("{\"hang_rate\": 1}");
	start = seconds_now();
	exchange = ask(&config);
	ck_assert_int_eq(exchange->call.outcome, LLM_ITEM_FAILED);
	ck_assert_ptr_nonnull(strstr(exchange->call.fault.message, "no byte"));
	ck_assert_double_lt(seconds_now() - start, 0.6);
	exchange_free(exchange);

	sim_control("{\"hang_rate\": 0, \"slow_header_rate\": 1, \"slow_byte_seconds\": 0.05}");
	exchange = ask(&config);
	ck_assert_int_eq(exchange->call.outcome, LLM_ITEM_FAILED);
	exchange_free(exchange);

	config.first_byte_seconds = long_seconds;
	config.timeout_seconds = short_seconds;
	start = seconds_now();
	exchange = ask(&config);
	ck_assert_int_eq(exchange->call.outcome, LLM_ITEM_FAILED);
	ck_assert_ptr_nonnull(strstr(exchange->call.fault.message, "not answered"));
	ck_assert_double_lt(seconds_now() - start, 0.6);
	exchange_free(exchange);
	backend_fixture_teardown();
}
END_TEST

START_TEST(wrong_key)
{
	struct ellu_llm_config config = test_config();
	struct exchange *exchange;

	backend_fixture_setup();
	sim_control("{\"api_key\": \"another\"}");
	config.api_key = KEY;
	exchange = ask(&config);
	ck_assert_int_eq(exchange->call.outcome, LLM_CONFIG_FAILED);
	ck_assert_int_eq(exchange->call.fault.code, ELLU_E_BACKEND_AUTHENTICATION);
	ck_assert_int_eq(exchange->call.fault.status, 401);
	ck_assert_ptr_null(strstr(exchange->call.fault.message, KEY));
	ck_assert_int_eq(sim_stat("calls"), 1);
	exchange_free(exchange);

	sim_control("{\"api_key\": \"" KEY "\"}");
	exchange = ask(&config);
	ck_assert_int_eq(exchange->call.outcome, LLM_ANSWERED);
	exchange_free(exchange);
	backend_fixture_teardown();
}
END_TEST

START_TEST(unknown_model)
{
	struct exchange *exchange;

	backend_fixture_setup();
	sim_control("{\"model\": \"other\"}");
	exchange = ask_plainly();
	ck_assert_int_eq(exchange->call.outcome, LLM_CONFIG_FAILED);
	ck_assert_int_eq(exchange->call.fault.code, ELLU_E_BACKEND_REJECTED);
	ck_assert_int_eq(exchange->call.fault.status, 404);
	exchange_free(exchange);
	backend_fixture_teardown();
}
END_TEST

START_TEST(refused_items)
{
	static const char *const faults[] = { "content_filter", "context_length" };
	char control[64];

	backend_fixture_setup();
	for (int i = 0; i < 2; i++) {
		struct exchange *exchange;

		snprintf(control, sizeof(control), "{\"%s_rate\": 1}", faults[i]);
		sim_control(control);
		exchange = ask_plainly();
		ck_assert_int_eq(exchange->call.outcome, LLM_ITEM_FAILED);
		ck_assert_int_eq(exchange->call.fault.code, ELLU_E_BACKEND_REJECTED);
		ck_assert_int_eq(exchange->call.fault.status, 400);
		ck_assert_int_eq(exchange->call.attempts, 1);
		exchange_free(exchange);
		snprintf(control, sizeof(control), "{\"%s_rate\": 0}", faults[i]);
		sim_control(control);
	}
	backend_fixture_teardown();
}
END_TEST

START_TEST(odd_answers)
{
	struct exchange *exchange;

	backend_fixture_setup();
	sim_control("{\"empty_rate\": 1}");
	exchange = ask_plainly();
	ck_assert_int_eq(exchange->call.outcome, LLM_ANSWERED);
	ck_assert_str_eq(exchange->call.text, "");
	ck_assert_str_eq(exchange->call.finish_reason, "length");
	exchange_free(exchange);

	sim_control("{\"empty_rate\": 0, \"utf8_garbage_rate\": 1}");
	exchange = ask_plainly();
	ck_assert_int_eq(exchange->call.outcome, LLM_ANSWERED);
	ck_assert_int_gt(exchange->call.replaced, 3);
	ck_assert_ptr_nonnull(strstr(exchange->call.text, "\xef\xbf\xbd"));
	ck_assert_ptr_nonnull(strstr(exchange->call.text, " end"));
	exchange_free(exchange);
	backend_fixture_teardown();
}
END_TEST

START_TEST(too_long_an_answer)
{
	size_t size = 2 * 1024 * 1024 + 1;
	char *control = malloc(size + 64);
	char *end = stpcpy(control, "{\"fixed_answer\": \"");
	struct exchange *exchange;

	backend_fixture_setup();
	memset(end, 'x', size);
	strcpy(end + size - 1, "\"}");
	sim_control(control);
	exchange = ask_plainly();
	ck_assert_int_eq(exchange->call.outcome, LLM_ANSWERED);
	exchange_free(exchange);

	memset(end, 'x', size);
	strcpy(end + size, "\"}");
	sim_control(control);
	exchange = ask_plainly();
	ck_assert_int_eq(exchange->call.outcome, LLM_ITEM_FAILED);
	ck_assert_int_eq(exchange->call.fault.code, ELLU_E_TOO_LARGE);
	ck_assert_int_eq(exchange->call.attempts, 1);
	/* It was made and paid for. */
	ck_assert_int_gt(exchange->call.input_tokens, 0);
	ck_assert_int_gt(exchange->call.output_tokens, 0);
	exchange_free(exchange);
	free(control);
	backend_fixture_teardown();
}
END_TEST

START_TEST(waits)
{
	struct ellu_llm_config config = test_config();
	struct exchange *exchanges[6];
	struct llm_target *target;
	double took;

	backend_fixture_setup();
	sim_control("{\"rate_limit\": 3, \"rate_window_seconds\": 1, \"retry_after_seconds\": 1.0}");
	target = test_target(&config);
	for (int i = 0; i < 6; i++) {
		exchanges[i] = exchange_new(target, "Tell of rivers.", i);
		exchange_submit(exchanges[i]);
	}
	took = wait_for(6);
	ck_assert_double_gt(took, 0.9);
	ck_assert_double_lt(took, 4);
	for (int i = 0; i < 6; i++) {
		ck_assert_int_eq(exchanges[i]->call.outcome, LLM_ANSWERED);
		ck_assert_int_eq(exchanges[i]->call.attempts, 1);
		exchange_free(exchanges[i]);
	}
	ck_assert_int_gt(sim_stat_of("by_status", "429"), 0);
	llm_target_unref(target);
	backend_fixture_teardown();
}
END_TEST

START_TEST(refusing_port)
{
	struct sockaddr_in address = { .sin_family = AF_INET,
				       .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t size = sizeof(address);
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	static const int64_t one = 1;
	struct ellu_llm_config config = test_config();
	struct exchange *exchange;
	char url[64];

	/* A port that is bound and does not listen refuses, and is nobody else's. */
	ck_assert_int_eq(bind(fd, (struct sockaddr *)&address, size), 0);
	ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&address, &size), 0);
	snprintf(url, sizeof(url), "http://127.0.0.1:%u/v1", ntohs(address.sin_port));
	backend_fixture_setup();
	config.llm_base_url = url;
	config.max_retries = &one;
	exchange = ask(&config);
	ck_assert_int_eq(exchange->call.outcome, LLM_UNREACHABLE);
	ck_assert_int_eq(exchange->call.fault.code, ELLU_E_BACKEND_UNAVAILABLE);
	ck_assert_int_eq(exchange->call.attempts, 2);
	ck_assert_ptr_nonnull(strstr(exchange->call.fault.message, "127.0.0.1"));
	exchange_free(exchange);
	close(fd);
	backend_fixture_teardown();
}
END_TEST

START_TEST(structured_output)
{
	static const int64_t max_tokens = 100;
	struct ellu_llm_config config = test_config();
	struct llm_target *target;
	char *body;

	backend_fixture_setup();
	sim_control("{\"refuse_schema\": true, \"need_max_completion_tokens\": true}");
	config.max_tokens = &max_tokens;
	target = test_target(&config);
	for (int i = 0; i < 2; i++) {
		struct exchange *exchange = exchange_new(target, "Tell of rivers.", i);

		exchange->call.response_format = "{\"type\":\"object\",\"properties\":{}}";
		exchange_submit(exchange);
		wait_for(1);
		ck_assert_msg(exchange->call.outcome == LLM_ANSWERED, "%s",
			      exchange->call.fault.message);
		ck_assert_int_eq(exchange->call.attempts, 1);
		exchange_free(exchange);
	}
	/* Two steps the first time, none the second. */
	ck_assert_int_eq(sim_stat("calls"), 4);
	body = sim_last_body();
	ck_assert_ptr_null(strstr(body, "schema"));
	ck_assert_ptr_nonnull(strstr(body, "json_object"));
	ck_assert_ptr_nonnull(strstr(body, "max_completion_tokens"));
	free(body);
	llm_target_unref(target);
	backend_fixture_teardown();
}
END_TEST

#define N_OTHERS 30

/* It ends, alone, where every other call goes through; and no wait is shorter than a step. */
START_TEST(one_never_let_through)
{
	static const int64_t cap = 4;
	struct ellu_llm_config config = test_config();
	struct exchange *others[N_OTHERS], *refused;
	struct llm_target *target;

	backend_fixture_setup();
	config.max_connections = &cap;
	target = test_target(&config);
	sim_control("{\"refused_text\": \"the sea\", \"retry_after_seconds\": 0.001}");
	refused = exchange_new(target, "Tell of the sea.", N_OTHERS);
	exchange_submit(refused);
	for (int i = 0; i < N_OTHERS; i++) {
		others[i] = exchange_new(target, "Tell of rivers.", i);
		exchange_submit(others[i]);
	}
	wait_for(N_OTHERS + 1);
	for (int i = 0; i < N_OTHERS; i++) {
		ck_assert_int_eq(others[i]->call.outcome, LLM_ANSWERED);
		exchange_free(others[i]);
	}
	ck_assert_int_eq(refused->call.outcome, LLM_ITEM_FAILED);
	ck_assert_int_eq(refused->call.fault.code, ELLU_E_BACKEND_REJECTED);
	ck_assert_ptr_nonnull(strstr(refused->call.fault.message, "while others were answered"));
	ck_assert_int_eq(refused->call.fault.status, 429);
	ck_assert_int_le(sim_stat("calls"), N_OTHERS + 40);
	exchange_free(refused);
	llm_target_unref(target);
	backend_fixture_teardown();
}
END_TEST

int main(void)
{
	return RUN_TESTS(one_never_let_through, answers, first_and_last, retries, gives_up, time_limits, wrong_key, unknown_model,
			 refused_items, odd_answers, too_long_an_answer, waits, refusing_port,
			 structured_output);
}
