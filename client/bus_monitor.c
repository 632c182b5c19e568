/* SPDX-License-Identifier: MIT */
#include "client/bus_monitor.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "client/bus_follow.h"
#include "client/bus_json.h"
#include "proto/limits.h"

#define BUCKETS 256

/* A task that was shown, or is about to be. One that has ended stays until the last of its signals
 * has come, so that they do not show it again. */
struct monitored {
	LIST_ENTRY(monitored) entry; // bus_monitor::tasks
	struct bus_monitor *monitor;
	int64_t id;
	struct bus_follow *follow; // NULL: it has ended
	bool removed; // the last signal has come
};

struct bus_monitor {
	struct bus_listener listener; // first; of all tasks
	struct bus_monitor_options options;
	LIST_HEAD(, monitored) tasks[BUCKETS];
	size_t next_status; // of those to be listed
	char *cursor; // of the next page; NULL: from the first
	struct bus_call *call; // under way
	bool broken; // something could not be told, or asked
};

static const char *const listed[] = { "PENDING", "STARTED" };
#define N_LISTED (sizeof(listed) / sizeof(listed[0]))

static struct monitored *find(struct bus_monitor *monitor, int64_t id)
{
	struct monitored *task;

	LIST_FOREACH(task, &monitor->tasks[id % BUCKETS], entry)
		if (task->id == id)
			return task;
	return NULL;
}

static void forget(struct monitored *task)
{
	bus_follow_free(task->follow);
	LIST_REMOVE(task, entry);
	free(task);
}

/* ---- A task ---- */

static void end(struct monitored *task)
{
	task->follow = bus_follow_free(task->follow);
	if (task->removed)
		forget(task);
}

static bool has_room(void *userdata)
{
	const struct monitored *task = userdata;

	return task->monitor->options.has_room(task->monitor->options.userdata);
}

static void on_event(void *userdata, json_object *event, bool terminal)
{
	struct monitored *task = userdata;

	task->monitor->options.reply(task->monitor->options.userdata, "event", event);
	if (terminal)
		end(task);
}

static void on_shown(void *userdata, json_object *json, bool terminal)
{
	struct monitored *task = userdata;

	task->monitor->options.reply(task->monitor->options.userdata, "task", json);
	if (terminal)
		end(task);
}

static void give_up(struct bus_monitor *monitor, const struct bus_answer *answer)
{
	monitor->broken = true;
	monitor->options.failed(monitor->options.userdata, answer);
}

static void fail(struct bus_monitor *monitor)
{
	give_up(monitor, &(struct bus_answer){ .kind = BUS_ANSWER_LOST });
}

static void on_failed(void *userdata, const struct bus_answer *answer)
{
	struct monitored *task = userdata;

	/* One that the caller may not see is none of this. */
	if (answer->kind == BUS_ANSWER_ERROR && answer->fault.code == ELLU_E_NOT_FOUND)
		forget(task);
	else
		give_up(task->monitor, answer);
}

/* `json` NULL: it is asked for, and then shown. */
static int add(struct bus_monitor *monitor, int64_t id, json_object *json)
{
	struct monitored *task = calloc(1, sizeof(*task));
	const struct bus_follow_options options = {
		.link = monitor->options.link,
		.task_id = id,
		.interval_usec = monitor->options.interval_usec,
		.mode = BUS_FOLLOW_INTRODUCE,
		.task = json,
		.has_room = has_room,
		.event = on_event,
		.task_shown = on_shown,
		.failed = on_failed,
		.userdata = task,
	};
	int r;

	if (!task)
		return -ENOMEM;
	task->monitor = monitor;
	task->id = id;
	r = bus_follow_new(&options, &task->follow);
	if (r < 0) {
		free(task);
		return r;
	}
	LIST_INSERT_HEAD(&monitor->tasks[id % BUCKETS], task, entry);
	return 0;
}

