/*
 * JSON to records. The path of the field at hand is kept as text and grows and shrinks with the
 * descent, so that any refusal can name it.
 */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "proto/cleanup.h"
#include "proto/json/json_check.h"
#include "proto/limits.h"
#include "proto/record/record.h"
#include "proto/record/record_internal.h"
#include "proto/text/money.h"
#include "proto/text/near_name.h"
#include "proto/text/time_text.h"
#include "proto/text/utf8.h"

struct decoder {
	enum record_source source; // FROM_CLIENT of a dialect's, too
	bool is_dialect;
	struct arena *arena;
	struct fault *fault;
	size_t path_size;
	char path[256];
};

union value {
	int boolean;
	int64_t integer; // also time and money
	double number;
	const char *string; // also the text of an object
	const void *record;
};

static int decode_record(struct decoder *decoder, const struct record_type *type,
			 json_object *json, const void **ret_record);

/* ---- Path and refusals ---- */

/* As far as there is room. */
static void path_add(struct decoder *decoder, const char *text)
{
	size_t room = sizeof(decoder->path) - 1 - decoder->path_size;
	size_t size = strnlen(text, room);

	memcpy(decoder->path + decoder->path_size, text, size);
	decoder->path_size += size;
	decoder->path[decoder->path_size] = '\0';
}

/* Returns what path_pop() goes back to. */
static size_t path_push(struct decoder *decoder, const char *name)
{
	size_t before = decoder->path_size;

	if (before > 0)
		path_add(decoder, ".");
	path_add(decoder, name);
	return before;
}

static size_t path_push_index(struct decoder *decoder, size_t index)
{
	size_t before = decoder->path_size;
	char part[32];

	snprintf(part, sizeof(part), "[%zu]", index);
	path_add(decoder, part);
	return before;
}

static void path_pop(struct decoder *decoder, size_t before)
{
	decoder->path_size = before;
	decoder->path[before] = '\0';
}

static int refuse(struct decoder *decoder, const struct record_field *field, const char *but)
{
	char expected[192];

	record_expected(field, expected, sizeof(expected));
	return fault_invalid(decoder->fault, decoder->path, "%s%s", expected, but);
}

static int refuse_constraint(struct decoder *decoder, const struct record_field *field)
{
	char constraint[192];

	record_constraint(field, constraint, sizeof(constraint));
	return fault_invalid(decoder->fault, decoder->path, "%s", constraint);
}

/* ---- Single values ---- */

static bool one_of(const struct record_field *field, const char *text)
{
	for (size_t i = 0; field->one_of[i]; i++)
		if (strcmp(field->one_of[i], text) == 0)
			return true;
	return false;
}

static bool is_name(const char *text, size_t size)
{
	size_t n = 0;
	uint32_t code;

	for (size_t i = 0; i < size; n++) {
		size_t length = utf8_next(text + i, size - i, &code);

		if (length == 0 || utf8_is_control(code))
			return false;
		i += length;
	}
	return n >= 1 && n <= NAME_MAX_CHARS;
}

static bool string_fits(const struct record_field *field, const char *text, size_t size)
{
	if (field->one_of)
		return one_of(field, text);
	if (field->flags & FIELD_NAME)
		return is_name(text, size);
	if (field->flags & FIELD_LENGTH) {
		size_t length = utf8_length(text, size);

		return length >= field->length_low && length <= field->length_high;
	}
	return true;
}

static int decode_string(struct decoder *decoder, const struct record_field *field,
			 json_object *json, const char **ret_string)
{
	const char *text = json_object_get_string(json);
	size_t size = (size_t) json_object_get_string_len(json);

	if (!json_object_is_type(json, json_type_string))
		return refuse(decoder, field, "");
	if (strlen(text) != size)
		return refuse(decoder, field, " without NUL");
	// of an array, the length is that of the array
	if (decoder->source == FROM_CLIENT && field->container == FIELD_SINGLE &&
	    !string_fits(field, text, size))
		return refuse_constraint(decoder, field);
	*ret_string = arena_strndup(decoder->arena, text, size);
	return *ret_string ? 0 : fault_oom(decoder->fault);
}

static int decode_text_number(struct decoder *decoder, const struct record_field *field,
			      json_object *json, int64_t *ret_integer)
{
	bool time = field->kind == FIELD_TIME;
	const char *text;

	if (!json_object_is_type(json, json_type_string))
		return refuse(decoder, field, "");
	text = json_object_get_string(json);
	if (strlen(text) != (size_t) json_object_get_string_len(json) ||
	    (time ? time_parse(text, ret_integer) : money_parse(text, ret_integer)) < 0)
		return refuse(decoder, field, "");
	if (decoder->source == FROM_CLIENT && !time && *ret_integer < 0)
		return refuse(decoder, field, ", not negative");
	return 0;
}

