/* The manager's methods: each is one of the table, with its arguments and answer in the bus's own
 * types. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon/api/call.h"
#include "daemon/base/container_of.h"
#include "daemon/front/bus/bus_internal.h"
#include "daemon/front/front.h"
#include "proto/generated/interface.h"
#include "proto/task_status.h"
#include "proto/wire/message.h"

static void reply_nothing(struct bus_request *request)
{
	sd_bus_message *reply = NULL;

	bus_reply(request, reply, sd_bus_message_new_method_return(request->message, &reply));
}

/* ---- Subscribe, Unsubscribe ---- */

void bus_subscribe(struct bus_request *request)
{
	bus_peer_subscribe(request->peer, true, /* stays= */ true);
	reply_nothing(request);
}

void bus_unsubscribe(struct bus_request *request)
{
	bus_peer_subscribe(request->peer, false, false);
	reply_nothing(request);
}

/* ---- Call ---- */

/* The parameters of the reply, which may be encoded already. NULL without memory. */
static char *parameters_of(const struct answer *answer)
{
	size_t head = strlen(WIRE_REPLY_HEAD);
	char *text = NULL;

	if (answer->text)
		return strndup(answer->text + head, answer->text_size - head);
	(void)record_to_text(answer->type, answer->record, TO_CLIENT, &text, NULL);
	return text;
}

static void answer_json(struct bus_request *request, const struct answer *answer)
{
	sd_bus_message *reply = NULL;
	char *text = parameters_of(answer);
	int r = sd_bus_message_new_method_return(request->message, &reply);

	if (r >= 0)
		r = text ? sd_bus_message_append(reply, "s", text) : -ENOMEM;
	free(text);
	bus_reply(request, reply, r);
}

/* By full name, or the name alone. */
static const struct method *find_method(const char *name)
{
	const struct interface_info *main_interface = interfaces[0];
	const struct method *method = method_find(name);

	if (method)
		return method->interface == main_interface ? method : NULL;
	for (size_t i = 0; i < main_interface->n_methods; i++)
		if (strcmp(main_interface->methods[i].name, name) == 0)
			return &main_interface->methods[i];
	return NULL;
}

void bus_call_method(struct bus_request *request)
{
	const char *name = "", *text = "";
	const struct method *method;
	struct fault fault = { 0 };

	(void)sd_bus_message_read(request->message, "ss", &name, &text);
	method = find_method(name);
	if (!method) {
		fault_set(&fault, ELLU_E_METHOD_NOT_FOUND, "there is no method %s", name);
		snprintf(fault.field, sizeof(fault.field), "%s", name);
		bus_request_fail(request, &fault);
		return;
	}
	bus_call(request, method, text, json_object_new_object(), answer_json);
}

/* ---- OpenSocket ---- */

static void reply_socket(struct bus_request *request, int fd)
{
	sd_bus_message *reply = NULL;
	int r = sd_bus_message_new_method_return(request->message, &reply);

	if (r >= 0)
		r = sd_bus_message_append(reply, "h", fd); // a duplicate
	close(fd);
	bus_reply(request, reply, r);
}

static void on_socket_used(struct user_waiter *waiter)
{
	struct bus_request *request = container_of(waiter, struct bus_request, waiter);
	struct bus_peer *peer = request->peer;

	/* polkit may say otherwise than when the request came. */
	if (peer->stale && !peer->polkit)
		(void)bus_peer_ask_polkit(peer);
	request->waiting = peer->polkit;
	if (!request->waiting)
		bus_open_socket(request);
}

/* What polkit lets the caller do at present, it may do on the socket until polkit says that
 * something has changed. Of a call alone polkit is not asked there. */
void bus_open_socket(struct bus_request *request)
{
	struct bus_peer *peer = request->peer;
	const struct bus_options *options = &peer->bus->options;
	unsigned lent = peer->lifted ? PRINCIPAL_SEES_ALL | PRINCIPAL_ADMINISTERS : 0;
	struct user_charge unused = { 0 };
	struct fault fault = { 0 };
	int fd, r;

	/* Others have the bus, too. */
	if (options->system &&
	    !user_take(&unused, peer->principal.user, USER_UNUSED_SOCKETS, 1)) {
		request->waiter.wake = on_socket_used;
		user_wait_for_slot(peer->principal.user, USER_UNUSED_SOCKETS, &request->waiter);
		return;
	}
	if (sd_bus_can_send(peer->bus->bus, SD_BUS_TYPE_UNIX_FD) > 0)
		r = front_connect(options->front, &peer->principal, lent, &unused, &fd, &fault);
	else
		r = fault_set(&fault, ELLU_E_UNSUPPORTED, "this bus passes no descriptors");
	user_give_back(&unused);
	if (r < 0)
		bus_request_fail(request, &fault);
	else
		reply_socket(request, fd);
}

