#include "daemon/backend/notice.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/backend/core.h"
#include "daemon/base/clock.h"
#include "proto/limits.h"
#include "proto/utf8.h"

/* Its own message: the call's is needed for its return. */
struct notice {
	struct message message;
	void (*notice)(void *userdata, const char *line); // or NULL
	void (*hold)(void *userdata, bool held, const char *line); // or NULL
	bool held;
	void *userdata;
	char line[LOG_LINE_MAX + 1];
};

static void deliver(struct message *message)
{
	struct notice *notice = (struct notice *)message; // its first member

	if (notice->hold)
		notice->hold(notice->userdata, notice->held, notice->line);
	else
		notice->notice(notice->userdata, notice->line);
	free(notice);
}

__attribute__((format(printf, 3, 0))) static void post(struct notice *notice,
							const struct llm_call *call,
							const char *format, va_list arguments)
{
	int size = vsnprintf(notice->line, sizeof(notice->line), format, arguments);

	if (size > LOG_LINE_MAX)
		notice->line[utf8_cut(notice->line, LOG_LINE_MAX, LOG_LINE_MAX - 3)] = '\0';
	notice->message.deliver = deliver;
	notice->userdata = call->userdata;
	loop_post(call->reply_to, &notice->message);
}

void notice_send(struct job *job, const char *format, ...)
{
	struct llm_call *call = job->call;
	struct lane *lane = job->lane;
	int64_t now_usec = job->backend->now_usec;
	struct notice *notice;
	va_list arguments;

	if (!call->notice ||
	    (lane->noticed_usec > 0 && now_usec - lane->noticed_usec < USEC_PER_SEC))
		return;
	notice = calloc(1, sizeof(*notice));
	if (!notice)
		return;
	lane->noticed_usec = now_usec;
	notice->notice = call->notice;
	va_start(arguments, format);
	post(notice, call, format, arguments);
	va_end(arguments);
}

bool notice_hold(struct job *job, bool held, const char *format, ...)
{
	struct llm_call *call = job->call;
	struct notice *notice;
	va_list arguments;

	if (!call->held)
		return true;
	notice = calloc(1, sizeof(*notice));
	if (!notice)
		return false;
	notice->hold = call->held;
	notice->held = held;
	va_start(arguments, format);
	post(notice, call, format, arguments);
	va_end(arguments);
	return true;
}