static int decode_int(struct decoder *decoder, const struct record_field *field,
		      json_object *json, int64_t *ret_integer)
{
	int64_t value = json_object_get_int64(json);

	if (!json_object_is_type(json, json_type_int))
		return refuse(decoder, field, "");
	if (value > INTEGER_MAX || value < -INTEGER_MAX)
		return refuse(decoder, field, " within 2^53");
	if (decoder->source == FROM_CLIENT && (field->flags & FIELD_RANGE) &&
	    ((double) value < field->low || (double) value > field->high))
		return refuse_constraint(decoder, field);
	*ret_integer = value;
	return 0;
}

static int decode_float(struct decoder *decoder, const struct record_field *field,
			json_object *json, double *ret_number)
{
	double value = json_object_get_double(json);

	if (!json_object_is_type(json, json_type_int) &&
	    !json_object_is_type(json, json_type_double))
		return refuse(decoder, field, "");
	if (!isfinite(value))
		return refuse(decoder, field, ", finite");
	if (decoder->source == FROM_CLIENT && (field->flags & FIELD_RANGE) &&
	    (value < field->low || value > field->high))
		return refuse_constraint(decoder, field);
	*ret_number = value;
	return 0;
}

static int decode_object(struct decoder *decoder, const struct record_field *field,
			 json_object *json, const char **ret_text)
{
	const char *text;
	size_t size;

	if (!json_object_is_type(json, json_type_object))
		return refuse(decoder, field, "");
	text = json_text(json, &size);
	if (!text)
		return fault_oom(decoder->fault);
	if (decoder->source == FROM_CLIENT && json_depth(text, size) > OBJECT_DEPTH_MAX)
		return fault_invalid(decoder->fault, decoder->path,
				     "at most %d arrays and objects inside each other", OBJECT_DEPTH_MAX);
	*ret_text = arena_strndup(decoder->arena, text, size);
	return *ret_text ? 0 : fault_oom(decoder->fault);
}

static int check_unversioned(struct decoder *decoder, json_object *ref)
{
	json_object *version = NULL;

	if (!json_object_object_get_ex(ref, "version", &version) || !version)
		return 0;
	path_push(decoder, "version");
	return fault_invalid(decoder->fault, decoder->path, "nothing, as it has no versions");
}

static int decode_value(struct decoder *decoder, const struct record_field *field,
			json_object *json, union value *ret_value)
{
	switch (field->kind) {
	case FIELD_BOOL:
		if (!json_object_is_type(json, json_type_boolean))
			return refuse(decoder, field, "");
		ret_value->boolean = json_object_get_boolean(json);
		return 0;
	case FIELD_INT:
		return decode_int(decoder, field, json, &ret_value->integer);
	case FIELD_FLOAT:
		return decode_float(decoder, field, json, &ret_value->number);
	case FIELD_STRING:
		return decode_string(decoder, field, json, &ret_value->string);
	case FIELD_TIME:
	case FIELD_MONEY:
		return decode_text_number(decoder, field, json, &ret_value->integer);
	case FIELD_OBJECT:
		return decode_object(decoder, field, json, &ret_value->string);
	case FIELD_STRUCT:
		if (!json_object_is_type(json, json_type_object))
			return refuse(decoder, field, "");
		if (decoder->source == FROM_CLIENT && (field->flags & FIELD_UNVERSIONED) &&
		    check_unversioned(decoder, json) < 0)
			return decoder->fault->code;
		return decode_record(decoder, field->type, json, &ret_value->record);
	default:
		return -EINVAL;
	}
}

/* ---- Into the record ---- */

/* `value` as the member of the record: itself, or a pointer to a copy when it may be absent. */
static int store_value(struct decoder *decoder, const struct record_field *field,
		       const union value *value, void *record)
{
	void *slot = field_slot(field, record);
	bool boxed = field_is_boxed(field);
	const void *box = slot;

	switch (field->kind) {
	case FIELD_BOOL:
		if (boxed)
			*(const int **) slot = box = arena_bool(decoder->arena, value->boolean);
		else
			*(int *) slot = value->boolean;
		break;
	case FIELD_INT:
	case FIELD_TIME:
	case FIELD_MONEY:
		if (boxed)
			*(const int64_t **) slot = box = arena_int(decoder->arena, value->integer);
		else
			*(int64_t *) slot = value->integer;
		break;
	case FIELD_FLOAT:
		if (boxed)
			*(const double **) slot = box = arena_float(decoder->arena, value->number);
		else
			*(double *) slot = value->number;
		break;
	case FIELD_STRUCT:
		*(const void **) slot = value->record;
		break;
	default:
		*(const char **) slot = value->string;
	}
	return box ? 0 : fault_oom(decoder->fault);
}

