#include "daemon/front/http/json_maker.h"

#include <string.h>

#include "proto/json/json_build.h"
#include "proto/record/record.h"
#include "proto/text/float_text.h"

static json_object *made(struct json_maker *maker, json_object *value)
{
	if (!value)
		maker->failed = true;
	return value;
}

json_object *make_object(struct json_maker *maker)
{
	return made(maker, json_object_new_object());
}

json_object *make_array(struct json_maker *maker)
{
	return made(maker, json_object_new_array());
}

json_object *make_text(struct json_maker *maker, const char *text)
{
	return text ? made(maker, json_object_new_string(text)) : NULL;
}

json_object *make_int(struct json_maker *maker, int64_t value)
{
	return made(maker, json_object_new_int64(value));
}

json_object *make_float(struct json_maker *maker, double value)
{
	return made(maker, json_float(value));
}

void put(struct json_maker *maker, json_object *object, const char *name, json_object *value)
{
	if (!object)
		json_object_put(value);
	else if (json_add_member(object, name, value) < 0)
		maker->failed = true;
}

void append(struct json_maker *maker, json_object *array, json_object *value)
{
	if (array && json_object_array_add(array, value) == 0)
		return;
	json_object_put(value);
	maker->failed = true;
}

void put_text(struct json_maker *maker, json_object *object, const char *name, const char *text)
{
	put(maker, object, name, make_text(maker, text));
}

void put_int(struct json_maker *maker, json_object *object, const char *name, int64_t value)
{
	put(maker, object, name, make_int(maker, value));
}

void put_bool(struct json_maker *maker, json_object *object, const char *name, bool value)
{
	put(maker, object, name, made(maker, json_object_new_boolean(value)));
}

void put_copy(struct json_maker *maker, json_object *object, const char *name, json_object *from,
	      const char *from_name)
{
	put(maker, object, name, json_object_get(member(from, from_name)));
}

void put_present(struct json_maker *maker, json_object *object, const char *name, json_object *from,
		 const char *from_name)
{
	if (member(from, from_name))
		put_copy(maker, object, name, from, from_name);
}

json_object *member(json_object *object, const char *name)
{
	json_object *value = NULL;

	if (json_object_is_type(object, json_type_object))
		(void)json_object_object_get_ex(object, name, &value);
	return value;
}

static json_object *member_of_type(json_object *object, const char *name, json_type type)
{
	json_object *value = member(object, name);

	return value && json_object_is_type(value, type) ? value : NULL;
}

json_object *member_array(json_object *object, const char *name)
{
	return member_of_type(object, name, json_type_array);
}

json_object *member_object(json_object *object, const char *name)
{
	return member_of_type(object, name, json_type_object);
}

const char *member_text(json_object *object, const char *name)
{
	json_object *value = member_of_type(object, name, json_type_string);

	return value ? json_object_get_string(value) : NULL;
}

int64_t member_int(json_object *object, const char *name, int64_t fallback)
{
	json_object *value = member_of_type(object, name, json_type_int);

	return value ? json_object_get_int64(value) : fallback;
}

bool member_bool(json_object *object, const char *name)
{
	json_object *value = member_of_type(object, name, json_type_boolean);

	return value && json_object_get_boolean(value);
}

bool member_says(json_object *object, const char *name, const char *text)
{
	const char *said = member_text(object, name);

	return said && strcmp(said, text) == 0;
}

size_t array_length(json_object *array)
{
	return json_object_is_type(array, json_type_array) ? json_object_array_length(array) : 0;
}
