#include "client/operations/exchange.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#include "client/operations/result.h"
#include "proto/cleanup.h"
#include "proto/json/json_check.h"
#include "proto/limits.h"
#include "proto/wire/message.h"

#define LOST_TEXT                                                                   \
	"The connection to the daemon was lost before the answer came; the call may " \
	"have been carried out."
#define UNSENT_TEXT                                                                          \
	"The connection to the daemon was lost before it had the call; it was not carried " \
	"out."
#define LATE_TEXT "The daemon did not answer in time; the call may have been carried out."
#define GONE_TEXT "The daemon went away and did not come back in time."

/* ---- Calls ---- */

static int set_fault(const struct ellu_error **ret_error, const struct fault *fault)
{
	if (ret_error)
		*ret_error = result_error(fault);
	return fault->code;
}

static int set_problem(const struct ellu_error **ret_error, int code,
		       const struct record_problem *problem)
{
	const char *path = problem->path;
	char text[sizeof(problem->path) + 128];

	if (!ret_error || !problem->reason)
		return result_fail(code, NULL, ret_error);
	snprintf(text, sizeof(text), "%s: %s", *path ? path : "request", problem->reason);
	*ret_error = result_bad_field(code, *path ? path : NULL, text);
	return code;
}

static int encode(struct exchange *exchange, const char *name, json_object *parameters,
		  const struct ellu_error **ret_error)
{
	unsigned flags = exchange->flags & (WIRE_MORE | WIRE_ONEWAY);
	struct fault fault;
	int r = wire_call_encode(name, parameters, flags, &exchange->text, &exchange->size);

	if (r == -EMSGSIZE) {
		fault_too_large(&fault, MESSAGE_SIZE_MAX, "The request");
		return set_fault(ret_error, &fault);
	}
	if (r < 0)
		return result_fail(r, NULL, ret_error);
	resume_init(&exchange->resume, exchange->method, parameters, flags & WIRE_MORE);
	return 0;
}

/* -ENOSYS: the daemon may know the method, the library does not. */
static int write_record(struct exchange *exchange, const char *name, const void *request,
			const struct ellu_error **ret_error)
{
	static const struct method_request nothing = { .struct_size = sizeof(nothing) };
	_cleanup_json_ json_object *parameters = NULL;
	struct record_problem problem;
	double seconds;
	int r;

	if (!exchange->method)
		return result_fail(name ? -ENOSYS : -EINVAL, "The library knows no such method.", ret_error);
	if (!request && !method_needs_request(exchange->method))
		request = &nothing;
	if (!request)
		return result_fail(-EINVAL, "There is no request.", ret_error);
	r = record_encode_request(exchange->method->request, request, &parameters, &problem);
	if (r < 0)
		return set_problem(ret_error, r, &problem);
	seconds = method_request_timeout(request);
	if (seconds != 0 && handle_duration(seconds, &exchange->patience_usec) < 0)
		return result_fail(-EINVAL, "call_timeout_seconds is none.", ret_error);
	return encode(exchange, name, parameters, ret_error);
}

static int write_text(struct exchange *exchange, const char *name, const char *text,
		      const struct ellu_error **ret_error)
{
	_cleanup_json_ json_object *parameters = NULL;
	struct fault fault;

	if (!name || !strchr(name, '.'))
		return result_fail(-EINVAL, "A method's name has the form INTERFACE.METHOD.", ret_error);
	if (!text)
		text = "{}";
	if (json_parse_strict(text, strlen(text), &parameters, &fault) < 0)
		return set_fault(ret_error, &fault);
	if (!json_object_is_type(parameters, json_type_object))
		return result_fail(-EINVAL, "The parameters are not a JSON object.", ret_error);
	return encode(exchange, name, parameters, ret_error);
}

