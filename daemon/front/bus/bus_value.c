/* Values of the bus as JSON: what an a{sv} of options can hold. */
#include <errno.h>
#include <string.h>

#include "daemon/front/bus/bus_internal.h"
#include "proto/limits.h"
#include "proto/text/float_text.h"

#define BASIC_TYPES "bynqiuxtdso"
/* No bytes: an array of them is a file, and the interface has none. */
#define ITEM_TYPES "bnqiuxtdso"
#define OPTION_TYPES "a boolean, a number, a text, or an array of them"

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

	if (!strchr(BASIC_TYPES, type) || sd_bus_message_read_basic(message, type, &value) <= 0)
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

/* Reads a dictionary's next entry as far as its value. 0: there is none. */
static int next_entry(sd_bus_message *message, const char **ret_name)
{
	int r = sd_bus_message_enter_container(message, 'e', "sv");

	if (r > 0 && sd_bus_message_read(message, "s", ret_name) < 0)
		r = -EBADMSG;
	return r;
}

int bus_read_options(sd_bus_message *message, json_object *object, struct fault *fault)
{
	const char *name;
	int r = sd_bus_message_enter_container(message, 'a', "{sv}");

	while (r >= 0 && (r = next_entry(message, &name)) > 0) {
		json_object *value = read_variant(message);

		if (!value)
			return fault_invalid(fault, name, OPTION_TYPES);
		json_object_object_add(object, name, value);
		r = sd_bus_message_exit_container(message);
	}
	if (r < 0 || sd_bus_message_exit_container(message) < 0)
		return fault_invalid(fault, "options", "a dictionary of texts to values");
	return 0;
}

/* ---- How much it is ---- */

/* Bytes of a basic value, or negative. */
static int64_t measure_basic(sd_bus_message *message, char type)
{
	const char *text;
	int r;

	if (!strchr("so", type))
		r = sd_bus_message_skip(message, (const char[]){ type, '\0' });
	else
		r = sd_bus_message_read_basic(message, type, &text);
	if (r <= 0)
		return r;
	return strchr("so", type) ? (int64_t)strlen(text) + 1 : 8;
}

/* An array's items are counted no further than they may be. */
static int64_t measure_array(sd_bus_message *message, const char *contents)
{
	int64_t bytes = 1, one = 0;

	if (strlen(contents) != 2 || !strchr(ITEM_TYPES, contents[1]) ||
	    sd_bus_message_enter_container(message, 'a', contents + 1) <= 0)
		return -EINVAL;
	for (int n = 0; (one = measure_basic(message, contents[1])) > 0; n++) {
		if (n == BUS_ITEMS_MAX)
			return -E2BIG;
		bytes += one;
	}
	return one < 0 || sd_bus_message_exit_container(message) < 0 ? -EBADMSG : bytes;
}

static int64_t measure_variant(sd_bus_message *message)
{
	const char *contents;
	int64_t bytes = -EINVAL;
	char type;

	if (sd_bus_message_peek_type(message, &type, &contents) <= 0 || type != 'v' ||
	    sd_bus_message_enter_container(message, 'v', contents) <= 0)
		return -EBADMSG;
	if (contents[0] == 'a')
		bytes = measure_array(message, contents);
	else if (!contents[1] && strchr(BASIC_TYPES, contents[0]))
		bytes = measure_basic(message, contents[0]);
	return bytes >= 0 && sd_bus_message_exit_container(message) < 0 ? -EBADMSG : bytes;
}

static int measure_options(sd_bus_message *message, int64_t *bytes, struct fault *fault)
{
	const char *name = "options";
	int r = sd_bus_message_enter_container(message, 'a', "{sv}");

	for (int n = 0; r >= 0 && (r = next_entry(message, &name)) > 0; n++) {
		int64_t value = n < BUS_OPTIONS_MAX ? measure_variant(message) : -E2BIG;

		if (n == BUS_OPTIONS_MAX)
			return fault_invalid(fault, "options", "at most %d of them",
					     BUS_OPTIONS_MAX);
		if (value == -E2BIG)
			return fault_invalid(fault, name, "at most %d items", BUS_ITEMS_MAX);
		if (value < 0)
			return fault_invalid(fault, name, OPTION_TYPES);
		*bytes += value + (int64_t)strlen(name) + 1;
		r = sd_bus_message_exit_container(message);
	}
	if (r < 0 || sd_bus_message_exit_container(message) < 0)
		return fault_invalid(fault, "options", "a dictionary of texts to values");
	return 0;
}

int bus_measure(sd_bus_message *message, int64_t *ret_bytes, struct fault *fault)
{
	const char *contents;
	int64_t bytes = 0;
	char type;
	int r;

	while ((r = sd_bus_message_peek_type(message, &type, &contents)) > 0) {
		int64_t one = 0;

		if (type == 'a')
			r = measure_options(message, &bytes, fault);
		else
			one = type == 'v' ? measure_variant(message) : measure_basic(message, type);
		if (r < 0)
			return r;
		if (one < 0)
			return fault_invalid(fault, "value", OPTION_TYPES);
		bytes += one;
	}
	if (r < 0 || sd_bus_message_rewind(message, /* complete= */ true) < 0)
		return fault_message(fault, 0, "the arguments cannot be read");
	if (bytes > MESSAGE_SIZE_MAX)
		return fault_too_large(fault, MESSAGE_SIZE_MAX, "the message");
	*ret_bytes = bytes;
	return 0;
}
