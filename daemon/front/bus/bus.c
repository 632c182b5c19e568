#include "daemon/front/bus/bus.h"

#include <errno.h>
#include <event2/event.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon/base/clock.h"
#include "daemon/base/log.h"
#include "daemon/base/loop.h"
#include "daemon/front/bus/bus_internal.h"
#include "daemon/front/front.h"

/* So long are messages taken in one turn; then others have theirs. */
#define TURN_USEC 50
#define RETRY_FIRST_USEC (1 * USEC_PER_SEC)
#define RETRY_LAST_USEC (60 * USEC_PER_SEC)

static void connect_bus(struct bus *bus);

static void settle(struct bus *bus)
{
	if (bus->settled)
		return;
	bus->settled = true;
	event_del(bus->settle);
	bus->options.settled(bus->options.userdata);
}

/* ---- sd-bus on our loop ---- */

static void forget_events(struct bus *bus)
{
	if (bus->io)
		event_free(bus->io);
	bus->io = NULL;
	bus->io_fd = -1;
	bus->io_events = 0;
	event_del(bus->timer);
	bus->timer_usec = UINT64_MAX;
}

static void tell_left(struct bus *bus)
{
	void (*left)(void *userdata) = bus->left;

	bus->left = NULL;
	if (left)
		left(bus->left_userdata);
}

static void disconnect(struct bus *bus)
{
	if (!bus->bus)
		return;
	/* libevent must let go of the descriptor before sd-bus closes it. */
	forget_events(bus);
	front_take_back(bus->options.front);
	bus_tasks_drop(bus);
	bus_peers_drop(bus);
	sd_bus_close(bus->bus);
	bus->bus = sd_bus_unref(bus->bus);
	bus->connected = bus->owned = false;
	bus->options.service->bus = NULL;
	bus_give_sent_back(bus);
	tell_left(bus);
}

static void connect_later(struct bus *bus)
{
	const struct timeval delay = { .tv_sec = (time_t)(bus->retry_usec / USEC_PER_SEC) };

	if (bus->released)
		return;
	(void)event_add(bus->again, &delay);
	if (bus->retry_usec < RETRY_LAST_USEC)
		bus->retry_usec *= 2;
}

/* The connection cannot be used any more: it is closed, and another one is made later. */
static void bus_fail(struct bus *bus, int error)
{
	if (bus->owned)
		log_warning("the message bus went away: %s; tasks and the socket go on",
			    strerror(-error));
	disconnect(bus);
	settle(bus);
	connect_later(bus);
}

static void process(struct bus *bus)
{
	int64_t end = clock_monotonic_usec() + TURN_USEC;
	int r;

	do
		r = sd_bus_process(bus->bus, NULL);
	while (r > 0 && bus->bus && clock_monotonic_usec() < end);
	if (r < 0)
		bus_fail(bus, r);
	else if (bus->held_back && bus_has_room(bus))
		bus_tasks_resume(bus);
}

static void on_io(evutil_socket_t fd, short events, void *userdata)
{
	struct bus *bus = userdata;

	(void)fd;
	(void)events;
	bus->io_events = 0; // not persistent: bus_prepare() adds it again
	process(bus);
}

static void on_timer(evutil_socket_t fd, short events, void *userdata)
{
	struct bus *bus = userdata;

	(void)fd;
	(void)events;
	bus->timer_usec = UINT64_MAX;
	if (bus->bus)
		process(bus);
}

static int prepare_io(struct bus *bus)
{
	int fd = sd_bus_get_fd(bus->bus);
	int events = sd_bus_get_events(bus->bus);
	short wanted;

	if (fd < 0 || events < 0)
		return fd < 0 ? fd : events;
	wanted = (short)((events & POLLIN ? EV_READ : 0) | (events & POLLOUT ? EV_WRITE : 0));
	if (fd == bus->io_fd && wanted == bus->io_events)
		return 0;
	if (bus->io)
		event_free(bus->io);
	bus->io = event_new(loop_base(bus->options.loop), fd, wanted, on_io, bus);
	bus->io_fd = fd;
	bus->io_events = wanted;
	if (!bus->io || (wanted && event_add(bus->io, NULL) < 0))
		return -ENOMEM;
	return 0;
}

