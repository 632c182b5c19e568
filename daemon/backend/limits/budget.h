/*
 * What configs allow of an endpoint's requests and tokens, a minute and a day, and what of it is left:
 * so that no call goes that would be too many. Minutes are a bucket that fills evenly and holds the
 * tenth of a second; days begin at midnight, UTC. What a call will take of tokens is estimated before,
 * and put right after.
 *
 * Each call counts in proportion to what its own config allows, so that those of several configs share
 * one bucket.
 *
 * It knows no clock and no loop.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct budget_limits { // 0: none
	int64_t requests_per_minute, tokens_per_minute;
	int64_t requests_per_day, tokens_per_day;
};

struct budget {
	int64_t requests_usec, tokens_usec; // when what was taken of the minutes' is there again
	int64_t day; // since 1970
	int64_t day_requests, day_tokens; // taken of it
	double mean_tokens; // of answers, 0: none yet
};

bool budget_limits_any(const struct budget_limits *limits);

/* Tokens that a call will take: of its request's bytes, and of its answer, which may have max_tokens (0:
 * not said). */
int64_t budget_estimate(const struct budget *budget, size_t bytes, int64_t max_tokens);
/* What that of the answer was. */
void budget_learn(struct budget *budget, int64_t tokens);

/* A call goes. */
void budget_take(struct budget *budget, const struct budget_limits *limits, int64_t tokens,
		 int64_t now_usec, int64_t wall_usec);
/* It took so many more tokens than was thought, or fewer. */
void budget_correct(struct budget *budget, const struct budget_limits *limits, int64_t more);
/* So much of the day's was taken before. */
void budget_resume(struct budget *budget, int64_t day, int64_t requests, int64_t tokens);

enum budget_kind {
	BUDGET_NONE,
	BUDGET_REQUESTS_PER_MINUTE,
	BUDGET_TOKENS_PER_MINUTE,
	BUDGET_REQUESTS_PER_DAY,
	BUDGET_TOKENS_PER_DAY,
};

/* How long the next call has to wait, and for which; 0: it may go. */
int64_t budget_wait_usec(const struct budget *budget, const struct budget_limits *limits,
			 int64_t now_usec, int64_t wall_usec, enum budget_kind *ret_kind);
/* What is left of the day's, of what there is; at least 0. */
int64_t budget_left_today(int64_t limit, int64_t taken, int64_t day, int64_t wall_usec);
