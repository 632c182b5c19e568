#include "daemon/front/http/http_request.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "daemon/base/clock.h"
#include "daemon/base/container_of.h"
#include "daemon/front/decoder.h"
#include "daemon/front/http/http_exchange.h"
#include "daemon/front/http/http_route.h"
#include "daemon/front/http/http_socket.h"
#include "daemon/front/http/http_state.h"
#include "proto/generated/interface.h"
#include "proto/json/json_check.h"

/* A larger body is one of the few large ones that a user has at a time. */
#define BODY_MEDIUM (128 * 1024)
/* A body that comes in chunks begins with so much room. */
#define BODY_FIRST 8192

/* A body on its way to what the route wants. It outlives its connection. */
struct http_decoding {
	struct decoding decoding;
	struct http_exchange *exchange; // a reference
};

/* ---- Refusals ---- */

void http_refuse(struct http_connection *connection, int status, int code, const char *reason)
{
	struct fault fault = { 0 };

	if (code == ELLU_E_INVALID_MESSAGE)
		fault_message(&fault, 0, "%s", reason);
	else
		fault_set(&fault, code, "%s", reason);
	connection->exchange->head.keeps = false;
	http_fail_as(connection->exchange, status, &fault);
}

static void refuse_fault(struct http_connection *connection, const struct fault *fault)
{
	connection->exchange->head.keeps = false;
	http_fail(connection->exchange, fault);
}

/* ---- Who asks ---- */

/* Another place on the web must not make a browser ask for it: what it asks in its own name carries
 * its origin. */
static bool is_of_here(const struct http_head *head)
{
	const char *origin = http_header(head, "origin");
	const char *site = http_header(head, "sec-fetch-site");

	if (site && strcmp(site, "same-origin") != 0 && strcmp(site, "none") != 0)
		return false;
	if (!origin)
		return true;
	if (strncmp(origin, "http://", 7) == 0)
		return strcasecmp(origin + 7, head->host) == 0;
	return strncmp(origin, "https://", 8) == 0 && strcasecmp(origin + 8, head->host) == 0;
}

static const char *shown_token(const struct http_head *head)
{
	const char *value = http_header(head, "authorization");

	if (value && strncasecmp(value, "Bearer ", 7) == 0)
		return value + 7 + strspn(value + 7, " ");
	return http_header(head, "x-api-key");
}

/* The connection is the user's from now on. */
static bool belong_to(struct http_connection *connection, struct user *user)
{
	struct user_charge place = { 0 };

	if (connection->user == user)
		return true;
	if (!user_take(&place, user, USER_CONNECTIONS, 1))
		return false;
	user_move(&place, &connection->place);
	connection->user = connection->output.user = user;
	return true;
}

/* What came of a token that is no more. */
static void on_taken_back(struct token_holder *holder)
{
	struct http_exchange *exchange = container_of(holder, struct http_exchange, token);

	if (exchange->connection)
		http_connection_kill(exchange->connection);
}

static int identify(struct http_connection *connection, struct fault *fault)
{
	struct http_exchange *exchange = connection->exchange;
	struct service *service = exchange->service;
	const char *text = shown_token(&exchange->head);
	const struct http_limits *limits = &connection->http->options.limits;
	char numbers[256];
	struct token *token;
	struct user *user;
	int r;

	if (!text) {
		http_add_header(exchange, "WWW-Authenticate", "Bearer");
		return fault_set(fault, ELLU_E_UNAUTHENTICATED, "A token is needed: elluminate token create.");
	}
	r = tokens_check(service->tokens, text, &token, fault);
	if (r == ELLU_E_UNAUTHENTICATED)
		http_add_header(exchange, "WWW-Authenticate", "Bearer error=\"invalid_token\"");
	if (r < 0)
		return r;
	user = user_of(service->users, token->uid);
	if (!user)
		return fault_oom(fault);
	exchange->token.taken_back = on_taken_back;
	token_hold(&exchange->token, token);
	exchange->principal = (struct principal){
		.user = user,
		.uid = token->uid,
		.scopes = token->scopes,
		.way = PRINCIPAL_TOKEN,
		.project_id = token->project_id,
	};
	if (!bucket_take(&token->calls, (double)limits->requests_per_second,
			 (double)limits->requests_per_second, clock_monotonic_usec())) {
		fault_set(fault, ELLU_E_TOO_MANY_REQUESTS, "at most %lld requests a second of one token",
			  (long long)limits->requests_per_second);
		fault->retry_after_seconds = 1;
		return fault->code;
	}
	if (belong_to(connection, user))
		return 0;
	user_describe(user, USER_CONNECTIONS, numbers, sizeof(numbers));
	fault_set(fault, ELLU_E_TOO_MANY_REQUESTS, "%s", numbers);
	fault->retry_after_seconds = 1;
	return fault->code;
}

