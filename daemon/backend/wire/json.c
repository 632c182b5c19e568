#include "daemon/backend/wire/json.h"

#include <errno.h>
#include <json-c/json.h>
#include <stdlib.h>
#include <string.h>

#include "proto/json/json_check.h"
#include "proto/limits.h"
#include "proto/text/utf8.h"

#define FIRST_CAPACITY 256
#define KEPT_CAPACITY 4096 // what is beyond is given back

void json_reader_done(struct json_reader *reader)
{
	free(reader->values);
	free(reader->rewritten);
	*reader = (struct json_reader){ 0 };
}

/* ---- Reading ---- */

int json_clean(char **body, size_t *size, char **ret_copy, size_t *ret_replaced)
{
	size_t clean_size;
	int r;

	if (*size == 0 || (!memchr(*body, 0, *size) && utf8_valid(*body, *size, NULL)))
		return 0;
	r = utf8_clean(*body, *size, ret_copy, &clean_size, ret_replaced);
	if (r < 0)
		return r;
	*body = *ret_copy;
	*size = clean_size;
	return 0;
}

struct scan {
	struct json_reader *reader;
	char *at, *end;
	bool rewritten; // by json-c, which leaves numbers as they were
};

static void skip_blanks(struct scan *scan)
{
	while (scan->at < scan->end && (*scan->at == ' ' || *scan->at == '\n' || *scan->at == '\r' ||
					*scan->at == '\t'))
		scan->at++;
}

/* What comes next, but blanks; 0: nothing. */
static char peek(struct scan *scan)
{
	skip_blanks(scan);
	return scan->at < scan->end ? *scan->at : '\0';
}

static bool take(struct scan *scan, char c)
{
	if (peek(scan) != c)
		return false;
	scan->at++;
	return true;
}

