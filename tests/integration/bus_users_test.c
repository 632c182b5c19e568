/*
 * A system's daemon on a bus of type system, with the policy file that is installed: every user
 * may ask, and learns nothing of another's tasks, neither by a call nor by a signal; nobody else
 * may own the name. A second user is a process that has become one, so root is needed.
 */
#include <errno.h>
#include <grp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <systemd/sd-bus.h>
#include <unistd.h>

#include "tests/harness/bus.h"
#include "tests/harness/suite.h"

#define NAME "org.elluminate.Elluminate1"
#define PATH "/org/elluminate/Elluminate1"
#define MANAGER NAME ".Manager"
#define OTHER_UID 65534
#define GROUP "games" // of Debian's base system

static struct message_bus *message_bus;
static struct daemon *server;

static void must(bool condition, const char *what)
{
	if (!condition)
		die("%s", what);
}

static sd_bus *connect_bus(void)
{
	sd_bus *client = NULL;

	must(sd_bus_new(&client) >= 0, "sd_bus_new");
	must(sd_bus_set_address(client, message_bus_address(message_bus)) >= 0, "address");
	must(sd_bus_set_bus_client(client, 1) >= 0, "client");
	must(sd_bus_start(client) >= 0, "start");
	return client;
}

static void start(const char *config)
{
	message_bus = message_bus_start(/* system= */ true);
	server = daemon_start(&(struct daemon_options) {
		.bus = true,
		.config = config,
		.arguments = (const char *[]) { "--system", NULL },
		.environment = (const char *[]) { message_bus_variable(message_bus), NULL } });
}

/* A text answer of the manager; NULL with the error's name in *ret_error. */
static const char *ask(sd_bus *client, const char *method, const char *parameters,
		       const char **ret_error)
{
	sd_bus_error error = SD_BUS_ERROR_NULL;
	sd_bus_message *reply = NULL;
	const char *answer = NULL;

	if (sd_bus_call_method(client, NAME, PATH, MANAGER, "Call", &error, &reply, "ss", method,
			       parameters) < 0)
		*ret_error = text("%s", error.name);
	else
		must(sd_bus_message_read(reply, "s", &answer) >= 0, "the answer is a text");
	return answer;
}

static struct wire *take_socket(sd_bus_message *reply)
{
	int fd;

	must(sd_bus_message_read(reply, "h", &fd) > 0, "the answer is a descriptor");
	fd = dup(fd);
	must(fd >= 0, "dup");
	return wire_take(fd);
}

static struct wire *open_socket(sd_bus *client)
{
	sd_bus_message *reply = NULL;
	struct wire *wire;

	must(sd_bus_call_method(client, NAME, PATH, MANAGER, "OpenSocket", NULL, &reply, "") >= 0,
	     "anyone may open a socket");
	wire = take_socket(reply);
	sd_bus_message_unref(reply);
	return wire;
}

/* Whether a call on it has an answer; else its error must be this. */
static bool answers(struct wire *wire, const char *error, const char *method, const char *parameters)
{
	json_object *reply;
	bool answered;

	wire_start(wire, "", method, "%s", parameters);
	reply = wire_next(wire);
	answered = !at_has(reply, "error");
	must(answered || at_is(reply, "error", error), method);
	json_object_put(reply);
	return answered;
}

/* Over a socket that was handed over: what the caller may is what it may over the bus. */
static void ask_on_socket(sd_bus *client, int64_t id, bool may_see, bool may_administer)
{
	struct wire *wire = open_socket(client);
	json_object *tasks;

	must(answers(wire, "org.elluminate.NotFound", "GetTask", text("{\"id\":%lld}", (long long)id)) == may_see,
	     "the task on the socket");
	tasks = wire_call(wire, "ListTasks", "{}");
	must((at_count(tasks, "items") > 0) == may_see, "the list on the socket");
	json_object_put(tasks);
	must(answers(wire, "org.varlink.service.PermissionDenied", "Drain", "{\"undo\":true}") == may_administer,
	     "administration on the socket");
	wire_close(wire);
}

static int on_any_signal(sd_bus_message *message, void *userdata, sd_bus_error *error)
{
	(void)error;
	if (sd_bus_message_get_sender(message) &&
	    strncmp(sd_bus_message_get_path(message), PATH, strlen(PATH)) == 0)
		++*(int *)userdata;
	return 0;
}