/* ---- The body ---- */

static bool wants_json(const struct http_exchange *exchange)
{
	return !exchange->route->body_type || strcmp(exchange->route->body_type, "application/json") == 0;
}

static const char *wanted_type(const struct http_exchange *exchange)
{
	return exchange->route->body_type ? exchange->route->body_type : "application/json";
}

/* A form of another site's can send three types without asking; JSON is none of them. */
static bool has_body_type(const struct http_exchange *exchange)
{
	const char *wanted = wanted_type(exchange);
	const char *type = http_header(&exchange->head, "content-type");
	size_t size = strlen(wanted);

	return type && strncasecmp(type, wanted, size) == 0 && strchr(" ;", type[size]);
}

/* Room for the body, or for what there may be of it. */
static int take_input(struct http_connection *connection, size_t size, struct fault *fault)
{
	struct http_exchange *exchange = connection->exchange;
	struct user_charge large = { 0 };
	char numbers[256];
	enum user_slot slot = size > BODY_MEDIUM ? USER_LARGE_MESSAGES : USER_INPUT;

	if (exchange->input.amount && exchange->input.slot == USER_LARGE_MESSAGES)
		return 0;
	if (slot == USER_INPUT && user_take(&exchange->input, connection->user, slot, (int64_t)size))
		return 0;
	if (slot == USER_LARGE_MESSAGES && user_take(&large, connection->user, slot, 1)) {
		user_move(&large, &exchange->input);
		return 0;
	}
	user_describe(connection->user, slot, numbers, sizeof(numbers));
	fault_set(fault, ELLU_E_TOO_MANY_REQUESTS, "%s", numbers);
	fault->retry_after_seconds = 1;
	return fault->code;
}

static int make_room(struct http_connection *connection, size_t size, struct fault *fault)
{
	struct http_exchange *exchange = connection->exchange;
	int64_t most = connection->http->options.limits.body_bytes;
	char *body;

	if ((int64_t)size > most)
		return fault_too_large(fault, most, "a request's body");
	if (take_input(connection, size, fault) < 0)
		return fault->code;
	body = realloc(exchange->body, size + 1);
	if (!body)
		return fault_oom(fault);
	exchange->body = body;
	connection->body_capacity = size;
	return 0;
}

static void go_on(struct http_connection *connection)
{
	static const char text[] = "HTTP/1.1 100 Continue\r\n\r\n";
	char *copy = connection->exchange->head.expects ? strdup(text) : NULL;
	struct reply *reply = copy ? reply_new(copy, sizeof(text) - 1, NULL) : NULL;

	if (reply)
		http_connection_send(connection, reply);
	reply_unref(reply);
}

static void begin_body(struct http_connection *connection)
{
	struct http_exchange *exchange = connection->exchange;
	const struct http_head *head = &exchange->head;
	struct fault fault = { 0 };
	char reason[100];

	if (!head->chunked && !head->content_length) {
		connection->state = HTTP_DECODES;
		return;
	}
	if (!has_body_type(exchange)) {
		snprintf(reason, sizeof(reason), "Content-Type: expected %s", wanted_type(exchange));
		http_refuse(connection, 415, ELLU_E_UNSUPPORTED, reason);
		return;
	}
	if (exchange->principal.way != PRINCIPAL_TOKEN) {
		http_refuse(connection, 413, ELLU_E_UNSUPPORTED, "no body is taken here");
		return;
	}
	if (make_room(connection, head->chunked ? BODY_FIRST : (size_t)head->content_length, &fault) < 0) {
		refuse_fault(connection, &fault);
		return;
	}
	connection->chunks = (struct http_chunks){ 0 };
	connection->state = HTTP_READS;
	if (!connection->in_size)
		go_on(connection);
}

ssize_t http_request_add(struct http_connection *connection, char *data, size_t size)
{
	struct http_exchange *exchange = connection->exchange;
	size_t used = size, kept = size, missing = connection->body_capacity - exchange->body_size;
	struct fault fault = { 0 };
	int r = 0;

	if (!exchange->head.chunked) {
		used = kept = size < missing ? size : missing;
		r = kept == missing;
	} else {
		r = http_chunks_take(&connection->chunks, data, size, &kept, &used);
	}
	if (r < 0) {
		http_refuse(connection, 400, ELLU_E_INVALID_MESSAGE, "the chunks of the body are none");
		return r;
	}
	if (kept > missing) {
		size_t room = connection->body_capacity * 2;
		size_t most = (size_t)connection->http->options.limits.body_bytes;

		room = room < exchange->body_size + kept ? exchange->body_size + kept : room;
		if (room > most && exchange->body_size + kept <= most)
			room = most;
		if (make_room(connection, room, &fault) < 0) {
			refuse_fault(connection, &fault);
			return fault.code;
		}
	}
	memcpy(exchange->body + exchange->body_size, data, kept);
	exchange->body_size += kept;
	exchange->body[exchange->body_size] = '\0';
	if (r > 0)
		connection->state = HTTP_DECODES;
	return (ssize_t)used;
}

