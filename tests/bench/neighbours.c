/*
 * A user beside another one who does his worst: how much he gets done, and how long the slowest
 * hundredth of it takes, beside the attack over the same alone. Where the attack is on the front,
 * that is small calls, which are compared with a bare echo server beside the same attack as well;
 * where it is on the store or the endpoints, small tasks. Each attack is a row of a table.
 *
 * The attackers' own processes take processors too, which no daemon prevents: what the echo server's slowest
 * hundredth is beside them, over alone, is printed with the first. It has no bound, and moves none.
 *
 * The attack comes and goes a few times, so that what else the machine does meets all that is
 * compared alike.
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
#include "tests/harness/experiment.h"
#include "tests/harness/harness.h"
#include "tests/harness/json.h"
#include "tests/harness/sim.h"
#include "tests/harness/users.h"

#define ROUNDS 4
#define SECONDS 0.25 // of each measurement in a round
#define TRIPS_MAX 2000000
#define THROUGHPUT_BOUND 0.45
#define WAIT_BOUND 2.5
#define ECHO_BOUND 10.0
#define RESIDENT_BOUND 256.0 // MiB
#define LIST_ROWS 1000
#define TASK_ROWS 16
#define HELD_BYTES (8 * 1024 * 1024) // of an answer

static const char get_info[] = "{\"method\":\"org.varlink.service.GetInfo\",\"parameters\":{}}";

static struct daemon *server;

/* ---- The attacks ---- */

struct attack {
	const char *name;
	int processes;
	void (*run)(struct wire *wire); // until it is killed
	bool on_tasks; // and not on small calls
	/* Of those with a task: the attacker's own server, and his config. */
	const char *const *server; // its settings; NULL: it is everybody's
	bool proxy; // to everybody's
	size_t answer_bytes;
	unsigned connections;
	const char *config;
};

static const struct attack *attack; // under way
static struct sim *endpoint; // everybody's
static struct sim *attacker; // his own

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

static void describing(struct wire *wire)
{
	send_for_ever(wire, "{\"method\":\"org.varlink.service.GetInterfaceDescription\","
			    "\"parameters\":{\"interface\":\"org.elluminate\"}}");
}

/* Each connection is there for a moment. */
static void connecting(struct wire *wire)
{
	for (;;) {
		wire_close(wire);
		wire = daemon_connect(server);
	}
}

/* Connections that get all that is told of a task, and read it. */
static void follow(struct wire *wire, const char *message)
{
	enum { CONNECTIONS = 1000 };
	static char bytes[65536];
	struct pollfd readable[CONNECTIONS];
	size_t size = strlen(message) + 1;

	for (int i = 0; i < CONNECTIONS; i++) {
		readable[i] = (struct pollfd) {
			.fd = wire_fd(i ? daemon_connect(server) : wire), .events = POLLIN };
		if (i > 0 && send(readable[i].fd, message, size, MSG_NOSIGNAL) != (ssize_t)size)
			die("following: %s", strerror(errno));
	}
	for (;;) {
		(void)poll(readable, CONNECTIONS, -1);
		for (int i = 0; i < CONNECTIONS; i++)
			if (readable[i].revents)
				(void)!recv(readable[i].fd, bytes, sizeof(bytes), MSG_DONTWAIT);
	}
}

/* A task that goes on for as long as this process. */
static int64_t busy_task(struct wire *wire)
{
	const char *reply;
	json_object *event;
	int64_t id;

	(void)wire_send_text(wire, quoted(
		"{'method':'org.elluminate.RunExperiment','more':true,'parameters':%s}",
		experiment_request(&(struct experiment) {
			.name = text("busy %d", (int)getpid()), .rows = LIST_ROWS,
			.url = sim_url(attacker), .max_connections = 4,
			.more = "'n_epochs':1000,'cancel_on_disconnect':true" })));
	if (wire_receive(wire, WAIT_SECONDS, &reply) != WIRE_MESSAGE)
		die("there is no task");
	event = json_tokener_parse(reply);
	id = at_int(event, "parameters.event.task_id");
	json_object_put(event);
	return id;
}

