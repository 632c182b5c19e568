#include "daemon/front/http_exchange.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "daemon/front/http_connection.h"
#include "daemon/front/reply.h"
#include "proto/generated/interface.h"
#include "proto/json_check.h"
#include "proto/limits.h"
#include "proto/message.h"

#define HEAD_SIZE 2048 // of an answer, but for what routes add
#define ADDED_MAX 2048

/* ---- Life ---- */

struct http_exchange *http_exchange_new(struct http_connection *connection)
{
	struct http_exchange *exchange = calloc(1, sizeof(*exchange));

	if (!exchange)
		return NULL;
	exchange->references = 1;
	exchange->connection = connection;
	exchange->service = http_service(connection->http);
	exchange->principal.user = connection->user;
	exchange->service->n_under_way++;
	arena_init(&exchange->arena);
	return exchange;
}

struct http_exchange *http_ref(struct http_exchange *exchange)
{
	exchange->references++;
	return exchange;
}

struct http_exchange *http_unref(struct http_exchange *exchange)
{
	if (!exchange || --exchange->references)
		return NULL;
	if (exchange->on_free)
		exchange->on_free(exchange);
	token_let_go(&exchange->token);
	exchange->service->n_under_way--;
	json_object_put(exchange->json);
	arena_done(&exchange->arena);
	user_give_back(&exchange->input);
	free(exchange->answer_headers);
	loop_free_there(exchange->service->behind, exchange->body, exchange->body_size);
	free(exchange->text);
	free(exchange);
	return NULL;
}

static void end_call(struct http_call *call)
{
	struct http_exchange *exchange = call->exchange;
	struct http_call **link = &exchange->calls;

	while (*link != call)
		link = &(*link)->next;
	*link = call->next;
	user_stop_waiting(&call->waiter);
	user_give_back(&call->requests);
	user_give_back(&call->expected);
	arena_done(&call->arena);
	free(call);
	http_unref(exchange);
}

static void count_stream(struct http_exchange *exchange, bool counts)
{
	if (counts != exchange->counted)
		http_stream_count(exchange->connection->http, counts ? 1 : -1);
	exchange->counted = counts;
}

void http_exchange_abandon(struct http_exchange *exchange)
{
	count_stream(exchange, false);
	exchange->connection = NULL;
	exchange->ended = true;
	token_let_go(&exchange->token);
	http_ref(exchange);
	while (exchange->calls) {
		struct http_call *call = exchange->calls;
		struct call *under_way = call->call;

		end_call(call);
		if (under_way) {
			call_abandon(under_way);
			call_unref(under_way);
		}
	}
	if (exchange->on_gone)
		exchange->on_gone(exchange);
	http_unref(exchange);
}

bool http_exchange_follows(const struct http_exchange *exchange)
{
	if (exchange->begun)
		return true;
	for (const struct http_call *call = exchange->calls; call; call = call->next)
		if (call->method->replies == METHOD_REPLIES_EVENTS)
			return true;
	return false;
}

/* ---- The head of an answer ---- */

static const char *phrase_of(int status)
{
	static const struct {
		int status;
		const char *phrase;
	} phrases[] = {
		{ 200, "OK" },
		{ 201, "Created" },
		{ 202, "Accepted" },
		{ 204, "No Content" },
		{ 304, "Not Modified" },
		{ 400, "Bad Request" },
		{ 401, "Unauthorized" },
		{ 403, "Forbidden" },
		{ 404, "Not Found" },
		{ 405, "Method Not Allowed" },
		{ 408, "Request Timeout" },
		{ 409, "Conflict" },
		{ 413, "Content Too Large" },
		{ 415, "Unsupported Media Type" },
		{ 417, "Expectation Failed" },
		{ 421, "Misdirected Request" },
		{ 422, "Unprocessable Content" },
		{ 429, "Too Many Requests" },
		{ 431, "Request Header Fields Too Large" },
		{ 500, "Internal Server Error" },
		{ 501, "Not Implemented" },
		{ 502, "Bad Gateway" },
		{ 503, "Service Unavailable" },
		{ 504, "Gateway Timeout" },
		{ 505, "HTTP Version Not Supported" },
		{ 507, "Insufficient Storage" },
	};

	for (size_t i = 0; i < sizeof(phrases) / sizeof(phrases[0]); i++)
		if (phrases[i].status == status)
			return phrases[i].phrase;
	return "Unknown";
}