/* ---- RunExperiment ---- */

/* Its object is there before the answer is. Who submits wants to know. */
static void answer_task(struct bus_request *request, const struct answer *answer)
{
	const struct ellu_task *task = bus_answered_task(answer);
	struct bus_peer *peer = request->peer;
	sd_bus_message *reply = NULL;
	char path[BUS_TASK_PATH_SIZE];
	int r = sd_bus_message_new_method_return(request->message, &reply);

	if (!task_status_is_terminal(task_status_from_name(task->status)))
		bus_task_show(peer->bus, task);
	if (r >= 0)
		r = sd_bus_message_append(reply, "o", bus_task_path(path, task->id));
	bus_peer_subscribe(peer, true, peer->stays);
	bus_reply(request, reply, r);
}

void bus_run_experiment(struct bus_request *request)
{
	json_object *parameters = json_object_new_object();
	const char *text = "";
	struct fault fault = { 0 };

	(void)sd_bus_message_read(request->message, "s", &text);
	if (bus_read_options(request->message, parameters, &fault) < 0) {
		json_object_put(parameters);
		bus_request_fail(request, &fault);
		return;
	}
	bus_call(request, &interfaces[0]->methods[METHOD_RUN_EXPERIMENT], text, parameters,
		 answer_task);
}

/* ---- CancelTask, and what a task's object is told ---- */

static void answer_nothing(struct bus_request *request, const struct answer *answer)
{
	(void)answer;
	reply_nothing(request);
}

void bus_cancel_task(struct bus_request *request)
{
	json_object *parameters = json_object_new_object();
	const char *path = "";
	struct fault fault = { 0 };
	int64_t id;

	(void)sd_bus_message_read(request->message, "o", &path);
	id = bus_task_id(path);
	if (!id) {
		json_object_put(parameters);
		fault_invalid(&fault, "task", "the path of a task, %s/ID", BUS_TASKS_PATH);
		bus_request_fail(request, &fault);
		return;
	}
	json_object_object_add(parameters, "id", json_object_new_int64(id));
	bus_call(request, &interfaces[0]->methods[METHOD_CANCEL_TASK], NULL, parameters,
		 answer_nothing);
}

static void call_of_task(struct bus_request *request, enum method_id method,
			 void (*answer)(struct bus_request *request, const struct answer *answer))
{
	json_object *parameters = json_object_new_object();
	int64_t id = bus_task_id(sd_bus_message_get_path(request->message));

	json_object_object_add(parameters, "id", json_object_new_int64(id));
	bus_call(request, &interfaces[0]->methods[method], NULL, parameters, answer);
}

void bus_steer_task(struct bus_request *request)
{
	const char *name = sd_bus_message_get_member(request->message);

	call_of_task(request,
		     strcmp(name, "Cancel") == 0 ? METHOD_CANCEL_TASK :
		     strcmp(name, "Pause") == 0	 ? METHOD_PAUSE_TASK :
						   METHOD_RESUME_TASK,
		     answer_nothing);
}

void bus_retry_task(struct bus_request *request)
{
	call_of_task(request, METHOD_RETRY_TASK, answer_task);
}

/* ---- ListTasks ---- */

static void answer_tasks(struct bus_request *request, const struct answer *answer)
{
	const struct method_page *page = answer->record;
	sd_bus_message *reply = NULL;
	char path[BUS_TASK_PATH_SIZE];
	int r = sd_bus_message_new_method_return(request->message, &reply);

	if (r >= 0)
		r = sd_bus_message_open_container(reply, 'a', "o");
	for (size_t i = 0; r >= 0 && i < page->n_items; i++)
		r = sd_bus_message_append(reply, "o",
					  bus_task_path(path,
							((const struct ellu_task *)page->items[i])->id));
	if (r >= 0)
		r = sd_bus_message_close_container(reply);
	bus_reply(request, reply, r);
}

void bus_list_tasks(struct bus_request *request)
{
	json_object *parameters = json_object_new_object();
	struct fault fault = { 0 };

	if (bus_read_options(request->message, parameters, &fault) < 0) {
		json_object_put(parameters);
		bus_request_fail(request, &fault);
		return;
	}
	bus_call(request, &interfaces[0]->methods[METHOD_LIST_TASKS], NULL, parameters,
		 answer_tasks);
}
