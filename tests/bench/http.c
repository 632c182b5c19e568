/*
 * HTTP beside the least that it can cost: a server on libevent's evhttp that knows one constant answer and
 * streams of events. Small requests on kept connections, and what many streams are told a second, of what was
 * and of what comes: the same client, the same events and bytes, in the same run.
 */
#include <errno.h>
#include <event2/buffer.h>
#include <event2/event.h>
#include <event2/http.h>
#include <event2/listener.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/bench/bench.h"
#include "tests/harness/experiment.h"
#include "tests/harness/harness.h"
#include "tests/harness/json.h"
#include "tests/harness/sim.h"

#define N_CONNECTIONS 16
#define N_REQUESTS 20000
#define N_ROUNDS 5 // in turn, the median counts
#define N_STREAMS 200
#define N_CASES 300
#define N_EVENTS 1000 // as they come
#define BOUND 0.5

/* ---- The bare server ---- */

static char *small_body;
static size_t small_size;
static struct evhttp_request *streams[N_STREAMS];
static unsigned n_streams;

static void on_small(struct evhttp_request *request, void *userdata)
{
	struct evbuffer *body = evbuffer_new();

	(void)userdata;
	evhttp_add_header(evhttp_request_get_output_headers(request), "Content-Type", "application/json");
	evbuffer_add(body, small_body, small_size);
	evhttp_send_reply(request, 200, "OK", body);
	evbuffer_free(body);
}

static void on_stream(struct evhttp_request *request, void *userdata)
{
	(void)userdata;
	evhttp_add_header(evhttp_request_get_output_headers(request), "Content-Type", "text/event-stream");
	evhttp_send_reply_start(request, 200, "OK");
	if (n_streams < N_STREAMS)
		streams[n_streams++] = request;
}

/* Tells every stream so many events, of so many bytes; without any, ends them. */
static void on_tell(struct evhttp_request *request, void *userdata)
{
	struct evbuffer *chunk = evbuffer_new();
	char *rest;
	long n = strtol(strchr(evhttp_request_get_uri(request), '?') + 1, &rest, 10);
	size_t size = strtoul(rest + 1, NULL, 10);
	char *event = malloc(size + 1);

	(void)userdata;
	memset(event, 'x', size);
	for (long i = 0; i < n; i++)
		for (unsigned j = 0; j < n_streams; j++) {
			evbuffer_add(chunk, event, size);
			evhttp_send_reply_chunk(streams[j], chunk);
		}
	free(event);
	for (unsigned j = 0; n == 0 && j < n_streams; j++)
		evhttp_send_reply_end(streams[j]);
	n_streams = n == 0 ? 0 : n_streams;
	evbuffer_free(chunk);
	evhttp_send_reply(request, 200, "OK", NULL);
}

/* With room for all who connect at once: evhttp's own has some, and who finds none waits for a second. */
static int listen_for(struct event_base *base, struct evhttp *http, uint16_t *ret_port)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct evconnlistener *listener =
		evconnlistener_new_bind(base, NULL, NULL, LEV_OPT_CLOSE_ON_FREE | LEV_OPT_REUSEABLE, SOMAXCONN,
					(struct sockaddr *)&address, sizeof(address));
	socklen_t size = sizeof(address);

	if (!listener || !evhttp_bind_listener(http, listener) ||
	    getsockname(evconnlistener_get_fd(listener), (struct sockaddr *)&address, &size) < 0)
		return -1;
	*ret_port = ntohs(address.sin_port);
	return 0;
}

/* In a process of its own; answers its port. */
static pid_t start_bare(uint16_t *ret_port)
{
	int ports[2];
	pid_t pid;

	if (pipe(ports) < 0 || (pid = fork()) < 0)
		die("no bare server: %s", strerror(errno));
	if (pid == 0) {
		struct event_base *base = event_base_new();
		struct evhttp *http = evhttp_new(base);

		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (listen_for(base, http, ret_port) < 0)
			_exit(1);
		evhttp_set_cb(http, "/small", on_small, NULL);
		evhttp_set_cb(http, "/stream", on_stream, NULL);
		evhttp_set_cb(http, "/tell", on_tell, NULL);
		(void)!write(ports[1], ret_port, sizeof(*ret_port));
		event_base_dispatch(base);
		_exit(0);
	}
	if (read(ports[0], ret_port, sizeof(*ret_port)) != sizeof(*ret_port))
		die("the bare server has no port");
	close(ports[0]);
	close(ports[1]);
	return pid;
}

