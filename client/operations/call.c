#include "client/operations/call.h"

#include <errno.h>

#include "client/operations/exchange.h"
#include "client/operations/op.h"
#include "client/operations/result.h"
#include "proto/message.h"

static int check(struct ellu *handle, unsigned mode, const struct ellu_error **ret_error)
{
	int r = handle_check(handle, mode);

	if (ret_error)
		*ret_error = NULL;
	if (r < 0 && ret_error)
		*ret_error = result_errno(r, r == -EOPNOTSUPP
						     ? "The handle was opened for the other mode."
						     : "There is no open handle.");
	return r;
}

/* ---- Blocking calls ---- */

static int run(struct ellu *handle, struct letter *letter, const void **ret,
	       const struct ellu_error **ret_error)
{
	uint64_t deadline = handle_deadline(handle);
	struct exchange exchange;
	struct outcome outcome;
	int r = exchange_begin(&exchange, handle, letter);

	letter_done(letter);
	if (r < 0) {
		if (ret_error)
			*ret_error = result_errno(r, NULL);
		return r;
	}
	exchange_await(&exchange, deadline, &outcome);
	exchange_done(&exchange);
	if (outcome.result < 0 && ret_error) {
		*ret_error = outcome.error;
		outcome.error = NULL;
	} else if (outcome.result >= 0 && ret) {
		*ret = outcome.reply;
		outcome.reply = NULL;
	}
	outcome_done(&outcome);
	return outcome.result;
}

int call_blocking(struct ellu *handle, const struct method *method, const void *request,
		  const void **ret, const struct ellu_error **ret_error)
{
	struct letter letter;
	int r = check(handle, ELLU_BLOCKING, ret_error);

	if (r == 0)
		r = letter_write(method, request, /* more= */ false, &letter, ret_error);
	return r < 0 ? r : run(handle, &letter, ret, ret_error);
}

int ellu_call_method(struct ellu *handle, const char *name, const void *request, const void **ret,
		     const struct ellu_error **ret_error)
{
	const struct method *method = name ? method_find(name) : NULL;

	if (method)
		return call_blocking(handle, method, request, ret, ret_error);
	if (ret_error)
		*ret_error = result_errno(-EINVAL, "There is no such method.");
	return -EINVAL;
}

int ellu_call_raw(struct ellu *handle, const char *method, const char *parameters,
		  const struct ellu_raw_reply **ret, const struct ellu_error **ret_error)
{
	struct letter letter;
	int r = check(handle, ELLU_BLOCKING, ret_error);

	if (r == 0)
		r = letter_write_raw(method, parameters, 0, &letter, ret_error);
	return r < 0 ? r : run(handle, &letter, (const void **) ret, ret_error);
}

int ellu_oneway_raw(struct ellu *handle, const char *method, const char *parameters,
		    const struct ellu_error **ret_error)
{
	struct exchange exchange;
	struct letter letter;
	int r = check(handle, ELLU_BLOCKING, ret_error);

	if (r == 0)
		r = letter_write_raw(method, parameters, WIRE_ONEWAY, &letter, ret_error);
	if (r < 0)
		return r;
	r = exchange_begin(&exchange, handle, &letter);
	letter_done(&letter);
	if (r == 0) {
		r = exchange_flush(&exchange, handle_deadline(handle));
		exchange_done(&exchange);
	}
	if (r < 0 && ret_error)
		*ret_error = result_errno(r, NULL);
	return r;
}

/* ---- Asynchronous calls ---- */

int call_async(struct ellu *handle, const struct method *method, const void *request, bool more,
	       ellu_reply_fn *callback, void *userdata, struct ellu_op **ret_op)
{
	bool is_long = more || method->replies == METHOD_REPLIES_EVENTS ||
		       method->replies == METHOD_REPLIES_LATE;
	int r = handle_check(handle, ELLU_EVENT);
	struct letter letter;

	if (r == 0)
		r = letter_write(method, request, more, &letter, NULL);
	return r < 0 ? r : op_start(handle, &letter, is_long, callback, userdata, ret_op);
}

static int raw_async(struct ellu *handle, const char *name, const char *parameters, bool more,
		     ellu_reply_fn *callback, void *userdata, struct ellu_op **ret_op)
{
	struct letter letter;
	int r = handle_check(handle, ELLU_EVENT);

	if (r == 0)
		r = letter_write_raw(name, parameters, more ? WIRE_MORE : 0, &letter, NULL);
	/* How long a method that is not known takes is not known either. */
	return r < 0 ? r
		     : op_start(handle, &letter, /* is_long= */ true, callback, userdata, ret_op);
}

int ellu_call_raw_async(struct ellu *handle, const char *method, const char *parameters,
			ellu_reply_fn *callback, void *userdata, struct ellu_op **ret_op)
{
	return raw_async(handle, method, parameters, /* more= */ false, callback, userdata, ret_op);
}

int ellu_stream_raw_async(struct ellu *handle, const char *method, const char *parameters,
			  ellu_reply_fn *callback, void *userdata, struct ellu_op **ret_op)
{
	return raw_async(handle, method, parameters, /* more= */ true, callback, userdata, ret_op);
}
