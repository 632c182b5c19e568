/* The D-Bus front on a real bus: the manager's methods, tasks as objects, signals, errors. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-bus.h>
#include <unistd.h>

#include "tests/integration/session_bus.h"

/* ---- Signals ---- */

struct seen {
	char path[64];
	char statuses[256];
	uint64_t last_sequence;
	bool in_order;
	int logs;
	int properties;
	int added, removed;
};

static int on_signal(sd_bus_message *message, void *userdata, sd_bus_error *error)
{
	struct seen *seen = userdata;
	const char *member = sd_bus_message_get_member(message), *status;
	uint64_t sequence;

	(void)error;
	seen->added += strcmp(member, "InterfacesAdded") == 0;
	seen->removed += strcmp(member, "InterfacesRemoved") == 0;
	if (seen->path[0] && strcmp(sd_bus_message_get_path(message), seen->path) != 0)
		return 0;
	seen->properties += strcmp(member, "PropertiesChanged") == 0;
	if (strcmp(member, "StatusChanged") == 0) {
		ck_assert_int_ge(sd_bus_message_read(message, "ts", &sequence, &status), 0);
		snprintf(seen->statuses + strlen(seen->statuses),
			 sizeof(seen->statuses) - strlen(seen->statuses), "%s ", status);
	} else if (strcmp(member, "LogAppended") == 0) {
		ck_assert_int_ge(sd_bus_message_read(message, "t", &sequence), 0);
		seen->logs++;
	} else {
		return 0;
	}
	seen->in_order = seen->in_order && sequence > seen->last_sequence;
	seen->last_sequence = sequence;
	return 0;
}

static void listen_to(struct seen *seen)
{
	*seen = (struct seen){ .in_order = true };
	ck_assert_int_ge(sd_bus_add_match(client, NULL, "type='signal',sender='" NAME "'", on_signal,
					  seen), 0);
}

/* Processes until the text is among the statuses, and so many objects were removed. */
static void await(const struct seen *seen, const char *status, int removed)
{
	double deadline = now_seconds() + WAIT_SECONDS;

	while (!strstr(seen->statuses, status) || seen->removed < removed) {
		int r = sd_bus_process(client, NULL);

		ck_assert_int_ge(r, 0);
		ck_assert_msg(now_seconds() < deadline, "only: %s", seen->statuses);
		if (r == 0)
			ck_assert_int_ge(sd_bus_wait(client, 100000), 0);
	}
}

static char *submit_named(const char *name, const char *url)
{
	char *request = experiment_request(&(struct experiment) { .rows = 20, .n_criteria = 1,
								  .name = name, .url = url });
	sd_bus_message *reply = call(PATH, MANAGER, "RunExperiment", "sa{sv}", request, 1,
				     "priority", "s", "interactive");
	const char *path;
	char *copy;

	ck_assert_int_ge(sd_bus_message_read(reply, "o", &path), 0);
	copy = text("%s", path);
	sd_bus_message_unref(reply);
	free(request);
	return copy;
}

static char *submit(const char *url)
{
	return submit_named(NULL, url);
}

START_TEST(run_and_watch)
{
	struct seen seen;
	const char *value;
	double percent;
	char *path;

	start();
	listen_to(&seen);
	path = submit(NULL);
	ck_assert(strncmp(path, PATH "/task/", strlen(PATH "/task/")) == 0);
	await(&seen, "SUCCESS", 1);
	ck_assert(seen.in_order);
	ck_assert_int_gt(seen.properties, 0);
	ck_assert_int_eq(seen.added, 1);
	/* An object that has gone from the manager's list still answers. */
	ck_assert_int_ge(sd_bus_get_property_trivial(client, NAME, path, TASK, "PercentComplete",
						     NULL, 'd', &percent), 0);
	ck_assert_double_eq(percent, 100);
	ck_assert_int_ge(sd_bus_get_property_string(client, NAME, path, TASK, "Status", NULL,
						    (char **)&value), 0);
	ck_assert_str_eq(value, "SUCCESS");
}
END_TEST