static int64_t task_of_root(sd_bus *client)
{
	char *request = experiment_request(&(struct experiment) { .rows = 3 });
	sd_bus_error error = SD_BUS_ERROR_NULL;
	sd_bus_message *reply = NULL;
	const char *path;
	int r = sd_bus_call_method(client, NAME, PATH, MANAGER, "RunExperiment", &error, &reply,
				   "sa{sv}", request, 0);

	ck_assert_msg(r >= 0, "%s", error.message);
	ck_assert_int_ge(sd_bus_message_read(reply, "o", &path), 0);
	free(request);
	return strtoll(strrchr(path, '/') + 1, NULL, 10);
}

/* What the other user does, on pipes: says when it listens, is told a task, says how it went. */
static void be_other(int in, int out, const char *group, bool may_see)
{
	const struct group *entry = group ? getgrnam(group) : NULL;
	const gid_t gid = entry ? entry->gr_gid : OTHER_UID;
	const char *error = "";
	const char *answer;
	sd_bus *client;
	int signals = 0;
	int64_t id;

	must(setgroups(1, &gid) == 0 && setgid(OTHER_UID) == 0 && setuid(OTHER_UID) == 0, "setuid");
	client = connect_bus();
	must(sd_bus_add_match(client, NULL, "type='signal',interface='" NAME ".Task'", on_any_signal,
			      &signals) >= 0, "match");
	must(sd_bus_call_method(client, NAME, PATH, MANAGER, "Subscribe", NULL, NULL, "") >= 0,
	     "anyone may subscribe");
	must(sd_bus_request_name(client, NAME, 0) < 0, "the name is the daemon's alone");
	must(write(out, "L", 1) == 1, "write");
	must(read(in, &id, sizeof(id)) == sizeof(id), "read");
	answer = ask(client, "GetTask", text("{\"id\":%lld}", (long long)id), &error);
	if (may_see)
		must(answer != NULL, "the group sees everybody's tasks");
	else
		must(!answer && strcmp(error, "org.elluminate.Error.NotFound") == 0,
		     "another's task is not to be found");
	answer = ask(client, "ListTasks", "{}", &error);
	must(answer && (strstr(answer, "\"items\":[]") == NULL) == may_see, "the list of tasks");
	answer = ask(client, "Drain", "{}", &error);
	if (!may_see)
		must(!answer && strcmp(error, "org.elluminate.Error.PermissionDenied") == 0,
		     error);
	ask_on_socket(client, id, may_see, may_see);
	while (sd_bus_process(client, NULL) > 0)
		;
	must((signals > 0) == may_see, "signals");
	exit(EXIT_SUCCESS);
}

static void with_other(const char *group, bool may_see)
{
	sd_bus *client = connect_bus();
	int to_other[2], from_other[2], status;
	int64_t id;
	char byte;
	pid_t pid;

	ck_assert_int_eq(pipe(to_other) | pipe(from_other), 0);
	pid = fork();
	if (pid == 0)
		be_other(to_other[0], from_other[1], group, may_see);
	close(from_other[1]);
	ck_assert_int_eq(read(from_other[0], &byte, 1), 1);
	id = task_of_root(client);
	json_object_put(task_await(server, id));
	ck_assert_int_eq(write(to_other[1], &id, sizeof(id)), sizeof(id));
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	sd_bus_unref(client);
}

START_TEST(users_are_apart)
{
	start(NULL);
	with_other(NULL, /* may_see= */ false);
}
END_TEST

static int on_answer(sd_bus_message *message, void *userdata, sd_bus_error *error)
{
	const sd_bus_error *refusal = sd_bus_message_get_error(message);

	(void)error;
	ck_assert_msg(!refusal, "%s", refusal->message);
	--*(int *)userdata;
	return 0;
}

#define REQUESTS 4 // of one user at a time

