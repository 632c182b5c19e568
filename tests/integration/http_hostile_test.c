/*
 * HTTP from callers that mean no good, or cannot do better: what is refused is refused with a status,
 * costs no more than it must, and nobody else notices.
 */
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/harness/http.h"
#include "tests/harness/suite.h"

#define N_STREAMS 1000
#define STREAMS_MEMORY_KIB (64 * 1024)

static struct daemon *server;
static struct wire *wire;
static const char *url, *secret;

static void begin_with(const char *config)
{
	server = daemon_start(&(struct daemon_options) {
		.config = config,
		.arguments = (const char *const[]) { "--http", "127.0.0.1:0", NULL } });
	wire = daemon_connect(server);
	url = text("%s", at_text(wire_call(wire, "GetStatus", "{}"), "front.http"));
	secret = text("%s", at_text(wire_call(wire, "CreateToken", "{'name':'t','everywhere':true}"), "secret"));
}

static void begin(void)
{
	begin_with(NULL);
}

static void end(void)
{
	struct http_peer *peer = http_open(url);

	http_set_headers(peer, text("Authorization: Bearer %s\r\n", secret));
	ck_assert_int_eq(http_ask(peer, "GET", "/api/v1/GetStatus", NULL)->status, 200);
	http_close(peer);
	ck_assert(daemon_is_well(server));
	ck_assert_int_eq(daemon_stop(server), 0);
}

/* Sends the bytes, %s in them being the token; the answer must have this status, and nothing that comes
 * behind it may be taken for another request. */
static void refused(int status, const char *request)
{
	const char *behind = "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n";
	struct http_peer *peer = http_open(url);
	const char *hole = strstr(request, "%s");
	const struct http_answer *answer;

	if (hole)
		request = text("%.*s%s%s", (int) (hole - request), request, secret, hole + 2);
	http_send_text(peer, request);
	http_send_text(peer, behind);
	answer = http_receive(peer);
	ck_assert_msg(answer->status == status, "%d and not %d: %s", answer->status, status, request);
	ck_assert_msg(http_is_closed(peer), "%s", request);
	http_close(peer);
}

#define TO "POST /api/v1/ListTasks HTTP/1.1\r\n"
#define HOST "Host: localhost\r\n"
#define TOKEN "X-API-Key: %s\r\n"
#define JSON "Content-Type: application/json\r\n"

