#include "tests/harness/json.h"

#include <stdlib.h>
#include <string.h>

#include "tests/harness/harness.h"

json_object *json_must_parse(const char *json)
{
	json_object *object = json_tokener_parse(json);

	if (!object)
		die("not JSON: %.200s", json);
	return object;
}

json_object *at_json(json_object *json, const char *path)
{
	char *copy = strdup(path), *rest = copy, *name;

	while (json && (name = strsep(&rest, ".")) && name[0]) {
		json_object *next = NULL;

		if (json_object_is_type(json, json_type_array))
			next = json_object_array_get_idx(json, strtoul(name, NULL, 10));
		else if (json_object_is_type(json, json_type_object))
			json_object_object_get_ex(json, name, &next);
		json = next;
	}
	free(copy);
	return json;
}

bool at_has(json_object *json, const char *path)
{
	return at_json(json, path) != NULL;
}

static json_object *must_be(json_object *json, const char *path, json_type type)
{
	json_object *value = at_json(json, path);

	if (!json_object_is_type(value, type))
		die("no %s '%s' in %.2000s", json_type_to_name(type), path,
		    json_object_to_json_string(json));
	return value;
}

bool at_is(json_object *json, const char *path, const char *value)
{
	json_object *found = at_json(json, path);

	return json_object_is_type(found, json_type_string) &&
	       strcmp(json_object_get_string(found), value) == 0;
}

int64_t at_int(json_object *json, const char *path)
{
	return json_object_get_int64(must_be(json, path, json_type_int));
}

double at_number(json_object *json, const char *path)
{
	json_object *value = at_json(json, path);

	if (json_object_is_type(value, json_type_int))
		return (double)json_object_get_int64(value);
	return json_object_get_double(must_be(json, path, json_type_double));
}

bool at_bool(json_object *json, const char *path)
{
	return json_object_get_boolean(must_be(json, path, json_type_boolean));
}

const char *at_text(json_object *json, const char *path)
{
	return json_object_get_string(must_be(json, path, json_type_string));
}

size_t at_count(json_object *json, const char *path)
{
	return json_object_array_length(must_be(json, path, json_type_array));
}
