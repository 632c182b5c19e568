#include "client/bus/monitor.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/bus/follow.h"
#include "client/bus/json.h"
#include "proto/record.h"
#include "proto/task_status.h"

#define BUCKETS 256

/* A task that was shown, or is about to be. One that has ended stays until the last of its signals
 * has come, so that they do not show it again. */
struct monitored {
	LIST_ENTRY(monitored) entry; // bus_monitor::tasks
	struct bus_monitor *monitor;
	int64_t id;
	struct bus_follow *follow; // NULL: it has ended, or the monitor is parked
	struct bus_follow_position position; // while that is parked
	bool removed; // the last signal has come
};

/* What has to be listed before signals tell all, in this order. */
enum stage {
	STAGE_NEWEST, // which are new: anew, only the newest; going on, all that are shown
	STAGE_PENDING,
	STAGE_STARTED,
	STAGE_END,
};

struct bus_monitor {
	struct bus_listener listener; // first; of all tasks
	struct bus_parked parked;
	struct bus_monitor_options options;
	char name[32]; // the cursor
	LIST_HEAD(, monitored) tasks[BUCKETS];
	enum stage stage;
	bool resumed;
	bool listed; // all stages but the first have passed
	int64_t newest; // tasks up to this one are known, or had ended before
	int64_t newest_before; // the same when it was resumed
	char *page; // cursor of the next page of the stage; NULL: from the first
	struct bus_call *call; // under way
	bool broken; // something could not be told, or asked
};

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

static void give_up(struct bus_monitor *monitor, const struct bus_answer *answer)
{
	monitor->broken = true;
	monitor->options.failed(monitor->options.userdata, answer);
}

static void fail(struct bus_monitor *monitor)
{
	give_up(monitor, &(struct bus_answer){ .kind = BUS_ANSWER_LOST });
}

static void reply(struct bus_monitor *monitor, const char *member, json_object *value)
{
	json_object *json = json_object_new_object();

	if (!json || bus_json_add(json, member, json_object_get(value)) < 0 ||
	    bus_json_add(json, "cursor", json_object_new_string(monitor->name)) < 0)
		fail(monitor);
	else
		monitor->options.reply(monitor->options.userdata, json);
	json_object_put(json);
}

static bool has_room(void *userdata)
{
	const struct monitored *task = userdata;

	return task->monitor->options.has_room(task->monitor->options.userdata);
}

static void on_event(void *userdata, json_object *event, bool terminal)
{
	struct monitored *task = userdata;

	reply(task->monitor, "event", event);
	if (terminal)
		end(task);
}

