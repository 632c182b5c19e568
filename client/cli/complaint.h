/* What is wrong with something that the user gave, as a text to print: what and where. */
#pragma once

struct complaint {
	char text[1000];
};

/* Writes the text, replacing control characters. Returns -EINVAL, for `return complain(…)`. */
__attribute__((format(printf, 2, 3))) int complain(struct complaint *complaint, const char *format,
						   ...);
