/*
 * How alike two texts are, by characters and by words. Both are numbered first, what is alike having
 * the same number; 64 of one are held against one of the other at a time.
 * Sources: G. Myers, JACM 46 (1999), and H. Hyyro, Nordic J. of Computing 10 (2003), on edit distance;
 * M. Crochemore et al., Information Processing Letters 80 (2001), on common subsequences; K. Papineni et
 * al., ACL 2002, and C.-Y. Lin, F. J. Och, COLING 2004, on BLEU and its smoothing; C.-Y. Lin, ROUGE (2004).
 */
#include "daemon/work/judging/metrics/metric_internal.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/base/hash.h"
#include "proto/text/utf8.h"

#define BITS 64
#define UTF8_BYTES_MAX 4 // of a character
#define STEPS_PER_PIECE 32 // to number it: that bounds the memory, too
#define BYTES_PER_STEP 16 // that memcmp() looks at
#define ORDER_MAX 4 // words of the runs that BLEU counts

/* A text in pieces: characters or words. */
struct pieces {
	uint32_t *number;
	size_t n;
};

/* What has a number: pieces of the texts, in a table by their hash. */
struct numbering {
	struct slot {
		const char *text; // NULL: free
		uint32_t size, number;
	} *slots;
	size_t n_slots; // a power of 2, at least twice the pieces
	size_t n_numbers;
};

typedef size_t next_piece(const char **text);

/* ---- Pieces ---- */

static size_t next_character(const char **text)
{
	uint32_t code;
	size_t size = utf8_next(*text, strnlen(*text, UTF8_BYTES_MAX), &code);

	return size > 0 || !**text ? size : 1;
}

static bool is_of_word(char c)
{
	unsigned char u = (unsigned char)c;

	return (u >= 'a' && u <= 'z') || (u >= 'A' && u <= 'Z') || (u >= '0' && u <= '9') || u >= 0x80;
}

static size_t next_word(const char **text)
{
	size_t size = 0;

	while (**text && !is_of_word(**text))
		(*text)++;
	while (is_of_word((*text)[size]))
		size++;
	return size;
}

static size_t count(const char *text, next_piece *next)
{
	size_t n = 0, size;

	while ((size = next(&text)) > 0) {
		text += size;
		n++;
	}
	return n;
}

/* Texts may be made so that all of them have one hash: looking at them costs steps. */
static int number_one(struct metric *metric, struct numbering *numbering, const char *text, size_t size,
		      uint32_t *ret_number)
{
	size_t at = hash_bytes(0, text, size) & (numbering->n_slots - 1);
	struct slot *slot;
	int r;

	while ((slot = &numbering->slots[at])->text &&
	       (slot->size != size || memcmp(slot->text, text, size) != 0)) {
		at = (at + 1) & (numbering->n_slots - 1);
		r = metric_spend(metric, 1 + (slot->size == size ? size / BYTES_PER_STEP : 0));
		if (r < 0)
			return r;
	}
	if (!slot->text)
		*slot = (struct slot){ text, (uint32_t)size, (uint32_t)numbering->n_numbers++ };
	*ret_number = slot->number;
	return 0;
}

static int number_all(struct metric *metric, struct numbering *numbering, const char *text,
		      next_piece *next, struct pieces *pieces)
{
	size_t size, i = 0;
	int r = 0;

	while (r == 0 && (size = next(&text)) > 0) {
		r = number_one(metric, numbering, text, size, &pieces->number[i++]);
		text += size;
	}
	return r;
}

static char *fold(struct arena *arena, const char *text)
{
	char *copy = arena_strdup(arena, text);

	for (char *c = copy; c && *c; c++)
		if (*c >= 'A' && *c <= 'Z')
			*c = (char)(*c - 'A' + 'a');
	return copy;
}

/* The response and the expected output, numbered; words with A to Z as small letters. */
static int read_both(struct metric *metric, next_piece *next, struct pieces *ret_response,
		     struct pieces *ret_expected, size_t *ret_n_numbers)
{
	struct numbering numbering = { .n_slots = 16 };
	const char *response, *expected;
	int r = metric_text(metric, "response", &response);

	if (r == 0)
		r = metric_text(metric, "expected_output", &expected);
	if (r == 0)
		r = metric_spend(metric, strlen(response) + strlen(expected));
	if (r < 0)
		return r;
	ret_response->n = count(response, next);
	ret_expected->n = count(expected, next);
	r = metric_spend(metric, STEPS_PER_PIECE * (ret_response->n + ret_expected->n));
	if (r < 0)
		return r;
	while (numbering.n_slots < 2 * (ret_response->n + ret_expected->n))
		numbering.n_slots *= 2;
	response = next == next_word ? fold(metric->arena, response) : response;
	expected = next == next_word ? fold(metric->arena, expected) : expected;
	numbering.slots = arena_array(metric->arena, numbering.n_slots, sizeof(*numbering.slots));
	ret_response->number = arena_array(metric->arena, ret_response->n, sizeof(uint32_t));
	ret_expected->number = arena_array(metric->arena, ret_expected->n, sizeof(uint32_t));
	if (!response || !expected || !numbering.slots || !ret_response->number || !ret_expected->number)
		return fault_oom(metric->fault);
	memset(numbering.slots, 0, numbering.n_slots * sizeof(*numbering.slots));
	r = number_all(metric, &numbering, response, next, ret_response);
	if (r == 0)
		r = number_all(metric, &numbering, expected, next, ret_expected);
	*ret_n_numbers = numbering.n_numbers;
	return r;
}