static void on_shown(void *userdata, json_object *json, bool terminal)
{
	struct monitored *task = userdata;

	reply(task->monitor, "task", json);
	if (terminal)
		end(task);
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

/* `json`: as it was told; NULL: it goes on from its position. */
static int follow(struct monitored *task, json_object *json)
{
	struct bus_monitor *monitor = task->monitor;
	const struct bus_follow_options options = {
		.link = monitor->options.link,
		.task_id = task->id,
		.interval_usec = monitor->options.interval_usec,
		.mode = BUS_FOLLOW_INTRODUCE,
		.task = json,
		.position = json ? NULL : &task->position,
		.has_room = has_room,
		.event = on_event,
		.task_shown = on_shown,
		.failed = on_failed,
		.userdata = task,
	};

	return bus_follow_new(&options, &task->follow);
}

/* `json` NULL: it is asked for, and then shown. */
static int add(struct bus_monitor *monitor, int64_t id, json_object *json)
{
	struct monitored *task = calloc(1, sizeof(*task));
	int r;

	if (!task)
		return -ENOMEM;
	task->monitor = monitor;
	task->id = id;
	r = follow(task, json);
	if (r < 0) {
		free(task);
		return r;
	}
	LIST_INSERT_HEAD(&monitor->tasks[id % BUCKETS], task, entry);
	if (monitor->newest < id)
		monitor->newest = id;
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
	int r = 0;

	if (id <= 0 || find(monitor, id))
		return 0;
	if (!task_status_is_terminal(task_status_from_name(bus_json_text(json, "status"))))
		r = add(monitor, id, json);
	else if (monitor->newest < id)
		monitor->newest = id;
	if (r == 0)
		reply(monitor, "task", json);
	return r;
}

/* True when the stage has seen what it has to. */
static bool is_enough(struct bus_monitor *monitor, json_object *json)
{
	int64_t id = bus_json_int(json, "id");

	if (monitor->stage != STAGE_NEWEST)
		return false;
	if (!monitor->resumed && monitor->newest < id)
		monitor->newest = id;
	return !monitor->resumed || id <= monitor->newest_before;
}

static void next_stage(struct bus_monitor *monitor)
{
	monitor->stage++;
	if (monitor->listed)
		monitor->stage = STAGE_END;
	monitor->listed = monitor->stage == STAGE_END;
}

static int take_page(struct bus_monitor *monitor, json_object *parameters)
{
	json_object *items = json_object_object_get(parameters, "items"), *item;
	const char *cursor = bus_json_text(parameters, "next_cursor");
	bool enough = !*cursor;
	int r = 0;

	for (size_t i = 0; r == 0 && items && i < json_object_array_length(items); i++) {
		item = json_object_array_get_idx(items, i);
		if (is_enough(monitor, item)) {
			enough = true;
			break;
		}
		r = show(monitor, item);
	}
	free(monitor->page);
	monitor->page = enough ? NULL : strdup(cursor);
	if (r == 0 && enough)
		next_stage(monitor);
	return r < 0 || (!enough && !monitor->page) ? -ENOMEM : 0;
}

static void on_page(void *userdata, struct bus_answer *answer)
{
	struct bus_monitor *monitor = userdata;

	monitor->call = NULL;
	if (answer->kind != BUS_ANSWER_REPLY)
		give_up(monitor, answer);
	else if (take_page(monitor, answer->parameters) < 0)
		fail(monitor);
	else
		list_on(monitor);
}

static int write_request(const struct bus_monitor *monitor, json_object *request)
{
	static const char *const statuses[] = { [STAGE_PENDING] = "PENDING",
						[STAGE_STARTED] = "STARTED" };
	int r = 0;

	if (monitor->stage != STAGE_NEWEST)
		r = bus_json_add(request, "status",
				 json_object_new_string(statuses[monitor->stage]));
	else if (!monitor->resumed)
		r = bus_json_add(request, "limit", json_object_new_int64(1));
	if (r == 0 && monitor->page)
		r = bus_json_add(request, "cursor", json_object_new_string(monitor->page));
	return r;
}

static int ask_for_page(struct bus_monitor *monitor)
{
	json_object *request = json_object_new_object();
	bool *sent = monitor->options.sent;
	const char *text;
	int r = request ? write_request(monitor, request) : -ENOMEM;

	monitor->options.sent = NULL; // only the first question tells
	text = r == 0 ? json_text(request, NULL) : NULL;
	r = text ? bus_link_call(monitor->options.link, on_page, monitor, sent,
				 "org.elluminate.ListTasks", text, &monitor->call)
		 : -ENOMEM;
	json_object_put(request);
	return r;
}

static void list_on(struct bus_monitor *monitor)
{
	if (monitor->broken || monitor->call || monitor->stage == STAGE_END ||
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

static struct bus_monitor *monitor_of(struct bus_parked *parked)
{
	return (struct bus_monitor *) ((char *) parked - offsetof(struct bus_monitor, parked));
}

static void discard(struct bus_monitor *monitor)
{
	struct monitored *task;

	for (size_t i = 0; i < BUCKETS; i++)
		while ((task = LIST_FIRST(&monitor->tasks[i])))
			forget(task);
	free(monitor->page);
	free(monitor);
}

static void drop(struct bus_parked *parked)
{
	discard(monitor_of(parked));
}

static void leave(struct bus_monitor *monitor)
{
	bus_call_abandon(monitor->call);
	monitor->call = NULL;
	bus_link_ignore(monitor->options.link, &monitor->listener);
}

struct bus_monitor *bus_monitor_free(struct bus_monitor *monitor)
{
	if (!monitor)
		return NULL;
	leave(monitor);
	discard(monitor);
	return NULL;
}

/* One that has ended needs no memory any more: its signals are not heard. */
static void park_task(struct monitored *task)
{
	if (!task->follow) {
		forget(task);
		return;
	}
	bus_follow_get_position(task->follow, &task->position);
	task->follow = bus_follow_free(task->follow);
	task->removed = false;
}

struct bus_monitor *bus_monitor_park(struct bus_monitor *monitor)
{
	struct monitored *task, *next;

	if (!monitor)
		return NULL;
	leave(monitor);
	for (size_t i = 0; i < BUCKETS; i++)
		for (task = LIST_FIRST(&monitor->tasks[i]); task; task = next) {
			next = LIST_NEXT(task, entry);
			park_task(task);
		}
	/* What was not listed to its end is listed again. */
	if (monitor->resumed && monitor->stage == STAGE_NEWEST)
		monitor->newest = monitor->newest_before;
	free(monitor->page);
	monitor->page = NULL;
	bus_link_park(monitor->options.link, &monitor->parked);
	return NULL;
}

/* The one of that name; NULL: there is none. */
static struct bus_monitor *unpark(struct bus_link *link, const char *cursor)
{
	struct bus_parked *parked;

	TAILQ_FOREACH(parked, &link->parked, entry) {
		struct bus_monitor *monitor = monitor_of(parked);

		if (parked->drop != drop || strcmp(monitor->name, cursor) != 0)
			continue;
		bus_link_unpark(link, parked);
		monitor->broken = false;
		/* Of one that was lost before it knew what was new, nothing was missed. */
		monitor->resumed = monitor->resumed || monitor->stage != STAGE_NEWEST;
		monitor->newest_before = monitor->newest;
		monitor->stage = STAGE_NEWEST;
		return monitor;
	}
	return NULL;
}

static struct bus_monitor *create(struct bus_link *link)
{
	struct bus_monitor *monitor = calloc(1, sizeof(*monitor));

	if (!monitor)
		return NULL;
	monitor->listener.signal = on_signal;
	monitor->parked.drop = drop;
	snprintf(monitor->name, sizeof(monitor->name), "bus-%llu",
		 (unsigned long long) ++link->n_monitors);
	return monitor;
}

static int start(struct bus_monitor *monitor)
{
	struct monitored *task;
	int r = 0;

	for (size_t i = 0; i < BUCKETS; i++)
		LIST_FOREACH(task, &monitor->tasks[i], entry)
			if (r == 0)
				r = follow(task, NULL);
	return r < 0 ? r : ask_for_page(monitor);
}

int bus_monitor_new(const struct bus_monitor_options *options, const char *cursor,
		    struct bus_monitor **ret_monitor)
{
	struct bus_monitor *monitor = cursor ? unpark(options->link, cursor)
					     : create(options->link);
	int r;

	if (!monitor)
		return cursor ? -ESTALE : -ENOMEM;
	monitor->options = *options;
	/* Signals first: what begins while the present is listed is not missed. */
	r = bus_link_listen(options->link, &monitor->listener);
	if (r < 0) {
		discard(monitor);
		return r;
	}
	r = start(monitor);
	if (r < 0) {
		bus_monitor_free(monitor);
		return r;
	}
	*ret_monitor = monitor;
	return 0;
}
