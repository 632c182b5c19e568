#include "proto/json/json_check.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "proto/json/json_build.h"
#include "proto/json/json_keys.h"
#include "proto/limits.h"
#include "proto/text/utf8.h"

/* The largest decimal exponent of a double. */
#define EXPONENT_MAX 308

enum state {
	WANT_VALUE,
	WANT_VALUE_OR_END, // after [
	WANT_KEY,
	WANT_KEY_OR_END, // after {
	WANT_COMMA_OR_END,
	WANT_NOTHING,
};

struct level {
	char closing; // ] or }
	size_t first_key; // of this object, in scan::keys
};

struct scan {
	const char *text;
	size_t size;
	size_t at;
	const char *reason;
	enum state state;
	size_t comma; // where the last one stands
	size_t n_values;
	size_t depth;
	struct level levels[JSON_DEPTH_MAX];
	struct json_keys keys; // of all open objects
};

static int refuse(struct scan *scan, size_t offset, const char *reason)
{
	scan->at = offset;
	scan->reason = reason;
	return -EBADMSG;
}

static unsigned char peek(const struct scan *scan)
{
	return scan->at < scan->size ? (unsigned char) scan->text[scan->at] : 0;
}

/* ---- Strings ---- */

static bool scan_hex(const struct scan *scan, size_t at, unsigned *ret_code)
{
	if (scan->size - at < 4)
		return false;
	for (size_t i = at; i < at + 4; i++)
		if (!isxdigit((unsigned char) scan->text[i]))
			return false;
	*ret_code = json_hex4(scan->text + at);
	return true;
}

static int scan_unicode_escape(struct scan *scan, size_t start)
{
	unsigned code, low;

	if (!scan_hex(scan, scan->at, &code))
		return refuse(scan, start, "bad escape in a string");
	scan->at += 4;
	if (code == 0)
		return refuse(scan, start, "NUL character in a string");
	if (code < 0xd800 || code > 0xdfff)
		return 0;
	if (code > 0xdbff || scan->size - scan->at < 6 || scan->text[scan->at] != '\\' ||
	    scan->text[scan->at + 1] != 'u' || !scan_hex(scan, scan->at + 2, &low) ||
	    low < 0xdc00 || low > 0xdfff)
		return refuse(scan, start, "lone surrogate in a string");
	scan->at += 6;
	return 0;
}

static int scan_escape(struct scan *scan)
{
	size_t start = scan->at++;
	unsigned char c = peek(scan);

	scan->at++;
	if (c == 'u' && scan->at <= scan->size)
		return scan_unicode_escape(scan, start);
	if (c == 0 || !strchr("\"\\/bfnrt", c))
		return refuse(scan, start, "bad escape in a string");
	return 0;
}

/* From the opening quote to behind the closing one. */
static int scan_string(struct scan *scan, bool *ret_escaped)
{
	size_t start = scan->at++;
	uint32_t code;

	*ret_escaped = false;
	while (scan->at < scan->size) {
		unsigned char c = (unsigned char) scan->text[scan->at];

		if (c == '"') {
			scan->at++;
			return 0;
		}
		if (c == '\\') {
			int r = scan_escape(scan);

			if (r < 0)
				return r;
			*ret_escaped = true;
		} else if (c < 0x20) {
			return refuse(scan, scan->at, "control character in a string");
		} else if (c < 0x80) {
			scan->at++;
		} else {
			size_t length = utf8_next(scan->text + scan->at, scan->size - scan->at, &code);

			if (length == 0)
				return refuse(scan, scan->at, "invalid UTF-8");
			scan->at += length;
		}
	}
	return refuse(scan, start, "unterminated string");
}

/* ---- Numbers ---- */

static size_t skip_digits(struct scan *scan)
{
	size_t start = scan->at;

	while (isdigit(peek(scan)))
		scan->at++;
	return scan->at - start;
}

static int check_integer(struct scan *scan, size_t start, size_t digits)
{
	int64_t value = 0;

	if (digits > 16)
		return refuse(scan, start, "integer beyond 2^53");
	for (size_t i = scan->at - digits; i < scan->at; i++)
		value = 10 * value + (scan->text[i] - '0');
	return value > INTEGER_MAX ? refuse(scan, start, "integer beyond 2^53") : 0;
}

