/*
 * The strictness that json-c lacks: a scan of a whole text before it is parsed. It refuses what
 * RFC 8259 refuses, and also duplicate keys (compared unescaped), NUL characters, lone
 * surrogates, integers beyond 2^53, numbers beyond 1e308, nesting deeper than JSON_DEPTH_MAX and
 * more than JSON_VALUES_MAX values.
 *
 * No recursion; time n log n at worst, in the number of keys of one object.
 */
#pragma once

#include <json-c/json.h>
#include <stddef.h>

#include "proto/fault/fault.h"

struct json_problem {
	size_t offset;
	const char *reason; // constant
};

/* 0; -EBADMSG with *ret_problem filled; -ENOMEM. */
int json_check(const char *text, size_t size, struct json_problem *ret_problem);

/* Values of all kinds in the text, or more. Does not look whether it is JSON. */
size_t json_count_values(const char *text, size_t size);

/* Arrays and objects inside each other. Does not look whether it is JSON. */
size_t json_depth(const char *text, size_t size);

/* What it takes to hold the text's values: as long as it is, and no less than VALUE_BYTES a value.
 * Does not look whether it is JSON. */
size_t json_weight(const char *text);

/* Checks and parses. Returns 0, or the fault's code: InvalidMessage, or Internal without memory.
 * *ret_json is NULL for the text `null`. */
int json_parse_strict(const char *text, size_t size, json_object **ret_json,
		      struct fault *fault);

/* The tree of a text that was checked when it came: json-c's own parser reads fewer levels. NULL
 * where it is none, and without memory. */
json_object *json_stored(const char *text);
