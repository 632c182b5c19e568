/* Rating responses or an experiment, and asking again for what failed. */
#include "daemon/api/methods.h"
#include "daemon/api/submit.h"

/* How the request of each such method says that its task is to be followed. */
#define OPTIONS(request, function)                                                     \
	&(struct submit_options)                                                       \
	{                                                                              \
		.post = (function), .priority = (request)->priority,                   \
		.detach = (request)->detach,                                           \
		.cancel_on_disconnect = (request)->cancel_on_disconnect,               \
		.min_interval_seconds = (request)->min_interval_seconds,               \
	}

int api_rate_responses(struct call *call)
{
	const struct ellu_rate_responses_request *request = call->request;
	struct rating_submit *op = submit_operation(call, sizeof(*op), request->project);

	if (!op)
		return 0;
	op->responses = request;
	submit_post(call, &op->submit, OPTIONS(request, store_rating_submit));
	return 0;
}

int api_rate_experiment(struct call *call)
{
	const struct ellu_rate_experiment_request *request = call->request;
	struct rating_submit *op = submit_operation(call, sizeof(*op), request->project);

	if (!op)
		return 0;
	op->experiment = request;
	submit_post(call, &op->submit, OPTIONS(request, store_rating_submit));
	return 0;
}

int api_retry_failed(struct call *call)
{
	const struct ellu_retry_failed_request *request = call->request;
	struct failed_retry *op = submit_operation(call, sizeof(*op), request->project);

	if (!op)
		return 0;
	op->arguments = request;
	submit_post(call, &op->submit, OPTIONS(request, store_failed_retry));
	return 0;
}
