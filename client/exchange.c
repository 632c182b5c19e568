/* SPDX-License-Identifier: MIT */
#include "client/exchange.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "client/result.h"
#include "proto/json_check.h"
#include "proto/limits.h"
#include "proto/message.h"

#define LOST_TEXT                                                                   \
	"The connection to the daemon was lost before the answer came; the call may " \
	"have been carried out."

/* ---- Calls ---- */

static int set_error(const struct ellu_error **ret_error, int code, const char *message)
{
	if (ret_error)
		*ret_error = result_errno(code, message);
	return code;
}

static int set_fault(const struct ellu_error **ret_error, const struct fault *fault)
{
	if (ret_error)
		*ret_error = result_error(fault);
	return fault->code;
}

static int write_envelope(const char *name, json_object *parameters, bool more,
			  struct letter *letter, const struct ellu_error **ret_error)
{
	struct fault fault;
	int r = wire_call_encode(name, parameters, more ? WIRE_MORE : 0, &letter->text,
				 &letter->size);

	json_object_put(parameters);
	if (r == -EMSGSIZE) {
		fault_too_large(&fault, MESSAGE_SIZE_MAX, "The request");
		return set_fault(ret_error, &fault);
	}
	return r < 0 ? set_error(ret_error, r, NULL) : 0;
}

int letter_write(const struct method *method, const void *request, bool more,
		 struct letter *ret_letter, const struct ellu_error **ret_error)
{
	struct letter letter = { .method = method, .more = more };
	json_object *parameters;
	int r;

	r = request ? record_encode(method->request, request, TO_DAEMON, &parameters) : -EINVAL;
	if (r == -EDOM)
		return set_error(ret_error, r, "The request holds a number that is not finite.");
	if (r == -EILSEQ)
		return set_error(ret_error, r, "The request holds a text that is not UTF-8.");
	if (r == -EINVAL)
		return set_error(ret_error, r,
				 "The request lacks its size or something it needs, or an object "
				 "in it is not the text of a JSON object.");
	if (r < 0)
		return set_error(ret_error, r, NULL);
	r = write_envelope(method->qualified_name, parameters, more, &letter, ret_error);
	if (r == 0)
		*ret_letter = letter;
	return r;
}

int letter_write_raw(const char *method, const char *parameters, bool more,
		     struct letter *ret_letter, const struct ellu_error **ret_error)
{
	struct letter letter = { .more = more };
	json_object *json = NULL;
	struct fault fault;
	int r;

	if (!method || !strchr(method, '.'))
		return set_error(ret_error, -EINVAL,
				 "A method's name has the form INTERFACE.METHOD.");
	if (parameters && json_parse_strict(parameters, strlen(parameters), &json, &fault) < 0)
		return set_fault(ret_error, &fault);
	if (parameters && !json_object_is_type(json, json_type_object)) {
		json_object_put(json);
		return set_error(ret_error, -EINVAL, "The parameters are not a JSON object.");
	}
	r = write_envelope(method, json, more, &letter, ret_error);
	if (r == 0)
		*ret_letter = letter;
	return r;
}

void letter_done(struct letter *letter)
{
	free(letter->text);
	letter->text = NULL;
}

/* ---- Replies ---- */

static void end(struct exchange *exchange, bool reusable)
{
	exchange->ended = true;
	if (reusable && !exchange->connection->out &&
	    frame_pending(&exchange->connection->in) == 0)
		handle_give_connection(exchange->handle, exchange->connection);
	else
		connection_close(exchange->connection);
	exchange->connection = NULL;
}

static void fail(struct exchange *exchange, int code, const char *message, struct outcome *outcome)
{
	end(exchange, false);
	*outcome = (struct outcome){ .result = code, .error = result_errno(code, message) };
}

int exchange_begin(struct exchange *exchange, struct ellu *handle, struct letter *letter)
{
	struct connection *connection;
	int r = handle_take_connection(handle, &connection);

	if (r < 0)
		return r;
	*exchange = (struct exchange){ .handle = handle,
				       .method = letter->method,
				       .more = letter->more,
				       .connection = connection };
	r = connection_send(connection, letter->text, letter->size);
	letter->text = NULL;
	if (r < 0)
		end(exchange, false);
	return r;
}

static void read_reply(struct exchange *exchange, const struct wire_reply *reply,
		       struct outcome *outcome)
{
	struct fault fault;
	int r;

	if (exchange->method)
		r = result_decode(exchange->method->reply, reply->parameters, &outcome->reply,
				  &fault);
	else
		r = result_raw(reply->parameters, &outcome->reply);
	if (r < 0) {
		fail(exchange, r, r == -EPROTO ? fault.message : NULL, outcome);
		return;
	}
	outcome->result = reply->continues;
	if (!reply->continues)
		end(exchange, true);
}

static void read_error(struct exchange *exchange, const struct wire_reply *reply,
		       struct outcome *outcome)
{
	struct fault fault;

	outcome->result = fault_from_parameters(reply->error, reply->parameters, &fault);
	outcome->error = result_error(&fault);
	end(exchange, outcome->result != ELLU_E_INVALID_MESSAGE);
}

static void read_message(struct exchange *exchange, const char *text, size_t size,
			 struct outcome *outcome)
{
	struct wire_reply reply;
	struct fault fault;

	*outcome = (struct outcome){ 0 };
	if (wire_reply_decode(text, size, &reply, &fault) < 0) {
		fail(exchange, fault.code == ELLU_E_INTERNAL ? -ENOMEM : -EPROTO, fault.message,
		     outcome);
		return;
	}
	if (reply.continues && (reply.error || !exchange->more))
		fail(exchange, -EPROTO, "The daemon announced replies that nobody asked for.",
		     outcome);
	else if (reply.error)
		read_error(exchange, &reply, outcome);
	else
		read_reply(exchange, &reply, outcome);
	wire_reply_done(&reply);
}

int exchange_next(struct exchange *exchange, struct outcome *ret_outcome)
{
	char *text;
	size_t size;
	int r;

	if (exchange->ended)
		return 0;
	r = connection_next(exchange->connection, &text, &size);
	if (r > 0)
		read_message(exchange, text, size, ret_outcome);
	else if (r == -EMSGSIZE)
		fail(exchange, -EPROTO, "The daemon sent a message beyond the limit.", ret_outcome);
	else if (r < 0)
		fail(exchange, r, NULL, ret_outcome);
	else if (exchange->connection->ended)
		fail(exchange, -ECONNRESET, LOST_TEXT, ret_outcome);
	else
		return 0;
	return 1;
}

int exchange_pump(struct exchange *exchange)
{
	struct connection *connection = exchange->connection;
	int r;

	if (exchange->ended)
		return 0;
	r = connection_flush(connection);
	if (r == 0)
		r = connection_fill(connection);
	if (r < 0)
		connection->ended = true;
	return r != 0;
}

void exchange_await(struct exchange *exchange, struct outcome *ret_outcome)
{
	while (exchange_next(exchange, ret_outcome) == 0)
		if (exchange_pump(exchange) == 0)
			(void) connection_wait(exchange->connection, -1);
}

void exchange_done(struct exchange *exchange)
{
	if (!exchange->ended)
		end(exchange, false);
}

void outcome_done(struct outcome *outcome)
{
	ellu_free(outcome->reply);
	ellu_free(outcome->error);
}