START_TEST(smuggling)
{
	static const char *const shapes[] = {
		TO HOST TOKEN JSON "Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
		TO HOST TOKEN JSON "Content-Length: 2\r\nContent-Length: 2\r\n\r\n{}",
		TO HOST TOKEN JSON "Content-Length: 2\r\nContent-Length: 40\r\n\r\n{}",
		TO HOST TOKEN JSON "Content-Length: +2\r\n\r\n{}",
		TO HOST TOKEN JSON "Content-Length: 2,2\r\n\r\n{}",
		TO HOST TOKEN JSON "Content-Length: 0x2\r\n\r\n{}",
		TO HOST TOKEN JSON "Content-Length:\r\n\r\n{}",
		TO HOST TOKEN JSON "Content-Length : 2\r\n\r\n{}",
		TO HOST TOKEN JSON "Content-Length\t: 2\r\n\r\n{}",
		TO HOST TOKEN JSON "Content-Length: 2\r\n 0\r\n\r\n{}",
		TO HOST TOKEN JSON "X: y\r\n\tContent-Length: 2\r\n\r\n{}",
		TO HOST TOKEN JSON "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
		TO HOST TOKEN JSON "Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n",
		TO HOST TOKEN JSON "Transfer-Encoding: chunked\n\r\n0\r\n\r\n",
		TO HOST TOKEN JSON "X: y\rTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
		TO HOST TOKEN JSON "Transfer-Encoding: chunked\r\n\r\n+2\r\n{}\r\n0\r\n\r\n",
		TO HOST TOKEN JSON "Transfer-Encoding: chunked\r\n\r\n0x2\r\n{}\r\n0\r\n\r\n",
		TO HOST TOKEN JSON "Transfer-Encoding: chunked\r\n\r\n2 \r\n{}\r\n0\r\n\r\n",
		TO HOST TOKEN JSON "Transfer-Encoding: chunked\r\n\r\n2\n{}\n0\n\n",
		TO HOST TOKEN JSON "Transfer-Encoding: chunked\r\n\r\n2\r\n{}x\r\n0\r\n\r\n",
		TO HOST TOKEN JSON "Transfer-Encoding: chunked\r\n\r\n\r\n{}\r\n0\r\n\r\n",
		TO HOST TOKEN JSON "Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\nX: y\r\n\r\n",
		TO HOST TOKEN JSON "Transfer-Encoding: chunked\r\n\r\nfffffffff\r\n{}\r\n0\r\n\r\n",
		"POST /api/v1/ListTasks HTTP/1.0\r\n" HOST TOKEN JSON "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
		" GET /healthz HTTP/1.1\r\n" HOST "\r\n",
		"GET  /healthz HTTP/1.1\r\n" HOST "\r\n",
		"GET /healthz  HTTP/1.1\r\n" HOST "\r\n",
		"GET /healthz HTTP/1.1 \r\n" HOST "\r\n",
		"GET /health z HTTP/1.1\r\n" HOST "\r\n",
		"GET\t/healthz HTTP/1.1\r\n" HOST "\r\n",
		"G\x01T /healthz HTTP/1.1\r\n" HOST "\r\n",
		"GET /healthz\r\n" HOST "\r\n",
		"GET http://localhost/healthz HTTP/1.1\r\n" HOST "\r\n",
		"GET * HTTP/1.1\r\n" HOST "\r\n",
		"GET /healthz#x HTTP/1.1\r\n" HOST "\r\n",
		"GET /healthz\xc3\xa9 HTTP/1.1\r\n" HOST "\r\n",
		"GET /healthz HTTP/1.1\r\n" HOST ": x\r\n\r\n",
		"GET /healthz HTTP/1.1\r\n" HOST "no colon\r\n\r\n",
		"GET /healthz HTTP/1.1\r\n" HOST "X: a\x7f" "b\r\n\r\n",
		"GET /healthz HTTP/1.1\r\n" HOST HOST "\r\n",
		"GET /healthz HTTP/1.1\r\n\r\n",
		TO HOST TOKEN TOKEN "\r\n",
		TO HOST TOKEN "Idempotency-Key: \xff\r\n\r\n",
	};

	begin();
	for (size_t i = 0; i < sizeof(shapes) / sizeof(*shapes); i++)
		refused(400, shapes[i]);
	refused(501, TO HOST TOKEN JSON "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n");
	refused(501, TO HOST TOKEN JSON "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n");
	refused(505, "GET /healthz HTTP/2.0\r\n" HOST "\r\n");
	refused(505, "GET /healthz HTTP/1.10\r\n" HOST "\r\n");
	refused(417, TO HOST TOKEN JSON "Expect: the unexpected\r\nContent-Length: 2\r\n\r\n{}");
	end();
}
END_TEST

/* A NUL cannot be in a text of C: it goes apart. */
START_TEST(nul)
{
	static const char request[] = "GET /healthz HTTP/1.1\r\nHost: localhost\r\nX: a\0b\r\n\r\n";
	struct http_peer *peer;

	begin();
	peer = http_open(url);
	http_send(peer, request, sizeof(request) - 1);
	ck_assert_int_eq(http_receive(peer)->status, 400);
	http_close(peer);
	end();
}
END_TEST

static const char *letters(size_t n)
{
	char *many = malloc(n + 1);

	memset(many, 'a', n);
	many[n] = '\0';
	return many;
}

