#include "daemon/backend/callers/flow_reply.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "daemon/backend/core.h"
#include "daemon/base/clock.h"
#include "proto/limits.h"
#include "proto/text/utf8.h"

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
	int64_t now_usec = job->backend->ground.now_usec;
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
