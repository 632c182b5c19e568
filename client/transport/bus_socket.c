#include "client/transport/bus_socket.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <systemd/sd-bus.h>
#include <unistd.h>

#include "client/transport/backoff.h"
#include "proto/json/json_check.h"
#include "proto/wire/bus_name.h"
#include "proto/wire/method.h"

#define STEPS_PER_TURN 64 // of sd_bus_process()
#define PATIENCE_USEC (5 * UINT64_C(1000000)) // from the first loss on, with what was there

struct bus_socket {
	bool system;
	sd_bus *bus; // NULL: the next try is awaited
	int epoll; // of the bus's descriptor and of `timer`
	int timer;
	int watched_fd; // the bus's; -1: none
	int result; // -EINPROGRESS; 1: `fd` is there; else why it cannot be had
	bool again; // what failed may go better with a new connection
	uint64_t give_up_usec; // 0: nothing was lost
	struct backoff backoff;
	int fd;
	struct fault fault;
};

/* ---- The answer ---- */

static const struct error_info *find_error(const char *dbus_name)
{
	for (size_t i = 0; i < n_interfaces; i++)
		for (size_t j = 0; j < interfaces[i]->n_errors; j++)
			if (strcmp(interfaces[i]->errors[j].dbus_name, dbus_name) == 0)
				return &interfaces[i]->errors[j];
	return NULL;
}