void http_add_header(struct http_exchange *exchange, const char *name, const char *value)
{
	size_t size = exchange->answer_headers ? strlen(exchange->answer_headers) : 0;
	size_t more = strlen(name) + strlen(value) + 4;
	char *text;

	if (size + more >= ADDED_MAX || strpbrk(value, "\r\n"))
		return;
	text = realloc(exchange->answer_headers, size + more + 1);
	if (!text)
		return;
	snprintf(text + size, more + 1, "%s: %s\r\n", name, value);
	exchange->answer_headers = text;
}

/* What no answer is without. `length` -1: as chunks, or to the end of the connection. */
static size_t write_head(struct http_exchange *exchange, int status, const char *type, int64_t length,
			 char *text, size_t size)
{
	const char *added = exchange->answer_headers ? exchange->answer_headers : "";
	char date[64] = "", framing[64] = "";
	time_t now = time(NULL);
	struct tm fields;
	int n;

	/* strftime() would write the names of another language's days. */
	if (gmtime_r(&now, &fields)) {
		static const char days[] = "SunMonTueWedThuFriSat";
		static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";

		snprintf(date, sizeof(date), "%.3s, %02d %.3s %04d %02d:%02d:%02d GMT",
			 days + 3 * fields.tm_wday, fields.tm_mday, months + 3 * fields.tm_mon,
			 1900 + fields.tm_year, fields.tm_hour, fields.tm_min, fields.tm_sec);
	}
	if (length >= 0)
		snprintf(framing, sizeof(framing), "Content-Length: %lld\r\n", (long long)length);
	else if (exchange->chunked)
		snprintf(framing, sizeof(framing), "Transfer-Encoding: chunked\r\n");
	n = snprintf(text, size,
		     "HTTP/1.1 %d %s\r\nDate: %s\r\n%s%s%s%s%s%s%sX-Content-Type-Options: nosniff\r\n\r\n",
		     status, phrase_of(status), date, type ? "Content-Type: " : "", type ? type : "",
		     type ? "\r\n" : "", framing,
		     strstr(added, "Cache-Control:") ? "" : "Cache-Control: no-store\r\n",
		     http_connection_keeps(exchange->connection) ? "" : "Connection: close\r\n", added);
	return n < 0 ? 0 : (size_t)n < size ? (size_t)n : size - 1;
}

/* Takes the text. */
static void send_text(struct http_exchange *exchange, char *text, size_t size)
{
	struct reply *reply = reply_new(text, size, exchange->service->behind);

	if (reply)
		http_connection_send(exchange->connection, reply);
	else
		http_connection_kill(exchange->connection);
	reply_unref(reply);
}

static bool may_begin(const struct http_exchange *exchange)
{
	return exchange->connection && !exchange->connection->dead && !exchange->begun;
}

/* ---- Answers at once ---- */

void http_answer(struct http_exchange *exchange, int status, const char *type, const void *body,
		 size_t size)
{
	bool without = exchange->head.verb == HTTP_HEAD || status == 204 || status == 304;
	char *text;
	size_t head;

	if (!may_begin(exchange))
		return;
	text = malloc(HEAD_SIZE + ADDED_MAX + size);
	if (!text) {
		http_connection_kill(exchange->connection);
		return;
	}
	head = write_head(exchange, status, type, status == 204 ? -1 : (int64_t)size, text,
			  HEAD_SIZE + ADDED_MAX);
	if (!without && size)
		memcpy(text + head, body, size);
	exchange->begun = exchange->ended = true;
	count_stream(exchange, false);
	send_text(exchange, text, head + (without ? 0 : size));
	http_connection_answered(exchange->connection);
}

