/* Methods on tasks. */
#include <errno.h>

#include "daemon/store/tasks.h"

#include "daemon/api/call.h"
#include "daemon/api/follow.h"
#include "proto/generated/handlers.h"

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

static void on_tasks(struct call *call, struct store_request *request)
{
	const struct ellu_list_tasks_reply *stored = ((const struct tasks_list *)request)->ret_reply;
	struct ellu_list_tasks_reply reply = *stored;
	/* In the page's arena: with `more` there is one call for all pages. */
	const struct ellu_task **items =
		arena_alloc(&request->arena, stored->n_items * sizeof(*items));

	if (!items) {
		call_fail_errno(call, -ENOMEM);
		return;
	}
	for (size_t i = 0; i < stored->n_items; i++)
		items[i] = call_overlay_task(call, &request->arena, stored->items[i]);
	reply.items = items;
	call_reply_page(call, &reply, reply.next_cursor);
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

static void on_logs(struct call *call, struct store_request *request)
{
	const struct task_logs_list *op = (const struct task_logs_list *)request;

	call_reply_page(call, op->ret_reply, op->ret_reply->next_cursor);
}

int api_list_task_logs(struct call *call, const struct ellu_list_task_logs_request *request)
{
	struct task_logs_list *op = call_operation(call, sizeof(*op), on_logs);

	if (!op)
		return 0;
	op->scope = call_scope(call, NULL);
	op->arguments = request;
	store_task_logs_list(call->service->store, op);
	return 0;
}
