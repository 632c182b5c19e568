/*
 * Functions that models call. A toolbox knows which calls it has taken: events tell of one until
 * it is answered, and a function is to run once.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "client/operations/handle.h"
#include "client/operations/result.h"

#define ROUNDS_UNLESS_SAID 10

struct function {
	struct function *next; // ellu_toolbox::functions
	ellu_tool_fn *run;
	void *userdata;
	char name[];
};

struct taken {
	struct taken *next; // ellu_toolbox::taken
	int64_t task_id;
	char id[];
};

struct ellu_toolbox {
	struct function *functions;
	struct taken *taken;
};

struct ellu_tool_use {
	struct ellu *handle;
	int64_t task_id;
	struct ellu_tool_call call; // whose texts follow
	char texts[];
};

int ellu_toolbox_new(struct ellu_toolbox **ret)
{
	struct ellu_toolbox *toolbox = ret ? calloc(1, sizeof(*toolbox)) : NULL;

	if (!toolbox)
		return ret ? -ENOMEM : -EINVAL;
	*ret = toolbox;
	return 0;
}

static void forget(struct ellu_toolbox *toolbox, bool all, int64_t task_id)
{
	struct taken **link = &toolbox->taken;

	while (*link) {
		struct taken *taken = *link;

		if (!all && taken->task_id != task_id) {
			link = &taken->next;
			continue;
		}
		*link = taken->next;
		free(taken);
	}
}

struct ellu_toolbox *ellu_toolbox_free(struct ellu_toolbox *toolbox)
{
	if (!toolbox)
		return NULL;
	forget(toolbox, /* all= */ true, 0);
	while (toolbox->functions) {
		struct function *function = toolbox->functions;

		toolbox->functions = function->next;
		free(function);
	}
	free(toolbox);
	return NULL;
}

int ellu_toolbox_add(struct ellu_toolbox *toolbox, const char *name, ellu_tool_fn *run, void *userdata)
{
	struct function *function;

	if (!toolbox || !name || !run)
		return -EINVAL;
	function = malloc(sizeof(*function) + strlen(name) + 1);
	if (!function)
		return -ENOMEM;
	function->run = run;
	function->userdata = userdata;
	strcpy(function->name, name);
	function->next = toolbox->functions;
	toolbox->functions = function;
	return 0;
}

/* ---- A call ---- */

const struct ellu_tool_call *ellu_tool_use_call(const struct ellu_tool_use *use)
{
	return use ? &use->call : NULL;
}

int ellu_tool_use_answer(struct ellu_tool_use *use, const char *content)
{
	struct ellu_send_tool_result_request request = ELLU_RECORD(struct ellu_send_tool_result_request);
	int r = -ECANCELED;

	if (!use)
		return -EINVAL;
	request.task_id = use->task_id;
	request.tool_call_id = use->call.id;
	request.content = content ? content : "";
	if (live_is(use->handle, LIVE_HANDLE))
		r = use->handle->mode == ELLU_EVENT ?
			    ellu_send_tool_result_async(use->handle, &request, NULL, NULL, NULL) :
			    ellu_send_tool_result(use->handle, &request, NULL, NULL);
	free(use);
	return r;
}

static bool is_taken(const struct ellu_toolbox *toolbox, int64_t task_id, const char *id)
{
	for (const struct taken *taken = toolbox->taken; taken; taken = taken->next)
		if (taken->task_id == task_id && strcmp(taken->id, id) == 0)
			return true;
	return false;
}

static int note_taken(struct ellu_toolbox *toolbox, int64_t task_id, const char *id)
{
	struct taken *taken = malloc(sizeof(*taken) + strlen(id) + 1);

	if (!taken)
		return -ENOMEM;
	taken->task_id = task_id;
	strcpy(taken->id, id);
	taken->next = toolbox->taken;
	toolbox->taken = taken;
	return 0;
}

static struct ellu_tool_use *use_new(struct ellu *handle, int64_t task_id, const struct ellu_tool_call *call)
{
	size_t size = strlen(call->id) + strlen(call->name) + strlen(call->arguments) + 3;
	struct ellu_tool_use *use = malloc(sizeof(*use) + size);
	char *at;

	if (!use)
		return NULL;
	use->handle = handle;
	use->task_id = task_id;
	use->call = ELLU_RECORD(struct ellu_tool_call);
	use->call.id = at = use->texts;
	at = stpcpy(at, call->id) + 1;
	use->call.name = at;
	at = stpcpy(at, call->name) + 1;
	use->call.arguments = strcpy(at, call->arguments);
	return use;
}

/* The function may free the toolbox. */
static void run(const struct ellu_toolbox *toolbox, struct ellu_tool_use *use)
{
	const struct function *function = toolbox->functions;

	while (function && strcmp(function->name, use->call.name) != 0)
		function = function->next;
	if (function)
		function->run(use, &use->call, function->userdata);
	else
		(void)ellu_tool_use_answer(use, "There is no tool of this name.");
}

int ellu_toolbox_serve(struct ellu_toolbox *toolbox, struct ellu *handle, const struct ellu_task_event *event)
{
	if (!toolbox || !live_is(handle, LIVE_HANDLE))
		return -EINVAL;
	if (!event)
		return 0;
	for (size_t i = 0; i < event->n_tool_calls; i++) {
		const struct ellu_tool_call *call = event->tool_calls[i];
		struct ellu_tool_use *use;

		if (is_taken(toolbox, event->task_id, call->id))
			continue;
		use = use_new(handle, event->task_id, call);
		if (!use || note_taken(toolbox, event->task_id, call->id) < 0) {
			free(use);
			return -ENOMEM;
		}
		run(toolbox, use);
	}
	if (ellu_event_is_complete(event))
		forget(toolbox, /* all= */ false, event->task_id);
	return 0;
}

/* ---- A whole call ---- */

/* The last of its replies, or why there is none. */
static int see_through(struct ellu *handle, struct ellu_stream *stream, struct ellu_toolbox *toolbox,
		       const struct ellu_call_reply **ret, const struct ellu_error **ret_error)
{
	const struct ellu_call_reply *reply = NULL, *last = NULL;
	int r;

	while ((r = ellu_call_next(stream, &reply, ret_error)) > 0) {
		r = ellu_toolbox_serve(toolbox, handle, reply->event);
		ellu_free(last);
		last = reply;
		if (r < 0)
			break;
	}
	if (r < 0 || !ret) {
		ellu_free(last);
		return r;
	}
	*ret = last;
	return 0;
}

int ellu_call_with_tools(struct ellu *handle, const struct ellu_call_request *request,
			 struct ellu_toolbox *toolbox, const struct ellu_call_reply **ret,
			 const struct ellu_error **ret_error)
{
	static const int64_t rounds = ROUNDS_UNLESS_SAID;
	struct ellu_call_request copy = ELLU_RECORD(struct ellu_call_request);
	struct ellu_stream *stream;
	int r;

	if (ret_error)
		*ret_error = NULL;
	if (!toolbox || !request || request->struct_size > sizeof(copy))
		return -EINVAL;
	memcpy(&copy, request, request->struct_size);
	copy.struct_size = sizeof(copy);
	if (!copy.tool_rounds)
		copy.tool_rounds = &rounds;
	r = ellu_call_stream(handle, &copy, &stream, ret_error);
	if (r < 0)
		return r;
	r = see_through(handle, stream, toolbox, ret, ret_error);
	ellu_stream_close(stream);
	return r;
}
