/* SPDX-License-Identifier: MIT */
#include "client/call.h"

#include <errno.h>
#include <stdlib.h>

#include "client/exchange.h"
#include "client/op.h"
#include "client/result.h"

struct ellu_stream {
	struct exchange exchange;
	bool has_outcome; // met by ellu_stream_wait()
	struct outcome outcome;
};

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
	struct exchange exchange;
	struct outcome outcome;
	int r = exchange_begin(&exchange, handle, letter);

	letter_done(letter);
	if (r < 0) {
		if (ret_error)
			*ret_error = result_errno(r, NULL);
		return r;
	}
	exchange_await(&exchange, &outcome);
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

int ellu_call_raw(struct ellu *handle, const char *method, const char *parameters,
		  const struct ellu_raw_reply **ret, const struct ellu_error **ret_error)
{
	struct letter letter;
	int r = check(handle, ELLU_BLOCKING, ret_error);

	if (r == 0)
		r = letter_write_raw(method, parameters, /* more= */ false, &letter, ret_error);
	return r < 0 ? r : run(handle, &letter, (const void **) ret, ret_error);
}

/* ---- Streams ---- */

static int open_stream(struct ellu *handle, struct letter *letter, struct ellu_stream **ret)
{
	struct ellu_stream *stream = calloc(1, sizeof(*stream));
	int r = stream ? exchange_begin(&stream->exchange, handle, letter) : -ENOMEM;

	letter_done(letter);
	if (r < 0)
		free(stream);
	else
		*ret = stream;
	return r;
}

int call_stream(struct ellu *handle, const struct method *method, const void *request,
		struct ellu_stream **ret)
{
	struct letter letter;
	int r = ret ? handle_check(handle, ELLU_BLOCKING) : -EINVAL;

	if (r == 0)
		r = letter_write(method, request, /* more= */ true, &letter, NULL);
	return r < 0 ? r : open_stream(handle, &letter, ret);
}

int ellu_stream_raw(struct ellu *handle, const char *method, const char *parameters,
		    struct ellu_stream **ret)
{
	struct letter letter;
	int r = ret ? handle_check(handle, ELLU_BLOCKING) : -EINVAL;

	if (r == 0)
		r = letter_write_raw(method, parameters, /* more= */ true, &letter, NULL);
	return r < 0 ? r : open_stream(handle, &letter, ret);
}

int ellu_stream_wait(struct ellu_stream *stream, double timeout_seconds)
{
	uint64_t deadline = 0;

	if (!stream)
		return -EINVAL;
	if (timeout_seconds >= 0)
		deadline = handle_now() + (uint64_t) (timeout_seconds * 1e6);
	while (!stream->has_outcome && !stream->exchange.ended) {
		long long left = -1;
		int r;

		if (exchange_next(&stream->exchange, &stream->outcome) > 0) {
			stream->has_outcome = true;
			break;
		}
		if (exchange_pump(&stream->exchange) > 0)
			continue;
		if (timeout_seconds >= 0) {
			uint64_t now = handle_now();

			left = now < deadline ? (long long) (deadline - now) : 0;
		}
		r = connection_wait(stream->exchange.connection, left);
		if (r <= 0)
			return r;
	}
	return 1;
}

int ellu_stream_next(struct ellu_stream *stream, const void **ret_reply,
		     const struct ellu_error **ret_error)
{
	struct outcome outcome;

	if (ret_error)
		*ret_error = NULL;
	if (!stream || !ret_reply)
		return -EINVAL;
	if (stream->has_outcome) {
		outcome = stream->outcome;
		stream->has_outcome = false;
	} else if (stream->exchange.ended) {
		return 0;
	} else {
		exchange_await(&stream->exchange, &outcome);
	}
	if (outcome.result >= 0) {
		*ret_reply = outcome.reply;
		return 1;
	}
	if (ret_error)
		*ret_error = outcome.error;
	else
		ellu_free(outcome.error);
	return outcome.result;
}

struct ellu_stream *ellu_stream_close(struct ellu_stream *stream)
{
	if (!stream)
		return NULL;
	if (stream->has_outcome)
		outcome_done(&stream->outcome);
	exchange_done(&stream->exchange);
	free(stream);
	return NULL;
}

/* ---- Asynchronous calls ---- */

int call_async(struct ellu *handle, const struct method *method, const void *request, bool more,
	       ellu_reply_fn *callback, void *userdata, struct ellu_op **ret_op)
{
	bool is_long = more || method->replies == METHOD_REPLIES_EVENTS;
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
		r = letter_write_raw(name, parameters, more, &letter, NULL);
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
