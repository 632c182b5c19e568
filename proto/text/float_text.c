#include "proto/text/float_text.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void json_float_text(double value, char ret_text[static JSON_FLOAT_SIZE])
{
	char *text = ret_text, *end;

	for (int digits = 15; digits <= 17; digits++) {
		snprintf(text, JSON_FLOAT_SIZE, "%.*g", digits, value);
		if (strtod(text, &end) == value)
			break;
	}
	// a locale of the program may have another decimal point
	size_t n = strspn(text, "+-0123456789e");

	if (text[n] != '\0') {
		size_t length = strcspn(text + n, "+-0123456789e");

		text[n] = '.';
		memmove(text + n + 1, text + n + length, strlen(text + n + length) + 1);
	} else if (!strchr(text, 'e')) {
		memcpy(text + n, ".0", 3);
	}
}

json_object *json_float(double value)
{
	char text[JSON_FLOAT_SIZE];

	if (!isfinite(value))
		return NULL;
	json_float_text(value, text);
	return json_object_new_double_s(value, text);
}
