/* The D-Bus front on a real bus: the manager's methods, tasks as objects, signals, errors. */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-bus.h>
#include <unistd.h>

#include "tests/harness/bus.h"
#include "tests/harness/suite.h"

#define NAME "org.elluminate.Elluminate1"
#define PATH "/org/elluminate/Elluminate1"
#define MANAGER NAME ".Manager"
#define TASK NAME ".Task"

static struct message_bus *message_bus;
static struct daemon *server;
static sd_bus *client;

static void connect_client(void)
{
	ck_assert_int_ge(sd_bus_new(&client), 0);
	ck_assert_int_ge(sd_bus_set_address(client, message_bus_address(message_bus)), 0);
	ck_assert_int_ge(sd_bus_set_bus_client(client, 1), 0);
	ck_assert_int_ge(sd_bus_start(client), 0);
}

static void start_daemon(const char *config)
{
	server = daemon_start(&(struct daemon_options) {
		.bus = true,
		.config = config,
		.environment = (const char *[]) { message_bus_variable(message_bus), NULL } });
}

static void start(void)
{
	message_bus = message_bus_start(/* system= */ false);
	start_daemon(NULL);
	connect_client();
}

/* A call that must succeed. */
static sd_bus_message *call(const char *path, const char *interface, const char *method,
			    const char *types, ...)
{
	sd_bus_error error = SD_BUS_ERROR_NULL;
	sd_bus_message *message = NULL, *reply = NULL;
	va_list arguments;
	int r;

	ck_assert_int_ge(sd_bus_message_new_method_call(client, &message, NAME, path, interface,
							method), 0);
	va_start(arguments, types);
	ck_assert_int_ge(sd_bus_message_appendv(message, types, arguments), 0);
	va_end(arguments);
	r = sd_bus_call(client, message, (uint64_t)(WAIT_SECONDS * 1e6), &error, &reply);
	ck_assert_msg(r >= 0, "%s: %s: %s", method, error.name, error.message);
	sd_bus_message_unref(message);
	return reply;
}

/* A call that must fail with this error. */
static void refused(const char *name, const char *path, const char *interface, const char *method,
		    const char *types, ...)
{
	sd_bus_error error = SD_BUS_ERROR_NULL;
	sd_bus_message *message = NULL;
	va_list arguments;

	ck_assert_int_ge(sd_bus_message_new_method_call(client, &message, NAME, path, interface,
							method), 0);
	va_start(arguments, types);
	ck_assert_int_ge(sd_bus_message_appendv(message, types, arguments), 0);
	va_end(arguments);
	ck_assert_int_lt(sd_bus_call(client, message, (uint64_t)(WAIT_SECONDS * 1e6), &error, NULL), 0);
	ck_assert_str_eq(error.name, name);
	sd_bus_error_free(&error);
	sd_bus_message_unref(message);
}

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

static int on_error(sd_bus_message *message, void *userdata, sd_bus_error *error)
{
	const char *sentence, *details;

	(void)error;
	ck_assert_int_eq(sd_bus_message_is_method_error(message, NULL), 1);
	ck_assert_int_ge(sd_bus_message_read(message, "s", &sentence), 0);
	if (sd_bus_message_read(message, "s", &details) <= 0)
		details = "";
	*(const char **)userdata = text("%s %s", sentence, details);
	return 0;
}

/* The sentence and, behind a blank, the parameters. */
static const char *error_of(const char *method, const char *called, const char *parameters)
{
	const char *said = NULL;

	ck_assert_int_ge(sd_bus_call_method_async(client, NULL, NAME, PATH, MANAGER, method, on_error,
						  &said, "ss", called, parameters), 0);
	while (!said) {
		int r = sd_bus_process(client, NULL);

		ck_assert_int_ge(r, 0);
		if (r == 0)
			ck_assert_int_gt(sd_bus_wait(client, (uint64_t)(WAIT_SECONDS * 1e6)), 0);
	}
	return said;
}

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

/* ---- Limits ---- */

/* A ListTasks whose one option is an array that something appends. */
static void refused_array(const char *contents, int (*append)(sd_bus_message *message))
{
	sd_bus_error error = SD_BUS_ERROR_NULL;
	sd_bus_message *message = NULL;
	char type[8];

	snprintf(type, sizeof(type), "a%s", contents);
	ck_assert_int_ge(sd_bus_message_new_method_call(client, &message, NAME, PATH, MANAGER,
							"ListTasks"), 0);
	ck_assert_int_ge(sd_bus_message_open_container(message, 'a', "{sv}"), 0);
	ck_assert_int_ge(sd_bus_message_open_container(message, 'e', "sv"), 0);
	ck_assert_int_ge(sd_bus_message_append(message, "s", "status"), 0);
	ck_assert_int_ge(sd_bus_message_open_container(message, 'v', type), 0);
	ck_assert_int_ge(append(message), 0);
	for (int i = 0; i < 3; i++)
		ck_assert_int_ge(sd_bus_message_close_container(message), 0);
	ck_assert_int_lt(sd_bus_call(client, message, (uint64_t)(WAIT_SECONDS * 1e6), &error, NULL), 0);
	ck_assert_str_eq(error.name, "org.elluminate.Error.InvalidParameter");
	ck_assert_msg(strstr(error.message, "status"), "%s", error.message);
	sd_bus_error_free(&error);
	sd_bus_message_unref(message);
}

