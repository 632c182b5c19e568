/* What is known of a record and of its fields: the generated tables. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/field_kind.h"

enum field_container {
	FIELD_SINGLE,
	FIELD_ARRAY,
	FIELD_MAP,
};

enum field_flags {
	FIELD_NULLABLE = 1 << 0,
	FIELD_NAME = 1 << 1,
	FIELD_READ_ONLY = 1 << 2,
	FIELD_WRITE_ONLY = 1 << 3,
	FIELD_RANGE = 1 << 4,
	FIELD_LENGTH = 1 << 5,
	FIELD_DEFAULT = 1 << 6,
	FIELD_PLAIN = 1 << 7, // nullable, and no pointer in C: 0 is absent
	FIELD_UNVERSIONED = 1 << 8, // a Ref, or several, to what has no versions
};

struct record_field {
	const char *name;
	enum field_kind kind;
	enum field_container container;
	unsigned flags; // enum field_flags
	size_t offset;
	size_t count_offset; // of arrays and maps
	const struct record_type *type; // of FIELD_STRUCT
	const char *const *one_of; // ends with NULL; NULL: anything
	double low;
	double high;
	size_t length_low;
	size_t length_high;
	/* The default. Records point into it. */
	struct {
		int boolean;
		int64_t integer;
		double number;
		const char *string;
	} fallback;
};

/* A number that is pointed to, as it may be absent. */
static inline bool field_is_boxed(const struct record_field *field)
{
	return (field->flags & (FIELD_NULLABLE | FIELD_PLAIN)) == FIELD_NULLABLE;
}

struct record_type {
	const char *name; // the C name without `ellu_`
	size_t size;
	const struct record_field *fields;
	size_t n_fields;
	const char *const *exactly_one; // names of fields; ends with NULL
	const char *const *at_most_one;
	const char *const *at_least_one;
};
