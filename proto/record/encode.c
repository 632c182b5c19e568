/*
 * Records to JSON. Fields beyond a record's own size, which an older program does not have, and
 * absent ones are left out.
 */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/cleanup.h"
#include "proto/json/json_check.h"
#include "proto/limits.h"
#include "proto/record/record.h"
#include "proto/record/record_internal.h"
#include "proto/text/float_text.h"
#include "proto/text/money.h"
#include "proto/text/time_text.h"
#include "proto/text/utf8.h"

struct encoder {
	enum record_sink sink;
	struct record_problem problem;
};

static int encode_record(struct encoder *encoder, const struct record_type *type,
			 const void *record, json_object **ret_json);

/* ---- What cannot be encoded ---- */

static int refuse(struct encoder *encoder, int r, const char *reason)
{
	encoder->problem.reason = reason;
	return r;
}

/* The path is made from its end, on the way back. */
static int within(struct encoder *encoder, int r, const char *part)
{
	struct record_problem *problem = &encoder->problem;
	size_t rest = strlen(problem->path), size = strlen(part);
	bool dotted = rest > 0 && problem->path[0] != '[';

	if (r < 0 && size + dotted + rest < sizeof(problem->path)) {
		memmove(problem->path + size + dotted, problem->path, rest + 1);
		memcpy(problem->path, part, size);
		if (dotted)
			problem->path[size] = '.';
	}
	return r;
}

static int within_item(struct encoder *encoder, int r, size_t index)
{
	char part[32];

	if (r < 0) {
		snprintf(part, sizeof(part), "[%zu]", index);
		within(encoder, r, part);
	}
	return r;
}

/* ---- Single values ---- */

static int made(json_object *json, json_object **ret_json)
{
	*ret_json = json;
	return json ? 0 : -ENOMEM;
}

static int encode_string(struct encoder *encoder, const char *text, json_object **ret_json)
{
	size_t size = strlen(text);

	if (size >= INT32_MAX || !utf8_valid(text, size, NULL))
		return refuse(encoder, -EILSEQ, "a text that is not UTF-8");
	return made(json_object_new_string_len(text, (int) size), ret_json);
}

static int encode_object(struct encoder *encoder, const char *text, json_object **ret_json)
{
	struct json_problem problem;

	if (encoder->sink == TO_DAEMON) {
		int r = json_check(text, strlen(text), &problem);

		if (r == -ENOMEM)
			return r;
		if (r < 0 || text[strspn(text, " \t\r\n")] != '{')
			return refuse(encoder, -EINVAL, "not the text of a JSON object");
	}
	return made(json_raw(text), ret_json);
}

static int encode_time(struct encoder *encoder, int64_t usec, json_object **ret_json)
{
	char text[TIME_TEXT_SIZE];
	int r = time_format(usec, text);

	if (r < 0)
		return refuse(encoder, -EDOM, "a time beyond the year 9999");
	return made(json_object_new_string(text), ret_json);
}

static int encode_money(int64_t nanodollars, json_object **ret_json)
{
	char text[MONEY_TEXT_SIZE];

	money_format(nanodollars, text);
	return made(json_object_new_string(text), ret_json);
}

/* `at` points to the value: the scalar itself, the string's first byte, the record. */
static int encode_value(struct encoder *encoder, const struct record_field *field, const void *at,
			json_object **ret_json)
{
	switch (field->kind) {
	case FIELD_BOOL:
		return made(json_object_new_boolean(*(const int *) at != 0), ret_json);
	case FIELD_INT:
		return made(json_object_new_int64(*(const int64_t *) at), ret_json);
	case FIELD_FLOAT:
		if (!isfinite(*(const double *) at))
			return refuse(encoder, -EDOM, "a number that is not finite");
		return made(json_float(*(const double *) at), ret_json);
	case FIELD_TIME:
		return encode_time(encoder, *(const int64_t *) at, ret_json);
	case FIELD_MONEY:
		return encode_money(*(const int64_t *) at, ret_json);
	case FIELD_STRING:
		return encode_string(encoder, at, ret_json);
	case FIELD_OBJECT:
		return encode_object(encoder, at, ret_json);
	case FIELD_STRUCT:
		return encode_record(encoder, field->type, at, ret_json);
	default:
		return -EINVAL;
	}
}

