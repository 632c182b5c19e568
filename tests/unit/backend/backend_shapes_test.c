/* Providers that speak OpenAI's dialect with what they have otherwise. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/backend/dialect/request.h"
#include "proto/generated/interface.h"
#include "proto/provider.h"
#include "tests/unit/backend/backend_fixture.h"
#include "tests/unit/suite.h"

#define KEY "sk-planted-0123456789"

static bool is_listed(const char *const *names, const char *name)
{
	while (*names && strcmp(*names, name) != 0)
		names++;
	return *names;
}

/* The interface, the table of facts and the dialects name the same. */
START_TEST(tables)
{
	const struct record_field *field = ellu_llm_config_type.fields;
	size_t n = 0;

	while (strcmp(field->name, "provider") != 0)
		field++;
	for (const char *const *name = field->one_of; *name; name++, n++) {
		ck_assert_msg(provider_find(*name) != NULL, "%s", *name);
		ck_assert_msg(dialect_find(*name) != NULL, "%s", *name);
	}
	for (size_t i = 0; dialect_families[i]; i++) {
		for (const struct dialect *dialect = dialect_families[i]; dialect->name; dialect++, n--)
			ck_assert_msg(is_listed(field->one_of, dialect->name), "%s", dialect->name);
	}
	ck_assert_uint_eq(n, 0);
	ck_assert_ptr_null(provider_find("acme"));
	ck_assert_ptr_null(dialect_find("acme"));
}
END_TEST

START_TEST(urls)
{
	static const struct {
		const char *provider, *base, *url;
	} cases[] = {
		{ "openai", NULL, "https://api.openai.com/v1/chat/completions" },
		{ "anthropic", NULL, "https://api.anthropic.com/v1/messages" },
		{ "groq", NULL, "https://api.groq.com/openai/v1/chat/completions" },
		{ "litellm", NULL, "http://127.0.0.1:4000/v1/chat/completions" },
		{ "mistral", NULL, "https://api.mistral.ai/v1/chat/completions" },
		{ "ollama", NULL, "http://127.0.0.1:11434/v1/chat/completions" },
		{ "xai", NULL, "https://api.x.ai/v1/chat/completions" },
		{ "cohere", NULL, "https://api.cohere.com/v2/chat" },
		{ "cohere", "https://h/proxy/v2/", "https://h/proxy/v2/chat" },
		{ "gemini", NULL, "https://generativelanguage.googleapis.com/v1beta/models/"
				  "a%20model%2F1:generateContent" },
		{ "gemini", "https://h/v1", "https://h/v1/models/a%20model%2F1:generateContent" },
		{ "vertex", "https://h/v1/projects/p/locations/l",
		  "https://h/v1/projects/p/locations/l/publishers/google/models/a%20model%2F1"
		  ":generateContent" },
		{ "deepseek", NULL, "https://api.deepseek.com/v1/chat/completions" },
		{ "openrouter", NULL, "https://openrouter.ai/api/v1/chat/completions" },
		{ "together", NULL, "https://api.together.xyz/v1/chat/completions" },
		{ "anthropic", "http://h/v1", "http://h/v1/messages" },
		{ "groq", "http://h:1/v1", "http://h:1/v1/chat/completions" },
		{ "azure", "https://r.example/", "https://r.example/openai/deployments/a%20model%2F1/"
						 "chat/completions?api-version=2024-10-21" },
		{ "azure", "https://r.example?api-version=2025-01-01",
		  "https://r.example/openai/deployments/a%20model%2F1/chat/completions"
		  "?api-version=2025-01-01" },
		{ "azure", "https://r.example/openai/v1/",
		  "https://r.example/openai/v1/chat/completions" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		const struct ellu_llm_config config = {
			.struct_size = sizeof(config), .name = "c", .provider = cases[i].provider,
			.llm_base_url = cases[i].base, .llm_model_name = "a model/1",
		};
		struct llm_target *target = test_target(&config);

		ck_assert_str_eq(target->urls[URL_ANSWER].text, cases[i].url);
		llm_target_unref(target);
	}
}
END_TEST

/* One call that sets what is named in more than one way. */
static struct exchange *ask(const char *provider, const char *path, const char *key)
{
	static const int64_t seed = 5, max_tokens = 70;
	static const struct ellu_tool tool = { .struct_size = sizeof(tool), .name = "look_up" };
	static const struct ellu_tool *const tools[] = { &tool };
	struct ellu_llm_config config = test_config();
	struct llm_target *target;
	struct exchange *exchange;
	char url[128];

	snprintf(url, sizeof(url), "%.*s%s", (int)(strlen(base_url) - strlen("/v1")), base_url, path);
	config.provider = provider;
	config.llm_base_url = url;
	config.api_key = key;
	config.seed = &seed;
	config.max_tokens = &max_tokens;
	target = test_target(&config);
	exchange = exchange_new(target, "Tell of rivers.", 1);
	exchange->call.tools = tools;
	exchange->call.n_tools = 1;
	exchange->call.tool_choice = "required";
	exchange_submit(exchange);
	wait_for(1);
	llm_target_unref(target);
	return exchange;
}

START_TEST(requests)
{
	static const struct {
		const char *provider, *path;
		const char *has[3];
	} cases[] = {
		{ "openai", "/v1", { "\\\"seed\\\":5", "\\\"max_tokens\\\":70", "\\\"required\\\"" } },
		{ "azure", "", { "\\\"seed\\\":5", "\\\"max_tokens\\\":70", "\\\"required\\\"" } },
		{ "groq", "/v1", { "\\\"seed\\\":5", "\\\"max_completion_tokens\\\":70", "\\\"required\\\"" } },
		{ "litellm", "/v1", { "\\\"seed\\\":5", "\\\"max_tokens\\\":70", "\\\"required\\\"" } },
		{ "mistral", "/mistral/v1",
		  { "\\\"random_seed\\\":5", "\\\"max_tokens\\\":70", "\\\"any\\\"" } },
		{ "ollama", "/v1", { "\\\"seed\\\":5", "\\\"max_tokens\\\":70", "\\\"required\\\"" } },
		{ "xai", "/v1", { "\\\"seed\\\":5", "\\\"max_completion_tokens\\\":70", "\\\"required\\\"" } },
	};

	backend_fixture_setup();
	sim_control("{\"api_key\": \"" KEY "\"}");
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct exchange *exchange = ask(cases[i].provider, cases[i].path, KEY);
		char *body;

		ck_assert_msg(exchange->call.outcome == LLM_ANSWERED, "%s: %s", cases[i].provider,
			      exchange->call.fault.message);
		ck_assert_int_gt(exchange->call.output_tokens, 0);
		exchange_free(exchange);
		body = sim_last_body();
		for (size_t k = 0; k < 3; k++)
			ck_assert_msg(strstr(body, cases[i].has[k]) != NULL, "%s: no %s in %s",
				      cases[i].provider, cases[i].has[k], body);
		free(body);
		exchange = ask(cases[i].provider, cases[i].path, "sk-another-0123456789");
		ck_assert_int_eq(exchange->call.outcome, LLM_CONFIG_FAILED);
		ck_assert_int_eq(exchange->call.fault.code, ELLU_E_BACKEND_AUTHENTICATION);
		exchange_free(exchange);
	}
	backend_fixture_teardown();
}
END_TEST