/* ---- The client ---- */

static int connect_to(uint16_t port)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons(port),
				       .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	const int on = 1;

	if (connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		die("no connection: %s", strerror(errno));
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	return fd;
}

static void send_all(int fd, const char *text)
{
	if (send(fd, text, strlen(text), MSG_NOSIGNAL) != (ssize_t)strlen(text))
		die("a request cannot be sent");
}

static int watch_all(const int *fds, unsigned n)
{
	int queue = epoll_create1(EPOLL_CLOEXEC);

	for (unsigned i = 0; i < n; i++) {
		struct epoll_event event = { .events = EPOLLIN, .data.fd = fds[i] };

		if (epoll_ctl(queue, EPOLL_CTL_ADD, fds[i], &event) < 0)
			die("epoll: %s", strerror(errno));
	}
	return queue;
}

/* The whole of the first answer, which says how long each of them is. */
static size_t answer_size(int fd, const char *request, char *text, size_t room)
{
	size_t size = 0, whole = 0;

	send_all(fd, request);
	while (!whole || size < whole) {
		ssize_t n = recv(fd, text + size, room - size - 1, 0);
		char *end, *length;

		if (n <= 0)
			die("no answer");
		size += (size_t)n;
		text[size] = '\0';
		end = strstr(text, "\r\n\r\n");
		length = end ? strcasestr(text, "Content-Length: ") : NULL;
		if (length)
			whole = (size_t)(end - text) + 4 + strtoul(length + 16, NULL, 10);
	}
	return whole;
}

/* Requests a second, one at a time on each connection. */
static double small_rate(uint16_t port, const char *request)
{
	static char text[65536];
	int fds[N_CONNECTIONS], queue;
	unsigned n_sent = 0, n_done = 0;
	struct epoll_event events[N_CONNECTIONS];
	size_t size = 0, left[1024];
	double began;

	for (int i = 0; i < N_CONNECTIONS; i++) {
		fds[i] = connect_to(port);
		size = answer_size(fds[i], request, text, sizeof(text));
	}
	if (strncmp(text, "HTTP/1.1 200", 12) != 0)
		die("%s", text);
	queue = watch_all(fds, N_CONNECTIONS);
	began = now_seconds();
	for (int i = 0; i < N_CONNECTIONS; i++, n_sent++) {
		send_all(fds[i], request);
		left[fds[i]] = size;
	}
	while (n_done < N_REQUESTS) {
		int n = epoll_wait(queue, events, N_CONNECTIONS, -1);

		for (int i = 0; i < n; i++) {
			int fd = events[i].data.fd;
			ssize_t got = recv(fd, text, sizeof(text), 0);

			if (got <= 0)
				die("a connection ended");
			left[fd] -= (size_t)got;
			if (left[fd])
				continue;
			n_done++;
			if (n_sent++ < N_REQUESTS)
				send_all(fd, request);
			left[fd] = size;
		}
	}
	began = now_seconds() - began;
	for (int i = 0; i < N_CONNECTIONS; i++)
		close(fds[i]);
	close(queue);
	return N_REQUESTS / began;
}

/* Reads N_STREAMS streams to their ends; answers the bytes. */
static uint64_t read_streams(const int *fds)
{
	static char text[1 << 18];
	int queue = watch_all(fds, N_STREAMS);
	struct epoll_event events[64];
	char tails[4096][5];
	unsigned n_open = N_STREAMS;
	uint64_t bytes = 0;

	memset(tails, 0, sizeof(tails));
	while (n_open) {
		int n = epoll_wait(queue, events, 64, -1);

		for (int i = 0; i < n; i++) {
			int fd = events[i].data.fd;
			ssize_t got = recv(fd, text, sizeof(text), 0);
			size_t keep;

			if (got <= 0)
				die("a stream broke off");
			bytes += (uint64_t)got;
			keep = got < 5 ? (size_t)got : 5;
			memmove(tails[fd], tails[fd] + keep, 5 - keep);
			memcpy(tails[fd] + 5 - keep, text + got - keep, keep);
			if (memcmp(tails[fd], "0\r\n\r\n", 5) != 0)
				continue;
			(void)epoll_ctl(queue, EPOLL_CTL_DEL, fd, NULL);
			n_open--;
		}
	}
	close(queue);
	return bytes;
}

