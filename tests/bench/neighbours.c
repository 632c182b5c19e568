/*
 * A user beside another one who does his worst: how many small calls he gets done, and how long
 * the slowest hundredth of them takes, beside the attack over the same alone; and over a bare
 * echo server beside the same attack. Each attack is a function below, run in processes of the
 * other user.
 */
#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/bench/bench.h"
#include "tests/bench/ping_pong.h"
#include "tests/harness/harness.h"
#include "tests/harness/json.h"
#include "tests/harness/users.h"

#define SECONDS 3.0
#define CALLS_MAX 2000000
#define THROUGHPUT_BOUND 0.45
#define WAIT_BOUND 2.5
#define ECHO_BOUND 10.0
#define RESIDENT_BOUND 256.0 // MiB
#define LIST_ROWS 1000
#define PROCESSES_MAX 16

static const char get_info[] = "{\"method\":\"org.varlink.service.GetInfo\",\"parameters\":{}}";

static struct daemon *server;

/* ---- The attacks ---- */

struct attack {
	const char *name;
	int processes;
	void (*run)(struct wire *wire); // until it is killed
};

static char *filled_message(const char *head, const char *item, size_t n_items, const char *tail)
{
	size_t size = strlen(head) + n_items * strlen(item) + strlen(tail) + 1;
	char *message = malloc(size), *end;

	if (!message)
		die("out of memory");
	end = stpcpy(message, head);
	for (size_t i = 0; i < n_items; i++)
		end = stpcpy(end, item);
	strcpy(end, tail);
	return message;
}

static void send_for_ever(struct wire *wire, const char *message)
{
	const char *reply;

	while (wire_send_text(wire, message))
		if (wire_receive(wire, WAIT_SECONDS, &reply) != WIRE_MESSAGE)
			wire = daemon_connect(server);
}

static void many_values(struct wire *wire)
{
	send_for_ever(wire, filled_message("{\"method\":\"org.elluminate.GetTask\",\"parameters\":"
					   "{\"id\":[0", ",0", 990000, "]}}"));
}

/* Further calls are sent before the answers are there. */
static void pipelining(struct wire *wire)
{
	char *calls = malloc(200 * sizeof(get_info));
	static char answers[65536];

	for (int i = 0; i < 200; i++)
		memcpy(calls + (size_t)i * sizeof(get_info), get_info, sizeof(get_info));
	for (size_t at = 0;;) {
		struct pollfd ready = { .fd = wire_fd(wire), .events = POLLIN | POLLOUT };
		ssize_t n;

		(void)poll(&ready, 1, -1);
		if (ready.revents & POLLIN)
			(void)!recv(ready.fd, answers, sizeof(answers), MSG_DONTWAIT);
		n = send(ready.fd, calls + at, 200 * sizeof(get_info) - at,
			 MSG_NOSIGNAL | MSG_DONTWAIT);
		if (n > 0)
			at = (at + (size_t)n) % (200 * sizeof(get_info));
		else if (errno != EAGAIN)
			die("pipelining: %s", strerror(errno));
	}
}

/* Large messages that do not end. */
static void half_messages(struct wire *wire)
{
	enum { CONNECTIONS = 200 };
	static char bytes[65536];
	struct pollfd writable[CONNECTIONS];

	memset(bytes, ' ', sizeof(bytes));
	for (int i = 0; i < CONNECTIONS; i++)
		writable[i] = (struct pollfd) {
			.fd = wire_fd(i ? daemon_connect(server) : wire), .events = POLLOUT };
	for (;;) {
		(void)poll(writable, CONNECTIONS, -1);
		for (int i = 0; i < CONNECTIONS; i++) {
			if (!writable[i].revents || writable[i].fd < 0)
				continue;
			if (send(writable[i].fd, bytes, sizeof(bytes), MSG_NOSIGNAL | MSG_DONTWAIT) < 0 &&
			    errno != EAGAIN) {
				close(writable[i].fd);
				writable[i].fd = wire_fd(daemon_connect(server));
			}
		}
	}
}

#define LIST "{\"method\":\"org.elluminate.ListTemplateVariables\",\"parameters\":" \
	     "{\"collection\":{\"name\":\"many\"},\"limit\":1000}}"

static void listing(struct wire *wire)
{
	send_for_ever(wire, LIST);
}

/* A page each, all asked for at once, and read. */
static void thousand_lists(struct wire *wire)
{
	enum { CONNECTIONS = 1000 };
	static char bytes[65536];
	struct pollfd readable[CONNECTIONS];

	for (int i = 0; i < CONNECTIONS; i++)
		readable[i] = (struct pollfd) {
			.fd = wire_fd(i ? daemon_connect(server) : wire), .events = POLLIN };
	for (int i = 0; i < CONNECTIONS; i++)
		(void)!send(readable[i].fd, LIST, sizeof(LIST), MSG_NOSIGNAL);
	for (;;) {
		(void)poll(readable, CONNECTIONS, -1);
		for (int i = 0; i < CONNECTIONS; i++) {
			ssize_t n = !readable[i].revents ? 0 :
				    recv(readable[i].fd, bytes, sizeof(bytes), MSG_DONTWAIT);

			if (n > 0 && bytes[n - 1] == '\0')
				(void)!send(readable[i].fd, LIST, sizeof(LIST), MSG_NOSIGNAL);
		}
	}
}

