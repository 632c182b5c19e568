#include "client/operations/exchange.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>

#include "client/operations/result.h"
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

static int write_envelope(const char *name, json_object *parameters, unsigned flags,
			  struct letter *letter, const struct ellu_error **ret_error)
{
	struct fault fault;
	int r = wire_call_encode(name, parameters, flags, &letter->text, &letter->size);

	if (r == -EMSGSIZE) {
		fault_too_large(&fault, MESSAGE_SIZE_MAX, "The request");
		return set_fault(ret_error, &fault);
	}
	return r < 0 ? result_fail(r, NULL, ret_error) : 0;
}

int letter_write(const struct method *method, const void *request, bool more,
		 struct letter *ret_letter, const struct ellu_error **ret_error)
{
	const struct method_request nothing = { .struct_size = sizeof(nothing) };
	struct letter letter = { .text = NULL };
	struct record_problem problem;
	json_object *parameters;
	int r;

	if (!request && !method_needs_request(method))
		request = &nothing;
	if (!request)
		return result_fail(-EINVAL, "There is no request.", ret_error);
	r = record_encode_request(method->request, request, &parameters, &problem);
	if (r < 0)
		return set_problem(ret_error, r, &problem);
	if (handle_duration(method_request_timeout(request), &letter.patience_usec) < 0) {
		json_object_put(parameters);
		return result_fail(-EINVAL, "call_timeout_seconds is none.", ret_error);
	}
	r = write_envelope(method->qualified_name, parameters, more ? WIRE_MORE : 0, &letter,
			   ret_error);
	if (r == 0) {
		resume_init(&letter.resume, method, parameters, more);
		*ret_letter = letter;
	}
	json_object_put(parameters);
	return r;
}

int letter_write_raw(const char *method, const char *parameters, unsigned flags,
		     struct letter *ret_letter, const struct ellu_error **ret_error)
{
	struct letter letter = { .text = NULL, .raw = true };
	json_object *json = NULL;
	struct fault fault;
	int r;

	if (!method || !strchr(method, '.'))
		return result_fail(-EINVAL,
				 "A method's name has the form INTERFACE.METHOD.", ret_error);
	if (parameters && json_parse_strict(parameters, strlen(parameters), &json, &fault) < 0)
		return set_fault(ret_error, &fault);
	if (parameters && !json_object_is_type(json, json_type_object)) {
		json_object_put(json);
		return result_fail(-EINVAL, "The parameters are not a JSON object.", ret_error);
	}
	r = write_envelope(method, json, flags, &letter, ret_error);
	if (!json)
		json = json_object_new_object();
	if (r == 0) {
		resume_init(&letter.resume, method_find(method), json, flags & WIRE_MORE);
		*ret_letter = letter;
	}
	json_object_put(json);
	return r;
}

