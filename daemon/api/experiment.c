/* Methods on experiments: run, show, list, and what came out of them. */
#include <string.h>

#include "daemon/api/call.h"
#include "daemon/api/submit.h"
#include "daemon/store/resources.h"
#include "proto/generated/handlers.h"
#include "proto/generated/interface.h"

/* ---- Run ---- */

int api_run_experiment(struct call *call, const struct ellu_run_experiment_request *request)
{
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

int api_plan_experiment(struct call *call, const struct ellu_plan_experiment_request *request)
{
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

/* ---- Show ---- */

static void on_experiment(struct call *call, struct store_request *request)
{
	const struct experiment_get *op = (const struct experiment_get *)request;
	struct ellu_get_experiment_reply reply = ELLU_RECORD(struct ellu_get_experiment_reply);

	reply.experiment = op->ret_experiment;
	call_reply(call, &reply);
}

int api_get_experiment(struct call *call, const struct ellu_get_experiment_request *request)
{
	struct experiment_get *op = call_operation(call, sizeof(*op), on_experiment);

	if (!op)
		return 0;
	op->scope = call_scope(call, request->project);
	op->ref = request->experiment;
	store_experiment_get(call->service->store, op);
	return 0;
}

int api_list_experiments(struct call *call, const struct ellu_list_experiments_request *request)
{
	struct experiments_list *op = call_operation(call, sizeof(*op), call_reply_page);

	if (!op)
		return 0;
	op->scope = call_scope(call, request->project);
	op->arguments = request;
	store_experiments_list(call->service->store, op);
	return 0;
}

/* ---- Responses ---- */

int api_list_responses(struct call *call, const struct ellu_list_responses_request *request)
{
	struct responses_list *op = call_operation(call, sizeof(*op), call_reply_page);

	if (!op)
		return 0;
	op->scope = call_scope(call, request->project);
	op->arguments = request;
	store_responses_list(call->service->store, op);
	return 0;
}
