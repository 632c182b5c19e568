/*
 * What an endpoint tells, with its answers, of how much is left: of requests or of tokens, out of how
 * many, and when all of it will be there again. What was told holds for when the call was begun that it
 * came with: what went since is taken off, and what has come back since is added.
 *
 * Nothing of it is believed for longer than TOLD_MOST_USEC. It knows no clock and no loop.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define TOLD_MOST_USEC INT64_C(60000000)
#define TOLD_RESET_MOST_USEC INT64_C(86400000000) // as a Retry-After

enum told_what {
	TOLD_REQUESTS,
	TOLD_TOKENS,
	_TOLD_MAX,
};

struct told {
	int64_t at_usec; // 0: nothing was told
	double left; // then
	double limit; // 0: not told
	int64_t full_after_usec; // -1: not told
};

/* Takes a header of an answer, if it is one of those, into news[_TOLD_MAX], which begins as TOLD_NONE. */
#define TOLD_NONE { .left = -1, .full_after_usec = -1 }
void told_header(struct told *news, const char *name, const char *value, int64_t wall_usec);
/* Puts what an answer told, to a call begun at at_usec, in the place of what was told of a call begun
 * before; `since` went after it. */
void told_update(struct told *told, const struct told *news, int64_t at_usec, double since);
/* How long to wait after a refusal that came with it and does not say: until all is back of what there
 * is least of. -1: nothing seems to be short. */
int64_t told_refused_usec(const struct told news[static _TOLD_MAX]);
/* A call goes that takes so much. */
void told_take(struct told *told, double amount);
/* What is left now; -1: nobody knows. */
double told_left(const struct told *told, int64_t now_usec);
/* How long to wait until a call may go that takes so much. */
int64_t told_wait_usec(const struct told *told, double amount, int64_t now_usec);