void http_answer_json(struct http_exchange *exchange, int status, json_object *json)
{
	struct fault fault = { 0 };
	size_t size = 0;
	const char *text = json ? json_text(json, &size) : NULL;

	if (text)
		http_answer(exchange, status, "application/json", text, size);
	else
		http_fail_as(exchange, 500, (fault_oom(&fault), &fault));
	json_object_put(json);
}

int http_status_of(int code)
{
	const struct error_info *info = error_find(code);

	return info && info->http_status ? info->http_status : 500;
}

static void fail_plainly(struct http_exchange *exchange, int status, const struct fault *fault)
{
	const struct ellu_error *error = NULL;
	json_object *json = json_object_new_object(), *inner = NULL;
	struct arena arena;

	arena_init(&arena);
	if (fault_to_error(fault, &arena, &error) == 0)
		(void)record_encode(&ellu_error_type, error, TO_CLIENT, &inner);
	arena_done(&arena);
	if (json && inner)
		json_object_object_add(json, "error", inner);
	else
		json_object_put(inner);
	if (json)
		http_answer_json(exchange, status, json);
	else
		http_answer(exchange, status, NULL, NULL, 0);
}

void http_fail_as(struct http_exchange *exchange, int status, const struct fault *fault)
{
	char seconds[32];

	if (!may_begin(exchange))
		return;
	if (fault->retry_after_seconds > 0) {
		snprintf(seconds, sizeof(seconds), "%.0f", ceil(fault->retry_after_seconds));
		http_add_header(exchange, "Retry-After", seconds);
	}
	if (exchange->route && exchange->route->fail)
		exchange->route->fail(exchange, status, fault);
	else
		fail_plainly(exchange, status, fault);
}

void http_fail(struct http_exchange *exchange, const struct fault *fault)
{
	http_fail_as(exchange, http_status_of(fault->code), fault);
}

/* ---- Streams ---- */

struct reply *http_chunk_new(const void *data, size_t size)
{
	char *text = malloc(size + 24);
	int n;

	if (!text)
		return NULL;
	n = snprintf(text, 24, "%zx\r\n", size);
	memcpy(text + n, data, size);
	memcpy(text + n + size, "\r\n", 2);
	return reply_new(text, (size_t)n + size + 2, NULL);
}

void http_stream_begin(struct http_exchange *exchange, int status, const char *type,
		       const char *heartbeat)
{
	char *text;
	size_t size;

	if (!may_begin(exchange))
		return;
	text = malloc(HEAD_SIZE + ADDED_MAX);
	if (!text) {
		http_connection_kill(exchange->connection);
		return;
	}
	exchange->begun = exchange->sent = true;
	exchange->chunked = !exchange->head.is_old;
	exchange->heartbeat = heartbeat;
	if (!exchange->chunked)
		exchange->head.keeps = false;
	/* A proxy would keep events back until it has a page of them. */
	http_add_header(exchange, "X-Accel-Buffering", "no");
	size = write_head(exchange, status, type, -1, text, HEAD_SIZE + ADDED_MAX);
	count_stream(exchange, true);
	send_text(exchange, text, size);
}

void http_stream_expect(struct http_exchange *exchange, const char *type, const char *heartbeat)
{
	if (!may_begin(exchange))
		return;
	exchange->stream_type = type;
	exchange->heartbeat = heartbeat;
	exchange->sent = true;
	count_stream(exchange, true);
}

static void begin_expected(struct http_exchange *exchange)
{
	if (exchange->stream_type && !exchange->begun)
		http_stream_begin(exchange, 200, exchange->stream_type, exchange->heartbeat);
}

static bool may_stream(const struct http_exchange *exchange)
{
	return exchange->connection && !exchange->connection->dead && exchange->begun && !exchange->ended;
}

static bool has_room(const struct http_exchange *exchange)
{
	return exchange->connection && !exchange->connection->dead &&
	       output_is_low(&exchange->connection->output);
}

