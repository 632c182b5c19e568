/*
 * What a piece of an answer takes from the endpoint's send() to who reads it: through daemon and
 * library, beside libcurl alone reading the same stream in the same run, also while others of the
 * daemon's readers do not read. And what 500 streams at once hold.
 *
 * The endpoint is a thread here: each piece says when it was sent, by the clock that all go by.
 */
#include <arpa/inet.h>
#include <curl/curl.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "client/elluminate.h"
#include "tests/bench/bench.h"
#include "tests/harness/harness.h"
#include "tests/harness/json.h"

#define N_READERS 4
#define N_PIECES 100 // of a stream that is read
#define N_ROUNDS 2
#define PIECE_MSEC 10
#define N_STALLED 8
#define N_MANY 500
#define ADDED_BOUND 2 // times what libcurl alone takes
#define STALLED_BOUND 1.5 // times what it takes without them
#define MANY_MIB_BOUND 64
#define CONNECTIONS_MAX 1024
#define SAMPLES_MAX ((size_t)N_READERS * N_PIECES * N_ROUNDS)

static double now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

/* ---- The endpoint ---- */

/* What a request's model makes of its stream. */
enum stream_kind { STREAM_NONE, STREAM_PIECES, STREAM_FLOOD, STREAM_SLOW };

static struct endpoint {
	int listener;
	int port;
	atomic_bool stop;
	sem_t full; // posted for each peer who takes no more
	pthread_t thread;
	struct peer {
		int fd;
		enum stream_kind kind;
		char request[8192];
		size_t size;
		unsigned sent;
		double next;
		char rest[600]; // of what was to be sent; only floods fill a socket
		size_t rest_size;
		bool full; // it did, for the first time
	} peers[CONNECTIONS_MAX];
	size_t n_peers;
} endpoint;

static void peer_close(struct peer *peer)
{
	close(peer->fd);
	*peer = endpoint.peers[--endpoint.n_peers];
}

/* Whether it left, all of it. */
static bool put_rest(struct peer *peer)
{
	ssize_t n = send(peer->fd, peer->rest, peer->rest_size, MSG_DONTWAIT | MSG_NOSIGNAL);

	if (n > 0) {
		peer->rest_size -= (size_t)n;
		memmove(peer->rest, peer->rest + n, peer->rest_size);
	}
	if (peer->rest_size > 0 && !peer->full) {
		peer->full = true;
		sem_post(&endpoint.full);
	}
	return peer->rest_size == 0;
}

static bool put(struct peer *peer, const char *text)
{
	if (peer->rest_size > 0)
		return put_rest(peer);
	peer->rest_size = (size_t)snprintf(peer->rest, sizeof(peer->rest), "%zx\r\n%s\r\n",
					   strlen(text), text);
	return put_rest(peer);
}

/* `width`: of what it says. */
static bool put_piece(struct peer *peer, int width)
{
	char event[512];

	snprintf(event, sizeof(event),
		 "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"%*.9f \"}}]}\n\n",
		 width, now());
	return put(peer, event);
}

static void take_request(struct peer *peer)
{
	static const char head[] = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
				   "Transfer-Encoding: chunked\r\n\r\n";
	ssize_t n = recv(peer->fd, peer->request + peer->size,
			 sizeof(peer->request) - 1 - peer->size, MSG_DONTWAIT);

	if (n <= 0) {
		peer_close(peer);
		return;
	}
	peer->size += (size_t)n;
	peer->request[peer->size] = '\0';
	if (!strstr(peer->request, "\"messages\"") || peer->request[peer->size - 1] != '}')
		return;
	peer->kind = strstr(peer->request, "\"flood\"") ? STREAM_FLOOD :
		     strstr(peer->request, "\"slow")	? STREAM_SLOW :
							  STREAM_PIECES;
	peer->size = peer->sent = 0;
	/* Not all at the same time. */
	peer->next = now() + PIECE_MSEC / 1e3 * (1 + drand48());
	(void)!send(peer->fd, head, sizeof(head) - 1, MSG_NOSIGNAL);
}

static void put_last(struct peer *peer)
{
	(void)put(peer, "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n"
			"data: [DONE]\n\n");
	(void)!send(peer->fd, "0\r\n\r\n", 5, MSG_NOSIGNAL);
	peer->kind = STREAM_NONE;
}

static void go_on(struct peer *peer)
{
	if (peer->kind == STREAM_FLOOD) {
		for (int i = 0; i < 100 && put_piece(peer, 400); i++)
			;
		return;
	}
	while (peer->kind != STREAM_NONE && peer->next <= now()) {
		if (peer->sent == N_PIECES) {
			put_last(peer);
			return;
		}
		if (!put_piece(peer, 0))
			return;
		peer->sent++;
		peer->next += (peer->kind == STREAM_SLOW ? 100 : 1) * PIECE_MSEC / 1e3;
	}
}

