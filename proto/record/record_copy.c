/* Deep copies of records, as the tables of their fields have them. */
#include <errno.h>
#include <string.h>

#include "elluminate-types.h"
#include "proto/record/record.h"
#include "proto/record/record_internal.h"

static int copy_into(const struct record_type *type, const void *record, struct arena *arena,
		     const void **ret_copy);

/* Of a string, an object's text or a record. NULL stays NULL. */
static int copy_pointed(const struct record_field *field, const void *value, struct arena *arena,
			const void **ret_copy)
{
	*ret_copy = NULL;
	if (!value)
		return 0;
	if (field->kind == FIELD_STRUCT)
		return copy_into(field->type, value, arena, ret_copy);
	*ret_copy = arena_strdup(arena, value);
	return *ret_copy ? 0 : -ENOMEM;
}

static bool is_pointed(const struct record_field *field)
{
	return field->kind == FIELD_STRING || field->kind == FIELD_OBJECT || field->kind == FIELD_STRUCT;
}

static int copy_array(const struct record_field *field, const void *items, size_t n, struct arena *arena,
		      const void **ret_copy)
{
	const size_t size = field_item_size(field);
	void *copies = arena_array(arena, n, size);
	int r = copies ? 0 : -ENOMEM;

	*ret_copy = copies;
	if (r == 0 && !is_pointed(field) && n > 0)
		memcpy(copies, items, n * size);
	for (size_t i = 0; r == 0 && is_pointed(field) && i < n; i++)
		r = copy_pointed(field, ((const void *const *) items)[i], arena, &((const void **) copies)[i]);
	return r;
}

static int copy_map(const struct ellu_entry *entries, size_t n, struct arena *arena, const void **ret_copy)
{
	struct ellu_entry *copies = arena_array(arena, n, sizeof(*copies));

	*ret_copy = copies;
	for (size_t i = 0; copies && i < n; i++) {
		copies[i].key = arena_strdup(arena, entries[i].key);
		copies[i].value = arena_strdup(arena, entries[i].value);
		if (!copies[i].key || !copies[i].value)
			return -ENOMEM;
	}
	return copies ? 0 : -ENOMEM;
}

/* An optional number, which is pointed to. */
static int copy_number(const struct record_field *field, const void *number, struct arena *arena,
		       const void **ret_copy)
{
	*ret_copy = field->kind == FIELD_BOOL  ? (const void *) arena_bool(arena, *(const int *) number)
		    : field->kind == FIELD_FLOAT ? (const void *) arena_float(arena, *(const double *) number)
						 : (const void *) arena_int(arena, *(const int64_t *) number);
	return *ret_copy ? 0 : -ENOMEM;
}

/* The slot has what the record's has. */
static int copy_field(const struct record_field *field, void *copy, struct arena *arena)
{
	const void **slot = field_slot(field, copy);
	size_t n;

	if (field->container == FIELD_SINGLE && !is_pointed(field) && !field_is_boxed(field))
		return 0;
	if (!*slot)
		return 0;
	if (field->container == FIELD_SINGLE)
		return is_pointed(field) ? copy_pointed(field, *slot, arena, slot) :
					   copy_number(field, *slot, arena, slot);
	n = *(const size_t *) ((const char *) copy + field->count_offset);
	return field->container == FIELD_MAP ? copy_map(*slot, n, arena, slot) :
					       copy_array(field, *slot, n, arena, slot);
}

static int copy_into(const struct record_type *type, const void *record, struct arena *arena,
		     const void **ret_copy)
{
	void *copy = arena_alloc(arena, type->size);
	int r = copy ? 0 : -ENOMEM;

	if (r == 0)
		memcpy(copy, record, type->size);
	for (size_t i = 0; r == 0 && i < type->n_fields; i++)
		r = copy_field(&type->fields[i], copy, arena);
	*ret_copy = copy;
	return r;
}

int record_copy(const struct record_type *type, const void *record, struct arena *arena, const void **ret_copy)
{
	const void *copy;
	int r = copy_into(type, record, arena, &copy);

	if (r == 0)
		*ret_copy = copy;
	return r;
}
