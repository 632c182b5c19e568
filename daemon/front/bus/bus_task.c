/*
 * Tasks as objects. A monitor of the queue tells of every change; what an object shows is kept for
 * the tasks that wait or run, and read from the store for the others. On a session bus signals are
 * broadcast; on the system bus each goes to those subscribers alone who may see its task, since a
 * broadcast would reach everybody.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/api/call.h"
#include "daemon/base/clock.h"
#include "daemon/base/log.h"
#include "daemon/front/bus/bus_internal.h"
#include "daemon/queue/monitor.h"
#include "proto/generated/interface.h"
#include "proto/task_status.h"

#define PROGRESS_USEC (500 * USEC_PER_MSEC)

/* ---- What is kept of a task ---- */

static struct bus_task **bucket_of(struct bus *bus, int64_t id)
{
	return &bus->tasks[(uint64_t)id % BUS_TASK_BUCKETS];
}

static struct bus_task *find_task(struct bus *bus, int64_t id)
{
	struct bus_task *task = *bucket_of(bus, id);

	while (task && task->id != id)
		task = task->next;
	return task;
}

/* ---- Signals ---- */

struct signal {
	const char *path;
	const char *interface;
	const char *name;
	const struct bus_task *task;
	const struct ellu_task_event *event; // or NULL
	unsigned changed; // properties
};

static int append_signal(sd_bus_message *message, const struct signal *signal)
{
	const struct bus_task *task = signal->task;
	char path[BUS_TASK_PATH_SIZE];
	int r;

	if (strcmp(signal->name, "StatusChanged") == 0)
		return sd_bus_message_append(message, "tsss", (uint64_t)signal->event->sequence,
					     task->status, task->hold,
					     task->error ? task->error : "");
	if (strcmp(signal->name, "LogAppended") == 0)
		return sd_bus_message_append(message, "ts", (uint64_t)signal->event->sequence,
					     signal->event->logs_delta);
	if (strcmp(signal->name, "PropertiesChanged") == 0) {
		r = sd_bus_message_append(message, "s", BUS_TASK);
		if (r >= 0)
			r = bus_task_append_properties(message, task, signal->changed);
		return r < 0 ? r : sd_bus_message_append(message, "as", 0);
	}
	r = sd_bus_message_append(message, "o", bus_task_path(path, task->id));
	if (r >= 0 && strcmp(signal->name, "InterfacesAdded") == 0)
		return bus_task_append_interfaces(message, task);
	return r < 0 ? r : sd_bus_message_append(message, "as", 1, BUS_TASK);
}

static void send_to(struct bus *bus, const struct signal *signal, const char *destination)
{
	sd_bus_message *message = NULL;
	int r = sd_bus_message_new_signal(bus->bus, &message, signal->path, signal->interface,
					  signal->name);

	if (r >= 0 && destination)
		r = sd_bus_message_set_destination(message, destination);
	if (r >= 0)
		r = append_signal(message, signal);
	if (r >= 0)
		bus_send(bus, message);
	else
		sd_bus_message_unref(message);
}

static void emit(struct bus *bus, const struct signal *signal)
{
	if (!bus->options.system) {
		send_to(bus, signal, NULL);
		return;
	}
	for (const struct bus_peer *peer = bus->peers; peer; peer = peer->next)
		if (peer->subscribed && bus_peer_may_see(peer, signal->task->owner_uid))
			send_to(bus, signal, peer->name);
}

static void emit_of_task(struct bus *bus, const struct bus_task *task, const char *interface,
			 const char *name, const struct ellu_task_event *event, unsigned changed)
{
	char path[BUS_TASK_PATH_SIZE];

	emit(bus, &(const struct signal){ bus_task_path(path, task->id), interface, name, task,
					  event, changed });
}

static void emit_of_manager(struct bus *bus, const struct bus_task *task, const char *name)
{
	emit(bus, &(const struct signal){ BUS_PATH, "org.freedesktop.DBus.ObjectManager", name,
					  task, NULL, 0 });
}

/* ---- Following the queue ---- */

static void remove_task(struct bus *bus, struct bus_task *task)
{
	struct bus_task **link = bucket_of(bus, task->id);

	while (*link != task)
		link = &(*link)->next;
	*link = task->next;
	bus_task_free(task);
}

