/* SPDX-License-Identifier: MIT */
/*
 * libelluminate: talk to the elluminate daemon from C and C++.
 *
 *	struct ellu *daemon;
 *	const struct ellu_get_task_reply *reply;
 *	const struct ellu_error *error;
 *	struct ellu_get_task_request request = ELLU_RECORD(struct ellu_get_task_request);
 *	int r;
 *
 *	r = ellu_open(NULL, ELLU_BLOCKING, &daemon);
 *	if (r < 0)
 *		return r;
 *	request.id = 42;
 *	r = ellu_get_task(daemon, &request, &reply, &error);
 *	if (r < 0) {
 *		fprintf(stderr, "%s\n", error ? error->message : ellu_strerror(r));
 *		ellu_free(error);
 *	} else {
 *		printf("%s is %s\n", reply->task->name, reply->task->status);
 *		ellu_free(reply);
 *	}
 *	ellu_close(daemon);
 *
 * Files
 *	elluminate.h		what all methods share (this file)
 *	elluminate-types.h	the records: requests, replies and what they hold
 *	elluminate-methods.h	a function for each method of the daemon
 *
 * Return values
 *	Functions return 0 or a positive value when all is well, else a negative code: an
 *	ELLU_E_* code when the daemon answered with an error, a negative errno when the answer
 *	could not be had. -EPROTO: what came back was no valid answer. -ECONNRESET: the
 *	connection was lost; the call may have been carried out or not.
 *
 * Records
 *	A request starts as ELLU_RECORD(type), so that it can grow in later versions; it and all
 *	it points to belong to the caller and are only read during the call. Replies and errors
 *	that the library returns are freed with ellu_free(), with all they point to.
 *
 * Modes
 *	A handle is opened for blocking use or for event use, and refuses the functions of the
 *	other mode with -EOPNOTSUPP before anything is sent.
 *
 * Threads
 *	A blocking handle may serve calls and streams of any number of threads at once; a single
 *	stream belongs to one thread at a time. An event handle, with all its operations, belongs
 *	to one thread at a time. ellu_close() must be the last use of a handle. Functions that
 *	take no handle, and ellu_free() and ellu_keep(), may be called anywhere.
 *
 * The library starts no threads, prints nothing and leaves signal handlers and locale alone. A
 * blocking call goes on after a signal handler has run.
 */
#ifndef ELLUMINATE_H
#define ELLUMINATE_H

#include <stddef.h>
#include <stdint.h>

#include "elluminate-types.h"

