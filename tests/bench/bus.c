/*
 * From a change of a task's status to its signal in a client, over sd-bus's own ping-pong on the
 * same bus. The moment of the change is that of its event on a socket, which the daemon sends in
 * the same turn, less half a round trip of such a socket.
 */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-bus.h>
#include <unistd.h>

#include "tests/bench/bench.h"
#include "tests/bench/ping_pong.h"
#include "tests/harness/bus.h"
#include "tests/harness/bus_client.h"
#include "tests/harness/daemon.h"
#include "tests/harness/experiment.h"
#include "tests/harness/harness.h"

#define N_ROUNDS 200
#define N_PINGS 2000
#define N_TRIPS 2000
#define BOUND 3.0
#define NAME "org.elluminate.Elluminate1"

/* Another process answers pings: every peer on a bus does. Its unique name. */
static const char *start_ponger(const char *address)
{
	const char *name;
	char *copy = calloc(1, 64);
	int fds[2];

	if (!copy || pipe(fds) < 0)
		die("pipe");
	if (fork() == 0) {
		sd_bus *bus = bus_client_new(address);

		if (sd_bus_get_unique_name(bus, &name) < 0 ||
		    write(fds[1], name, strlen(name)) < 0)
			exit(EXIT_FAILURE);
		while (sd_bus_process(bus, NULL) >= 0 && sd_bus_wait(bus, UINT64_MAX) >= 0)
			;
		exit(EXIT_SUCCESS);
	}
	close(fds[1]);
	if (read(fds[0], copy, 63) <= 0)
		die("no second peer on the bus");
	close(fds[0]);
	return copy;
}

static double ping_median(const char *address)
{
	static double pings[N_PINGS];
	sd_bus *bus = bus_client_new(address);
	const char *ponger = start_ponger(address);

	for (int i = 0; i < N_PINGS; i++) {
		double before = now_seconds();

		if (sd_bus_call_method(bus, ponger, "/", "org.freedesktop.DBus.Peer", "Ping", NULL,
				       NULL, "") < 0)
			die("no pong");
		pings[i] = now_seconds() - before;
	}
	sd_bus_unref(bus);
	return bench_median(pings, N_PINGS);
}

static double socket_median(const struct daemon *daemon)
{
	static const char request[] =
		"{\"method\":\"org.varlink.service.GetInfo\",\"parameters\":{}}";
	static double trips[N_TRIPS];
	int fd = wire_fd(daemon_connect(daemon));

	for (int i = 0; i < N_TRIPS; i++)
		trips[i] = ping_pong_round_trip(fd, request, sizeof(request), NULL);
	return bench_median(trips, N_TRIPS);
}

static int on_signal(sd_bus_message *message, void *userdata, sd_bus_error *error)
{
	double *seen = userdata;
	const char *status;
	uint64_t sequence;

	(void)error;
	if (sd_bus_message_read(message, "ts", &sequence, &status) >= 0 &&
	    strcmp(status, "REVOKED") == 0)
		*seen = now_seconds();
	return 0;
}

/* When the watch's socket said REVOKED, or 0: not yet. */
static double read_watch(struct wire *watch)
{
	const char *message;

	while (wire_receive(watch, 0, &message) == WIRE_MESSAGE)
		if (strstr(message, "\"REVOKED\""))
			return now_seconds();
	return 0;
}

/* A task is cancelled; both ways of hearing of it are awaited by one thread. */
static double run_round(const struct daemon *daemon, struct wire *wire, sd_bus *bus, double *seen)
{
	const struct experiment experiment = {
		.rows = 1,
		.more = "'priority':'interactive','llm_config':{'content':{'name':'hanging',"
			"'provider':'simulated','custom':{'latency_seconds':3600}}},"
			"'run_afresh':true,'update_existing':true",
	};
	int64_t id = experiment_submit(wire, &experiment);
	struct wire *watch = daemon_connect(daemon);
	double at_socket = 0;

	wire_start(watch, "'more':true", "WatchTask", "{'id':%lld}", (long long)id);
	json_object_put(wire_next(watch)); // it is introduced
	*seen = 0;
	wire_start(wire, "", "CancelTask", "{'id':%lld}", (long long)id);
	while (at_socket == 0 || *seen == 0) {
		struct pollfd fds[2] = { { .fd = wire_fd(watch), .events = POLLIN },
					 { .fd = sd_bus_get_fd(bus), .events = POLLIN } };

		(void)poll(fds, 2, 1000);
		if (at_socket == 0)
			at_socket = read_watch(watch);
		while (sd_bus_process(bus, NULL) > 0)
			;
	}
	json_object_put(wire_next(wire));
	wire_close(watch);
	return *seen - at_socket;
}

int main(void)
{
	static double delays[N_ROUNDS];
	struct message_bus *message_bus = message_bus_start(/* system= */ false);
	struct daemon *daemon = daemon_start(&(const struct daemon_options){
		.bus = true,
		.environment = (const char *[]){ message_bus_variable(message_bus), NULL } });
	struct wire *wire = daemon_connect(daemon);
	sd_bus *bus = bus_client_new(message_bus_address(message_bus));
	double seen, ping, half_trip, delay;
	bool ok;

	if (sd_bus_match_signal(bus, NULL, NAME, NULL, NAME ".Task", "StatusChanged", on_signal,
				&seen) < 0)
		die("no match");
	for (int i = 0; i < N_ROUNDS; i++)
		delays[i] = run_round(daemon, wire, bus, &seen);
	half_trip = socket_median(daemon) / 2;
	ping = ping_median(message_bus_address(message_bus));
	delay = bench_median(delays, N_ROUNDS) + half_trip;
	ok = bench_figure("bus", delay / ping, BENCH_AT_MOST, BOUND,
			  "%.0f us from a change to its signal, a ping-pong %.0f us", delay * 1e6,
			  ping * 1e6);
	daemon_kill(daemon);
	message_bus_kill(message_bus);
	return ok ? EXIT_SUCCESS : EXIT_FAILURE;
}