/* ---- Decoding ---- */

static void decode_json(struct http_exchange *exchange)
{
	if (json_parse_strict(exchange->body, exchange->body_size, &exchange->json, &exchange->fault) == 0 &&
	    !json_object_is_type(exchange->json, json_type_object))
		fault_message(&exchange->fault, 0, "expected a JSON object");
}

static void decode(struct decoding *base)
{
	struct http_exchange *exchange = ((struct http_decoding *)base)->exchange;

	if (exchange->route->decode)
		exchange->route->decode(exchange);
	else if (wants_json(exchange))
		decode_json(exchange);
}

void http_request_serve(struct http_connection *connection)
{
	struct http_exchange *exchange = http_ref(connection->exchange);

	connection->state = HTTP_ANSWERS;
	if (exchange->fault.code)
		http_fail(exchange, &exchange->fault);
	else
		exchange->route->serve(exchange);
	http_unref(exchange);
}

static void introduce(struct http_connection *connection)
{
	connection->introduced = true;
	if (connection->exchange->principal.way == PRINCIPAL_TOKEN)
		user_introduce(connection->user, &connection->waiter);
	else
		http_request_serve(connection);
}

static void on_decoded(struct decoding *base)
{
	struct http_decoding *decoding = (struct http_decoding *)base;
	struct http_exchange *exchange = decoding->exchange;
	struct http_connection *connection = exchange->connection;

	if (connection && !connection->dead) {
		connection->decoding = NULL;
		user_worked_elsewhere(connection->user, base->took_usec);
		introduce(connection);
		connection->go_on(connection);
	}
	http_unref(exchange);
	free(decoding);
}

void http_request_decode(struct http_connection *connection)
{
	struct http_exchange *exchange = connection->exchange;
	struct http_decoding *decoding;

	if (!exchange->body) {
		introduce(connection);
		return;
	}
	decoding = calloc(1, sizeof(*decoding));
	if (!decoding) {
		http_connection_kill(connection);
		return;
	}
	decoding->exchange = http_ref(exchange);
	decoding->decoding.decode = decode;
	decoding->decoding.done = on_decoded;
	connection->decoding = decoding;
	if (exchange->body_size > DECODE_HERE_MAX) {
		decoder_post(exchange->service, &decoding->decoding);
		return;
	}
	decode(&decoding->decoding);
	connection->decoding = NULL;
	free(decoding);
	introduce(connection);
	http_unref(exchange);
}

/* ---- The beginning ---- */

static bool knows_host(const struct http *http, const char *host)
{
	size_t size = strlen(host);
	const char *at = http->hosts;

	while (size && *(at += strspn(at, " "))) {
		if (strcspn(at, " ") == size && strncasecmp(at, host, size) == 0)
			return true;
		at += strcspn(at, " ");
	}
	return false;
}

void http_request_begin(struct http_connection *connection)
{
	struct http_exchange *exchange = connection->exchange;
	struct fault fault = { 0 };
	unsigned verbs = 0;
	char text[64];
	int status;

	if (!knows_host(connection->http, exchange->head.host)) {
		http_refuse(connection, 421, ELLU_E_PERMISSION_DENIED, "Host is not a name of this server.");
		return;
	}
	exchange->route = http_route_find(connection->http->options.tables, exchange, &status, &verbs);
	exchange->other_verbs = verbs;
	if (!is_of_here(&exchange->head)) {
		http_refuse(connection, 403, ELLU_E_PERMISSION_DENIED, "Another site may not ask for this.");
		return;
	}
	if (!exchange->route) {
		if (verbs) {
			http_verbs_text(verbs, text, sizeof(text));
			http_add_header(exchange, "Allow", text);
		}
		http_refuse(connection, status, ELLU_E_UNSUPPORTED,
		       status == 405 ? "nothing is served here by this verb" : "nothing is served here");
		return;
	}
	if (exchange->route->access == HTTP_TOKEN && identify(connection, &fault) < 0)
		refuse_fault(connection, &fault);
	else
		begin_body(connection);
}