/* Behind the e; the exponent is capped, since only its size matters. */
static bool scan_exponent(struct scan *scan, long *ret_exponent)
{
	bool negative = peek(scan) == '-';
	size_t start;
	long exponent = 0;

	if (peek(scan) == '-' || peek(scan) == '+')
		scan->at++;
	start = scan->at;
	if (skip_digits(scan) == 0)
		return false;
	for (size_t i = start; i < scan->at && exponent < 100000000; i++)
		exponent = 10 * exponent + (scan->text[i] - '0');
	*ret_exponent = negative ? -exponent : exponent;
	return true;
}

static int scan_number(struct scan *scan)
{
	size_t start = scan->at, digits;
	bool zero, whole = true;
	long exponent = 0;

	if (peek(scan) == '-')
		scan->at++;
	zero = peek(scan) == '0';
	digits = skip_digits(scan);
	if (digits == 0 || (zero && digits > 1))
		return refuse(scan, start, "bad number");
	if (peek(scan) == '.') {
		whole = false;
		scan->at++;
		if (skip_digits(scan) == 0)
			return refuse(scan, start, "bad number");
	}
	if (whole && peek(scan) != 'e' && peek(scan) != 'E')
		return check_integer(scan, start, digits);
	if (peek(scan) == 'e' || peek(scan) == 'E') {
		scan->at++;
		if (!scan_exponent(scan, &exponent))
			return refuse(scan, start, "bad number");
	}
	if ((zero ? -1 : (long) digits - 1) + exponent > EXPONENT_MAX)
		return refuse(scan, start, "number beyond 1e308");
	return 0;
}

/* ---- Structure ---- */

static int scan_literal(struct scan *scan)
{
	static const char *const literals[] = { "true", "false", "null" };

	for (size_t i = 0; i < sizeof(literals) / sizeof(literals[0]); i++) {
		size_t length = strlen(literals[i]);

		if (scan->size - scan->at >= length &&
		    memcmp(scan->text + scan->at, literals[i], length) == 0) {
			scan->at += length;
			return 0;
		}
	}
	return refuse(scan, scan->at,
		      "a value expected: null, true, false, a number, [, {, or a string in double "
		      "quotes");
}

static int open_level(struct scan *scan, char closing)
{
	if (scan->depth == JSON_DEPTH_MAX)
		return refuse(scan, scan->at, "nested too deeply");
	scan->levels[scan->depth++] = (struct level) { closing, scan->keys.n };
	scan->state = closing == '}' ? WANT_KEY_OR_END : WANT_VALUE_OR_END;
	scan->at++;
	return 0;
}

static int close_level(struct scan *scan)
{
	const struct level *level = &scan->levels[scan->depth - 1];
	size_t duplicate;

	if (level->closing == '}') {
		if (json_keys_close(&scan->keys, level->first_key, &duplicate))
			return refuse(scan, duplicate, "duplicate key");
	}
	scan->depth--;
	scan->state = scan->depth > 0 ? WANT_COMMA_OR_END : WANT_NOTHING;
	scan->at++;
	return 0;
}

static void skip_blanks(struct scan *scan)
{
	while (scan->at < scan->size && scan->text[scan->at] != '\0' &&
	       strchr(" \t\r\n", scan->text[scan->at]))
		scan->at++;
}

static int scan_key(struct scan *scan)
{
	size_t start = scan->at;
	bool escaped;
	int r;

	if (peek(scan) != '"')
		return refuse(scan, scan->at, "key in double quotes expected");
	r = scan_string(scan, &escaped);
	if (r < 0)
		return r;
	r = json_keys_add(&scan->keys, start + 1, scan->at - start - 2, escaped);
	if (r < 0)
		return r;
	skip_blanks(scan);
	if (peek(scan) != ':')
		return refuse(scan, scan->at, "':' expected");
	scan->at++;
	scan->state = WANT_VALUE;
	return 0;
}