START_TEST(list_call_cancel)
{
	struct sim *sim = sim_start((const char *[]) { "--hang_rate=1", NULL });
	struct seen seen;
	sd_bus_message *reply;
	const char *first, *json;
	char *path;

	start();
	listen_to(&seen);
	path = submit(sim_url(sim));
	await(&seen, "STARTED", 0);
	reply = call(PATH, MANAGER, "ListTasks", "a{sv}", 1, "status", "s", "STARTED");
	ck_assert_int_ge(sd_bus_message_enter_container(reply, 'a', "o"), 0);
	ck_assert_int_gt(sd_bus_message_read(reply, "o", &first), 0);
	ck_assert_str_eq(first, path);
	sd_bus_message_unref(reply);
	reply = call(PATH, MANAGER, "Call", "ss", "GetStatus", "{}");
	ck_assert_int_ge(sd_bus_message_read(reply, "s", &json), 0);
	ck_assert_ptr_nonnull(strstr(json, "\"uptime_seconds\""));
	sd_bus_message_unref(reply);
	reply = call(PATH, "org.freedesktop.DBus.ObjectManager", "GetManagedObjects", "");
	ck_assert_int_ge(sd_bus_message_enter_container(reply, 'a', "{oa{sa{sv}}}"), 0);
	ck_assert_int_gt(sd_bus_message_enter_container(reply, 'e', "oa{sa{sv}}"), 0);
	ck_assert_int_gt(sd_bus_message_read(reply, "o", &first), 0);
	ck_assert_str_eq(first, path);
	sd_bus_message_unref(reply);
	sd_bus_message_unref(call(PATH, MANAGER, "CancelTask", "o", path));
	await(&seen, "REVOKED", 1);
	sim_stop(sim);
}
END_TEST

START_TEST(what_is_wrong)
{
	const char *task = PATH "/task/999";

	start();
	refused("org.elluminate.Error.NotFound", PATH, MANAGER, "CancelTask", "o", task);
	refused("org.freedesktop.DBus.Error.UnknownObject", PATH "/nothing", MANAGER, "Subscribe", "");
	refused("org.freedesktop.DBus.Error.UnknownMethod", PATH, MANAGER, "Nothing", "");
	refused("org.freedesktop.DBus.Error.UnknownInterface", PATH, "a.b.C", "Subscribe", "");
	refused("org.freedesktop.DBus.Error.InvalidArgs", PATH, MANAGER, "Subscribe", "s", "x");
	refused("org.freedesktop.DBus.Error.PropertyReadOnly", task,
		"org.freedesktop.DBus.Properties", "Set", "ssv", TASK, "Status", "s", "SUCCESS");
	refused("org.freedesktop.DBus.Error.UnknownProperty", task,
		"org.freedesktop.DBus.Properties", "Get", "ss", TASK, "Nothing");
	refused("org.elluminate.Error.NotFound", task, "org.freedesktop.DBus.Properties", "GetAll", "s", TASK);
	ck_assert(daemon_is_well(server));
}
END_TEST

/* ---- What GIO and others expect ---- */

/* GIO shows an error's sentence only when nothing follows it. */
START_TEST(errors_of_call)
{
	start();
	ck_assert_str_eq(error_of("Call", "GetTask", "{\"id\":999}"), "no task with the id 999 ");
	/* It would never end, and a call on a bus has one answer. */
	ck_assert_ptr_nonnull(strstr(error_of("Call", "Monitor", "{}"), "more"));
	ck_assert_str_eq(error_of("CallDetailed", "GetTask", "{\"id\":999}"),
			 "no task with the id 999 {\"resource_type\":\"task\",\"id\":999}");
}
END_TEST

/* A long method is detached on the bus: the task is followed like any other. */
START_TEST(a_chat_completion)
{
	struct seen seen;
	sd_bus_message *reply;
	const char *json;

	start();
	listen_to(&seen);
	reply = call(PATH, MANAGER, "Call", "ss", "Call",
		     "{\"messages\":[{\"role\":\"user\",\"content\":\"Hello\"}]}");
	ck_assert_int_ge(sd_bus_message_read(reply, "s", &json), 0);
	ck_assert_ptr_nonnull(strstr(json, "\"kind\":\"call\""));
	sd_bus_message_unref(reply);
	await(&seen, "SUCCESS", 1);
}
END_TEST