static void store_default(const struct record_field *field, void *record)
{
	void *slot = field_slot(field, record);
	bool boxed = field_is_boxed(field);

	if (field->kind == FIELD_STRING)
		*(const char **) slot = field->fallback.string;
	else if (field->kind == FIELD_BOOL && boxed)
		*(const int **) slot = &field->fallback.boolean;
	else if (field->kind == FIELD_BOOL)
		*(int *) slot = field->fallback.boolean;
	else if (field->kind == FIELD_INT && boxed)
		*(const int64_t **) slot = &field->fallback.integer;
	else if (field->kind == FIELD_INT)
		*(int64_t *) slot = field->fallback.integer;
	else if (boxed)
		*(const double **) slot = &field->fallback.number;
	else
		*(double *) slot = field->fallback.number;
}

static int decode_array(struct decoder *decoder, const struct record_field *field,
			json_object *json, void *record)
{
	size_t n = json_object_array_length(json);
	void *items;

	if (decoder->source == FROM_CLIENT && (field->flags & FIELD_LENGTH) &&
	    (n < field->length_low || n > field->length_high))
		return refuse_constraint(decoder, field);
	items = arena_array(decoder->arena, n, field_item_size(field));
	if (!items)
		return fault_oom(decoder->fault);
	for (size_t i = 0; i < n; i++) {
		const struct record_field single = { .name = field->name,
						     .kind = field->kind,
						     .flags = field->flags & FIELD_UNVERSIONED,
						     .type = field->type };
		size_t before = path_push_index(decoder, i);
		union value value;
		int r = decode_value(decoder, &single, json_object_array_get_idx(json, i), &value);

		if (r < 0)
			return r;
		path_pop(decoder, before);
		if (field->kind == FIELD_INT)
			((int64_t *) items)[i] = value.integer;
		else if (field->kind == FIELD_FLOAT)
			((double *) items)[i] = value.number;
		else if (field->kind == FIELD_STRUCT)
			((const void **) items)[i] = value.record;
		else
			((const char **) items)[i] = value.string;
	}
	*(void **) field_slot(field, record) = items;
	*(size_t *) ((char *) record + field->count_offset) = n;
	return 0;
}

static int decode_map(struct decoder *decoder, const struct record_field *field,
		      json_object *json, void *record)
{
	const struct record_field single = { .name = field->name, .kind = FIELD_STRING };
	size_t n = (size_t) json_object_object_length(json), i = 0;
	struct ellu_entry *entries = arena_array(decoder->arena, n, sizeof(*entries));

	if (!entries)
		return fault_oom(decoder->fault);
	json_object_object_foreach(json, key, value)
	{
		size_t before = path_push(decoder, key);
		int r = decode_string(decoder, &single, value, &entries[i].value);

		if (r < 0)
			return r;
		path_pop(decoder, before);
		entries[i].key = arena_strdup(decoder->arena, key);
		if (!entries[i++].key)
			return fault_oom(decoder->fault);
	}
	*(struct ellu_entry **) field_slot(field, record) = entries;
	*(size_t *) ((char *) record + field->count_offset) = n;
	return 0;
}

static int decode_absent(struct decoder *decoder, const struct record_field *field, bool null,
			 void *record)
{
	if (null && !(field->flags & FIELD_NULLABLE))
		return refuse(decoder, field, "; it is null");
	if ((field->flags & FIELD_DEFAULT) && decoder->source != FROM_DAEMON) {
		store_default(field, record);
		return 0;
	}
	return field->flags & FIELD_NULLABLE ? 0 : refuse(decoder, field, "; it is missing");
}

static int decode_field(struct decoder *decoder, const struct record_field *field,
			json_object *parent, void *record)
{
	json_object *json = NULL;
	bool given = json_object_object_get_ex(parent, field->name, &json);
	union value value;
	int r;

	if (!json)
		return decode_absent(decoder, field, given, record);
	if (decoder->source == FROM_CLIENT && (field->flags & FIELD_READ_ONLY))
		return fault_invalid(decoder->fault, decoder->path, "no value, it is read-only");
	if (field->container == FIELD_ARRAY)
		return json_object_is_type(json, json_type_array)
			       ? decode_array(decoder, field, json, record)
			       : refuse(decoder, field, "");
	if (field->container == FIELD_MAP)
		return json_object_is_type(json, json_type_object)
			       ? decode_map(decoder, field, json, record)
			       : refuse(decoder, field, "");
	r = decode_value(decoder, field, json, &value);
	return r < 0 ? r : store_value(decoder, field, &value, record);
}

/* ---- Whole records ---- */