START_TEST(oversized)
{
	const char *headers = "";
	struct http_peer *peer;

	begin_with("[http]\nmax_body_mib = 1\n");
	refused(431, text("GET /%s HTTP/1.1\r\n" HOST "\r\n", letters(20000)));
	refused(431, text("GET /healthz HTTP/1.1\r\n" HOST "X: %s\r\n\r\n", letters(20000)));
	for (int i = 0; i < 101; i++)
		headers = text("%sX: y\r\n", headers);
	refused(431, text("GET /healthz HTTP/1.1\r\n" HOST "%s\r\n", headers));
	refused(413, TO HOST TOKEN JSON "Content-Length: 1048577\r\n\r\n{");
	refused(413, TO HOST TOKEN JSON "Content-Length: 999999999999999\r\n\r\n{");
	refused(413, TO HOST TOKEN JSON "Content-Length: 99999999999999999999\r\n\r\n{");
	/* A body without end is not read to it. */
	peer = http_open(url);
	http_send_text(peer, text(TO HOST "X-API-Key: %s\r\n" JSON "Transfer-Encoding: chunked\r\n\r\n", secret));
	for (const char *chunk = text("10000\r\n%s\r\n", letters(0x10000)); http_send_text(peer, chunk);)
		;
	http_close(peer);
	refused(413, "GET /healthz HTTP/1.1\r\n" HOST JSON "Content-Length: 2\r\n\r\n{}");
	refused(401, TO HOST JSON "Content-Length: 1000000\r\n\r\n{");
	refused(415, TO HOST TOKEN "Content-Type: text/plain\r\nContent-Length: 2\r\n\r\n{}");
	refused(415, TO HOST TOKEN "Content-Length: 2\r\n\r\n{}");
	end();
}
END_TEST

START_TEST(slow)
{
	struct http_peer *head, *body, *chunk;

	begin_with("[front]\nmessage_seconds = 1\n");
	head = http_open(url);
	http_send_text(head, "GET /healthz HTTP/1.1\r\nHost: local");
	body = http_open(url);
	http_send_text(body, text(TO HOST "X-API-Key: %s\r\n" JSON "Content-Length: 20\r\n\r\n{", secret));
	chunk = http_open(url);
	http_send_text(chunk, text(TO HOST "X-API-Key: %s\r\n" JSON "Transfer-Encoding: chunked\r\n\r\n1\r\n{", secret));
	ck_assert_int_eq(http_receive(head)->status, 408);
	ck_assert_int_eq(http_receive(body)->status, 408);
	ck_assert_int_eq(http_receive(chunk)->status, 408);
	ck_assert(http_is_closed(head) && http_is_closed(body) && http_is_closed(chunk));
	http_close(head);
	http_close(body);
	http_close(chunk);
	end();
}
END_TEST

START_TEST(idle)
{
	struct http_peer *peer;

	begin_with("[http]\nidle_seconds = 1\n");
	peer = http_open(url);
	ck_assert(http_is_closed(peer));
	http_close(peer);
	ck_assert(daemon_is_well(server));
	ck_assert_int_eq(daemon_stop(server), 0);
}
END_TEST

START_TEST(hosts_and_origins)
{
	const char *port;

	begin_with("[http]\nhosts = eval.example.org eval.example.org:444\n");
	port = strrchr(url, ':') + 1;
	refused(421, "GET /healthz HTTP/1.1\r\nHost: evil.example.org\r\n\r\n");
	refused(421, "GET /healthz HTTP/1.1\r\nHost: localhost.evil.org\r\n\r\n");
	refused(421, "GET /healthz HTTP/1.1\r\nHost: 127.0.0.1:1\r\n\r\n");
	refused(421, "GET /healthz HTTP/1.1\r\nHost: eval.example.org.\r\n\r\n");
	refused(421, "GET /healthz HTTP/1.1\r\nHost: localhost eval.example.org\r\n\r\n");
	refused(421, "GET /healthz HTTP/1.1\r\nHost:\r\n\r\n");
	refused(403, "GET /healthz HTTP/1.1\r\nHost: localhost\r\nOrigin: http://evil.example.org\r\n\r\n");
	refused(403, "GET /healthz HTTP/1.1\r\nHost: localhost\r\nOrigin: null\r\n\r\n");
	refused(403, "GET /healthz HTTP/1.1\r\nHost: localhost\r\nOrigin: file://localhost\r\n\r\n");
	refused(403, "GET /healthz HTTP/1.1\r\nHost: eval.example.org\r\nOrigin: http://localhost\r\n\r\n");
	refused(403, "GET /healthz HTTP/1.1\r\nHost: localhost\r\nSec-Fetch-Site: cross-site\r\n\r\n");
	refused(403, "GET /healthz HTTP/1.1\r\nHost: localhost\r\nSec-Fetch-Site: same-site\r\n\r\n");
	for (int i = 0; i < 4; i++) {
		const char *const good[] = {
			text("Host: 127.0.0.1:%s\r\nOrigin: http://127.0.0.1:%s\r\n", port, port),
			text("Host: LOCALHOST:%s\r\n", port),
			"Host: eval.example.org\r\nOrigin: https://eval.example.org\r\n",
			"Host: eval.example.org:444\r\nSec-Fetch-Site: same-origin\r\n",
		};
		struct http_peer *peer = http_open(url);

		http_send_text(peer, text("GET /healthz HTTP/1.1\r\n%s\r\n", good[i]));
		ck_assert_msg(http_receive(peer)->status == 200, "%s", good[i]);
		http_close(peer);
	}
	end();
}
END_TEST

