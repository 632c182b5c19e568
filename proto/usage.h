/*
 * Sums of what endpoints say that their answers took. -1 is unknown; a sum stays what every JSON
 * parser keeps exact.
 */
#pragma once

#include <stdint.h>

#include "proto/limits.h"

/* What texts take is estimated by: a token is so many bytes of most of them; an answer takes so many tokens
 * where nothing limits it, and an image or a document that is shown so many. */
#define USAGE_TOKEN_BYTES 4
#define USAGE_ANSWER_TOKENS 512
#define USAGE_SHOWN_TOKENS 1000

static inline void usage_add(int64_t *sum, int64_t value)
{
	int64_t known = *sum < 0 ? 0 : *sum;

	if (value >= 0)
		*sum = value > INTEGER_MAX - known ? INTEGER_MAX : known + value;
}