static bool is_inline(const struct record_field *field)
{
	return !field_is_boxed(field) && field->kind != FIELD_STRING &&
	       field->kind != FIELD_OBJECT && field->kind != FIELD_STRUCT;
}

/* ---- Lists of counts ---- */

/* Whether there is nothing but whole numbers in it. */
static bool is_counts(const struct record_type *type)
{
	for (size_t i = 0; i < type->n_fields; i++) {
		const struct record_field *field = &type->fields[i];

		if (field->kind != FIELD_INT || field->container != FIELD_SINGLE ||
		    (field->flags & (FIELD_NULLABLE | FIELD_WRITE_ONLY)))
			return false;
	}
	return type->n_fields > 0;
}

static char *write_int(char *at, int64_t value)
{
	uint64_t left = value < 0 ? -(uint64_t) value : (uint64_t) value;
	char digits[20];
	size_t n = 0;

	do
		digits[n++] = (char) ('0' + left % 10);
	while (left /= 10);
	if (value < 0)
		*at++ = '-';
	while (n > 0)
		*at++ = digits[--n];
	return at;
}

static char *write_counts(char *at, const struct record_type *type, const void *record)
{
	for (size_t i = 0; i < type->n_fields; i++) {
		const struct record_field *field = &type->fields[i];

		*at++ = i == 0 ? '{' : ',';
		*at++ = '"';
		at = stpcpy(at, field->name);
		*at++ = '"';
		*at++ = ':';
		at = write_int(at, *(const int64_t *) field_value(field, record));
	}
	*at++ = '}';
	return at;
}

/* A task with a thousand epochs is told of often: this takes a tenth of what a tree of its counts
 * takes. The tree says no more than its text then, so clients alone get it; NULL: it is not to be had
 * like that. */
static json_object *counts_array(const struct record_type *type, const void *const *items, size_t n)
{
	size_t item_size = 2;
	_cleanup_free_ char *text = NULL;
	char *at;

	for (size_t i = 0; i < type->n_fields; i++)
		item_size += strlen(type->fields[i].name) + 24;
	for (size_t i = 0; i < n; i++)
		if (!items[i] || *(const size_t *) items[i] < type->size)
			return NULL;
	text = at = malloc(n * item_size + 3);
	if (!text)
		return NULL;
	for (size_t i = 0; i < n; i++) {
		*at++ = i == 0 ? '[' : ',';
		at = write_counts(at, type, items[i]);
	}
	memcpy(at, n > 0 ? "]" : "[]", n > 0 ? 2 : 3);
	return json_raw(text);
}

/* ---- Lists of numbers ---- */

/* A vector has thousands of them: as a tree they would take ten times as long, and as much room. */
static int encode_numbers(struct encoder *encoder, const double *items, size_t n, json_object **ret_json)
{
	_cleanup_free_ char *text = malloc(n * (JSON_FLOAT_SIZE + 1) + 3);
	char *at = text;

	if (!text)
		return -ENOMEM;
	*at++ = '[';
	for (size_t i = 0; i < n; i++) {
		if (!isfinite(items[i]))
			return within_item(encoder, refuse(encoder, -EDOM, "a number that is not finite"), i);
		if (i > 0)
			*at++ = ',';
		if (!json_decimal_text(items[i], at))
			json_float_text(items[i], at);
		at += strlen(at);
	}
	memcpy(at, "]", 2);
	return made(json_raw(text), ret_json);
}

/* ---- Fields ---- */

