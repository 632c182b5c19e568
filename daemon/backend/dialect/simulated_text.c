/*
 * Deterministic text: one hash over all messages seeds a small generator, which picks sentence
 * patterns and fills their gaps with words of the last message.
 */
#include "daemon/backend/dialect/simulated_text.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/base/hash.h"

#define WORD_MIN 4
#define WORD_MAX 24
#define SENTENCES_MAX 4
#define ANSWER_MAX 1024
#define ITEMS_MAX 1000
#define YES_SHARE 0.75
#define VECTOR_STEPS 8
#define GAP '~'

static const char *const patterns[] = {
	"In short, ~ depends on ~.",
	"Most people think of ~ first, and ~ follows from it.",
	"A good starting point is ~; the rest can wait.",
	"There is a close link between ~ and ~.",
	"Seen from a distance, ~ is simpler than it looks.",
	"It helps to keep ~ small and ~ clear.",
	"The usual mistake is to forget ~ altogether.",
	"With a little patience, ~ turns into ~.",
	"Experience shows that ~ is worth the effort.",
	"To sum up: begin with ~, then look at ~ again.",
};

static const char *const spare_words[] = { "balance", "detail", "context", "practice" };

static const char *const reasonings[] = {
	"The answer covers what was asked and stays on the subject.",
	"The text was compared with the criterion point by point.",
	"The wording is clear, and the criterion is about exactly that.",
	"Only what the text itself says was taken into account.",
};

/* None of these holds a verdict, not even for a lenient reader. */
static const char *const nonsense[] = {
	"It depends on the reader.",
	"{\"rating\": \"MAYBE\"}",
	"{\"rating\": 7}",
	"[]",
	"{\"rating\": ",
	"{\"result\": {\"score\": 0.5}}",
	"Both sides have their merit; a clear decision is difficult.",
};

#define PICK(table, state) ((table)[random_next(state) % (sizeof(table) / sizeof(*(table)))])

int64_t simulated_tokens(const char *text)
{
	int64_t words = 0;
	bool before = false;

	for (; *text; text++) {
		bool inside = (unsigned char) *text > ' ';

		words += inside && !before;
		before = inside;
	}
	return (words * 4 + 2) / 3;
}

/* Each word moves the vector a few steps of its own. */
void simulated_vector(const char *text, int64_t seed, double *ret_vector, size_t n)
{
	double length = 0;

	for (size_t i = 0; i < n; i++)
		ret_vector[i] = 0;
	do {
		size_t size = strcspn(text, " \t\n.,;:!?\"'()");
		uint64_t state = (uint64_t) seed;

		for (size_t i = 0; i < size; i++) {
			char c = (char) tolower((unsigned char) text[i]);

			state = hash_bytes(state, &c, 1);
		}
		for (int i = 0; i < VECTOR_STEPS; i++) {
			double *at = &ret_vector[random_next(&state) % n];

			*at += random_fraction(&state) + 0.5;
		}
		text += size + (text[size] != '\0');
	} while (*text);
	for (size_t i = 0; i < n; i++)
		length += ret_vector[i] * ret_vector[i];
	for (size_t i = 0; i < n; i++)
		ret_vector[i] /= sqrt(length);
}

/* The last message that holds the marker, and where; NULL when none does. */
static const char *find_marker(const char *const *contents, size_t n_contents, const char *what,
			       const char **ret_content)
{
	for (size_t i = n_contents; i-- > 0;) {
		const char *marker = strstr(contents[i], what);

		if (marker) {
			*ret_content = contents[i];
			return marker;
		}
	}
	return NULL;
}

bool simulated_is_judge(const char *const *contents, size_t n_contents)
{
	const char *content;

	return find_marker(contents, n_contents, SIMULATED_JUDGE_MARKER, &content) != NULL;
}

bool simulated_has_form(const char *const *contents, size_t n_contents)
{
	const char *content;

	return simulated_is_judge(contents, n_contents) ||
	       find_marker(contents, n_contents, SIMULATED_SCORE_MARKER, &content) ||
	       find_marker(contents, n_contents, SIMULATED_ITEMS_MARKER, &content);
}

/* Bytes of multi-byte characters count as letters, so that a word is never cut inside one. */
static bool is_letter(char c)
{
	unsigned char u = (unsigned char) c;

	return (u >= 'a' && u <= 'z') || (u >= 'A' && u <= 'Z') || u >= 0x80;
}

/* A word of the text near a random place, if that place has a usable one. */
static bool pick_word(const char *text, size_t size, uint64_t *state, const char **ret_word,
		      size_t *ret_size)
{
	for (unsigned attempt = 0; size > 0 && attempt < 6; attempt++) {
		size_t start = random_next(state) % size, end;

		while (start < size && !is_letter(text[start]))
			start++;
		end = start;
		while (start > 0 && end - start <= WORD_MAX && is_letter(text[start - 1]))
			start--;
		while (end < size && end - start <= WORD_MAX && is_letter(text[end]))
			end++;
		if (end - start >= WORD_MIN && end - start <= WORD_MAX) {
			*ret_word = text + start;
			*ret_size = end - start;
			return true;
		}
	}
	return false;
}

static size_t write_sentence(const char *text, size_t size, uint64_t *state, char *out)
{
	size_t used = 0;

	for (const char *p = PICK(patterns, state); *p; p++) {
		const char *word;
		size_t word_size;

		if (*p != GAP) {
			out[used++] = *p;
			continue;
		}
		if (!pick_word(text, size, state, &word, &word_size)) {
			word = PICK(spare_words, state);
			word_size = strlen(word);
		}
		memcpy(out + used, word, word_size);
		used += word_size;
	}
	return used;
}

