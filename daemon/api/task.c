/* Methods on tasks. */
#include "daemon/store/tasks.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/api/call.h"
#include "daemon/api/follow.h"
#include "daemon/queue/queue.h"
#include "proto/generated/handlers.h"
#include "proto/generated/interface.h"
#include "proto/message.h"

/* ---- GetTask ---- */

static void on_task(struct call *call, struct store_request *request)
{
	struct ellu_get_task_reply reply = ELLU_RECORD(struct ellu_get_task_reply);

	reply.task = call_overlay_task(call, &call->arena,
				       ((const struct task_get *)request)->ret_task);
	call_reply(call, &reply);
}

int api_get_task(struct call *call, const struct ellu_get_task_request *request)
{
	return call_with_task(call, request->id, on_task);
}

/* ---- ListTasks ---- */

/* What memory knows of a task that is not over takes the place of what was read. NULL when that is
 * the same, and without memory, when the page may as well stay. */
static char *overlay(struct call *call, const struct listed_task *listed, size_t *ret_size)
{
	struct ellu_task task = *listed->task;
	char *text = NULL;

	queue_overlay(call->service->queue, &task);
	if (task.hold == listed->task->hold && task.running_seconds == listed->task->running_seconds)
		return NULL;
	(void)record_to_text(&ellu_task_type, &task, TO_CLIENT, &text, ret_size);
	return text;
}

static bool replace(struct store_request *request, const struct listed_task *listed,
		    ptrdiff_t shift, const char *text, size_t size)
{
	size_t start = (size_t)((ptrdiff_t)listed->start + shift), end = start + listed->size;
	size_t rest = request->page_size - end;

	if (size > listed->size) {
		char *page = realloc(request->page, request->page_size + size - listed->size +
							    WIRE_REPLY_TAIL_MAX);

		if (!page)
			return false;
		request->page = page;
	}
	memmove(request->page + start + size, request->page + end, rest);
	memcpy(request->page + start, text, size);
	request->page_size = start + size + rest;
	return true;
}

static void on_tasks(struct call *call, struct store_request *request)
{
	const struct tasks_list *op = (const struct tasks_list *)request;
	ptrdiff_t shift = 0;

	for (size_t i = 0; i < op->ret_n_unfinished; i++) {
		const struct listed_task *listed = op->ret_unfinished[i];
		size_t size;
		char *text = overlay(call, listed, &size);

		if (text && replace(request, listed, shift, text, size))
			shift += (ptrdiff_t)size - (ptrdiff_t)listed->size;
		free(text);
	}
	call_reply_page(call, request);
}

int api_list_tasks(struct call *call, const struct ellu_list_tasks_request *request)
{
	struct tasks_list *op = call_operation(call, sizeof(*op), on_tasks);

	if (!op)
		return 0;
	op->scope = call_scope(call, request->project);
	op->arguments = request;
	store_tasks_list(call->service->store, op);
	return 0;
}

/* ---- WatchTask ---- */

static void on_watchable(struct call *call, struct store_request *request)
{
	const struct ellu_watch_task_request *watch = call->request;

	(void)request;
	follow_task(call, watch->id, watch->after_sequence ? *watch->after_sequence : -1,
		    *watch->min_interval_seconds);
}

int api_watch_task(struct call *call, const struct ellu_watch_task_request *request)
{
	return call_with_task(call, request->id, on_watchable);
}

/* ---- ListTaskLogs ---- */

int api_list_task_logs(struct call *call, const struct ellu_list_task_logs_request *request)
{
	struct task_logs_list *op = call_operation(call, sizeof(*op), call_reply_page);

	if (!op)
		return 0;
	op->scope = call_scope(call, NULL);
	op->arguments = request;
	store_task_logs_list(call->service->store, op);
	return 0;
}
