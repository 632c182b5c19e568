#include "client/cli/task_method.h"

#include "proto/generated/interface.h"

#define CALL(method, event_of)                                                            \
	static int method##_call(struct ellu *daemon, const void *request,                \
				 struct task_reply *ret_reply,                            \
				 const struct ellu_error **ret_error)                     \
	{                                                                                 \
		const struct ellu_##method##_reply *reply;                                \
		int r = ellu_##method(daemon, request, &reply, ret_error);                \
                                                                                          \
		if (r >= 0)                                                               \
			*ret_reply = (struct task_reply){ reply, event_of, reply->task }; \
		return r;                                                                 \
	}

#define STREAM(method)                                                                         \
	static int method##_stream(struct ellu *daemon, const void *request,                   \
				   struct ellu_stream **ret_stream)                            \
	{                                                                                      \
		return ellu_##method##_stream(daemon, request, ret_stream);                    \
	}                                                                                      \
	static int method##_next(struct ellu_stream *stream, struct task_reply *ret_reply,     \
				 const struct ellu_error **ret_error)                          \
	{                                                                                      \
		const struct ellu_##method##_reply *reply;                                     \
		int r = ellu_##method##_next(stream, &reply, ret_error);                       \
                                                                                               \
		if (r > 0)                                                                     \
			*ret_reply = (struct task_reply){ reply, reply->event, reply->task };  \
		return r;                                                                      \
	}

#define ANSWERS(method)                                                                   \
	CALL(method, NULL)                                                                \
	const struct task_method method_##method = {                                      \
		.reply_type = &ellu_##method##_reply_type,                                \
		.call = method##_call,                                                    \
	};

#define FOLLOWS(method)                                                                   \
	CALL(method, reply->event)                                                        \
	STREAM(method)                                                                    \
	const struct task_method method_##method = {                                      \
		.reply_type = &ellu_##method##_reply_type,                                \
		.call = method##_call,                                                    \
		.stream = method##_stream,                                                \
		.next = method##_next,                                                    \
	};

ANSWERS(get_task)
ANSWERS(cancel_task)
ANSWERS(pause_task)
ANSWERS(resume_task)
ANSWERS(tune_task)

FOLLOWS(watch_task)
FOLLOWS(retry_task)
FOLLOWS(run_experiment)
FOLLOWS(rate_experiment)
FOLLOWS(rate_responses)
FOLLOWS(retry_failed)