/* What the bus, or what it starts the daemon by, says; nothing was carried out whatever it is. */
static int code_of(const char *name)
{
	static const struct {
		const char *name;
		int code;
	} codes[] = {
		{ SD_BUS_ERROR_ACCESS_DENIED, -EACCES },
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
	socket->again = strcmp(error->name, SD_BUS_ERROR_NO_REPLY) == 0 ||
			strcmp(error->name, SD_BUS_ERROR_DISCONNECTED) == 0;
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

/* ---- A try ---- */

static void leave(struct bus_socket *socket)
{
	/* Before sd-bus closes it: a child of the process may keep it open. */
	if (socket->watched_fd >= 0)
		(void) epoll_ctl(socket->epoll, EPOLL_CTL_DEL, socket->watched_fd, NULL);
	socket->watched_fd = -1;
	sd_bus_close(socket->bus);
	socket->bus = sd_bus_unref(socket->bus);
}

static int ask(struct bus_socket *socket)
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

static void begin(struct bus_socket *socket)
{
	char buffer[BUS_ADDRESS_SIZE];
	const char *address = bus_address(socket->system, buffer);
	int r = address ? sd_bus_new(&socket->bus) : -ENOENT;

	if (r >= 0)
		r = sd_bus_set_address(socket->bus, address);
	if (r >= 0)
		r = sd_bus_set_bus_client(socket->bus, 1);
	if (r >= 0)
		r = sd_bus_start(socket->bus);
	if (r >= 0)
		r = ask(socket);
	socket->result = r < 0 ? r : -EINPROGRESS;
	/* It was there, and may come back. */
	socket->again = socket->give_up_usec != 0 && (r == -ENOENT || r == -ECONNREFUSED);
}

/* False when it has lasted too long. That the bus's queue is full is waited for as long as it takes. */
static bool plan_next_try(struct bus_socket *socket)
{
	uint64_t now = now_usec();

	if (socket->result != -EAGAIN) {
		if (!socket->again || (socket->give_up_usec != 0 && now >= socket->give_up_usec))
			return false;
		if (socket->give_up_usec == 0)
			socket->give_up_usec = now + PATIENCE_USEC;
	}
	leave(socket);
	backoff_failed(&socket->backoff, now);
	socket->result = -EINPROGRESS;
	socket->again = false;
	return true;
}

static void process(struct bus_socket *socket)
{
	int r = 1;

	for (int i = 0; r > 0 && i < STEPS_PER_TURN && socket->result == -EINPROGRESS; i++)
		r = sd_bus_process(socket->bus, NULL);
	if (r >= 0 || socket->result != -EINPROGRESS)
		return;
	/* The bus is gone; or it takes no further connection of ours for now. */
	socket->result = r == -ENOMEM ? r : -ECONNREFUSED;
	socket->again = r != -ENOMEM;
}

/* ---- Waiting ---- */

static int set_timer(struct bus_socket *socket, uint64_t usec)
{
	struct itimerspec time = { .it_value = { .tv_nsec = 0 } };

	if (usec != UINT64_MAX) {
		time.it_value.tv_sec = (time_t) (usec / 1000000);
		time.it_value.tv_nsec = (long) (usec % 1000000) * 1000 + (usec == 0);
	}
	return timerfd_settime(socket->timer, TFD_TIMER_ABSTIME, &time, NULL) < 0 ? -errno : 0;
}

/* For what there is to be waited for now. */
static int watch(struct bus_socket *socket)
{
	int fd = socket->bus ? sd_bus_get_fd(socket->bus) : -1;
	int events = fd < 0 ? fd : sd_bus_get_events(socket->bus);
	struct epoll_event event = { .events = (uint32_t) events }; // as epoll's
	uint64_t due;
	int r;

	if (!socket->bus)
		return set_timer(socket, socket->backoff.retry_usec);
	r = events < 0 ? events : sd_bus_get_timeout(socket->bus, &due);
	if (r >= 0)
		r = set_timer(socket, due);
	if (r >= 0 && epoll_ctl(socket->epoll, fd == socket->watched_fd ? EPOLL_CTL_MOD : EPOLL_CTL_ADD,
				fd, &event) < 0)
		r = -errno;
	if (r >= 0)
		socket->watched_fd = fd;
	return r < 0 ? r : 0;
}

int bus_socket_fd(const struct bus_socket *socket)
{
	return socket->epoll;
}

/* 0: there is something to wait for. */
static int go_on(struct bus_socket *socket)
{
	if (socket->result == -EINPROGRESS || (socket->result < 0 && plan_next_try(socket)))
		return watch(socket);
	return socket->result;
}

int bus_socket_step(struct bus_socket *socket, int *ret_fd, struct fault *fault)
{
	int r;

	if (!socket->bus && now_usec() >= socket->backoff.retry_usec)
		begin(socket);
	if (socket->bus)
		process(socket);
	r = go_on(socket);
	if (r < 0) {
		*fault = socket->fault;
	} else if (r > 0) {
		*ret_fd = socket->fd;
		socket->fd = -1;
	}
	return r;
}

/* ---- Life ---- */

int bus_socket_new(bool system, struct bus_socket **ret_socket)
{
	struct bus_socket *socket = calloc(1, sizeof(*socket));
	struct epoll_event event = { .events = EPOLLIN };
	int r;

	if (!socket)
		return -ENOMEM;
	socket->system = system;
	socket->watched_fd = socket->fd = -1;
	socket->epoll = epoll_create1(EPOLL_CLOEXEC);
	socket->timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	if (socket->epoll < 0 || socket->timer < 0 ||
	    epoll_ctl(socket->epoll, EPOLL_CTL_ADD, socket->timer, &event) < 0) {
		r = -errno;
	} else {
		begin(socket);
		r = go_on(socket);
	}
	if (r < 0) {
		bus_socket_free(socket);
		return r;
	}
	*ret_socket = socket;
	return 0;
}

struct bus_socket *bus_socket_free(struct bus_socket *socket)
{
	if (!socket)
		return NULL;
	/* With its watches; in a child after fork() they are the parent's, and sd-bus leaves its own. */
	if (socket->epoll >= 0)
		close(socket->epoll);
	if (socket->timer >= 0)
		close(socket->timer);
	if (socket->fd >= 0)
		close(socket->fd);
	sd_bus_close(socket->bus);
	sd_bus_unref(socket->bus);
	free(socket);
	return NULL;
}
