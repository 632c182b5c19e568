/* SPDX-License-Identifier: MIT */
#include "daemon/backend/notice.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/backend/core.h"
#include "daemon/clock.h"
#include "proto/limits.h"
#include "proto/utf8.h"

/* Its own message: the call's is needed for its return. */
struct notice {
	struct message message;
	void (*notice)(void *userdata, const char *line);
	void *userdata;
	char line[LOG_LINE_MAX + 1];
};

static void deliver(struct message *message)
{
	struct notice *notice = (struct notice *)message; // its first member

	notice->notice(notice->userdata, notice->line);
	free(notice);
}

void notice_send(struct job *job, const char *format, ...)
{
	struct llm_call *call = job->call;
	struct lane *lane = job->lane;
	int64_t now_usec = job->backend->now_usec;
	struct notice *notice;
	va_list arguments;
	int size;

	if (!call->notice ||
	    (lane->noticed_usec > 0 && now_usec - lane->noticed_usec < USEC_PER_SEC))
		return;
	notice = malloc(sizeof(*notice));
	if (!notice)
		return;
	lane->noticed_usec = now_usec;
	notice->message.deliver = deliver;
	notice->notice = call->notice;
	notice->userdata = call->userdata;
	va_start(arguments, format);
	size = vsnprintf(notice->line, sizeof(notice->line), format, arguments);
	va_end(arguments);
	if (size > LOG_LINE_MAX)
		notice->line[utf8_cut(notice->line, LOG_LINE_MAX, LOG_LINE_MAX - 3)] = '\0';
	target_redact(call->target, notice->line);
	loop_post(call->reply_to, &notice->message);
}