/* The task's own listener has seen the signal before. */
static void on_signal(struct bus_listener *listener, const struct bus_signal *signal)
{
	struct bus_monitor *monitor = (struct bus_monitor *) listener;
	struct monitored *task = find(monitor, signal->task_id);

	if (signal->news != BUS_NEWS_REMOVED) {
		if (!task && !monitor->broken && add(monitor, signal->task_id, NULL) < 0)
			fail(monitor);
	} else if (task && !task->follow) {
		forget(task);
	} else if (task) {
		task->removed = true;
	}
}

/* ---- The tasks that there are ---- */

static void list_on(struct bus_monitor *monitor);

static int show(struct bus_monitor *monitor, json_object *json)
{
	int64_t id = bus_json_int(json, "id");
	int r;

	if (id <= 0 || find(monitor, id))
		return 0;
	r = add(monitor, id, json);
	if (r == 0)
		monitor->options.reply(monitor->options.userdata, "task", json);
	return r;
}

static void on_page(void *userdata, struct bus_answer *answer)
{
	struct bus_monitor *monitor = userdata;
	json_object *items;
	const char *cursor;
	int r = 0;

	monitor->call = NULL;
	if (answer->kind != BUS_ANSWER_REPLY) {
		give_up(monitor, answer);
		return;
	}
	items = json_object_object_get(answer->parameters, "items");
	for (size_t i = 0; r == 0 && items && i < json_object_array_length(items); i++)
		r = show(monitor, json_object_array_get_idx(items, i));
	cursor = bus_json_text(answer->parameters, "next_cursor");
	free(monitor->cursor);
	monitor->cursor = *cursor ? strdup(cursor) : NULL;
	monitor->next_status += !*cursor;
	if (r < 0 || (*cursor && !monitor->cursor))
		fail(monitor);
	else
		list_on(monitor);
}

static int ask_for_page(struct bus_monitor *monitor)
{
	json_object *request = json_object_new_object();
	bool *sent = monitor->options.sent;
	int r = request ? 0 : -ENOMEM;

	monitor->options.sent = NULL; // only the first question tells
	if (r == 0)
		r = bus_json_add(request, "status",
				 json_object_new_string(listed[monitor->next_status]));
	if (r == 0 && monitor->cursor)
		r = bus_json_add(request, "cursor", json_object_new_string(monitor->cursor));
	if (r == 0)
		r = bus_link_call(monitor->options.link, on_page, monitor, sent,
				  "org.elluminate.ListTasks", json_object_get_string(request),
				  &monitor->call);
	json_object_put(request);
	return r;
}

static void list_on(struct bus_monitor *monitor)
{
	if (monitor->broken || monitor->call || monitor->next_status == N_LISTED ||
	    !monitor->options.has_room(monitor->options.userdata))
		return;
	if (ask_for_page(monitor) < 0)
		fail(monitor);
}

void bus_monitor_resume(struct bus_monitor *monitor)
{
	struct monitored *task;

	for (size_t i = 0; i < BUCKETS; i++)
		LIST_FOREACH(task, &monitor->tasks[i], entry)
			if (task->follow)
				bus_follow_resume(task->follow);
	list_on(monitor);
}

/* ---- Life ---- */

int bus_monitor_new(const struct bus_monitor_options *options, struct bus_monitor **ret_monitor)
{
	struct bus_monitor *monitor = calloc(1, sizeof(*monitor));
	int r;

	if (!monitor)
		return -ENOMEM;
	monitor->listener.signal = on_signal;
	monitor->options = *options;
	/* Signals first: what begins while the present is listed is not missed. */
	r = bus_link_listen(options->link, &monitor->listener);
	if (r < 0) {
		free(monitor);
		return r;
	}
	r = ask_for_page(monitor);
	if (r < 0) {
		bus_monitor_free(monitor);
		return r;
	}
	*ret_monitor = monitor;
	return 0;
}

struct bus_monitor *bus_monitor_free(struct bus_monitor *monitor)
{
	struct monitored *task;

	if (!monitor)
		return NULL;
	for (size_t i = 0; i < BUCKETS; i++)
		while ((task = LIST_FIRST(&monitor->tasks[i])))
			forget(task);
	bus_call_abandon(monitor->call);
	bus_link_ignore(monitor->options.link, &monitor->listener);
	free(monitor->cursor);
	free(monitor);
	return NULL;
}
