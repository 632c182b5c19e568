/*
 * 200 clients of the bus follow a task with a long log, one of them never reads, and the bus is
 * killed and comes back in the middle: every other client ends with the whole log, once and in
 * order (what it missed it asks for), and the daemon stays small.
 */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-bus.h>

#include "tests/harness/bus.h"
#include "tests/harness/bus_client.h"
#include "tests/harness/suite.h"

#define NAME "org.elluminate.Elluminate1"
#define PATH "/org/elluminate/Elluminate1"
#define N_CLIENTS 200
#define N_LINES 600 // failing cases, a line each
#define RSS_KIB_MAX (64 * 1024)

struct client {
	sd_bus *bus;
	int64_t sequence; // the last that it knows of
	int64_t n_lines;
	bool gap; // there is something to ask for
	bool ended;
};

static struct message_bus *message_bus;
static struct client clients[N_CLIENTS];
static const char *task_path;
static int64_t task_id;

static int64_t count_lines(const char *lines)
{
	int64_t n = 0;

	for (; *lines; lines++)
		n += *lines == '\n';
	return n;
}

static int on_signal(sd_bus_message *message, void *userdata, sd_bus_error *error)
{
	struct client *client = userdata;
	bool is_log = strcmp(sd_bus_message_get_member(message), "LogAppended") == 0;
	const char *text;
	uint64_t sequence;
	int64_t n;

	(void)error;
	ck_assert_int_ge(sd_bus_message_read(message, "ts", &sequence, &text), 0);
	n = is_log ? count_lines(text) : 1;
	if (!is_log && (strcmp(text, "SUCCESS") == 0 || strcmp(text, "FAILURE") == 0))
		client->ended = true;
	if ((int64_t)sequence <= client->sequence)
		return 0; // it asked for this already
	if ((int64_t)sequence - n != client->sequence) {
		client->gap = true;
		return 0;
	}
	client->sequence = (int64_t)sequence;
	client->n_lines += is_log ? n : 0;
	return 0;
}

/* A method of the table; blocks. */
static json_object *ask(struct client *client, const char *method, const char *parameters)
{
	sd_bus_error error = SD_BUS_ERROR_NULL;
	sd_bus_message *reply = NULL;
	const char *answer;
	json_object *json;
	int r = sd_bus_call_method(client->bus, NAME, PATH, NAME ".Manager", "Call", &error, &reply,
				   "ss", method, parameters);

	ck_assert_msg(r >= 0, "%s: %s", method, error.message);
	ck_assert_int_ge(sd_bus_message_read(reply, "s", &answer), 0);
	json = json_tokener_parse(answer);
	sd_bus_message_unref(reply);
	return json;
}

/* What it missed: lines after what it has, and whether the task has ended meanwhile. */
static void catch_up(struct client *client)
{
	json_object *task = ask(client, "GetTask", text("{\"id\":%lld}", (long long)task_id));
	int64_t until = at_int(task, "task.sequence"), before;

	client->ended = client->ended || at_has(task, "task.finished_at");
	json_object_put(task);
	do {
		json_object *page = ask(client, "ListTaskLogs",
					text("{\"id\":%lld,\"after\":%lld,\"limit\":1000}",
					     (long long)task_id, (long long)client->sequence));
		json_object *items = at_json(page, "items");

		before = client->sequence;
		for (size_t i = 0; i < json_object_array_length(items); i++) {
			int64_t sequence =
				at_int(json_object_array_get_idx(items, i), "sequence");

			ck_assert_int_gt(sequence, client->sequence);
			client->sequence = sequence;
			client->n_lines++;
		}
		json_object_put(page);
	} while (client->sequence != before);
	/* The rest are changes of state. */
	if (client->sequence < until)
		client->sequence = until;
	client->gap = false;
}

static void connect_client(struct client *client)
{
	client->bus = bus_client_new(message_bus_address(message_bus));
	ck_assert_int_ge(sd_bus_add_match(client->bus, NULL,
					  text("type='signal',interface='" NAME ".Task',path='%s'",
					       task_path),
					  on_signal, client), 0);
}

/* On the bus that came back the name has an owner again once the daemon is there. */
static void await_daemon(struct client *client)
{
	double deadline = now_seconds() + WAIT_SECONDS;

	while (sd_bus_call_method(client->bus, NAME, PATH, "org.freedesktop.DBus.Peer", "Ping", NULL,
				  NULL, "") < 0)
		ck_assert(now_seconds() < deadline);
}

static void process(struct client *client)
{
	while (sd_bus_process(client->bus, NULL) > 0)
		;
	if (client->gap)
		catch_up(client);
}

/* All but the first, which never reads. */
static void process_all(void)
{
	struct pollfd fds[N_CLIENTS] = { { .fd = -1 } };

	for (int i = 1; i < N_CLIENTS; i++)
		fds[i] = (struct pollfd){ .fd = clients[i].ended ? -1 : sd_bus_get_fd(clients[i].bus),
					  .events = POLLIN };
	(void)poll(fds, N_CLIENTS, 1000);
	for (int i = 1; i < N_CLIENTS; i++)
		if (!clients[i].ended)
			process(&clients[i]);
}

static bool all_ended(void)
{
	for (int i = 1; i < N_CLIENTS; i++)
		if (!clients[i].ended)
			return false;
	return true;
}

START_TEST(nothing_is_lost)
{
	struct sim *sim = sim_start((const char *[]) { "--content_filter_rate=1", "--latency_seconds=0.02",
						       NULL });
	struct experiment experiment = { .rows = N_LINES, .url = sim_url(sim), .max_connections = 4 };
	struct daemon *daemon;
	struct wire *wire;
	bool killed = false;

	message_bus = message_bus_start(/* system= */ false);
	daemon = daemon_start(&(struct daemon_options) {
		.bus = true,
		.environment = (const char *[]) { message_bus_variable(message_bus), NULL } });
	wire = daemon_connect(daemon);
	task_id = experiment_submit(wire, &experiment);
	task_path = text(PATH "/task/%lld", (long long)task_id);
	for (int i = 0; i < N_CLIENTS; i++) {
		connect_client(&clients[i]);
		if (i > 0)
			catch_up(&clients[i]);
	}
	while (!all_ended()) {
		process_all();
		if (killed || clients[1].n_lines < N_LINES / 3)
			continue;
		killed = true;
		message_bus_kill(message_bus);
		message_bus_restart(message_bus);
		for (int i = 0; i < N_CLIENTS; i++) {
			sd_bus_unref(clients[i].bus);
			connect_client(&clients[i]);
			if (i == 1)
				await_daemon(&clients[i]);
			if (i > 0)
				catch_up(&clients[i]);
		}
	}
	ck_assert(killed);
	json_object_put(task_await(daemon, task_id));
	for (int i = 1; i < N_CLIENTS; i++) {
		process(&clients[i]);
		catch_up(&clients[i]);
		ck_assert_int_eq(clients[i].n_lines, clients[1].n_lines);
	}
	ck_assert_int_ge(clients[1].n_lines, N_LINES);
	if (!SLOW_BUILD)
		ck_assert_int_le(daemon_memory_kib(daemon, "VmHWM"), RSS_KIB_MAX);
	ck_assert_int_eq(daemon_stop(daemon), 0);
	sim_stop(sim);
}
END_TEST

int main(void)
{
	if (!message_bus_is_there())
		return EXIT_SKIPPED;
	return RUN_SUITE(nothing_is_lost);
}
