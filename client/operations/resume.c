#include "client/operations/resume.h"

#include <errno.h>

#include "proto/generated/interface.h"
#include "proto/json/json_build.h"

void resume_init(struct resume *resume, const struct method *method, json_object *parameters,
		 bool more)
{
	*resume = (struct resume){ .method = method, .more = more };
	if (!method)
		return;
	resume->follows_task = more && method->follows_task;
	resume->possible = method->repeatable ||
			   json_object_object_get(parameters, "idempotency_key");
	if (resume->possible || resume->follows_task)
		resume->parameters = json_object_get(parameters);
}

void resume_done(struct resume *resume)
{
	json_object_put(resume->parameters);
	resume->parameters = NULL;
	resume->possible = false;
}

/* Takes the value in any case. */
static int set(json_object *parameters, const char *name, json_object *value)
{
	json_object_object_del(parameters, name);
	return value ? json_add_member(parameters, name, value) : -ENOMEM;
}

/* Of the request only the interval matters from now on. */
static int watch_task(struct resume *resume)
{
	json_object *first = resume->parameters;
	json_object *interval = json_object_object_get(first, "min_interval_seconds");
	int r = 0;

	resume->method = &elluminate_interface.methods[METHOD_WATCH_TASK];
	resume->parameters = json_object_new_object();
	if (!resume->parameters)
		r = -ENOMEM;
	else if (interval)
		r = set(resume->parameters, "min_interval_seconds", json_object_get(interval));
	if (r == 0)
		r = set(resume->parameters, "id", json_object_new_int64(resume->task_id));
	resume->possible = r == 0;
	json_object_put(first);
	return r;
}

static int64_t integer_of(json_object *record, const char *name)
{
	return json_object_get_int64(json_object_object_get(record, name));
}

static int note_event(struct resume *resume, json_object *event)
{
	int r = 0;

	if (resume->task_id == 0) {
		resume->task_id = integer_of(event, "task_id");
		r = watch_task(resume);
	}
	return r < 0 ? r : set(resume->parameters, "after_sequence",
			       json_object_new_int64(integer_of(event, "sequence")));
}

static int note_cursor(struct resume *resume, json_object *reply)
{
	const char *name = resume->method->replies == METHOD_REPLIES_PAGES ? "next_cursor" : "cursor";
	json_object *cursor = record_field_find(resume->method->reply, name) ?
				      json_object_object_get(reply, name) : NULL;

	return json_object_is_type(cursor, json_type_string) && resume->parameters ?
		       set(resume->parameters, "cursor", json_object_get(cursor)) : 0;
}

int resume_note(struct resume *resume, json_object *reply)
{
	json_object *event = json_object_object_get(reply, "event");
	json_object *task = json_object_object_get(reply, "task");

	if (!resume->method || !resume->more)
		return 0;
	if (!resume->follows_task)
		return note_cursor(resume, reply);
	if (json_object_is_type(event, json_type_object))
		return note_event(resume, event);
	if (json_object_is_type(task, json_type_object))
		resume->task_id = integer_of(task, "id");
	return 0;
}
