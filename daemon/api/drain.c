/* Drain: stops starting tasks while the daemon goes on serving, and starts again. */
#include <errno.h>
#include <stdlib.h>

#include "daemon/api/call.h"
#include "daemon/base/log.h"
#include "daemon/queue/queue.h"
#include "proto/generated/handlers.h"

static void on_drained(struct queue_drain *drain, bool undone)
{
	struct call *call = drain->userdata;
	struct ellu_drain_reply reply = ELLU_RECORD(struct ellu_drain_reply);
	struct fault fault = { 0 };

	if (undone) {
		fault_set(&fault, ELLU_E_CANCELLED, "tasks are started again");
		call_fail(call, &fault);
	} else {
		call_reply(call, &reply);
	}
	free(drain);
	call_unref(call);
}

int api_drain(struct call *call, const struct ellu_drain_request *request)
{
	struct ellu_drain_reply reply = ELLU_RECORD(struct ellu_drain_reply);
	struct queue_drain *drain;

	if (request->undo && *request->undo) {
		log_notice("tasks are started again");
		queue_undrain(call->service->queue);
		call_reply(call, &reply);
		return 0;
	}
	drain = calloc(1, sizeof(*drain));
	if (!drain)
		return -ENOMEM;
	log_notice("draining: no task is started until that is undone");
	drain->done = on_drained;
	drain->userdata = call_ref(call);
	queue_drain(call->service->queue, drain);
	return 0;
}
