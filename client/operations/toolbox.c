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

/* A function, by its name; or a call that was taken, by its id. */
struct entry {
	struct entry *next;
	int64_t task_id; // of a call
	ellu_tool_fn *run; // of a function
	void *userdata;
	char name[];
};

struct ellu_toolbox {
	struct entry *functions;
	struct entry *taken;
};

struct ellu_tool_use {
	struct ellu *handle;
	int64_t task_id;
	struct ellu_tool_call call; // whose texts follow
	char texts[];
};

static struct entry *add(struct entry **list, int64_t task_id, const char *name)
{
	struct entry *entry = calloc(1, sizeof(*entry) + strlen(name) + 1);

	if (!entry)
		return NULL;
	entry->task_id = task_id;
	strcpy(entry->name, name);
	entry->next = *list;
	*list = entry;
	return entry;
}

static const struct entry *find(const struct entry *list, int64_t task_id, const char *name)
{
	while (list && (list->task_id != task_id || strcmp(list->name, name) != 0))
		list = list->next;
	return list;
}

static void drop(struct entry **link, bool all, int64_t task_id)
{
	while (*link) {
		struct entry *entry = *link;

		if (!all && entry->task_id != task_id) {
			link = &entry->next;
			continue;
		}
		*link = entry->next;
		free(entry);
	}
}

int ellu_toolbox_new(struct ellu_toolbox **ret)
{
	struct ellu_toolbox *toolbox = ret ? calloc(1, sizeof(*toolbox)) : NULL;

	if (toolbox)
		*ret = toolbox;
	return toolbox ? 0 : ret ? -ENOMEM : -EINVAL;
}

struct ellu_toolbox *ellu_toolbox_free(struct ellu_toolbox *toolbox)
{
	if (!toolbox)
		return NULL;
	drop(&toolbox->taken, /* all= */ true, 0);
	drop(&toolbox->functions, /* all= */ true, 0);
	free(toolbox);
	return NULL;
}

int ellu_toolbox_add(struct ellu_toolbox *toolbox, const char *name, ellu_tool_fn *run, void *userdata)
{
	struct entry *function;

	if (!toolbox || !name || !run)
		return -EINVAL;
	function = add(&toolbox->functions, 0, name);
	if (!function)
		return -ENOMEM;
	function->run = run;
	function->userdata = userdata;
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

static void run(const struct ellu_toolbox *toolbox, struct ellu_tool_use *use)
{
	const struct entry *function = find(toolbox->functions, 0, use->call.name);

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

		if (find(toolbox->taken, event->task_id, call->id))
			continue;
		use = use_new(handle, event->task_id, call);
		if (!use || !add(&toolbox->taken, event->task_id, call->id)) {
			free(use);
			return -ENOMEM;
		}
		run(toolbox, use);
	}
	if (ellu_event_is_complete(event))
		drop(&toolbox->taken, /* all= */ false, event->task_id);
	return 0;
}

/* ---- A whole call ---- */

/* *ret_last is the last of its replies, also of one that failed. */
static int see_through(struct ellu *handle, struct ellu_stream *stream, struct ellu_toolbox *toolbox,
		       const struct ellu_call_reply **ret_last, const struct ellu_error **ret_error)
{
	const struct ellu_call_reply *reply;
	int r, served = 0;

	*ret_last = NULL;
	while (served == 0 && (r = ellu_call_next(stream, &reply, ret_error)) > 0) {
		ellu_free(*ret_last);
		*ret_last = reply;
		served = ellu_toolbox_serve(toolbox, handle, reply->event);
	}
	return served < 0 ? served : r;
}

int ellu_call_with_tools(struct ellu *handle, const struct ellu_call_request *request,
			 struct ellu_toolbox *toolbox, const struct ellu_call_reply **ret,
			 const struct ellu_error **ret_error)
{
	static const int64_t rounds = ROUNDS_UNLESS_SAID;
	struct ellu_call_request copy = ELLU_RECORD(struct ellu_call_request);
	const struct ellu_call_reply *last;
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
	r = see_through(handle, stream, toolbox, &last, ret_error);
	if (r == 0 && ret)
		*ret = last;
	else
		ellu_free(last);
	ellu_stream_close(stream);
	return r;
}