/* The time is absolute, on the monotonic clock; rounded up, so that it is never early. */
static int prepare_timer(struct bus *bus)
{
	struct timeval timeout = { 0 };
	int64_t left;
	uint64_t due;
	int r = sd_bus_get_timeout(bus->bus, &due);

	if (r < 0 || due == bus->timer_usec)
		return r;
	bus->timer_usec = due;
	if (due == UINT64_MAX)
		return event_del(bus->timer);
	left = (int64_t)due - clock_monotonic_usec();
	if (left > 0) {
		timeout.tv_sec = (time_t)(left / USEC_PER_SEC);
		timeout.tv_usec = (suseconds_t)(left % USEC_PER_SEC) + 1;
	}
	return event_add(bus->timer, &timeout);
}

void bus_prepare(struct bus *bus)
{
	int r;

	if (!bus || !bus->bus)
		return;
	bus_give_sent_back(bus);
	r = prepare_io(bus);
	if (r >= 0)
		r = prepare_timer(bus);
	if (r < 0)
		bus_fail(bus, r);
}

/* ---- The name ---- */

static int on_name(sd_bus_message *message, void *userdata, sd_bus_error *ret_error)
{
	struct bus *bus = userdata;
	uint32_t outcome = 0;

	(void)ret_error;
	if (sd_bus_message_is_method_error(message, NULL)) {
		log_warning("the name %s cannot be had on the bus: %s", BUS_NAME,
			    sd_bus_message_get_error(message)->message);
	} else if (sd_bus_message_read(message, "u", &outcome) < 0 || outcome != 1) {
		log_warning("the name %s is another's on the bus", BUS_NAME);
	} else {
		bus->owned = true;
		bus->options.service->bus = bus->options.system ? "system" : "session";
		bus->retry_usec = RETRY_FIRST_USEC;
		log_info("serves on the %s bus as %s", bus->options.system ? "system" : "session",
			 BUS_NAME);
		if (bus_tasks_follow(bus) < 0)
			log_error("out of memory: no signals are sent on the bus");
	}
	settle(bus);
	return 1;
}

static int on_name_again(sd_bus_message *message, void *userdata, sd_bus_error *ret_error)
{
	uint32_t outcome = 0;

	(void)ret_error;
	if (sd_bus_message_is_method_error(message, NULL) ||
	    sd_bus_message_read(message, "u", &outcome) < 0 || outcome != 1)
		bus_fail(userdata, -EADDRINUSE); // connects anew, and asks again
	return 1;
}

static int on_connected(sd_bus_message *message, void *userdata, sd_bus_error *ret_error)
{
	struct bus *bus = userdata;
	int r = bus_peers_follow_polkit(bus);

	(void)message;
	(void)ret_error;
	if (r < 0)
		return r;
	bus->connected = true;
	/* Objects are there before the name is, so that nobody who waits for it misses them. */
	return sd_bus_request_name_async(bus->bus, NULL, BUS_NAME, 0, on_name, bus);
}

static int on_message(sd_bus_message *message, void *userdata, sd_bus_error *ret_error)
{
	(void)ret_error;
	return bus_tree_take(userdata, message);
}

/* ---- Connecting ---- */

static int open_bus(struct bus *bus, const char *address)
{
	sd_bus *new = NULL;
	int r = sd_bus_new(&new);

	bus->bus = new;
	if (r >= 0)
		r = sd_bus_set_address(new, address);
	if (r >= 0)
		r = sd_bus_set_bus_client(new, 1);
	/* Without a bus its socket is watched for, so that nothing wakes up in vain. */
	if (r >= 0)
		r = sd_bus_set_watch_bind(new, 1);
	if (r >= 0)
		r = sd_bus_set_connected_signal(new, 1);
	if (r >= 0)
		r = sd_bus_add_fallback(new, NULL, BUS_PATH, on_message, bus);
	if (r >= 0)
		r = sd_bus_match_signal_async(new, NULL, "org.freedesktop.DBus.Local", NULL,
					      "org.freedesktop.DBus.Local", "Connected",
					      on_connected, NULL, bus);
	return r < 0 ? r : sd_bus_start(new);
}