int exchange_init(struct exchange *exchange, struct ellu *handle, const char *method,
		  const void *request, unsigned flags, const struct ellu_error **ret_error)
{
	int r = handle_check(handle, flags & EXCHANGE_EVENT ? ELLU_EVENT : ELLU_BLOCKING);

	if (ret_error)
		*ret_error = NULL;
	if (r < 0)
		return result_fail(r,
				   r == -EOPNOTSUPP ? "The handle was opened for the other mode." :
						      "There is no open handle.",
				   ret_error);
	*exchange = (struct exchange){ .handle = handle,
				       .method = method ? method_find(method) : NULL,
				       .flags = flags,
				       .patience_usec = handle->timeout_usec };
	return flags & EXCHANGE_RAW ? write_text(exchange, method, request, ret_error) :
				      write_record(exchange, method, request, ret_error);
}

uint64_t exchange_deadline(const struct exchange *exchange)
{
	const struct method *method = exchange->method;
	bool is_stream = exchange->flags & WIRE_MORE &&
			 !(method && method->replies == METHOD_REPLIES_PAGES);

	return is_stream || exchange->patience_usec == CONNECTION_NO_LIMIT ?
		       UINT64_MAX : now_usec() + exchange->patience_usec;
}

/* ---- Replies ---- */

/* The connection leaves the handle's epoll while its descriptor is still its own. */
static void leave_epoll(const struct exchange *exchange)
{
	if (exchange->handle->epoll >= 0 && !handle_is_forked(exchange->handle))
		(void) epoll_ctl(exchange->handle->epoll, EPOLL_CTL_DEL, exchange->connection->fd, NULL);
}

static struct connection *take_connection(struct exchange *exchange)
{
	struct connection *connection = exchange->connection;

	if (connection)
		leave_epoll(exchange);
	exchange->connection = NULL;
	return connection;
}

/* Who is behind goes on without it: with the connection, or, with NULL, with none. */
static void hand_on(struct exchange *exchange, struct connection *connection)
{
	struct exchange *behind = exchange->behind;

	if (exchange->before) {
		exchange->before->behind = NULL;
		exchange->before->spoiled = true;
		exchange->before = NULL;
	}
	exchange->behind = NULL;
	if (behind) {
		behind->before = NULL;
		behind->connection = connection;
	}
}

static void end(struct exchange *exchange, bool reusable)
{
	struct connection *connection = take_connection(exchange);

	exchange->ended = true;
	exchange->lost = false;
	if (connection && reusable && !exchange->spoiled && exchange->behind) {
		hand_on(exchange, connection);
		return;
	}
	hand_on(exchange, NULL);
	if (connection && reusable && !exchange->spoiled && connection_is_reusable(connection))
		handle_give_connection(exchange->handle, connection);
	else
		connection_close(connection);
}

static void fail(struct exchange *exchange, int code, const char *message, struct outcome *outcome)
{
	end(exchange, false);
	*outcome = (struct outcome){ .result = code, .error = result_errno(code, message) };
}

/* A connection that was lost while it was idle shows at the first byte: the call is free to take
 * another one. */
static int send_text(struct exchange *exchange)
{
	bool is_event = exchange->flags & EXCHANGE_EVENT;

	for (;;) {
		struct connection *connection;
		int r = handle_take_connection(exchange->handle, is_event ? 0 : exchange->patience_usec,
					       &connection);
		bool reused;

		if (r < 0)
			return r;
		reused = connection->reused;
		connection->reused = true;
		r = connection_send(connection, TAKE_PTR(exchange->text), exchange->size);
		/* A new one that was closed at once may bring the daemon's reason. */
		if (r == 0 && !(connection->cut && reused)) {
			exchange->connection = connection;
			exchange->lost = false;
			return 0;
		}
		exchange->text = connection_take_back(connection);
		connection_close(connection);
		if (r < 0)
			return r;
	}
}

