/* CancelTask, PauseTask, ResumeTask, TuneTask. Each reads the task first, so that only who may see
 * it goes on, and answers it as the store's operation left it. */
#include <errno.h>
#include <stdlib.h>

#include "daemon/api/call.h"
#include "daemon/queue/queue.h"
#include "proto/generated/handlers.h"

/* ---- CancelTask ---- */

static void on_cancelled(struct queue_cancel *cancel)
{
	struct call *call = cancel->userdata;
	struct ellu_cancel_task_reply reply = ELLU_RECORD(struct ellu_cancel_task_reply);

	if (cancel->op.request.result < 0) {
		call_fail(call, &cancel->op.request.fault);
	} else {
		reply.task = cancel->op.ret_task;
		call_reply(call, &reply);
	}
	store_request_done(&cancel->op.request);
	free(cancel);
	call_unref(call);
}

static void on_cancellable(struct call *call, struct store_request *request)
{
	struct queue_cancel *cancel = calloc(1, sizeof(*cancel));

	if (!cancel) {
		call_fail_errno(call, -ENOMEM);
		return;
	}
	cancel->op.task_id = ((const struct task_get *)request)->task_id;
	cancel->done = on_cancelled;
	cancel->userdata = call_ref(call);
	queue_cancel_task(call->service->queue, cancel);
}

int api_cancel_task(struct call *call, const struct ellu_cancel_task_request *request)
{
	return call_with_task(call, request->id, on_cancellable);
}

/* ---- PauseTask, ResumeTask ---- */

/* The replies are alike; both are checked. */
struct pause_reply {
	size_t struct_size;
	const struct ellu_task *task;
};
_Static_assert(sizeof(struct pause_reply) == sizeof(struct ellu_pause_task_reply) &&
		       sizeof(struct pause_reply) == sizeof(struct ellu_resume_task_reply),
	       "both answer the task");

static void on_paused(struct queue_pause *pause)
{
	struct call *call = pause->userdata;
	struct pause_reply reply = ELLU_RECORD(struct pause_reply);

	if (pause->op.request.result < 0) {
		call_fail(call, &pause->op.request.fault);
	} else {
		reply.task = call_overlay_task(call, &call->arena, pause->op.ret_task);
		call_reply(call, &reply);
	}
	store_request_done(&pause->op.request);
	free(pause);
	call_unref(call);
}

static void set_paused(struct call *call, struct store_request *request, bool resume)
{
	struct queue_pause *pause = calloc(1, sizeof(*pause));

	if (!pause) {
		call_fail_errno(call, -ENOMEM);
		return;
	}
	pause->op.task_id = ((const struct task_get *)request)->task_id;
	pause->op.resume = resume;
	pause->done = on_paused;
	pause->userdata = call_ref(call);
	queue_pause_task(call->service->queue, pause);
}

static void on_pausable(struct call *call, struct store_request *request)
{
	set_paused(call, request, /* resume= */ false);
}

static void on_resumable(struct call *call, struct store_request *request)
{
	set_paused(call, request, /* resume= */ true);
}

int api_pause_task(struct call *call, const struct ellu_pause_task_request *request)
{
	return call_with_task(call, request->id, on_pausable);
}

int api_resume_task(struct call *call, const struct ellu_resume_task_request *request)
{
	return call_with_task(call, request->id, on_resumable);
}

/* ---- TuneTask ---- */

static void on_tuned(struct queue_tune *tune)
{
	struct call *call = tune->userdata;
	struct ellu_tune_task_reply reply = ELLU_RECORD(struct ellu_tune_task_reply);

	if (tune->op.request.result < 0) {
		call_fail(call, &tune->op.request.fault);
	} else {
		reply.task = call_overlay_task(call, &call->arena, tune->op.ret_task);
		call_reply(call, &reply);
	}
	store_request_done(&tune->op.request);
	free(tune);
	call_unref(call);
}

static void on_tunable(struct call *call, struct store_request *stored)
{
	const struct ellu_tune_task_request *request = call->request;
	struct queue_tune *tune = calloc(1, sizeof(*tune));

	(void)stored;
	if (!tune) {
		call_fail_errno(call, -ENOMEM);
		return;
	}
	tune->op.task_id = request->id;
	tune->op.priority = request->priority;
	tune->op.max_connections = request->max_connections;
	tune->op.cost_limit = request->cost_limit;
	tune->done = on_tuned;
	tune->userdata = call_ref(call);
	queue_tune_task(call->service->queue, tune);
}

int api_tune_task(struct call *call, const struct ellu_tune_task_request *request)
{
	struct fault fault = { 0 };

	if (request->priority || request->max_connections || request->cost_limit)
		return call_with_task(call, request->id, on_tunable);
	fault_invalid(&fault, "priority", "one of priority, max_connections and cost_limit");
	call_fail(call, &fault);
	return 0;
}
