/*
 * JSON trees, made and read member by member where routes put one shape into another. What fails for
 * lack of memory is remembered in the maker, so that a shape is written without looking at each step;
 * what was made then is of no use, and goes with json_object_put() like any other.
 */
#pragma once

#include <json-c/json.h>
#include <stdbool.h>
#include <stdint.h>

struct json_maker {
	bool failed;
};

json_object *make_object(struct json_maker *maker);
json_object *make_array(struct json_maker *maker);
json_object *make_text(struct json_maker *maker, const char *text); // NULL: null
json_object *make_int(struct json_maker *maker, int64_t value);
json_object *make_float(struct json_maker *maker, double value);

/* Take the value; NULL is null. */
void put(struct json_maker *maker, json_object *object, const char *name, json_object *value);
void append(struct json_maker *maker, json_object *array, json_object *value);

/* The same of what is made on the way. */
void put_text(struct json_maker *maker, json_object *object, const char *name, const char *text);
void put_int(struct json_maker *maker, json_object *object, const char *name, int64_t value);
void put_bool(struct json_maker *maker, json_object *object, const char *name, bool value);
/* What `from` has by that name, shared; null where it has none. */
void put_copy(struct json_maker *maker, json_object *object, const char *name, json_object *from,
	      const char *from_name);
/* The same, and no member where there is none. */
void put_present(struct json_maker *maker, json_object *object, const char *name, json_object *from,
		 const char *from_name);

/* ---- Reading: of what is no object, or has no such member, or one of another kind ---- */

json_object *member(json_object *object, const char *name); // NULL, as for null
json_object *member_array(json_object *object, const char *name); // NULL
json_object *member_object(json_object *object, const char *name); // NULL
const char *member_text(json_object *object, const char *name); // NULL
int64_t member_int(json_object *object, const char *name, int64_t fallback);
bool member_bool(json_object *object, const char *name); // false
bool member_says(json_object *object, const char *name, const char *text); // false
size_t array_length(json_object *array); // 0