START_TEST(paths)
{
	begin();
	refused(400, "GET /../healthz HTTP/1.1\r\n" HOST "\r\n");
	refused(400, "GET /api/../../etc/passwd HTTP/1.1\r\n" HOST "\r\n");
	refused(400, "GET /api/.. HTTP/1.1\r\n" HOST "\r\n");
	refused(400, "GET /./healthz HTTP/1.1\r\n" HOST "\r\n");
	refused(404, "GET /%2e%2e/etc/passwd HTTP/1.1\r\n" HOST "\r\n");
	refused(404, "GET //healthz HTTP/1.1\r\n" HOST "\r\n");
	refused(404, "GET /healthz/ HTTP/1.1\r\n" HOST "\r\n");
	refused(404, "GET /api/v1/%00 HTTP/1.1\r\n" HOST TOKEN "\r\n");
	refused(404, "GET /api/v1/%zz HTTP/1.1\r\n" HOST TOKEN "\r\n");
	refused(404, "GET /v1/models/%ff HTTP/1.1\r\n" HOST TOKEN "\r\n");
	/* What is no UTF-8 gets nowhere: nobody could be told of it. */
	refused(400, "POST /api/v1/CreateProject?project.name=%ff HTTP/1.1\r\nConnection: close\r\n" HOST TOKEN "\r\n");
	refused(400, "POST /api/v1/CreateProject?project.name=%ed%a0%80 HTTP/1.1\r\nConnection: close\r\n" HOST TOKEN "\r\n");
	refused(405, "DELETE /healthz HTTP/1.1\r\n" HOST "\r\n");
	refused(405, "OPTIONS /api/v1/GetStatus HTTP/1.1\r\n" HOST "\r\n");
	end();
}
END_TEST

/* Who guesses is soon told nothing any more, and whose token is right is served as ever. */
START_TEST(guessing)
{
	int n_unknown = 0, n_throttled = 0;
	const char *wrong;

	begin();
	for (int i = 0; i < 60; i++) {
		struct http_peer *peer = http_open(url);
		const struct http_answer *answer;

		http_set_headers(peer, text("Authorization: Bearer ellu_%016x_%048x\r\n", i, i));
		answer = http_ask(peer, "GET", "/api/v1/GetStatus", NULL);
		n_unknown += answer->status == 401;
		n_throttled += answer->status == 429 && http_answer_header(answer, "Retry-After");
		http_close(peer);
	}
	ck_assert_int_eq(n_unknown + n_throttled, 60);
	ck_assert_int_gt(n_throttled, 0);
	refused(200, "GET /api/v1/GetStatus HTTP/1.1\r\nConnection: close\r\n" HOST TOKEN "\r\n");
	/* The secret of a name that is known: then the right one is not told to be right, either. */
	wrong = text("%.22s%048d", secret, 0);
	for (int i = 0; i < 12; i++) {
		struct http_peer *peer = http_open(url);

		http_set_headers(peer, text("Authorization: Bearer %s\r\n", wrong));
		ck_assert_int_ge(http_ask(peer, "GET", "/api/v1/GetStatus", NULL)->status, 401);
		http_close(peer);
	}
	refused(429, "GET /api/v1/GetStatus HTTP/1.1\r\n" HOST TOKEN "\r\n");
	secret = text("%s", at_text(wire_call(wire, "CreateToken", "{'name':'another'}"), "secret"));
	end();
}
END_TEST

START_TEST(rate)
{
	struct http_peer *peer;
	int n_refused = 0;

	begin_with("[http]\nmax_requests_per_second = 5\n");
	for (int i = 0; i < 40; i++) {
		peer = http_open(url);
		http_set_headers(peer, text("Authorization: Bearer %s\r\n", secret));
		n_refused += http_ask(peer, "GET", "/api/v1", NULL)->status == 429;
		http_close(peer);
	}
	ck_assert_int_gt(n_refused, 0);
	/* Others' requests are others'. */
	secret = text("%s", at_text(wire_call(wire, "CreateToken", "{'name':'another'}"), "secret"));
	end();
}
END_TEST