int exchange_send(struct exchange *exchange)
{
	const struct resume *resume = &exchange->resume;
	int r = exchange->text ? 0 :
				 wire_call_encode(resume->method->qualified_name, resume->parameters,
						  exchange->flags & WIRE_MORE, &exchange->text,
						  &exchange->size);

	return r < 0 ? r : send_text(exchange);
}

/* Who has the connection, or should. */
static struct exchange *first_of(struct exchange *exchange)
{
	while (exchange->before)
		exchange = exchange->before;
	return exchange;
}

bool exchange_may_follow(struct exchange *before)
{
	const struct connection *connection = first_of(before)->connection;

	return !before->ended && !before->lost && !before->spoiled && !before->behind && connection &&
	       !connection->bus && !connection->ended && !connection->cut;
}

int exchange_send_behind(struct exchange *exchange, struct exchange *before,
			 struct exchange **ret_first)
{
	struct exchange *first = first_of(before);
	int r = connection_send(first->connection, TAKE_PTR(exchange->text), exchange->size);

	before->spoiled = r < 0;
	if (r < 0)
		return r;
	exchange->before = before;
	before->behind = exchange;
	*ret_first = first;
	return 0;
}

static void read_reply(struct exchange *exchange, const struct wire_reply *reply,
		       struct outcome *outcome)
{
	struct fault fault;
	int r;

	if (exchange->flags & EXCHANGE_RAW)
		r = result_raw(reply->parameters, &outcome->reply);
	else
		r = result_decode(exchange->method->reply, reply->parameters,
				  &outcome->reply, &fault);
	if (r < 0) {
		fail(exchange, r, r == -EPROTO ? fault.message : NULL, outcome);
		return;
	}
	outcome->result = reply->continues;
	exchange->give_up_usec = 0;
	backoff_reset(&exchange->backoff);
	r = resume_note(&exchange->resume, reply->parameters);
	if (r < 0) {
		ellu_free(outcome->reply);
		outcome->reply = NULL;
		fail(exchange, r, NULL, outcome);
	} else if (!reply->continues) {
		end(exchange, true);
	}
}

/* To be taken up again, if that is possible and wanted. Without its socket nothing was sent. */
static bool lose(struct exchange *exchange)
{
	struct connection *connection = exchange->connection;
	bool unsent = connection && connection->bus;
	uint64_t patience = exchange->handle->reconnect_usec;

	if (patience == 0 || exchange->handle->closed || !(unsent || exchange->resume.possible))
		return false;
	if (exchange->give_up_usec == 0)
		exchange->give_up_usec = now_usec() + patience;
	else if (now_usec() >= exchange->give_up_usec)
		return false;
	exchange->received |= !connection || !connection->cut;
	if (unsent)
		exchange->text = connection_take_back(connection);
	connection_close(take_connection(exchange));
	hand_on(exchange, NULL);
	exchange->lost = true;
	return true;
}

static void read_error(struct exchange *exchange, const struct wire_reply *reply,
		       struct outcome *outcome)
{
	struct fault fault;

	if (error_find_name(reply->error)) {
		outcome->result = fault_from_parameters(reply->error, reply->parameters, &fault);
		outcome->error = result_error(&fault);
	} else {
		outcome->result = -EREMOTEIO;
		outcome->error = result_unknown(reply->error, reply->parameters);
	}
	end(exchange, outcome->result != ELLU_E_INVALID_MESSAGE);
}

/* A daemon that goes down says so, and comes back. */
static bool is_going_down(const struct wire_reply *reply)
{
	return reply->error && error_find_name(reply->error) == error_find(ELLU_E_SHUTTING_DOWN);
}

/* 1: an outcome; 0: the exchange was lost. */
static int read_message(struct exchange *exchange, const char *text, size_t size,
			struct outcome *outcome)
{
	struct wire_reply reply;
	struct fault fault;
	int r = 1;

