/* Methods whose task has one item, which stands in the request: a function and a row a kind. */
#include "daemon/api/methods.h"
#include "daemon/api/submit.h"
#include "proto/generated/interface.h"

/* What the requests of such methods have in common. */
#define SUBMIT_JOB(call, kind_id, request_type, request)                                \
	do {                                                                            \
		struct job_submit *op_ = submit_operation(call, sizeof(*op_),           \
							  (request)->project);          \
		if (!op_)                                                               \
			break;                                                          \
		op_->kind = (kind_id);                                                  \
		op_->type = (request_type);                                             \
		op_->arguments = (request);                                             \
		op_->name = (request)->name;                                            \
		op_->prompt_template = (request)->prompt_template;                      \
		op_->llm_config = (request)->llm_config;                                \
		op_->generation_params = (request)->generation_params;                  \
		op_->cost_limit = (request)->cost_limit;                                \
		op_->priority = (request)->priority;                                    \
		op_->time_limit_seconds = *(request)->time_limit_seconds;               \
		op_->idempotency_key = (request)->idempotency_key;                      \
		submit_post(call, &op_->submit,                                         \
			    &(struct submit_options){                                   \
				    .post = store_job_submit,                           \
				    .priority = (request)->priority,                    \
				    .detach = (request)->detach,                        \
				    .min_interval_seconds = (request)->min_interval_seconds, \
			    });                                                         \
	} while (0)

static int submit_call(struct call *call)
{
	const struct ellu_call_request *request = call->request;
	struct fault fault = { 0 };

	if (!request->messages == !request->prompt_template) {
		fault_invalid(&fault, "messages", "messages, or else a prompt_template");
		call_fail(call, &fault);
		return 0;
	}
	SUBMIT_JOB(call, TASK_KIND_CALL, &ellu_call_request_type, request);
	return 0;
}

static method_handler_fn *const jobs[_METHOD_MAX] = {
	[METHOD_CALL] = submit_call,
};

method_handler_fn *job_handler(const struct method *method)
{
	return jobs[method->id];
}
