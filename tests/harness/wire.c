#include "tests/harness/wire.h"

#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "tests/harness/harness.h"
#include "tests/harness/json.h"

#define INTERFACE "org.elluminate."

struct wire {
	int fd;
	char *data;
	size_t start, end, allocated;
	size_t scanned; // no NUL before
};

struct wire *wire_take(int fd)
{
	struct wire *wire = calloc(1, sizeof(*wire));

	if (!wire)
		die("out of memory");
	wire->fd = fd;
	return wire;
}

struct wire *wire_try_open(const char *socket_path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd;

	if (strlen(socket_path) >= sizeof(address.sun_path))
		die("%s: too long for a socket", socket_path);
	strcpy(address.sun_path, socket_path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		die("socket: %s", strerror(errno));
	if (connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0) {
		int error = errno;

		close(fd);
		errno = error;
		return NULL;
	}
	return wire_take(fd);
}

struct wire *wire_open(const char *socket_path)
{
	struct wire *wire = wire_try_open(socket_path);

	if (!wire)
		die("%s: %s", socket_path, strerror(errno));
	return wire;
}

void wire_close(struct wire *wire)
{
	if (!wire)
		return;
	close(wire->fd);
	free(wire->data);
	free(wire);
}

int wire_fd(const struct wire *wire)
{
	return wire->fd;
}

bool wire_send(struct wire *wire, const char *bytes, size_t size)
{
	while (size > 0) {
		ssize_t n = send(wire->fd, bytes, size, MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return false;
		bytes += n;
		size -= (size_t)n;
	}
	return true;
}

bool wire_send_text(struct wire *wire, const char *message)
{
	return wire_send(wire, message, strlen(message) + 1);
}

static bool take_message(struct wire *wire, const char **ret_message)
{
	char *nul = wire->end > wire->scanned ?
			    memchr(wire->data + wire->scanned, '\0', wire->end - wire->scanned) :
			    NULL;

	if (!nul) {
		wire->scanned = wire->end;
		return false;
	}
	*ret_message = wire->data + wire->start;
	wire->start = wire->scanned = (size_t)(nul - wire->data) + 1;
	return true;
}

static void make_room(struct wire *wire)
{
	if (wire->start)
		memmove(wire->data, wire->data + wire->start, wire->end - wire->start);
	wire->end -= wire->start;
	wire->scanned -= wire->start;
	wire->start = 0;
	if (wire->allocated - wire->end >= 65536)
		return;
	wire->allocated = wire->allocated ? wire->allocated * 2 : 131072;
	wire->data = realloc(wire->data, wire->allocated);
	if (!wire->data)
		die("out of memory");
}

enum wire_outcome wire_receive(struct wire *wire, double seconds, const char **ret_message)
{
	double deadline = now_seconds() + seconds;

	while (!take_message(wire, ret_message)) {
		double left = deadline - now_seconds();
		struct pollfd readable = { .fd = wire->fd, .events = POLLIN };
		ssize_t n;
		int r = poll(&readable, 1, left > 0 ? (int)(left * 1000) + 1 : 0);

		if (r == 0)
			return WIRE_SILENT;
		if (r < 0)
			continue;
		make_room(wire);
		n = recv(wire->fd, wire->data + wire->end, wire->allocated - wire->end, 0);
		if (n == 0 || (n < 0 && errno == ECONNRESET))
			return WIRE_CLOSED;
		if (n > 0)
			wire->end += (size_t)n;
	}
	return WIRE_MESSAGE;
}

/* ---- Calls ---- */

static void send_call(struct wire *wire, const char *flags, const char *method,
		      const char *parameters, va_list arguments)
	__attribute__((format(printf, 4, 0)));
static void send_call(struct wire *wire, const char *flags, const char *method,
		      const char *parameters, va_list arguments)
{
	char *filled = vquoted(parameters, arguments);
	char *members = requoted(flags);
	char *message;

	if (asprintf(&message, "{\"method\":\"%s%s\",%s%s\"parameters\":%s}",
		     strchr(method, '.') ? "" : INTERFACE, method, members, members[0] ? "," : "",
		     filled) < 0)
		die("out of memory");
	if (!wire_send_text(wire, message))
		die("%s: the connection is gone", method);
	free(message);
	free(members);
	free(filled);
}

void wire_start(struct wire *wire, const char *flags, const char *method, const char *parameters,
		...)
{
	va_list arguments;

	va_start(arguments, parameters);
	send_call(wire, flags, method, parameters, arguments);
	va_end(arguments);
}

json_object *wire_next(struct wire *wire)
{
	const char *message = NULL;
	enum wire_outcome outcome = wire_receive(wire, WAIT_SECONDS, &message);

	if (outcome != WIRE_MESSAGE)
		die("no reply: the connection is %s",
		    outcome == WIRE_CLOSED ? "closed" : "silent");
	return json_must_parse(message);
}

json_object *wire_call(struct wire *wire, const char *method, const char *parameters, ...)
{
	json_object *reply, *result;
	va_list arguments;

	va_start(arguments, parameters);
	send_call(wire, "", method, parameters, arguments);
	va_end(arguments);
	reply = wire_next(wire);
	if (at_has(reply, "error"))
		die("%s failed: %s", method, json_object_to_json_string(reply));
	result = json_object_get(at_json(reply, "parameters"));
	json_object_put(reply);
	return result;
}

json_object *wire_refused(struct wire *wire, const char *error, const char *method,
			  const char *parameters, ...)
{
	char *name = text("%s%s", strchr(error, '.') ? "" : INTERFACE, error);
	json_object *reply;
	va_list arguments;

	va_start(arguments, parameters);
	send_call(wire, "", method, parameters, arguments);
	va_end(arguments);
	reply = wire_next(wire);
	if (!at_is(reply, "error", name))
		die("%s: %s was expected, not %.2000s", method, name,
		    json_object_to_json_string(reply));
	free(name);
	return reply;
}