void bus_task_show(struct bus *bus, const struct ellu_task *record)
{
	struct bus_task **bucket = bucket_of(bus, record->id);
	struct bus_task *task = find_task(bus, record->id);

	if (task)
		return;
	task = calloc(1, sizeof(*task));
	if (!task || bus_task_fill(task, record) < 0) {
		if (task)
			bus_task_free(task);
		return; // its object is read from the store; its signals are missed
	}
	task->next = *bucket;
	*bucket = task;
	emit_of_manager(bus, task, "InterfacesAdded");
}

static void show_event(struct bus *bus, const struct ellu_task_event *event)
{
	struct bus_task *task = find_task(bus, event->task_id);
	unsigned changed, state;
	bool news;

	if (!task)
		return;
	news = event->sequence > task->sequence; // progress repeats the last
	task->sequence = event->sequence;
	if (event->sequence < task->shown) {
		/* It was shown as it was later: lines are news, states are not. */
		if (news && event->logs_delta)
			emit_of_task(bus, task, BUS_TASK, "LogAppended", event, 0);
		return;
	}
	state = bus_task_set_text(task->status, sizeof(task->status), event->status, PROPERTY_STATUS);
	state |= bus_task_set_text(task->hold, sizeof(task->hold), event->hold, PROPERTY_HOLD);
	state |= bus_task_set_error(task, event->error);
	changed = state | bus_task_set_progress(task, event->progress);
	if (news && event->logs_delta)
		emit_of_task(bus, task, BUS_TASK, "LogAppended", event, 0);
	else if (news || state)
		emit_of_task(bus, task, BUS_TASK, "StatusChanged", event, 0);
	if (changed)
		emit_of_task(bus, task, "org.freedesktop.DBus.Properties", "PropertiesChanged",
			     event, changed);
	if (task_status_is_terminal(task_status_from_name(task->status))) {
		emit_of_manager(bus, task, "InterfacesRemoved");
		remove_task(bus, task);
	}
}

static void on_monitor(void *userdata, const struct ellu_task *task,
		       const struct ellu_task_event *event,
		       const struct events_position *position, struct share *share)
{
	struct bus *bus = userdata;

	(void)position;
	(void)share;
	if (task)
		bus_task_show(bus, task);
	if (event)
		show_event(bus, event);
	if (!bus->held_back && !bus_has_room(bus)) {
		bus->held_back = true;
		monitor_pause(bus->monitor);
	}
}

static void on_monitor_failed(void *userdata, const struct fault *fault)
{
	struct bus *bus = userdata;

	log_error("no more signals on the bus: %s", fault->message);
	bus->monitor = monitor_free(bus->monitor);
}

int bus_tasks_follow(struct bus *bus)
{
	const struct monitor_options options = {
		.scope = { .all = true },
		.uid = -1,
		.position = { .number = -1 },
		.min_interval_usec = PROGRESS_USEC,
		.reply = on_monitor,
		.failed = on_monitor_failed,
		.userdata = bus,
	};

	return monitor_new(bus->options.service->queue, &options, &bus->monitor);
}

void bus_tasks_resume(struct bus *bus)
{
	bus->held_back = false;
	if (bus->monitor)
		monitor_resume(bus->monitor);
}

void bus_tasks_drop(struct bus *bus)
{
	bus->monitor = monitor_free(bus->monitor);
	bus->held_back = false;
	for (size_t i = 0; i < BUS_TASK_BUCKETS; i++)
		while (bus->tasks[i])
			remove_task(bus, bus->tasks[i]);
}

/* ---- The object manager ---- */

void bus_get_managed_objects(struct bus_request *request)
{
	struct bus *bus = request->peer->bus;
	sd_bus_message *reply = NULL;
	char path[BUS_TASK_PATH_SIZE];
	int r = sd_bus_message_new_method_return(request->message, &reply);

	if (r >= 0)
		r = sd_bus_message_open_container(reply, 'a', "{oa{sa{sv}}}");
	for (size_t i = 0; i < BUS_TASK_BUCKETS; i++) {
		for (const struct bus_task *task = bus->tasks[i]; r >= 0 && task; task = task->next) {
			if (!bus_peer_may_see(request->peer, task->owner_uid))
				continue;
			r = sd_bus_message_open_container(reply, 'e', "oa{sa{sv}}");
			if (r >= 0)
				r = sd_bus_message_append(reply, "o", bus_task_path(path, task->id));
			if (r >= 0)
				r = bus_task_append_interfaces(reply, task);
			if (r >= 0)
				r = sd_bus_message_close_container(reply);
		}
	}
	if (r >= 0)
		r = sd_bus_message_close_container(reply);
	bus_reply(request, reply, r);
}
