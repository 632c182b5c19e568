/* Values of the bus as JSON: what an a{sv} of options can hold. */
#include <errno.h>
#include <string.h>

#include "daemon/front/bus_internal.h"

/* A basic value; NULL for a type that options do not have. */
static json_object *read_basic(sd_bus_message *message, char type)
{
	union {
		int boolean;
		uint8_t byte;
		int16_t int16;
		uint16_t uint16;
		int32_t int32;
		uint32_t uint32;
		int64_t int64;
		uint64_t uint64;
		double number;
		const char *text;
	} value;

	if (!strchr("bynqiuxtdso", type) || sd_bus_message_read_basic(message, type, &value) <= 0)
		return NULL;
	switch (type) {
	case 'b':
		return json_object_new_boolean(value.boolean);
	case 'y':
		return json_object_new_int64(value.byte);
	case 'n':
		return json_object_new_int64(value.int16);
	case 'q':
		return json_object_new_int64(value.uint16);
	case 'i':
		return json_object_new_int64(value.int32);
	case 'u':
		return json_object_new_int64(value.uint32);
	case 'x':
		return json_object_new_int64(value.int64);
	case 't':
		return json_object_new_uint64(value.uint64);
	case 'd':
		return json_float(value.number);
	default:
		return json_object_new_string(value.text);
	}
}

/* An array of one basic type. */
static json_object *read_array(sd_bus_message *message, const char *contents)
{
	json_object *array = json_object_new_array();
	json_object *item;

	if (!array || strlen(contents) != 2 ||
	    sd_bus_message_enter_container(message, 'a', contents + 1) <= 0) {
		json_object_put(array);
		return NULL;
	}
	while ((item = read_basic(message, contents[1])))
		json_object_array_add(array, item);
	(void)sd_bus_message_exit_container(message);
	return array;
}

static json_object *read_variant(sd_bus_message *message)
{
	const char *contents;
	json_object *value;
	char type;

	if (sd_bus_message_peek_type(message, &type, &contents) <= 0 || type != 'v' ||
	    sd_bus_message_enter_container(message, 'v', contents) <= 0)
		return NULL;
	value = contents[0] == 'a' ? read_array(message, contents) :
				     read_basic(message, contents[1] ? '\0' : contents[0]);
	return value && sd_bus_message_exit_container(message) < 0 ?
		       (json_object_put(value), NULL) :
		       value;
}

int bus_read_options(sd_bus_message *message, json_object *object, struct fault *fault)
{
	const char *name;
	int r = sd_bus_message_enter_container(message, 'a', "{sv}");

	while (r >= 0 && (r = sd_bus_message_enter_container(message, 'e', "sv")) > 0) {
		json_object *value;

		r = sd_bus_message_read(message, "s", &name);
		value = r < 0 ? NULL : read_variant(message);
		if (!value)
			return fault_invalid(fault, r < 0 ? "options" : name,
					     "a boolean, a number, a text, or an array of them");
		json_object_object_add(object, name, value);
		r = sd_bus_message_exit_container(message);
	}
	if (r < 0 || sd_bus_message_exit_container(message) < 0)
		return fault_invalid(fault, "options", "a dictionary of texts to values");
	return 0;
}
