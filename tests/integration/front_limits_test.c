/*
 * What one user may hold of the front: half messages, connections, watches, calls, replies that
 * nobody reads. Beyond that he waits or is refused; nobody else notices.
 */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "tests/harness/suite.h"

#define MIB (1024 * 1024)

static struct daemon *server;

static void begin(const char *front)
{
	server = daemon_start(&(struct daemon_options) { .config = text("[front]\n%s\n", front) });
}

static void end(void)
{
	ck_assert_int_eq(daemon_stop(server), 0);
}

/* Sends until the daemon has not taken a byte for so long, and answers how much it took. */
static int64_t send_what_is_taken(struct wire *wire, int64_t size, double patience_seconds)
{
	static char bytes[65536];
	struct pollfd writable = { .fd = wire_fd(wire), .events = POLLOUT };
	int64_t sent = 0;

	memset(bytes, ' ', sizeof(bytes));
	while (sent < size && poll(&writable, 1, (int)(patience_seconds * 1000)) == 1 &&
	       !(writable.revents & POLLHUP)) {
		ssize_t n = send(wire_fd(wire), bytes, sizeof(bytes), MSG_NOSIGNAL | MSG_DONTWAIT);

		if (n < 0)
			break;
		sent += n;
	}
	return sent;
}

START_TEST(half_messages_in_all)
{
	struct wire *wires[32];
	int64_t taken = 0, n;

	begin("max_large_messages_per_user = 2\nmax_input_mib_per_user = 1");
	for (int i = 0; i < 32; i++) {
		/* The first two may be large, however long that takes; of the others it is asked how
		 * little is too much. */
		wires[i] = daemon_connect(server);
		n = send_what_is_taken(wires[i], 15 * MIB, i < 2 ? WAIT_SECONDS : 0.1);
		ck_assert_int_ge(n, i < 2 ? 15 * MIB : 0);
		taken += n;
	}
	/* Two large ones, a MiB of others, and what the kernel keeps for sockets. */
	ck_assert_int_lt(taken, 2 * 15 * MIB + 32 * MIB);
	if (!SLOW_BUILD) // a sanitizer keeps what was freed
		ck_assert_int_lt(daemon_memory_kib(server, "VmHWM"), 128 * 1024);
	ck_assert(daemon_is_well(server));
	/* One that goes makes room for one that waits. */
	wire_close(wires[0]);
	ck_assert_int_gt(send_what_is_taken(wires[2], 4 * MIB, WAIT_SECONDS), 2 * MIB);
	end();
}
END_TEST

START_TEST(half_messages_in_time)
{
	struct wire *wire, *other;
	const char *message;

	begin("message_seconds = 1");
	wire = daemon_connect(server);
	other = daemon_connect(server);
	ck_assert(wire_send(wire, "{\"method\":", 10));
	ck_assert_int_eq(wire_receive(wire, WAIT_SECONDS, &message), WIRE_MESSAGE);
	ck_assert_ptr_nonnull(strstr(message, "org.elluminate.Timeout"));
	ck_assert_int_eq(wire_receive(wire, WAIT_SECONDS, &message), WIRE_CLOSED);
	/* Who is silent between messages stays. */
	json_object_put(wire_call(other, "GetStatus", "{}"));
	end();
}
END_TEST

/* A byte now and then does not put it off. */
START_TEST(a_byte_at_a_time)
{
	struct wire *wire;
	struct pollfd gone;
	double deadline = now_seconds() + WAIT_SECONDS;

	begin("message_seconds = 1");
	wire = daemon_connect(server);
	gone = (struct pollfd) { .fd = wire_fd(wire), .events = POLLRDHUP };
	do {
		ck_assert_msg(now_seconds() < deadline, "it was not dropped");
		(void)wire_send(wire, " ", 1);
	} while (poll(&gone, 1, 100) == 0);
	end();
}
END_TEST