static const struct attack attacks[] = {
	{ .name = "values", .processes = 4, .run = many_values },
	{ .name = "pipelining", .processes = 8, .run = pipelining },
	{ .name = "half", .processes = 1, .run = half_messages },
	{ .name = "listing", .processes = 8, .run = listing },
	{ .name = "lists", .processes = 1, .run = thousand_lists },
};
#define N_ATTACKS (sizeof(attacks) / sizeof(attacks[0]))

static void begin(const struct attack *attack, pid_t *ret_pids)
{
	for (int i = 0; i < attack->processes; i++) {
		ret_pids[i] = fork();
		if (ret_pids[i] < 0)
			die("fork: %s", strerror(errno));
		if (ret_pids[i] > 0)
			continue;
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (setgid(OTHER_UID) < 0 || setuid(OTHER_UID) < 0)
			die("setuid: %s", strerror(errno));
		attack->run(daemon_connect(server));
		_exit(EXIT_FAILURE);
	}
}

static void end(const struct attack *attack, const pid_t *pids)
{
	for (int i = 0; i < attack->processes; i++) {
		if (waitpid(pids[i], NULL, WNOHANG) != 0)
			die("%s ended by itself", attack->name);
		kill(pids[i], SIGKILL);
		(void)waitpid(pids[i], NULL, 0);
	}
}

/* ---- The good neighbour ---- */

struct measured {
	double per_second;
	double wait; // of the slowest hundredth, seconds
};

static int by_value(const void *a, const void *b)
{
	double left = *(const double *)a, right = *(const double *)b;

	return (left > right) - (left < right);
}

static struct measured measure(int fd)
{
	static double trips[CALLS_MAX];
	double began = now_seconds();
	size_t n = 0;

	while (n < CALLS_MAX && (now_seconds() - began < SECONDS || n < 100))
		trips[n++] = ping_pong_round_trip(fd, get_info, sizeof(get_info), NULL);
	qsort(trips, n, sizeof(trips[0]), by_value);
	return (struct measured) { (double)n / (now_seconds() - began), trips[n - 1 - n / 100] };
}

static void forget_peak(void)
{
	file_write(text("/proc/%d/clear_refs", (int)daemon_pid(server)), "5");
}

/* What the machine does besides can only make it worse, so the better of two counts. */
static struct measured better(struct measured a, struct measured b)
{
	return (struct measured) { a.per_second > b.per_second ? a.per_second : b.per_second,
				   a.wait < b.wait ? a.wait : b.wait };
}

static bool beside(const struct attack *attack, int fd, int echo)
{
	struct measured with, bare, alone = measure(fd);
	pid_t pids[PROCESSES_MAX];
	bool ok;

	forget_peak();
	begin(attack, pids);
	(void)poll(NULL, 0, 500); // for the attack to be in full swing
	with = measure(fd);
	bare = measure(echo);
	end(attack, pids);
	alone = better(alone, measure(fd));
	ok = bench_figure(text("neighbours %s calls", attack->name),
			  with.per_second / alone.per_second, BENCH_AT_LEAST, THROUGHPUT_BOUND,
			  "%.0f a second, alone %.0f", with.per_second, alone.per_second);
	ok &= bench_figure(text("neighbours %s p99", attack->name), with.wait / alone.wait,
			   BENCH_AT_MOST, WAIT_BOUND, "%.0f us, alone %.0f us", with.wait * 1e6,
			   alone.wait * 1e6);
	ok &= bench_figure(text("neighbours %s echo", attack->name), with.wait / bare.wait,
			   BENCH_AT_MOST, ECHO_BOUND, "%.0f us, a bare echo beside it %.0f us",
			   with.wait * 1e6, bare.wait * 1e6);
	ok &= bench_figure(text("neighbours %s MiB", attack->name),
			   (double)daemon_memory_kib(server, "VmHWM") / 1024, BENCH_AT_MOST,
			   RESIDENT_BOUND, "resident at the peak");
	return ok;
}

static void upload(struct wire *wire)
{
	json_object_put(wire_call(wire, "CreateCollection", "{'collection':{'name':'many'}}"));
	for (int i = 0; i < LIST_ROWS; i++)
		json_object_put(wire_call(wire, "AddTemplateVariables",
					  "{'collection':{'name':'many'},'variables':"
					  "[{'text':'%01000d'}]}", i));
}

static void prepare(struct wire *wire, void *userdata)
{
	(void)userdata;
	upload(wire);
}

int main(int argc, char **argv)
{
	size_t reply_size;
	int fd, echo;
	bool ok = true;

	if (geteuid() != 0) {
		fprintf(stderr, "neighbours: another user is needed, so root is\n");
		return EXIT_FAILURE;
	}
	server = daemon_start_system();
	as_other_user(server, prepare, NULL);
	fd = wire_fd(daemon_connect(server));
	(void)ping_pong_round_trip(fd, get_info, sizeof(get_info), &reply_size);
	echo = ping_pong_start(sizeof(get_info), reply_size);
	(void)measure(fd);
	for (size_t i = 0; i < N_ATTACKS; i++)
		if (argc < 2 || strcmp(argv[1], attacks[i].name) == 0)
			ok &= beside(&attacks[i], fd, echo);
	daemon_kill(server);
	return ok ? EXIT_SUCCESS : EXIT_FAILURE;
}
