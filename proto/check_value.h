/* The values of checks, as both who takes them in and who decides by them read them. */
#pragma once

#include <stddef.h>

#define CHECK_RANGE_EXPECTED "lengths in characters: LOW..HIGH, LOW.. or ..HIGH"

/* "2..80"; an end that is left out is any. -EINVAL. */
int check_value_range(const char *text, size_t *ret_low, size_t *ret_high);