START_TEST(large_messages_pass)
{
	struct wire *wires[6];
	char *row = text("%02000000d", 0);

	begin("max_large_messages_per_user = 1\nmax_input_mib_per_user = 1");
	for (int i = 0; i < 6; i++) {
		wires[i] = daemon_connect(server);
		json_object_put(wire_call(wires[i], "CreateCollection",
					  "{'collection':{'name':'c%d'}}", i));
		wire_start(wires[i], "", "AddTemplateVariables",
			   "{'collection':{'name':'c%d'},'variables':[{'a':'%s'}]}", i, row);
	}
	for (int i = 0; i < 6; i++) {
		json_object *reply = wire_next(wires[i]);

		ck_assert_msg(!at_has(reply, "error"), "%s", json_object_to_json_string(reply));
		json_object_put(reply);
	}
	end();
}
END_TEST

START_TEST(watches)
{
	struct sim *sim = sim_start((const char *[]) { "--hang_rate=1", NULL });
	struct wire *wires[3], *own;
	json_object *refusal;
	int64_t id;

	begin("max_watches_per_user = 3");
	own = daemon_connect(server);
	id = experiment_submit(own, &(struct experiment) { .rows = 1, .url = sim_url(sim) });
	for (int i = 0; i < 3; i++) {
		wires[i] = daemon_connect(server);
		wire_start(wires[i], "'more':true", "WatchTask", "{'id':%lld}", (long long)id);
		json_object_put(wire_next(wires[i]));
	}
	refusal = wire_refused(own, "TooManyRequests", "WatchTask", "{'id':%lld}", (long long)id);
	ck_assert_double_gt(at_number(refusal, "parameters.retry_after_seconds"), 0);
	wire_refused(own, "TooManyRequests", "RunExperiment",
		     "{'name':'x','collection':{'ref':{'id':1}},'prompt_template':{'ref':{'id':1}}}");
	/* What does not stay is served. */
	json_object_put(wire_call(own, "GetTask", "{'id':%lld}", (long long)id));
	json_object_put(wire_call(own, "CancelTask", "{'id':%lld}", (long long)id));
	for (int i = 0; i < 3; i++)
		wire_close(wires[i]);
	while (at_int(wire_call(own, "GetStatus", "{}"), "front.watchers") > 0)
		;
	json_object_put(wire_call(own, "WatchTask", "{'id':%lld}", (long long)id));
	while (!strstr(daemon_log(server), "a limit is reached"))
		(void)poll(NULL, 0, 2);
	end();
}
END_TEST

START_TEST(connections)
{
	struct sim *sim = sim_start((const char *[]) { "--hang_rate=1", NULL });
	struct wire *wires[4], *late;
	const char *message;
	int64_t id;

	begin("max_connections = 8\nmax_connections_per_user = 4");
	wires[0] = daemon_connect(server);
	id = experiment_submit(wires[0], &(struct experiment) { .rows = 1, .url = sim_url(sim) });
	for (int i = 0; i < 4; i++) {
		if (i > 0)
			wires[i] = daemon_connect(server);
		wire_start(wires[i], "'more':true", "WatchTask", "{'id':%lld}", (long long)id);
		json_object_put(wire_next(wires[i]));
	}
	/* None is idle, so none makes room. */
	late = daemon_connect(server);
	ck_assert_int_eq(wire_receive(late, WAIT_SECONDS, &message), WIRE_MESSAGE);
	ck_assert_ptr_nonnull(strstr(message, "org.elluminate.TooManyRequests"));
	ck_assert_int_eq(wire_receive(late, WAIT_SECONDS, &message), WIRE_CLOSED);
	daemon_kill(server); // its task has no end
}
END_TEST

/* A part of an upload, some 100 KiB. */
static void start_part(struct wire *wire, char first, const char *more)
{
	wire_start(wire, "", "AddTemplateVariables",
		   "{'collection':{'name':'A'},'upload_id':'u','variables':[{'a':'%c%0100000d'}]%s}", first, 0,
		   more);
}