bool http_stream_send_chunk(struct http_exchange *exchange, struct reply *chunk)
{
	begin_expected(exchange);
	if (!may_stream(exchange) || exchange->head.verb == HTTP_HEAD)
		return true;
	exchange->sent = true;
	http_connection_send(exchange->connection, chunk);
	return has_room(exchange);
}

bool http_stream_send(struct http_exchange *exchange, const void *data, size_t size)
{
	struct reply *reply;
	char *copy;
	bool room;

	begin_expected(exchange);
	if (!may_stream(exchange) || !size)
		return true;
	if (exchange->chunked) {
		reply = http_chunk_new(data, size);
	} else {
		copy = malloc(size);
		if (copy)
			memcpy(copy, data, size);
		reply = copy ? reply_new(copy, size, NULL) : NULL;
	}
	if (!reply) {
		http_stream_break(exchange);
		return true;
	}
	room = http_stream_send_chunk(exchange, reply);
	reply_unref(reply);
	return room;
}

void http_stream_beat(struct http_exchange *exchange)
{
	if (!exchange->sent)
		begin_expected(exchange);
	if (may_stream(exchange) && !exchange->sent && exchange->heartbeat &&
	    !output_size(&exchange->connection->output))
		(void)http_stream_send(exchange, exchange->heartbeat, strlen(exchange->heartbeat));
	exchange->sent = false;
}

void http_stream_end(struct http_exchange *exchange)
{
	char *text;

	begin_expected(exchange);
	if (!may_stream(exchange))
		return;
	text = exchange->chunked && exchange->head.verb != HTTP_HEAD ? strdup("0\r\n\r\n") : NULL;
	if (text)
		send_text(exchange, text, 5);
	exchange->ended = true;
	count_stream(exchange, false);
	http_connection_answered(exchange->connection);
}

void http_stream_break(struct http_exchange *exchange)
{
	if (may_stream(exchange))
		http_connection_kill(exchange->connection);
}

/* ---- Methods ---- */

static void let_go(struct http_call *call)
{
	struct call *under_way = call->call;

	call->call = NULL;
	if (!under_way)
		return;
	under_way->front = NULL;
	call_unref(under_way);
}

static void fail_call(struct http_call *call, const struct fault *fault)
{
	struct http_exchange *exchange = http_ref(call->exchange);

	let_go(call);
	if (call->failed)
		call->failed(call, fault);
	else
		http_fail(exchange, fault);
	end_call(call);
	http_unref(exchange);
}

static bool expect_page(struct http_call *call, bool begins)
{
	return reply_expect(&call->expected, call->exchange->principal.user, call->method, begins,
			    &call->waiter);
}

static int on_send(struct call *under_way, struct answer *answer, bool continues)
{
	struct http_call *call = under_way->front_data;
	struct http_exchange *exchange = http_ref(call->exchange);
	int r;

	if (!continues)
		let_go(call);
	r = call->answered(call, answer, continues);
	if (r < 0 && continues) {
		http_unref(exchange);
		return r;
	}
	if (r < 0) {
		struct fault fault = { 0 };

		if (r == -EMSGSIZE)
			fault_too_large(&fault, MESSAGE_SIZE_MAX, "the reply");
		else
			fault_oom(&fault);
		fail_call(call, &fault);
	} else if (!continues) {
		end_call(call);
	} else if (call->method->replies == METHOD_REPLIES_PAGES && has_room(exchange)) {
		user_give_back(&call->expected);
		r = expect_page(call, /* begins= */ false);
	} else {
		r = has_room(exchange);
	}
	http_unref(exchange);
	return r < 0 ? true : r;
}

static void on_fail(struct call *under_way, const struct fault *fault)
{
	fail_call(under_way->front_data, fault);
}

static const struct call_front http_call_front = { .send = on_send, .fail = on_fail };