	*outcome = (struct outcome){ 0 };
	if (wire_reply_decode(text, size, &reply, &fault) < 0) {
		fail(exchange, fault.code == ELLU_E_INTERNAL ? -ENOMEM : -EPROTO, fault.message,
		     outcome);
		return 1;
	}
	if (reply.continues && (reply.error || !(exchange->flags & WIRE_MORE)))
		fail(exchange, -EPROTO, "The daemon announced replies that nobody asked for.",
		     outcome);
	else if (is_going_down(&reply) && lose(exchange))
		r = 0;
	else if (reply.error)
		read_error(exchange, &reply, outcome);
	else
		read_reply(exchange, &reply, outcome);
	wire_reply_done(&reply);
	return r;
}

/* What goes by when the daemon comes back, or has room. */
static bool may_pass(int code)
{
	switch (code) {
	case -ENOENT:
	case -ECONNREFUSED:
	case -ECONNRESET:
	case -ENOTCONN:
	case -EPIPE:
	case -EAGAIN:
	case -EMFILE:
	case -ENFILE:
		return true;
	default:
		return false;
	}
}

void exchange_give_up(struct exchange *exchange, int code, struct outcome *ret_outcome)
{
	if (code == -ENOMEM)
		fail(exchange, code, NULL, ret_outcome);
	else /* whatever keeps it from the daemon: the daemon had the call before */
		fail(exchange, -ECONNRESET, may_pass(code) ? GONE_TEXT : ellu_strerror(code),
		     ret_outcome);
}

/* A daemon that could not be reached in the first place is not waited for. */
static bool may_resume(const struct exchange *exchange)
{
	int reason = exchange->connection->reason;

	return reason == 0 || reason == ELLU_E_SHUTTING_DOWN ||
	       (may_pass(reason) && exchange->give_up_usec != 0);
}

/* The connection brings nothing any more, and is not replaced. */
static void end_lost(struct exchange *exchange, struct outcome *outcome)
{
	const struct connection *connection = exchange->connection;
	const struct fault *fault = connection_fault(connection);

	if (fault) {
		*outcome = (struct outcome){ .result = fault->code, .error = result_error(fault) };
		end(exchange, false);
	} else if (connection->reason && may_resume(exchange)) {
		exchange_give_up(exchange, connection->reason, outcome);
	} else if (connection->reason) {
		fail(exchange, connection->reason, NULL, outcome);
	} else if (connection->cut && !exchange->received) {
		fail(exchange, -ENOTCONN, UNSENT_TEXT, outcome);
	} else {
		fail(exchange, -ECONNRESET, LOST_TEXT, outcome);
	}
}

static bool is_sent_oneway(const struct exchange *exchange)
{
	return exchange->flags & WIRE_ONEWAY && !exchange->connection->out && !exchange->connection->bus;
}

int exchange_next(struct exchange *exchange, struct outcome *ret_outcome)
{
	struct connection *connection = exchange->connection;
	char *text;
	size_t size;
	int r;

	if (exchange->ended || exchange->lost || exchange->before)
		return 0;
	if (!connection) {
		if (lose(exchange))
			return 0;
		fail(exchange, -ECONNRESET, LOST_TEXT, ret_outcome);
		return 1;
	}
	if (is_sent_oneway(exchange)) {
		end(exchange, false);
		*ret_outcome = (struct outcome){ .result = 0 };
		return 1;
	}
	r = connection_next(connection, &text, &size);
	if (r > 0)
		return read_message(exchange, text, size, ret_outcome);
	if (r == -EMSGSIZE)
		fail(exchange, -EPROTO, "The daemon sent a message beyond the limit.", ret_outcome);
	else if (r < 0)
		fail(exchange, r, NULL, ret_outcome);
	else if (!connection->ended || (may_resume(exchange) && lose(exchange)))
		return 0;
	else
		end_lost(exchange, ret_outcome);
	return 1;
}