/* The next call of a connection is decoded while one is carried out, and waits for its end. */
START_TEST(calls_behind_each_other)
{
	struct wire *wire;
	json_object *reply;

	begin("max_large_messages_per_user = 1");
	wire = daemon_connect(server);
	json_object_put(wire_call(wire, "CreateCollection", "{'collection':{'name':'A'}}"));
	for (char c = 'a'; c <= 'p'; c++)
		start_part(wire, c, "");
	wire_start(wire, "", "AddTemplateVariables", "{'collection':{'name':'%0100000d'},'variables':[]}", 0);
	start_part(wire, 'q', ",\"commit\":true");
	wire_start(wire, "", "ListTemplateVariables", "{'collection':{'name':'A'}}");
	for (int i = 0; i < 16; i++) {
		reply = wire_next(wire);
		ck_assert_int_eq(at_int(reply, "parameters.added"), 1);
		json_object_put(reply);
	}
	reply = wire_next(wire);
	ck_assert(at_is(reply, "parameters.parameter", "collection.name"));
	json_object_put(reply);
	reply = wire_next(wire);
	ck_assert_int_eq(at_int(reply, "parameters.variables_count"), 17);
	json_object_put(reply);
	reply = wire_next(wire);
	for (int i = 0; i < 17; i++)
		ck_assert_int_eq(at_text(reply, text("parameters.items.%d.input_values.a", i))[0], 'a' + i);
	json_object_put(reply);
	end();
}
END_TEST

/* More than there is room for; where memory is looked at, many more. */
#if SLOW_BUILD
#define LISTS 8
#else
#define LISTS 40
#endif
#define ROWS 100

/* Whoever has something to read is read; each gets all of its list in the end. */
static void read_all(struct wire **wires)
{
	size_t n[LISTS] = { 0 }, n_done = 0;

	while (n_done < LISTS) {
		struct pollfd readable[LISTS];

		for (int i = 0; i < LISTS; i++)
			readable[i] = (struct pollfd) { .fd = n[i] < ROWS ? wire_fd(wires[i]) : -1,
							.events = POLLIN };
		ck_assert_int_gt(poll(readable, LISTS, (int)(WAIT_SECONDS * 1000)), 0);
		for (int i = 0; i < LISTS; i++) {
			json_object *reply;

			if (!readable[i].revents)
				continue;
			reply = wire_next(wires[i]);
			n[i] += at_count(reply, "parameters.items");
			n_done += n[i] == ROWS;
			json_object_put(reply);
		}
	}
}

/* Each list is some 10 MB, and nobody reads: what is not read is not made. */
START_TEST(replies)
{
	struct wire *wires[LISTS], *own;
	char *row = text("%0100000d", 0);
	int64_t before;

	/* What waits for its turn meanwhile has time. */
	begin("max_output_mib_per_user = 16\nmessage_seconds = 600");
	own = daemon_connect(server);
	json_object_put(wire_call(own, "CreateCollection", "{'collection':{'name':'A'}}"));
	for (int i = 0; i < ROWS; i++)
		json_object_put(wire_call(own, "AddTemplateVariables",
					  "{'collection':{'name':'A'},'variables':[{'a':'%s'}]}",
					  row));
	before = daemon_memory_kib(server, "VmHWM");
	for (int i = 0; i < LISTS; i++) {
		wires[i] = daemon_connect(server);
		wire_start(wires[i], "'more':true", "ListTemplateVariables",
			   "{'collection':{'name':'A'},'limit':1000}");
	}
	/* Small replies have room beside pages. */
	for (int i = 0; i < 20; i++)
		json_object_put(wire_call(own, "GetStatus", "{}"));
	if (!SLOW_BUILD)
		ck_assert_int_lt(daemon_memory_kib(server, "VmHWM") - before, 100 * 1024);
	read_all(wires);
	end();
}
END_TEST

int main(void)
{
	return RUN_SUITE(half_messages_in_all, half_messages_in_time, a_byte_at_a_time,
			 large_messages_pass, calls_behind_each_other, watches, connections, replies);
}