static void open_streams(uint16_t port, const char *request, int *fds)
{
	char text[4096];

	for (int i = 0; i < N_STREAMS; i++) {
		fds[i] = connect_to(port);
		send_all(fds[i], request);
	}
	/* Each has its head, so that it is there. */
	for (int i = 0; i < N_STREAMS; i++)
		if (recv(fds[i], text, sizeof(text), MSG_PEEK) <= 0)
			die("a stream does not begin");
}

static void close_streams(const int *fds)
{
	for (int i = 0; i < N_STREAMS; i++)
		close(fds[i]);
}

/* ---- The figures ---- */

static bool bench_requests(uint16_t bare, uint16_t ours, const char *our_request)
{
	double bare_rates[N_ROUNDS], our_rates[N_ROUNDS], a, b;

	for (int i = 0; i < N_ROUNDS; i++) {
		bare_rates[i] = small_rate(bare, "GET /small HTTP/1.1\r\nHost: localhost\r\n\r\n");
		our_rates[i] = small_rate(ours, our_request);
	}
	a = bench_median(our_rates, N_ROUNDS);
	b = bench_median(bare_rates, N_ROUNDS);
	return bench_figure("http", a / b, BENCH_AT_LEAST, BOUND,
			    "%.0f small requests a second on %d connections, bare evhttp %.0f", a, N_CONNECTIONS, b);
}

/* How many events one stream is told. */
static unsigned count_events(uint16_t port, const char *request)
{
	static char text[1 << 20];
	size_t size = 0;
	unsigned n = 0;
	int fd = connect_to(port);

	send_all(fd, request);
	while (size < 5 || memcmp(text + size - 5, "0\r\n\r\n", 5) != 0) {
		ssize_t got = recv(fd, text + size, sizeof(text) - size, 0);

		if (got <= 0)
			die("a stream broke off");
		size += (size_t)got;
	}
	close(fd);
	for (const char *at = text; (at = memmem(at, size - (size_t)(at - text), "\ndata: ", 7)); at++)
		n++;
	return n;
}

/* Has the bare server tell so many events of that size, and waits for that. */
static void tell(int control, unsigned n_events, uint64_t size)
{
	const char *request = text("GET /tell?%u,%llu HTTP/1.1\r\nHost: localhost\r\n\r\n", n_events,
				   (unsigned long long)size);
	char answer[1024];

	(void)answer_size(control, request, answer, sizeof(answer));
}

/* What a task was told from its first event on, by all streams at once: they come late, so that nothing is
 * waited for but the daemon. The bare server tells as many events, and as many bytes. */
static bool bench_streams(uint16_t bare, uint16_t ours, const char *secret, int64_t task_id)
{
	const char *request = text("GET /api/v1/WatchTask?id=%lld&after_sequence=0 HTTP/1.1\r\nHost: localhost\r\n"
				   "Accept: text/event-stream\r\nX-API-Key: %s\r\n\r\n", (long long)task_id, secret);
	double our_rates[N_ROUNDS], bare_rates[N_ROUNDS], began, a, b;
	unsigned n_events = count_events(ours, request);
	int fds[N_STREAMS], control;
	uint64_t bytes;

	for (int i = 0; i < N_ROUNDS; i++) {
		began = now_seconds();
		open_streams(ours, request, fds);
		bytes = read_streams(fds);
		our_rates[i] = N_STREAMS * n_events / (now_seconds() - began);
		close_streams(fds);
		began = now_seconds();
		open_streams(bare, "GET /stream HTTP/1.1\r\nHost: localhost\r\n\r\n", fds);
		control = connect_to(bare);
		tell(control, n_events, bytes / N_STREAMS / n_events);
		tell(control, 0, 0);
		(void)read_streams(fds);
		bare_rates[i] = N_STREAMS * n_events / (now_seconds() - began);
		close_streams(fds);
		close(control);
	}
	a = bench_median(our_rates, N_ROUNDS);
	b = bench_median(bare_rates, N_ROUNDS);
	return bench_figure("http streams", a / b, BENCH_AT_LEAST, BOUND,
			    "%.0f events a second to %d streams, each opened and told %u events, %.1f kB; bare evhttp"
			    " %.0f", a, N_STREAMS, n_events, (double)bytes / N_STREAMS / 1e3, b);
}