static int hex_value(char c)
{
	return c >= '0' && c <= '9' ? c - '0' :
	       c >= 'a' && c <= 'f' ? c - 'a' + 10 :
	       c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* The four digits behind `\u`, or -1. */
static int code_unit(const char *at, const char *end)
{
	int unit = 0;

	if (end - at < 4)
		return -1;
	for (int i = 0; i < 4; i++) {
		if (hex_value(at[i]) < 0)
			return -1;
		unit = unit * 16 + hex_value(at[i]);
	}
	return unit;
}

static bool is_high(int unit)
{
	return unit >= 0xd800 && unit < 0xdc00;
}

static bool is_low(int unit)
{
	return unit >= 0xdc00 && unit < 0xe000;
}

/* Passes over an escape behind its backslash. Halves of a pair stand together, or json-c replaces
 * them. */
static bool take_escape(struct scan *scan)
{
	int unit;

	if (scan->at == scan->end)
		return false;
	if (*scan->at != 'u')
		return memchr("\"\\/bfnrt", *scan->at++, 8);
	unit = code_unit(++scan->at, scan->end);
	if (unit < 0 || is_low(unit))
		return false;
	scan->at += 4;
	if (!is_high(unit))
		return true;
	if (scan->end - scan->at < 6 || scan->at[0] != '\\' || scan->at[1] != 'u' ||
	    !is_low(code_unit(scan->at + 2, scan->end)))
		return false;
	scan->at += 6;
	return true;
}

/* What ends a text, or needs a look. */
static const bool special[256] = { [0 ... 0x1f] = true, ['"'] = true, ['\\'] = true };

/* A text, of which the opening quote is next. */
static bool take_text(struct scan *scan, struct json_piece *piece)
{
	piece->at = ++scan->at;
	piece->escaped = false;
	for (;;) {
		char *at = scan->at, *end = scan->end;

		while (at < end && !special[(unsigned char)*at])
			at++;
		scan->at = at;
		if (at == end)
			return false;
		if (*at == '"')
			break;
		scan->at++;
		if (*at != '\\' || !take_escape(scan))
			return false;
		piece->escaped = true;
	}
	piece->size = (uint32_t)(scan->at++ - piece->at);
	return true;
}

static bool take_word(struct scan *scan, const char *word)
{
	size_t size = strlen(word);

	if ((size_t)(scan->end - scan->at) < size || memcmp(scan->at, word, size) != 0)
		return false;
	scan->at += size;
	return true;
}

static bool take_digits(struct scan *scan)
{
	const char *from = scan->at;

	while (scan->at < scan->end && *scan->at >= '0' && *scan->at <= '9')
		scan->at++;
	return scan->at > from;
}

/* Those that are none are written so by servers in Python. */
static bool take_number(struct scan *scan)
{
	if (take_word(scan, "NaN"))
		return true;
	(void)take_word(scan, "-");
	if (take_word(scan, "Infinity"))
		return true;
	if (scan->rewritten) {
		const char *from = scan->at;

		while (scan->at < scan->end && strchr("0123456789+-.eE", *scan->at))
			scan->at++;
		return scan->at > from;
	}
	if (!take_word(scan, "0") && !take_digits(scan))
		return false;
	if (take_word(scan, ".") && !take_digits(scan))
		return false;
	if (!take_word(scan, "e") && !take_word(scan, "E"))
		return true;
	if (!take_word(scan, "+"))
		(void)take_word(scan, "-");
	return take_digits(scan);
}

static int make_room(struct json_reader *reader)
{
	size_t capacity = reader->capacity ? 2 * reader->capacity : FIRST_CAPACITY;
	struct json_value *values;

	if (reader->n_values < reader->capacity)
		return 0;
	if (reader->n_values >= JSON_READ_VALUES_MAX)
		return -E2BIG;
	values = reallocarray(reader->values, capacity, sizeof(*values));
	if (!values)
		return -ENOMEM;
	reader->values = values;
	reader->capacity = capacity;
	return 0;
}

static int take_value(struct scan *scan, struct json_piece name, unsigned depth);

/* What is in an array or an object, of which the opening bracket is next. */
static int take_children(struct scan *scan, char close, unsigned depth)
{
	struct json_piece name = { 0 };
	int r;

	scan->at++;
	if (take(scan, close))
		return 0;
	if (depth >= JSON_DEPTH_MAX)
		return -EBADMSG;
	do {
		if (close == '}' && (peek(scan) != '"' || !take_text(scan, &name) || !take(scan, ':')))
			return -EBADMSG;
		r = take_value(scan, name, depth);
		if (r < 0)
			return r;
	} while (take(scan, ','));
	return take(scan, close) ? 0 : -EBADMSG;
}

static int take_value(struct scan *scan, struct json_piece name, unsigned depth)
{
	struct json_reader *reader = scan->reader;
	size_t index = reader->n_values;
	struct json_value value = { .name = name };
	bool taken;
	int r = make_room(reader);

	if (r < 0)
		return r;
	reader->n_values++;
	switch (peek(scan)) {
	case '{':
	case '[':
		value.piece.at = scan->at;
		value.kind = *scan->at == '{' ? JSON_OBJECT : JSON_ARRAY;
		r = take_children(scan, *scan->at == '{' ? '}' : ']', depth + 1);
		if (r < 0)
			return r;
		taken = true;
		break;
	case '"':
		value.kind = JSON_TEXT;
		taken = take_text(scan, &value.piece);
		break;
	default:
		value.piece.at = scan->at;
		if (take_word(scan, "null")) {
			taken = true;
		} else if (take_word(scan, "true") || take_word(scan, "false")) {
			value.kind = JSON_BOOL;
			taken = true;
		} else {
			value.kind = JSON_NUMBER;
			taken = take_number(scan);
		}
		break;
	}
	if (value.kind != JSON_TEXT)
		value.piece.size = (uint32_t)(scan->at - value.piece.at);
	value.span = (uint32_t)(reader->n_values - index);
	reader->values[index] = value;
	return taken ? 0 : -EBADMSG;
}

static int read_values(struct json_reader *reader, char *text, size_t size, bool rewritten)
{
	struct scan scan = { reader, text, text + size, rewritten };
	int r;

	reader->n_values = 0;
	r = take_value(&scan, (struct json_piece){ 0 }, 0);
	if (r < 0)
		return r;
	skip_blanks(&scan);
	return scan.at == scan.end ? 0 : -EBADMSG;
}

/* ---- What is no JSON by the letter ---- */

/* json-c spends much more memory on a value than its text takes, and time: it reads no more of all
 * texts of an answer than is read of one. */
static bool would_be_too_many(struct json_reader *reader, const char *text, size_t size)
{
	reader->n_rewritten += json_count_values(text, size);
	return reader->n_rewritten > JSON_READ_VALUES_MAX;
}

/* As json-c understands it, or NULL. A tokener that has read something broken may keep half of a
 * pair for what it reads next. */
static json_object *read_leniently(const char *text, size_t size)
{
	json_tokener *tokener = json_tokener_new_ex(JSON_DEPTH_MAX);
	json_object *json = tokener ? json_tokener_parse_ex(tokener, text, (int)size) : NULL;
	size_t end = json ? json_tokener_get_parse_end(tokener) : 0;

	if (tokener)
		json_tokener_free(tokener);
	while (json && end < size && strchr(" \t\r\n", text[end]))
		end++;
	if (json && end == size)
		return json;
	json_object_put(json);
	return NULL;
}

static char *write_compactly(json_object *json)
{
	return strdup(json_object_to_json_string_ext(json, JSON_C_TO_STRING_PLAIN |
							  JSON_C_TO_STRING_NOSLASHESCAPE));
}

static int read_rewritten(struct json_reader *reader, const char *text, size_t size)
{
	json_object *json;

	if (would_be_too_many(reader, text, size))
		return -E2BIG;
	json = read_leniently(text, size);
	if (!json)
		return -EBADMSG;
	free(reader->rewritten);
	reader->rewritten = write_compactly(json);
	json_object_put(json);
	if (!reader->rewritten)
		return -ENOMEM;
	return read_values(reader, reader->rewritten, strlen(reader->rewritten), true);
}

int json_read(struct json_reader *reader, char *text, size_t size, struct json_value **ret_value)
{
	int r;

	if (size == 0)
		return -EBADMSG;
	if (reader->capacity > KEPT_CAPACITY) {
		free(reader->values);
		reader->values = NULL;
		reader->capacity = 0;
	}
	r = read_values(reader, text, size, false);
	if (r == -EBADMSG)
		r = read_rewritten(reader, text, size);
	if (r >= 0)
		*ret_value = &reader->values[0];
	return r;
}

/* ---- Values ---- */

bool json_is(const struct json_value *value, enum json_kind kind)
{
	return value && value->kind == kind;
}

static char *put_character(char *out, int code)
{
	if (code < 0x80) {
		*out++ = (char)code;
		return out;
	}
	if (code < 0x800) {
		*out++ = (char)(0xc0 | code >> 6);
	} else {
		if (code < 0x10000) {
			*out++ = (char)(0xe0 | code >> 12);
		} else {
			*out++ = (char)(0xf0 | code >> 18);
			*out++ = (char)(0x80 | (code >> 12 & 0x3f));
		}
		*out++ = (char)(0x80 | (code >> 6 & 0x3f));
	}
	*out++ = (char)(0x80 | (code & 0x3f));
	return out;
}

/* An escape is never shorter than what it stands for. */
static void decode(struct json_piece *piece)
{
	static const char meanings[256] = { ['b'] = '\b', ['f'] = '\f', ['n'] = '\n',
					    ['r'] = '\r', ['t'] = '\t', ['"'] = '"',
					    ['\\'] = '\\', ['/'] = '/' };
	const char *at = piece->at, *end = at + piece->size;
	char *out = piece->at;

	while (at < end) {
		int code;

		if (*at != '\\') {
			*out++ = *at++;
		} else if (at[1] != 'u') {
			*out++ = meanings[(unsigned char)at[1]];
			at += 2;
		} else {
			code = code_unit(at + 2, end);
			at += 6;
			if (is_high(code)) {
				code = 0x10000 + ((code - 0xd800) << 10) +
				       (code_unit(at + 2, end) - 0xdc00);
				at += 6;
			}
			out = put_character(out, code);
		}
	}
	piece->size = (uint32_t)(out - piece->at);
	piece->escaped = false;
}

struct json_value *json_member(struct json_value *object, const char *name)
{
	size_t size = strlen(name);
	struct json_value *found = NULL, *member;

	if (!json_is(object, JSON_OBJECT))
		return NULL;
	for (member = object + 1; member < object + object->span; member += member->span) {
		if (member->name.escaped)
			decode(&member->name);
		if (member->name.size == size && memcmp(member->name.at, name, size) == 0)
			found = member;
	}
	return json_is(found, JSON_NULL) ? NULL : found;
}

struct json_value *json_first(struct json_value *array)
{
	return json_is(array, JSON_ARRAY) && array->span > 1 ? array + 1 : NULL;
}

struct json_value *json_next(struct json_value *array, struct json_value *element)
{
	element += element->span;
	return element < array + array->span ? element : NULL;
}

/* What stands behind it has been read: a quote, or what ends a value. */
const char *json_words(struct json_value *value)
{
	if (!value)
		return NULL;
	if (value->piece.escaped)
		decode(&value->piece);
	value->piece.at[value->piece.size] = '\0';
	return value->piece.at;
}

size_t json_words_size(struct json_value *value)
{
	(void)json_words(value);
	return value->piece.size;
}

const char *json_text_member(struct json_value *object, const char *name)
{
	struct json_value *value = json_member(object, name);

	return json_is(value, JSON_TEXT) ? json_words(value) : NULL;
}

double json_number(const struct json_value *number)
{
	return strtod(number->piece.at, NULL); // which ends where it does
}

char *json_compact(const struct json_value *value)
{
	json_object *json = read_leniently(value->piece.at, value->piece.size);
	char *text = json ? write_compactly(json) : NULL;

	json_object_put(json);
	return text;
}
