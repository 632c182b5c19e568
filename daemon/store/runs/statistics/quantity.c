#include "daemon/store/runs/statistics/quantity.h"

#include <errno.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* A bucket a value below 2^13; from there on 2^12 buckets each time that values double. */
#define FINE_BITS 12
#define N_EXACT (2 << FINE_BITS)
#define N_BUCKETS (N_EXACT + ((63 - FINE_BITS - 1) << FINE_BITS))

static size_t bucket_of(int64_t value)
{
	int bits;

	if (value < N_EXACT)
		return value < 0 ? 0 : (size_t)value;
	bits = 63 - __builtin_clzll((unsigned long long)value);
	return N_EXACT + ((size_t)(bits - FINE_BITS - 1) << FINE_BITS) +
	       ((size_t)(value >> (bits - FINE_BITS)) & ((1u << FINE_BITS) - 1));
}

/* The middle of what falls into the bucket. */
static int64_t value_of(size_t bucket)
{
	size_t doubled;
	int64_t width;

	if (bucket < N_EXACT)
		return (int64_t)bucket;
	doubled = (bucket - N_EXACT) >> FINE_BITS;
	width = INT64_C(2) << doubled;
	return width * (int64_t)((1u << FINE_BITS) + ((bucket - N_EXACT) & ((1u << FINE_BITS) - 1))) +
	       width / 2;
}

#define FEW 32 // most quantities are of no more; doubled until they are QUANTITY_EXACT

static int grow(struct quantity *quantity, struct arena *arena)
{
	int64_t capacity = quantity->n ? 2 * quantity->n : FEW;
	int64_t *values = arena_array(arena, (size_t)capacity, sizeof(*values));

	if (!values)
		return -ENOMEM;
	if (quantity->n)
		memcpy(values, quantity->values, (size_t)quantity->n * sizeof(*values));
	quantity->values = values;
	quantity->capacity = capacity;
	return 0;
}

static int fill_buckets(struct quantity *quantity, struct arena *arena)
{
	quantity->buckets = arena_array(arena, N_BUCKETS, sizeof(*quantity->buckets));
	if (!quantity->buckets)
		return -ENOMEM;
	for (size_t i = 0; i < QUANTITY_EXACT; i++)
		quantity->buckets[bucket_of(quantity->values[i])]++;
	return 0;
}

int quantity_add(struct quantity *quantity, struct arena *arena, int64_t value)
{
	int r = 0;

	if (quantity->n == QUANTITY_EXACT)
		r = fill_buckets(quantity, arena);
	else if (quantity->n == quantity->capacity)
		r = grow(quantity, arena);
	if (r < 0)
		return r;
	if (quantity->buckets)
		quantity->buckets[bucket_of(value)]++;
	else
		quantity->values[quantity->n] = value;
	quantity->n++;
	quantity->sum += (double)value;
	return 0;
}

static int compare(const void *a, const void *b)
{
	const int64_t *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

int64_t quantity_percentile(struct quantity *quantity, int64_t percent)
{
	int64_t rank = (percent * quantity->n + 99) / 100, passed = 0;
	size_t bucket = 0;

	if (!quantity->buckets) {
		qsort(quantity->values, (size_t)quantity->n, sizeof(*quantity->values), compare);
		return quantity->values[rank - 1];
	}
	while ((passed += quantity->buckets[bucket]) < rank)
		bucket++;
	return value_of(bucket);
}

/* ---- Bins ---- */

#define BINS_A_DOUBLING 4

/* What is kept, one after the other, and how many are that. */
static bool next_value(const struct quantity *quantity, size_t *at, int64_t *ret_value, int64_t *ret_n)
{
	if (!quantity->buckets) {
		*ret_n = 1;
		if (*at < (size_t)quantity->n)
			*ret_value = quantity->values[*at];
		return (*at)++ < (size_t)quantity->n;
	}
	while (*at < N_BUCKETS && quantity->buckets[*at] == 0)
		++*at;
	if (*at == N_BUCKETS)
		return false;
	*ret_n = quantity->buckets[*at];
	*ret_value = value_of((*at)++);
	return true;
}

size_t quantity_bins(const struct quantity *quantity, double *ret_least, double *ret_ratio,
		     int64_t ret_counts[static QUANTITY_BINS])
{
	int64_t value, n, least = INT64_MAX, most = 1;
	size_t n_bins = 1;
	double doublings;

	for (size_t i = 0; next_value(quantity, &i, &value, &n);) {
		least = value < least ? value : least;
		most = value > most ? value : most;
	}
	least = quantity->n == 0 || least < 1 ? 1 : least;
	doublings = log2(((double)most + 1) / (double)least);
	while (n_bins < QUANTITY_BINS && (double)n_bins < doublings * BINS_A_DOUBLING)
		n_bins++;
	*ret_least = (double)least;
	*ret_ratio = exp2(doublings / (double)n_bins);
	for (size_t i = 0; i < n_bins; i++)
		ret_counts[i] = 0;
	for (size_t i = 0; next_value(quantity, &i, &value, &n);) {
		double at = value > least ? log2((double)value / (double)least) / doublings * (double)n_bins : 0;

		ret_counts[at < (double)n_bins ? (size_t)at : n_bins - 1] += n;
	}
	return n_bins;
}
