/*
 * Bytes that are no good message, and clients that behave badly: at most their own connection is
 * closed, with an error that says what and where.
 */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/harness/suite.h"

#define MESSAGE_SIZE_MAX (16u << 20)
#define STATUS_CALL "{\"method\":\"org.elluminate.GetStatus\",\"parameters\":{}}"

static struct daemon *server;

static void begin(void)
{
	server = daemon_start(NULL);
}

static void end(void)
{
	ck_assert(daemon_is_well(server));
	ck_assert_int_eq(daemon_stop(server), 0);
}

/* The bytes bring InvalidMessage, whose reason has this word, and the connection closes. */
static int64_t invalid(const char *bytes, size_t size, const char *word)
{
	struct wire *wire = daemon_connect(server);
	const char *rest;
	json_object *reply;
	int64_t offset;

	/* The other side may close before it has read all: what counts is that it answers. */
	(void)wire_send(wire, bytes, size);
	reply = wire_next(wire);
	ck_assert_msg(at_is(reply, "error", "org.elluminate.InvalidMessage"), "%s",
		      json_object_to_json_string(reply));
	ck_assert_msg(strcasestr(at_text(reply, "parameters.reason"), word), "no '%s' in '%s'", word,
		      at_text(reply, "parameters.reason"));
	offset = at_int(reply, "parameters.offset");
	ck_assert_int_eq(wire_receive(wire, WAIT_SECONDS, &rest), WIRE_CLOSED);
	wire_close(wire);
	ck_assert(daemon_is_well(server));
	return offset;
}

static int64_t invalid_text(const char *message, const char *word)
{
	return invalid(message, strlen(message) + 1, word);
}

START_TEST(no_json)
{
	begin();
	invalid_text("", "");
	invalid_text("nonsense", "");
	invalid_text("[]", "object");
	invalid_text("{\"method\":\"org.elluminate.GetStatus\",}", "");
	invalid_text("{'method':'org.elluminate.GetStatus'}", "");
	invalid_text("{\"method\":7}", "method");
	invalid_text("{\"parameters\":{}}", "method");
	invalid_text(STATUS_CALL " trailing", "");
	invalid_text("GET / HTTP/1.1\r\n\r\n", "");
	end();
}
END_TEST

START_TEST(not_a_number)
{
	static const char call[] = "{\"method\":\"org.elluminate.GetTask\",\"parameters\":{\"id\":NaN}}";

	begin();
	ck_assert_int_eq(invalid_text(call, ""), strstr(call, "NaN") - call);
	invalid_text("{\"method\":\"org.elluminate.GetTask\",\"parameters\":{\"id\":Infinity}}", "");
	invalid_text("{\"method\":\"org.elluminate.GetTask\",\"parameters\":{\"id\":1e999}}", "");
	invalid_text("{\"method\":\"org.elluminate.GetTask\",\"parameters\":{\"id\":9007199254740993}}",
		     "");
	end();
}
END_TEST

START_TEST(duplicate_keys)
{
	begin();
	invalid_text("{\"method\":\"org.elluminate.GetTask\",\"parameters\":{\"id\":1,\"id\":2}}",
		     "duplicate");
	invalid_text("{\"method\":\"org.elluminate.GetTask\",\"parameters\":{\"id\":1,\"\\u0069d\":2}}",
		     "duplicate");
	end();
}
END_TEST

START_TEST(bad_text)
{
	begin();
	invalid_text("{\"method\":\"org.elluminate.GetStatus\xc3\"}", "UTF-8");
	invalid_text("{\"method\":\"org.elluminate.GetStatus\",\"parameters\":{\"a\":\"\xe2\x82\"}}",
		     "UTF-8");
	invalid_text("{\"method\":\"a\\u0000b\"}", "");
	invalid_text("{\"method\":\"a\\ud800b\"}", "");
	/* Cut off by the end of the message itself. */
	invalid_text("{\"method\":\"\xf0\x9f", "");
	end();
}
END_TEST

START_TEST(deep_nesting)
{
	char *message = text("%s%020000d", "{\"method\":\"m\",\"parameters\":", 0);

	begin();
	memset(strchr(message, '0'), '[', 10000);
	memset(strchr(message, '0'), ']', 10000);
	invalid_text(message, "deep");
	end();
}
END_TEST

START_TEST(too_long)
{
	size_t size = MESSAGE_SIZE_MAX + 1;
	char *message = malloc(size + 1);
	struct wire *wire;
	json_object *reply;

	begin();
	memset(message, ' ', size);
	message[size] = '\0';
	ck_assert_int_eq(invalid(message, size + 1, "16777216"), MESSAGE_SIZE_MAX);
	/* Without an end, too. */
	ck_assert_int_eq(invalid(message, size, "16777216"), MESSAGE_SIZE_MAX);
	/* One byte less is none too many. */
	memcpy(message, STATUS_CALL, strlen(STATUS_CALL));
	wire = daemon_connect(server);
	ck_assert(wire_send(wire, message, MESSAGE_SIZE_MAX));
	ck_assert(wire_send(wire, "", 1));
	reply = wire_next(wire);
	ck_assert(!at_has(reply, "error"));
	end();
}
END_TEST