static void watching(struct wire *wire)
{
	int64_t id = busy_task(wire);

	follow(wire, text("{\"method\":\"org.elluminate.WatchTask\",\"more\":true,\"parameters\":"
			  "{\"id\":%lld,\"min_interval_seconds\":0.05}}", (long long)id));
}

static void monitoring(struct wire *wire)
{
	(void)busy_task(wire);
	follow(wire, "{\"method\":\"org.elluminate.Monitor\",\"more\":true,\"parameters\":"
		     "{\"min_interval_seconds\":0.05}}");
}

/* ---- On the store and the endpoints ---- */

/* Each is over before the next, so that none is refused for being one too many. */
static void submitting(struct wire *wire)
{
	for (int i = 0;; i++) {
		int64_t id = experiment_submit(wire, &(struct experiment) {
			.name = text("%d %d", (int)getpid(), i), .rows = 1 });

		json_object_put(wire_call(wire, "CancelTask", "{'id':%lld}", (long long)id));
	}
}

static void uploading(struct wire *wire)
{
	char *rows = filled_message("{\"text\":\"row\"}", ",{\"text\":\"row\"}", 499, "");
	char *name = text("%d", (int)getpid());

	json_object_put(wire_call(wire, "CreateCollection", "{'collection':{'name':'%s'}}", name));
	for (;;)
		json_object_put(wire_call(wire, "AddTemplateVariables",
					  "{'collection':{'name':'%s'},'variables':[%s]}", name,
					  rows));
}

/* A large task at the attacker's config. It ends with the process. */
static void asking(struct wire *wire)
{
	char *name = text("attack-%d", (int)getpid());
	const char *reply, *url = sim_url(attack->server && !attack->proxy ? attacker : endpoint);
	char *proxy = !attack->proxy ? "" :
		text(",'proxy':'%.*s'", (int)(strrchr(sim_url(attacker), '/') - sim_url(attacker)),
		     sim_url(attacker));

	(void)wire_send_text(wire, quoted(
		"{'method':'org.elluminate.RunExperiment','parameters':%s}",
		experiment_request(&(struct experiment) {
			.name = name, .rows = LIST_ROWS, .n_criteria = 1, .url = url,
			.api_key = name, .max_connections = attack->connections,
			.config = text("'max_retries':100%s%s", attack->config, proxy),
			.more = "'n_epochs':1000,'cancel_on_disconnect':true" })));
	(void)wire_receive(wire, 1e9, &reply);
	die("%s: %s", attack->name, reply);
}

#define SETTINGS(...) ((const char *const[]) { __VA_ARGS__, NULL })
/* There is something to tell at each interval, and not much else to do. */
#define SLOWLY SETTINGS("--latency_seconds=0.02")
#define A_DAY ",'timeout_seconds':86400,'first_byte_seconds':86400,'connect_seconds':3600"

static const struct attack attacks[] = {
	{ .name = "values", .processes = 4, .run = many_values },
	{ .name = "pipelining", .processes = 8, .run = pipelining },
	{ .name = "half", .processes = 1, .run = half_messages },
	{ .name = "listing", .processes = 8, .run = listing },
	{ .name = "lists", .processes = 1, .run = thousand_lists },
	{ .name = "describing", .processes = 8, .run = describing },
	{ .name = "connects", .processes = 4, .run = connecting },
	{ .name = "watches", .processes = 1, .run = watching, .server = SLOWLY },
	{ .name = "monitors", .processes = 1, .run = monitoring, .server = SLOWLY },
	{ .name = "submits", .processes = 8, .run = submitting, .on_tasks = true },
	{ .name = "uploads", .processes = 8, .run = uploading, .on_tasks = true },
	{ .name = "tarpit", .processes = 5, .run = asking, .on_tasks = true,
	  .server = SETTINGS("--hang_rate=1"), .connections = 64, .config = A_DAY },
	{ .name = "narrow", .processes = 1, .run = asking, .on_tasks = true, .connections = 1,
	  .config = "" },
	{ .name = "refusing", .processes = 1, .run = asking, .on_tasks = true, .proxy = true,
	  .server = SETTINGS("--refused_text=Tell", "--retry_after_seconds=86400"),
	  .connections = 64, .config = "" },
	{ .name = "silent", .processes = 1, .run = asking, .on_tasks = true, .proxy = true,
	  .server = SETTINGS("--hang_rate=1"), .connections = 64, .config = A_DAY },
	{ .name = "answers", .processes = 4, .run = asking, .on_tasks = true,
	  .server = SETTINGS("--latency_seconds=0"), .answer_bytes = HELD_BYTES,
	  .connections = 64, .config = "" },
	{ .name = "grammar", .processes = 1, .run = asking, .on_tasks = true, .proxy = true,
	  .server = SETTINGS("--refuse_schema=true"), .connections = 64, .config = "" },
};
#define N_ATTACKS (sizeof(attacks) / sizeof(attacks[0]))

