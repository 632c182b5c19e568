/* Whether the daemon is there: the bus is asked for the name's owner, and else to start one. */
#include <errno.h>
#include <stdarg.h>

#include "client/bus/link.h"
#include "proto/bus_name.h"

struct check {
	struct bus_user user;
	struct bus_link *link;
	sd_bus_slot *slot;
	int result; // -EINPROGRESS: not known yet
};

static int ask_bus(struct check *check, const char *method, sd_bus_message_handler_t answered,
		   const char *types, ...)
{
	va_list arguments;
	int r;

	check->slot = sd_bus_slot_unref(check->slot);
	va_start(arguments, types);
	r = sd_bus_call_method_asyncv(check->link->bus, &check->slot, "org.freedesktop.DBus",
				      "/org/freedesktop/DBus", "org.freedesktop.DBus", method,
				      answered, check, types, arguments);
	va_end(arguments);
	return r;
}

static int on_started(sd_bus_message *message, void *userdata, sd_bus_error *ret_error)
{
	struct check *check = userdata;

	(void) ret_error;
	check->result = 0;
	if (sd_bus_message_is_method_error(message, SD_BUS_ERROR_ACCESS_DENIED))
		check->result = -EACCES;
	else if (sd_bus_message_is_method_error(message, NULL))
		check->result = -ECONNREFUSED;
	return 1;
}

/* The bus starts only what it has a file for, even if it runs. */
static int on_owner_known(sd_bus_message *message, void *userdata, sd_bus_error *ret_error)
{
	struct check *check = userdata;
	int r;

	(void) ret_error;
	if (!sd_bus_message_is_method_error(message, NULL)) {
		check->result = 0;
		return 1;
	}
	r = ask_bus(check, "StartServiceByName", on_started, "su", BUS_NAME, 0);
	if (r < 0)
		check->result = r;
	return 1;
}

static void on_lost(struct bus_user *user, enum bus_loss loss)
{
	if (loss == BUS_LOSS_BUS)
		((struct check *) user)->result = -ECONNREFUSED;
}

int bus_link_check(struct bus_link *link)
{
	struct check check = { .user = { .wake_fd = -1, .lost = on_lost },
			       .link = link,
			       .result = -EINPROGRESS };
	int r;

	pthread_mutex_lock(&link->lock);
	bus_link_join(link, &check.user);
	r = ask_bus(&check, "GetNameOwner", on_owner_known, "s", BUS_NAME);
	if (r < 0)
		check.result = r;
	while (check.result == -EINPROGRESS) {
		if (bus_link_process(link) > 0 || check.result != -EINPROGRESS)
			continue;
		pthread_mutex_unlock(&link->lock);
		(void) bus_link_wait(link, &check.user, -1);
		pthread_mutex_lock(&link->lock);
	}
	sd_bus_slot_unref(check.slot);
	bus_link_leave(link, &check.user);
	pthread_mutex_unlock(&link->lock);
	return check.result;
}
