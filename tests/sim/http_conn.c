/*
 * A connection ends in one place: conn_kill closes the socket at once and lets the end event
 * run, whose callback frees. So nobody on the stack is left holding a freed connection.
 */
#include "tests/sim/http_conn.h"

#include <errno.h>
#include <event2/event.h>
#include <event2/event_struct.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define READ_SIZE (16 * 1024)
#define READ_AHEAD_MAX (256 * 1024)
#define LINGER_SECONDS 5

enum conn_state {
	CONN_READING,   /* waits for a request */
	CONN_ANSWERING, /* a request was handed on */
	CONN_DRAINING,  /* the answer is complete, the kernel has not taken it all */
	CONN_LINGERING, /* we have shut down, the client has not */
	CONN_DEAD,
};

struct http_conn {
	const struct http_handler *handler;
	struct http_conn_stats *stats;
	int fd;
	enum conn_state state;
	bool close_after, continued, paused;
	struct event read_event, write_event, end_event;
	struct bytes in, out;
	size_t in_start, out_start;
	size_t needed; /* bytes from in_start before parsing again is worth it */
	const struct http_exchange_ops *ops;
	void *data;
	LIST_ENTRY(http_conn) link; /* http_server::conns */
};

int64_t monotonic_usec(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t) now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static void conn_kill(struct http_conn *conn)
{
	if (conn->state == CONN_DEAD)
		return;
	conn->state = CONN_DEAD;
	event_del(&conn->read_event);
	event_del(&conn->write_event);
	close(conn->fd);
	conn->fd = -1;
	conn->stats->open--;
	event_active(&conn->end_event, EV_TIMEOUT, 0);
}

/* The client is gone: tell whoever still answers it. */
static void conn_lost(struct http_conn *conn)
{
	const struct http_exchange_ops *ops = conn->ops;
	bool answering = conn->state == CONN_ANSWERING || conn->state == CONN_DRAINING;

	conn_kill(conn);
	conn->ops = NULL;
	if (answering && ops)
		ops->abandoned(conn->data);
}

void http_conn_free(struct http_conn *conn)
{
	conn_kill(conn);
	event_del(&conn->end_event);
	LIST_REMOVE(conn, link);
	bytes_done(&conn->in);
	bytes_done(&conn->out);
	free(conn);
}

static void conn_linger(struct http_conn *conn)
{
	const struct timeval limit = { .tv_sec = LINGER_SECONDS };

	conn->state = CONN_LINGERING;
	shutdown(conn->fd, SHUT_WR);
	event_add(&conn->read_event, NULL);
	evtimer_add(&conn->end_event, &limit);
}

static void on_end(evutil_socket_t fd, short what, void *userdata)
{
	(void) fd;
	(void) what;
	http_conn_free(userdata);
}

/* Everything of the answer is with the kernel. */
static void conn_answered(struct http_conn *conn)
{
	const struct http_exchange_ops *ops = conn->ops;
	void *data = conn->data;

	conn->ops = NULL;
	conn->data = NULL;
	if (conn->close_after) {
		conn_linger(conn);
	} else {
		conn->state = CONN_READING;
		conn->continued = false;
		conn->needed = 0;
		if (conn->paused)
			event_add(&conn->read_event, NULL);
		conn->paused = false;
		if (conn->in.size > conn->in_start)
			event_active(&conn->read_event, EV_READ, 0);
	}
	if (ops)
		ops->finished(data);
}

/* How much the kernel took: all, less, or a negative errno. */
static ssize_t send_some(int fd, const char *data, size_t size)
{
	ssize_t n;

	do {
		n = send(fd, data, size, MSG_NOSIGNAL);
	} while (n < 0 && errno == EINTR);
	if (n < 0)
		return errno == EAGAIN ? 0 : -errno;
	return n;
}

static void on_writable(evutil_socket_t fd, short what, void *userdata)
{
	struct http_conn *conn = userdata;
	ssize_t n = send_some(fd, conn->out.data + conn->out_start, conn->out.size - conn->out_start);

	(void) what;
	if (n < 0) {
		conn_lost(conn);
		return;
	}
	conn->out_start += (size_t) n;
	if (conn->out_start < conn->out.size)
		return;
	event_del(&conn->write_event);
	bytes_clear(&conn->out);
	conn->out_start = 0;
	if (conn->state == CONN_DRAINING)
		conn_answered(conn);
}

void http_conn_send(struct http_conn *conn, const void *data, size_t size)
{
	ssize_t n = 0;

	if (conn->state == CONN_DEAD || size == 0)
		return;
	if (conn->out.size == 0)
		n = send_some(conn->fd, data, size);
	/* A broken connection shows itself at the next read or write: here the caller is on the
	 * stack and must not be told that it is gone. */
	if (n < 0)
		n = 0;
	if ((size_t) n < size) {
		bytes_append(&conn->out, (const char *) data + n, size - (size_t) n);
		event_add(&conn->write_event, NULL);
	}
}

void http_conn_finish(struct http_conn *conn, bool close)
{
	if (conn->state == CONN_DEAD)
		return;
	conn->close_after |= close;
	conn->state = CONN_DRAINING;
	if (conn->out.size == 0)
		conn_answered(conn);
}

