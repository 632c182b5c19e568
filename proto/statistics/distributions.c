#include "proto/statistics/distributions.h"

#include <float.h>
#include <math.h>
#include <stdbool.h>

#define FRACTION_STEPS_MAX 10000
#define FAR 1e100 // no quantile that is asked for lies beyond

double normal_cdf(double z)
{
	return 0.5 * erfc(-z / M_SQRT2);
}

static double away_from_zero(double x)
{
	return fabs(x) < DBL_MIN ? DBL_MIN : x;
}

/* The continued fraction of the incomplete beta function, which is quick for x < (a + 1) / (a + b + 2). */
static double beta_fraction(double x, double a, double b)
{
	double c = 1, d = 1 / away_from_zero(1 - (a + b) * x / (a + 1)), value = d;

	for (int m = 1; m <= FRACTION_STEPS_MAX; m++) {
		double even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m));
		double odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1));
		double before = value;

		d = 1 / away_from_zero(1 + even * d);
		c = away_from_zero(1 + even / c);
		value *= c * d;
		d = 1 / away_from_zero(1 + odd * d);
		c = away_from_zero(1 + odd / c);
		value *= c * d;
		if (fabs(value - before) <= DBL_EPSILON * fabs(value))
			break;
	}
	return value;
}

static double log_gamma(double x)
{
	int sign;

	return lgamma_r(x, &sign);
}

/* The regularised incomplete beta function; `y` is 1 - x, which the caller may know better. */
static double beta_cdf(double x, double y, double a, double b)
{
	double front;

	if (x <= 0 || y <= 0)
		return x <= 0 ? 0 : 1;
	front = exp(log_gamma(a + b) - log_gamma(a) - log_gamma(b) + a * log(x) + b * log(y));
	if (x < (a + 1) / (a + b + 2))
		return front * beta_fraction(x, a, b) / a;
	return 1 - front * beta_fraction(y, b, a) / b;
}

double t_cdf(double t, double df)
{
	double square = t * t, sum = df + square;
	double tail = 0.5 * beta_cdf(df / sum, square / sum, df / 2, 0.5);

	return t < 0 ? tail : 1 - tail;
}

double binomial_cdf(int64_t k, int64_t n, double p)
{
	if (k < 0)
		return 0;
	if (k >= n)
		return 1;
	return beta_cdf(1 - p, p, (double)(n - k), (double)k + 1);
}

/* Of the lower half: what is lost of the upper one by rounding, the symmetry gives back. */
static double lower_quantile(double p, bool normal, double df)
{
	double low = -1, high = 0;

	while (low > -FAR && (normal ? normal_cdf(low) : t_cdf(low, df)) > p)
		low *= 2;
	for (;;) {
		double middle = low + (high - low) / 2;

		if (middle <= low || middle >= high)
			return middle;
		if ((normal ? normal_cdf(middle) : t_cdf(middle, df)) < p)
			low = middle;
		else
			high = middle;
	}
}

static double quantile(double p, bool normal, double df)
{
	if (p == 0.5)
		return 0;
	return p < 0.5 ? lower_quantile(p, normal, df) : -lower_quantile(1 - p, normal, df);
}

double normal_quantile(double p)
{
	return quantile(p, true, 0);
}

double t_quantile(double p, double df)
{
	return quantile(p, false, df);
}
