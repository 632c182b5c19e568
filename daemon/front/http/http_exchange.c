#include "daemon/front/http/http_exchange.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "daemon/front/http/http_socket.h"
#include "daemon/front/http/http_state.h"
#include "daemon/front/reply.h"
#include "proto/generated/interface.h"

#define HEAD_SIZE 2048 // of an answer, but for what routes add
#define ADDED_MAX 2048
/* What is more is not copied for each stream that it goes to. */
#define TOLD_MAX 4096

/* ---- Life ---- */

struct http_exchange *http_exchange_new(struct http_connection *connection)
{
	struct http_exchange *exchange = calloc(1, sizeof(*exchange));

	if (!exchange)
		return NULL;
	exchange->references = 1;
	exchange->connection = connection;
	exchange->service = connection->http->options.service;
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

/* A stream begins or ends: the heart beats while there are any. */
static void count_stream(struct http_exchange *exchange, bool counts)
{
	struct http *http = exchange->connection->http;
	const struct timeval beat = { .tv_sec = http->options.limits.heartbeat_seconds };

	if (counts == exchange->counted)
		return;
	exchange->counted = counts;
	http->n_streams += counts ? 1 : -1;
	if (!http->n_streams)
		(void)event_del(http->heart);
	else if (!event_pending(http->heart, EV_TIMEOUT, NULL))
		(void)event_add(http->heart, &beat);
}

void http_exchange_leave(struct http_exchange *exchange)
{
	count_stream(exchange, false);
	exchange->connection = NULL;
	exchange->ended = true;
	token_let_go(&exchange->token);
}

/* Whether its connection is used on for further requests. */
static bool keeps_connection(const struct http_exchange *exchange)
{
	const struct http_connection *connection = exchange->connection;

	return exchange->head.keeps && !exchange->service->stopping && connection->state != HTTP_READS &&
	       connection->state != HTTP_WAITS;
}

/* It is answered: the connection goes on to the next one. */
static void answered(struct http_exchange *exchange)
{
	struct http_connection *connection = exchange->connection;

	connection->closing = connection->closing || !keeps_connection(exchange);
	connection->exchange = NULL;
	connection->introduced = false;
	connection->state = HTTP_WAITS;
	exchange->connection = NULL;
	token_let_go(&exchange->token);
	http_unref(exchange);
	if (connection->dead)
		return;
	http_connection_watch_anew(connection);
	if (!connection->advancing)
		connection->go_on(connection);
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
		     keeps_connection(exchange) ? "" : "Connection: close\r\n", added);
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
	answered(exchange);
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

void http_fail_verb(struct http_exchange *exchange, unsigned verbs, const char *why)
{
	struct fault fault = { 0 };
	char text[64];

	http_verbs_text(verbs, text, sizeof(text));
	http_add_header(exchange, "Allow", text);
	fault_set(&fault, ELLU_E_UNSUPPORTED, "%s is not served by this verb%s%s", exchange->head.path,
		  why ? ": " : "", why ? why : "");
	http_fail_as(exchange, 405, &fault);
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

/* What comes behind the end of an answer goes nowhere, and has room there: who sends it comes to his end. */
bool http_has_room(const struct http_exchange *exchange)
{
	if (!exchange->connection)
		return true;
	return !exchange->connection->dead && output_is_low(&exchange->connection->output);
}

/* Whether it is to be sent what comes next. */
static bool takes(struct http_exchange *exchange)
{
	begin_expected(exchange);
	if (!may_stream(exchange) || exchange->head.verb == HTTP_HEAD)
		return false;
	exchange->sent = true;
	return true;
}

bool http_stream_send_chunk(struct http_exchange *exchange, struct reply *chunk)
{
	if (!takes(exchange))
		return true;
	if (chunk->size <= TOLD_MAX)
		http_connection_tell(exchange->connection, chunk->text, chunk->size);
	else
		http_connection_send(exchange->connection, chunk);
	return http_has_room(exchange);
}

bool http_stream_send(struct http_exchange *exchange, const void *data, size_t size)
{
	char head[24];
	int n;

	if (!size || !takes(exchange))
		return true;
	if (exchange->chunked) {
		n = snprintf(head, sizeof(head), "%zx\r\n", size);
		http_connection_tell(exchange->connection, head, (size_t)n);
	}
	http_connection_tell(exchange->connection, data, size);
	if (exchange->chunked)
		http_connection_tell(exchange->connection, "\r\n", 2);
	return http_has_room(exchange);
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
	answered(exchange);
}

void http_stream_break(struct http_exchange *exchange)
{
	if (may_stream(exchange))
		http_connection_kill(exchange->connection);
}
