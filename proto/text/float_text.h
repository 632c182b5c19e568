/* Floating-point numbers as texts that read back the same, whatever the program's locale. */
#pragma once

#include <json-c/json.h>
#include <stdbool.h>

#define JSON_FLOAT_SIZE 32

/* The shortest text that reads back as the value, which is finite. */
void json_float_text(double value, char ret_text[static JSON_FLOAT_SIZE]);
/* The digits of a number of no more than nine decimals, which is what they divide to and reads back as: a tenth
 * of the time that printf() takes. False of others. */
bool json_decimal_text(double value, char ret_text[static JSON_FLOAT_SIZE]);
/* A JSON number with the shortest text. NULL without memory or when `value` is not finite. */
json_object *json_float(double value);