static int refuse_unknown(struct decoder *decoder, const struct record_type *type,
			  json_object *json)
{
	json_object_object_foreach(json, key, value)
	{
		struct near_name near = NEAR_NAME(key);

		(void) value;
		if (record_field_find(type, key))
			continue;
		for (size_t i = 0; i < type->n_fields; i++)
			near_name_show(&near, type->fields[i].name);
		path_push(decoder, key);
		return fault_invalid(decoder->fault, decoder->path, "no field of this name%s%s%s",
				     near.nearest ? "; did you mean " : "",
				     near.nearest ? near.nearest : "", near.nearest ? "?" : "");
	}
	return 0;
}

static size_t n_given(const char *const *names, json_object *json)
{
	size_t n = 0;

	for (size_t i = 0; names[i]; i++) {
		json_object *value = NULL;

		json_object_object_get_ex(json, names[i], &value);
		n += value != NULL;
	}
	return n;
}

static int refuse_choice(struct decoder *decoder, const char *how_many, const char *const *names)
{
	char list[192] = "";

	for (size_t i = 0; names[i]; i++) {
		size_t length = strlen(list);

		snprintf(list + length, sizeof(list) - length, "%s%s", i > 0 ? ", " : "", names[i]);
	}
	return fault_invalid(decoder->fault, decoder->path, "%s one of %s", how_many, list);
}

static int check_choices(struct decoder *decoder, const struct record_type *type, json_object *json)
{
	if (type->exactly_one && n_given(type->exactly_one, json) != 1) {
		if (decoder->path_size == 0)
			path_push(decoder, type->exactly_one[0]);
		return refuse_choice(decoder, "exactly", type->exactly_one);
	}
	if (type->at_most_one && !decoder->is_dialect && n_given(type->at_most_one, json) > 1) {
		path_push(decoder, type->at_most_one[0]);
		return refuse_choice(decoder, "at most", type->at_most_one);
	}
	if (type->at_least_one && n_given(type->at_least_one, json) == 0) {
		path_push(decoder, type->at_least_one[0]);
		return refuse_choice(decoder, "at least", type->at_least_one);
	}
	return 0;
}

static int decode_record(struct decoder *decoder, const struct record_type *type,
			 json_object *json, const void **ret_record)
{
	void *record = arena_alloc(decoder->arena, type->size);
	int r = 0;

	if (!record)
		return fault_oom(decoder->fault);
	*(size_t *) record = type->size;
	if (decoder->source == FROM_CLIENT)
		r = refuse_unknown(decoder, type, json);
	for (size_t i = 0; i < type->n_fields && r == 0; i++) {
		size_t before = path_push(decoder, type->fields[i].name);

		r = decode_field(decoder, &type->fields[i], json, record);
		if (r == 0)
			path_pop(decoder, before);
	}
	if (r == 0 && decoder->source == FROM_CLIENT)
		r = check_choices(decoder, type, json);
	*ret_record = record;
	return r;
}

int record_decode(const struct record_type *type, json_object *json, enum record_source source,
		  const char *path_prefix, struct arena *arena, void **ret_record,
		  struct fault *fault)
{
	struct decoder decoder = {
		.source = source == FROM_DIALECT ? FROM_CLIENT : source,
		.is_dialect = source == FROM_DIALECT,
		.arena = arena,
		.fault = fault,
	};
	const void *record;
	int r;

	path_push(&decoder, path_prefix);
	if (!json_object_is_type(json, json_type_object))
		return fault_invalid(fault, decoder.path, "an object");
	r = decode_record(&decoder, type, json, &record);
	if (r == 0)
		*ret_record = (void *) (uintptr_t) record;
	return r;
}

int record_from_text(const struct record_type *type, const char *text, size_t size,
		     enum record_source source, struct arena *arena, void **ret_record,
		     struct fault *fault)
{
	_cleanup_json_ json_object *json = NULL;
	int r = json_parse_strict(text, size, &json, fault);

	return r < 0 ? r : record_decode(type, json, source, "", arena, ret_record, fault);
}

int record_list_from_text(const struct record_type *type, const char *text,
			  enum record_source source, struct arena *arena, void *ret_items,
			  size_t *ret_n)
{
	_cleanup_json_ json_object *array = text ? json_stored(text) : NULL;
	size_t n = array ? json_object_array_length(array) : 0;
	void **items = arena_array(arena, n, sizeof(*items));
	struct fault fault;
	int r = items && (array || !text) ? 0 : -ENOMEM;

	for (size_t i = 0; i < n && r >= 0; i++)
		r = record_decode(type, json_object_array_get_idx(array, i), source, "", arena, &items[i],
				  &fault);
	if (r < 0)
		return r == -ENOMEM || r == ELLU_E_INTERNAL ? -ENOMEM : -EBADMSG;
	items = text ? items : NULL;
	memcpy(ret_items, &items, sizeof(items));
	*ret_n = n;
	return 0;
}
