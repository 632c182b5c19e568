/* Running experiments, and what that would do. */
#include <string.h>

#include "daemon/api/methods.h"
#include "daemon/api/submit.h"
#include "proto/generated/interface.h"

/* ---- Run ---- */

int api_run_experiment(struct call *call)
{
	const struct ellu_run_experiment_request *request = call->request;
	struct experiment_submit *op = submit_operation(call, sizeof(*op), request->project);

	if (!op)
		return 0;
	op->arguments = request;
	submit_post(call, &op->submit,
		    &(struct submit_options) {
			    .post = store_experiment_submit,
			    .priority = request->priority,
			    .detach = request->detach,
			    .cancel_on_disconnect = request->cancel_on_disconnect,
			    .min_interval_seconds = request->min_interval_seconds,
		    });
	return 0;
}

/* ---- Plan ---- */

static void on_planned(struct call *call, struct store_request *request)
{
	const struct experiment_submit *op = (const struct experiment_submit *)request;
	struct ellu_plan_experiment_reply reply = ELLU_RECORD(struct ellu_plan_experiment_reply);

	reply.plan = op->ret_plan;
	call_reply(call, &reply);
}

int api_plan_experiment(struct call *call)
{
	const struct ellu_plan_experiment_request *request = call->request;
	const struct ellu_run_experiment_request *run;
	struct experiment_submit *op;
	struct fault fault = { 0 };
	void *record;

	if (record_from_text(&ellu_run_experiment_request_type, request->run, strlen(request->run),
			     FROM_CLIENT, &call->arena, &record, &fault) < 0) {
		call_fail(call, &fault);
		return 0;
	}
	run = record;
	op = call_operation(call, sizeof(*op), on_planned);
	if (!op)
		return 0;
	op->submit.scope = call_scope(call, run->project);
	op->arguments = run;
	store_experiment_plan(call->service->store, op);
	return 0;
}
