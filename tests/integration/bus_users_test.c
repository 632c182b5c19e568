/*
 * A system's daemon on a bus of type system, with the policy file that is installed: every user
 * may ask, and learns nothing of another's tasks, neither by a call nor by a signal; nobody else
 * may own the name. A second user is a process that has become one, so root is needed.
 */
#include <grp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/integration/system_bus.h"

#define OTHER_UID 65534
#define GROUP "games" // of Debian's base system

static int on_any_signal(sd_bus_message *message, void *userdata, sd_bus_error *error)
{
	(void)error;
	if (sd_bus_message_get_sender(message) &&
	    strncmp(sd_bus_message_get_path(message), PATH, strlen(PATH)) == 0)
		++*(int *)userdata;
	return 0;
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
	return RUN_SUITE(users_are_apart, newcomers_are_apart, the_group_is_let_through,
			 a_gio_proxy_and_an_eavesdropper, unused_sockets_are_few);
}
