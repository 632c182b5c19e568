/*
 * A request and its answer, as routes see them; and the tables that routes are in. A route's `serve`
 * begins with the whole request there, its caller known, and answers now or later, exactly once: with
 * http_answer() or one like it, or as a stream. Everything happens on the front's loop.
 *
 * An exchange is counted: the connection has one reference until it is answered or the peer is gone,
 * each call of a method another. When the peer goes, the calls under way are abandoned, `on_gone` runs,
 * and answers go nowhere.
 */
#pragma once

#include <json-c/json.h>
#include <stdbool.h>
#include <stddef.h>

#include "daemon/api/call.h"
#include "daemon/api/tokens.h"
#include "daemon/front/http/http_head.h"
#include "daemon/front/reply.h"
#include "proto/fault/fault.h"

#define HTTP_VALUES_MAX 4

struct http_connection;
struct http_exchange;

enum http_access {
	HTTP_TOKEN, // who shows one
	HTTP_ANYONE,
};

struct http_route {
	const char *path; // "/v1/models/{model}": what is in braces is any one segment, the last with "..."
			  // any number of them
	unsigned verbs; // enum http_verb; who may GET may HEAD
	enum http_access access;
	void (*serve)(struct http_exchange *exchange);
	/* Reads the body, on another thread if it is large; what it finds wrong is `exchange->fault`. NULL:
	 * a body is a JSON object, and `exchange->json`. */
	void (*decode)(struct http_exchange *exchange);
	/* Answers an error in a shape of its own. NULL: http_fail()'s. */
	void (*fail)(struct http_exchange *exchange, int status, const struct fault *fault);
	const char *body_type; // NULL: application/json
};

/* The first route that fits is the one. A table is one of those that the front was made with. */
struct http_routes {
	const struct http_route *routes;
	size_t n;
};

#define HTTP_ROUTES(array) { array, sizeof(array) / sizeof((array)[0]) }

struct http_exchange {
	unsigned references;
	struct service *service;
	struct http_connection *connection; // NULL: the peer is gone, or all is answered
	const struct http_route *route;
	struct principal principal;
	struct token_holder token;
	struct http_head head;
	unsigned other_verbs; // by which routes before this one serve the path
	const char *values[HTTP_VALUES_MAX]; // of the path, unescaped, in their order
	char *body; // with a NUL behind it; NULL: none
	size_t body_size;
	json_object *json; // of a body that is JSON; or NULL
	struct fault fault; // of what decodes
	struct arena arena; // for whoever decodes or serves it

	/* The route's own. */
	void (*on_gone)(struct http_exchange *exchange); // or NULL
	void (*on_writable)(struct http_exchange *exchange); // a stream may go on; or NULL
	void (*on_free)(struct http_exchange *exchange); // or NULL
	void *data;

	/* http_exchange.c's. */
	char *text; // of the head
	char *answer_headers; // lines; or NULL
	struct http_call *calls;
	struct user_charge input;
	bool begun; // the answer
	bool ended;
	bool chunked; // the stream
	bool counted; // among the streams
	bool sent; // something since the last beat of the heart
	const char *stream_type; // of a stream that is expected; or NULL
	const char *heartbeat; // of a stream that is silent: what says that it lives; or NULL
};

struct http_exchange *http_ref(struct http_exchange *exchange);
struct http_exchange *http_unref(struct http_exchange *exchange);

/* ---- Answers ---- */

/* Before the answer begins; without control characters. */
void http_add_header(struct http_exchange *exchange, const char *name, const char *value);
/* The body is copied. `type` NULL: there is none. */
void http_answer(struct http_exchange *exchange, int status, const char *type, const void *body,
		 size_t size);
