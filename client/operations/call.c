/* Calls by the method's name: blocking ones, and the starts of asynchronous ones. */
#include <errno.h>

#include "client/operations/op.h"
#include "client/operations/result.h"
#include "proto/wire/message.h"

/* ---- Blocking calls ---- */

static int run(struct ellu *handle, const char *name, const void *request, unsigned flags,
	       const void **ret, const struct ellu_error **ret_error)
{
	struct exchange exchange;
	struct outcome outcome = { .result = 0 };
	int r = exchange_init(&exchange, handle, name, request, flags, ret_error);

	if (r < 0)
		return r;
	r = exchange_send(&exchange);
	if (r == 0)
		exchange_await(&exchange, &outcome);
	exchange_done(&exchange);
	if (r < 0)
		return result_fail(r, NULL, ret_error);
	if (outcome.result < 0 && ret_error)
		*ret_error = outcome.error;
	else if (outcome.result >= 0 && ret)
		*ret = outcome.reply;
	else
		outcome_done(&outcome);
	return outcome.result;
}

int ellu_call_method(struct ellu *handle, const char *name, const void *request, const void **ret,
		     const struct ellu_error **ret_error)
{
	return run(handle, name, request, 0, ret, ret_error);
}

int ellu_call_raw(struct ellu *handle, const char *method, const char *parameters,
		  const struct ellu_raw_reply **ret, const struct ellu_error **ret_error)
{
	const void *reply = NULL;
	int r = run(handle, method, parameters, EXCHANGE_RAW, ret ? &reply : NULL, ret_error);

	if (r >= 0 && ret)
		*ret = reply;
	return r;
}

int ellu_oneway_raw(struct ellu *handle, const char *method, const char *parameters,
		    const struct ellu_error **ret_error)
{
	return run(handle, method, parameters, EXCHANGE_RAW | WIRE_ONEWAY, NULL, ret_error);
}

/* ---- Asynchronous calls ---- */

static int start(struct ellu *handle, const char *name, const void *request, unsigned flags,
		 struct callback callback, struct ellu_op **ret_op)
{
	struct exchange exchange;
	int r = exchange_init(&exchange, handle, name, request, flags | EXCHANGE_EVENT, NULL);

	return r < 0 ? r : op_start(&exchange, &callback, ret_op);
}

int ellu_call_method_async(struct ellu *handle, const char *name, const void *request,
			   ellu_deliver_fn *deliver, ellu_any_fn *callback, void *userdata,
			   struct ellu_op **ret_op)
{
	return start(handle, name, request, 0, (struct callback){ deliver, callback, userdata },
		     ret_op);
}

int ellu_stream_method_async(struct ellu *handle, const char *name, const void *request,
			     ellu_deliver_fn *deliver, ellu_any_fn *callback, void *userdata,
			     struct ellu_op **ret_op)
{
	return start(handle, name, request, WIRE_MORE,
		     (struct callback){ deliver, callback, userdata }, ret_op);
}

static void deliver_raw(ellu_any_fn *callback, struct ellu_op *op, int result, const void *reply,
			const struct ellu_error *error, void *userdata)
{
	((ellu_raw_fn *) callback)(op, result, reply, error, userdata);
}

int ellu_call_raw_async(struct ellu *handle, const char *method, const char *parameters,
			ellu_raw_fn *callback, void *userdata, struct ellu_op **ret_op)
{
	return start(handle, method, parameters, EXCHANGE_RAW,
		     (struct callback){ deliver_raw, (ellu_any_fn *) callback, userdata }, ret_op);
}

int ellu_stream_raw_async(struct ellu *handle, const char *method, const char *parameters,
			  ellu_raw_fn *callback, void *userdata, struct ellu_op **ret_op)
{
	return start(handle, method, parameters, EXCHANGE_RAW | WIRE_MORE,
		     (struct callback){ deliver_raw, (ellu_any_fn *) callback, userdata }, ret_op);
}
