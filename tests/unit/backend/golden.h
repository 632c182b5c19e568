/* Files of golden data, and what is found held against them. */
#pragma once

#include <json-c/json.h>
#include <stddef.h>

#include "daemon/backend/dialect/answer.h"

#define KEY "sk-0123456789abcdef"

/* The file of that name, to be put. */
json_object *golden_read(const char *name);
/* NULL: there is none. */
json_object *golden_member(json_object *object, const char *name);
const char *golden_text(json_object *object, const char *name);
void golden_expect(const char *dialect, const char *name, json_object *expected, json_object *found);
json_object *golden_parse(const char *text, size_t size);
/* What came of a call, as golden data has it. */
json_object *golden_result(const struct llm_call *call, const struct attempt *attempt);

/* Adds the place of each value, without numbers of elements, to what is there, or looks for it. */
void golden_walk(json_object *value, const char *path, json_object *places, const char *look);
/* Those of all answers. */
json_object *golden_places(json_object *golden);
