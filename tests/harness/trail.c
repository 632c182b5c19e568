#include "tests/harness/trail.h"

#include <stdlib.h>
#include <string.h>

#include "tests/harness/harness.h"
#include "tests/harness/json.h"

struct trail *trail_new(int64_t task_id, int64_t last)
{
	struct trail *trail = calloc(1, sizeof(*trail));

	if (!trail)
		die("out of memory");
	trail->task_id = task_id;
	trail->last = last;
	trail->states_out = open_memstream(&trail->states, &trail->states_size);
	trail->logs_out = open_memstream(&trail->logs, &trail->logs_size);
	if (!trail->states_out || !trail->logs_out || fflush(trail->states_out) != 0 ||
	    fflush(trail->logs_out) != 0)
		die("out of memory");
	return trail;
}

static int64_t count_lines(const char *text)
{
	int64_t n = 0;

	for (; *text; text++)
		n += *text == '\n';
	return n;
}

bool trail_has_ended(const struct trail *trail)
{
	return trail->status[0] && strcmp(trail->status, "PENDING") != 0 &&
	       strcmp(trail->status, "STARTED") != 0;
}

void trail_take(struct trail *trail, json_object *event)
{
	int64_t sequence = at_int(event, "sequence"), n = 1;

	if (at_int(event, "task_id") != trail->task_id || trail_has_ended(trail))
		die("unexpected: %s", json_object_to_json_string(event));
	if (at_has(event, "logs_delta"))
		n = count_lines(at_text(event, "logs_delta"));
	else if (sequence == trail->last)
		n = 0;
	if (trail->last >= 0 && sequence != trail->last + n)
		die("after sequence %lld came %s", (long long)trail->last,
		    json_object_to_json_string(event));
	if (n && !trail->first)
		trail->first = sequence - n + 1;
	trail->last = sequence;
	trail->n_progress += n == 0;
	snprintf(trail->status, sizeof(trail->status), "%s", at_text(event, "status"));
	if (at_has(event, "logs_delta"))
		fputs(at_text(event, "logs_delta"), trail->logs_out);
	else if (n && at_has(event, "hold"))
		fprintf(trail->states_out, "%s(%s) ", trail->status, at_text(event, "hold"));
	else if (n)
		fprintf(trail->states_out, "%s ", trail->status);
	fflush(trail->states_out);
	fflush(trail->logs_out);
}

struct trail *monitor_trail_find(struct monitor_trail *monitor, int64_t task_id)
{
	for (size_t i = 0; i < monitor->n_tasks; i++)
		if (monitor->tasks[i]->task_id == task_id)
			return monitor->tasks[i];
	return NULL;
}

/* As it is at this place of the stream: events go on behind it. */
static void show(struct monitor_trail *monitor, json_object *task)
{
	int64_t id = at_int(task, "id");

	if (monitor_trail_find(monitor, id))
		die("shown twice: %s", json_object_to_json_string(task));
	if (at_int(task, "sequence") == 0 && at_has(task, "started_at"))
		die("started before it was submitted: %s", json_object_to_json_string(task));
	monitor->tasks =
		reallocarray(monitor->tasks, monitor->n_tasks + 1, sizeof(*monitor->tasks));
	if (!monitor->tasks)
		die("out of memory");
	monitor->tasks[monitor->n_tasks++] = trail_new(id, at_int(task, "sequence"));
}

void monitor_trail_take(struct monitor_trail *monitor, json_object *parameters)
{
	json_object *event = at_json(parameters, "event"), *task = at_json(parameters, "task");
	struct trail *trail;

	if (!event == !task || !at_has(parameters, "cursor"))
		die("unexpected: %s", json_object_to_json_string(parameters));
	snprintf(monitor->cursor, sizeof(monitor->cursor), "%s", at_text(parameters, "cursor"));
	if (task) {
		show(monitor, task);
		return;
	}
	trail = monitor_trail_find(monitor, at_int(event, "task_id"));
	if (!trail)
		die("not shown: %s", json_object_to_json_string(event));
	trail_take(trail, event);
}
