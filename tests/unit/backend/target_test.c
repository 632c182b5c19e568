/* What a config comes to for the backend: where it asks, as whom, and what is refused. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "proto/content/llm_config_rules.h"
#include "tests/unit/backend/minimal.h"
#include "tests/unit/suite.h"

static void refused(const struct ellu_llm_config *config, const char *field)
{
	struct llm_target *target;
	struct fault fault = { 0 };

	ck_assert_int_eq(llm_target_new(config, &target, &fault), ELLU_E_INVALID_PARAMETER);
	ck_assert_str_eq(fault.field, field);
}

START_TEST(targets)
{
	static const struct {
		const char *base, *url, *origin;
	} good[] = {
		{ NULL, "https://api.openai.com/v1/chat/completions", "https://api.openai.com" },
		{ "http://Host:80/v1", "http://Host:80/v1/chat/completions", "http://host" },
		{ "http://127.0.0.1:8080", "http://127.0.0.1:8080/chat/completions",
		  "http://127.0.0.1:8080" },
		{ "https://h/a/b/?v=1", "https://h/a/b/chat/completions?v=1", "https://h" },
		{ "http://h:/v1", "http://h/v1/chat/completions", "http://h" },
		{ "http://[::1]:5/v1", "http://[::1]:5/v1/chat/completions", "http://[::1]:5" },
	};
	static const char *const bad[] = { "ftp://h/v1", "file:///etc/passwd", "h/v1", "http://",
					   "http://user:pw@h/v1", "http://h:99999/", "http://h/#f" };

	for (size_t i = 0; i < sizeof(good) / sizeof(*good); i++) {
		struct ellu_llm_config config = minimal();
		struct llm_target *target;

		config.llm_base_url = good[i].base;
		target = make(&config);
		ck_assert_str_eq(target->urls[URL_ANSWER].text, good[i].url);
		ck_assert_str_eq(target->origin, good[i].origin);
		llm_target_unref(target);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		struct ellu_llm_config config = minimal();

		config.llm_base_url = bad[i];
		refused(&config, "llm_config.llm_base_url");
	}
}
END_TEST

/* RFC 3986 has a colon without a port for the scheme's own; what is none is refused. */
START_TEST(an_empty_port)
{
	struct ellu_llm_config config = minimal();
	struct fault fault = { 0 };
	struct arena arena;

	arena_init(&arena);
	config.llm_base_url = "http://host:/v1";
	ck_assert_int_eq(llm_config_check(&config, "c", false, &arena, &fault), 0);
	config.llm_base_url = "http://host:x/v1";
	ck_assert_int_eq(llm_config_check(&config, "c", false, &arena, &fault), ELLU_E_INVALID_PARAMETER);
	ck_assert_str_eq(fault.field, "c.llm_base_url");
	arena_done(&arena);
}
END_TEST

START_TEST(bad_configs)
{
	static const struct ellu_entry newline[] = { { "X-A", "b\r\nX-C: d" } };
	static const struct ellu_entry length[] = { { "content-length", "5" } };
	struct ellu_llm_config config = minimal();

	config.extra_headers = newline;
	config.n_extra_headers = 1;
	refused(&config, "llm_config.extra_headers");
	config.extra_headers = length;
	refused(&config, "llm_config.extra_headers");
	config = minimal();
	config.api_key = "a\nb";
	refused(&config, "llm_config.api_key");
	config = minimal();
	config.extra_body = "{\"stream\": true}";
	refused(&config, "llm_config.extra_body");
	config.extra_body = "[1]";
	refused(&config, "llm_config.extra_body");
}
END_TEST

