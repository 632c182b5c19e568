#include "tests/bench/attack.h"

#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/bench/processors.h"
#include "tests/harness/experiment.h"
#include "tests/harness/harness.h"
#include "tests/harness/json.h"
#include "tests/harness/users.h"

#define LIST_ROWS 1000
#define HELD_BYTES (8 * 1024 * 1024) // of an answer

static const char get_info[] = "{\"method\":\"org.varlink.service.GetInfo\",\"parameters\":{}}";

static struct daemon *server;
static struct sim *endpoint; // everybody's
static struct sim *attacker; // his own
static const struct attack *attack; // under way
static atomic_llong *steps; // of all its processes

static void step(ssize_t n)
{
	if (n > 0)
		atomic_fetch_add_explicit(steps, n, memory_order_relaxed);
}

/* ---- On the front ---- */

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

/* Piece by piece: a few of the large ones are all that go in a second. */
static bool send_counted(struct wire *wire, const char *message)
{
	enum { PIECE = 65536 };
	size_t size = strlen(message) + 1;
	ssize_t n = 0;

	for (size_t at = 0; at < size && n >= 0; at += (size_t)n) {
		n = send(wire_fd(wire), message + at, size - at < PIECE ? size - at : PIECE, MSG_NOSIGNAL);
		step(n);
	}
	return n >= 0;
}

static void send_for_ever(struct wire *wire, const char *message)
{
	const char *reply;

	while (send_counted(wire, message)) {
		if (wire_receive(wire, WAIT_SECONDS, &reply) == WIRE_MESSAGE)
			step((ssize_t)strlen(reply));
		else
			wire = daemon_connect(server);
	}
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
			step(recv(ready.fd, answers, sizeof(answers), MSG_DONTWAIT));
		n = send(ready.fd, calls + at, 200 * sizeof(get_info) - at,
			 MSG_NOSIGNAL | MSG_DONTWAIT);
		if (n > 0)
			at = (at + (size_t)n) % (200 * sizeof(get_info));
		else if (errno != EAGAIN)
			die("pipelining: %s", strerror(errno));
	}
}

/* Connections by the hundred. Their process is told which are ready: poll() would look at all of them each
 * time, in the kernel, where not even one that goes before it gets the processor. */
#define READY_MAX 64

static int crowd_new(void)
{
	int crowd = epoll_create1(EPOLL_CLOEXEC);

	if (crowd < 0)
		die("epoll: %s", strerror(errno));
	return crowd;
}

static int crowd_add(int crowd, struct wire *wire, uint32_t events)
{
	struct epoll_event event = { .events = events, .data.fd = wire_fd(wire) };

	if (epoll_ctl(crowd, EPOLL_CTL_ADD, wire_fd(wire), &event) < 0)
		die("epoll: %s", strerror(errno));
	return wire_fd(wire);
}

