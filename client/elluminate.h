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
 *	elluminate-methods.h	the functions for each method of the daemon
 *	elluminate-libevent.h, elluminate-sd-event.h, elluminate-glib.h
 *				a handle on an event loop of that library, by one call each;
 *				include the one that the program uses
 *
 * Return values
 *	Functions return 0 or a positive value when all is well, else a negative code: an
 *	ELLU_E_* code when the daemon answered with an error, a negative errno when the answer
 *	could not be had:
 *	-ENOENT, -ECONNREFUSED	there is no daemon; nothing was sent
 *	-ENOTCONN		the connection was lost before the call was sent as a whole: it was not
 *				carried out
 *	-ECONNRESET		the connection was lost later: it may have been carried out, or not
 *	-EPROTO			what came back was no valid answer
 *	-ETIMEDOUT		it did not come within a limit that the program has set
 *	-EINVAL			misuse: what was given is NULL, closed, freed or of another kind, or a
 *				record lacks its size or what it needs
 *	-EDOM, -EILSEQ		a request holds a number that is not finite, a text that is not UTF-8
 *	-E2BIG, -ENOSYS		the program is newer than the library, which does not know a field that is
 *				given, or the method
 *	-EREMOTEIO		the daemon is newer, and answered with an error that the library does not
 *				know: it has its name and parameters
 *	-EOPNOTSUPP		the function is of the other mode
 *	-EDEADLK		waiting in a callback
 *	-ECANCELED		the operation was cancelled, or its handle closed
 *	-ENOMEM, -EMFILE, ...	what the system said
 *	ellu_may_have_happened() tells those apart that leave a doubt. Outputs (ret, ret_...) are
 *	set on success only, but for `ret_error`, which is set to NULL then; on failure it is an error,
 *	or NULL when there was no memory left even for that. `ret_error` may be NULL, and
 *	so may the output for a call's reply, where it is not wanted.
 *
 * Records
 *	A request starts as ELLU_RECORD(type), so that it can grow in later versions; it and all
 *	it points to belong to the caller and are only read during the call. A reply or an error that
 *	comes by an output is the caller's, who frees it with ellu_free(), with all it points to; one
 *	that a callback is given is the library's. The units of their fields are said in
 *	elluminate-types.h; times that functions take are seconds.
 *
 * Modes
 *	A handle is opened for blocking use or for event use, and refuses the functions of the
 *	other mode with -EOPNOTSUPP before anything is sent.
 *
 * Threads
 *	A blocking handle may serve calls and streams of any number of threads at once; a single
 *	stream belongs to one thread at a time. An event handle, with all its operations, belongs
 *	to one thread at a time. ellu_close() must be the last use of a handle. Functions that
 *	take no handle, and ellu_free() and ellu_keep(), may be called anywhere; ellu_await() too.
 *	A handle does not go through fork(): the child opens one of its own.
 *
 * Staying connected
 *	A handle survives restarts of the daemon: each call connects anew where it must. A stream
 *	whose connection is lost is resumed where it was: of a task with the next log line,
 *	a list with the next page, a monitor behind its cursor; no reply is missed or repeated, but
 *	what was seen of a task's state may be told again. The stream of a method that
 *	starts a task is resumed once its first event came; before, only when the request has an
 *	idempotency_key, which makes a repetition safe. The same holds for such a call that
 *	is no stream. A call that changes nothing, or that may be made twice, is made again. What cannot
 *	be resumed ends with -ENOTCONN or -ECONNRESET. See ellu_set_reconnect().
 *
 * The library owns no loop, and no thread but those of ellu_run_off_loop(). It prints nothing, unless
 * $ELLUMINATE_DEBUG is 1: then what it sends and receives, without keys, to stderr. It
 * leaves signal handlers and locale alone. A blocking call goes on after a signal handler
 * has run.
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
struct ellu_toolbox; /* functions that models may call */
struct ellu_tool_use; /* a call of one of them that is not answered yet */

/* ---- Handles ---- */

#define ELLU_BLOCKING 0u /* calls return when the answer is there */
#define ELLU_EVENT 1u /* calls return at once; ellu_process() delivers the answers */

/* The socket of the machine's daemon, for ellu_open(). */
#define ELLU_SYSTEM_ADDRESS "unix:/run/elluminate/socket"