/* Over a bus: 1 when the connection has its socket, 0 when not yet. */
static int get_socket(struct exchange *exchange)
{
	int socket, r = connection_ask(exchange->connection, &socket);

	if (r > 0) {
		leave_epoll(exchange);
		connection_take_socket(exchange->connection, socket);
	}
	return r;
}

int exchange_pump(struct exchange *exchange)
{
	struct connection *connection = exchange->connection;
	int r;

	if (exchange->ended || exchange->lost || !connection)
		return 0;
	r = connection->bus ? get_socket(exchange) : 1;
	if (r == 0)
		return 0;
	if (r > 0)
		r = connection_flush(connection);
	if (r == 0)
		r = is_sent_oneway(exchange) ? 1 : connection_fill(connection);
	if (r < 0)
		connection->ended = true;
	return r != 0;
}

bool exchange_is_reconnecting(const struct exchange *exchange)
{
	return exchange->lost || (exchange->connection && exchange->connection->bus &&
				  exchange->give_up_usec != 0);
}

/* ---- After a loss ---- */

int exchange_reconnect(struct exchange *exchange)
{
	int r = exchange_send(exchange);

	if (r == 0)
		return 1;
	return may_pass(r) && now_usec() < exchange->give_up_usec ? 0 : r;
}

void exchange_time_out(struct exchange *exchange, struct outcome *ret_outcome)
{
	fail(exchange, -ETIMEDOUT, LATE_TEXT, ret_outcome);
}

/* ---- For blocking handles ---- */

/* A try is due. 1 with an outcome when it was the last. */
static int try_again(struct exchange *exchange, struct outcome *outcome)
{
	int r = exchange_reconnect(exchange);

	/* A daemon that takes calls and hangs up is no better than none. */
	backoff_failed(&exchange->backoff, now_usec());
	if (r >= 0)
		return 0;
	exchange_give_up(exchange, r, outcome);
	return 1;
}

/* 1 with an outcome, 0 when there is reason to wait. */
static int step(struct exchange *exchange, struct outcome *ret_outcome)
{
	if (exchange_next(exchange, ret_outcome) > 0)
		return 1;
	if (exchange->lost && now_usec() >= exchange->backoff.retry_usec)
		return try_again(exchange, ret_outcome);
	while (exchange_pump(exchange) > 0)
		if (exchange_next(exchange, ret_outcome) > 0)
			return 1;
	return 0;
}

/* For the connection, or the time of the next try. 1: it has come. */
static int pause_until(const struct exchange *exchange, uint64_t deadline_usec)
{
	const struct connection *connection = exchange->connection;
	uint64_t retry_usec = exchange->backoff.retry_usec;
	int r;

	if (!exchange->lost)
		return poll_until(connection->fd, connection_events(connection), deadline_usec);
	r = poll_until(-1, 0, retry_usec < deadline_usec ? retry_usec : deadline_usec);
	return r < 0 ? r : retry_usec < deadline_usec;
}

int exchange_wait(struct exchange *exchange, uint64_t deadline_usec, struct outcome *ret_outcome)
{
	int r = 1;

	while (r > 0 && step(exchange, ret_outcome) == 0)
		r = pause_until(exchange, deadline_usec);
	return r;
}

void exchange_await(struct exchange *exchange, struct outcome *ret_outcome)
{
	uint64_t deadline_usec = exchange_deadline(exchange);
	int r;

	do
		r = exchange_wait(exchange, deadline_usec, ret_outcome);
	while (r == -EINTR);
	if (r == 0)
		exchange_time_out(exchange, ret_outcome);
	else if (r < 0)
		fail(exchange, r, NULL, ret_outcome);
}

void exchange_done(struct exchange *exchange)
{
	if (!exchange->ended)
		end(exchange, false);
	free(exchange->text);
	exchange->text = NULL;
	resume_done(&exchange->resume);
}

void outcome_done(struct outcome *outcome)
{
	ellu_free(outcome->reply);
	ellu_free(outcome->error);
}
