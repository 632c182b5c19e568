/*
 * Arguments that come over the bus: a message is built from the bytes, goes through a socket pair
 * as it would through a bus, and is measured and read by the code of the D-Bus front. What is
 * taken fits the limits; what is built of it is as much as was measured.
 *
 * The bytes are a little program: see build().
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <systemd/sd-bus.h>

#include "daemon/front/bus/bus_internal.h"
#include "proto/limits.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct input {
	const uint8_t *data;
	size_t size;
};

static void require(int condition)
{
	if (!condition)
		abort();
}

static unsigned take(struct input *input)
{
	if (!input->size)
		return 0;
	input->size--;
	return *input->data++;
}

/* A text of the next bytes, without what a text of the bus cannot have. */
static const char *take_text(struct input *input, char text[64])
{
	size_t n = take(input) % 63;

	for (size_t i = 0; i < n; i++)
		text[i] = (char)(1 + take(input) % 126);
	text[n] = '\0';
	return text;
}

static int append_basic(sd_bus_message *message, char type, struct input *input)
{
	union {
		uint64_t number;
		int boolean;
		double fraction;
	} value = { 0 };
	char text[64];

	if (type == 's')
		return sd_bus_message_append_basic(message, 's', take_text(input, text));
	if (type == 'o')
		return sd_bus_message_append_basic(message, 'o', "/org/elluminate");
	if (type == 'g')
		return sd_bus_message_append_basic(message, 'g', "a{sv}");
	for (int i = 0; i < 8; i++)
		value.number = value.number << 8 | take(input);
	if (type == 'b')
		value.boolean &= 1;
	return sd_bus_message_append_basic(message, type, &value);
}

/* A type, then its value: a basic one, an array, or what options do not have. */
static int append_variant(sd_bus_message *message, struct input *input)
{
	static const char types[] = "bynqiuxtdsog";
	char type = types[take(input) % (sizeof(types) - 1)];
	char contents[4] = { type, '\0' };
	unsigned kind = take(input) % 4, n = take(input) * (take(input) % 8);
	int r;

	if (kind == 1)
		memcpy(contents, (const char[]){ 'a', type, '\0' }, 3);
	else if (kind == 2)
		memcpy(contents, (const char[]){ 'v', '\0' }, 2);
	r = sd_bus_message_open_container(message, 'v', contents);
	if (r >= 0 && kind == 1)
		r = sd_bus_message_open_container(message, 'a', contents + 1);
	if (r >= 0 && kind == 2)
		r = sd_bus_message_open_container(message, 'v', (const char[]){ type, '\0' });
	if (kind != 1)
		n = 1;
	for (unsigned i = 0; i < n && r >= 0; i++)
		r = append_basic(message, type, input);
	if (r >= 0 && kind != 0 && kind != 3)
		r = sd_bus_message_close_container(message);
	return r < 0 ? r : sd_bus_message_close_container(message);
}

static int append_options(sd_bus_message *message, struct input *input)
{
	unsigned n = take(input) % 80;
	int r = sd_bus_message_open_container(message, 'a', "{sv}");
	char name[64];

	for (unsigned i = 0; i < n && r >= 0; i++) {
		r = sd_bus_message_open_container(message, 'e', "sv");
		if (r >= 0)
			r = sd_bus_message_append(message, "s", take_text(input, name));
		if (r >= 0)
			r = append_variant(message, input);
		if (r >= 0)
			r = sd_bus_message_close_container(message);
	}
	return r < 0 ? r : sd_bus_message_close_container(message);
}

/* The first byte says which arguments there are: those of RunExperiment, ListTasks, Call, Set. */
static int build(sd_bus_message *message, struct input *input)
{
	unsigned kind = take(input) % 4;
	char text[64];
	int r = 0;

	if (kind == 0 || kind == 2)
		r = sd_bus_message_append(message, "s", take_text(input, text));
	if (r >= 0 && kind == 2)
		r = sd_bus_message_append(message, "s", take_text(input, text));
	if (r >= 0 && kind < 2)
		r = append_options(message, input);
	if (r >= 0 && kind == 3)
		r = append_variant(message, input);
	return r;
}

static void read_arguments(sd_bus_message *message)
{
	json_object *object = json_object_new_object();
	struct fault fault = { 0 };
	int64_t bytes = -1;
	int r = bus_measure(message, &bytes, &fault);

	require(r >= 0 ? bytes >= 0 && bytes <= MESSAGE_SIZE_MAX : fault.code && fault.message[0]);
	if (r >= 0 && sd_bus_message_has_signature(message, "sa{sv}"))
		(void)sd_bus_message_skip(message, "s");
	if (r >= 0 && (sd_bus_message_has_signature(message, "sa{sv}") ||
		       sd_bus_message_has_signature(message, "a{sv}"))) {
		r = bus_read_options(message, object, &fault);
		require(r >= 0 || (fault.code && fault.message[0]));
		require(json_object_object_length(object) <= BUS_OPTIONS_MAX);
		json_object_object_foreach(object, name, value)
		{
			require(strlen(name) < (size_t)bytes);
			require(!json_object_is_type(value, json_type_array) ||
				json_object_array_length(value) <= BUS_ITEMS_MAX);
		}
	}
	json_object_put(object);
}

static int on_message(sd_bus_message *message, void *userdata, sd_bus_error *error)
{
	(void)error;
	if (!sd_bus_message_is_method_call(message, "a.b", "C"))
		return 0;
	read_arguments(message);
	*(int *)userdata = 1;
	return 1;
}

static sd_bus *open_side(int fd, int is_server)
{
	static const sd_id128_t id = { .bytes = { 1 } };
	sd_bus *bus = NULL;

	require(sd_bus_new(&bus) >= 0 && sd_bus_set_fd(bus, fd, fd) >= 0 &&
		(!is_server || sd_bus_set_server(bus, 1, id) >= 0) &&
		sd_bus_set_anonymous(bus, 1) >= 0 && sd_bus_start(bus) >= 0);
	return bus;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input input = { data, size };
	sd_bus_message *message = NULL;
	sd_bus *client, *server;
	int fds[2], arrived = 0;

	require(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds) == 0);
	server = open_side(fds[0], 1);
	client = open_side(fds[1], 0);
	require(sd_bus_add_filter(server, NULL, on_message, &arrived) >= 0);
	require(sd_bus_message_new_method_call(client, &message, NULL, "/", "a.b", "C") >= 0);
	if (build(message, &input) >= 0 && sd_bus_send(client, message, NULL) >= 0)
		while (!arrived) {
			require(sd_bus_process(client, NULL) >= 0);
			require(sd_bus_process(server, NULL) >= 0);
		}
	sd_bus_message_unref(message);
	sd_bus_close_unref(client);
	sd_bus_close_unref(server);
	return 0;
}
