#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "daemon/backend/core.h"
#include "daemon/base/clock.h"
#include "proto/limits.h"
#include "proto/text/utf8.h"

/* ---- What callers do ---- */

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
	return backend_order((struct order){ .backend = flow->backend, .flow = flow,
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
	return backend_order((struct order){ .backend = flow->backend, .flow = flow,
					     .carry_out = on_drain });
}

static void on_tune(struct order *order)
{
	admission_tune(&order->backend->admission, order->flow, order->priority, order->cap);
}

int backend_flow_tune(struct backend_flow *flow, int priority, int cap)
{
	return backend_order((struct order){ .backend = flow->backend, .flow = flow,
					     .priority = priority, .cap = cap,
					     .carry_out = on_tune });
}

/* ---- What they hear ---- */

static void deliver_call(struct message *message)
{
	struct llm_call *call = (struct llm_call *)message; // its first member

	call->flow->options.done(call);
}

void flow_return(const struct backend_flow *flow, struct llm_call *call)
{
	call->message.deliver = deliver_call;
	loop_post(flow->options.reply_to, &call->message);
}

enum notice_kind {
	NOTICE_LINE,
	NOTICE_HELD,
	NOTICE_FREED,
};

/* Its own message: the call's is needed for its return. */
struct notice {
	struct message message;
	const struct backend_flow *flow;
	enum notice_kind kind;
	char line[LOG_LINE_MAX + 1];
};

static void deliver_notice(struct message *message)
{
	struct notice *notice = (struct notice *)message; // its first member
	const struct backend_flow_options *options = &notice->flow->options;

	if (notice->kind == NOTICE_LINE)
		options->notice(options->userdata, notice->line);
	else
		options->held(options->userdata, notice->kind == NOTICE_HELD, notice->line);
	free(notice);
}

__attribute__((format(printf, 3, 0))) static bool post(const struct backend_flow *flow,
							enum notice_kind kind,
							const char *format, va_list arguments)
{
	struct notice *notice = calloc(1, sizeof(*notice));
	int size;

	if (!notice)
		return false;
	size = vsnprintf(notice->line, sizeof(notice->line), format, arguments);
	if (size > LOG_LINE_MAX)
		notice->line[utf8_cut(notice->line, LOG_LINE_MAX, LOG_LINE_MAX - 3)] = '\0';
	notice->message.deliver = deliver_notice;
	notice->flow = flow;
	notice->kind = kind;
	loop_post(flow->options.reply_to, &notice->message);
	return true;
}

void flow_notice(struct job *job, const char *format, ...)
{
	struct lane *lane = job->lane;
	int64_t now_usec = job->backend->now_usec;
	va_list arguments;

	if (!lane->flow->options.notice ||
	    (lane->noticed_usec > 0 && now_usec - lane->noticed_usec < USEC_PER_SEC))
		return;
	va_start(arguments, format);
	if (post(lane->flow, NOTICE_LINE, format, arguments))
		lane->noticed_usec = now_usec;
	va_end(arguments);
}

bool flow_hold(const struct backend_flow *flow, bool held, const char *format, ...)
{
	va_list arguments;
	bool posted;

	if (!flow->options.held)
		return true;
	va_start(arguments, format);
	posted = post(flow, held ? NOTICE_HELD : NOTICE_FREED, format, arguments);
	va_end(arguments);
	return posted;
}