START_TEST(single_bytes)
{
	static const char two[] = STATUS_CALL "\0" STATUS_CALL;
	struct wire *wire;

	begin();
	wire = daemon_connect(server);
	for (size_t i = 0; i < sizeof(two); i++)
		ck_assert(wire_send(wire, two + i, 1));
	ck_assert(at_has(wire_next(wire), "parameters.versions"));
	ck_assert(at_has(wire_next(wire), "parameters.versions"));
	end();
}
END_TEST

START_TEST(half_a_message)
{
	struct wire *wire;

	begin();
	wire = daemon_connect(server);
	ck_assert(wire_send(wire, STATUS_CALL, 20));
	wire_close(wire);
	end();
}
END_TEST

/* Thousands of calls and no read: its own output is bounded, others are served meanwhile. */
START_TEST(never_reads)
{
	char *rows = text("%01000d", 0);
	struct wire *wire, *other;
	char message[4096];
	size_t sent = 0, done = 0;
	int n;

	begin();
	other = daemon_connect(server);
	wire = daemon_connect(server);
	wire_call(other, "CreateCollection", "{'collection':{'name':'A'}}");
	for (int i = 0; i < 200; i++)
		wire_call(other, "AddTemplateVariables",
			  "{'collection':{'name':'A'},'variables':[{'a':'%s'},{'a':'%s'}]}", rows, rows);
	n = snprintf(message, sizeof(message),
		     "{\"method\":\"org.elluminate.ListTemplateVariables\",\"more\":true,"
		     "\"parameters\":{\"collection\":{\"name\":\"A\"},\"limit\":10}}");
	/* As long as the daemon takes more; it must stop at some point. */
	while (sent < (64u << 20)) {
		struct pollfd writable = { .fd = wire_fd(wire), .events = POLLOUT };
		ssize_t r;

		if (poll(&writable, 1, 500) == 0)
			break;
		r = send(wire_fd(wire), message + done, (size_t)n + 1 - done, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (r < 0)
			break;
		sent += (size_t)r;
		done = (done + (size_t)r) % ((size_t)n + 1);
		if (sent % 1024 < (size_t)n)
			json_object_put(wire_call(other, "GetStatus", "{}"));
	}
	ck_assert_uint_lt(sent, 64u << 20);
	ck_assert(daemon_is_well(server));
	wire_close(wire);
	end();
}
END_TEST

START_TEST(idle_connections)
{
	enum { N = 2000 };
	static struct wire *wires[N];
	struct rlimit limit;

	ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
	limit.rlim_cur = limit.rlim_max;
	(void)setrlimit(RLIMIT_NOFILE, &limit);
	ck_assert_uint_gt(limit.rlim_cur, N + 100);
	begin();
	for (int i = 0; i < N; i++)
		wires[i] = daemon_connect(server);
	ck_assert(daemon_is_well(server));
	/* They are served, all of them. */
	for (int i = 0; i < N; i++)
		ck_assert(wire_send_text(wires[i], STATUS_CALL));
	for (int i = 0; i < N; i++)
		ck_assert(at_has(wire_next(wires[i]), "parameters.front.connections"));
	end();
}
END_TEST

/* Over the limit the longest idle one makes room. */
START_TEST(too_many_connections)
{
	struct wire *wires[12];
	const char *message;

	server = daemon_start(&(struct daemon_options) {
		.config = "[front]\nmax_connections = 10\nmax_connections_per_user = 10\n" });
	for (int i = 0; i < 12; i++) {
		wires[i] = daemon_connect(server);
		json_object_put(wire_call(wires[i], "GetStatus", "{}"));
	}
	ck_assert_int_eq(wire_receive(wires[0], WAIT_SECONDS, &message), WIRE_CLOSED);
	json_object_put(wire_call(wires[11], "GetStatus", "{}"));
	end();
}
END_TEST

START_TEST(service_interface)
{
	struct wire *wire;
	json_object *reply;

	begin();
	wire = daemon_connect(server);
	reply = wire_call(wire, "org.varlink.service.GetInfo", "{}");
	ck_assert_uint_eq(at_count(reply, "interfaces"), 2);
	reply = wire_call(wire, "org.varlink.service.GetInterfaceDescription",
			  "{'interface':'org.elluminate'}");
	ck_assert(strstr(at_text(reply, "description"), "method RunExperiment(") != NULL);
	reply = wire_refused(wire, "org.varlink.service.InterfaceNotFound",
			     "org.varlink.service.GetInterfaceDescription", "{'interface':'no.such'}");
	ck_assert_str_eq(at_text(reply, "parameters.interface"), "no.such");
	/* A oneway call gets no answer, right or wrong; what follows does. */
	wire_start(wire, "'oneway':true", "GetStatus", "{}");
	wire_start(wire, "'oneway':true", "NoSuchMethod", "{}");
	reply = wire_call(wire, "org.varlink.service.GetInfo", "{}");
	ck_assert(at_has(reply, "vendor"));
	end();
}
END_TEST

int main(void)
{
	return RUN_SUITE(no_json, not_a_number, duplicate_keys, bad_text, deep_nesting, too_long,
			 single_bytes, half_a_message, never_reads, idle_connections,
			 too_many_connections, service_interface);
}
