/* PruneTasks: removes what the caller's ended tasks have logged. */
#include <errno.h>
#include <stdlib.h>

#include "daemon/api/call.h"
#include "daemon/base/clock.h"
#include "daemon/queue/prune.h"
#include "proto/generated/handlers.h"

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

int api_prune_tasks(struct call *call, const struct ellu_prune_tasks_request *request)
{
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
