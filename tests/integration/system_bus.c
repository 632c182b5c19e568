#include "tests/integration/system_bus.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct message_bus *message_bus;
struct daemon *server;

sd_bus *connect_bus(void)
{
	return bus_client_new(message_bus_address(message_bus));
}

void start(const char *config)
{
	message_bus = message_bus_start(/* system= */ true);
	server = daemon_start(&(struct daemon_options) {
		.bus = true,
		.config = config,
		.arguments = (const char *[]) { "--system", NULL },
		.environment = (const char *[]) { message_bus_variable(message_bus), NULL } });
}

const char *ask(sd_bus *client, const char *method, const char *parameters,
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

struct wire *take_socket(sd_bus_message *reply)
{
	int fd;

	must(sd_bus_message_read(reply, "h", &fd) > 0, "the answer is a descriptor");
	fd = dup(fd);
	must(fd >= 0, "dup");
	return wire_take(fd);
}

struct wire *open_socket(sd_bus *client)
{
	sd_bus_message *reply = NULL;
	struct wire *wire;

	must(sd_bus_call_method(client, NAME, PATH, MANAGER, "OpenSocket", NULL, &reply, "") >= 0,
	     "anyone may open a socket");
	wire = take_socket(reply);
	sd_bus_message_unref(reply);
	return wire;
}

bool answers(struct wire *wire, const char *error, const char *method, const char *parameters)
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

void ask_on_socket(sd_bus *client, int64_t id, bool may_see, bool may_administer)
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

char *simulated(const char *name, int seconds)
{
	return experiment_request(&(struct experiment) { .rows = 2, .name = name, .more =
		text("\"llm_config\":{\"content\":{\"name\":\"takes %d\",\"provider\":\"simulated\","
		     "\"custom\":{\"latency_seconds\":%d}}}", seconds, seconds) });
}

int64_t task_of_root(sd_bus *client)
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