static void *serve(void *userdata)
{
	(void)userdata;
	while (!atomic_load(&endpoint.stop)) {
		struct pollfd fds[CONNECTIONS_MAX + 1] = { { .fd = endpoint.listener, .events = POLLIN } };
		size_t n = endpoint.n_peers;
		int one = 1;

		for (size_t i = 0; i < n; i++)
			fds[i + 1] = (struct pollfd){ .fd = endpoint.peers[i].fd, .events = POLLIN };
		(void)poll(fds, n + 1, 1);
		/* From the end: the last takes the place of one that goes. */
		for (size_t i = n; i-- > 0;) {
			if (fds[i + 1].revents)
				take_request(&endpoint.peers[i]);
			else if (endpoint.peers[i].kind != STREAM_NONE)
				go_on(&endpoint.peers[i]);
		}
		if (fds[0].revents && endpoint.n_peers < CONNECTIONS_MAX) {
			struct peer *peer = &endpoint.peers[endpoint.n_peers++];

			*peer = (struct peer){ .fd = accept(endpoint.listener, NULL, NULL) };
			(void)setsockopt(peer->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
		}
	}
	return NULL;
}

static void endpoint_start(void)
{
	struct sockaddr_in address = { .sin_family = AF_INET };
	socklen_t size = sizeof(address);

	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	endpoint.listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	(void)sem_init(&endpoint.full, 0, 0);
	if (bind(endpoint.listener, (struct sockaddr *)&address, size) < 0 ||
	    listen(endpoint.listener, 512) < 0 ||
	    getsockname(endpoint.listener, (struct sockaddr *)&address, &size) < 0 ||
	    pthread_create(&endpoint.thread, NULL, serve, NULL) != 0)
		die("there is no endpoint");
	endpoint.port = ntohs(address.sin_port);
}

/* ---- Readers ---- */

struct delays {
	double seconds[SAMPLES_MAX];
	atomic_size_t n;
};

/* What is in a piece of text: the times at which it was sent. */
static void note(struct delays *delays, const char *text, const char *end)
{
	double at = now();

	while (text < end) {
		char *rest;
		double sent = strtod(text, &rest);
		size_t i;

		if (rest == text)
			return;
		i = atomic_fetch_add(&delays->n, 1);
		if (i < SAMPLES_MAX)
			delays->seconds[i] = at - sent;
		text = rest + 1;
	}
}

static size_t on_bytes(char *data, size_t size, size_t n, void *userdata)
{
	static const char before[] = "\"content\":\"";
	char *end = data + size * n, *at = data;

	while ((at = memmem(at, (size_t)(end - at), before, sizeof(before) - 1))) {
		char *text = at + sizeof(before) - 1;

		at = memchr(text, '"', (size_t)(end - text));
		if (!at)
			break;
		note(userdata, text, at);
	}
	return size * n;
}

static void *read_directly(void *userdata)
{
	CURL *easy = curl_easy_init();
	char *url = text("http://127.0.0.1:%d/v1/chat/completions", endpoint.port);

	curl_easy_setopt(easy, CURLOPT_URL, url);
	curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_bytes);
	curl_easy_setopt(easy, CURLOPT_WRITEDATA, userdata);
	curl_easy_setopt(easy, CURLOPT_POSTFIELDS, "{\"messages\":[]}");
	if (curl_easy_perform(easy) != CURLE_OK)
		die("the endpoint did not answer");
	curl_easy_cleanup(easy);
	return NULL;
}

static struct ellu *handle;

static void *read_through_daemon(void *userdata)
{
	struct ellu_call_request request = ELLU_RECORD(struct ellu_call_request);
	struct ellu_llm_config_in config = ELLU_RECORD(struct ellu_llm_config_in);
	struct ellu_message message = ELLU_RECORD(struct ellu_message);
	const struct ellu_message *const messages[] = { &message };
	struct ellu_ref ref = ELLU_RECORD(struct ellu_ref);
	const struct ellu_call_reply *reply;
	const struct ellu_error *error = NULL;
	struct ellu_stream *stream;
	int r;

	message.role = "user";
	message.content = "Hello";
	request.messages = messages;
	request.n_messages = 1;
	ref.name = "pieces";
	config.ref = &ref;
	request.llm_config = &config;
	r = ellu_call_stream(handle, &request, &stream, NULL);
	if (r < 0)
		die("%s", ellu_strerror(r));
	while ((r = ellu_call_next(stream, &reply, &error)) > 0) {
		if (reply->delta && reply->delta->text)
			note(userdata, reply->delta->text,
			     reply->delta->text + strlen(reply->delta->text));
		if (reply->event && ellu_event_is_complete(reply->event) &&
		    !ellu_event_is_success(reply->event))
			die("%s", reply->event->error ? reply->event->error->message : "no success");
		ellu_free(reply);
	}
	if (r < 0)
		die("%s", error ? error->message : ellu_strerror(r));
	ellu_stream_close(stream);
	return NULL;
}

static void read_all(void *(*reader)(void *), struct delays *delays)
{
	pthread_t threads[N_READERS];

	for (size_t i = 0; i < N_READERS; i++)
		pthread_create(&threads[i], NULL, reader, delays);
	for (size_t i = 0; i < N_READERS; i++)
		pthread_join(threads[i], NULL);
}