/* The message buses, on which the user's own daemon and the machine's are found; they start it
 * where that is set up. */
#define ELLU_SESSION_BUS_ADDRESS "bus:session"
#define ELLU_SYSTEM_BUS_ADDRESS "bus:system"

/*
 * Opens a way to a daemon and connects once, so that a daemon that is not there shows here
 * (-ENOENT, -ECONNREFUSED).
 *
 * `address` is `unix:PATH` or a plain path, `bus:session` or `bus:system`. NULL is the user's own
 * daemon: what
 * $ELLUMINATE_SOCKET says, else `elluminate/socket` in $XDG_RUNTIME_DIR, else `socket` in
 * $XDG_STATE_HOME/elluminate (~/.local/state/elluminate).
 *
 * On a bus the daemon, which the bus starts, is asked for each connection that is needed; it is as
 * good as one to its socket, and goes on when the bus goes away. A blocking handle waits here for the
 * daemon's first answer, a minute at most (-ETIMEDOUT); an event handle cannot wait, so that there a
 * daemon that cannot be had shows with the first call. -EACCES: the bus's policy.
 *
 * -EINVAL: unknown flags or form of address. -ENAMETOOLONG: longer than a socket's path may be.
 */
ELLU_API int ellu_open(const char *address, unsigned flags, struct ellu **ret);

/*
 * Closes the handle; outstanding operations end with -ECANCELED and without their callback. May
 * be called inside a callback. Waits for functions that run off the loop; inside one of them it
 * closes nothing and returns the handle. In a child after fork() it frees the child's copy and
 * leaves the parent's handle as it is; everything else is -ECHILD there. Accepts NULL; returns
 * NULL. What ellu_free() frees, streams and operations stay valid until they are freed themselves;
 * of a stream nothing more comes.
 */
ELLU_API struct ellu *ellu_close(struct ellu *handle);

/*
 * For how long a stream or a safe call tries to reach a daemon that went away, each time: 60
 * seconds unless set. 0: not at all. At most a year. Tries begin at once and become rarer, up to
 * one a second. While a stream waits for the daemon ellu_stream_wait() keeps to its own limit.
 */
ELLU_API int ellu_set_reconnect(struct ellu *handle, double seconds);

/*
 * Whether the calls of an event handle are carried out in the order in which they were started. They
 * then follow each other on one connection, up to four before the first is answered, and one that fails
 * keeps none behind it from being carried out; when the connection is lost, so are all that were sent
 * and not answered, but for safe ones, which are asked again.
 * Unless set, calls that are under way at the same time have no order. Streams, and calls that start a
 * task, never have. -EBUSY while calls are under way.
 */
ELLU_API int ellu_set_in_order(struct ellu *handle, int in_order);

/*
 * For how long a call may take in all, and each page of a list: without limit unless set, and with 0.
 * At most a year. It holds for calls that begin later; `call_timeout_seconds` in a request stands over
 * it for that call. A call that takes longer ends with -ETIMEDOUT, and its connection is closed; it may
 * have been carried out. Streams of events wait on: ellu_stream_wait() has a limit for them.
 */
ELLU_API int ellu_set_timeout(struct ellu *handle, double seconds);

/* The path of the socket that `address` stands for, in the forms of ellu_open(); free() it. -EINVAL
 * for a bus, which has none. */
ELLU_API int ellu_address_path(const char *address, char **ret_path);

/* The release of the library: "0.1.0". */
ELLU_API const char *ellu_version(void);

/* ---- Results ---- */

/* Frees a reply or an error, or drops a reference that ellu_keep() took. Accepts NULL. */
ELLU_API void ellu_free(const void *result);

/* Takes a reference to a reply or an error, and returns it. Accepts NULL. */
ELLU_API const void *ellu_keep(const void *result);

/* A sentence for any code that the library returns. Constant. */
ELLU_API const char *ellu_strerror(int code);

/* The code of an error, also of one that a task or an item holds: ELLU_E_*, or a negative errno of the
 * library. -EREMOTEIO for one that the library does not know, 0 for NULL. */
ELLU_API int ellu_error_code(const struct ellu_error *error);

