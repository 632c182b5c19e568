/* Calls with many replies, read one by one. A stream pins its handle. */
#include <errno.h>
#include <stdlib.h>

#include "client/operations/exchange.h"
#include "client/operations/result.h"
#include "proto/wire/message.h"

struct ellu_stream {
	struct live live;
	struct ellu *handle; // a reference
	struct exchange exchange;
	bool has_outcome; // met by ellu_stream_wait()
	struct outcome outcome;
	const void *page; // that items are taken from, or NULL
	size_t next_item;
};

/* ---- Life ---- */

static int begin(struct ellu_stream *stream, const struct ellu_error **ret_error)
{
	int r = exchange_send(&stream->exchange);

	if (r == 0)
		r = live_add(&stream->live, LIVE_STREAM);
	if (r < 0) {
		exchange_done(&stream->exchange);
		return result_fail(r, NULL, ret_error);
	}
	stream->handle = handle_ref(stream->exchange.handle);
	return 0;
}

static int open_stream(struct ellu *handle, const char *name, const void *request, unsigned flags,
		       struct ellu_stream **ret, const struct ellu_error **ret_error)
{
	struct ellu_stream *stream = ret ? calloc(1, sizeof(*stream)) : NULL;
	int r;

	if (!stream)
		return result_fail(ret ? -ENOMEM : -EINVAL, NULL, ret_error);
	r = exchange_init(&stream->exchange, handle, name, request, flags, ret_error);
	if (r == 0)
		r = begin(stream, ret_error);
	if (r < 0)
		free(stream);
	else
		*ret = stream;
	return r;
}

int ellu_stream_method(struct ellu *handle, const char *name, const void *request,
		       struct ellu_stream **ret, const struct ellu_error **ret_error)
{
	return open_stream(handle, name, request, WIRE_MORE, ret, ret_error);
}

int ellu_stream_raw(struct ellu *handle, const char *method, const char *parameters,
		    struct ellu_stream **ret, const struct ellu_error **ret_error)
{
	return open_stream(handle, method, parameters, EXCHANGE_RAW | WIRE_MORE, ret, ret_error);
}

struct ellu_stream *ellu_stream_close(struct ellu_stream *stream)
{
	if (!live_is(stream, LIVE_STREAM))
		return NULL;
	live_remove(stream);
	if (stream->has_outcome)
		outcome_done(&stream->outcome);
	ellu_free(stream->page);
	exchange_done(&stream->exchange);
	handle_unref(stream->handle);
	free(stream);
	return NULL;
}

static int check(const struct ellu_stream *stream, const struct ellu_error **ret_error)
{
	int r = 0;

	if (!live_is(stream, LIVE_STREAM))
		r = -EINVAL;
	else if (handle_is_forked(stream->handle))
		r = -ECHILD;
	else if (stream->handle->closed)
		r = -ECANCELED;
	if (ret_error)
		*ret_error = r < 0 ? result_errno(r, NULL) : NULL;
	return r;
}

/* ---- Replies ---- */

int ellu_stream_wait(struct ellu_stream *stream, double timeout_seconds)
{
	uint64_t deadline_usec = UINT64_MAX;
	int r = check(stream, NULL);

	if (r == 0 && !(timeout_seconds < 0))
		r = handle_deadline(timeout_seconds, &deadline_usec);
	if (r < 0 || stream->has_outcome || stream->exchange.ended)
		return r < 0 ? r : 1;
	r = exchange_wait(&stream->exchange, deadline_usec, &stream->outcome);
	stream->has_outcome = r > 0;
	return r;
}

int ellu_stream_next(struct ellu_stream *stream, const void **ret_reply,
		     const struct ellu_error **ret_error)
{
	struct outcome *outcome;
	int r = check(stream, ret_error);

	if (r < 0 || !ret_reply)
		return r < 0 ? r : -EINVAL;
	outcome = &stream->outcome;
	if (!stream->has_outcome && stream->exchange.ended)
		return 0;
	if (!stream->has_outcome)
		exchange_await(&stream->exchange, outcome);
	stream->has_outcome = false;
	if (outcome->result >= 0)
		*ret_reply = outcome->reply;
	else if (ret_error)
		*ret_error = outcome->error;
	else
		ellu_free(outcome->error);
	return outcome->result < 0 ? outcome->result : 1;
}

int ellu_raw_next(struct ellu_stream *stream, const struct ellu_raw_reply **ret_reply,
		  const struct ellu_error **ret_error)
{
	const void *reply;
	int r = check(stream, ret_error);

	if (r == 0 && (!ret_reply || !(stream->exchange.flags & EXCHANGE_RAW)))
		r = -EINVAL;
	if (r == 0)
		r = ellu_stream_next(stream, &reply, ret_error);
	if (r > 0)
		*ret_reply = reply;
	return r;
}

/* ---- Items ---- */

/* The next item of the page; NULL at its end, and without one. */
static const void *take_item(struct ellu_stream *stream)
{
	const struct method_page *page = stream->page;

	return page && stream->next_item < page->n_items ? page->items[stream->next_item++] : NULL;
}

int ellu_stream_next_item(struct ellu_stream *stream, const void **ret_item,
			  const struct ellu_error **ret_error)
{
	const struct method *method;
	const void *item, *page;
	int r = check(stream, ret_error);

	method = r < 0 || stream->exchange.flags & EXCHANGE_RAW ? NULL : stream->exchange.method;
	if (!ret_item || !method || method->replies != METHOD_REPLIES_PAGES)
		return r < 0 ? r : -EINVAL;
	while (!(item = take_item(stream))) {
		r = ellu_stream_next(stream, &page, ret_error);
		ellu_free(stream->page);
		stream->page = r > 0 ? page : NULL;
		stream->next_item = 0;
		if (r <= 0)
			return r;
	}
	*ret_item = item;
	return 1;
}

/* ---- Tasks ---- */

int ellu_stream_is_reconnecting(const struct ellu_stream *stream)
{
	return live_is(stream, LIVE_STREAM) && exchange_is_reconnecting(&stream->exchange);
}

int64_t ellu_stream_task_id(const struct ellu_stream *stream)
{
	return live_is(stream, LIVE_STREAM) ? stream->exchange.resume.task_id : 0;
}

int ellu_stream_cancel_task(struct ellu_stream *stream, const struct ellu_error **ret_error)
{
	struct ellu_cancel_task_request request = ELLU_RECORD(struct ellu_cancel_task_request);
	int r = check(stream, ret_error);

	if (r < 0)
		return r;
	request.id = ellu_stream_task_id(stream);
	if (request.id != 0)
		return ellu_cancel_task(stream->handle, &request, NULL, ret_error);
	return result_fail(stream->exchange.resume.follows_task ? -EAGAIN : -EOPNOTSUPP, NULL, ret_error);
}