/* The text of a JSON value; takes it. NULL: no memory. */
void http_answer_json(struct http_exchange *exchange, int status, json_object *json);
/* As the route wants errors, with the status that the fault's code has. */
void http_fail(struct http_exchange *exchange, const struct fault *fault);
/* The same with another status. */
void http_fail_as(struct http_exchange *exchange, int status, const struct fault *fault);
/* 405: the path is served by these verbs alone. `why` NULL: that is all there is to say. */
void http_fail_verb(struct http_exchange *exchange, unsigned verbs, const char *why);
/* The status that the interface gives an error. */
int http_status_of(int code);

/* `heartbeat` is sent whenever nothing else was for some seconds; constant, or NULL. */
void http_stream_begin(struct http_exchange *exchange, int status, const char *type,
		       const char *heartbeat);
/* It begins with what is sent first, or when the heart beats: an error until then is still an answer
 * with a status of its own. */
void http_stream_expect(struct http_exchange *exchange, const char *type, const char *heartbeat);
/* Copied. False: hold back until on_writable. */
bool http_stream_send(struct http_exchange *exchange, const void *data, size_t size);
/* What http_chunk_new() made, for the streams of many; a reference of their own. */
bool http_stream_send_chunk(struct http_exchange *exchange, struct reply *chunk);
struct reply *http_chunk_new(const void *data, size_t size);
void http_stream_end(struct http_exchange *exchange);
/* The stream cannot go on, and must not look as if it had ended: the connection breaks off. */
void http_stream_break(struct http_exchange *exchange);

/* ---- Methods ---- */

/* A call of a method of the table for the exchange's caller. It is freed once it has failed, or has
 * answered for the last time. */
struct http_call {
	struct http_exchange *exchange; // a reference
	struct http_call *next; // http_exchange::calls
	struct call *call; // NULL: it waits for room, or is over
	const struct method *method;
	void *request;
	struct arena arena;
	bool more;
	bool passes_on; // what excludes each other here is the model's to refuse
	struct user_charge requests;
	struct user_charge expected;
	struct user_waiter waiter;
	/* Returns whether more is welcome right now, -EMSGSIZE, or another error. */
	int (*answered)(struct http_call *call, struct answer *answer, bool continues);
	void (*failed)(struct http_call *call, const struct fault *fault); // NULL: http_fail()
	void *data;
};

/* `parameters` is borrowed; NULL: none. What is wrong with them fails the call like all else, before
 * or after this returns. */
void http_call(struct http_exchange *exchange, const struct method *method, json_object *parameters,
	       const struct http_call *how);
/* The same with a request that was decoded, in an arena that is taken. */
void http_call_decoded(struct http_exchange *exchange, const struct method *method, void *request,
		       struct arena *arena, const struct http_call *how);
/* There is room again: for streams, from on_writable. */
void http_calls_writable(struct http_exchange *exchange);
/* Sends what is made of the answer, which all who are told the same in that form share: it is made for the
 * first of them. Returns as `answered` does. */
typedef int http_make_fn(struct answer *answer, bool continues, char **ret_text, size_t *ret_size);
int http_stream_tell(struct http_call *call, struct answer *answer, bool continues, enum reply_form form,
		     http_make_fn *make);
/* What the method answered, as JSON that the caller puts. -EMSGSIZE, -ENOMEM. */
int http_answer_object(const struct answer *answer, json_object **ret_json);
/* The same as text, to be freed. */
int http_answer_text(struct answer *answer, char **ret_text, size_t *ret_size);

/* ---- For its connection ---- */

struct http_exchange *http_exchange_new(struct http_connection *connection);
/* Nothing of it is sent any more. */
void http_exchange_leave(struct http_exchange *exchange);
/* Whether more output is welcome. */
bool http_has_room(const struct http_exchange *exchange);
/* Sends what says that a silent stream lives. */
void http_stream_beat(struct http_exchange *exchange);
/* The peer is gone: calls are abandoned. */
void http_exchange_abandon(struct http_exchange *exchange);
/* The caller waits for what will come about, and not for an answer that is under way. */
bool http_exchange_follows(const struct http_exchange *exchange);
