/* Members of JSON objects, as the library reads and writes them for the bus. */
#pragma once

#include <errno.h>
#include <json-c/json.h>
#include <stdbool.h>
#include <stdint.h>

#include "proto/json_build.h"

/* What is not there, or of another type, reads as 0, "" or false. */
static inline int64_t bus_json_int(json_object *object, const char *name)
{
	json_object *value;

	return json_object_object_get_ex(object, name, &value) ? json_object_get_int64(value) : 0;
}

static inline const char *bus_json_text(json_object *object, const char *name)
{
	json_object *value;

	if (!json_object_object_get_ex(object, name, &value) ||
	    !json_object_is_type(value, json_type_string))
		return "";
	return json_object_get_string(value);
}

static inline bool bus_json_is_set(json_object *object, const char *name)
{
	json_object *value;

	return json_object_object_get_ex(object, name, &value) &&
	       json_object_is_type(value, json_type_boolean) && json_object_get_boolean(value);
}

/* Takes the value; NULL is -ENOMEM. */
static inline int bus_json_add(json_object *object, const char *name, json_object *value)
{
	return value ? json_add_member(object, name, value) : -ENOMEM;
}
