/* RetryTask: a new task that goes on where an ended one stopped. */
#include "daemon/api/submit.h"
#include "proto/generated/handlers.h"

/* The old task's priority decides about the slot, so it is read first. */
static void on_old_task(struct call *call, struct store_request *stored)
{
	const struct ellu_retry_task_request *request = call->request;
	const struct ellu_task *old = ((const struct task_get *)stored)->ret_task;
	struct task_retry *op = submit_operation(call, sizeof(*op), /* project= */ NULL);

	if (!op)
		return;
	op->arguments = request;
	submit_post(call, &op->submit,
		    &(struct submit_options) {
			    .post = store_task_retry,
			    .priority = request->priority ? request->priority : old->priority,
			    .detach = request->detach,
			    .cancel_on_disconnect = request->cancel_on_disconnect,
			    .min_interval_seconds = request->min_interval_seconds,
		    });
}

int api_retry_task(struct call *call, const struct ellu_retry_task_request *request)
{
	return call_with_task(call, request->id, on_old_task);
}
