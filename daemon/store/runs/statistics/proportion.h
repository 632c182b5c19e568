/* Shares as the interface tells them: with their interval, and absent where nothing was decided. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct clusters;
struct ellu_criterion_result;
struct ellu_proportion;
struct ellu_yes_no;
struct tx;

#define CONFIDENCE 0.95 // of every interval that is told

/* What is made here is NULL without memory. */
const struct ellu_yes_no *yes_no_make(struct tx *tx, int64_t yes, int64_t decided);

/* The share of `n` things; absent when none was scored. `rows` are those that have several of them, or
 * NULL. */
const struct ellu_proportion *proportion_make(struct tx *tx, double yes, int64_t n, int64_t n_scored,
					      int64_t n_total, const struct clusters *rows);
/* Of `n` things that all were scored. */
const struct ellu_proportion *proportion_share(struct tx *tx, double sum, int64_t n);

/* What stands in a proportion of which `yes` of `n` are, in *rows; or NULL. */
const struct clusters *proportion_rows(const struct ellu_proportion *proportion, int64_t yes, int64_t n,
				       struct clusters *rows);

/* How a criterion came out of the ratings by it. */
void criterion_tell(struct tx *tx, struct ellu_criterion_result *record, int64_t yes, int64_t decided,
		    int64_t ratings, int64_t responses, const struct clusters *rows);

/* Of a row's epochs, `yes` of `n`. */
static inline bool row_is_flaky(int64_t yes, int64_t n)
{
	return yes > 0 && yes < n;
}

static inline double row_majority(int64_t yes, int64_t n)
{
	return 2 * yes == n ? 0.5 : 2 * yes > n;
}
