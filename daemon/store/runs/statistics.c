#include "daemon/store/runs/statistics.h"

#include <math.h>

#define Z95 1.959963984540054

void wilson_interval(int64_t yes, int64_t n, double *ret_low, double *ret_high)
{
	double p = (double)yes / (double)n, z2 = Z95 * Z95 / (double)n;
	double middle = (p + z2 / 2) / (1 + z2);
	double half = Z95 / (1 + z2) * sqrt(p * (1 - p) / (double)n + z2 / (4 * (double)n));

	/* Rounding must not carry the ends past what a proportion can be. */
	*ret_low = yes == 0 ? 0 : fmax(0, middle - half);
	*ret_high = yes == n ? 1 : fmin(1, middle + half);
}

int64_t nearest_rank(int64_t percent, int64_t n)
{
	return (percent * n + 99) / 100;
}