/* Every proxy asks for the properties of what it stands for. */
START_TEST(properties_of_the_manager)
{
	sd_bus_message *reply;
	const char *name, *version;

	start();
	reply = call(PATH, "org.freedesktop.DBus.Properties", "GetAll", "s", MANAGER);
	ck_assert_int_gt(sd_bus_message_enter_container(reply, 'a', "{sv}"), 0);
	ck_assert_int_gt(sd_bus_message_read(reply, "{sv}", &name, "s", &version), 0);
	ck_assert_str_eq(name, "Version");
	ck_assert_str_eq(version, ELLU_VERSION);
	ck_assert_int_eq(sd_bus_message_at_end(reply, false), 1);
	sd_bus_message_unref(reply);
	reply = call(PATH, "org.freedesktop.DBus.Properties", "Get", "ss", MANAGER, "Version");
	ck_assert_int_gt(sd_bus_message_read(reply, "v", "s", &version), 0);
	sd_bus_message_unref(reply);
	refused("org.freedesktop.DBus.Error.UnknownProperty", PATH,
		"org.freedesktop.DBus.Properties", "Get", "ss", TASK, "Version");
	refused("org.freedesktop.DBus.Error.UnknownInterface", PATH,
		"org.freedesktop.DBus.Properties", "GetAll", "s", TASK);
	refused("org.freedesktop.DBus.Error.PropertyReadOnly", PATH,
		"org.freedesktop.DBus.Properties", "Set", "ssv", MANAGER, "Version", "s", "2");
}
END_TEST

static const char *text_property(const char *path, const char *name)
{
	char *value = NULL;

	ck_assert_int_ge(sd_bus_get_property_string(client, NAME, path, TASK, name, NULL, &value), 0);
	return value;
}

START_TEST(a_task_is_steered)
{
	struct sim *sim = sim_start((const char *[]) { "--hang_rate=1", NULL });
	struct seen seen;
	sd_bus_message *reply;
	const char *again;
	uint32_t owner;
	char *path;

	start();
	listen_to(&seen);
	path = submit(sim_url(sim));
	ck_assert_int_ge(sd_bus_get_property_trivial(client, NAME, path, TASK, "Owner", NULL, 'u',
						     &owner), 0);
	ck_assert_uint_eq(owner, getuid());
	sd_bus_message_unref(call(path, TASK, "Pause", ""));
	ck_assert_str_eq(text_property(path, "Hold"), "user");
	sd_bus_message_unref(call(path, TASK, "Resume", ""));
	ck_assert_str_eq(text_property(path, "Hold"), "");
	refused("org.elluminate.Error.Conflict", path, TASK, "Retry", "");
	sd_bus_message_unref(call(path, TASK, "Cancel", ""));
	await(&seen, "REVOKED", 1);
	refused("org.elluminate.Error.Conflict", path, TASK, "Pause", "");
	reply = call(path, TASK, "Retry", "");
	ck_assert_int_gt(sd_bus_message_read(reply, "o", &again), 0);
	ck_assert_str_ne(again, path);
	sd_bus_message_unref(call(again, TASK, "Cancel", ""));
	refused("org.elluminate.Error.NotFound", PATH "/task/999", TASK, "Cancel", "");
	sim_stop(sim);
}
END_TEST

/* How far a task has come, by its status. */
static int rank_of(const char *status)
{
	return strcmp(status, "PENDING") == 0 ? 0 : strcmp(status, "STARTED") == 0 ? 1 : 2;
}

#define SUBMISSIONS 40

struct ranks {
	int of[SUBMISSIONS + 8]; // by the task's id; -1: it was not shown yet
	int ended;
};

static void tell_rank(struct ranks *ranks, const char *path, const char *status)
{
	long id = strtol(strrchr(path, '/') + 1, NULL, 10);

	ck_assert_msg(rank_of(status) >= ranks->of[id], "%s after a later state of %s", status, path);
	ranks->of[id] = rank_of(status);
	ranks->ended += rank_of(status) == 2;
}

static int on_state(sd_bus_message *message, void *userdata, sd_bus_error *error)
{
	const char *member = sd_bus_message_get_member(message), *path, *name, *status;

	(void)error;
	if (strcmp(member, "StatusChanged") == 0) {
		ck_assert_int_gt(sd_bus_message_read(message, "t", NULL), 0);
		ck_assert_int_gt(sd_bus_message_read(message, "s", &status), 0);
		tell_rank(userdata, sd_bus_message_get_path(message), status);
	} else if (strcmp(member, "InterfacesAdded") == 0) {
		ck_assert_int_gt(sd_bus_message_read(message, "o", &path), 0);
		ck_assert_int_gt(sd_bus_message_enter_container(message, 'a', "{sa{sv}}"), 0);
		ck_assert_int_gt(sd_bus_message_enter_container(message, 'e', "sa{sv}"), 0);
		ck_assert_int_gt(sd_bus_message_read(message, "s", &name), 0);
		ck_assert_int_gt(sd_bus_message_enter_container(message, 'a', "{sv}"), 0);
		while (sd_bus_message_enter_container(message, 'e', "sv") > 0) {
			ck_assert_int_gt(sd_bus_message_read(message, "s", &name), 0);
			if (strcmp(name, "Status") == 0) {
				ck_assert_int_gt(sd_bus_message_read(message, "v", "s", &status), 0);
				tell_rank(userdata, path, status);
			} else {
				ck_assert_int_ge(sd_bus_message_skip(message, "v"), 0);
			}
			ck_assert_int_ge(sd_bus_message_exit_container(message), 0);
		}
	}
	return 0;
}

