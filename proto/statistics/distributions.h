/*
 * Distributions that statistics are built on. Pure functions; accurate to some 1e-12.
 *
 * Source: M. Abramowitz, I. Stegun, Handbook of Mathematical Functions, chapter 26; the continued
 * fraction is NIST DLMF 8.17.22, evaluated by Lentz's method.
 */
#pragma once

#include <stdint.h>

/* The probability of a value up to z, and the value up to which it is `p`, 0 < p < 1. */
double normal_cdf(double z);
double normal_quantile(double p);

/* The same of Student's t with `df` > 0 degrees of freedom. */
double t_cdf(double t, double df);
double t_quantile(double p, double df);

/* The probability of at most k successes in n trials of probability p. */
double binomial_cdf(int64_t k, int64_t n, double p);
