/*
 * Reading JSON in tests: a path of members and indices leads to a value, as in
 * at_int(reply, "items.0.id"). What must be there and is not ends the test.
 */
#pragma once

#include <json-c/json.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

json_object *json_must_parse(const char *json);

/* NULL: absent or null. */
json_object *at_json(json_object *json, const char *path);
bool at_has(json_object *json, const char *path);
/* Whether it is there and is this string. */
bool at_is(json_object *json, const char *path, const char *value);
int64_t at_int(json_object *json, const char *path);
double at_number(json_object *json, const char *path);
bool at_bool(json_object *json, const char *path);
const char *at_text(json_object *json, const char *path);
/* Items of an array. */
size_t at_count(json_object *json, const char *path);