/* Whom the bus has not told of yet is not in the way of another newcomer. */
START_TEST(newcomers_are_apart)
{
	sd_bus *clients[2 * REQUESTS];
	int n = 2 * REQUESTS;

	start(text("[front]\nmax_requests_per_user = %d\n", REQUESTS));
	for (int i = 0; i < 2 * REQUESTS; i++) {
		const char *name;

		ck_assert_int_eq(seteuid(i % 2 ? OTHER_UID : 0), 0);
		clients[i] = connect_bus();
		ck_assert_int_ge(sd_bus_get_unique_name(clients[i], &name), 0);
		ck_assert_int_eq(seteuid(0), 0);
	}
	daemon_signal(server, SIGSTOP);
	for (int i = 0; i < 2 * REQUESTS; i++) {
		ck_assert_int_ge(sd_bus_call_method_async(clients[i], NULL, NAME, PATH, MANAGER, "Call",
							  on_answer, &n, "ss", "GetStatus", "{}"), 0);
		ck_assert_int_ge(sd_bus_flush(clients[i]), 0);
	}
	daemon_signal(server, SIGCONT);
	while (n > 0)
		for (int i = 0; i < 2 * REQUESTS; i++) {
			while (sd_bus_process(clients[i], NULL) > 0)
				;
			(void)sd_bus_wait(clients[i], 10000);
		}
}
END_TEST

START_TEST(the_group_is_let_through)
{
	start("[daemon]\nadministrator_group = " GROUP "\n");
	with_other(GROUP, /* may_see= */ true);
}
END_TEST

/* ---- Other people's programs ---- */

static char *simulated(const char *name, int seconds)
{
	return experiment_request(&(struct experiment) { .rows = 2, .name = name, .more =
		text("\"llm_config\":{\"content\":{\"name\":\"takes %d\",\"provider\":\"simulated\","
		     "\"custom\":{\"latency_seconds\":%d}}}", seconds, seconds) });
}

/* Records what dbus-monitor shows to another user, from when it shows anything. */
static pid_t start_monitor(const char *record)
{
	int fds[2];
	char byte;
	pid_t pid;

	ck_assert_int_eq(pipe(fds), 0);
	pid = fork();
	if (pid == 0) {
		must(setgid(OTHER_UID) == 0 && setuid(OTHER_UID) == 0, "setuid");
		must(dup2(fds[1], STDOUT_FILENO) >= 0, "dup2");
		execlp("stdbuf", "stdbuf", "-oL", "dbus-monitor", "--address",
		       message_bus_address(message_bus), "type='signal'", NULL);
		_exit(EXIT_FAILURE);
	}
	close(fds[1]);
	ck_assert_int_eq(read(fds[0], &byte, 1), 1);
	if (fork() == 0) { // keeps what comes until the monitor ends
		FILE *out = fopen(record, "w");
		char text_read[4096];
		ssize_t n;

		while (out && (n = read(fds[0], text_read, sizeof(text_read))) > 0)
			(void)fwrite(text_read, 1, (size_t)n, out);
		exit(out && fclose(out) == 0 ? EXIT_SUCCESS : EXIT_FAILURE);
	}
	close(fds[0]);
	return pid;
}

/* A GIO proxy submits, watches and cancels on the system's bus, while another user's dbus-monitor
 * records everything that the bus shows it: the proxy is told, the other user learns nothing. */
START_TEST(a_gio_proxy_and_an_eavesdropper)
{
	const char *record = dir_path(dir_new(), "record");
	char *recorded;
	pid_t monitor, proxy;
	int status;

	if (!getenv("ELLU_TEST_ALL"))
		return; // needs what tests/packages-all installs
	start(NULL);
	monitor = start_monitor(record);
	proxy = fork();
	if (proxy == 0) {
		must(putenv((char *)message_bus_variable(message_bus)) == 0, "putenv");
		execl("/usr/bin/python3", "python3", GIO_CLIENT_PATH, simulated("Quick", 0),
		      simulated("Slow", 3600), "system", NULL);
		_exit(EXIT_FAILURE);
	}
	ck_assert_int_eq(waitpid(proxy, &status, 0), proxy);
	ck_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	/* The bus tells everybody that the proxy has gone: all before that has been shown. */
	ck_assert_int_eq(kill(monitor, SIGTERM), 0);
	ck_assert_int_ge(waitpid(-1, &status, 0), 0);
	ck_assert_int_ge(waitpid(-1, &status, 0), 0);
	recorded = file_read(record, NULL);
	ck_assert_ptr_nonnull(recorded);
	ck_assert_ptr_nonnull(strstr(recorded, "NameAcquired"));
	ck_assert_ptr_null(strstr(recorded, NAME ".Task"));
	ck_assert_ptr_null(strstr(recorded, PATH));
	free(recorded);
}
END_TEST

/* ---- polkit ---- */

/* What the stand-in for polkit answers. */
enum verdict {
	NO,
	YES,
	YES_TO_A_TASK, // when it is told that the call is GetTask of task 1, and only then
};