#ifdef __cplusplus
extern "C" {
#endif

#define ELLU_API __attribute__((visibility("default")))

struct ellu; /* a way to one daemon */
struct ellu_op; /* an asynchronous call */
struct ellu_stream; /* a call with many replies, read one by one */

/* ---- Handles ---- */

#define ELLU_BLOCKING 0u /* calls return when the answer is there */
#define ELLU_EVENT 1u /* calls return at once; ellu_process() delivers the answers */

/* The socket of the machine's daemon, for ellu_open(). */
#define ELLU_SYSTEM_ADDRESS "unix:/run/elluminate/socket"

/*
 * Opens a way to a daemon and connects once, so that a daemon that is not there shows here
 * (-ENOENT, -ECONNREFUSED).
 *
 * `address` is `unix:PATH` or a plain path. NULL is the user's own daemon: what
 * $ELLUMINATE_SOCKET says, else `elluminate/socket` in $XDG_RUNTIME_DIR, else `socket` in
 * $XDG_STATE_HOME/elluminate (~/.local/state/elluminate).
 *
 * -EINVAL: unknown flags or form of address. -ENAMETOOLONG: longer than a socket's path may be.
 */
ELLU_API int ellu_open(const char *address, unsigned flags, struct ellu **ret);

/*
 * Closes the handle; outstanding operations end without their callback. May be called inside a
 * callback. Accepts NULL; returns NULL. Streams of the handle must be closed before it. What
 * ellu_free() frees and operations stay valid until they are freed themselves.
 */
ELLU_API struct ellu *ellu_close(struct ellu *handle);

/* The path of the socket that `address` stands for, in the forms of ellu_open(); free() it. */
ELLU_API int ellu_address_path(const char *address, char **ret_path);

/* ---- Results ---- */

/* Frees a reply or an error, or drops a reference that ellu_keep() took. Accepts NULL. */
ELLU_API void ellu_free(const void *result);

/* Takes a reference to a reply or an error, and returns it. Accepts NULL. */
ELLU_API const void *ellu_keep(const void *result);

/* A sentence for any code that the library returns. Constant. */
ELLU_API const char *ellu_strerror(int code);

/* The exit status that a command should end with after `code`: 0 for 0 and above, 20 and up
 * otherwise. */
ELLU_API int ellu_error_exit_status(int code);

/* ---- Any method ---- */

/* The parameters of a reply as JSON text. */
struct ellu_raw_reply {
	size_t struct_size;
	const char *parameters;
};

/*
 * Calls a method by its full name (`org.elluminate.GetStatus`) with the text of a JSON object
 * (NULL: an empty one). `ret` and `ret_error` may be NULL. On failure, `*ret_error` is an error
 * to free, or NULL when there is no memory left even for that.
 */
ELLU_API int ellu_call_raw(struct ellu *handle, const char *method, const char *parameters,
			   const struct ellu_raw_reply **ret,
			   const struct ellu_error **ret_error);

/* The same with many replies; each is a struct ellu_raw_reply. */
ELLU_API int ellu_stream_raw(struct ellu *handle, const char *method, const char *parameters,
			     struct ellu_stream **ret);

/* ---- Streams (blocking handles) ---- */

/*
 * The next reply: 1 with a reply that the caller frees, 0 at the end, negative on an error,
 * after which the stream has ended. Each function ellu_METHOD_stream() has an
 * ellu_METHOD_next(), which is this with the reply's type.
 */
ELLU_API int ellu_stream_next(struct ellu_stream *stream, const void **ret_reply,
			      const struct ellu_error **ret_error);

/*
 * Waits until ellu_stream_next() would not block: 1 when it would not, 0 when
 * `timeout_seconds` passed before (negative: no limit). -EINTR: a signal handler ran; the stream
 * is as before.
 */
ELLU_API int ellu_stream_wait(struct ellu_stream *stream, double timeout_seconds);

/* Ends a stream, at its end or before. A task that it followed goes on. Accepts NULL, returns
 * NULL. */
ELLU_API struct ellu_stream *ellu_stream_close(struct ellu_stream *stream);

/* ---- Operations (event handles) ---- */

/*
 * Called by ellu_process() with what came for an operation.
 *
 * `result` 0: the last reply. 1: a reply after which more come (only of functions that end in
 * _stream_async). Negative: it failed, and `error` says why (NULL without memory). `reply` and
 * `error` are valid until the callback returns; ellu_keep() makes them stay.
 *
 * A callback may start operations, free any operation, its own too, and close the handle. It
 * must not wait: ellu_process() and ellu_op_wait() are -EDEADLK there.
 */
typedef void ellu_reply_fn(struct ellu_op *op, int result, const void *reply,
			   const struct ellu_error *error, void *userdata);

/*
 * Functions that end in _async start an operation. Their `callback` may be NULL. With `ret_op`
 * the caller gets an operation to free with ellu_op_free(); when it is NULL, the library frees
 * the operation after its last callback.
 */
ELLU_API int ellu_call_raw_async(struct ellu *handle, const char *method, const char *parameters,
				 ellu_reply_fn *callback, void *userdata,
				 struct ellu_op **ret_op);
ELLU_API int ellu_stream_raw_async(struct ellu *handle, const char *method,
				   const char *parameters, ellu_reply_fn *callback,
				   void *userdata, struct ellu_op **ret_op);

/* 1 when the operation has ended, else 0. */
ELLU_API int ellu_op_is_done(const struct ellu_op *op);

/* What the callback was given last: 0, 1 or the error's code; -EINPROGRESS before anything
 * came. `ret_reply` and `ret_error` may be NULL; what they get belongs to the operation. */
ELLU_API int ellu_op_result(const struct ellu_op *op, const void **ret_reply,
			    const struct ellu_error **ret_error);

/* Processes the handle until the operation has ended: 1 when it has, 0 when `timeout_seconds`
 * passed before (negative: no limit). -ECANCELED: the handle was closed. */
ELLU_API int ellu_op_wait(struct ellu_op *op, double timeout_seconds);

/* Frees an operation. One that has not ended is abandoned: no callback comes any more, and a
 * task that it started goes on. Accepts NULL, returns NULL. */
ELLU_API struct ellu_op *ellu_op_free(struct ellu_op *op);

/* ---- An event loop's part (event handles) ---- */

/*
 * Before each turn of the loop, ask all three: wait on ellu_fd() for ellu_events() (of poll(2)),
 * no longer than until ellu_timeout(), an absolute time of CLOCK_MONOTONIC in microseconds
 * (UINT64_MAX: no limit; 0: now). Then call ellu_process() until it returns 0.
 */
ELLU_API int ellu_fd(const struct ellu *handle);
ELLU_API int ellu_events(const struct ellu *handle);
ELLU_API uint64_t ellu_timeout(const struct ellu *handle);

/* Does a bounded piece of what waits and runs its callbacks. 1: there may be more; 0: nothing
 * was to be done. -EDEADLK inside a callback. */
ELLU_API int ellu_process(struct ellu *handle);

#ifdef __cplusplus
}
#endif

#include "elluminate-methods.h"

#endif
