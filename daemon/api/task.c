/* Methods on tasks. What is done to one reads it first, so that only who may see it goes on. */
#include "daemon/queue/budget.h"
#include "daemon/queue/live_task.h"
#include "daemon/queue/steering.h"
#include "daemon/store/tasks.h"

#include <errno.h>
#include <inttypes.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/api/follow.h"
#include "daemon/api/methods.h"
#include "daemon/base/clock.h"
#include "daemon/queue/prune.h"
#include "daemon/queue/queue.h"
#include "proto/generated/interface.h"
#include "proto/wire/message.h"

/* What requests on one task begin with. */
struct task_request {
	struct method_request head;
	int64_t id;
};
#define HAS_ID(request) \
	(offsetof(struct task_request, id) == offsetof(struct ellu_##request##_request, id))
_Static_assert(HAS_ID(get_task) && HAS_ID(watch_task) && HAS_ID(cancel_task) &&
		       HAS_ID(pause_task) && HAS_ID(resume_task) && HAS_ID(tune_task) &&
		       HAS_ID(retry_task), "requests on one task begin with its id");

/* Reads the task, so that only who may see it goes on with it: `found` gets a struct task_get. */
static int call_with_task(struct call *call,
			  void (*found)(struct call *call, struct store_request *request))
{
	struct task_get *op = call_operation(call, sizeof(*op), found);

	if (!op)
		return 0;
	op->scope = call_scope(call, NULL);
	op->task_id = ((const struct task_request *)call->request)->id;
	store_task_get(call->service->store, op);
	return 0;
}

/* A copy, in the call's arena, of a task from the store with what only the queue knows of it. */
static const struct ellu_task *overlaid(struct call *call, const struct ellu_task *task)
{
	struct ellu_task *copy = arena_alloc(&call->arena, sizeof(*copy));

	if (!copy)
		return task;
	*copy = *task;
	queue_overlay(call->service->queue, copy);
	return copy;
}

/* ---- GetTask ---- */

static void on_task(struct call *call, struct store_request *request)
{
	struct ellu_get_task_reply reply = ELLU_RECORD(struct ellu_get_task_reply);

	reply.task = overlaid(call, ((const struct task_get *)request)->ret_task);
	call_reply(call, &reply);
}

int api_get_task(struct call *call)
{
	return call_with_task(call, on_task);
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
	size_t rest = request->text_size - end;

	if (size > listed->size) {
		char *longer = realloc(request->text, request->text_size + size - listed->size +
							    WIRE_REPLY_TAIL_MAX);

		if (!longer)
			return false;
		request->text = longer;
	}
	memmove(request->text + start + size, request->text + end, rest);
	memcpy(request->text + start, text, size);
	request->text_size = start + size + rest;
	return true;
}

static void on_tasks(struct call *call, struct store_request *request)
{
	const struct listed_tasks *unfinished = ((const struct method_run *)request)->ret_beside;
	ptrdiff_t shift = 0;

	for (size_t i = 0; i < unfinished->n; i++) {
		const struct listed_task *listed = unfinished->items[i];
		size_t size;
		char *text = overlay(call, listed, &size);

		if (text && replace(request, listed, shift, text, size))
			shift += (ptrdiff_t)size - (ptrdiff_t)listed->size;
		free(text);
	}
	call_reply_stored(call, request);
}

int api_list_tasks(struct call *call)
{
	return call_run_method(call, on_tasks);
}

/* ---- WatchTask ---- */

int api_watch_task(struct call *call)
{
	const struct ellu_watch_task_request *watch = call->request;

	follow_task(call, watch->id, watch->after_sequence ? *watch->after_sequence : -1,
		    watch->min_interval_seconds);
	return 0;
}

/* ---- CancelTask, PauseTask, ResumeTask, TuneTask ---- */

/* All four answer the task as the store's operation left it. */
struct steered_reply {
	size_t struct_size;
	const struct ellu_task *task;
};
#define SAME_SHAPE(reply) (sizeof(struct steered_reply) == sizeof(struct ellu_##reply##_reply))
_Static_assert(SAME_SHAPE(cancel_task) && SAME_SHAPE(pause_task) && SAME_SHAPE(resume_task) &&
		       SAME_SHAPE(tune_task), "methods that steer a task answer it");

static void on_steered(struct queue_steering *steering, const struct ellu_task *task)
{
	struct call *call = steering->userdata;
	struct steered_reply reply = ELLU_RECORD(struct steered_reply);

	if (steering->request.result < 0) {
		call_fail(call, &steering->request.fault);
	} else {
		reply.task = overlaid(call, task);
		call_reply(call, &reply);
	}
	store_request_done(&steering->request);
	free(steering);
	call_unref(call);
}

static void fill_in(struct queue_steering *steering, const struct call *call)
{
	const struct ellu_tune_task_request *tune = call->request;

	switch (call->method->id) {
	case METHOD_CANCEL_TASK:
		steering->what = QUEUE_CANCEL;
		break;
	case METHOD_TUNE_TASK:
		steering->what = QUEUE_TUNE;
		steering->tune.priority = tune->priority;
		steering->tune.max_connections = tune->max_connections;
		steering->tune.cost_limit = tune->cost_limit;
		break;
	default:
		steering->what = QUEUE_PAUSE;
		steering->pause.resume = call->method->id == METHOD_RESUME_TASK;
	}
}

static void on_steerable(struct call *call, struct store_request *stored)
{
	struct queue_steering *steering = calloc(1, sizeof(*steering));

	if (!steering) {
		call_fail_errno(call, -ENOMEM);
		return;
	}
	steering->task_id = ((const struct task_get *)stored)->task_id;
	steering->done = on_steered;
	steering->userdata = call_ref(call);
	fill_in(steering, call);
	queue_steer_task(call->service->queue, steering);
}

int api_steer_task(struct call *call)
{
	return call_with_task(call, on_steerable);
}

int api_tune_task(struct call *call)
{
	const struct ellu_tune_task_request *request = call->request;
	struct fault fault = { 0 };

	if (request->priority || request->max_connections || request->cost_limit)
		return api_steer_task(call);
	fault_invalid(&fault, "priority", "one of priority, max_connections and cost_limit");
	call_fail(call, &fault);
	return 0;
}

/* ---- SendToolResult ---- */

_Static_assert(offsetof(struct task_request, id) ==
		       offsetof(struct ellu_send_tool_result_request, task_id), "the same");

static void on_waiting_task(struct call *call, struct store_request *stored)
{
	const struct ellu_send_tool_result_request *request = call->request;
	struct ellu_send_tool_result_reply reply = ELLU_RECORD(struct ellu_send_tool_result_reply);
	struct fault fault = { 0 };
	int r = queue_take_tool_result(call->service->queue, request->task_id, request->tool_call_id,
				       request->content);

	(void)stored;
	if (r == -ENOENT) {
		fault_conflict(&fault, "task", NULL, request->task_id,
			       "task %" PRId64 " does not wait for a result of the tool call '%.200s'",
			       request->task_id, request->tool_call_id);
		call_fail(call, &fault);
	} else if (r < 0) {
		call_fail_errno(call, r);
	} else {
		call_reply(call, &reply);
	}
}

int api_send_tool_result(struct call *call)
{
	return call_with_task(call, on_waiting_task);
}

/* ---- RetryTask ---- */

/* The old task's priority decides about the slot, so it is read first. */
static void on_old_task(struct call *call, struct store_request *stored)
{
	const struct ellu_retry_task_request *request = call->request;
	const struct ellu_task *old = ((const struct task_get *)stored)->ret_task;
	int r = submit_task(call, request->priority ? request->priority : old->priority);

	if (r < 0)
		call_fail_errno(call, r);
}

int api_retry_task(struct call *call)
{
	return call_with_task(call, on_old_task);
}

/* ---- PruneTasks ---- */

static void on_pruned(struct prune *prune)
{
	struct call *call = prune->userdata;
	struct ellu_prune_tasks_reply reply = ELLU_RECORD(struct ellu_prune_tasks_reply);

	if (prune->op.request.result < 0) {
		call_fail(call, &prune->op.request.fault);
	} else {
		reply.tasks = prune->ret_tasks;
		reply.lines = prune->ret_lines;
		call_reply(call, &reply);
	}
	store_request_done(&prune->op.request);
	free(prune);
	call_unref(call);
}

int api_prune_tasks(struct call *call)
{
	const struct ellu_prune_tasks_request *request = call->request;
	struct prune *prune = calloc(1, sizeof(*prune));

	if (!prune)
		return -ENOMEM;
	prune->op.scope = call_scope(call, NULL);
	prune->op.ended_before =
		clock_wall_usec() - (int64_t)(*request->older_than_seconds * USEC_PER_SEC);
	prune->done = on_pruned;
	prune->userdata = call_ref(call);
	prune_start(call->service->queue, prune);
	return 0;
}

/* ---- UpdateProject ---- */

/* Another limit of the day may let tasks go on. An administrator may have changed anybody's. */
static void on_project(struct call *call, struct store_request *request)
{
	call_reply_stored(call, request);
	(void)queue_release_budgets(call->service->queue,
				    call->principal.scopes & PRINCIPAL_SEES_ALL ? -1 : call->principal.uid);
}

int api_update_project(struct call *call)
{
	return call_run_method(call, on_project);
}