/* The details: what is asked, and the sentence that a dialogue shows. */
static bool is_of_a_task(sd_bus_message *message)
{
	const char *key, *value, *method = "", *resource = "", *sentence = "";

	must(sd_bus_message_enter_container(message, 'a', "{ss}") >= 0, "details");
	while (sd_bus_message_read(message, "{ss}", &key, &value) > 0) {
		if (strcmp(key, "method") == 0)
			method = value;
		else if (strcmp(key, "resource") == 0)
			resource = value;
		else if (strcmp(key, "polkit.message") == 0)
			sentence = value;
	}
	must(!method[0] == !sentence[0], "a call has a sentence");
	must(!sentence[0] || strstr(sentence, "$(method)"), "the sentence says which");
	return strcmp(method, "GetTask") == 0 && strcmp(resource, "task 1") == 0;
}

static int on_check(sd_bus_message *message, void *userdata, sd_bus_error *error)
{
	const char *kind, *key, *name, *action;
	const enum verdict *verdict = userdata;
	bool of_a_task;

	(void)error;
	must(sd_bus_message_enter_container(message, 'r', "sa{sv}") >= 0 &&
		     sd_bus_message_read(message, "s", &kind) >= 0 &&
		     sd_bus_message_enter_container(message, 'a', "{sv}") >= 0 &&
		     sd_bus_message_enter_container(message, 'e', "sv") > 0 &&
		     sd_bus_message_read(message, "sv", &key, "s", &name) >= 0 &&
		     sd_bus_message_exit_container(message) >= 0 &&
		     sd_bus_message_exit_container(message) >= 0 &&
		     sd_bus_message_exit_container(message) >= 0 &&
		     sd_bus_message_read(message, "s", &action) >= 0,
	     "polkit's arguments");
	must(strcmp(kind, "system-bus-name") == 0 && name[0] == ':' &&
		     strcmp(action, NAME ".administer") == 0,
	     "who asks for what");
	of_a_task = is_of_a_task(message);
	return sd_bus_reply_method_return(message, "(bba{ss})",
					  *verdict == YES || (*verdict == YES_TO_A_TASK && of_a_task),
					  0, 0);
}

/* Says that something has changed, then answers every question, until it is killed. */
static pid_t stand_in_for_polkit(enum verdict verdict)
{
	int fds[2];
	char byte;
	pid_t pid;

	ck_assert_int_eq(pipe(fds), 0);
	pid = fork();
	if (pid == 0) {
		static const sd_bus_vtable table[] = {
			SD_BUS_VTABLE_START(0),
			SD_BUS_METHOD("CheckAuthorization", "(sa{sv})sa{ss}us", "(bba{ss})",
				      on_check, SD_BUS_VTABLE_UNPRIVILEGED),
			SD_BUS_SIGNAL("Changed", "", 0),
			SD_BUS_VTABLE_END,
		};
		static const char path[] = "/org/freedesktop/PolicyKit1/Authority";
		static const char authority[] = "org.freedesktop.PolicyKit1.Authority";
		sd_bus *client = connect_bus();

		must(sd_bus_add_object_vtable(client, NULL, path, authority, table, &verdict) >= 0,
		     "vtable");
		must(sd_bus_request_name(client, "org.freedesktop.PolicyKit1", 0) > 0, "name");
		must(sd_bus_emit_signal(client, path, authority, "Changed", "") >= 0, "Changed");
		/* The bus has passed it on before it answers this. */
		must(sd_bus_call_method(client, "org.freedesktop.DBus", "/org/freedesktop/DBus",
					"org.freedesktop.DBus", "GetId", NULL, NULL, "") >= 0, "GetId");
		must(write(fds[1], "R", 1) == 1, "write");
		while (sd_bus_process(client, NULL) >= 0 && sd_bus_wait(client, UINT64_MAX) >= 0)
			;
		exit(EXIT_SUCCESS);
	}
	ck_assert_int_eq(read(fds[0], &byte, 1), 1);
	return pid;
}

static void end_stand_in(pid_t polkit)
{
	int status;

	ck_assert_int_eq(kill(polkit, SIGKILL), 0);
	ck_assert_int_eq(waitpid(polkit, &status, 0), polkit);
}

