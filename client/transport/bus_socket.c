#include "client/transport/bus_socket.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-bus.h>
#include <unistd.h>

#include "proto/json/json_check.h"
#include "proto/wire/bus_name.h"
#include "proto/wire/method.h"

struct bus_socket {
	sd_bus *bus;
	int result; // -EINPROGRESS; 1: `fd` is there; else why it cannot be had
	int fd;
	struct fault fault;
};

/* ---- The answer ---- */

static const struct error_info *find_error(const char *dbus_name)
{
	const char *short_name = strrchr(dbus_name, '.');
	const struct error_info *info = short_name ? error_find_name(short_name + 1) : NULL;

	return info && strcmp(info->dbus_name, dbus_name) == 0 ? info : NULL;
}

/* What the bus, or what it starts the daemon by, says; nothing was carried out whatever it is. */
static int code_of(const char *name)
{
	static const struct {
		const char *name;
		int code;
	} codes[] = {
		{ SD_BUS_ERROR_ACCESS_DENIED, -EACCES },
		{ SD_BUS_ERROR_NO_REPLY, -ECONNRESET },
		{ SD_BUS_ERROR_DISCONNECTED, -ECONNRESET },
		{ SD_BUS_ERROR_NO_MEMORY, -ENOMEM },
		/* Whoever has the name, it is no daemon that hands sockets over. */
		{ SD_BUS_ERROR_UNKNOWN_OBJECT, -EPROTO },
		{ SD_BUS_ERROR_UNKNOWN_INTERFACE, -EPROTO },
		{ SD_BUS_ERROR_UNKNOWN_METHOD, -EPROTO },
	};

	for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++)
		if (strcmp(codes[i].name, name) == 0)
			return codes[i].code;
	return -ECONNREFUSED;
}

/* A sentence, and the members of the error as JSON. */
static void read_fault(sd_bus_message *message, const struct error_info *info, struct fault *fault)
{
	const char *sentence, *text;
	json_object *parameters = NULL;
	struct fault ignored;

	if (sd_bus_message_read(message, "ss", &sentence, &text) > 0)
		(void) json_parse_strict(text, strlen(text), &parameters, &ignored);
	(void) fault_from_parameters(info->qualified_name, parameters, fault);
	json_object_put(parameters);
}

static void read_error(struct bus_socket *socket, sd_bus_message *message)
{
	const sd_bus_error *error = sd_bus_message_get_error(message);
	const struct error_info *info = find_error(error->name);

	socket->result = info ? info->code : code_of(error->name);
	if (info)
		read_fault(message, info, &socket->fault);
}

static int on_answer(sd_bus_message *message, void *userdata, sd_bus_error *ret_error)
{
	struct bus_socket *socket = userdata;
	int fd; // the message's

	(void) ret_error;
	if (sd_bus_message_is_method_error(message, NULL)) {
		read_error(socket, message);
	} else if (sd_bus_message_read(message, "h", &fd) <= 0) {
		socket->result = -EPROTO;
	} else {
		socket->fd = fcntl(fd, F_DUPFD_CLOEXEC, 3);
		socket->result = socket->fd < 0 ? -errno : 1;
	}
	return 1;
}

/* ---- The bus ---- */

static int ask_manager(struct bus_socket *socket)
{
	sd_bus_message *call = NULL;
	int r = sd_bus_message_new_method_call(socket->bus, &call, BUS_NAME, BUS_PATH, BUS_MANAGER,
					       "OpenSocket");

	/* The daemon may take its time, as it may for any call. */
	if (r >= 0)
		r = sd_bus_call_async(socket->bus, NULL, call, on_answer, socket, UINT64_MAX);
	sd_bus_message_unref(call);
	return r;
}

static int open_bus(struct bus_socket *socket, bool system)
{
	char buffer[BUS_ADDRESS_SIZE];
	const char *address = bus_address(system, buffer);
	int r = address ? sd_bus_new(&socket->bus) : -ENOENT;

	if (r >= 0)
		r = sd_bus_set_address(socket->bus, address);
	if (r >= 0)
		r = sd_bus_set_bus_client(socket->bus, 1);
	if (r >= 0)
		r = sd_bus_start(socket->bus);
	return r < 0 ? r : ask_manager(socket);
}

int bus_socket_new(bool system, struct bus_socket **ret_socket)
{
	struct bus_socket *socket = calloc(1, sizeof(*socket));
	int r;

	if (!socket)
		return -ENOMEM;
	socket->result = -EINPROGRESS;
	socket->fd = -1;
	r = open_bus(socket, system);
	if (r < 0)
		bus_socket_free(socket);
	else
		*ret_socket = socket;
	return r < 0 ? r : 0;
}

struct bus_socket *bus_socket_free(struct bus_socket *socket)
{
	if (!socket)
		return NULL;
	if (socket->fd >= 0)
		close(socket->fd);
	sd_bus_close(socket->bus); // in a child after fork() it leaves the parent's alone
	sd_bus_unref(socket->bus);
	free(socket);
	return NULL;
}

int bus_socket_fd(const struct bus_socket *socket)
{
	return sd_bus_get_fd(socket->bus);
}

short bus_socket_events(const struct bus_socket *socket)
{
	int events = sd_bus_get_events(socket->bus);

	return events < 0 ? POLLIN : (short) events;
}

int bus_socket_step(struct bus_socket *socket, int *ret_fd)
{
	int r = 1;

	while (r > 0 && socket->result == -EINPROGRESS)
		r = sd_bus_process(socket->bus, NULL);
	/* The bus is gone; or it takes no further connection of ours for now. */
	if (r < 0 && socket->result == -EINPROGRESS)
		socket->result = r == -ENOMEM ? r : -ECONNRESET;
	if (socket->result == -EINPROGRESS)
		return 0;
	*ret_fd = socket->fd;
	socket->fd = -1;
	return socket->result;
}

const struct fault *bus_socket_fault(const struct bus_socket *socket)
{
	return socket->fault.code ? &socket->fault : NULL;
}