START_TEST(states_only_go_forward)
{
	struct ranks ranks = { .ended = 0 };

	memset(ranks.of, -1, sizeof(ranks.of));
	start();
	ck_assert_int_ge(sd_bus_add_match(client, NULL, "type='signal',sender='" NAME "'", on_state,
					  &ranks), 0);
	for (int i = 0; i < SUBMISSIONS; i++)
		(void)submit_named(text("Number %d", i), NULL);
	while (ranks.ended < SUBMISSIONS) {
		int r = sd_bus_process(client, NULL);

		ck_assert_int_ge(r, 0);
		if (r == 0)
			ck_assert_int_gt(sd_bus_wait(client, (uint64_t)(WAIT_SECONDS * 1e6)), 0);
	}
}
END_TEST

/* Who called once, and is still on the bus, is no reason to stay. */
START_TEST(a_caller_keeps_no_idle_daemon_up)
{
	message_bus = message_bus_start(/* system= */ false);
	start_daemon("[daemon]\nidle_exit_seconds = 3\n");
	connect_client();
	sd_bus_message_unref(call(PATH, MANAGER, "Subscribe", ""));
	sd_bus_message_unref(call(PATH, MANAGER, "Call", "ss", "GetStatus", "{}"));
	ck_assert_int_eq(daemon_wait(server, WAIT_SECONDS), 0);
}
END_TEST

/* ---- A socket ---- */

static struct wire *open_socket(void)
{
	sd_bus_message *reply = call(PATH, MANAGER, "OpenSocket", "");
	int fd;

	ck_assert_int_ge(sd_bus_message_read(reply, "h", &fd), 0);
	fd = dup(fd);
	ck_assert_int_ge(fd, 0);
	sd_bus_message_unref(reply);
	return wire_take(fd);
}

/* It speaks Varlink, with what only a connection has, needs the bus no more, and keeps the daemon up
 * for as long as it is there. */
START_TEST(a_socket_is_handed_over)
{
	struct wire *wire, *closed;
	json_object *reply;
	const char *message;

	message_bus = message_bus_start(/* system= */ false);
	start_daemon("[daemon]\nidle_exit_seconds = 1\n");
	connect_client();
	closed = open_socket();
	wire = open_socket();
	wire_close(closed);
	client = sd_bus_unref(client);
	message_bus_kill(message_bus);
	wire_start(wire, "'more':true", "RunExperiment", "%s",
		   experiment_request(&(struct experiment) { .rows = 1 }));
	do {
		reply = wire_next(wire);
		ck_assert(!at_has(reply, "error"));
	} while (at_has(reply, "continues") && at_bool(reply, "continues"));
	do
		reply = wire_call(wire, "GetStatus", "{}");
	while (at_int(reply, "front.connections") > 1); // the other one, and the name on the bus
	ck_assert_int_eq(at_int(reply, "front.connections"), 1);
	wire_close(wire);
	ck_assert_int_eq(daemon_wait(server, WAIT_SECONDS), 0);

	message_bus_restart(message_bus);
	daemon_restart(server);
	connect_client();
	wire = open_socket();
	ck_assert_int_eq(daemon_stop(server), 0);
	ck_assert_int_eq(wire_receive(wire, WAIT_SECONDS, &message), WIRE_CLOSED);
	wire_close(wire);
}
END_TEST

int main(void)
{
	if (!message_bus_is_there())
		return EXIT_SKIPPED;
	return RUN_SUITE(run_and_watch, list_call_cancel, what_is_wrong, errors_of_call, a_chat_completion,
			 properties_of_the_manager, a_task_is_steered, states_only_go_forward,
			 a_caller_keeps_no_idle_daemon_up, a_socket_is_handed_over);
}
