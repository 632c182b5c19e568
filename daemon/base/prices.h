/*
 * A table of what models cost, for configs that say no price of their own: the list prices of
 * daemon/prices.txt, which explains the form, and before them a file of the administrator's. What
 * is in neither has no known price, which is never 0. Immutable once it is made; any thread.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "proto/fault/fault.h"

#define PRICE_FILE_SIZE_MAX (1024 * 1024)
#define PRICE_MAX INT64_C(1000000000000000) // a million dollars for a million tokens

/* Nanodollars for a million tokens; -1: unknown. */
struct price {
	int64_t input;
	int64_t output;
	int64_t cached; // input that was in the provider's cache; unknown: as input
	int64_t cache_write; // input that was put there; unknown: as input
	int64_t reasoning; // unknown: as output
};

struct prices;

/* Of the file at `path`, or NULL, and what is built in. -EINVAL names file and line. */
int prices_new(const char *path, struct prices **ret_prices, struct fault *fault)
	__attribute__((warn_unused_result));
struct prices *prices_free(struct prices *prices);

/* `base_url` NULL: the provider's own. NULL: not known. */
const struct price *prices_find(const struct prices *prices, const char *provider,
				const char *base_url, const char *model);
/* Of what is built in: YYYY-MM-DD. */
const char *prices_date(const struct prices *prices);