/* Nobody waits for a bus whose socket is not there yet; it is joined when it is. */
static bool is_absent(const char *address)
{
	static const char prefix[] = "unix:path=";
	char path[BUS_ADDRESS_SIZE];

	if (strncmp(address, prefix, sizeof(prefix) - 1) != 0)
		return false;
	snprintf(path, sizeof(path), "%s", address + sizeof(prefix) - 1);
	path[strcspn(path, ",;")] = '\0';
	return access(path, F_OK) < 0;
}

static void connect_bus(struct bus *bus)
{
	char buffer[BUS_ADDRESS_SIZE];
	const char *address = bus_address(bus->options.system, buffer);
	int r;

	if (!address) {
		/* We were started outside of any session: the user's next one has its bus here. */
		snprintf(buffer, sizeof(buffer), "unix:path=/run/user/%u/bus", (unsigned)getuid());
		address = buffer;
	}
	r = open_bus(bus, address);
	if (r < 0)
		bus_fail(bus, r);
	else if (is_absent(address))
		settle(bus);
	bus_prepare(bus);
}

static void on_again(evutil_socket_t fd, short events, void *userdata)
{
	(void)fd;
	(void)events;
	connect_bus(userdata);
}

static void on_settle(evutil_socket_t fd, short events, void *userdata)
{
	(void)fd;
	(void)events;
	settle(userdata);
}

/* ---- Life ---- */

int bus_new(const struct bus_options *options, struct bus **ret_bus)
{
	static const struct timeval settle_time = { .tv_sec = BUS_SETTLE_SECONDS };
	static const struct timeval now = { 0 };
	struct event_base *base = loop_base(options->loop);
	struct bus *bus = calloc(1, sizeof(*bus));

	if (!bus)
		return -ENOMEM;
	bus->options = *options;
	bus->io_fd = -1;
	bus->timer_usec = UINT64_MAX;
	bus->retry_usec = RETRY_FIRST_USEC;
	bus->timer = event_new(base, -1, 0, on_timer, bus);
	bus->again = event_new(base, -1, 0, on_again, bus);
	bus->settle = event_new(base, -1, 0, on_settle, bus);
	if (!bus->timer || !bus->again || !bus->settle || event_add(bus->again, &now) < 0 ||
	    event_add(bus->settle, &settle_time) < 0) {
		bus_free(bus);
		return -ENOMEM;
	}
	*ret_bus = bus;
	return 0;
}

/* The bus delivers in order: what was sent to the name before is here. */
static int on_left(sd_bus_message *message, void *userdata, sd_bus_error *ret_error)
{
	(void)message;
	(void)ret_error;
	tell_left(userdata);
	return 1;
}

void bus_leave(struct bus *bus, void (*left)(void *userdata), void *userdata)
{
	if (!bus || !bus->owned) {
		left(userdata);
		return;
	}
	if (bus->left)
		return;
	bus->left = left;
	bus->left_userdata = userdata;
	if (sd_bus_release_name_async(bus->bus, NULL, BUS_NAME, on_left, bus) < 0)
		tell_left(bus);
}

void bus_stay(struct bus *bus)
{
	if (bus && bus->owned)
		(void)sd_bus_request_name_async(bus->bus, NULL, BUS_NAME, 0, on_name_again, bus);
}

void bus_release(struct bus *bus)
{
	if (!bus)
		return;
	bus->released = true;
	event_del(bus->again);
	event_del(bus->settle);
	bus->settled = true;
	if (bus->owned)
		(void)sd_bus_release_name_async(bus->bus, NULL, BUS_NAME, NULL, NULL);
}

void bus_close(struct bus *bus)
{
	if (!bus || !bus->bus)
		return;
	bus_tasks_drop(bus);
	bus_peers_drop(bus);
}

struct bus *bus_free(struct bus *bus)
{
	if (!bus)
		return NULL;
	if (bus->bus && bus->owned)
		(void)sd_bus_process(bus->bus, NULL); // what waits to be sent, without waiting
	if (bus->timer)
		disconnect(bus);
	if (bus->timer)
		event_free(bus->timer);
	if (bus->again)
		event_free(bus->again);
	if (bus->settle)
		event_free(bus->settle);
	free(bus);
	return NULL;
}
