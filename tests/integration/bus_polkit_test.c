/*
 * What polkit lets a user do on a system's daemon, by a stand-in that answers as it is told; a second user is a
 * process that has become one, so root is needed.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/integration/system_bus.h"

#define OTHER_UID 65534
#define POLKIT_PATH "/org/freedesktop/PolicyKit1/Authority"
#define POLKIT_AUTHORITY "org.freedesktop.PolicyKit1.Authority"

/* What the stand-in for polkit answers. */
enum verdict {
	NO,
	YES,
	YES_TO_A_TASK, // when it is told that the call is GetTask of task 1, and only then
	YES_AND_THEN_NO, // it has changed its mind before its first answer is there
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
	enum verdict *verdict = userdata, now = *verdict;
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
	if (now == YES_AND_THEN_NO) {
		must(sd_bus_emit_signal(sd_bus_message_get_bus(message), POLKIT_PATH, POLKIT_AUTHORITY,
					"Changed", "") >= 0, "Changed");
		*verdict = NO;
	}
	return sd_bus_reply_method_return(message, "(bba{ss})",
					  now == YES || now == YES_AND_THEN_NO ||
						  (now == YES_TO_A_TASK && of_a_task), 0, 0);
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
		sd_bus *client = connect_bus();

		must(sd_bus_add_object_vtable(client, NULL, POLKIT_PATH, POLKIT_AUTHORITY, table, &verdict) >= 0,
		     "vtable");
		must(sd_bus_request_name(client, "org.freedesktop.PolicyKit1", 0) > 0, "name");
		must(sd_bus_emit_signal(client, POLKIT_PATH, POLKIT_AUTHORITY, "Changed", "") >= 0, "Changed");
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

/* What it said before counts for nothing, and not for the call that it was asked for. */
START_TEST(polkit_changes_its_mind_meanwhile)
{
	pid_t other, polkit;
	int status;

	start(NULL);
	(void)task_of_root(connect_bus());
	polkit = stand_in_for_polkit(YES_AND_THEN_NO);
	other = fork();
	if (other == 0) {
		must(setgid(OTHER_UID) == 0 && setuid(OTHER_UID) == 0, "setuid");
		must(!lists(connect_bus(), "ListTasks"), "the list as polkit says now");
		exit(EXIT_SUCCESS);
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

int main(void)
{
	if (!message_bus_is_there() || geteuid() != 0)
		return EXIT_SKIPPED;
	return RUN_SUITE(polkit_decides, polkit_changes_its_mind, polkit_changes_its_mind_meanwhile,
			 what_polkit_lent_ends_with_the_bus);
}