/* The exit status that a command should end with after `code`: 0 for 0 and above, 20 and up
 * otherwise. */
ELLU_API int ellu_error_exit_status(int code);

/* 1 when a call that ended with `code` may have been carried out nevertheless: its answer was
 * lost or not understood. 0 when it was not carried out, or when the daemon said what it did. */
ELLU_API int ellu_may_have_happened(int code);

/*
 * ---- Tasks and their events ----
 *
 * A method that runs or follows a task answers in one of two ways: as a stream with an `event` in
 * each reply, the last of which is complete; else with the ended `task` in its only reply (or, with
 * `detach`, at once, with the task as it is then). The other of the two is NULL, and the
 * functions below take NULL as well.
 */

/* The task has ended: nothing follows this event. NULL is an event that says nothing. */
ELLU_API int ellu_event_is_complete(const struct ellu_task_event *event);

/* It ended with SUCCESS. */
ELLU_API int ellu_event_is_success(const struct ellu_task_event *event);

/* It ended otherwise: FAILURE, TIMEOUT, REVOKED or REJECTED. */
ELLU_API int ellu_event_is_failure(const struct ellu_task_event *event);

/* 0 to 100; negative when the event does not say. */
ELLU_API double ellu_event_percent(const struct ellu_task_event *event);

/* The new lines of the log, each with its end of line; "" when there are none. */
ELLU_API const char *ellu_event_logs_delta(const struct ellu_task_event *event);

/* What the task brought; NULL before its end, and when it brought nothing. */
ELLU_API const struct ellu_task_result *ellu_event_result(const struct ellu_task_event *event);

/* The same of a task. */
ELLU_API int ellu_task_is_complete(const struct ellu_task *task);
ELLU_API int ellu_task_is_success(const struct ellu_task *task);
ELLU_API int ellu_task_is_failure(const struct ellu_task *task);
ELLU_API double ellu_task_percent(const struct ellu_task *task);

/* ---- Any method ---- */

/*
 * What ellu_METHOD() and ellu_METHOD_stream() are made of, for programs that choose the method while
 * they run: by its full name (`org.elluminate.GetStatus`), with its own request, for its own reply.
 * -ENOSYS: the library knows no such method.
 */
ELLU_API int ellu_call_method(struct ellu *handle, const char *name, const void *request,
			      const void **ret, const struct ellu_error **ret_error);
ELLU_API int ellu_stream_method(struct ellu *handle, const char *name, const void *request,
				struct ellu_stream **ret, const struct ellu_error **ret_error);

/* The parameters of a reply as JSON text. */
struct ellu_raw_reply {
	size_t struct_size;
	const char *parameters;
};

/*
 * Calls a method by its full name (`org.elluminate.GetStatus`) with the text of a JSON object
 * (NULL: an empty one).
 */
ELLU_API int ellu_call_raw(struct ellu *handle, const char *method, const char *parameters,
			   const struct ellu_raw_reply **ret,
			   const struct ellu_error **ret_error);

/* The same without an answer: 0 once the daemon has been sent it. */
ELLU_API int ellu_oneway_raw(struct ellu *handle, const char *method, const char *parameters,
			     const struct ellu_error **ret_error);

/* The same with many replies, for ellu_raw_next(). */
ELLU_API int ellu_stream_raw(struct ellu *handle, const char *method, const char *parameters,
			     struct ellu_stream **ret, const struct ellu_error **ret_error);

/* ---- Streams (blocking handles) ---- */

/*
 * The next reply: 1 with a reply that the caller frees, 0 at the end, negative on an error,
 * after which the stream has ended. Each function ellu_METHOD_stream() has an
 * ellu_METHOD_next(), which is this with the reply's type. Streams are ended with
 * ellu_stream_close().
 */
ELLU_API int ellu_stream_next(struct ellu_stream *stream, const void **ret_reply,
			      const struct ellu_error **ret_error);

/* The same for a stream of ellu_stream_raw(). */
ELLU_API int ellu_raw_next(struct ellu_stream *stream, const struct ellu_raw_reply **ret_reply,
			   const struct ellu_error **ret_error);

/*
 * The same for the items of a list, all pages over; each list has an ellu_METHOD_next_item(). An item
 * is valid until the next call, and belongs to the stream.
 */