/* There is room for its answer. */
static void begin(struct http_call *call)
{
	struct http_exchange *exchange = call->exchange;
	struct call *under_way;
	struct fault fault = { 0 };

	if (!expect_page(call, /* begins= */ true))
		return;
	under_way = call_new(exchange->service);
	if (!under_way) {
		fault_oom(&fault);
		fail_call(call, &fault);
		return;
	}
	under_way->method = call->method;
	under_way->principal = exchange->principal;
	under_way->more = call->more;
	under_way->arena = arena_take(&call->arena);
	under_way->request = call->request;
	under_way->front = &http_call_front;
	under_way->front_data = call;
	user_move(&exchange->input, &under_way->input);
	call->call = under_way;
	if (user_take(&call->requests, exchange->principal.user, USER_REQUESTS, 1))
		call_dispatch(under_way);
	else
		call_fail_limit(under_way, USER_REQUESTS);
}

static void write_on(struct http_call *call)
{
	struct call *under_way = call->call;

	if (!under_way || !has_room(call->exchange))
		return;
	if (call->method->replies == METHOD_REPLIES_PAGES) {
		user_give_back(&call->expected);
		if (!expect_page(call, /* begins= */ false))
			return;
	}
	call_ref(under_way);
	call_writable(under_way);
	call_unref(under_way);
}

static void on_wake(struct user_waiter *waiter)
{
	struct http_call *call = (struct http_call *)((char *)waiter - offsetof(struct http_call, waiter));

	if (call->call)
		write_on(call);
	else
		begin(call);
}

void http_calls_writable(struct http_exchange *exchange)
{
	struct http_call *next;

	for (struct http_call *call = exchange->calls; call; call = next) {
		next = call->next;
		write_on(call);
	}
}

void http_call_decoded(struct http_exchange *exchange, const struct method *method, void *request,
		       struct arena *arena, const struct http_call *how)
{
	struct http_call *call = calloc(1, sizeof(*call));
	struct fault fault = { 0 };

	if (!call) {
		fault_oom(&fault);
		http_fail(exchange, &fault);
		return;
	}
	call->exchange = http_ref(exchange);
	call->next = exchange->calls;
	exchange->calls = call;
	call->method = method;
	call->request = request;
	call->arena = arena_take(arena);
	call->waiter.wake = on_wake;
	call->more = how->more;
	call->answered = how->answered;
	call->failed = how->failed;
	call->data = how->data;
	begin(call);
}

void http_call(struct http_exchange *exchange, const struct method *method, json_object *parameters,
	       const struct http_call *how)
{
	json_object *empty = parameters ? NULL : json_object_new_object();
	struct http_call failing = *how;
	struct fault fault = { 0 };
	struct arena arena;
	void *request;
	int r;

	arena_init(&arena);
	r = record_decode(method->request, parameters ? parameters : empty, FROM_CLIENT, "", &arena,
			  &request, &fault);
	json_object_put(empty);
	if (r == 0) {
		http_call_decoded(exchange, method, request, &arena, how);
	} else if (how->failed) {
		failing.exchange = exchange;
		failing.method = method;
		how->failed(&failing, &fault);
	} else {
		http_fail(exchange, &fault);
	}
	arena_done(&arena);
}

int http_answer_object(const struct answer *answer, json_object **ret_json)
{
	size_t head = strlen(WIRE_REPLY_HEAD);
	struct fault fault = { 0 };

	if (!answer->text)
		return record_encode(answer->type, answer->record, TO_CLIENT, ret_json);
	return json_parse_strict(answer->text + head, answer->text_size - head, ret_json, &fault) < 0 ?
		       -ENOMEM : 0;
}

int http_answer_text(struct answer *answer, char **ret_text, size_t *ret_size)
{
	size_t head = strlen(WIRE_REPLY_HEAD);

	if (!answer->text)
		return record_to_text(answer->type, answer->record, TO_CLIENT, ret_text, ret_size);
	memmove(answer->text, answer->text + head, answer->text_size - head);
	*ret_size = answer->text_size - head;
	*ret_text = answer->text;
	answer->text = NULL;
	return 0;
}
