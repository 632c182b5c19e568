/* Calls by the method's name: blocking ones, and the starts of asynchronous ones. */
#include <errno.h>

#include "client/operations/exchange.h"
#include "client/operations/op.h"
#include "client/operations/result.h"
#include "proto/wire/message.h"

int call_check(struct ellu *handle, unsigned mode, const struct ellu_error **ret_error)
{
	int r = handle_check(handle, mode);

	if (ret_error)
		*ret_error = NULL;
	return r == 0 ? 0 :
			result_fail(r,
				    r == -EOPNOTSUPP ? "The handle was opened for the other mode." :
						       "There is no open handle.",
				    ret_error);
}

/* -ENOSYS: the daemon may know the method, the library does not. */
int call_write(const char *name, const void *request, bool more, struct letter *ret_letter,
	       const struct ellu_error **ret_error)
{
	const struct method *method = name ? method_find(name) : NULL;

	return method ? letter_write(method, request, more, ret_letter, ret_error) :
			result_fail(name ? -ENOSYS : -EINVAL, "The library knows no such method.", ret_error);
}

/* ---- Blocking calls ---- */

static int run(struct ellu *handle, struct letter *letter, const void **ret,
	       const struct ellu_error **ret_error)
{
	struct exchange exchange;
	struct outcome outcome;
	int r = exchange_begin(&exchange, handle, letter);

	letter_done(letter);
	if (r < 0)
		return result_fail(r, NULL, ret_error);
	exchange_await(&exchange, exchange_deadline(&exchange), &outcome);
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

int ellu_call_method(struct ellu *handle, const char *name, const void *request, const void **ret,
		     const struct ellu_error **ret_error)
{
	struct letter letter;
	int r = call_check(handle, ELLU_BLOCKING, ret_error);

	if (r == 0)
		r = call_write(name, request, /* more= */ false, &letter, ret_error);
	return r < 0 ? r : run(handle, &letter, ret, ret_error);
}

int ellu_call_raw(struct ellu *handle, const char *method, const char *parameters,
		  const struct ellu_raw_reply **ret, const struct ellu_error **ret_error)
{
	const void *reply = NULL;
	struct letter letter;
	int r = call_check(handle, ELLU_BLOCKING, ret_error);

	if (r == 0)
		r = letter_write_raw(method, parameters, 0, &letter, ret_error);
	if (r == 0)
		r = run(handle, &letter, ret ? &reply : NULL, ret_error);
	if (r >= 0 && ret)
		*ret = reply;
	return r;
}

int ellu_oneway_raw(struct ellu *handle, const char *method, const char *parameters,
		    const struct ellu_error **ret_error)
{
	struct exchange exchange;
	struct letter letter;
	int r = call_check(handle, ELLU_BLOCKING, ret_error);

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
	return r < 0 ? result_fail(r, NULL, ret_error) : r;
}

/* ---- Asynchronous calls ---- */

/* How long a method that is not known takes is not known either. */
static bool is_long(const struct letter *letter)
{
	const struct method *method = letter->resume.method;

	return letter->resume.more || !method || method->is_long;
}

static int start(struct ellu *handle, const char *name, const void *request, bool more,
		 const struct callback *callback, struct ellu_op **ret_op)
{
	struct letter letter;
	int r = handle_check(handle, ELLU_EVENT);

	if (r == 0)
		r = call_write(name, request, more, &letter, NULL);
	return r < 0 ? r : op_start(handle, &letter, is_long(&letter), callback, ret_op);
}

int ellu_call_method_async(struct ellu *handle, const char *name, const void *request,
			   ellu_deliver_fn *deliver, ellu_any_fn *callback, void *userdata,
			   struct ellu_op **ret_op)
{
	return start(handle, name, request, /* more= */ false,
		     &(struct callback){ deliver, callback, userdata }, ret_op);
}

int ellu_stream_method_async(struct ellu *handle, const char *name, const void *request,
			     ellu_deliver_fn *deliver, ellu_any_fn *callback, void *userdata,
			     struct ellu_op **ret_op)
{
	return start(handle, name, request, /* more= */ true,
		     &(struct callback){ deliver, callback, userdata }, ret_op);
}

static void deliver_raw(ellu_any_fn *callback, struct ellu_op *op, int result, const void *reply,
			const struct ellu_error *error, void *userdata)
{
	((ellu_raw_fn *) callback)(op, result, reply, error, userdata);
}

static int start_raw(struct ellu *handle, const char *name, const char *parameters, unsigned flags,
		     const struct callback *callback, struct ellu_op **ret_op)
{
	struct letter letter;
	int r = handle_check(handle, ELLU_EVENT);

	if (r == 0)
		r = letter_write_raw(name, parameters, flags, &letter, NULL);
	return r < 0 ? r : op_start(handle, &letter, is_long(&letter), callback, ret_op);
}

int ellu_call_raw_async(struct ellu *handle, const char *method, const char *parameters,
			ellu_raw_fn *callback, void *userdata, struct ellu_op **ret_op)
{
	return start_raw(handle, method, parameters, 0,
			 &(struct callback){ deliver_raw, (ellu_any_fn *) callback, userdata },
			 ret_op);
}

int ellu_stream_raw_async(struct ellu *handle, const char *method, const char *parameters,
			  ellu_raw_fn *callback, void *userdata, struct ellu_op **ret_op)
{
	return start_raw(handle, method, parameters, WIRE_MORE,
			 &(struct callback){ deliver_raw, (ellu_any_fn *) callback, userdata },
			 ret_op);
}
