/*
 * Whether a value is as a JSON schema wants it, by the part of the language that answers of models
 * are asked for with:
 *
 *	type enum const  $ref (within the schema)  anyOf oneOf allOf not
 *	properties required additionalProperties minProperties maxProperties
 *	items prefixItems minItems maxItems uniqueItems
 *	minimum maximum exclusiveMinimum exclusiveMaximum
 *	minLength maxLength pattern (as proto/text/regex.h has it)
 *
 * Every other keyword is ignored, and so is one of these whose value is not what it should be.
 * Nothing is remembered and nothing changed; any thread. Neither depth nor time depend on who
 * wrote schema or value: what is too much for the bounds is given up.
 */
#pragma once

#include <json-c/json.h>
#include <stddef.h>

#define SCHEMA_STEPS_MAX 500000 // schemas held against values, and values against others; tens of milliseconds
#define SCHEMA_DEPTH_MAX 128 // schemas inside each other, references followed

enum schema_verdict {
	SCHEMA_FITS,
	SCHEMA_MISFITS,
	SCHEMA_GIVEN_UP,
};

struct schema_problem {
	char text[512]; // where and what, as "items[2].name: expected a string"
};

/* The problem is written where it does not fit; a NULL value is null. */
enum schema_verdict schema_check(json_object *schema, json_object *value,
				 struct schema_problem *ret_problem);

/* What of a model's text is the value: all but blanks around it and the fence that many put there. */
void schema_find_value(const char *text, size_t size, const char **ret_value, size_t *ret_size);