struct summary {
	double median, p99; // microseconds
};

static struct summary sum_up(struct delays *delays)
{
	size_t n = atomic_load(&delays->n);
	struct summary summary;

	if (n != SAMPLES_MAX)
		die("%zu pieces came, not %zu", n, SAMPLES_MAX);
	summary.median = bench_median(delays->seconds, n) * 1e6; // sorts
	summary.p99 = delays->seconds[n * 99 / 100] * 1e6;
	return summary;
}

/* ---- The daemon's clients that are not looked at ---- */

static void open_config(struct wire *wire, const char *name, const char *model)
{
	json_object_put(wire_call(wire, "CreateLLMConfig",
		"{'llm_config':{'name':'%s','provider':'openai','llm_model_name':'%s',"
		"'llm_base_url':'http://127.0.0.1:%d/v1','max_connections':256}}",
		name, model, endpoint.port));
}

static struct wire *begin_call(const struct daemon *daemon, const char *config)
{
	struct wire *wire = daemon_connect(daemon);

	wire_start(wire, "'more':true", "Call",
		   "{'messages':[{'role':'user','content':'Hello'}],"
		   "'llm_config':{'ref':{'name':'%s'}}}", config);
	return wire;
}

/* After the first piece nothing more is read. */
static void await_begin(struct wire *wire)
{
	bool begun = false;

	while (!begun) {
		json_object *reply = wire_next(wire);

		begun = at_has(reply, "parameters.delta");
		if (!at_has(reply, "continues"))
			die("%s", json_object_to_json_string(reply));
		json_object_put(reply);
	}
}

static bool measure_delays(const struct daemon *daemon)
{
	static struct delays direct, through, beside;
	struct wire *stalled[N_STALLED];
	struct summary alone, with, stalls;
	bool ok;

	for (int round = 0; round < N_ROUNDS; round++) {
		read_all(read_directly, &direct);
		read_all(read_through_daemon, &through);
		for (size_t i = 0; i < N_STALLED; i++)
			await_begin(stalled[i] = begin_call(daemon, "flood"));
		for (size_t i = 0; i < N_STALLED; i++)
			while (sem_wait(&endpoint.full) < 0)
				;
		read_all(read_through_daemon, &beside);
		for (size_t i = 0; i < N_STALLED; i++)
			wire_close(stalled[i]);
	}
	alone = sum_up(&direct);
	with = sum_up(&through);
	stalls = sum_up(&beside);
	ok = bench_figure("stream_added", (with.median - alone.median) / alone.median, BENCH_AT_MOST,
			  ADDED_BOUND,
			  "times the delay of a piece, added: median %.0f us through the daemon, "
			  "%.0f us by libcurl alone; p99 %.0f us and %.0f us", with.median,
			  alone.median, with.p99, alone.p99);
	return bench_figure("stream_stalled", stalls.median / with.median, BENCH_AT_MOST,
			    STALLED_BOUND,
			    "times the delay of a piece beside %d readers that stall: median %.0f us, "
			    "p99 %.0f us", N_STALLED, stalls.median, stalls.p99) && ok;
}

static bool measure_many(const struct daemon *daemon)
{
	static struct wire *wires[N_MANY];
	double mib;
	bool ok;

	for (size_t i = 0; i < N_MANY; i++)
		wires[i] = begin_call(daemon, i % 2 ? "many 1" : "many 2");
	for (size_t i = 0; i < N_MANY; i++)
		await_begin(wires[i]);
	mib = (double)daemon_memory_kib(daemon, "VmRSS") / 1024;
	ok = bench_figure("stream_memory", mib, BENCH_AT_MOST, MANY_MIB_BOUND,
			  "MiB resident with %d streams at once", N_MANY);
	for (size_t i = 0; i < N_MANY; i++)
		wire_close(wires[i]);
	return ok;
}

int main(void)
{
	struct daemon *daemon = daemon_start(&(struct daemon_options){
		.config = "[queue]\nmax_interactive = 1000\nmax_interactive_per_user = 1000\n"
			  "max_calls = 1000\nmax_calls_per_user = 1000\n" });
	struct wire *wire = daemon_connect(daemon);
	bool ok;

	curl_global_init(CURL_GLOBAL_DEFAULT);
	endpoint_start();
	open_config(wire, "pieces", "pieces");
	open_config(wire, "flood", "flood");
	open_config(wire, "many 1", "slow");
	open_config(wire, "many 2", "slow too");
	if (ellu_open(daemon_socket(daemon), ELLU_BLOCKING, &handle) < 0)
		die("there is no daemon");
	ok = measure_delays(daemon);
	ok = measure_many(daemon) && ok;
	ellu_close(handle);
	wire_close(wire);
	if (daemon_stop(daemon) != 0)
		die("the daemon did not stop as it should");
	atomic_store(&endpoint.stop, true);
	pthread_join(endpoint.thread, NULL);
	return ok ? 0 : 1;
}
