/* Signals of tasks, and who listens to them. */
#include <string.h>

#include "client/bus/link.h"
#include "client/transport/backoff.h"
#include "proto/bus_name.h"

#define TASKS_MATCH "type='signal',sender='" BUS_NAME "',path_namespace='" BUS_PATH "'"

static struct bus_listener_list *list_of(struct bus_link *link, int64_t task_id)
{
	return &link->listeners[task_id ? task_id % BUS_LISTENER_BUCKETS : BUS_LISTENER_BUCKETS];
}

static void tell(struct bus_listener_list *list, int64_t task_id, const struct bus_signal *signal)
{
	struct bus_listener *listener = LIST_FIRST(list);

	while (listener) {
		struct bus_listener *next = LIST_NEXT(listener, entry);

		if (listener->task_id == task_id)
			listener->signal(listener, signal);
		listener = next;
	}
}

/* ---- Signals ---- */

static bool read_of_task(sd_bus_message *message, struct bus_signal *signal)
{
	const char *member = sd_bus_message_get_member(message), *error;
	uint64_t sequence = 0;
	int r = 1;

	if (strcmp(member, "StatusChanged") == 0) {
		signal->news = BUS_NEWS_STATE;
		r = sd_bus_message_read(message, "tsss", &sequence, &signal->status, &signal->hold,
					&error);
	} else if (strcmp(member, "LogAppended") == 0) {
		signal->news = BUS_NEWS_LOG;
		r = sd_bus_message_read(message, "t", &sequence);
	} else if (strcmp(member, "PropertiesChanged") == 0) {
		signal->news = BUS_NEWS_PROPERTIES;
	} else {
		return false;
	}
	signal->sequence = (int64_t) sequence;
	return r > 0;
}

static bool read_of_manager(sd_bus_message *message, struct bus_signal *signal)
{
	const char *member = sd_bus_message_get_member(message), *path;

	if (strcmp(member, "InterfacesAdded") == 0)
		signal->news = BUS_NEWS_ADDED;
	else if (strcmp(member, "InterfacesRemoved") == 0)
		signal->news = BUS_NEWS_REMOVED;
	else
		return false;
	if (sd_bus_message_read(message, "o", &path) <= 0)
		return false;
	signal->task_id = bus_task_id(path);
	return signal->task_id != 0;
}

static int on_signal(sd_bus_message *message, void *userdata, sd_bus_error *ret_error)
{
	struct bus_link *link = userdata;
	struct bus_signal signal = { .task_id = bus_task_id(sd_bus_message_get_path(message)) };

	(void) ret_error;
	if (signal.task_id ? !read_of_task(message, &signal) : !read_of_manager(message, &signal))
		return 0;
	tell(list_of(link, signal.task_id), signal.task_id, &signal);
	tell(list_of(link, 0), 0, &signal);
	return 0;
}

/* ---- Listening ---- */

int bus_link_listen(struct bus_link *link, struct bus_listener *listener)
{
	int r = 0;

	if (!link->signals)
		r = sd_bus_add_match_async(link->bus, &link->signals, TASKS_MATCH, on_signal, NULL,
					   link);
	if (r >= 0 && link->n_listeners == 0 && link->system)
		r = bus_link_tell(link, NULL, /* idle= */ false, "Subscribe", NULL);
	if (r < 0)
		return r;
	LIST_INSERT_HEAD(list_of(link, listener->task_id), listener, entry);
	link->n_listeners++;
	return 0;
}

void bus_link_ignore(struct bus_link *link, struct bus_listener *listener)
{
	bus_link_remind(link, listener, 0);
	LIST_REMOVE(listener, entry);
	if (--link->n_listeners > 0)
		return;
	link->signals = sd_bus_slot_unref(link->signals);
	if (link->system && link->bus)
		(void) bus_link_tell(link, NULL, /* idle= */ true, "Unsubscribe", NULL);
}

/* ---- The time ---- */

void bus_link_remind(struct bus_link *link, struct bus_listener *listener, uint64_t due_usec)
{
	link->n_due += (due_usec != 0) - (listener->due_usec != 0);
	listener->due_usec = due_usec;
}

uint64_t bus_listeners_due(const struct bus_link *link)
{
	const struct bus_listener *listener;
	uint64_t due = UINT64_MAX;

	for (unsigned i = 0; link->n_due > 0 && i <= BUS_LISTENER_BUCKETS; i++)
		LIST_FOREACH(listener, &link->listeners[i], entry)
			if (listener->due_usec != 0 && listener->due_usec < due)
				due = listener->due_usec;
	return due;
}

void bus_listeners_remind(struct bus_link *link)
{
	uint64_t now = link->n_due > 0 ? now_usec() : 0;
	struct bus_listener *listener;

	for (unsigned i = 0; link->n_due > 0 && i <= BUS_LISTENER_BUCKETS; i++)
		LIST_FOREACH(listener, &link->listeners[i], entry) {
			if (listener->due_usec == 0 || listener->due_usec > now)
				continue;
			bus_link_remind(link, listener, 0);
			listener->due(listener);
		}
}
