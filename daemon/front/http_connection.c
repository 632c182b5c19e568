#include "daemon/front/http_connection.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include "daemon/base/clock.h"
#include "daemon/base/log.h"
#include "daemon/front/decoder.h"
#include "proto/generated/interface.h"
#include "proto/json_check.h"
#include "proto/limits.h"

#define READ_LARGE 65536
/* A larger body is one of the few large ones that a user has at a time. */
#define BODY_MEDIUM (128 * 1024)
/* A body that comes in chunks begins with so much room. */
#define BODY_FIRST 8192
/* What is read of a refused body, and for how long, so that the answer is not lost in a reset. */
#define DRAIN_MAX (1024 * 1024)
#define DRAIN_SECONDS 2

/* A body on its way to what the route wants. It outlives its connection. */
struct http_decoding {
	struct decoding decoding;
	struct http_exchange *exchange; // a reference
};

static void advance(struct http_connection *connection);
static void update_events(struct http_connection *connection);

/* ---- Refusals ---- */

static void refuse(struct http_connection *connection, int status, int code, const char *reason)
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
	struct http_exchange *exchange =
		(struct http_exchange *)((char *)holder - offsetof(struct http_exchange, token));

	if (exchange->connection)
		http_connection_kill(exchange->connection);
}

static int identify(struct http_connection *connection, struct fault *fault)
{
	struct http_exchange *exchange = connection->exchange;
	struct service *service = exchange->service;
	const char *text = shown_token(&exchange->head);
	const struct http_limits *limits = http_get_limits(connection->http);
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

/* A form of another site's can send three types without asking; JSON is none of them. */
static bool has_body_type(const struct http_exchange *exchange)
{
	const char *wanted = exchange->route->body_type ? exchange->route->body_type : "application/json";
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
	int64_t most = http_get_limits(connection->http)->body_bytes;
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

	if (!head->chunked && !head->content_length) {
		connection->state = HTTP_DECODES;
		return;
	}
	if (!has_body_type(exchange)) {
		refuse(connection, 415, ELLU_E_UNSUPPORTED, "the body has another Content-Type than is taken here");
		return;
	}
	if (exchange->principal.way != PRINCIPAL_TOKEN) {
		refuse(connection, 413, ELLU_E_UNSUPPORTED, "no body is taken here");
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

/* Puts bytes of the body where they belong. Returns how many were the body's, or negative: it was refused. */
static ssize_t add_to_body(struct http_connection *connection, char *data, size_t size)
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
		refuse(connection, 400, ELLU_E_INVALID_MESSAGE, "the chunks of the body are none");
		return r;
	}
	if (kept > missing) {
		size_t room = connection->body_capacity * 2;
		size_t most = (size_t)http_get_limits(connection->http)->body_bytes;

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

/* The user is known to the store. */
static void serve(struct http_connection *connection)
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
		serve(connection);
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
		advance(connection);
	}
	http_unref(exchange);
	free(decoding);
}

static void begin_decoding(struct http_connection *connection)
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

/* ---- The head ---- */

static void begin_request(struct http_connection *connection)
{
	struct http_exchange *exchange = connection->exchange;
	struct fault fault = { 0 };
	unsigned verbs = 0;
	char text[64];
	int status;

	if (!http_knows_host(connection->http, exchange->head.host)) {
		refuse(connection, 421, ELLU_E_PERMISSION_DENIED, "Host is not a name of this server.");
		return;
	}
	exchange->route = http_route_find(exchange, &status, &verbs);
	if (!is_of_here(&exchange->head)) {
		refuse(connection, 403, ELLU_E_PERMISSION_DENIED, "Another site may not ask for this.");
		return;
	}
	if (!exchange->route) {
		if (verbs) {
			http_verbs_text(verbs, text, sizeof(text));
			http_add_header(exchange, "Allow", text);
		}
		refuse(connection, status, ELLU_E_UNSUPPORTED,
		       status == 405 ? "nothing is served here by this verb" : "nothing is served here");
		return;
	}
	if (exchange->route->access == HTTP_TOKEN && identify(connection, &fault) < 0)
		refuse_fault(connection, &fault);
	else
		begin_body(connection);
}

/* `size` 0: it is longer than it may be. */
static void take_head(struct http_connection *connection, size_t size)
{
	struct http_exchange *exchange = http_exchange_new(connection);
	struct http_refusal refusal = { 431, "the head is too long" };
	char *text = exchange ? malloc(size + 1) : NULL;

	if (!text) {
		http_connection_kill(connection);
		http_unref(exchange);
		return;
	}
	http_touch(connection);
	memcpy(text, connection->in, size);
	memmove(connection->in, connection->in + size, connection->in_size - size);
	connection->in_size -= size;
	connection->scanned = 0;
	connection->exchange = exchange;
	exchange->text = text;
	if (!size || http_head_parse(text, size, &exchange->head, &refusal) < 0)
		refuse(connection, refusal.status, ELLU_E_INVALID_MESSAGE, refusal.reason);
	else
		begin_request(connection);
}

/* ---- Events ---- */

void http_connection_kill(struct http_connection *connection)
{
	if (connection->dead)
		return;
	connection->dead = connection->output.stopped = true;
	user_stop_waiting(&connection->waiter);
	user_give_back(&connection->place);
	http_reap_soon(connection);
}

static bool wants_input(const struct http_connection *connection)
{
	if (connection->input_ended || connection->unread)
		return false;
	switch (connection->state) {
	case HTTP_WAITS:
	case HTTP_READS:
		return !connection->closing && !connection->waiter.list && !output_size(&connection->output);
	case HTTP_DRAINS:
		return true;
	default:
		return connection->in_size < HTTP_AHEAD;
	}
}

/* How long the peer may take for what it is at; 0: it is not at anything. */
static int64_t time_of(const struct http_connection *connection)
{
	const struct http_limits *limits = http_get_limits(connection->http);

	switch (connection->state) {
	case HTTP_WAITS:
		return connection->in_size ? limits->message_seconds : limits->idle_seconds;
	case HTTP_READS:
		return limits->message_seconds;
	case HTTP_DRAINS:
		return DRAIN_SECONDS;
	default:
		return 0;
	}
}

/* The clock of a request goes on from its first byte to its last. */
static int watch_time(struct http_connection *connection, bool anew)
{
	const struct timeval time = { .tv_sec = time_of(connection) };

	if (!time.tv_sec)
		return event_del(connection->late);
	if (!anew && event_pending(connection->late, EV_TIMEOUT, NULL))
		return 0;
	return event_add(connection->late, &time);
}

static void update_events(struct http_connection *connection)
{
	int r;

	if (connection->dead)
		return;
	r = wants_input(connection) ? event_add(connection->readable, NULL) :
				      event_del(connection->readable);
	if (watch_time(connection, false) < 0 ||
	    output_watch(&connection->output,
			 http_get_limits(connection->http)->output_stall_seconds) < 0)
		r = -1;
	if (r < 0)
		http_connection_kill(connection);
}

void http_connection_send(struct http_connection *connection, struct reply *reply)
{
	bool was_empty = !output_size(&connection->output);

	if (connection->dead)
		return;
	if (output_send(&connection->output, reply) < 0)
		http_connection_kill(connection);
	else if (was_empty && output_size(&connection->output))
		update_events(connection);
}

bool http_connection_keeps(const struct http_connection *connection)
{
	return connection->exchange->head.keeps && !http_service(connection->http)->stopping &&
	       connection->state != HTTP_READS && connection->state != HTTP_WAITS;
}

void http_connection_answered(struct http_connection *connection)
{
	struct http_exchange *exchange = connection->exchange;

	connection->closing = connection->closing || !http_connection_keeps(connection);
	connection->exchange = NULL;
	connection->introduced = false;
	connection->state = HTTP_WAITS;
	exchange->connection = NULL;
	token_let_go(&exchange->token);
	http_unref(exchange);
	if (connection->dead)
		return;
	(void)watch_time(connection, true);
	if (!connection->advancing)
		advance(connection);
}

/* The answer has left. What the peer has sent meanwhile is read, or it would be told of a reset before
 * it reads the answer. */
static void close_softly(struct http_connection *connection)
{
	if (connection->state == HTTP_DRAINS)
		return;
	if (connection->input_ended || shutdown(connection->fd, SHUT_WR) < 0) {
		http_connection_kill(connection);
		return;
	}
	connection->state = HTTP_DRAINS;
	connection->in_size = 0;
	(void)watch_time(connection, true);
}

/* One step of what is there. False: more must come, or be sent. */
static bool step(struct http_connection *connection)
{
	size_t end;
	ssize_t used;

	switch (connection->state) {
	case HTTP_WAITS:
		if (connection->closing || connection->waiter.list || !connection->in_size ||
		    output_size(&connection->output))
			return false;
		/* A blank line behind a body is forgiven, as it always was. */
		if (connection->in_size >= 2 && memcmp(connection->in, "\r\n", 2) == 0) {
			connection->in_size -= 2;
			memmove(connection->in, connection->in + 2, connection->in_size);
			return true;
		}
		end = http_head_end(connection->in, connection->in_size, &connection->scanned);
		if (!end && connection->in_size < HTTP_HEAD_MAX)
			return false;
		take_head(connection, end);
		return true;
	case HTTP_READS:
		if (!connection->in_size)
			return false;
		used = add_to_body(connection, connection->in, connection->in_size);
		if (used >= 0) {
			connection->in_size -= (size_t)used;
			memmove(connection->in, connection->in + used, connection->in_size);
		}
		return used >= 0;
	case HTTP_DECODES:
		if (connection->decoding || connection->introduced)
			return false;
		begin_decoding(connection);
		return true;
	default:
		return false;
	}
}

static void advance(struct http_connection *connection)
{
	connection->advancing = true;
	while (!connection->dead && step(connection))
		;
	connection->advancing = false;
	if (connection->dead)
		return;
	if (connection->input_ended && !connection->exchange && !connection->in_size)
		connection->closing = true;
	if (connection->closing && !connection->exchange && !output_size(&connection->output))
		close_softly(connection);
	if (!connection->in_size) {
		free(connection->in);
		connection->in = NULL;
	}
	update_events(connection);
}

/* ---- Input ---- */

static void end_of_input(struct http_connection *connection)
{
	connection->input_ended = true;
	if (connection->state == HTTP_DRAINS || connection->state == HTTP_READS ||
	    (connection->exchange && http_exchange_follows(connection->exchange)))
		http_connection_kill(connection);
}

static void on_received(struct http_connection *connection, ssize_t n)
{
	if (n == 0)
		end_of_input(connection);
	else if (n < 0 && errno != EAGAIN && errno != EINTR)
		http_connection_kill(connection);
}

/* A body whose length is known is read where it belongs. */
static void read_body(struct http_connection *connection)
{
	struct http_exchange *exchange = connection->exchange;
	size_t missing = connection->body_capacity - exchange->body_size;
	ssize_t n = recv(connection->fd, exchange->body + exchange->body_size,
			 missing < READ_LARGE ? missing : READ_LARGE, MSG_DONTWAIT);

	on_received(connection, n);
	if (n <= 0)
		return;
	exchange->body_size += (size_t)n;
	exchange->body[exchange->body_size] = '\0';
	if (exchange->body_size == connection->body_capacity)
		connection->state = HTTP_DECODES;
}

static void read_input(struct http_connection *connection)
{
	ssize_t n;

	connection->unread = false;
	if (connection->state == HTTP_READS && !connection->exchange->head.chunked && !connection->in_size) {
		read_body(connection);
		return;
	}
	if (!connection->in)
		connection->in = malloc(HTTP_HEAD_MAX);
	if (!connection->in || connection->in_size == HTTP_HEAD_MAX) {
		if (!connection->in)
			http_connection_kill(connection);
		return;
	}
	n = recv(connection->fd, connection->in + connection->in_size,
		 HTTP_HEAD_MAX - connection->in_size, MSG_DONTWAIT);
	on_received(connection, n);
	if (n <= 0 || connection->dead)
		return;
	if (connection->state == HTTP_DRAINS) {
		connection->drained += (size_t)n;
		if (connection->drained > DRAIN_MAX)
			http_connection_kill(connection);
		return;
	}
	/* The clock of a request starts. */
	if (connection->state == HTTP_WAITS && !connection->in_size) {
		connection->in_size = (size_t)n;
		(void)watch_time(connection, true);
	} else {
		connection->in_size += (size_t)n;
	}
}

static void on_readable(evutil_socket_t fd, short events, void *userdata)
{
	struct http_connection *connection = userdata;
	struct user *user = connection->user;

	(void)fd;
	(void)events;
	if (connection->dead)
		return;
	if (connection->waiter.list || !user_take_turn(user, &connection->waiter)) {
		connection->unread = true;
		update_events(connection);
		return;
	}
	user_begin_work(user);
	read_input(connection);
	if (!connection->dead)
		advance(connection);
	user_end_work(user);
}

static void on_late(evutil_socket_t fd, short events, void *userdata)
{
	struct http_connection *connection = userdata;
	bool has_begun = connection->state == HTTP_READS ||
			 (connection->state == HTTP_WAITS && connection->in_size);

	(void)fd;
	(void)events;
	if (connection->dead)
		return;
	if (!has_begun) {
		http_connection_kill(connection);
		return;
	}
	if (!connection->exchange)
		connection->exchange = http_exchange_new(connection);
	if (!connection->exchange) {
		http_connection_kill(connection);
		return;
	}
	refuse(connection, 408, ELLU_E_TIMEOUT, "the request did not end in time");
	advance(connection);
}

/* Its user's turn has come, or the store knows him. */
static void on_wake(struct user_waiter *waiter)
{
	struct http_connection *connection =
		(struct http_connection *)((char *)waiter - offsetof(struct http_connection, waiter));

	if (connection->dead)
		return;
	if (connection->state == HTTP_DECODES && connection->introduced)
		serve(connection);
	if (connection->unread && !connection->dead && !connection->waiter.list)
		read_input(connection);
	if (!connection->dead)
		advance(connection);
}

/* ---- What the output says ---- */

static struct http_connection *connection_of(struct output *output)
{
	return (struct http_connection *)((char *)output - offsetof(struct http_connection, output));
}

static void on_output_moved(struct output *output)
{
	struct http_connection *connection = connection_of(output);
	struct http_exchange *exchange = connection->exchange;

	if (!connection->dead && exchange && exchange->begun && output_is_low(output)) {
		http_ref(exchange);
		if (exchange->on_writable)
			exchange->on_writable(exchange);
		else
			http_calls_writable(exchange);
		http_unref(exchange);
	}
	if (!connection->dead)
		advance(connection);
}

static void on_output_failed(struct output *output, int error)
{
	struct http_connection *connection = connection_of(output);

	if (!error)
		log_about(LOG_NOTICE, ABOUT(.message = LOG_CLIENT_DROPPED),
			  "a client of user %lld took nothing for %lld seconds: dropped",
			  (long long)connection->user->uid,
			  (long long)http_get_limits(connection->http)->output_stall_seconds);
	http_connection_kill(connection);
}

/* ---- Life ---- */

int http_connection_new(struct http *http, int fd, struct http_connection **ret_connection)
{
	struct http_connection *connection = calloc(1, sizeof(*connection));
	struct event_base *base = loop_base(http_loop(http));

	if (!connection)
		return -ENOMEM;
	connection->http = http;
	connection->fd = -1;
	connection->user = user_of(http_service(http)->users, USER_UNKNOWN);
	connection->waiter.wake = on_wake;
	connection->output.user = connection->user;
	connection->output.moved = on_output_moved;
	connection->output.failed = on_output_failed;
	connection->readable = event_new(base, fd, EV_READ | EV_PERSIST, on_readable, connection);
	connection->late = event_new(base, -1, 0, on_late, connection);
	if (!connection->user || output_init(&connection->output, base, fd) < 0 ||
	    !connection->readable || !connection->late) {
		http_connection_free(connection);
		return -ENOMEM;
	}
	connection->fd = fd;
	update_events(connection);
	*ret_connection = connection;
	return 0;
}

struct http_connection *http_connection_free(struct http_connection *connection)
{
	struct http_exchange *exchange;

	if (!connection)
		return NULL;
	connection->dead = true;
	user_stop_waiting(&connection->waiter);
	exchange = connection->exchange;
	connection->exchange = NULL;
	if (exchange) {
		http_exchange_abandon(exchange);
		http_unref(exchange);
	}
	if (connection->readable)
		event_free(connection->readable);
	if (connection->late)
		event_free(connection->late);
	output_done(&connection->output);
	user_give_back(&connection->place);
	free(connection->in);
	if (connection->fd >= 0)
		close(connection->fd);
	free(connection);
	return NULL;
}