/* What both begin and end with is no difference. */
static size_t strip(struct pieces *a, struct pieces *b)
{
	size_t stripped = 0;

	while (a->n > 0 && b->n > 0 && a->number[0] == b->number[0]) {
		a->number++, a->n--;
		b->number++, b->n--;
		stripped++;
	}
	while (a->n > 0 && b->n > 0 && a->number[a->n - 1] == b->number[b->n - 1]) {
		a->n--, b->n--;
		stripped++;
	}
	return stripped;
}

/* ---- 64 at a time ---- */

/* Where each number is among the 64 of `pieces` from `from` on. */
struct matches {
	uint64_t *of; // by number
	const struct pieces *pieces;
	size_t from, n;
};

static void matches_begin(struct matches *matches, size_t from)
{
	const struct pieces *pieces = matches->pieces;

	matches->from = from;
	matches->n = pieces->n - from < BITS ? pieces->n - from : BITS;
	for (size_t i = 0; i < matches->n; i++)
		matches->of[pieces->number[from + i]] |= UINT64_C(1) << i;
}

static void matches_end(struct matches *matches)
{
	for (size_t i = 0; i < matches->n; i++)
		matches->of[matches->pieces->number[matches->from + i]] = 0;
}

/* Matches of all, and something of each piece of the other: *ret_columns. */
static int begin_matching(struct metric *metric, const struct pieces *pieces, size_t n_columns,
			  size_t n_numbers, struct matches *ret_matches, signed char **ret_columns)
{
	int r = metric_spend_product(metric, pieces->n / BITS + 1, n_columns);

	if (r < 0)
		return r;
	*ret_matches = (struct matches){
		.of = arena_array(metric->arena, n_numbers, sizeof(uint64_t)),
		.pieces = pieces,
	};
	*ret_columns = arena_alloc(metric->arena, n_columns + 1);
	if (!ret_matches->of || !*ret_columns)
		return fault_oom(metric->fault);
	memset(ret_matches->of, 0, n_numbers * sizeof(uint64_t));
	return 0;
}

/* ---- Edit distance ---- */

struct block {
	uint64_t more, less; // where the distance is one more, or less, than a row above
};

/* One column: `above` is by how much the row above differs from its left neighbour, the answer the
 * same of the row `last`. */
static int advance(struct block *block, uint64_t equal, int above, uint64_t last)
{
	uint64_t vertical = equal | block->less, horizontal, more, less;
	int below;

	equal |= above < 0;
	horizontal = (((equal & block->more) + block->more) ^ block->more) | equal;
	more = block->less | ~(horizontal | block->more);
	less = block->more & horizontal;
	below = ((more & last) != 0) - ((less & last) != 0);
	more = more << 1 | (above > 0);
	less = less << 1 | (above < 0);
	block->more = less | ~(vertical | more);
	block->less = more & vertical;
	return below;
}

static int find_distance(struct metric *metric, const struct pieces *a, const struct pieces *b,
			 size_t n_numbers, size_t *ret_distance)
{
	struct matches matches;
	signed char *differences;
	int r = begin_matching(metric, a, b->n, n_numbers, &matches, &differences);

	if (r < 0)
		return r;
	memset(differences, 1, b->n);
	*ret_distance = a->n;
	for (size_t from = 0; from < a->n; from += BITS) {
		struct block block = { .more = UINT64_MAX };

		matches_begin(&matches, from);
		for (size_t i = 0; i < b->n; i++)
			differences[i] = (signed char)advance(&block, matches.of[b->number[i]],
							      differences[i], UINT64_C(1) << (matches.n - 1));
		matches_end(&matches);
	}
	for (size_t i = 0; i < b->n; i++)
		*ret_distance += (size_t)differences[i];
	return 0;
}

int metric_levenshtein(struct metric *metric)
{
	struct pieces response, expected;
	size_t n_numbers, distance, longer;
	int r = read_both(metric, next_character, &response, &expected, &n_numbers);

	if (r < 0)
		return r;
	longer = response.n > expected.n ? response.n : expected.n;
	if (longer == 0)
		return metric_say(metric, 1, "both are empty");
	strip(&response, &expected);
	r = find_distance(metric, &response, &expected, n_numbers, &distance);
	if (r < 0)
		return r;
	return metric_say(metric, 1 - (double)distance / (double)longer,
			  "%zu of %zu characters would have to be changed", distance, longer);
}

