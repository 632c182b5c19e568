/* What a response contains, and how long it is. */
#include "daemon/work/judging/metrics/metric.h"
#include "daemon/work/judging/metrics/metric_internal.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "proto/check_value.h"
#include "proto/text/regex.h"
#include "proto/text/utf8.h"

#define WORDS_MAX 1000
#define SHOWN_MAX 80 // bytes of a word in a justification
#define BYTES_PER_STEP 16 // that strstr() and such look at

int metric_equals(struct metric *metric)
{
	const char *response, *expected;
	size_t at = 0;
	int r = metric_text(metric, "response", &response);

	if (r == 0)
		r = metric_text(metric, "expected_output", &expected);
	if (r < 0)
		return r;
	while (response[at] && response[at] == expected[at])
		at++;
	if (response[at] == expected[at])
		return metric_say(metric, 1, "the response is the expected output");
	return metric_say(metric, 0, "they differ from character %zu on", utf8_length(response, at) + 1);
}

/* ---- Words ---- */

struct words {
	const char *text[WORDS_MAX];
	size_t n;
};

#define WORDS_EXPECTED "words: a list of texts, or a text with one a line; 1000 at most"

static int add_word(struct metric *metric, struct words *words, const char *word)
{
	if (!word)
		return fault_oom(metric->fault);
	if (!*word)
		return 0;
	if (words->n == WORDS_MAX)
		return metric_invalid(metric, "words", WORDS_EXPECTED);
	words->text[words->n++] = word;
	return 0;
}

static int read_list(struct metric *metric, json_object *list, struct words *words)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < json_object_array_length(list); i++) {
		json_object *word = json_object_array_get_idx(list, i);

		r = json_object_is_type(word, json_type_string)
			    ? add_word(metric, words, json_object_get_string(word))
			    : metric_invalid(metric, "words", WORDS_EXPECTED);
	}
	return r;
}

static int read_words(struct metric *metric, struct words *words)
{
	json_object *value = NULL;
	const char *text;
	int r = 0;

	json_object_object_get_ex(metric->inputs, "words", &value);
	if (json_object_is_type(value, json_type_array)) {
		r = read_list(metric, value, words);
	} else {
		r = metric_text(metric, "words", &text);
		while (r == 0 && *text) {
			size_t size = strcspn(text, "\n");
			size_t kept = size > 0 && text[size - 1] == '\r' ? size - 1 : size;

			r = add_word(metric, words, arena_strndup(metric->arena, text, kept));
			text += size + (text[size] == '\n');
		}
	}
	return r == 0 && words->n == 0 ? metric_invalid(metric, "words", WORDS_EXPECTED) : r;
}

/* How many there are, and the first that is there, or is not. */
static int count_words(struct metric *metric, size_t *ret_n, size_t *ret_found,
		       const char **ret_present, const char **ret_absent)
{
	const char *response;
	struct words words;
	int r = metric_text(metric, "response", &response);

	words.n = 0;
	if (r == 0)
		r = read_words(metric, &words);
	if (r == 0)
		r = metric_spend_product(metric, words.n, strlen(response) / BYTES_PER_STEP + 1);
	if (r < 0)
		return r;
	*ret_n = words.n;
	*ret_found = 0;
	*ret_present = *ret_absent = NULL;
	for (size_t i = 0; i < words.n; i++) {
		bool found = strstr(response, words.text[i]) != NULL;
		const char **first = found ? ret_present : ret_absent;

		*ret_found += found;
		if (!*first)
			*first = words.text[i];
	}
	return 0;
}

static int shown(const char *word)
{
	return (int)utf8_cut(word, strlen(word), SHOWN_MAX);
}

int metric_contains_all(struct metric *metric)
{
	const char *present, *absent;
	size_t n, found;
	int r = count_words(metric, &n, &found, &present, &absent);

	if (r < 0)
		return r;
	if (!absent)
		return metric_say(metric, 1, "all %zu are there", n);
	return metric_say(metric, (double)found / (double)n, "%zu of %zu are there; not so: %.*s", found, n,
			  shown(absent), absent);
}

int metric_contains_any(struct metric *metric)
{
	const char *present, *absent;
	size_t n, found;
	int r = count_words(metric, &n, &found, &present, &absent);

	if (r < 0)
		return r;
	if (!present)
		return metric_say(metric, 0, "none of %zu is there", n);
	return metric_say(metric, 1, "there is: %.*s", shown(present), present);
}

int metric_contains_none(struct metric *metric)
{
	const char *present, *absent;
	size_t n, found;
	int r = count_words(metric, &n, &found, &present, &absent);

	if (r < 0)
		return r;
	if (!present)
		return metric_say(metric, 1, "none of %zu is there", n);
	return metric_say(metric, (double)(n - found) / (double)n, "%zu of %zu are there, such as: %.*s",
			  found, n, shown(present), present);
}

/* ---- Where, and by which pattern ---- */

int metric_starts_with(struct metric *metric)
{
	const char *response, *prefix;
	int r = metric_text(metric, "response", &response);

	if (r == 0)
		r = metric_text(metric, "prefix", &prefix);
	if (r < 0)
		return r;
	if (strncmp(response, prefix, strlen(prefix)) == 0)
		return metric_say(metric, 1, "the response begins so");
	return metric_say(metric, 0, "the response begins with: %.*s", shown(response), response);
}

int metric_regex(struct metric *metric)
{
	const char *response, *pattern, *expected;
	size_t steps = 0;
	bool found;
	int r = metric_text(metric, "response", &response);

	if (r == 0)
		r = metric_text(metric, "pattern", &pattern);
	if (r < 0)
		return r;
	r = regex_find(pattern, response, &found, &steps, &expected);
	metric->steps += steps < METRIC_STEPS_MAX - metric->steps ? steps : METRIC_STEPS_MAX - metric->steps;
	if (r == -EINVAL)
		return metric_invalid(metric, "pattern", expected);
	if (r == -E2BIG)
		return fault_set(metric->fault, ELLU_E_TOO_LARGE, "the pattern takes more than %d steps in "
				 "this response", REGEX_STEPS_MAX);
	if (r < 0)
		return fault_oom(metric->fault);
	return metric_say(metric, found, found ? "the pattern is found" : "the pattern is not found");
}

/* ---- Length ---- */

static int decide_range(struct metric *metric, size_t n, const char *what)
{
	const char *range;
	size_t low, high;
	double score = 1;
	int r = metric_text(metric, "range", &range);

	if (r < 0)
		return r;
	if (check_value_range(range, &low, &high) < 0)
		return metric_invalid(metric, "range", "a range: LOW..HIGH, LOW.. or ..HIGH");
	if (n < low)
		score = (double)n / (double)low;
	else if (n > high)
		score = (double)high / (double)n;
	return metric_say(metric, score, "%zu %s, where %s are to be", n, what, range);
}

int metric_length(struct metric *metric)
{
	const char *response;
	int r = metric_text(metric, "response", &response);

	return r < 0 ? r : decide_range(metric, utf8_length(response, strlen(response)), "characters");
}

int metric_word_count(struct metric *metric)
{
	const char *response;
	size_t n = 0;
	int r = metric_text(metric, "response", &response);

	if (r < 0)
		return r;
	while (*(response += strspn(response, " \t\r\n\f\v"))) {
		response += strcspn(response, " \t\r\n\f\v");
		n++;
	}
	return decide_range(metric, n, "words");
}