/* The longest idle one makes room for who comes. */
START_TEST(connections)
{
	struct http_peer *peers[8], *latest;

	begin_with("[http]\nmax_connections = 8\n");
	for (int i = 0; i < 8; i++) {
		peers[i] = http_open(url);
		ck_assert_int_eq(http_ask(peers[i], "GET", "/healthz", NULL)->status, 200);
	}
	latest = http_open(url);
	ck_assert_int_eq(http_ask(latest, "GET", "/healthz", NULL)->status, 200);
	ck_assert(http_is_closed(peers[0]));
	ck_assert_int_eq(http_ask(peers[7], "GET", "/healthz", NULL)->status, 200);
	for (int i = 0; i < 8; i++)
		http_close(peers[i]);
	http_close(latest);
	end();
}
END_TEST

/* ---- Streams ---- */

static struct http_peer *stream(const char *target)
{
	struct http_peer *peer = http_open(url);

	http_send_text(peer, text("GET %s HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\n"
				  "X-API-Key: %s\r\n\r\n", target, secret));
	return peer;
}

/* They are told all, and cost little. */
START_TEST(thousand_streams)
{
	struct rlimit files = { .rlim_cur = 4096, .rlim_max = 4096 };
	struct sim *sim = sim_start(NULL);
	static struct http_peer *peers[N_STREAMS];
	const char *event;

	begin();
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &files), 0);
	for (int i = 0; i < N_STREAMS; i++)
		peers[i] = stream("/api/v1/Monitor");
	for (int i = 0; i < N_STREAMS; i++)
		ck_assert_int_eq(http_receive(peers[i])->status, 200);
	ck_assert_int_eq(at_int(wire_call(wire, "GetStatus", "{}"), "front.watchers"), N_STREAMS);
	experiment_run(wire, &(struct experiment) { .name = "e", .rows = 3, .url = sim_url(sim) });
	for (int i = 0; i < N_STREAMS; i++) {
		do
			ck_assert_ptr_nonnull(event = http_event(peers[i], NULL));
		while (!strstr(event, "\"SUCCESS\""));
	}
	if (!SLOW_BUILD)
		ck_assert_int_le(daemon_memory_kib(server, "VmHWM"), STREAMS_MEMORY_KIB);
	for (int i = 0; i < N_STREAMS; i++)
		http_close(peers[i]);
	end();
}
END_TEST

/* Who reads nothing is made nothing more than he could read soon, and dropped. */
START_TEST(slow_reader)
{
	const char *rows = "";
	struct http_peer *peer;
	bool whole = true;

	begin_with("[front]\noutput_stall_seconds = 1\n");
	wire_call(wire, "CreateCollection", "{'collection':{'name':'c'}}");
	for (int i = 0; i < 50; i++)
		rows = text("%s%s{\"t\":\"%d%s\"}", rows, i ? "," : "", i, letters(65536));
	for (int i = 0; i < 10; i++)
		wire_call(wire, "AddTemplateVariables", "{'collection':{'name':'c'},'variables':[%s]}", rows);
	peer = stream("/api/v1/ListTemplateVariables?collection.name=c&limit=50");
	while (!strstr(daemon_log(server), "took nothing for"))
		ck_assert(daemon_is_well(server));
	ck_assert_int_eq(http_receive(peer)->status, 200);
	while (http_event(peer, &whole))
		;
	ck_assert(!whole);
	http_close(peer);
	end();
}
END_TEST

/* Rows of a collection, so many bytes of them. */
static void add_rows(const char *collection, int n, size_t bytes)
{
	const char *rows = "";

	wire_call(wire, "CreateCollection", "{'collection':{'name':'%s'}}", collection);
	for (int i = 0; i < 100; i++)
		rows = text("%s%s{\"t\":\"%d%s\"}", rows, i ? "," : "", i, letters(bytes));
	for (int i = 0; i < n; i += 100)
		wire_call(wire, "AddTemplateVariables", "{'collection':{'name':'%s'},'variables':[%s]}", collection, rows);
}

