/* Floating-point numbers as texts that read back the same, whatever the program's locale. */
#pragma once

#include <json-c/json.h>

#define JSON_FLOAT_SIZE 32

/* The shortest text that reads back as the value, which is finite. */
void json_float_text(double value, char ret_text[static JSON_FLOAT_SIZE]);
/* A JSON number with that text. NULL without memory or when `value` is not finite. */
json_object *json_float(double value);