static pid_t fork_or_die(void)
{
	pid_t pid = fork();

	if (pid < 0)
		die("fork: %s", strerror(errno));
	return pid;
}

static void become_other(void)
{
	if (setgid(OTHER_UID) < 0 || setuid(OTHER_UID) < 0)
		die("setuid: %s", strerror(errno));
}

/* A session of its own, as a user has who has logged in: what all its processes get of the machine is
 * the kernel's to say, which counts them as one where it groups by sessions, and not the daemon's. */
static pid_t begin(void)
{
	pid_t leader = fork_or_die();

	if (leader > 0)
		return leader;
	if (setsid() < 0)
		die("setsid: %s", strerror(errno));
	become_other();
	prctl(PR_SET_PDEATHSIG, SIGKILL); // becoming another forgets it
	for (int i = 0; i < attack->processes; i++) {
		if (fork_or_die() > 0)
			continue;
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		attack->run(daemon_connect(server));
		_exit(EXIT_FAILURE);
	}
	(void)waitpid(-1, NULL, 0);
	_exit(EXIT_FAILURE);
}

static void end(pid_t leader)
{
	if (waitpid(leader, NULL, WNOHANG) != 0)
		die("%s ended by itself", attack->name);
	kill(-leader, SIGKILL);
	(void)waitpid(leader, NULL, 0);
}

/* ---- The good neighbour ---- */

static int call_fd, echo_fd;
static struct wire *task_wire;

static void call(void)
{
	(void)ping_pong_round_trip(call_fd, get_info, sizeof(get_info), NULL);
}

static void echo(void)
{
	(void)ping_pong_round_trip(echo_fd, get_info, sizeof(get_info), NULL);
}

static void task(void)
{
	static int number;
	json_object *reply =
		wire_call(task_wire, "RunExperiment",
			  "{'name':'task %d','prompt_template':{'ref':{'name':'good'}},"
			  "'collection':{'ref':{'name':'good'}},'criteria':['Is it good?'],"
			  "'llm_config':{'ref':{'name':'good'}}}", ++number);

	if (!at_is(reply, "task.status", "SUCCESS"))
		die("%s", json_object_to_json_string(reply));
	json_object_put(reply);
}

struct measured {
	double *trips; // seconds each
	size_t n;
	double seconds;
};

static void measure(void (*trip)(void), struct measured *measured)
{
	double began = now_seconds(), before = began, now = began;

	while (now - began < SECONDS && measured->n < TRIPS_MAX) {
		trip();
		now = now_seconds();
		measured->trips[measured->n++] = now - before;
		before = now;
	}
	measured->seconds += now - began;
}

static int by_value(const void *a, const void *b)
{
	double left = *(const double *)a, right = *(const double *)b;

	return (left > right) - (left < right);
}

/* How long the slowest hundredth took. */
static double wait_of(struct measured *measured)
{
	qsort(measured->trips, measured->n, sizeof(double), by_value);
	return measured->trips[measured->n - 1 - measured->n / 100];
}

/* ---- One beside the other ---- */

static void forget_peak(void)
{
	file_write(text("/proc/%d/clear_refs", (int)daemon_pid(server)), "5");
}

