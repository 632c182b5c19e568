#include "proto/text/money.h"

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#define NANODOLLARS INT64_C(1000000000)
#define DECIMALS 9

void money_format(int64_t nanodollars, char ret_text[static MONEY_TEXT_SIZE])
{
	bool negative = nanodollars < 0;
	uint64_t amount = negative ? -(uint64_t) nanodollars : (uint64_t) nanodollars;
	int length = snprintf(ret_text, MONEY_TEXT_SIZE, "%s%" PRIu64 ".%09" PRIu64,
			      negative ? "-" : "", amount / NANODOLLARS, amount % NANODOLLARS);

	while (ret_text[length - 1] == '0')
		ret_text[--length] = '\0';
	if (ret_text[length - 1] == '.')
		ret_text[--length] = '\0';
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

int money_parse(const char *text, int64_t *ret_nanodollars)
{
	bool negative = *text == '-';
	int decimals = 0;
	int64_t amount = 0;
	bool overflow = false;

	text += negative;
	if (!is_digit(*text))
		return -EINVAL;
	for (; is_digit(*text); text++)
		overflow |= __builtin_mul_overflow(amount, 10, &amount) ||
			    __builtin_add_overflow(amount, *text - '0', &amount);
	if (*text == '.') {
		if (!is_digit(*++text))
			return -EINVAL;
		for (; is_digit(*text) && decimals < DECIMALS; text++, decimals++)
			overflow |= __builtin_mul_overflow(amount, 10, &amount) ||
				    __builtin_add_overflow(amount, *text - '0', &amount);
		text += strspn(text, "0"); // more digits only when they say nothing
	}
	if (*text)
		return -EINVAL;
	for (; decimals < DECIMALS; decimals++)
		overflow |= __builtin_mul_overflow(amount, 10, &amount);
	if (overflow)
		return -ERANGE;
	*ret_nanodollars = negative ? -amount : amount;
	return 0;
}