/* What a config names is read when its target is made, and then only if it is a file. */
START_TEST(ca_files)
{
	char folder[] = "/tmp/ellu-ca-XXXXXX", path[64];
	struct ellu_llm_config config = minimal();
	struct llm_target *target;
	FILE *file;

	ck_assert_ptr_nonnull(mkdtemp(folder));
	snprintf(path, sizeof(path), "%s/ca", folder);
	config.ca_file = path;
	refused(&config, "llm_config.ca_file"); // there is none
	ck_assert_int_eq(mkfifo(path, 0600), 0);
	refused(&config, "llm_config.ca_file");
	ck_assert_int_eq(unlink(path), 0);
	config.ca_file = "/dev/zero";
	refused(&config, "llm_config.ca_file");
	config.ca_file = folder;
	refused(&config, "llm_config.ca_file");
	config.ca_file = "/proc/self/status"; // no size, and no certificates
	refused(&config, "llm_config.ca_file");
	config.ca_file = path;
	file = fopen(path, "w");
	fputs("-----BEGIN CERTIFICATE-----\n", file);
	fclose(file);
	target = make(&config);
	ck_assert_uint_eq(target->ca.len, 28);
	ck_assert_int_eq(truncate(path, 1024 * 1024), 0);
	llm_target_unref(target);
	llm_target_unref(make(&config));
	ck_assert_int_eq(truncate(path, 1024 * 1024 + 1), 0);
	refused(&config, "llm_config.ca_file");
	ck_assert_int_eq(unlink(path), 0);
	ck_assert_int_eq(rmdir(folder), 0);
}
END_TEST

START_TEST(secrets)
{
	static const struct ellu_entry headers[] = { { "api-key", "header-secret" } };
	char text[] = "key sk-123456 and again sk-123456; header-secret; application/json";
	char cut[] = "a message that was cut at sk-12345";
	char places[] = "?key=query%2Fsecret is query/secret; body-secret; n=3";
	char answer[] = "query/secret, body-secret, ordinary words";
	struct ellu_llm_config config = minimal();
	struct llm_target *target, *other;

	config.api_key = "sk-123456";
	config.extra_headers = headers;
	config.n_extra_headers = 1;
	target = make(&config);
	target_redact(target, text, strlen(text));
	ck_assert_str_eq(text,
			 "key ********* and again *********; *************; application/json");
	target_redact(target, cut, strlen(cut));
	ck_assert_str_eq(cut, "a message that was cut at ********");
	config.llm_base_url = "http://h/v1?n=3&key=query%2Fsecret";
	config.extra_body = "{\"style\": \"ordinary words\", \"a\": [{\"token\": \"body-secret\"}]}";
	other = make(&config);
	target_redact(other, places, strlen(places));
	ck_assert_str_eq(places, "?key=************** is ************; ***********; n=3");
	target_redact_answer(other, answer, strlen(answer));
	ck_assert_str_eq(answer, "************, body-secret, ordinary words");
	llm_target_unref(other);
	config.api_key = "sk-other";
	other = make(&config);
	ck_assert_uint_ne(target->identity, other->identity);
	llm_target_unref(target);
	llm_target_unref(other);
}
END_TEST

static bool sends(const struct llm_target *target, const char *line)
{
	for (const struct curl_slist *node = target->headers; node; node = node->next)
		if (strcmp(node->data, line) == 0)
			return true;
	return false;
}

/* A custom provider's key goes where its config says, and as a Bearer's where it says nothing. */
START_TEST(places_of_the_key)
{
	static const struct {
		const char *body, *header, *line;
		bool bearer;
	} cases[] = {
		{ "{\"q\":\"{{prompt}}\"}", "v", "X-Token: v", true },
		{ "{\"q\":\"{{prompt}}\"}", "Token {{key}};", "X-Token: Token sk-0123456789;", false },
		{ "{\"q\":\"{{prompt}}\",\"k\":\"{{key}}\"}", "v", "X-Token: v", false },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct ellu_entry header = { "X-Token", cases[i].header };
		struct ellu_llm_config config = minimal();
		struct llm_target *target;
		char custom[256], text[] = "It was sk-0123456789.";

		snprintf(custom, sizeof(custom), "{\"body\":%s,\"text\":\"\"}", cases[i].body);
		config.provider = "custom";
		config.llm_base_url = "http://host/ask/?v=1";
		config.api_key = "sk-0123456789";
		config.custom = custom;
		config.extra_headers = &header;
		config.n_extra_headers = 1;
		target = make(&config);
		ck_assert_str_eq(target->urls[URL_ANSWER].text, "http://host/ask/?v=1");
		ck_assert_msg(sends(target, cases[i].line), "%zu", i);
		ck_assert_int_eq(sends(target, "Authorization: Bearer sk-0123456789"), cases[i].bearer);
		target_redact(target, text, strlen(text));
		ck_assert_str_eq(text, "It was *************.");
		llm_target_unref(target);
	}
}
END_TEST

int main(void)
{
	return RUN_TESTS(targets, an_empty_port, bad_configs, ca_files, secrets, places_of_the_key);
}
