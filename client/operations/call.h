/* What the functions of elluminate-methods.h are made of: the method and its request. */
#pragma once

#include "client/elluminate.h"
#include "proto/method.h"

int call_blocking(struct ellu *handle, const struct method *method, const void *request,
		  const void **ret, const struct ellu_error **ret_error);
int call_stream(struct ellu *handle, const struct method *method, const void *request,
		struct ellu_stream **ret);
int call_async(struct ellu *handle, const struct method *method, const void *request, bool more,
	       ellu_reply_fn *callback, void *userdata, struct ellu_op **ret_op);

/* The next item of a list, all pages over; it belongs to the stream until the next call. */
int stream_next_item(struct ellu_stream *stream, const void **ret_item,
		     const struct ellu_error **ret_error);