void http_conn_reset(struct http_conn *conn)
{
	const struct linger at_once = { .l_onoff = 1, .l_linger = 0 };

	if (conn->state == CONN_DEAD)
		return;
	setsockopt(conn->fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
	conn->ops = NULL;
	conn_kill(conn);
}

void http_conn_attach(struct http_conn *conn, const struct http_exchange_ops *ops, void *data)
{
	conn->ops = ops;
	conn->data = data;
}

static void refuse(struct http_conn *conn, enum http_request_outcome outcome)
{
	static const struct span body = { "{}", 2 };

	conn->close_after = true;
	http_conn_respond(conn, outcome == HTTP_REQUEST_LENGTH_REQUIRED ? 411 :
				outcome == HTTP_REQUEST_TOO_LARGE ? 413 : 400, "", body);
}

/* Handles the requests that are complete; a request waits while another is answered. */
static void conn_process(struct http_conn *conn, int64_t received_usec)
{
	while (conn->state == CONN_READING) {
		struct span input = { conn->in.data + conn->in_start, conn->in.size - conn->in_start };
		struct http_request request;
		enum http_request_outcome outcome;

		if (input.size == 0 || input.size < conn->needed)
			return;
		outcome = http_request_parse(input, &request);
		if (outcome == HTTP_REQUEST_HEAD_INCOMPLETE)
			return;
		if (outcome == HTTP_REQUEST_BODY_INCOMPLETE) {
			conn->needed = request.total_size;
			if (request.expect_continue && !conn->continued)
				http_conn_send(conn, "HTTP/1.1 100 Continue\r\n\r\n", 25);
			conn->continued = true;
			return;
		}
		conn->state = CONN_ANSWERING;
		if (outcome != HTTP_REQUEST_COMPLETE) {
			refuse(conn, outcome);
			return;
		}
		conn->in_start += request.total_size;
		conn->close_after = !request.keep_alive;
		conn->handler->request(conn, &request, received_usec, conn->handler->userdata);
	}
}

static void conn_compact(struct http_conn *conn)
{
	size_t rest = conn->in.size - conn->in_start;

	if (conn->in_start == 0)
		return;
	if (rest > 0)
		memmove(conn->in.data, conn->in.data + conn->in_start, rest);
	conn->in.size = rest;
	conn->in_start = 0;
}

static void on_readable(evutil_socket_t fd, short what, void *userdata)
{
	struct http_conn *conn = userdata;
	size_t wanted = READ_SIZE;
	ssize_t n;

	(void) what;
	conn_compact(conn);
	if (conn->needed > conn->in.size + wanted)
		wanted = conn->needed - conn->in.size;
	n = recv(fd, bytes_reserve(&conn->in, wanted), wanted, 0);
	if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR)) {
		conn_lost(conn);
		return;
	}
	if (conn->state == CONN_LINGERING)
		return;
	if (n > 0)
		conn->in.size += (size_t) n;
	conn_process(conn, monotonic_usec());
	if ((conn->state == CONN_ANSWERING || conn->state == CONN_DRAINING) && !conn->paused &&
	    conn->in.size - conn->in_start > READ_AHEAD_MAX) {
		event_del(&conn->read_event);
		conn->paused = true;
	}
}

void http_conn_new(struct event_base *base, int fd, const struct http_handler *handler,
		   struct http_conn_list *list, struct http_conn_stats *stats)
{
	struct http_conn *conn = must_have(calloc(1, sizeof(*conn)));

	conn->handler = handler;
	conn->stats = stats;
	conn->fd = fd;
	stats->open++;
	stats->total++;
	LIST_INSERT_HEAD(list, conn, link);
	event_assign(&conn->read_event, base, fd, EV_READ | EV_PERSIST, on_readable, conn);
	event_assign(&conn->write_event, base, fd, EV_WRITE | EV_PERSIST, on_writable, conn);
	evtimer_assign(&conn->end_event, base, on_end, conn);
	event_add(&conn->read_event, NULL);
}

const char *http_status_text(int status)
{
	switch (status) {
	case 200: return "OK";
	case 400: return "Bad Request";
	case 401: return "Unauthorized";
	case 404: return "Not Found";
	case 405: return "Method Not Allowed";
	case 411: return "Length Required";
	case 413: return "Content Too Large";
	case 429: return "Too Many Requests";
	case 500: return "Internal Server Error";
	case 503: return "Service Unavailable";
	default: return "Unknown";
	}
}

void http_head(struct bytes *out, int status, const char *content_type, const char *headers,
	       size_t body_size)
{
	bytes_printf(out, "HTTP/1.1 %d %s\r\nContent-Type: %s\r\n%sContent-Length: %zu\r\n\r\n", status,
		     http_status_text(status), content_type, headers, body_size);
}

void http_conn_respond(struct http_conn *conn, int status, const char *headers, struct span body)
{
	struct bytes out = { 0 };

	http_head(&out, status, "application/json", headers, body.size);
	bytes_append(&out, body.data, body.size);
	http_conn_send(conn, out.data, out.size);
	bytes_done(&out);
	http_conn_finish(conn, false);
}