static bool print(struct measured *with, struct measured *alone, struct measured *bare,
		  struct measured *bare_alone)
{
	double with_rate = (double)with->n / with->seconds;
	double alone_rate = (double)alone->n / alone->seconds;
	double with_wait = wait_of(with), alone_wait = wait_of(alone);
	bool ok;

	ok = bench_figure(text("neighbours %s rate", attack->name), with_rate / alone_rate,
			  BENCH_AT_LEAST, THROUGHPUT_BOUND, "%.0f %s a second, alone %.0f",
			  with_rate, attack->on_tasks ? "tasks" : "calls", alone_rate);
	ok &= bench_figure(text("neighbours %s p99", attack->name), with_wait / alone_wait,
			   BENCH_AT_MOST, WAIT_BOUND, "%.0f us, alone %.0f us", with_wait * 1e6,
			   alone_wait * 1e6);
	if (bare->n > 0)
		ok &= bench_figure(text("neighbours %s echo", attack->name),
				   with_wait / wait_of(bare), BENCH_AT_MOST, ECHO_BOUND,
				   "%.0f us, a bare echo beside it %.0f us, which is %.2f of alone",
				   with_wait * 1e6, wait_of(bare) * 1e6, wait_of(bare) / wait_of(bare_alone));
	ok &= bench_figure(text("neighbours %s MiB", attack->name),
			   (double)daemon_memory_kib(server, "VmHWM") / 1024, BENCH_AT_MOST,
			   RESIDENT_BOUND, "resident at the peak");
	return ok;
}

static bool beside(void)
{
	static double trips[4][TRIPS_MAX];
	struct measured with = { .trips = trips[0] }, alone = { .trips = trips[1] };
	struct measured bare = { .trips = trips[2] }, bare_alone = { .trips = trips[3] };
	void (*trip)(void) = attack->on_tasks ? task : call;

	if (attack->server)
		attacker = sim_start(attack->server);
	if (attack->answer_bytes)
		sim_control(attacker, "{'fixed_answer':'%0*d'}", (int)attack->answer_bytes, 0);
	forget_peak();
	for (int i = 0; i < ROUNDS; i++) {
		pid_t leader;

		measure(trip, &alone);
		if (!attack->on_tasks)
			measure(echo, &bare_alone);
		leader = begin();
		(void)poll(NULL, 0, 200); // for the attack to be in full swing
		measure(trip, &with);
		if (!attack->on_tasks)
			measure(echo, &bare);
		end(leader);
		experiment_await_workers_free(task_wire);
	}
	if (attack->server)
		sim_stop(attacker);
	return print(&with, &alone, &bare, &bare_alone);
}

/* ---- What there is for all of them ---- */

static void upload(struct wire *wire, void *userdata)
{
	(void)userdata;
	json_object_put(wire_call(wire, "CreateCollection", "{'collection':{'name':'many'}}"));
	for (int i = 0; i < LIST_ROWS; i++)
		json_object_put(wire_call(wire, "AddTemplateVariables",
					  "{'collection':{'name':'many'},'variables':"
					  "[{'text':'%01000d'}]}", i));
}

static void prepare(void)
{
	size_t reply_size;

	server = daemon_start_system();
	endpoint = sim_start(NULL);
	as_other_user(server, upload, NULL);
	bench_shared_parts(server, "good", sim_url(endpoint), TASK_ROWS, TASK_ROWS);
	task_wire = daemon_connect(server);
	call_fd = wire_fd(daemon_connect(server));
	(void)ping_pong_round_trip(call_fd, get_info, sizeof(get_info), &reply_size);
	echo_fd = ping_pong_start(sizeof(get_info), reply_size);
}

int main(int argc, char **argv)
{
	bool ok = true;

	if (geteuid() != 0) {
		fprintf(stderr, "neighbours: another user is needed, so root is\n");
		return EXIT_FAILURE;
	}
	prepare();
	for (attack = attacks; attack < attacks + N_ATTACKS; attack++)
		if (argc < 2 || strcmp(argv[1], attack->name) == 0)
			ok &= beside();
	daemon_kill(server);
	return ok ? EXIT_SUCCESS : EXIT_FAILURE;
}