/* Large messages that do not end. */
static void half_messages(struct wire *wire)
{
	enum { CONNECTIONS = 200 };
	static char bytes[65536];
	struct epoll_event ready[READY_MAX];
	int crowd = crowd_new();

	memset(bytes, ' ', sizeof(bytes));
	for (int i = 0; i < CONNECTIONS; i++)
		(void)crowd_add(crowd, i ? daemon_connect(server) : wire, EPOLLOUT);
	for (;;) {
		int n_ready = epoll_wait(crowd, ready, READY_MAX, -1);

		for (int i = 0; i < n_ready; i++) {
			ssize_t n = send(ready[i].data.fd, bytes, sizeof(bytes), MSG_NOSIGNAL | MSG_DONTWAIT);

			step(n);
			if (n >= 0 || errno == EAGAIN)
				continue;
			close(ready[i].data.fd);
			(void)crowd_add(crowd, daemon_connect(server), EPOLLOUT);
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
	struct epoll_event ready[READY_MAX];
	int crowd = crowd_new(), fds[CONNECTIONS];

	for (int i = 0; i < CONNECTIONS; i++)
		fds[i] = crowd_add(crowd, i ? daemon_connect(server) : wire, EPOLLIN);
	for (int i = 0; i < CONNECTIONS; i++)
		(void)!send(fds[i], LIST, sizeof(LIST), MSG_NOSIGNAL);
	for (;;) {
		int n_ready = epoll_wait(crowd, ready, READY_MAX, -1);

		for (int i = 0; i < n_ready; i++) {
			ssize_t n = recv(ready[i].data.fd, bytes, sizeof(bytes), MSG_DONTWAIT);

			step(n);
			if (n > 0 && bytes[n - 1] == '\0')
				(void)!send(ready[i].data.fd, LIST, sizeof(LIST), MSG_NOSIGNAL);
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
		step(1);
	}
}

/* Connections that get all that is told of a task, and read it. */
static void follow(struct wire *wire, const char *message)
{
	enum { CONNECTIONS = 1000 };
	static char bytes[65536];
	struct epoll_event ready[READY_MAX];
	ssize_t size = (ssize_t)strlen(message) + 1;
	int crowd = crowd_new();

	for (int i = 0; i < CONNECTIONS; i++) {
		int fd = crowd_add(crowd, i ? daemon_connect(server) : wire, EPOLLIN);

		if (i > 0 && send(fd, message, (size_t)size, MSG_NOSIGNAL) != size)
			die("following: %s", strerror(errno));
	}
	for (;;) {
		int n_ready = epoll_wait(crowd, ready, READY_MAX, -1);

		for (int i = 0; i < n_ready; i++)
			step(recv(ready[i].data.fd, bytes, sizeof(bytes), MSG_DONTWAIT));
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
	for (int i = 0;; i++, step(1)) {
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
	for (;; step(1))
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

const struct attack attacks[] = {
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
const size_t n_attacks = sizeof(attacks) / sizeof(attacks[0]);

/* ---- Its processes ---- */

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

/* They take of all processors what others leave. */
static void get_behind(void)
{
	static const struct sched_param none;

	if (sched_setscheduler(0, SCHED_IDLE, &none) < 0)
		die("sched_setscheduler: %s", strerror(errno));
	processors_stay_anywhere(0);
}

pid_t attack_begin(void)
{
	pid_t leader = fork_or_die();

	if (leader > 0)
		return leader;
	(void)setpgid(0, 0);
	get_behind();
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

void attack_end(pid_t leader)
{
	if (waitpid(leader, NULL, WNOHANG) != 0)
		die("%s ended by itself", attack->name);
	kill(-leader, SIGKILL);
	(void)waitpid(leader, NULL, 0);
}

int64_t attack_steps(void)
{
	return atomic_load(steps);
}

/* ---- What they want beside ---- */

void attack_open(const struct attack *next)
{
	attack = next;
	if (attack->server)
		attacker = sim_start(attack->server);
	if (attack->answer_bytes)
		sim_control(attacker, "{'fixed_answer':'%0*d'}", (int)attack->answer_bytes, 0);
}

void attack_close(void)
{
	if (attack->server)
		sim_stop(attacker);
}

static void upload(struct wire *wire, void *userdata)
{
	(void)userdata;
	json_object_put(wire_call(wire, "CreateCollection", "{'collection':{'name':'many'}}"));
	for (int i = 0; i < LIST_ROWS; i++)
		json_object_put(wire_call(wire, "AddTemplateVariables",
					  "{'collection':{'name':'many'},'variables':"
					  "[{'text':'%01000d'}]}", i));
}

void attacks_prepare(struct daemon *daemon, struct sim *everybodys)
{
	server = daemon;
	endpoint = everybodys;
	steps = mmap(NULL, sizeof(*steps), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (steps == MAP_FAILED)
		die("mmap: %s", strerror(errno));
	as_other_user(server, upload, NULL);
}
