#include "proto/text/near_name.h"

#include <ctype.h>
#include <stdbool.h>
#include <string.h>

#define LENGTH_MAX 64
#define PART_MIN 3 // characters that say something
#define PART_DISTANCE 100 // beyond every slip

static unsigned least(unsigned a, unsigned b, unsigned c)
{
	unsigned ab = a < b ? a : b;

	return ab < c ? ab : c;
}

static bool same(char a, char b)
{
	return tolower((unsigned char) a) == tolower((unsigned char) b);
}

/* Characters to add, drop or change, and neighbours to swap. */
static unsigned edits(const char *a, size_t n, const char *b, size_t m)
{
	unsigned rows[3][LENGTH_MAX + 1] = { { 0 } };
	unsigned *row = rows[0], *above = rows[1], *before = rows[2];

	for (size_t k = 0; k <= m; k++)
		above[k] = (unsigned) k;
	for (size_t i = 1; i <= n; i++) {
		unsigned *last = before;

		row[0] = (unsigned) i;
		for (size_t k = 1; k <= m; k++) {
			row[k] = least(above[k] + 1, row[k - 1] + 1,
				       above[k - 1] + !same(a[i - 1], b[k - 1]));
			if (i > 1 && k > 1 && same(a[i - 1], b[k - 2]) && same(a[i - 2], b[k - 1]))
				row[k] = least(row[k], before[k - 2] + 1, UINT_MAX);
		}
		before = above;
		above = row;
		row = last;
	}
	return above[m];
}

static bool is_separator(char c)
{
	return c == '_' || c == '-';
}

/* `part` begins `name`, or is some of its words. */
static bool is_part(const char *part, size_t length, const char *name)
{
	if (length < PART_MIN)
		return false;
	if (strncmp(name, part, length) == 0)
		return true;
	for (const char *at = name; (at = strstr(at, part)); at++)
		if (at > name && is_separator(at[-1]) && (!at[length] || is_separator(at[length])))
			return true;
	return false;
}

/* How far apart the two are, or UINT_MAX. */
static unsigned near_name_distance(const char *given, const char *name)
{
	size_t n = strnlen(given, LENGTH_MAX + 1), m = strnlen(name, LENGTH_MAX + 1);
	unsigned distance;

	if (n > LENGTH_MAX || m > LENGTH_MAX)
		return UINT_MAX;
	distance = edits(given, n, name, m);
	if (distance <= n / 4 + (n >= PART_MIN))
		return distance;
	if (is_part(given, n, name) || is_part(name, m, given))
		return PART_DISTANCE + (unsigned) (n > m ? n - m : m - n);
	return UINT_MAX;
}

void near_name_show(struct near_name *search, const char *name)
{
	unsigned distance = near_name_distance(search->given, name);

	if (distance < search->distance) {
		search->distance = distance;
		search->nearest = name;
	}
}