ELLU_API int ellu_stream_next_item(struct ellu_stream *stream, const void **ret_item,
				   const struct ellu_error **ret_error);

/*
 * Waits until ellu_stream_next() would not block: 1 when it would not, 0 when
 * `timeout_seconds` (at most a year) passed before (negative: no limit). -EINTR: a signal handler ran; the stream
 * is as before.
 */
ELLU_API int ellu_stream_wait(struct ellu_stream *stream, double timeout_seconds);

/* 1 while the daemon is away and the stream, in ellu_stream_wait() and ellu_stream_next(), tries to
 * reach it again; else 0. */
ELLU_API int ellu_stream_is_reconnecting(const struct ellu_stream *stream);

/* The task that the stream follows; 0 while that is not known, and when it follows none. */
ELLU_API int64_t ellu_stream_task_id(const struct ellu_stream *stream);

/*
 * Cancels the task that the stream started or follows, and answers once that is done. The stream
 * goes on to the task's terminal state. -EAGAIN: the stream has not told of its task yet.
 * -EOPNOTSUPP: it follows none.
 */
ELLU_API int ellu_stream_cancel_task(struct ellu_stream *stream,
				     const struct ellu_error **ret_error);

/* Ends a stream, at its end or before. A task that it followed goes on. Accepts NULL, returns
 * NULL. */
ELLU_API struct ellu_stream *ellu_stream_close(struct ellu_stream *stream);

/* ---- Operations (event handles) ---- */

/*
 * Called by ellu_process() with what came for an operation; an ellu_METHOD_fn is this with the
 * method's reply.
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
typedef void ellu_raw_fn(struct ellu_op *op, int result, const struct ellu_raw_reply *reply,
			 const struct ellu_error *error, void *userdata);

/* A callback of any type, and what calls it with the reply of its type. */
typedef void ellu_any_fn(void);
typedef void ellu_deliver_fn(ellu_any_fn *callback, struct ellu_op *op, int result,
			     const void *reply, const struct ellu_error *error, void *userdata);

/*
 * Functions that end in _async start an operation. Their `callback` may be NULL. With `ret_op`
 * the caller gets an operation to free with ellu_op_free(); when it is NULL, the library frees
 * the operation after its last callback.
 *
 * Without `deliver` the callback of these two is an ellu_reply_fn.
 */
ELLU_API int ellu_call_method_async(struct ellu *handle, const char *name, const void *request,
				    ellu_deliver_fn *deliver, ellu_any_fn *callback, void *userdata,
				    struct ellu_op **ret_op);
ELLU_API int ellu_stream_method_async(struct ellu *handle, const char *name, const void *request,
				      ellu_deliver_fn *deliver, ellu_any_fn *callback,
				      void *userdata, struct ellu_op **ret_op);

ELLU_API int ellu_call_raw_async(struct ellu *handle, const char *method, const char *parameters,
				 ellu_raw_fn *callback, void *userdata, struct ellu_op **ret_op);
ELLU_API int ellu_stream_raw_async(struct ellu *handle, const char *method,
				   const char *parameters, ellu_raw_fn *callback, void *userdata,
				   struct ellu_op **ret_op);

/* 1 when the operation has ended, else 0. */
ELLU_API int ellu_op_is_done(const struct ellu_op *op);

/* What the callback was given last: 0, 1 or the error's code; -EINPROGRESS before anything
 * came. Both outputs may be NULL, and are set to NULL where there is nothing. Each method has an
 * ellu_METHOD_result(), which is this with the reply's type. */
ELLU_API int ellu_op_result(const struct ellu_op *op, const void **ret_reply,
			    const struct ellu_error **ret_error);

/* The userdata that the operation was started with, or given since. */
ELLU_API void *ellu_op_userdata(const struct ellu_op *op);

/* Another callback from now on; NULL: none. For an operation that has ended, and whose end its
 * old callback was not told (there was none), the new one is called by ellu_process(). */
ELLU_API int ellu_op_set_callback(struct ellu_op *op, ellu_reply_fn *callback, void *userdata);
ELLU_API int ellu_op_deliver_to(struct ellu_op *op, ellu_deliver_fn *deliver, ellu_any_fn *callback,
				void *userdata);