static bool lists(sd_bus *client, const char *method)
{
	const char *error = "";
	const char *answer = ask(client, method, "{}", &error);

	must(answer != NULL, method);
	return strstr(answer, "\"items\":[]") == NULL;
}

static bool has_objects(sd_bus *client)
{
	sd_bus_message *reply = NULL;
	bool any;

	must(sd_bus_call_method(client, NAME, PATH, "org.freedesktop.DBus.ObjectManager",
				"GetManagedObjects", NULL, &reply, "") >= 0, "GetManagedObjects");
	must(sd_bus_message_enter_container(reply, 'a', "{oa{sa{sv}}}") >= 0, "objects");
	any = sd_bus_message_at_end(reply, false) == 0;
	sd_bus_message_unref(reply);
	return any;
}

/* Another user asks for what is root's, and to drain the daemon. */
static void be_authorised(int64_t id, enum verdict verdict)
{
	const char *error = "";
	const char *task = text("{\"id\":%lld}", (long long)id);
	sd_bus *client;

	must(setgid(OTHER_UID) == 0 && setuid(OTHER_UID) == 0, "setuid");
	client = connect_bus();
	must((ask(client, "GetTask", task, &error) != NULL) == (verdict != NO),
	     "the task is seen as polkit says");
	must((ask(client, "Drain", "{\"undo\":true}", &error) != NULL) == (verdict == YES),
	     "the daemon is administered as polkit says");
	must(lists(client, "ListTasks") == (verdict == YES) &&
		     lists(client, "ListExperiments") == (verdict == YES) &&
		     has_objects(client) == (verdict == YES),
	     "lists and objects are those of whom polkit lets administer");
	/* On a socket polkit is not asked about a call in particular. */
	ask_on_socket(client, id, verdict == YES, verdict == YES);
	must((ask(client, "CancelTask", task, &error) != NULL) == (verdict == YES),
	     "the task is steered as polkit says");
	exit(EXIT_SUCCESS);
}

START_TEST(polkit_decides)
{
	static const enum verdict verdicts[] = { NO, YES_TO_A_TASK, YES };
	sd_bus *client;
	const char *path;
	sd_bus_message *reply = NULL;

	start(NULL);
	client = connect_bus();
	ck_assert_int_ge(sd_bus_call_method(client, NAME, PATH, MANAGER, "RunExperiment", NULL, &reply,
					    "sa{sv}", simulated("Slow", 3600), 0), 0);
	ck_assert_int_ge(sd_bus_message_read(reply, "o", &path), 0);
	ck_assert_str_eq(path, PATH "/task/1");
	for (size_t i = 0; i < 3; i++) {
		pid_t polkit = stand_in_for_polkit(verdicts[i]), other = fork();
		int status;

		if (other == 0)
			be_authorised(1, verdicts[i]);
		ck_assert_int_eq(waitpid(other, &status, 0), other);
		ck_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0);
		end_stand_in(polkit);
	}
}
END_TEST

/* A caller is what polkit says at present; a socket that it got as more than it is now ends, also
 * under a call, and one that it got as itself stays. */
START_TEST(polkit_changes_its_mind)
{
	int to_other[2], from_other[2], status;
	pid_t other, polkit;
	char byte;

	start(NULL);
	(void)task_of_root(connect_bus());
	ck_assert_int_eq(pipe(to_other) | pipe(from_other), 0);
	other = fork();
	if (other == 0) {
		struct wire *idle = NULL, *busy = NULL, *own;
		const char *message;
		sd_bus *client;

		must(setgid(OTHER_UID) == 0 && setuid(OTHER_UID) == 0, "setuid");
		client = connect_bus();
		own = open_socket(client);
		for (int i = 0; i < 3; i++) {
			must(lists(client, "ListTasks") == (i == 1), "the list as polkit says now");
			must(!answers(own, "org.elluminate.NotFound", "GetTask", "{\"id\":1}"), "its own socket");
			if (i == 1) {
				idle = open_socket(client);
				busy = open_socket(client);
				must(answers(idle, "", "GetTask", "{\"id\":1}"), "the task is seen");
				wire_start(busy, "'more':true", "Monitor", "{}");
			} else if (i == 2) {
				must(wire_receive(idle, WAIT_SECONDS, &message) == WIRE_CLOSED,
				     "the socket ends");
				while (wire_receive(busy, WAIT_SECONDS, &message) == WIRE_MESSAGE)
					;
				must(wire_receive(busy, 0, &message) == WIRE_CLOSED,
				     "the stream ends");
			}
			must(write(from_other[1], "L", 1) == 1, "write");
			must(read(to_other[0], &byte, 1) == 1, "read");
		}
		exit(EXIT_SUCCESS);
	}
	close(from_other[1]);
	for (int i = 0; i < 3; i++) {
		ck_assert_int_eq(read(from_other[0], &byte, 1), 1);
		if (i > 0)
			end_stand_in(polkit);
		polkit = stand_in_for_polkit(i == 0 ? YES : NO);
		ck_assert_int_eq(write(to_other[1], "G", 1), 1);
	}
	ck_assert_int_eq(waitpid(other, &status, 0), other);
	ck_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	end_stand_in(polkit);
}
END_TEST