/* So many events of the task. */
static void make_events(struct wire *wire, int64_t task_id)
{
	for (int i = 0; i < N_EVENTS; i++)
		json_object_put(wire_call(wire, i % 2 ? "ResumeTask" : "PauseTask", "{'id':%lld}", (long long)task_id));
}

/* Events as they come, one after the other to all streams. Each is committed before, which the disk has its
 * part in: what counts is the processor time that telling adds. */
static bool bench_live(pid_t bare_pid, uint16_t bare, const struct daemon *daemon, uint16_t ours, const char *secret,
		       struct wire *wire, int64_t task_id)
{
	const char *request = text("GET /api/v1/WatchTask?id=%lld HTTP/1.1\r\nHost: localhost\r\n"
				   "Accept: text/event-stream\r\nX-API-Key: %s\r\n\r\n", (long long)task_id, secret);
	double untold, told, bare_told, before = bench_cpu_seconds(daemon_pid(daemon));
	int fds[N_STREAMS], control;
	uint64_t size;

	make_events(wire, task_id);
	untold = bench_cpu_seconds(daemon_pid(daemon)) - before;
	open_streams(ours, request, fds);
	before = bench_cpu_seconds(daemon_pid(daemon));
	make_events(wire, task_id);
	told = bench_cpu_seconds(daemon_pid(daemon)) - before - untold;
	json_object_put(wire_call(wire, "CancelTask", "{'id':%lld}", (long long)task_id));
	size = read_streams(fds) / N_STREAMS / N_EVENTS;
	close_streams(fds);
	control = connect_to(bare);
	open_streams(bare, "GET /stream HTTP/1.1\r\nHost: localhost\r\n\r\n", fds);
	before = bench_cpu_seconds(bare_pid);
	for (int i = 0; i < N_EVENTS; i++)
		tell(control, 1, size);
	bare_told = bench_cpu_seconds(bare_pid) - before;
	tell(control, 0, 0);
	(void)read_streams(fds);
	close_streams(fds);
	close(control);
	return bench_figure("http fan-out", bare_told / told, BENCH_AT_LEAST, BOUND,
			    "%.1f us of processor time to tell a stream an event of %llu bytes as it comes, one of"
			    " %d streams; bare evhttp %.1f", told * 1e6 / N_EVENTS / N_STREAMS,
			    (unsigned long long)size, N_STREAMS, bare_told * 1e6 / N_EVENTS / N_STREAMS);
}

int main(void)
{
	static const char *const settings[] = { "--content_filter_rate=0.9", "--seed=7", NULL };
	static const char *const never[] = { "--latency_seconds=3600", NULL };
	struct sim *sim = sim_start(settings), *silent = sim_start(never);
	struct daemon *daemon = daemon_start(&(struct daemon_options) {
		.config = "[http]\nmax_requests_per_second = 1000000\n",
		.arguments = (const char *const[]) { "--http", "127.0.0.1:0", NULL } });
	struct wire *wire = daemon_connect(daemon);
	const char *url = text("%s", at_text(wire_call(wire, "GetStatus", "{}"), "front.http"));
	const char *secret = text("%s", at_text(wire_call(wire, "CreateToken", "{'name':'b'}"), "secret"));
	uint16_t ours = (uint16_t)atoi(strrchr(url, ':') + 1), bare;
	json_object *reply = wire_call(wire, "org.varlink.service.GetInfo", "{}");
	json_object *task = experiment_run(wire, &(struct experiment) {
		.name = "told", .rows = N_CASES, .url = sim_url(sim) });
	pid_t pid;
	bool ok;

	small_body = text("%s", json_object_to_json_string_ext(reply, JSON_C_TO_STRING_PLAIN));
	small_size = strlen(small_body);
	pid = start_bare(&bare);
	ok = bench_requests(bare, ours,
			    text("GET /api/v1/GetInfo HTTP/1.1\r\nHost: localhost\r\n"
				 "X-API-Key: %s\r\n\r\n", secret));
	ok &= bench_streams(bare, ours, secret, at_int(task, "id"));
	ok &= bench_live(pid, bare, daemon, ours, secret, wire,
			 experiment_submit(daemon_connect(daemon), &(struct experiment) {
				 .name = "live", .rows = 1, .url = sim_url(silent) }));
	kill(pid, SIGKILL);
	(void)waitpid(pid, NULL, 0);
	daemon_kill(daemon);
	return ok ? EXIT_SUCCESS : EXIT_FAILURE;
}