/* Who takes an answer slowly, but takes it, gets all of it, however long he is idle otherwise. */
START_TEST(slow_taker)
{
	struct http_peer *peer, *other;
	const struct http_answer *answer;

	begin_with("[http]\nidle_seconds = 1\n");
	add_rows("c", 100, 20000);
	peer = http_open(url);
	http_send_text(peer, text("GET /api/v1/ListTemplateVariables?collection.name=c&limit=100 HTTP/1.1\r\n"
				  "Host: localhost\r\nX-API-Key: %s\r\n\r\n", secret));
	ck_assert(http_wait(peer));
	/* That is how long a second is. */
	other = http_open(url);
	ck_assert(http_is_closed(other));
	http_close(other);
	answer = http_receive(peer);
	ck_assert_int_eq(answer->status, 200);
	ck_assert_uint_gt(answer->size, 2000000);
	http_close(peer);
	end();
}
END_TEST

/* However many ask for much at once, what is held for them is little. */
START_TEST(many_ask_for_much)
{
	static const char *const targets[] = { "/api/v0/projects/1/collections/1",
					       "/api/v0/projects/1/collections/1/entries?page=2",
					       "/api/v0/projects/1/collections?name_search=none" };
	struct http_peer *peers[30];

	begin_with("[front]\noutput_stall_seconds = 3600\n"); // they are read one after the other
	add_rows("c", 4000, 400);
	for (size_t i = 0; i < 30; i++) {
		peers[i] = http_open(url);
		http_send_text(peers[i], text("GET %s HTTP/1.1\r\nHost: localhost\r\nX-API-Key: %s\r\n\r\n",
					      targets[i % 3], secret));
	}
	for (size_t i = 0; i < 30; i++) {
		const struct http_answer *answer = http_receive(peers[i]);

		ck_assert_int_eq(answer->status, 200);
		if (i % 3 == 0)
			ck_assert_uint_gt(answer->size, 1600000);
		http_close(peers[i]);
	}
	if (!SLOW_BUILD)
		ck_assert_int_le(daemon_memory_kib(server, "VmHWM"), STREAMS_MEMORY_KIB);
	end();
}
END_TEST

/* Who sent much, and takes the answer when it pleases him, keeps no place from his other requests. His rows are
 * alike, and all of them are there. */
START_TEST(much_that_is_not_taken)
{
	const char *row = text("{\"t\":\"%s\"}", letters(100000)), *head = "{\"name\":\"c\",\"variables\":[";
	size_t row_size = strlen(row), n = 120;
	struct http_peer *sender, *other;

	begin_with("[front]\nmax_large_messages_per_user = 1\noutput_stall_seconds = 3600\n");
	sender = http_open(url);
	http_send_text(sender, text("POST /api/v0/projects/1/collections HTTP/1.1\r\nHost: localhost\r\n"
				    "X-API-Key: %s\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n\r\n%s",
				    secret, strlen(head) + n * (row_size + 1) - 1 + 2, head));
	for (size_t i = 0; i < n; i++) {
		http_send(sender, row, row_size);
		http_send_text(sender, i + 1 < n ? "," : "]}");
	}
	ck_assert(http_wait(sender));
	other = http_open(url);
	http_set_headers(other, text("X-API-Key: %s\r\n", secret));
	ck_assert_int_eq(http_ask(other, "GET", "/api/v0/projects/1/collections/1/entries", NULL)->status, 200);
	ck_assert_uint_gt(http_receive(sender)->size, n * row_size);
	http_close(other);
	http_close(sender);
	end();
}
END_TEST

START_TEST(heartbeat)
{
	struct http_peer *peer;

	begin_with("[http]\nheartbeat_seconds = 1\n");
	peer = stream("/api/v1/Monitor");
	ck_assert_int_eq(http_receive(peer)->status, 200);
	ck_assert(http_heartbeat(peer) && http_heartbeat(peer));
	http_close(peer);
	end();
}
END_TEST

int main(void)
{
	return RUN_SUITE(smuggling, nul, oversized, slow, idle, hosts_and_origins, paths, guessing, rate, connections,
			 thousand_streams, slow_reader, slow_taker, many_ask_for_much, much_that_is_not_taken,
			 heartbeat);
}
