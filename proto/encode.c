/*
 * Records to JSON. Fields beyond a record's own size, which an older program does not have, and
 * absent ones are left out.
 */
#include <errno.h>
#include <math.h>
#include <string.h>

#include "proto/cleanup.h"
#include "proto/json_check.h"
#include "proto/money.h"
#include "proto/record_internal.h"
#include "proto/time_text.h"
#include "proto/utf8.h"

static int encode_record(const struct record_type *type, const void *record,
			 enum record_sink sink, json_object **ret_json);

/* ---- Single values ---- */

static int made(json_object *json, json_object **ret_json)
{
	*ret_json = json;
	return json ? 0 : -ENOMEM;
}

static int encode_string(const char *text, json_object **ret_json)
{
	size_t size = strlen(text);

	if (size >= INT32_MAX || !utf8_valid(text, size, NULL))
		return -EILSEQ;
	return made(json_object_new_string_len(text, (int) size), ret_json);
}

static int encode_object(const char *text, enum record_sink sink, json_object **ret_json)
{
	struct json_problem problem;

	if (sink == TO_DAEMON) {
		int r = json_check(text, strlen(text), &problem);

		if (r == -ENOMEM)
			return r;
		if (r < 0 || text[strspn(text, " \t\r\n")] != '{')
			return -EINVAL;
	}
	return made(json_raw(text), ret_json);
}

static int encode_time(int64_t usec, json_object **ret_json)
{
	char text[TIME_TEXT_SIZE];
	int r = time_format(usec, text);

	return r < 0 ? -EDOM : made(json_object_new_string(text), ret_json);
}

static int encode_money(int64_t nanodollars, json_object **ret_json)
{
	char text[MONEY_TEXT_SIZE];

	money_format(nanodollars, text);
	return made(json_object_new_string(text), ret_json);
}

/* `at` points to the value: the scalar itself, the string's first byte, the record. */
static int encode_value(const struct record_field *field, const void *at, enum record_sink sink,
			json_object **ret_json)
{
	switch (field->kind) {
	case FIELD_BOOL:
		return made(json_object_new_boolean(*(const int *) at != 0), ret_json);
	case FIELD_INT:
		return made(json_object_new_int64(*(const int64_t *) at), ret_json);
	case FIELD_FLOAT:
		if (!isfinite(*(const double *) at))
			return -EDOM;
		return made(json_float(*(const double *) at), ret_json);
	case FIELD_TIME:
		return encode_time(*(const int64_t *) at, ret_json);
	case FIELD_MONEY:
		return encode_money(*(const int64_t *) at, ret_json);
	case FIELD_STRING:
		return encode_string(at, ret_json);
	case FIELD_OBJECT:
		return encode_object(at, sink, ret_json);
	case FIELD_STRUCT:
		return encode_record(field->type, at, sink, ret_json);
	default:
		return -EINVAL;
	}
}

/* ---- Fields ---- */

static bool is_inline(const struct record_field *field)
{
	return !(field->flags & FIELD_NULLABLE) && field->kind != FIELD_STRING &&
	       field->kind != FIELD_OBJECT && field->kind != FIELD_STRUCT;
}

static int encode_array(const struct record_field *field, const void *items, size_t n,
			enum record_sink sink, json_object **ret_json)
{
	_cleanup_json_ json_object *array = json_object_new_array_ext((int) n);

	if (!array)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		const void *item = field->kind == FIELD_INT
					   ? (const void *) ((const int64_t *) items + i)
					   : ((const void *const *) items)[i];
		json_object *json = NULL;
		int r = item ? encode_value(field, item, sink, &json) : -EINVAL;

		if (r < 0)
			return r;
		if (json_object_array_add(array, json) < 0) {
			json_object_put(json);
			return -ENOMEM;
		}
	}
	*ret_json = TAKE_PTR(array);
	return 0;
}

static int encode_map(const struct ellu_entry *entries, size_t n, json_object **ret_json)
{
	_cleanup_json_ json_object *map = json_object_new_object();

	if (!map)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		json_object *json = NULL;
		int r;

		if (!entries[i].key || !entries[i].value)
			return -EINVAL;
		if (!utf8_valid(entries[i].key, strlen(entries[i].key), NULL))
			return -EILSEQ;
		r = encode_string(entries[i].value, &json);
		if (r < 0)
			return r;
		if (json_object_object_add(map, entries[i].key, json) < 0) {
			json_object_put(json);
			return -ENOMEM;
		}
	}
	*ret_json = TAKE_PTR(map);
	return 0;
}

/* *ret_json stays NULL for a field that is left out. */
static int encode_field(const struct record_field *field, const void *record,
			enum record_sink sink, json_object **ret_json)
{
	const void *slot = field_value(field, record);
	bool nullable = field->flags & FIELD_NULLABLE;

	if ((field->flags & FIELD_WRITE_ONLY) && sink != TO_DAEMON)
		return 0;
	if (is_inline(field) && field->container == FIELD_SINGLE)
		return encode_value(field, slot, sink, ret_json);

	const void *pointer = *(const void *const *) slot;

	if (field->container == FIELD_SINGLE) {
		if (pointer)
			return encode_value(field, pointer, sink, ret_json);
		// the daemon says best what it misses
		return nullable || sink == TO_DAEMON ? 0 : -EINVAL;
	}

	size_t n = *(const size_t *) ((const char *) record + field->count_offset);

	if (!pointer && n > 0)
		return -EINVAL;
	if (!pointer && nullable)
		return 0;
	return field->container == FIELD_MAP ? encode_map(pointer, n, ret_json)
					     : encode_array(field, pointer, n, sink, ret_json);
}

static size_t field_end(const struct record_field *field)
{
	if (field->container != FIELD_SINGLE)
		return field->count_offset + sizeof(size_t);
	if (!is_inline(field))
		return field->offset + sizeof(void *);
	return field->offset + (field->kind == FIELD_BOOL ? sizeof(int) : sizeof(int64_t));
}

static int encode_record(const struct record_type *type, const void *record,
			 enum record_sink sink, json_object **ret_json)
{
	_cleanup_json_ json_object *object = json_object_new_object();
	size_t size = *(const size_t *) record;

	if (size < sizeof(size_t))
		return -EINVAL;
	if (!object)
		return -ENOMEM;
	for (size_t i = 0; i < type->n_fields; i++) {
		const struct record_field *field = &type->fields[i];
		json_object *json = NULL;
		int r;

		if (field_end(field) > size)
			continue;
		r = encode_field(field, record, sink, &json);
		if (r < 0)
			return r;
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

int record_encode(const struct record_type *type, const void *record, enum record_sink sink,
		  json_object **ret_json)
{
	return encode_record(type, record, sink, ret_json);
}

int record_to_text(const struct record_type *type, const void *record, enum record_sink sink,
		   char **ret_text, size_t *ret_size)
{
	_cleanup_json_ json_object *json = NULL;
	int r = encode_record(type, record, sink, &json);
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
	if (field->kind == FIELD_STRING || field->kind == FIELD_OBJECT)
		return strlen(at);
	return field->kind == FIELD_STRUCT ? record_text_bytes(field->type, at) : 0;
}

static size_t items_bytes(const struct record_field *field, const void *items, size_t n)
{
	const struct ellu_entry *entries = items;
	size_t bytes = 0;

	for (size_t i = 0; i < n; i++)
		bytes += field->container == FIELD_MAP ?
				 strlen(entries[i].key) + strlen(entries[i].value) :
				 value_bytes(field, ((const void *const *) items)[i]);
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
