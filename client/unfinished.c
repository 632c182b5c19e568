/* SPDX-License-Identifier: MIT */
/* Declared, and not built yet: each says so by -ENOSYS. */
#include <errno.h>

#include "client/call.h"
#include "client/elluminate.h"

#define UNFINISHED(name, ...)                    \
	__attribute__((unused)) int name(__VA_ARGS__) \
	{                                        \
		return -ENOSYS;                  \
	}

#pragma GCC diagnostic ignored "-Wunused-parameter"

UNFINISHED(ellu_set_reconnect, struct ellu *handle, double seconds)
UNFINISHED(ellu_oneway_raw, struct ellu *handle, const char *method, const char *parameters,
	   const struct ellu_error **ret_error)
UNFINISHED(stream_next_item, struct ellu_stream *stream, const void **ret_item,
	   const struct ellu_error **ret_error)
UNFINISHED(ellu_stream_cancel_task, struct ellu_stream *stream, const struct ellu_error **ret_error)
UNFINISHED(ellu_op_set_callback, struct ellu_op *op, ellu_reply_fn *callback, void *userdata)
UNFINISHED(ellu_op_wait_all, struct ellu_op *const *ops, size_t n_ops, double timeout_seconds)
UNFINISHED(ellu_op_wait_any, struct ellu_op *const *ops, size_t n_ops, double timeout_seconds)
UNFINISHED(ellu_op_cancel, struct ellu_op *op)
UNFINISHED(ellu_op_cancel_task, struct ellu_op *op)
UNFINISHED(ellu_gather, struct ellu *handle, size_t n, size_t limit, ellu_start_fn *start,
	   void *userdata, double timeout_seconds, struct ellu_op **ret_ops)
UNFINISHED(ellu_run_off_loop, struct ellu *handle, ellu_work_fn *work, ellu_reply_fn *callback,
	   void *userdata, struct ellu_op **ret_op)
UNFINISHED(ellu_await, struct ellu *handle, ellu_start_fn *start, void *userdata,
	   double timeout_seconds, const void **ret_reply, const struct ellu_error **ret_error)
UNFINISHED(ellu_set_close_callback, struct ellu *handle, ellu_close_fn *callback, void *userdata)

int64_t ellu_stream_task_id(const struct ellu_stream *stream)
{
	return 0;
}

int64_t ellu_op_task_id(const struct ellu_op *op)
{
	return 0;
}