/* ---- Common subsequence ---- */

static int find_common(struct metric *metric, const struct pieces *a, const struct pieces *b,
		       size_t n_numbers, size_t *ret_length)
{
	struct matches matches;
	signed char *carries;
	int r = begin_matching(metric, a, b->n, n_numbers, &matches, &carries);

	if (r < 0)
		return r;
	memset(carries, 0, b->n);
	*ret_length = 0;
	for (size_t from = 0; from < a->n; from += BITS) {
		uint64_t open = UINT64_MAX, used = UINT64_MAX;

		matches_begin(&matches, from);
		if (matches.n < BITS)
			used = (UINT64_C(1) << matches.n) - 1;
		for (size_t i = 0; i < b->n; i++) {
			uint64_t matching = open & matches.of[b->number[i]];
			uint64_t sum = open + matching, carried = sum + (uint64_t)carries[i];

			carries[i] = sum < open || carried < sum;
			open = carried | (open - matching);
		}
		matches_end(&matches);
		*ret_length += (size_t)__builtin_popcountll(~open & used);
	}
	return 0;
}

int metric_rouge_l(struct metric *metric)
{
	struct pieces response, expected;
	size_t n_numbers, n, common, same;
	int r = read_both(metric, next_word, &response, &expected, &n_numbers);

	if (r < 0)
		return r;
	n = response.n + expected.n;
	if (n == 0)
		return metric_say(metric, 1, "neither has words");
	same = strip(&response, &expected);
	r = find_common(metric, &response, &expected, n_numbers, &common);
	if (r < 0)
		return r;
	common += same;
	return metric_say(metric, 2 * (double)common / (double)n,
			  "%zu words in the same order, of %zu in both together", common, n);
}

/* ---- Runs of words ---- */

struct runs {
	const uint32_t **at; // sorted
	size_t n;
};

static int compare_runs(const void *a, const void *b, void *order)
{
	const uint32_t *x = *(const uint32_t *const *)a, *y = *(const uint32_t *const *)b;

	for (size_t i = 0; i < *(const size_t *)order; i++)
		if (x[i] != y[i])
			return x[i] < y[i] ? -1 : 1;
	return 0;
}

static void sort_runs(struct runs *runs, const struct pieces *pieces, size_t order)
{
	runs->n = pieces->n < order ? 0 : pieces->n - order + 1;
	for (size_t i = 0; i < runs->n; i++)
		runs->at[i] = &pieces->number[i];
	qsort_r(runs->at, runs->n, sizeof(*runs->at), compare_runs, &order);
}

/* Each of one for one of the other. */
static size_t count_shared(const struct runs *a, const struct runs *b, size_t order)
{
	size_t i = 0, k = 0, n = 0;

	while (i < a->n && k < b->n) {
		int sign = compare_runs(&a->at[i], &b->at[k], &order);

		n += sign == 0;
		i += sign <= 0;
		k += sign >= 0;
	}
	return n;
}

static size_t log_of(size_t n)
{
	size_t log = 1;

	while (n >>= 1)
		log++;
	return log;
}

int metric_bleu(struct metric *metric)
{
	struct pieces response, expected;
	size_t n_numbers, shared[ORDER_MAX];
	struct runs runs[2];
	double log_score = 0;
	int r = read_both(metric, next_word, &response, &expected, &n_numbers);

	if (r == 0)
		r = metric_spend_product(metric, ORDER_MAX * log_of(response.n + expected.n),
					 response.n + expected.n);
	if (r < 0)
		return r;
	if (response.n == 0 || expected.n == 0)
		return metric_say(metric, response.n == expected.n, "%zu words, where %zu are expected",
				  response.n, expected.n);
	runs[0].at = arena_array(metric->arena, response.n, sizeof(*runs[0].at));
	runs[1].at = arena_array(metric->arena, expected.n, sizeof(*runs[1].at));
	if (!runs[0].at || !runs[1].at)
		return fault_oom(metric->fault);
	for (size_t order = 1; order <= ORDER_MAX; order++) {
		size_t smooth = order > 1;

		sort_runs(&runs[0], &response, order);
		sort_runs(&runs[1], &expected, order);
		shared[order - 1] = count_shared(&runs[0], &runs[1], order);
		log_score += log((double)(shared[order - 1] + smooth) / (double)(runs[0].n + smooth)) / ORDER_MAX;
	}
	if (response.n < expected.n)
		log_score += 1 - (double)expected.n / (double)response.n;
	return metric_say(metric, exp(log_score), "runs of one to four words that both have: %zu, %zu, %zu, %zu; "
			  "%zu words, where %zu are expected", shared[0], shared[1], shared[2], shared[3],
			  response.n, expected.n);
}
