/*
 * What decode.c and encode.c share about fields.
 */
#pragma once

#include "proto/record/record_type.h"

/* The constraint alone: "1 to 256"; "" without. */
void record_constraint(const struct record_field *field, char *ret_text, size_t size);

/* Of an array's items, as they lie in it. */
static inline size_t field_item_size(const struct record_field *field)
{
	return field->kind == FIELD_INT	    ? sizeof(int64_t)
	       : field->kind == FIELD_FLOAT ? sizeof(double)
					    : sizeof(void *);
}

static inline void *field_slot(const struct record_field *field, void *record)
{
	return (char *) record + field->offset;
}

static inline const void *field_value(const struct record_field *field, const void *record)
{
	return (const char *) record + field->offset;
}