static int encode_array(struct encoder *encoder, const struct record_field *field,
			const void *items, size_t n, json_object **ret_json)
{
	if (encoder->sink == TO_CLIENT && field->kind == FIELD_STRUCT && is_counts(field->type)) {
		*ret_json = counts_array(field->type, items, n);
		if (*ret_json)
			return 0;
	}
	if (field->kind == FIELD_FLOAT)
		return encode_numbers(encoder, items, n, ret_json);

	_cleanup_json_ json_object *array = json_object_new_array_ext((int) n);

	if (!array)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		const void *item = field->kind == FIELD_INT
					   ? (const void *) ((const int64_t *) items + i)
					   : ((const void *const *) items)[i];
		json_object *json = NULL;
		int r = item ? encode_value(encoder, field, item, &json)
			     : refuse(encoder, -EINVAL, "NULL");

		if (r < 0)
			return within_item(encoder, r, i);
		if (json_object_array_add(array, json) < 0) {
			json_object_put(json);
			return -ENOMEM;
		}
	}
	*ret_json = TAKE_PTR(array);
	return 0;
}

static int encode_map(struct encoder *encoder, const struct ellu_entry *entries, size_t n,
		      json_object **ret_json)
{
	_cleanup_json_ json_object *map = json_object_new_object();

	if (!map)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		json_object *json = NULL;
		int r;

		if (!entries[i].key || !entries[i].value)
			return within_item(encoder, refuse(encoder, -EINVAL, "NULL"), i);
		r = utf8_valid(entries[i].key, strlen(entries[i].key), NULL)
			    ? encode_string(encoder, entries[i].value, &json)
			    : refuse(encoder, -EILSEQ, "a text that is not UTF-8");
		if (r < 0)
			return within_item(encoder, r, i);
		if (json_object_object_add(map, entries[i].key, json) < 0) {
			json_object_put(json);
			return -ENOMEM;
		}
	}
	*ret_json = TAKE_PTR(map);
	return 0;
}

/* Of a plain field. Who asks leaves 0 out; in an answer it is told where it is the default. */
static bool is_absent(const struct encoder *encoder, const struct record_field *field, const void *slot)
{
	bool is_zero = field->kind == FIELD_BOOL    ? *(const int *) slot == 0
		       : field->kind == FIELD_FLOAT ? *(const double *) slot == 0
						    : *(const int64_t *) slot == 0;

	return is_zero && (encoder->sink == TO_DAEMON || field->fallback.integer != 0 || field->fallback.number != 0);
}

/* *ret_json stays NULL for a field that is left out. */
static int encode_field(struct encoder *encoder, const struct record_field *field,
			const void *record, json_object **ret_json)
{
	const void *slot = field_value(field, record);
	bool nullable = field->flags & FIELD_NULLABLE;

	if (field->flags & (encoder->sink == TO_DAEMON ? FIELD_READ_ONLY : FIELD_WRITE_ONLY))
		return 0;
	if ((field->flags & FIELD_PLAIN) && is_absent(encoder, field, slot))
		return 0;
	if (is_inline(field) && field->container == FIELD_SINGLE)
		return encode_value(encoder, field, slot, ret_json);

	const void *pointer = *(const void *const *) slot;

	if (field->container == FIELD_SINGLE) {
		if (pointer)
			return encode_value(encoder, field, pointer, ret_json);
		// the daemon says best what it misses
		return nullable || encoder->sink == TO_DAEMON ? 0 : refuse(encoder, -EINVAL, "NULL");
	}

	size_t n = *(const size_t *) ((const char *) record + field->count_offset);

	if (!pointer && n > 0)
		return refuse(encoder, -EINVAL, "NULL, but its count is not 0");
	if (!pointer && nullable)
		return 0;
	return field->container == FIELD_MAP ? encode_map(encoder, pointer, n, ret_json)
					     : encode_array(encoder, field, pointer, n, ret_json);
}

static size_t field_end(const struct record_field *field)
{
	if (field->container != FIELD_SINGLE)
		return field->count_offset + sizeof(size_t);
	if (!is_inline(field))
		return field->offset + sizeof(void *);
	return field->offset + (field->kind == FIELD_BOOL ? sizeof(int) : sizeof(int64_t));
}

/* A newer program's fields lie behind ours; those that it has not set may be left out. */
static bool is_newer(const struct record_type *type, const void *record, size_t size)
{
	for (size_t i = type->size; i < size; i++)
		if (((const unsigned char *) record)[i])
			return true;
	return false;
}

