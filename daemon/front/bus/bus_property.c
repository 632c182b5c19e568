/*
 * What a task's object shows, and asking for it. A task that is asked for is read from the store,
 * so that one which ended long ago answers as well.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/front/bus/bus_internal.h"
#include "proto/generated/interface.h"

/* ---- The table ---- */


static const struct property_info {
	const char *interface;
	const char *name;
	const char *signature;
	enum property id;
	size_t offset; // in a task
} properties[] = {
#define PROPERTY(name, signature, id, field) \
	{ BUS_TASK, name, signature, id, offsetof(struct bus_task, field) }
	PROPERTY("Name", "s", PROPERTY_CONSTANT, name),
	PROPERTY("Kind", "s", PROPERTY_CONSTANT, kind),
	PROPERTY("Owner", "u", PROPERTY_CONSTANT, owner_uid),
	PROPERTY("ExperimentId", "x", PROPERTY_CONSTANT, experiment_id),
	PROPERTY("CreatedAt", "x", PROPERTY_CONSTANT, created_at),
	PROPERTY("Status", "s", PROPERTY_STATUS, status),
	PROPERTY("Hold", "s", PROPERTY_HOLD, hold),
	PROPERTY("Error", "s", PROPERTY_ERROR, error),
	PROPERTY("PercentComplete", "d", PROPERTY_PERCENT, percent),
	PROPERTY("Total", "t", PROPERTY_TOTAL, total),
	PROPERTY("Done", "t", PROPERTY_DONE, done),
	PROPERTY("Failed", "t", PROPERTY_FAILED, failed),
#undef PROPERTY
	{ BUS_MANAGER, "Version", "s", PROPERTY_CONSTANT, 0 },
};
#define N_PROPERTIES (sizeof(properties) / sizeof(properties[0]))

void bus_write_properties(FILE *out, const char *interface)
{
	for (size_t i = 0; i < N_PROPERTIES; i++) {
		if (strcmp(properties[i].interface, interface) != 0)
			continue;
		fprintf(out, "  <property type=\"%s\" name=\"%s\" access=\"read\"",
			properties[i].signature, properties[i].name);
		if (properties[i].id == PROPERTY_CONSTANT)
			fputs(">\n   <annotation"
			      " name=\"org.freedesktop.DBus.Property.EmitsChangedSignal\""
			      " value=\"const\"/>\n  </property>\n",
			      out);
		else
			fputs("/>\n", out);
	}
}

static int append_value(sd_bus_message *message, const struct property_info *property,
			const struct bus_task *task)
{
	const void *value = task ? (const char *)task + property->offset : ELLU_VERSION;

	/* Texts are arrays or pointers: what is bound is the text. */
	if (task && property->signature[0] == 's' &&
	    (property->id == PROPERTY_ERROR || property->offset == offsetof(struct bus_task, name)))
		value = *(char *const *)value ? *(char *const *)value : "";
	return sd_bus_message_append_basic(message, property->signature[0], value);
}

static int append_variant(sd_bus_message *message, const struct property_info *property,
			  const struct bus_task *task)
{
	int r = sd_bus_message_open_container(message, 'v', property->signature);

	if (r >= 0)
		r = append_value(message, property, task);
	return r < 0 ? r : sd_bus_message_close_container(message);
}

/* Of the task, or of the manager: NULL. */
static int append_properties(sd_bus_message *message, const struct bus_task *task, unsigned wanted)
{
	const char *interface = task ? BUS_TASK : BUS_MANAGER;
	int r = sd_bus_message_open_container(message, 'a', "{sv}");

	for (size_t i = 0; r >= 0 && i < N_PROPERTIES; i++) {
		if (!(properties[i].id & wanted) || strcmp(properties[i].interface, interface) != 0)
			continue;
		r = sd_bus_message_open_container(message, 'e', "sv");
		if (r >= 0)
			r = sd_bus_message_append(message, "s", properties[i].name);
		if (r >= 0)
			r = append_variant(message, &properties[i], task);
		if (r >= 0)
			r = sd_bus_message_close_container(message);
	}
	return r < 0 ? r : sd_bus_message_close_container(message);
}

int bus_task_append_properties(sd_bus_message *message, const struct bus_task *task,
			       unsigned wanted)
{
	return append_properties(message, task, wanted);
}

/* An a{sa{sv}} of the one interface that tasks have. */
int bus_task_append_interfaces(sd_bus_message *message, const struct bus_task *task)
{
	int r = sd_bus_message_open_container(message, 'a', "{sa{sv}}");

	if (r >= 0)
		r = sd_bus_message_open_container(message, 'e', "sa{sv}");
	if (r >= 0)
		r = sd_bus_message_append(message, "s", BUS_TASK);
	if (r >= 0)
		r = bus_task_append_properties(message, task, (unsigned)PROPERTY_ALL);
	if (r >= 0)
		r = sd_bus_message_close_container(message);
	return r < 0 ? r : sd_bus_message_close_container(message);
}

/* ---- Filling ---- */

unsigned bus_task_set_text(char *place, size_t size, const char *text, unsigned property)
{
	if (!text)
		text = "";
	if (strncmp(place, text, size) == 0)
		return 0;
	snprintf(place, size, "%s", text);
	return property;
}

static unsigned set_count(uint64_t *place, int64_t value, unsigned property)
{
	if (*place == (uint64_t)value)
		return 0;
	*place = (uint64_t)value;
	return property;
}

