#include "daemon/base/prices.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/base/small_file.h"
#include "daemon/base/prices_text.h"
#include "proto/text/money.h"
#include "proto/provider.h"

#define WORDS_MAX 8
#define BLANKS " \t\r"

struct rule {
	const char *place; // a provider, or the beginning of a base URL
	const char *model;
	size_t model_size;
	bool prefix; // of the model's name
	bool ours; // and not the administrator's
	struct price price;
};

struct prices {
	struct arena arena;
	struct rule *rules;
	size_t n_rules;
	size_t capacity;
	const char *date;
};

/* ---- Reading ---- */

static bool is_url(const char *place)
{
	return strncmp(place, "http://", 7) == 0 || strncmp(place, "https://", 8) == 0;
}

/* YYYY-MM-DD, as far as its form goes. */
static bool is_date(const char *text)
{
	static const char form[] = "dddd-dd-dd";

	for (size_t i = 0; i < sizeof(form) - 1; i++)
		if (form[i] == 'd' ? text[i] < '0' || text[i] > '9' : text[i] != form[i])
			return false;
	return text[sizeof(form) - 1] == '\0';
}

static bool take_price(const char *text, int64_t *ret_price)
{
	if (strcmp(text, "-") == 0)
		return true;
	return money_parse(text, ret_price) == 0 && *ret_price >= 0 && *ret_price <= PRICE_MAX;
}

/* `NAME=PRICE` */
static bool take_named(const char *word, struct price *price)
{
	const struct {
		const char *name;
		int64_t *value;
	} named[] = {
		{ "cached=", &price->cached },
		{ "cache-write=", &price->cache_write },
		{ "reasoning=", &price->reasoning },
	};

	for (size_t i = 0; i < sizeof(named) / sizeof(*named); i++) {
		size_t size = strlen(named[i].name);

		if (strncmp(word, named[i].name, size) == 0)
			return *named[i].value < 0 && take_price(word + size, named[i].value);
	}
	return false;
}

static struct rule *add_rule(struct prices *prices)
{
	size_t capacity = prices->capacity ? 2 * prices->capacity : 128;
	struct rule *rules;

	if (prices->n_rules == prices->capacity) {
		rules = realloc(prices->rules, capacity * sizeof(*rules));
		if (!rules)
			return NULL;
		prices->rules = rules;
		prices->capacity = capacity;
	}
	return &prices->rules[prices->n_rules++];
}

/* What is expected there, or NULL: it is in order. */
static const char *read_rule(struct rule *rule, char **words, size_t n)
{
	const char *star;

	*rule = (struct rule){ .place = words[0], .price = { -1, -1, -1, -1, -1 } };
	if (n < 4)
		return "PROVIDER MODEL INPUT OUTPUT";
	if (!is_url(words[0]) && !provider_find(words[0]))
		return "a provider or a base URL first";
	rule->model = words[1];
	rule->model_size = strlen(words[1]);
	star = strchr(words[1], '*');
	if (star && star[1])
		return "a * at the end of a model's name alone";
	rule->prefix = star != NULL;
	rule->model_size -= rule->prefix;
	if (!take_price(words[2], &rule->price.input) || !take_price(words[3], &rule->price.output))
		return "prices in US dollars like 0.25, or -";
	for (size_t i = 4; i < n; i++)
		if (!take_named(words[i], &rule->price))
			return "cached=PRICE, cache-write=PRICE or reasoning=PRICE, each once";
	return NULL;
}

/* What is wrong with a line, or NULL. */
static const char *read_line(struct prices *prices, char *line, bool ours)
{
	char *words[WORDS_MAX + 1], *rest = line, *word;
	struct rule *rule;
	const char *wrong;
	size_t n = 0;

	while (n <= WORDS_MAX && (word = strtok_r(n == 0 ? line : NULL, BLANKS, &rest))) {
		if (*word == '#')
			break;
		words[n++] = word;
	}
	if (n == 0)
		return NULL;
	if (strcmp(words[0], "date") == 0) {
		if (n != 2 || !is_date(words[1]))
			return "date YYYY-MM-DD";
		if (ours)
			prices->date = words[1];
		return NULL;
	}
	if (n > WORDS_MAX)
		return "fewer words";
	rule = add_rule(prices);
	if (!rule)
		return "more memory";
	wrong = read_rule(rule, words, n);
	rule->ours = ours;
	return wrong;
}

