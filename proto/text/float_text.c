#include "proto/text/float_text.h"

#include <json-c/printbuf.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SCALE 1000000000
#define WHOLE_MAX 1000000 // scaled, it is a whole number still
#define LEAST 1e-4 // printf() writes what is less with an exponent

bool json_decimal_text(double value, char ret_text[static JSON_FLOAT_SIZE])
{
	char *at = ret_text;
	double size = fabs(value), scaled = nearbyint(size * SCALE);
	int64_t place = (int64_t) SCALE * (WHOLE_MAX / 10), left;

	if (!(size < WHOLE_MAX) || scaled / SCALE != size)
		return false;
	left = (int64_t) scaled;
	if (signbit(value))
		*at++ = '-';
	while (place > SCALE && left < place)
		place /= 10;
	for (; place > 0; place /= 10) {
		*at++ = (char) ('0' + left / place);
		left %= place;
		if (place == SCALE)
			*at++ = '.';
		else if (place < SCALE && left == 0)
			break;
	}
	*at = '\0';
	return true;
}

void json_float_text(double value, char ret_text[static JSON_FLOAT_SIZE])
{
	char *text = ret_text, *end;

	if ((value == 0 || fabs(value) >= LEAST) && json_decimal_text(value, text))
		return;
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

static int print_float(json_object *json, struct printbuf *out, int level, int flags)
{
	char text[JSON_FLOAT_SIZE];

	(void) level;
	(void) flags;
	json_float_text(json_object_get_double(json), text);
	return printbuf_memappend(out, text, (int) strlen(text));
}

json_object *json_float(double value)
{
	json_object *json = isfinite(value) ? json_object_new_double(value) : NULL;

	if (json)
		json_object_set_serializer(json, print_float, NULL, NULL);
	return json;
}
