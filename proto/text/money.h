/*
 * Money: a decimal string of US dollars in text, billionths of a dollar (nanodollars) in C.
 */
#pragma once

#include <stdint.h>

#define MONEY_TEXT_SIZE 32 // room for any amount and its NUL

/* "12.5", "0.000025", "-1": no more digits than needed. */
void money_format(int64_t nanodollars, char ret_text[static MONEY_TEXT_SIZE]);
/* At most nine decimals, no exponent. -EINVAL; -ERANGE when too large. */
int money_parse(const char *text, int64_t *ret_nanodollars);
