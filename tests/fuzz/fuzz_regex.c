/* A pattern and, behind the first line, a text: what the pattern is refused for is said, both ways the
 * same, and what is looked for takes no more steps than it may. */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "proto/text/regex.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(int condition)
{
	if (!condition)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *expected, *wrong;
	char *pattern = malloc(size + 1), *text;
	size_t steps;
	bool found;
	int r;

	require(pattern != NULL);
	memcpy(pattern, data, size);
	pattern[size] = '\0';
	text = strchr(pattern, '\n');
	if (text)
		*text++ = '\0';
	require(regex_check(pattern, &expected) == 0);
	r = regex_find(pattern, text ? text : "", &found, &steps, &wrong);
	require(r == (expected ? -EINVAL : steps > REGEX_STEPS_MAX ? -E2BIG : 0) || (r == 0 && found));
	require(wrong == expected);
	require(steps <= REGEX_STEPS_MAX + (4 + size) * REGEX_CODE_MAX); // it ends with a character
	free(pattern);
	return 0;
}
