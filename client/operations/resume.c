#include "client/operations/resume.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "proto/generated/interface.h"
#include "proto/json/json_build.h"
#include "proto/wire/message.h"

/* The member of a reply that says where to go on. */
static const char *cursor_name(const struct method *method)
{
	return method->replies == METHOD_REPLIES_PAGES ? "next_cursor" : "cursor";
}

static bool has_cursor(const struct resume *resume)
{
	return resume->more && record_field_find(resume->method->reply, cursor_name(resume->method));
}

bool resume_follows_task(const struct resume *resume)
{
	return resume->method && resume->more && resume->method->follows_task;
}

void resume_init(struct resume *resume, const struct method *method, json_object *parameters,
		 bool more)
{
	*resume = (struct resume){ .method = method, .more = more };
	if (!method)
		return;
	resume->repeatable = method->repeatable ||
			     json_object_object_get(parameters, "idempotency_key");
	if (resume->repeatable || resume_follows_task(resume))
		resume->parameters = json_object_get(parameters);
}

void resume_done(struct resume *resume)
{
	json_object_put(resume->parameters);
	free(resume->cursor);
	resume->parameters = NULL;
	resume->cursor = NULL;
}

/* Of the first request only this matters from now on. */
static int keep_interval(struct resume *resume)
{
	json_object *interval = json_object_object_get(resume->parameters, "min_interval_seconds");
	json_object *parameters = json_object_new_object();

	if (!parameters)
		return -ENOMEM;
	if (interval &&
	    json_add_member(parameters, "min_interval_seconds", json_object_get(interval)) < 0) {
		json_object_put(parameters);
		return -ENOMEM;
	}
	json_object_put(resume->parameters);
	resume->parameters = parameters;
	return 0;
}

static int64_t integer_of(json_object *record, const char *name)
{
	return json_object_get_int64(json_object_object_get(record, name));
}

static int note_task(struct resume *resume, json_object *reply)
{
	json_object *event = json_object_object_get(reply, "event");
	json_object *task = json_object_object_get(reply, "task");
	bool is_first = resume->task_id == 0;

	if (json_object_is_type(event, json_type_object)) {
		resume->task_id = integer_of(event, "task_id");
		resume->sequence = integer_of(event, "sequence");
		return is_first ? keep_interval(resume) : 0;
	}
	if (json_object_is_type(task, json_type_object))
		resume->task_id = integer_of(task, "id");
	return 0;
}

int resume_note(struct resume *resume, json_object *reply)
{
	json_object *cursor;
	char *copy;

	if (!resume->method || !resume->more)
		return 0;
	if (resume_follows_task(resume))
		return note_task(resume, reply);
	if (!has_cursor(resume))
		return 0;
	cursor = json_object_object_get(reply, cursor_name(resume->method));
	if (!json_object_is_type(cursor, json_type_string))
		return 0;
	copy = strdup(json_object_get_string(cursor));
	if (!copy)
		return -ENOMEM;
	free(resume->cursor);
	resume->cursor = copy;
	return 0;
}

bool resume_possible(const struct resume *resume)
{
	return resume->parameters && (resume->repeatable || resume->task_id != 0);
}

static int add(json_object *parameters, const char *name, json_object *value)
{
	return value ? json_add_member(parameters, name, value) : -ENOMEM;
}

/* A shallow copy: the values are shared. */
static json_object *copy_object(json_object *object)
{
	json_object *copy = json_object_new_object();

	if (!copy)
		return NULL;
	json_object_object_foreach(object, name, value)
		if (json_add_member(copy, name, json_object_get(value)) < 0) {
			json_object_put(copy);
			return NULL;
		}
	return copy;
}

int resume_write(const struct resume *resume, char **ret_text, size_t *ret_size)
{
	const struct method *method = resume->method;
	json_object *parameters = copy_object(resume->parameters);
	int r = parameters ? 0 : -ENOMEM;

	if (r == 0 && resume->task_id != 0 && resume_follows_task(resume)) {
		method = &elluminate_interface.methods[METHOD_WATCH_TASK];
		json_object_object_del(parameters, "id");
		json_object_object_del(parameters, "after_sequence");
		r = add(parameters, "id", json_object_new_int64(resume->task_id));
		if (r == 0)
			r = add(parameters, "after_sequence",
				json_object_new_int64(resume->sequence));
	} else if (r == 0 && resume->cursor) {
		json_object_object_del(parameters, "cursor");
		r = add(parameters, "cursor", json_object_new_string(resume->cursor));
	}
	if (r == 0)
		r = wire_call_encode(method->qualified_name, parameters,
				     resume->more ? WIRE_MORE : 0, ret_text, ret_size);
	json_object_put(parameters);
	return r;
}
