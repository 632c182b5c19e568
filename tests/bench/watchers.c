#include "tests/bench/watchers.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "tests/harness/harness.h"

#define FNV_BASIS UINT64_C(14695981039346656037)
#define FNV_PRIME UINT64_C(1099511628211)

struct watcher {
	struct wire *wire;
	char *buffer;
	size_t size;
	size_t capacity;
	struct tally tally;
};

struct watchers {
	struct watcher *items;
	unsigned n;
	unsigned n_open;
	int epoll_fd;
};

/* ---- One message ---- */

static const char *value_of(const char *message, const char *name)
{
	const char *at = strstr(message, name);

	return at ? at + strlen(name) : NULL;
}

/* Counts the lines of a JSON string and adds its bytes to the hash. */
static int64_t take_logs(struct tally *tally, const char *at)
{
	int64_t n = 0;

	if (!tally->logs_hash)
		tally->logs_hash = FNV_BASIS;
	for (; *at && *at != '"'; at++) {
		tally->logs_hash = (tally->logs_hash ^ (unsigned char)*at) * FNV_PRIME;
		if (*at != '\\')
			continue;
		at++;
		tally->logs_hash = (tally->logs_hash ^ (unsigned char)*at) * FNV_PRIME;
		n += *at == 'n';
	}
	return n;
}

void tally_message(struct tally *tally, const char *message, size_t size)
{
	const char *number = value_of(message, "\"sequence\":");
	const char *logs = value_of(message, "\"logs_delta\":\"");
	int64_t sequence = number ? strtoll(number, NULL, 10) : -1, n = 0;

	if (tally->ended || sequence < 0)
		die("unexpected: %.*s", (int)size, message);
	if (logs) {
		n = take_logs(tally, logs);
		tally->n_lines += n;
	} else if (sequence != tally->sequence) {
		n = 1;
		tally->n_changes++;
	} else {
		tally->n_progress++;
	}
	if (sequence != tally->sequence + n)
		die("after sequence %lld came %.*s", (long long)tally->sequence, (int)size, message);
	tally->sequence = sequence;
	tally->ended = !strstr(message, "\"continues\":true");
}

/* ---- Connections ---- */

struct watchers *watchers_start(const struct daemon *daemon, int64_t task_id, unsigned n)
{
	struct watchers *watchers = calloc(1, sizeof(*watchers));

	if (!watchers || !(watchers->items = calloc(n, sizeof(*watchers->items))))
		die("out of memory");
	watchers->n = watchers->n_open = n;
	watchers->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	for (unsigned i = 0; i < n; i++) {
		struct watcher *watcher = &watchers->items[i];
		struct epoll_event event = { .events = EPOLLIN, .data.ptr = watcher };

		watcher->wire = daemon_connect(daemon);
		wire_start(watcher->wire, "'more':true", "WatchTask",
			   "{'id':%lld,'after_sequence':0}", (long long)task_id);
		if (epoll_ctl(watchers->epoll_fd, EPOLL_CTL_ADD, wire_fd(watcher->wire), &event) < 0)
			die("epoll_ctl: %s", strerror(errno));
	}
	return watchers;
}

static void take_messages(struct watcher *watcher)
{
	char *start = watcher->buffer, *end;
	size_t left = watcher->size;

	while ((end = memchr(start, '\0', left))) {
		tally_message(&watcher->tally, start, (size_t)(end - start));
		left -= (size_t)(end + 1 - start);
		start = end + 1;
	}
	memmove(watcher->buffer, start, left);
	watcher->size = left;
	if (left)
		return;
	free(watcher->buffer); // a thousand keep nothing between two messages
	watcher->buffer = NULL;
	watcher->capacity = 0;
}

static void read_some(struct watcher *watcher)
{
	ssize_t n;

	if (watcher->capacity - watcher->size < 16384) {
		watcher->capacity = 2 * watcher->capacity + 32768;
		watcher->buffer = realloc(watcher->buffer, watcher->capacity);
		if (!watcher->buffer)
			die("out of memory");
	}
	n = recv(wire_fd(watcher->wire), watcher->buffer + watcher->size,
		 watcher->capacity - watcher->size, MSG_DONTWAIT);
	if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
		die("the daemon dropped a watcher");
	if (n < 0)
		return;
	watcher->size += (size_t)n;
	take_messages(watcher);
}

void watchers_wait(struct watchers *watchers)
{
	struct epoll_event events[64];
	double deadline = now_seconds() + WAIT_SECONDS;

	while (watchers->n_open) {
		int n = epoll_wait(watchers->epoll_fd, events, 64, 1000);

		if (now_seconds() > deadline)
			die("%u watchers wait for the end", watchers->n_open);
		for (int i = 0; i < n; i++) {
			struct watcher *watcher = events[i].data.ptr;

			read_some(watcher);
			if (!watcher->tally.ended)
				continue;
			watchers->n_open--;
			epoll_ctl(watchers->epoll_fd, EPOLL_CTL_DEL, wire_fd(watcher->wire), NULL);
			wire_close(watcher->wire);
		}
	}
}

const struct tally *watchers_tally(const struct watchers *watchers, unsigned i)
{
	return &watchers->items[i].tally;
}
