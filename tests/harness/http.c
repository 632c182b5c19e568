#include "tests/harness/http.h"

#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "tests/harness/harness.h"

struct http_peer {
	int fd;
	const char *headers;
	char *in;
	size_t size, capacity;
	struct http_answer answer;
	char *event;
	bool chunked; // the answer that is being read is
	bool ended;
	bool bodiless; // the answer is to be: a HEAD was sent
};

static int connect_to(const char *url)
{
	struct sockaddr_in in = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	bool is_path = strncmp(url, "unix:", 5) == 0;
	int fd = socket(is_path ? AF_UNIX : AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int r;

	if (is_path) {
		snprintf(un.sun_path, sizeof(un.sun_path), "%s", url + 5);
		r = connect(fd, (struct sockaddr *) &un, sizeof(un));
	} else {
		in.sin_port = htons((uint16_t) atoi(strrchr(url, ':') + 1));
		r = connect(fd, (struct sockaddr *) &in, sizeof(in));
	}
	if (r < 0)
		die("%s: %s", url, strerror(errno));
	return fd;
}

struct http_peer *http_open(const char *url)
{
	struct http_peer *peer = calloc(1, sizeof(*peer));

	peer->fd = connect_to(url);
	peer->headers = "";
	return peer;
}

void http_close(struct http_peer *peer)
{
	close(peer->fd);
	free(peer->in);
	free(peer->answer.head);
	free(peer->answer.body);
	free(peer->event);
	free(peer);
}

int http_fd(const struct http_peer *peer)
{
	return peer->fd;
}

void http_set_headers(struct http_peer *peer, const char *lines)
{
	peer->headers = lines;
}

/* ---- Bytes ---- */

bool http_send(struct http_peer *peer, const char *bytes, size_t size)
{
	while (size > 0) {
		ssize_t n = send(peer->fd, bytes, size, MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return false;
		bytes += n;
		size -= (size_t) n;
	}
	return true;
}

bool http_send_text(struct http_peer *peer, const char *bytes)
{
	return http_send(peer, bytes, strlen(bytes));
}

/* Reads more; false: that is the end. */
static bool read_more(struct http_peer *peer)
{
	struct pollfd ready = { .fd = peer->fd, .events = POLLIN };
	ssize_t n;

	if (peer->capacity - peer->size < 65536) {
		peer->capacity = peer->capacity * 2 + 131072;
		peer->in = realloc(peer->in, peer->capacity);
	}
	if (poll(&ready, 1, (int) (WAIT_SECONDS * 1000)) <= 0)
		die("no answer over HTTP within %g s; so far: %.*s", WAIT_SECONDS, (int) peer->size, peer->in);
	n = recv(peer->fd, peer->in + peer->size, peer->capacity - peer->size - 1, 0);
	if (n <= 0)
		return false;
	peer->size += (size_t) n;
	peer->in[peer->size] = '\0';
	return true;
}

static void drop(struct http_peer *peer, size_t n)
{
	memmove(peer->in, peer->in + n, peer->size - n + 1);
	peer->size -= n;
}

static bool have(struct http_peer *peer, size_t size)
{
	while (peer->size < size)
		if (!read_more(peer))
			return false;
	return true;
}

/* The bytes up to the end of `text`; 0: the stream ended before. */
static size_t find(struct http_peer *peer, const char *text)
{
	size_t size = strlen(text);

	for (;;) {
		char *at = peer->size ? memmem(peer->in, peer->size, text, size) : NULL;

		if (at)
			return (size_t) (at - peer->in) + size;
		if (!read_more(peer))
			return 0;
	}
}

/* ---- Answers ---- */

const char *http_answer_header(const struct http_answer *answer, const char *name)
{
	size_t size = strlen(name);

	for (char *line = strstr(answer->head, "\r\n"); line; line = strstr(line + 2, "\r\n"))
		if (strncasecmp(line + 2, name, size) == 0 && line[2 + size] == ':') {
			char *value = line + 2 + size + 1 + strspn(line + 2 + size + 1, " ");

			return text("%.*s", (int) strcspn(value, "\r"), value);
		}
	return NULL;
}

/* The next chunk's bytes behind those that there are; false: the end. */
static bool read_chunk(struct http_peer *peer, char **event, size_t *size)
{
	size_t line = find(peer, "\r\n"), n;

	if (!line)
		return false;
	n = strtoul(peer->in, NULL, 16);
	if (!have(peer, line + n + 2))
		return false;
	*event = realloc(*event, *size + n + 1);
	memcpy(*event + *size, peer->in + line, n);
	*size += n;
	(*event)[*size] = '\0';
	drop(peer, line + n + 2);
	if (!n)
		peer->ended = true;
	return n > 0;
}

/* But for a stream of events. */
static void read_chunks(struct http_peer *peer)
{
	const char *type = http_answer_header(&peer->answer, "Content-Type");

	if (!peer->chunked || peer->bodiless || (type && strstr(type, "event-stream")))
		return;
	while (read_chunk(peer, &peer->answer.body, &peer->answer.size))
		;
	if (!peer->ended)
		peer->answer.status = 0;
}

const struct http_answer *http_receive(struct http_peer *peer)
{
	struct http_answer *answer = &peer->answer;
	size_t head = find(peer, "\r\n\r\n");
	const char *length, *encoding;

	free(answer->head);
	free(answer->body);
	*answer = (struct http_answer) { 0 };
	if (!head || sscanf(peer->in, "HTTP/1.1 %d ", &answer->status) != 1)
		return answer;
	answer->head = strndup(peer->in, head);
	drop(peer, head);
	if (answer->status == 100)
		return http_receive(peer);
	length = http_answer_header(answer, "Content-Length");
	encoding = http_answer_header(answer, "Transfer-Encoding");
	peer->chunked = encoding;
	peer->ended = false;
	answer->size = length && !peer->bodiless ? (size_t) atoll(length) : 0;
	if (!have(peer, answer->size))
		answer->status = 0;
	answer->body = calloc(1, answer->size + 1);
	if (answer->status && answer->size) {
		memcpy(answer->body, peer->in, answer->size);
		drop(peer, answer->size);
	}
	read_chunks(peer);
	return answer;
}

/* Each chunk of a stream is one event, or a comment. */
const char *http_event(struct http_peer *peer, bool *ret_whole)
{
	size_t size;

	for (;;) {
		free(peer->event);
		peer->event = NULL;
		size = 0;
		if (!read_chunk(peer, &peer->event, &size)) {
			if (ret_whole)
				*ret_whole = peer->ended;
			return NULL;
		}
		if (peer->event[0] != ':')
			return peer->event;
	}
}

bool http_heartbeat(struct http_peer *peer)
{
	size_t size = 0;

	free(peer->event);
	peer->event = NULL;
	return read_chunk(peer, &peer->event, &size) && peer->event[0] == ':';
}

const char *http_event_line(const char *event, const char *name)
{
	size_t size = strlen(name);

	for (; event && *event; event = strchr(event, '\n') ? strchr(event, '\n') + 1 : NULL)
		if (strncmp(event, name, size) == 0 && strncmp(event + size, ": ", 2) == 0)
			return text("%.*s", (int) strcspn(event + size + 2, "\n"), event + size + 2);
	return NULL;
}

bool http_wait(struct http_peer *peer)
{
	return peer->size > 0 || read_more(peer);
}

bool http_is_closed(struct http_peer *peer)
{
	while (read_more(peer))
		peer->size = 0;
	return true;
}

const struct http_answer *http_ask(struct http_peer *peer, const char *verb, const char *target,
				   const char *body)
{
	const char *json = body ? requoted(body) : NULL;
	char *head = text("%s %s HTTP/1.1\r\nHost: localhost\r\n%s", verb, target, peer->headers);
	char *request = json ? text("%sContent-Type: application/json\r\nContent-Length: %zu\r\n\r\n%s", head,
				    strlen(json), json) :
			       text("%s\r\n", head);

	peer->bodiless = strcmp(verb, "HEAD") == 0;
	http_send_text(peer, request);
	return http_receive(peer);
}

json_object *http_json(struct http_peer *peer, int status, const char *verb, const char *target,
		       const char *body)
{
	const struct http_answer *answer = http_ask(peer, verb, target, body);

	if (answer->status != status)
		die("%s %s: %d and not %d: %s", verb, target, answer->status, status,
		    answer->body ? answer->body : "");
	return answer->size ? json_tokener_parse(answer->body) : NULL;
}
