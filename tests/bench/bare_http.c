#include "tests/bench/bare_http.h"

#include <curl/curl.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "tests/bench/bench.h"
#include "tests/harness/harness.h"

#define EVENTS_MAX 64

struct loop_state {
	const struct bare_http *bare;
	CURLM *multi;
	struct curl_slist *headers;
	int epoll_fd;
	long timeout_ms; // -1: none; one shot
	uint64_t started, ended;
};

/* An answer is gathered, as whoever reads it would have to. */
struct slot {
	CURL *easy;
	char *text;
	size_t size, capacity;
};

static size_t on_data(char *data, size_t size, size_t n, void *userdata)
{
	struct slot *slot = userdata;

	if (slot->size + n > slot->capacity) {
		slot->capacity = 2 * (slot->size + n);
		slot->text = realloc(slot->text, slot->capacity);
		if (!slot->text)
			die("no memory");
	}
	memcpy(slot->text + slot->size, data, n);
	slot->size += n;
	return size * n;
}

static int on_socket(CURL *easy, curl_socket_t fd, int what, void *userdata, void *socket_userdata)
{
	struct loop_state *state = userdata;
	struct epoll_event event = { .data.fd = fd };

	(void)easy;
	if (what == CURL_POLL_REMOVE) {
		(void)epoll_ctl(state->epoll_fd, EPOLL_CTL_DEL, fd, NULL);
		curl_multi_assign(state->multi, fd, NULL);
		return 0;
	}
	event.events = (what & CURL_POLL_IN ? EPOLLIN : 0) | (what & CURL_POLL_OUT ? EPOLLOUT : 0);
	if (epoll_ctl(state->epoll_fd, socket_userdata ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, fd,
		      &event) < 0)
		die("epoll: %s", strerror(errno));
	curl_multi_assign(state->multi, fd, state);
	return 0;
}

static int on_timer(CURLM *multi, long timeout_ms, void *userdata)
{
	struct loop_state *state = userdata;

	(void)multi;
	state->timeout_ms = timeout_ms;
	return 0;
}

static void start_call(struct loop_state *state, struct slot *slot)
{
	const char *body = state->bare->bodies[state->started % state->bare->n_bodies];

	slot->size = 0;
	curl_easy_setopt(slot->easy, CURLOPT_POSTFIELDS, body);
	curl_easy_setopt(slot->easy, CURLOPT_POSTFIELDSIZE, (long)strlen(body));
	curl_multi_add_handle(state->multi, slot->easy);
	state->started++;
}

static void prepare_slot(struct loop_state *state, struct slot *slot)
{
	slot->easy = curl_easy_init();
	if (!slot->easy)
		die("no memory");
	curl_easy_setopt(slot->easy, CURLOPT_URL, state->bare->url);
	curl_easy_setopt(slot->easy, CURLOPT_HTTPHEADER, state->headers);
	curl_easy_setopt(slot->easy, CURLOPT_WRITEFUNCTION, on_data);
	curl_easy_setopt(slot->easy, CURLOPT_WRITEDATA, slot);
	curl_easy_setopt(slot->easy, CURLOPT_PRIVATE, slot);
	curl_easy_setopt(slot->easy, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(slot->easy, CURLOPT_PROXY, "");
}

static void take_completions(struct loop_state *state)
{
	CURLMsg *message;
	struct slot *slot;
	long status;
	int left;

	while ((message = curl_multi_info_read(state->multi, &left))) {
		curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &slot);
		curl_easy_getinfo(slot->easy, CURLINFO_RESPONSE_CODE, &status);
		if (message->data.result != CURLE_OK || status != 200)
			die("a bare call failed: %s, status %ld",
				  curl_easy_strerror(message->data.result), status);
		curl_multi_remove_handle(state->multi, slot->easy);
		state->ended++;
		if (state->started < state->bare->n_calls)
			start_call(state, slot);
	}
}

static void turn(struct loop_state *state)
{
	struct epoll_event events[EVENTS_MAX];
	int running;
	int n = epoll_wait(state->epoll_fd, events, EVENTS_MAX, (int)state->timeout_ms);

	if (n < 0 && errno != EINTR)
		die("epoll: %s", strerror(errno));
	if (n == 0) {
		/* curl sets it again from inside, if it needs another one. */
		state->timeout_ms = -1;
		curl_multi_socket_action(state->multi, CURL_SOCKET_TIMEOUT, 0, &running);
	}
	for (int i = 0; i < n; i++)
		curl_multi_socket_action(state->multi, events[i].data.fd,
					 (events[i].events & ~(uint32_t)EPOLLOUT ? CURL_CSELECT_IN : 0) |
						 (events[i].events & EPOLLOUT ? CURL_CSELECT_OUT : 0),
					 &running);
	take_completions(state);
}

double bare_http_cpu_seconds(const struct bare_http *bare)
{
	struct loop_state state = { .bare = bare, .timeout_ms = -1 };
	struct slot *slots = calloc(bare->n_connections, sizeof(*slots));
	double begin = bench_cpu_seconds(0);

	state.multi = curl_multi_init();
	state.headers = curl_slist_append(NULL, "Content-Type: application/json");
	state.epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (!slots || !state.multi || !state.headers || state.epoll_fd < 0)
		die("no memory");
	curl_multi_setopt(state.multi, CURLMOPT_SOCKETFUNCTION, on_socket);
	curl_multi_setopt(state.multi, CURLMOPT_SOCKETDATA, &state);
	curl_multi_setopt(state.multi, CURLMOPT_TIMERFUNCTION, on_timer);
	curl_multi_setopt(state.multi, CURLMOPT_TIMERDATA, &state);
	curl_multi_setopt(state.multi, CURLMOPT_MAXCONNECTS, (long)bare->n_connections);
	for (unsigned i = 0; i < bare->n_connections; i++) {
		prepare_slot(&state, &slots[i]);
		if (state.started < bare->n_calls)
			start_call(&state, &slots[i]);
	}
	while (state.ended < bare->n_calls)
		turn(&state);
	for (unsigned i = 0; i < bare->n_connections; i++) {
		curl_easy_cleanup(slots[i].easy);
		free(slots[i].text);
	}
	curl_multi_cleanup(state.multi);
	curl_slist_free_all(state.headers);
	close(state.epoll_fd);
	free(slots);
	return bench_cpu_seconds(0) - begin;
}