/* Spoils the text, which the rules point into. */
static int read_table(struct prices *prices, char *text, const char *where, bool ours,
		      struct fault *fault)
{
	const char *wrong = NULL;
	char *next = text, *line;

	for (int number = 1; !wrong && (line = strsep(&next, "\n")); number++) {
		wrong = read_line(prices, line, ours);
		if (wrong)
			fault_set(fault, -EINVAL, "%s:%d: expected %s", where, number, wrong);
	}
	return wrong ? -EINVAL : 0;
}

static int read_price_file(struct prices *prices, const char *path, struct fault *fault)
{
	size_t size;
	char *text;
	int r = small_file_read(AT_FDCWD, path, PRICE_FILE_SIZE_MAX, &prices->arena, &text, &size);

	if (r < 0)
		return fault_set(fault, r, "[daemon] price_file: %s: %s", path, strerror(-r));
	if (strlen(text) != size)
		return fault_set(fault, -EINVAL, "%s: it is no text", path);
	return read_table(prices, text, path, /* ours= */ false, fault);
}

int prices_new(const char *path, struct prices **ret_prices, struct fault *fault)
{
	struct prices *prices = calloc(1, sizeof(*prices));
	char *text;
	int r;

	if (!prices)
		return fault_oom(fault);
	arena_init(&prices->arena);
	text = arena_strdup(&prices->arena, prices_text);
	r = text ? read_table(prices, text, "the built-in prices", /* ours= */ true, fault) :
		   fault_oom(fault);
	if (r == 0 && path)
		r = read_price_file(prices, path, fault);
	if (r < 0) {
		prices_free(prices);
		return r;
	}
	*ret_prices = prices;
	return 0;
}

struct prices *prices_free(struct prices *prices)
{
	if (!prices)
		return NULL;
	arena_done(&prices->arena);
	free(prices->rules);
	free(prices);
	return NULL;
}

/* ---- Finding ---- */

/* A URL at that base, or below it. */
static bool is_below(const char *url, const char *base)
{
	size_t size = strlen(base);

	while (size > 0 && base[size - 1] == '/')
		size--;
	return strncmp(url, base, size) == 0 && strchr("/?", url[size]); // or its end
}

static bool is_own(const char *provider, const char *base_url)
{
	const struct provider *known = provider_find(provider);

	return !base_url || (known && known->default_base && is_below(base_url, known->default_base));
}

static bool fits(const struct rule *rule, const char *provider, const char *base_url,
		 const char *model)
{
	if (is_url(rule->place) ? !base_url || !is_below(base_url, rule->place) :
				  strcmp(rule->place, provider) != 0 || !is_own(provider, base_url))
		return false;
	return rule->prefix ? strncmp(model, rule->model, rule->model_size) == 0 :
			      strcmp(model, rule->model) == 0;
}

/* Before `best`, which fits as well. */
static bool goes_before(const struct rule *rule, const struct rule *best)
{
	if (rule->ours != best->ours)
		return best->ours;
	if (rule->prefix != best->prefix)
		return best->prefix;
	return rule->model_size > best->model_size;
}

const struct price *prices_find(const struct prices *prices, const char *provider,
				const char *base_url, const char *model)
{
	const struct rule *best = NULL;

	for (size_t i = 0; prices && i < prices->n_rules; i++) {
		const struct rule *rule = &prices->rules[i];

		if (fits(rule, provider, base_url, model) && (!best || goes_before(rule, best)))
			best = rule;
	}
	return best ? &best->price : NULL;
}

const char *prices_date(const struct prices *prices)
{
	return prices->date;
}