void letter_done(struct letter *letter)
{
	free(letter->text);
	letter->text = NULL;
	resume_done(&letter->resume);
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
static int send_call(struct ellu *handle, struct letter *letter, struct connection **ret)
{
	for (;;) {
		struct connection *connection;
		char *text = letter->text;
		int r = handle_take_connection(handle, letter->patience_usec, &connection);
		bool reused;

		if (r < 0)
			return r;
		reused = connection->reused;
		connection->reused = true;
		letter->text = NULL;
		r = connection_send(connection, text, letter->size);
		/* A new one that was closed at once may bring the daemon's reason. */
		if (r == 0 && !(connection->cut && reused)) {
			*ret = connection;
			return 0;
		}
		letter->text = connection_take_back(connection);
		connection_close(connection);
		if (r < 0)
			return r;
	}
}

/* Takes what the letter holds besides its text. */
static void exchange_init(struct exchange *exchange, struct ellu *handle, struct letter *letter)
{
	*exchange = (struct exchange){ .handle = handle,
				       .raw = letter->raw,
				       .patience_usec = letter->patience_usec,
				       .more = letter->resume.more,
				       .resume = letter->resume };
	letter->resume = (struct resume){ .method = NULL };
}

int exchange_begin(struct exchange *exchange, struct ellu *handle, struct letter *letter)
{
	struct connection *connection;
	int r = send_call(handle, letter, &connection);

	if (r < 0)
		return r;
	exchange_init(exchange, handle, letter);
	exchange->connection = connection;
	return 0;
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
	       !connection->ended && !connection->cut;
}

int exchange_begin_behind(struct exchange *exchange, struct exchange *before, struct letter *letter,
			  struct exchange **ret_first)
{
	struct exchange *first = first_of(before);
	char *text = letter->text;
	int r;

	letter->text = NULL;
	r = connection_send_behind(first->connection, text, letter->size);
	before->spoiled = r < 0;
	if (r < 0)
		return r;
	exchange_init(exchange, before->handle, letter);
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

	if (exchange->raw)
		r = result_raw(reply->parameters, &outcome->reply);
	else
		r = result_decode(exchange->resume.method->reply, reply->parameters,
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

/* To be taken up again, if that is possible and wanted. */
static bool lose(struct exchange *exchange)
{
	uint64_t patience = exchange->handle->reconnect_usec;

	if (patience == 0 || exchange->handle->closed || !resume_possible(&exchange->resume))
		return false;
	if (exchange->give_up_usec == 0)
		exchange->give_up_usec = now_usec() + patience;
	else if (now_usec() >= exchange->give_up_usec)
		return false;
	exchange->received |= !exchange->connection || !exchange->connection->cut;
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
	if (reply.continues && (reply.error || !exchange->more))
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

	return reason == 0 || (may_pass(reason) && exchange->give_up_usec != 0);
}

/* The connection brings nothing any more, and is not replaced. */
static void end_lost(struct exchange *exchange, struct outcome *outcome)
{
	const struct connection *connection = exchange->connection;

	if (connection->reason && may_resume(exchange))
		exchange_give_up(exchange, connection->reason, outcome);
	else if (connection->reason)
		fail(exchange, connection->reason, NULL, outcome);
	else if (connection->cut && !exchange->received)
		fail(exchange, -ENOTCONN, UNSENT_TEXT, outcome);
	else
		fail(exchange, -ECONNRESET, LOST_TEXT, outcome);
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
		r = connection_fill(connection);
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
	struct letter letter = { .patience_usec = exchange->patience_usec };
	int r = resume_write(&exchange->resume, &letter.text, &letter.size);

	if (r == 0)
		r = send_call(exchange->handle, &letter, &exchange->connection);
	free(letter.text);
	if (r == 0) {
		exchange->lost = false;
		return 1;
	}
	return may_pass(r) && now_usec() < exchange->give_up_usec ? 0 : r;
}

int exchange_wait(const struct exchange *exchange, long long timeout_usec)
{
	struct timespec pause;
	uint64_t now = now_usec(), left;
	bool enough;

	if (!exchange->lost)
		return connection_wait(exchange->connection, timeout_usec);
	left = exchange->backoff.retry_usec > now ? exchange->backoff.retry_usec - now : 0;
	enough = timeout_usec < 0 || left <= (uint64_t) timeout_usec;
	if (!enough)
		left = (uint64_t) timeout_usec;
	pause = (struct timespec){ .tv_sec = (time_t) (left / 1000000),
				   .tv_nsec = (long) (left % 1000000) * 1000 };
	return nanosleep(&pause, NULL) < 0 ? -errno : enough;
}

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

int exchange_step(struct exchange *exchange, struct outcome *ret_outcome)
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

long long exchange_left(uint64_t deadline_usec)
{
	uint64_t now = now_usec();

	if (deadline_usec == UINT64_MAX)
		return -1;
	return now < deadline_usec ? (long long) (deadline_usec - now) : 0;
}

int exchange_flush(struct exchange *exchange, uint64_t deadline_usec)
{
	struct connection *connection = exchange->connection;
	int r = 0;

	while (r >= 0 && connection->out && !connection->cut) {
		r = connection_wait(connection, exchange_left(deadline_usec));
		if (r == 0)
			return -ETIMEDOUT;
		if (r > 0 || r == -EINTR)
			r = connection->bus ? get_socket(exchange) : connection_flush(connection);
	}
	if (connection->reason)
		return connection->reason;
	return r < 0 ? r : connection->cut ? -ENOTCONN : 0;
}

uint64_t exchange_deadline(const struct exchange *exchange)
{
	return exchange->patience_usec > 0 ? now_usec() + exchange->patience_usec
					   : handle_deadline(exchange->handle);
}

void exchange_time_out(struct exchange *exchange, struct outcome *ret_outcome)
{
	fail(exchange, -ETIMEDOUT, LATE_TEXT, ret_outcome);
}

void exchange_await(struct exchange *exchange, uint64_t deadline_usec,
		    struct outcome *ret_outcome)
{
	while (exchange_step(exchange, ret_outcome) == 0)
		if (exchange_wait(exchange, exchange_left(deadline_usec)) == 0) {
			exchange_time_out(exchange, ret_outcome);
			return;
		}
}

void exchange_done(struct exchange *exchange)
{
	if (!exchange->ended)
		end(exchange, false);
	resume_done(&exchange->resume);
}

void outcome_done(struct outcome *outcome)
{
	ellu_free(outcome->reply);
	ellu_free(outcome->error);
}
