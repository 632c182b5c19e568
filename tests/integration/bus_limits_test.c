/* What one caller on a bus can make the daemon do and keep: arrays, large texts, requests. */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/integration/session_bus.h"

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
	return RUN_SUITE(arrays, large_texts, one_user_over_both_ways);
}