/* Returns which properties changed, here and below. */
unsigned bus_task_set_progress(struct bus_task *task, const struct ellu_progress *progress)
{
	unsigned changed = 0;

	if (!progress)
		return 0;
	if (task->percent < progress->percent_complete ||
	    task->percent > progress->percent_complete)
		changed |= PROPERTY_PERCENT;
	task->percent = progress->percent_complete;
	changed |= set_count(&task->total, progress->total_responses, PROPERTY_TOTAL);
	changed |= set_count(&task->done, progress->responses_rated, PROPERTY_DONE);
	return changed | set_count(&task->failed, progress->failed, PROPERTY_FAILED);
}

unsigned bus_task_set_error(struct bus_task *task, const struct ellu_error *error)
{
	if (!error || task->error)
		return 0;
	task->error = strdup(error->message);
	return task->error ? PROPERTY_ERROR : 0;
}

int bus_task_fill(struct bus_task *task, const struct ellu_task *record)
{
	task->id = record->id;
	task->owner_uid = (uint32_t)record->owner_uid;
	task->shown = record->sequence;
	task->experiment_id = record->experiment_id ? *record->experiment_id : 0;
	task->created_at = record->created_at;
	task->name = strdup(record->name);
	snprintf(task->kind, sizeof(task->kind), "%s", record->kind);
	(void)bus_task_set_text(task->status, sizeof(task->status), record->status, 0);
	(void)bus_task_set_text(task->hold, sizeof(task->hold), record->hold, 0);
	(void)bus_task_set_error(task, record->error);
	(void)bus_task_set_progress(task, record->progress);
	return task->name ? 0 : -ENOMEM;
}

void bus_task_free(struct bus_task *task)
{
	free(task->name);
	free(task->error);
	free(task);
}

/* ---- Asking ---- */

static void with_task(struct bus_request *request,
		      void (*answer)(struct bus_request *request, const struct answer *answer))
{
	json_object *parameters = json_object_new_object();
	int64_t id = bus_task_id(sd_bus_message_get_path(request->message));

	json_object_object_add(parameters, "id", json_object_new_int64(id));
	bus_call(request, &interfaces[0]->methods[METHOD_GET_TASK], NULL, parameters, answer);
}

static bool is_manager(sd_bus_message *message)
{
	return strcmp(sd_bus_message_get_path(message), BUS_PATH) == 0;
}

/* Whether the object has the interface, as far as it has properties. */
static bool has_interface(sd_bus_message *message, const char *interface)
{
	return strcmp(interface, is_manager(message) ? BUS_MANAGER : BUS_TASK) == 0;
}

/* Reads the arguments that the dispatch has checked the types of. */
static const struct property_info *asked_for(sd_bus_message *message)
{
	const char *interface = "", *name = "";

	(void)sd_bus_message_rewind(message, 1);
	(void)sd_bus_message_read(message, "ss", &interface, &name);
	for (size_t i = 0; has_interface(message, interface) && i < N_PROPERTIES; i++)
		if (strcmp(properties[i].interface, interface) == 0 &&
		    strcmp(properties[i].name, name) == 0)
			return &properties[i];
	return NULL;
}

static void reply_property(struct bus_request *request, const struct bus_task *task)
{
	sd_bus_message *reply = NULL;
	int r = sd_bus_message_new_method_return(request->message, &reply);

	if (r >= 0)
		r = append_variant(reply, asked_for(request->message), task);
	bus_reply(request, reply, r);
}

static void reply_properties(struct bus_request *request, const struct bus_task *task)
{
	sd_bus_message *reply = NULL;
	int r = sd_bus_message_new_method_return(request->message, &reply);

	if (r >= 0)
		r = append_properties(reply, task, (unsigned)PROPERTY_ALL);
	bus_reply(request, reply, r);
}

/* NULL without memory. */
static struct bus_task *read_task(const struct answer *answer)
{
	struct bus_task *task = calloc(1, sizeof(*task));

	if (task && bus_task_fill(task, bus_answered_task(answer)) < 0) {
		bus_task_free(task);
		task = NULL;
	}
	return task;
}

static void answer_from(struct bus_request *request, const struct answer *answer,
			void (*reply)(struct bus_request *request, const struct bus_task *task))
{
	struct bus_task *task = read_task(answer);

	if (!task) {
		bus_reply(request, NULL, -ENOMEM);
		return;
	}
	reply(request, task);
	bus_task_free(task);
}

static void answer_property(struct bus_request *request, const struct answer *answer)
{
	answer_from(request, answer, reply_property);
}

static void answer_properties(struct bus_request *request, const struct answer *answer)
{
	answer_from(request, answer, reply_properties);
}

void bus_get_property(struct bus_request *request)
{
	if (!asked_for(request->message))
		bus_reply_error(request, SD_BUS_ERROR_UNKNOWN_PROPERTY,
				"There is no such property.");
	else if (is_manager(request->message))
		reply_property(request, NULL);
	else
		with_task(request, answer_property);
}

void bus_get_all_properties(struct bus_request *request)
{
	const char *interface = "";

	(void)sd_bus_message_read(request->message, "s", &interface);
	if (interface[0] && !has_interface(request->message, interface))
		bus_reply_error(request, SD_BUS_ERROR_UNKNOWN_INTERFACE,
				"The object has no such interface with properties.");
	else if (is_manager(request->message))
		reply_properties(request, NULL);
	else
		with_task(request, answer_properties);
}

void bus_set_property(struct bus_request *request)
{
	bus_reply_error(request, SD_BUS_ERROR_PROPERTY_READ_ONLY, "Properties are read-only.");
}
