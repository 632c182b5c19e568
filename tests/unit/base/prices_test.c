/* What is known of prices: of the table that is built in, and of a file before it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon/base/prices.h"
#include "tests/unit/suite.h"

#define DOLLARS(n) (int64_t)((n) * 1e9 + 0.5)

static struct prices *prices;

static char *make_file(const char *text)
{
	static char path[] = "prices-XXXXXX";
	int fd;
	FILE *file;

	strcpy(path, "prices-XXXXXX");
	fd = mkstemp(path);
	ck_assert_int_ge(fd, 0);
	file = fdopen(fd, "w");
	fputs(text, file);
	fclose(file);
	return path;
}

static int read_prices(const char *text, struct fault *fault)
{
	char *path = make_file(text);
	int r;

	*fault = (struct fault){ 0 };
	prices = prices_free(prices);
	r = prices_new(path, &prices, fault);
	unlink(path);
	return r;
}

static void must_cost(const char *provider, const char *url, const char *model, double input,
		      double output)
{
	const struct price *price = prices_find(prices, provider, url, model);

	ck_assert_msg(price != NULL, "%s %s", provider, model);
	ck_assert_int_eq(price->input, input < 0 ? -1 : DOLLARS(input));
	ck_assert_int_eq(price->output, output < 0 ? -1 : DOLLARS(output));
}

START_TEST(built_in)
{
	struct fault fault = { 0 };

	ck_assert_msg(prices_new(NULL, &prices, &fault) == 0, "%s", fault.message);
	ck_assert_ptr_nonnull(prices_date(prices));
	must_cost("openai", NULL, "gpt-4o", 2.5, 10);
	ck_assert_int_eq(prices_find(prices, "openai", NULL, "gpt-4o")->cached, DOLLARS(1.25));
	must_cost("openai", NULL, "gpt-4o-2024-05-13", 5, 15);
	must_cost("openai", "https://api.openai.com/v1", "gpt-4o-mini-2024-07-18", 0.15, 0.6);
	must_cost("anthropic", "https://api.anthropic.com/", "claude-haiku-4-5-20251001", 1, 5);
	/* Another model of that name, another endpoint, or another provider's. */
	ck_assert_ptr_null(prices_find(prices, "openai", NULL, "gpt-4o-audio-preview"));
	ck_assert_ptr_null(prices_find(prices, "openai", NULL, "gpt-4"  "o-"));
	ck_assert_ptr_null(prices_find(prices, "openai", "http://127.0.0.1:8080/v1", "gpt-4o"));
	ck_assert_ptr_null(prices_find(prices, "openai", "https://api.openai.com.evil.example/v1", "gpt-4o"));
	ck_assert_ptr_null(prices_find(prices, "azure", "https://a.openai.azure.com", "gpt-4o"));
	ck_assert_ptr_null(prices_find(prices, "simulated", NULL, "simulated"));
	prices = prices_free(prices);
}
END_TEST

START_TEST(of_a_file)
{
	struct fault fault;

	ck_assert_msg(read_prices("# ours\n\n date 2030-01-01 # one\n"
				  "openai gpt-4o 1 2\n"
				  "openai gpt-4o-* 3 4 reasoning=5\topenai-no # comment\n", &fault) < 0, "taken");
	ck_assert_msg(read_prices("openai gpt-4o 1 2 cached=- # comment\r\n"
				  "openai gpt-* 3 4\n"
				  "openai gpt-4o-m* 5 6 reasoning=7\n"
				  "openai gpt-4o-mini - -\n"
				  "http://127.0.0.1:80/v1/ * 8 9", &fault) == 0, "%s", fault.message);
	must_cost("openai", NULL, "gpt-4o", 1, 2);
	ck_assert_int_eq(prices_find(prices, "openai", NULL, "gpt-4o")->cached, -1);
	must_cost("openai", NULL, "gpt-5", 3, 4);
	must_cost("openai", NULL, "gpt-4o-max", 5, 6);
	must_cost("openai", NULL, "gpt-4o-mini", -1, -1);
	must_cost("openai", NULL, "o3", 2, 8);
	must_cost("mistral", "http://127.0.0.1:80/v1", "any", 8, 9);
	must_cost("openai", "http://127.0.0.1:80/v1/x", "gpt-4o", 8, 9);
	ck_assert_ptr_null(prices_find(prices, "openai", "http://127.0.0.1:8080/v1", "gpt-4o"));
	ck_assert_ptr_null(prices_find(prices, "openai", NULL, "davinci"));
	prices = prices_free(prices);
}
END_TEST

START_TEST(mistakes)
{
	static const char *const lines[] = {
		"openai gpt-4o 1", "openai", "nobody m 1 2", "ftp://host m 1 2", "openai a*b 1 2",
		"openai m -1 2", "openai m 1e3 2", "openai m 1 2 cached", "openai m 1 2 cached=x",
		"openai m 1 2 cached=1 cached=2", "openai m 1 2 3", "openai m 1000001 2", "date today",
		"date 2025-1-1", "date 2025-01-01 x", "openai m 1 2 a b c d e f",
	};
	struct fault fault;
	char text[256];

	for (size_t i = 0; i < sizeof(lines) / sizeof(*lines); i++) {
		snprintf(text, sizeof(text), "openai fine 1 2\n%s\n", lines[i]);
		ck_assert_msg(read_prices(text, &fault) < 0, "%s", lines[i]);
		ck_assert_ptr_null(prices);
		ck_assert_msg(strstr(fault.message, ":2: expected ") != NULL, "%s", fault.message);
	}
	ck_assert_int_lt(prices_new("/nowhere", &prices, &fault), 0);
	ck_assert_ptr_nonnull(strstr(fault.message, "/nowhere"));
	ck_assert_int_lt(prices_new("/dev/null", &prices, &fault), 0);
}
END_TEST

int main(void)
{
	return RUN_TESTS(built_in, of_a_file, mistakes);
}