static int scan_value(struct scan *scan)
{
	unsigned char c = peek(scan);
	bool escaped;

	if (++scan->n_values > JSON_VALUES_MAX)
		return refuse(scan, scan->at, "too many values");
	if (c == '{')
		return open_level(scan, '}');
	if (c == '[')
		return open_level(scan, ']');
	scan->state = scan->depth > 0 ? WANT_COMMA_OR_END : WANT_NOTHING;
	if (c == '"')
		return scan_string(scan, &escaped);
	if (c == '-' || isdigit(c))
		return scan_number(scan);
	return scan_literal(scan);
}

static int scan_token(struct scan *scan)
{
	char closing = scan->depth > 0 ? scan->levels[scan->depth - 1].closing : '\0';
	bool at_end = scan->depth > 0 && peek(scan) == closing;

	switch (scan->state) {
	case WANT_VALUE_OR_END:
	case WANT_VALUE:
		if (at_end && scan->state == WANT_VALUE && closing == ']')
			return refuse(scan, scan->comma, "trailing comma");
		if (at_end && scan->state == WANT_VALUE_OR_END)
			return close_level(scan);
		return scan_value(scan);
	case WANT_KEY_OR_END:
	case WANT_KEY:
		if (at_end && scan->state == WANT_KEY)
			return refuse(scan, scan->comma, "trailing comma");
		if (at_end && scan->state == WANT_KEY_OR_END)
			return close_level(scan);
		return scan_key(scan);
	case WANT_COMMA_OR_END:
		if (at_end)
			return close_level(scan);
		if (peek(scan) != ',')
			return refuse(scan, scan->at,
				      closing == '}' ? "',' or '}' expected" : "',' or ']' expected");
		scan->comma = scan->at++;
		scan->state = closing == '}' ? WANT_KEY : WANT_VALUE;
		return 0;
	case WANT_NOTHING:
		break;
	}
	return refuse(scan, scan->at, "text behind the end");
}

int json_check(const char *text, size_t size, struct json_problem *ret_problem)
{
	struct scan scan = { .text = text, .size = size };
	int r = 0;

	json_keys_init(&scan.keys, text);
	skip_blanks(&scan);
	while (r == 0 && scan.at < size) {
		r = scan_token(&scan);
		if (r == 0)
			skip_blanks(&scan);
	}
	if (r == 0 && scan.state != WANT_NOTHING)
		r = refuse(&scan, size, "the text ends too early");
	json_keys_done(&scan.keys);
	if (r == -EBADMSG)
		*ret_problem = (struct json_problem) { scan.at, scan.reason };
	return r;
}

size_t json_count_values(const char *text, size_t size)
{
	size_t n = 1;
	bool quoted = false;

	for (size_t i = 0; i < size; i++) {
		if (text[i] == '"')
			quoted = !quoted;
		else if (quoted && text[i] == '\\')
			i++;
		else if (!quoted && (text[i] == ',' || text[i] == '[' || text[i] == '{'))
			n++;
	}
	return n;
}

size_t json_depth(const char *text, size_t size)
{
	size_t depth = 0, deepest = 0;
	bool quoted = false;

	for (size_t i = 0; i < size; i++) {
		if (text[i] == '"')
			quoted = !quoted;
		else if (quoted && text[i] == '\\')
			i++;
		else if (!quoted && (text[i] == '[' || text[i] == '{') && ++depth > deepest)
			deepest = depth;
		else if (!quoted && depth > 0 && (text[i] == ']' || text[i] == '}'))
			depth--;
	}
	return deepest;
}

size_t json_weight(const char *text)
{
	const size_t size = strlen(text), values = json_count_values(text, size) * VALUE_BYTES;

	return values > size ? values : size;
}

/* ---- Parsing ---- */

int json_parse_strict(const char *text, size_t size, json_object **ret_json, struct fault *fault)
{
	struct json_problem problem;
	int r = json_check(text, size, &problem);

	if (r == -EBADMSG)
		return fault_message(fault, problem.offset, "%s", problem.reason);
	if (r == 0)
		r = size < INT32_MAX ? json_build(text, size, ret_json) : -ENOMEM;
	return r < 0 ? fault_oom(fault) : 0;
}

json_object *json_stored(const char *text)
{
	json_object *json = NULL;
	struct fault fault = { 0 };

	return json_parse_strict(text, strlen(text), &json, &fault) < 0 ? NULL : json;
}