/*
 * Waiting drives the handle where there is no loop: callbacks of any operation run meanwhile.
 * `timeout_seconds` is at least 0 and at most a year. -EDEADLK inside a callback. In arrays,
 * entries that are NULL are passed over; all others must be of one handle.
 *
 * 1 when the operation (all, one of them) has ended, 0 when the time passed before.
 * ellu_op_wait_any() says which: its index, -ETIMEDOUT, or -ENOENT when there is none.
 * ellu_op_wait() is -ECANCELED when the operation was cancelled or its handle closed.
 */
ELLU_API int ellu_op_wait(struct ellu_op *op, double timeout_seconds);
ELLU_API int ellu_op_wait_all(struct ellu_op *const *ops, size_t n_ops, double timeout_seconds);
ELLU_API int ellu_op_wait_any(struct ellu_op *const *ops, size_t n_ops, double timeout_seconds);

/*
 * Ends the operation with -ECANCELED; its callback is told by ellu_process(). The daemon may
 * carry out a call that it has been sent, and a task that it started goes on (unless its
 * request said cancel_on_disconnect). 0 also when it has ended before.
 */
ELLU_API int ellu_op_cancel(struct ellu_op *op);

/* 1 while the daemon is away and the operation waits for its return; else 0. */
ELLU_API int ellu_op_is_reconnecting(const struct ellu_op *op);

/* The task that the operation (of a function that ends in _stream_async) follows; 0 while that
 * is not known, and when it follows none. */
ELLU_API int64_t ellu_op_task_id(const struct ellu_op *op);

/*
 * Cancels the task that the operation (of a function that ends in _stream_async) started or
 * follows, as soon as it is known. The operation goes on and ends with the task's terminal state;
 * one that was not sent yet ends with -ECANCELED. -EOPNOTSUPP: it follows no task.
 */
ELLU_API int ellu_op_cancel_task(struct ellu_op *op);

/* Frees an operation. One that has not ended is abandoned: no callback comes any more, and a
 * task that it started goes on. Accepts NULL, returns NULL. */
ELLU_API struct ellu_op *ellu_op_free(struct ellu_op *op);

/* ---- Many at a time (event handles) ---- */

/* Starts the operation number `index` and hands it over in `*ret_op`. */
typedef int ellu_start_fn(struct ellu *handle, size_t index, struct ellu_op **ret_op,
			  void *userdata);

/*
 * Runs `n` operations, at most `limit` at a time (0: all at once), each started by `start` in the
 * order of their index, and waits as ellu_op_wait_all() does: 1 when all have ended, 0 when the
 * time passed before, negative what `start` failed with, after which no further one is started.
 *
 * `ret_ops` is an array of `n`: the operations in order, each to be freed with ellu_op_free(),
 * NULL where none was started. It is filled in any case but -EINVAL, -EOPNOTSUPP and -EDEADLK.
 * `start` may wait for none of them: that is -EDEADLK.
 */
ELLU_API int ellu_gather(struct ellu *handle, size_t n, size_t limit, ellu_start_fn *start,
			 void *userdata, double timeout_seconds, struct ellu_op **ret_ops);

/* ---- Between blocking and event-driven code (event handles) ---- */

/* Runs on a thread of the library. 0, or a negative errno or ELLU_E_* code. */
typedef int ellu_work_fn(void *userdata);

/*
 * Runs a function that blocks on a thread of the library, and ends the operation with what it
 * returned; the callback gets no reply, so what the function found out belongs behind `userdata`,
 * which both get. At most 8 run at a time, each on a thread of its own with all signals blocked.
 * A function that runs cannot be stopped: ellu_op_cancel() and ellu_op_free() let it end by
 * itself, unseen, one that waits they leave out; so `userdata` must last until the handle is
 * closed, or the operation ended otherwise.
 */
ELLU_API int ellu_run_off_loop(struct ellu *handle, ellu_work_fn *work, ellu_reply_fn *callback,
			       void *userdata, struct ellu_op **ret_op);

