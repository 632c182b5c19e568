#include "proto/check_value.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>

#define DIGITS_MAX 9

/* Digits at the start, or none: then *ret_number stays. Where they end, or NULL. */
static const char *read_number(const char *at, size_t *ret_number)
{
	size_t n = strspn(at, "0123456789"), number = 0;

	if (n > DIGITS_MAX)
		return NULL;
	for (size_t i = 0; i < n; i++)
		number = number * 10 + (size_t)(at[i] - '0');
	if (n > 0)
		*ret_number = number;
	return at + n;
}

int check_value_range(const char *text, size_t *ret_low, size_t *ret_high)
{
	size_t low = 0, high = SIZE_MAX;
	const char *at = read_number(text, &low), *behind = NULL;

	if (at && strncmp(at, "..", 2) == 0)
		behind = read_number(at + 2, &high);
	if (!behind || *behind || strcmp(text, "..") == 0 || low > high)
		return -EINVAL;
	*ret_low = low;
	*ret_high = high;
	return 0;
}
