/* Formulas of the aggregates. */
#pragma once

#include <stdint.h>

/* Wilson's score interval at 95 % for `yes` of `n`, n > 0. */
void wilson_interval(int64_t yes, int64_t n, double *ret_low, double *ret_high);

/* The rank, from 1, of the percentile among n > 0 sorted values. */
int64_t nearest_rank(int64_t percent, int64_t n);