/*
 * Waits, in blocking code on any thread, for an operation that `start` (with index 0) starts in
 * the thread of the handle's loop, out of ellu_process(). 0 with a reply to free (NULL when
 * the operation has none), else what the operation or `start` failed with. -ETIMEDOUT: the time
 * passed before; the operation was cancelled, or `start` is not called any more. Not for the
 * thread of the loop itself, which ellu_op_wait() drives: out of ellu_process() it is -EDEADLK, and
 * else it waits in vain. `timeout_seconds`, `ret_reply` and `ret_error` are as elsewhere.
 */
ELLU_API int ellu_await(struct ellu *handle, ellu_start_fn *start, void *userdata,
			double timeout_seconds, const void **ret_reply,
			const struct ellu_error **ret_error);

/* ---- Tools ---- */

/*
 * A function that a model calls with the JSON object that `call` has for arguments. It answers with
 * ellu_tool_use_answer(), once: before it returns, or later, on any thread of a blocking handle, and on
 * the handle's own of an event handle; so several may be under way. `call` is valid until then.
 */
typedef void ellu_tool_fn(struct ellu_tool_use *use, const struct ellu_tool_call *call,
			  void *userdata);

/* A toolbox belongs to one thread at a time. */
ELLU_API int ellu_toolbox_new(struct ellu_toolbox **ret);

/* The function of a tool that requests of calls name; one that was added later goes before. */
ELLU_API int ellu_toolbox_add(struct ellu_toolbox *toolbox, const char *name, ellu_tool_fn *run,
			      void *userdata);

/* What is under way is still to be answered. Accepts NULL; returns NULL. */
ELLU_API struct ellu_toolbox *ellu_toolbox_free(struct ellu_toolbox *toolbox);

/*
 * Runs the functions of the calls of tools that the event tells of, each once: for every event of
 * a call with `tool_rounds`, in the loop that reads a stream or in the callback of an operation. A tool
 * without a function is answered that there is none. NULL is an event that says nothing.
 */
ELLU_API int ellu_toolbox_serve(struct ellu_toolbox *toolbox, struct ellu *handle,
				const struct ellu_task_event *event);

/* The call that the function was given. */
ELLU_API const struct ellu_tool_call *ellu_tool_use_call(const struct ellu_tool_use *use);

/*
 * What it brought (NULL: ""), or what went wrong, for the model to read; ends the use. 0 also where the
 * call has ended meanwhile, on an event handle. -ECANCELED: the handle was closed.
 */
ELLU_API int ellu_tool_use_answer(struct ellu_tool_use *use, const char *content);

/*
 * Calls a model and runs the functions that it calls until it has answered, in at most 10 rounds unless
 * the request says (blocking handles). `*ret` is the last reply, whose event is complete; free it.
 */
ELLU_API int ellu_call_with_tools(struct ellu *handle, const struct ellu_call_request *request,
				  struct ellu_toolbox *toolbox, const struct ellu_call_reply **ret,
				  const struct ellu_error **ret_error);

/* ---- An event loop's part (event handles) ---- */

/*
 * Wait on ellu_fd() for ellu_events() (of poll(2)), no longer than until ellu_timeout(), an
 * absolute time of CLOCK_MONOTONIC in microseconds (UINT64_MAX: no limit; 0: now); then call
 * ellu_process(). The descriptor stays the same as long as the handle, and becomes ready at
 * that time by itself: a loop that can only wait for descriptors needs nothing else.
 */
ELLU_API int ellu_fd(const struct ellu *handle);
ELLU_API int ellu_events(const struct ellu *handle);
ELLU_API uint64_t ellu_timeout(const struct ellu *handle);

/*
 * Does a bounded piece of what waits (a few milliseconds, callbacks not counted) and runs its
 * callbacks. 1: there may be more, which the descriptor shows as well; 0: nothing was to be done.
 * -EDEADLK inside a callback. -ECANCELED: a callback closed the handle, which is not to be used any
 * more.
 */
ELLU_API int ellu_process(struct ellu *handle);

/* Called by ellu_close() before anything else, once: for what watches the descriptor. NULL
 * takes it back. -EBUSY: there is one already. */
typedef void ellu_close_fn(struct ellu *handle, void *userdata);
ELLU_API int ellu_set_close_callback(struct ellu *handle, ellu_close_fn *callback, void *userdata);

#ifdef __cplusplus
}
#endif

#include "elluminate-methods.h"

#endif