/* What is wrong is told in the provider's words, where they are no text, too. */
START_TEST(refusals)
{
	struct exchange *exchange;

	backend_fixture_setup();
	exchange = ask("openai", "/mistral/v1", NULL);
	ck_assert_int_eq(exchange->call.outcome, LLM_ITEM_FAILED);
	ck_assert_msg(strstr(exchange->call.fault.message, "Extra inputs are not permitted") != NULL,
		      "%s", exchange->call.fault.message);
	exchange_free(exchange);
	backend_fixture_teardown();
}
END_TEST

/* A 404 says what is mostly wrong with the URL. */
START_TEST(advice)
{
	struct exchange *exchange;

	backend_fixture_setup();
	exchange = ask("openai", "/v1/chat/completions", NULL);
	ck_assert_int_eq(exchange->call.outcome, LLM_CONFIG_FAILED);
	ck_assert_ptr_nonnull(strstr(exchange->call.fault.message,
				     "(leave /chat/completions out of llm_base_url)"));
	exchange_free(exchange);
	exchange = ask("openai", "", NULL);
	ck_assert_ptr_nonnull(strstr(exchange->call.fault.message, "/v1 at the end of llm_base_url"));
	exchange_free(exchange);
	sim_control("{\"error_500_rate\": 1}");
	exchange = ask("openai", "/v1", NULL);
	ck_assert_int_eq(exchange->call.outcome, LLM_ITEM_FAILED);
	ck_assert_ptr_nonnull(strstr(exchange->call.fault.message, "500 from http://127.0.0.1:"));
	ck_assert_ptr_nonnull(strstr(exchange->call.fault.message, "had an error"));
	exchange_free(exchange);
	backend_fixture_teardown();
}
END_TEST

int main(void)
{
	return RUN_TESTS(tables, urls, requests, refusals, advice);
}
