#include "proto/record/record.h"

#include <json-c/printbuf.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/limits.h"
#include "proto/record/record_internal.h"

const struct record_field *record_field_find(const struct record_type *type, const char *name)
{
	for (size_t i = 0; i < type->n_fields; i++)
		if (strcmp(type->fields[i].name, name) == 0)
			return &type->fields[i];
	return NULL;
}

static size_t number_size(const struct record_field *field)
{
	return field->kind == FIELD_BOOL ? sizeof(int) : sizeof(int64_t);
}

/* What is pointed to, or, of a plain number, where it stands; NULL: it is absent. */
static const void *member_of(const struct record_field *field, const void *record)
{
	static const char zero[sizeof(int64_t)];
	const void *value = field_value(field, record);

	if (!(field->flags & FIELD_PLAIN))
		return *(const void *const *) value;
	return memcmp(value, zero, number_size(field)) != 0 ? value : NULL;
}

const void *record_member(const struct record_type *type, const void *record, const char *name)
{
	const struct record_field *field = record_field_find(type, name);

	return field ? member_of(field, record) : NULL;
}

static bool may_be_absent(const struct record_field *field)
{
	return field->flags & FIELD_NULLABLE || field->container == FIELD_ARRAY ||
	       field->kind == FIELD_STRING || field->kind == FIELD_OBJECT ||
	       field->kind == FIELD_STRUCT;
}

void record_lend(const struct record_type *type, const void *record,
		 const struct record_type *to_type, void *to)
{
	for (size_t i = 0; i < to_type->n_fields; i++) {
		const struct record_field *field = &to_type->fields[i];
		const struct record_field *from = record_field_find(type, field->name);
		const void **member = field_slot(field, to), *value;

		if (!from || from->kind != field->kind || from->type != field->type ||
		    from->container != field->container || !may_be_absent(from) || !may_be_absent(field) ||
		    field->container == FIELD_MAP || member_of(field, to))
			continue;
		value = member_of(from, record);
		if (!(field->flags & FIELD_PLAIN))
			*member = value;
		else if (value)
			memcpy(member, value, number_size(field));
		if (field->container == FIELD_ARRAY)
			*(size_t *) ((char *) to + field->count_offset) =
				*(const size_t *) ((const char *) record + from->count_offset);
	}
}

/* ---- What a field wants ---- */

static void append(char *text, size_t size, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

static void append(char *text, size_t size, const char *format, ...)
{
	size_t length = strlen(text);
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(text + length, size - length, format, arguments);
	va_end(arguments);
}

static const char *noun(const struct record_field *field)
{
	static const char *const nouns[_FIELD_KIND_MAX] = {
		[FIELD_BOOL] = "true or false",
		[FIELD_INT] = "an integer",
		[FIELD_FLOAT] = "a number",
		[FIELD_STRING] = "a string",
		[FIELD_TIME] = "a time like 2026-01-31T12:00:00.000Z",
		[FIELD_MONEY] = "US dollars as a decimal string like 0.25",
		[FIELD_OBJECT] = "an object",
		[FIELD_STRUCT] = "an object",
	};

	if (field->container == FIELD_MAP)
		return "an object of strings";
	if (field->container == FIELD_ARRAY)
		return field->kind == FIELD_INT	     ? "an array of integers"
		       : field->kind == FIELD_FLOAT  ? "an array of numbers"
		       : field->kind == FIELD_STRING ? "an array of strings"
						     : "an array of objects";
	return nouns[field->kind];
}

void record_constraint(const struct record_field *field, char *ret_text, size_t size)
{
	ret_text[0] = '\0';
	if (field->one_of) {
		append(ret_text, size, "one of ");
		for (size_t i = 0; field->one_of[i]; i++)
			append(ret_text, size, "%s%s", i > 0 ? ", " : "", field->one_of[i]);
	} else if (field->flags & FIELD_RANGE) {
		if (field->kind == FIELD_INT)
			append(ret_text, size, "%.0f to %.0f", field->low, field->high);
		else
			append(ret_text, size, "%.15g to %.15g", field->low, field->high);
	} else if (field->flags & FIELD_NAME) {
		append(ret_text, size, "1 to %d characters, none of them a control character",
		       NAME_MAX_CHARS);
	} else if (field->flags & FIELD_LENGTH) {
		append(ret_text, size, "%zu to %zu %s", field->length_low, field->length_high,
		       field->container == FIELD_SINGLE ? "characters" : "items");
	}
}

void record_expected(const struct record_field *field, char *ret_text, size_t size)
{
	char constraint[256];

	record_constraint(field, constraint, sizeof(constraint));
	snprintf(ret_text, size, "%s%s%s", noun(field), constraint[0] ? ", " : "", constraint);
}

/* ---- JSON values that json-c does not have ---- */

static int serialize_raw(json_object *json, struct printbuf *out, int level, int flags)
{
	const char *text = json_object_get_userdata(json);

	(void) level;
	(void) flags;
	return printbuf_memappend(out, text, (int) strlen(text));
}

json_object *json_raw(const char *text)
{
	json_object *json = json_object_new_object();
	char *copy = strdup(text);

	if (!json || !copy) {
		json_object_put(json);
		free(copy);
		return NULL;
	}
	json_object_set_serializer(json, serialize_raw, copy, json_object_free_userdata);
	return json;
}

const char *json_text(json_object *json, size_t *ret_size)
{
	return json_object_to_json_string_length(
		json, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE, ret_size);
}