/* Without the bus polkit cannot say that it has changed its mind: what it lent ends, all else stays. */
START_TEST(what_polkit_lent_ends_with_the_bus)
{
	const char *message;
	pid_t other, polkit;
	struct wire *own;
	int fds[2], status;
	char byte;

	start(NULL);
	polkit = stand_in_for_polkit(YES);
	own = open_socket(connect_bus());
	ck_assert_int_eq(pipe(fds), 0);
	other = fork();
	if (other == 0) {
		struct wire *lent;

		must(setgid(OTHER_UID) == 0 && setuid(OTHER_UID) == 0, "setuid");
		lent = open_socket(connect_bus());
		must(answers(lent, "", "Drain", "{\"undo\":true}"), "it administers");
		must(write(fds[1], "L", 1) == 1, "write");
		must(wire_receive(lent, WAIT_SECONDS, &message) == WIRE_CLOSED, "the socket ends");
		exit(EXIT_SUCCESS);
	}
	close(fds[1]);
	ck_assert_int_eq(read(fds[0], &byte, 1), 1);
	message_bus_kill(message_bus);
	ck_assert_int_eq(waitpid(other, &status, 0), other);
	ck_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	ck_assert(answers(own, "", "Drain", "{\"undo\":true}"));
	end_stand_in(polkit);
}
END_TEST

/* ---- Sockets that nobody uses ---- */

#define UNUSED_MAX 16

struct opened {
	struct wire *wires[UNUSED_MAX + 2];
	int n;
};

static int on_opened(sd_bus_message *message, void *userdata, sd_bus_error *error)
{
	struct opened *opened = userdata;

	(void)error;
	must(!sd_bus_message_is_method_error(message, NULL), "a socket is opened");
	opened->wires[opened->n++] = take_socket(message);
	return 1;
}

/* They lie in the bus, for all the daemon knows: who has enough of them waits for the next one until
 * one is used, or is gone. */
START_TEST(unused_sockets_are_few)
{
	struct opened opened = { .n = 0 };
	const char *error;
	sd_bus *client;

	start(NULL);
	client = connect_bus();
	for (int i = 0; i < UNUSED_MAX + 2; i++)
		ck_assert_int_ge(sd_bus_call_method_async(client, NULL, NAME, PATH, MANAGER, "OpenSocket",
							  on_opened, &opened, ""), 0);
	while (opened.n < UNUSED_MAX)
		must(sd_bus_process(client, NULL) >= 0 && sd_bus_wait(client, 100000) >= 0, "process");
	ck_assert_ptr_nonnull(ask(client, "GetStatus", "{}", &error));
	while (sd_bus_process(client, NULL) > 0)
		;
	ck_assert_int_eq(opened.n, UNUSED_MAX);
	json_object_put(wire_call(opened.wires[0], "GetStatus", "{}"));
	wire_close(opened.wires[1]);
	while (opened.n < UNUSED_MAX + 2)
		must(sd_bus_process(client, NULL) >= 0 && sd_bus_wait(client, 100000) >= 0, "process");
	json_object_put(wire_call(opened.wires[UNUSED_MAX + 1], "GetStatus", "{}"));
	sd_bus_unref(client);
}
END_TEST

int main(void)
{
	if (!message_bus_is_there() || geteuid() != 0)
		return EXIT_SKIPPED;
	return RUN_SUITE(users_are_apart, newcomers_are_apart, the_group_is_let_through, polkit_decides,
			 polkit_changes_its_mind, what_polkit_lent_ends_with_the_bus,
			 unused_sockets_are_few, a_gio_proxy_and_an_eavesdropper);
}
