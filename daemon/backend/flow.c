/* What callers do with their flows, and the calls of them. */
#include <errno.h>
#include <stdlib.h>

#include "daemon/backend/job.h"
#include "daemon/backend/order.h"
#include "daemon/backend/transfer.h"

int backend_flow_open(struct backend *backend, const struct backend_flow_options *options,
		      struct backend_flow **ret_flow)
{
	struct backend_flow *flow = calloc(1, sizeof(*flow));

	if (!flow)
		return -ENOMEM;
	flow->backend = backend;
	flow->options = *options;
	TAILQ_INIT(&flow->jobs);
	TAILQ_INIT(&flow->lanes);
	*ret_flow = flow;
	return 0;
}

static void on_close(struct message *message)
{
	struct backend_flow *flow =
		(struct backend_flow *)((char *)message - offsetof(struct backend_flow, closing));

	admission_close(&flow->backend->admission, flow);
	free(flow);
}

struct backend_flow *backend_flow_close(struct backend_flow *flow)
{
	if (!flow)
		return NULL;
	flow->closing.deliver = on_close;
	loop_post(flow->backend->loop, &flow->closing);
	return NULL;
}

static void on_submit(struct message *message)
{
	struct llm_call *call = (struct llm_call *)message; // its first member
	struct backend_flow *flow = call->flow;

	if (flow->backend->draining)
		call_refuse(flow, call, LLM_CANCELLED);
	else if (job_new(flow, call) < 0)
		call_refuse(flow, call, LLM_ITEM_FAILED);
}

void backend_submit(struct backend_flow *flow, struct llm_call *call)
{
	call->flow = flow;
	call->message.deliver = on_submit;
	loop_post(flow->backend->loop, &call->message);
}

static void on_cancel(struct order *order)
{
	struct backend *backend = order->backend;
	struct job *job;

	/* What is complete is still an answer. */
	transfer_collect(backend);
	while ((job = TAILQ_FIRST(&order->flow->jobs)))
		job_cancel(job);
}

int backend_flow_cancel(struct backend_flow *flow)
{
	return order_post((struct order){ .backend = flow->backend, .flow = flow,
					  .carry_out = on_cancel });
}

void flow_drain(struct backend_flow *flow)
{
	struct job *job, *next;

	for (job = TAILQ_FIRST(&flow->jobs); job; job = next) {
		next = TAILQ_NEXT(job, of_flow);
		job->drained = true;
		if (job->state != JOB_IN_FLIGHT)
			job_cancel(job);
	}
}

static void on_drain(struct order *order)
{
	flow_drain(order->flow);
}

int backend_flow_drain(struct backend_flow *flow)
{
	return order_post((struct order){ .backend = flow->backend, .flow = flow,
					  .carry_out = on_drain });
}

static void on_tune(struct order *order)
{
	admission_tune(&order->backend->admission, order->flow, order->priority, order->cap);
}

int backend_flow_tune(struct backend_flow *flow, int priority, int cap)
{
	return order_post((struct order){ .backend = flow->backend, .flow = flow,
					  .priority = priority, .cap = cap,
					  .carry_out = on_tune });
}