static int many_bytes(sd_bus_message *message)
{
	void *place;
	int r = sd_bus_message_append_array_space(message, 'y', 24u << 20, &place);

	if (r >= 0)
		memset(place, 1, 24u << 20);
	return r;
}

static int many_texts(sd_bus_message *message)
{
	int r = sd_bus_message_open_container(message, 'a', "s");

	for (int i = 0; i < 100000 && r >= 0; i++)
		r = sd_bus_message_append(message, "s", "x");
	return r < 0 ? r : sd_bus_message_close_container(message);
}

/* What the interface has no use for is refused before anything is made of it. */
START_TEST(arrays)
{
	int64_t before;

	start();
	sd_bus_message_unref(call(PATH, MANAGER, "Subscribe", ""));
	before = daemon_memory_kib(server, "VmHWM");
	refused_array("y", many_bytes);
	refused_array("s", many_texts);
	/* The message itself, in sd-bus's hands, and no more. */
	if (!SLOW_BUILD)
		ck_assert_int_lt(daemon_memory_kib(server, "VmHWM") - before, 128 * 1024);
	ck_assert(daemon_is_well(server));
}
END_TEST

/* Nanoseconds of a processor that the thread of this name has had. */
static int64_t thread_time(const char *name)
{
	const char *folder = text("/proc/%d/task", (int)daemon_pid(server));
	DIR *tasks = opendir(folder);
	int64_t time = -1;

	for (struct dirent *entry; (entry = readdir(tasks));) {
		const char *comm = file_read(text("%s/%s/comm", folder, entry->d_name), NULL);

		if (comm && strncmp(comm, name, strlen(name)) == 0)
			time = strtoll(file_read(text("%s/%s/schedstat", folder, entry->d_name), NULL),
				       NULL, 10);
	}
	closedir(tasks);
	return time;
}

/* They are decoded off the main loop, faults and callers that go away meanwhile included. */
START_TEST(large_texts)
{
	char *rows = text("{\"collection\":{\"name\":\"c\"},\"variables\":[{\"a\":\"%0500000d\"},"
			  "{\"a\":\"b\"}]}", 0);
	char *fault = text("%.*s,\"wrong\":1}", (int)strlen(rows) - 1, rows);
	int64_t before;

	start();
	call(PATH, MANAGER, "Call", "ss", "CreateCollection", "{\"collection\":{\"name\":\"c\"}}");
	before = thread_time("decoder");
	call(PATH, MANAGER, "Call", "ss", "AddTemplateVariables", rows);
	ck_assert_int_gt(thread_time("decoder"), before);
	refused("org.elluminate.Error.InvalidParameter", PATH, MANAGER, "Call", "ss",
		"AddTemplateVariables", fault);
	ck_assert_int_ge(sd_bus_call_method_async(client, NULL, NAME, PATH, MANAGER, "Call", NULL, NULL,
						  "ss", "AddTemplateVariables", rows), 0);
	client = sd_bus_flush_close_unref(client);
	ck_assert(daemon_is_well(server));
	ck_assert_int_eq(daemon_stop(server), 0);
}
END_TEST

static int ignore(sd_bus_message *message, void *userdata, sd_bus_error *error)
{
	(void)message;
	(void)userdata;
	(void)error;
	return 0;
}

/* A user's requests are counted over the bus and the socket together. */
START_TEST(one_user_over_both_ways)
{
	struct sim *sim = sim_start((const char *[]) { "--hang_rate=1", NULL });
	struct wire *wire;
	char parameters[64];

	message_bus = message_bus_start(/* system= */ false);
	start_daemon("[front]\nmax_requests_per_user = 4\n");
	connect_client();
	wire = daemon_connect(server);
	snprintf(parameters, sizeof(parameters), "{\"id\":%lld}",
		 (long long)experiment_submit(wire, &(struct experiment) { .rows = 1,
									  .url = sim_url(sim) }));
	for (int i = 0; i < 4; i++)
		ck_assert_int_ge(sd_bus_call_method_async(client, NULL, NAME, PATH, MANAGER, "Call",
							  ignore, NULL, "ss", "WatchTask",
							  parameters), 0);
	refused("org.elluminate.Error.TooManyRequests", PATH, MANAGER, "Call", "ss", "GetStatus",
		"{}");
	ck_assert_ptr_nonnull(strstr(error_of("CallDetailed", "GetStatus", "{}"),
				     "\"retry_after_seconds\":1"));
	wire_refused(wire, "TooManyRequests", "GetStatus", "{}");
	client = sd_bus_flush_close_unref(client);
	/* What it held is given back when it goes. */
	for (json_object *reply = NULL; !reply || at_has(reply, "error");) {
		wire_start(wire, "", "GetStatus", "{}");
		reply = wire_next(wire);
	}
	daemon_kill(server);
}
END_TEST

int main(void)
{
	if (!message_bus_is_there())
		return EXIT_SKIPPED;
	return RUN_SUITE(run_and_watch, list_call_cancel, what_is_wrong, arrays, large_texts,
			 one_user_over_both_ways, errors_of_call, a_chat_completion,
			 properties_of_the_manager, a_task_is_steered, states_only_go_forward,
			 a_caller_keeps_no_idle_daemon_up, a_socket_is_handed_over);
}