static char *write_answer(const char *text, uint64_t *state)
{
	size_t size = strlen(text), used = 0;
	unsigned n = 1 + (unsigned) (random_next(state) % SENTENCES_MAX);
	char out[ANSWER_MAX];

	_Static_assert(SENTENCES_MAX * (80 + 2 * WORD_MAX) < ANSWER_MAX, "sentences fit");
	for (unsigned i = 0; i < n; i++) {
		if (i > 0)
			out[used++] = random_next(state) % 4 == 0 ? '\n' : ' ';
		used += write_sentence(text, size, state, out + used);
	}
	return strndup(out, used);
}

static char *write_verdict(bool reasoning, double bad_verdict_rate, uint64_t *state)
{
	char out[ANSWER_MAX], *end = out;

	if (random_fraction(state) < bad_verdict_rate)
		return strdup(PICK(nonsense, state));
	*end++ = '{';
	if (reasoning) {
		end = stpcpy(end, "\"reasoning\": \"");
		end = stpcpy(end, PICK(reasonings, state));
		end = stpcpy(end, "\", ");
	}
	end = stpcpy(end, "\"rating\": \"");
	end = stpcpy(end, random_fraction(state) < YES_SHARE ? "YES" : "NO");
	stpcpy(end, "\"}");
	return strdup(out);
}

static char *write_score(double bad_verdict_rate, uint64_t *state)
{
	char out[ANSWER_MAX];

	if (random_fraction(state) < bad_verdict_rate)
		return strdup(PICK(nonsense, state));
	snprintf(out, sizeof(out), "{\"justification\": \"%s\", \"score\": %.2f}",
		 PICK(reasonings, state), random_fraction(state));
	return strdup(out);
}

/* An item for each number, whose values are a word of the text and that number: no two are alike. */
static void write_item(FILE *out, const char *text, size_t text_size, const char *form, size_t number,
		       uint64_t *state)
{
	const char *end = form + strcspn(form, "}"), *key = form;

	fputc('{', out);
	while ((key = strchr(key, '"')) && key < end) {
		size_t key_size = strcspn(++key, "\""), size;
		const bool question = strncmp(key, "criterion\"", 10) == 0;
		const char *word;

		if (!pick_word(text, text_size, state, &word, &size)) {
			word = PICK(spare_words, state);
			size = strlen(word);
		}
		fprintf(out, "%s\"%.*s\": \"%s%.*s %zu%s\"", key > form + 1 ? ", " : "", (int) key_size, key,
			question ? "Does the answer deal with " : "", (int) size, word, number,
			question ? "?" : "");
		for (int i = 0; i < 3 && key; i++) // behind the key, around its value
			key = strchr(key, '"') ? strchr(key, '"') + 1 : NULL;
		if (!key)
			break;
	}
	fputc('}', out);
}

static char *write_items(const char *text, const char *marker, double bad_verdict_rate,
			 uint64_t *state)
{
	const char *form = marker + strlen(SIMULATED_ITEMS_MARKER);
	const char *count = strstr(form, "\"count\": ");
	long n = count ? strtol(count + strlen("\"count\": "), NULL, 10) : 1;
	char *out_text = NULL;
	size_t size;
	FILE *out;

	if (random_fraction(state) < bad_verdict_rate)
		return strdup(PICK(nonsense, state));
	out = open_memstream(&out_text, &size);
	if (!out)
		return NULL;
	fputs("{\"items\": [", out);
	for (size_t i = 1; i <= (size_t) (n < 1 ? 1 : n > ITEMS_MAX ? ITEMS_MAX : n); i++) {
		fputs(i > 1 ? ", " : "", out);
		write_item(out, text, (size_t) (marker - text), form, i, state);
	}
	fprintf(out, "], \"count\": %ld}", n);
	if (fclose(out) == 0)
		return out_text;
	free(out_text);
	return NULL;
}

int simulated_answer(const char *const *contents, size_t n_contents, int64_t seed,
		     double bad_verdict_rate, char **ret_text, int64_t *ret_input_tokens,
		     int64_t *ret_output_tokens)
{
	uint64_t state = (uint64_t) seed;
	int64_t input_tokens = 0;
	const char *content, *marker, *items = NULL, *score = NULL;
	char *text;

	for (size_t i = 0; i < n_contents; i++) {
		state = hash_bytes(state, contents[i], strlen(contents[i]));
		input_tokens += simulated_tokens(contents[i]);
	}
	marker = find_marker(contents, n_contents, SIMULATED_JUDGE_MARKER, &content);
	if (!marker)
		score = find_marker(contents, n_contents, SIMULATED_SCORE_MARKER, &content);
	if (!marker && !score)
		items = find_marker(contents, n_contents, SIMULATED_ITEMS_MARKER, &content);
	if (score) {
		text = write_score(bad_verdict_rate, &state);
	} else if (items) {
		text = write_items(content, items, bad_verdict_rate, &state);
	} else if (marker) {
		const char *reasoning = strstr(content, "\"reasoning\"");

		text = write_verdict(reasoning && reasoning < marker, bad_verdict_rate, &state);
	} else {
		text = write_answer(n_contents > 0 ? contents[n_contents - 1] : "", &state);
	}
	if (!text)
		return -ENOMEM;
	*ret_output_tokens = simulated_tokens(text);
	*ret_input_tokens = input_tokens;
	*ret_text = text;
	return 0;
}
