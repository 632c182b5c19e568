/* Numbers before nouns, for people. */
#pragma once

#include <stdint.h>

/* What stands behind the noun: "1 row", "2 rows". */
static inline const char *plural_s(int64_t n)
{
	return n == 1 ? "" : "s";
}