static int encode_record(struct encoder *encoder, const struct record_type *type,
			 const void *record, json_object **ret_json)
{
	_cleanup_json_ json_object *object = json_object_new_object();
	size_t size = *(const size_t *) record;

	if (size < sizeof(size_t))
		return refuse(encoder, -EINVAL, "a record without its size: begin with ELLU_RECORD()");
	if (encoder->sink == TO_DAEMON && is_newer(type, record, size))
		return refuse(encoder, -E2BIG, "a field is given that this library is too old for");
	if (!object)
		return -ENOMEM;
	for (size_t i = 0; i < type->n_fields; i++) {
		const struct record_field *field = &type->fields[i];
		json_object *json = NULL;
		int r;

		if (field_end(field) > size)
			continue;
		r = encode_field(encoder, field, record, &json);
		if (r < 0)
			return within(encoder, r, field->name);
		if (json && json_object_object_add_ex(object, field->name, json,
						      JSON_C_OBJECT_ADD_KEY_IS_NEW |
							      JSON_C_OBJECT_KEY_IS_CONSTANT) < 0) {
			json_object_put(json);
			return -ENOMEM;
		}
	}
	*ret_json = TAKE_PTR(object);
	return 0;
}

int record_encode_request(const struct record_type *type, const void *record,
			  json_object **ret_json, struct record_problem *ret_problem)
{
	struct encoder encoder = { .sink = TO_DAEMON };
	int r = encode_record(&encoder, type, record, ret_json);

	*ret_problem = encoder.problem;
	return r;
}

int record_encode(const struct record_type *type, const void *record, enum record_sink sink,
		  json_object **ret_json)
{
	struct encoder encoder = { .sink = sink };

	return encode_record(&encoder, type, record, ret_json);
}

int record_to_text(const struct record_type *type, const void *record, enum record_sink sink,
		   char **ret_text, size_t *ret_size)
{
	_cleanup_json_ json_object *json = NULL;
	int r = record_encode(type, record, sink, &json);
	const char *text;
	size_t size;

	if (r < 0)
		return r;
	text = json_text(json, &size);
	if (!text)
		return -ENOMEM;
	*ret_text = strndup(text, size);
	if (!*ret_text)
		return -ENOMEM;
	if (ret_size)
		*ret_size = size;
	return 0;
}

/* ---- Size ---- */

static size_t value_bytes(const struct record_field *field, const void *at)
{
	if (field->kind == FIELD_STRING)
		return strlen(at);
	if (field->kind == FIELD_OBJECT)
		return json_weight(at);
	return field->kind == FIELD_STRUCT ? record_text_bytes(field->type, at) : 0;
}

static size_t items_bytes(const struct record_field *field, const void *items, size_t n)
{
	const struct ellu_entry *entries = items;
	size_t bytes = 0;

	for (size_t i = 0; i < n; i++) {
		size_t item = field->container == FIELD_MAP ?
				      strlen(entries[i].key) + strlen(entries[i].value) :
				      value_bytes(field, ((const void *const *) items)[i]);

		bytes += item > VALUE_BYTES ? item : VALUE_BYTES;
	}
	return bytes;
}

size_t record_text_bytes(const struct record_type *type, const void *record)
{
	size_t size = *(const size_t *) record, bytes = 0;

	for (size_t i = 0; i < type->n_fields; i++) {
		const struct record_field *field = &type->fields[i];
		const void *pointer;

		/* Numbers and the like are as long as they are. */
		if (field_end(field) > size || (field->kind != FIELD_STRING &&
						field->kind != FIELD_OBJECT &&
						field->kind != FIELD_STRUCT))
			continue;
		pointer = *(const void *const *) field_value(field, record);
		if (!pointer)
			continue;
		if (field->container == FIELD_SINGLE)
			bytes += value_bytes(field, pointer);
		else
			bytes += items_bytes(field, pointer,
					     *(const size_t *) ((const char *) record +
								field->count_offset));
	}
	return bytes;
}
