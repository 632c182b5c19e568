/*
 * The client library over a message bus: what the tests that run over both ways (way.h) do not
 * reach, because it is the bus that is absent, goes away, or limits what may be under way.
 */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/elluminate.h"
#include "tests/harness/bus.h"
#include "tests/harness/command.h"
#include "tests/harness/suite.h"

#define CALLS 200 // dbus-daemon's own limit is 128 a connection
#define BUS_CALLS 100 // that the library keeps under way
#define MONITORS 40
#define ROWS 300

static struct message_bus *message_bus;
static struct daemon *server;
static struct sim *sim;

static void start_bus(bool system)
{
	message_bus = message_bus_start(system);
	ck_assert_int_eq(setenv(system ? "DBUS_SYSTEM_BUS_ADDRESS" : "DBUS_SESSION_BUS_ADDRESS",
				message_bus_address(message_bus), 1), 0);
}

static void start(bool system)
{
	start_bus(system);
	server = daemon_start(&(struct daemon_options) {
		.bus = true,
		.arguments = (const char *[]) { system ? "--system" : NULL, NULL },
		.environment = (const char *[]) { message_bus_variable(message_bus), NULL } });
}

static struct ellu *open_handle(unsigned mode)
{
	struct ellu *handle;

	ck_assert_int_eq(ellu_open(ELLU_SESSION_BUS_ADDRESS, mode, &handle), 0);
	return handle;
}

static int get_task(struct ellu *handle, int64_t id, const struct ellu_error **ret_error)
{
	struct ellu_get_task_request request = ELLU_RECORD(struct ellu_get_task_request);

	request.id = id;
	return ellu_get_task(handle, &request, NULL, ret_error);
}

static int start_get_status(struct ellu *handle, size_t index, struct ellu_op **ret_op, void *userdata)
{
	(void)index;
	return ellu_get_status_async(handle, &(struct ellu_get_status_request)
					     ELLU_RECORD(struct ellu_get_status_request),
				     NULL, userdata, ret_op);
}

/* ---- Who is there ---- */

START_TEST(nobody_is_there)
{
	const struct ellu_error *error;
	struct ellu *handle;
	struct ellu_op *op;

	ck_assert_int_eq(ellu_open("bus:other", ELLU_BLOCKING, &handle), -EINVAL);
	ck_assert_int_eq(setenv("DBUS_SESSION_BUS_ADDRESS", "unix:path=/nonexistent/bus", 1), 0);
	ck_assert_int_eq(ellu_open(ELLU_SESSION_BUS_ADDRESS, ELLU_BLOCKING, &handle), -ENOENT);
	ck_assert_int_eq(ellu_open(ELLU_SESSION_BUS_ADDRESS, ELLU_EVENT, &handle), -ENOENT);
	start_bus(/* system= */ false);
	ck_assert_int_eq(ellu_open(ELLU_SESSION_BUS_ADDRESS, ELLU_BLOCKING, &handle),
			 -ECONNREFUSED);
	/* An event handle cannot wait for the answer; its first call gets it. */
	handle = open_handle(ELLU_EVENT);
	ck_assert_int_eq(start_get_status(handle, 0, &op, NULL), 0);
	ck_assert_int_eq(ellu_op_wait(op, WAIT_SECONDS), 1);
	ck_assert_int_eq(ellu_op_result(op, NULL, &error), -ECONNREFUSED);
	ck_assert_str_eq(error->code, "ECONNREFUSED");
	ck_assert_int_eq(ellu_may_have_happened(-ECONNREFUSED), 0);
	ellu_op_free(op);
	ellu_close(handle);
}
END_TEST

/* ---- Errors ---- */

static void check_same(const struct ellu_error *a, const struct ellu_error *b)
{
	ck_assert_str_eq(a->code, b->code);
	ck_assert_str_eq(a->message, b->message);
	ck_assert_pstr_eq(a->field, b->field);
	ck_assert_pstr_eq(a->resource_type, b->resource_type);
	ck_assert_pstr_eq(a->name, b->name);
	ck_assert_int_eq(a->id ? *a->id : 0, b->id ? *b->id : 0);
	ellu_free(a);
	ellu_free(b);
}

START_TEST(errors_are_those_of_the_socket)
{
	static const char *const calls[][2] = {
		{ "org.elluminate.GetTask", "{\"id\":999}" },
		{ "org.elluminate.GetTask", "{\"id\":0}" },
		{ "org.elluminate.GetTask", "{\"nothing\":1}" },
		{ "org.elluminate.Nothing", "{}" },
		{ "org.elluminate.ResumeTask", "{\"id\":999}" },
		{ "org.elluminate.RunExperiment", "{\"name\":\"\"}" },
		{ "org.elluminate.GetCollection", "{\"collection\":{\"name\":\"none\"}}" },
	};
	const struct ellu_error *over_bus, *over_socket;
	struct ellu *bus, *socket;

	start(/* system= */ false);
	bus = open_handle(ELLU_BLOCKING);
	ck_assert_int_eq(ellu_open(daemon_socket(server), ELLU_BLOCKING, &socket), 0);
	for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
		int r = ellu_call_raw(bus, calls[i][0], calls[i][1], NULL, &over_bus);

		ck_assert_int_lt(r, 0);
		ck_assert_int_eq(r, ellu_call_raw(socket, calls[i][0], calls[i][1], NULL,
						  &over_socket));
		check_same(over_bus, over_socket);
	}
	ellu_close(bus);
	ellu_close(socket);
}
END_TEST

static void refused(struct ellu *handle, const char *method, const char *parameters,
		    const char *error_code)
{
	const struct ellu_error *error;
	struct ellu_stream *stream;
	const void *reply;

	ck_assert_int_eq(ellu_stream_raw(handle, method, parameters, &stream), 0);
	ck_assert_int_lt(ellu_stream_next(stream, &reply, &error), 0);
	ck_assert_str_eq(error->code, error_code);
	ellu_free(error);
	ellu_stream_close(stream);
}

START_TEST(what_a_bus_cannot_do)
{
	struct ellu *handle;

	start(/* system= */ false);
	handle = open_handle(ELLU_BLOCKING);
	refused(handle, "org.elluminate.Monitor", "{\"cursor\":\"m1.1.1\"}", "Unsupported");
	refused(handle, "org.elluminate.RetryTask", "{\"id\":1,\"cancel_on_disconnect\":true}",
		"Unsupported");
	refused(handle, "org.elluminate.WatchTask", "{\"id\":\"1\"}", "InvalidParameter");
	refused(handle, "org.elluminate.WatchTask", "{\"id\":1}", "NotFound");
	ck_assert_int_eq(ellu_oneway_raw(handle, "org.elluminate.GetStatus", NULL, NULL), 0);
	ck_assert_int_eq(get_task(handle, 1, NULL), ELLU_E_NOT_FOUND);
	ellu_close(handle);
}
END_TEST

/* ---- Many calls ---- */

static atomic_int n_calling;

static void *call_once(void *userdata)
{
	n_calling++;
	return (void *)(intptr_t)get_task(userdata, 1, NULL);
}

/* None is answered before all were sent, or wait here. */
START_TEST(more_calls_than_the_bus_allows)
{
	struct ellu_op *ops[CALLS];
	struct ellu *handle;

	start(/* system= */ false);
	handle = open_handle(ELLU_EVENT);
	ck_assert_int_eq(ellu_gather(handle, 1, 1, start_get_status, NULL, WAIT_SECONDS, ops), 1);
	ellu_op_free(ops[0]);
	daemon_signal(server, SIGSTOP);
	for (int i = 0; i < CALLS; i++)
		ck_assert_int_eq(start_get_status(handle, 0, &ops[i], NULL), 0);
	for (int i = 0; i < CALLS; i++)
		ck_assert_int_eq(ellu_op_wait(ops[i], 0), 0);
	daemon_signal(server, SIGCONT);
	ck_assert_int_eq(ellu_op_wait_all(ops, CALLS, WAIT_SECONDS), 1);
	for (int i = 0; i < CALLS; i++) {
		ck_assert_int_eq(ellu_op_result(ops[i], NULL, NULL), 0);
		ellu_op_free(ops[i]);
	}
	ellu_close(handle);
}
END_TEST

/* Those that wait for their answer hold back a call without one; when its time is over, what was to
 * be told of it is gone. */
START_TEST(a_oneway_that_waits_too_long)
{
	double deadline = now_seconds() + WAIT_SECONDS;
	pthread_t threads[BUS_CALLS];
	struct ellu *handle;
	int r = 0;

	start(/* system= */ false);
	handle = open_handle(ELLU_BLOCKING);
	ck_assert_int_eq(get_task(handle, 1, NULL), ELLU_E_NOT_FOUND);
	daemon_signal(server, SIGSTOP);
	for (int i = 0; i < BUS_CALLS; i++)
		ck_assert_int_eq(pthread_create(&threads[i], NULL, call_once, handle), 0);
	ck_assert_int_eq(ellu_set_timeout(handle, 0.05), 0);
	/* Not all may be under way yet. */
	while (r == 0 && now_seconds() < deadline) {
		if (n_calling == BUS_CALLS)
			r = ellu_oneway_raw(handle, "org.elluminate.GetStatus", NULL, NULL);
		(void)poll(NULL, 0, 10);
	}
	ck_assert_int_eq(r, -ETIMEDOUT);
	daemon_signal(server, SIGCONT);
	for (int i = 0; i < BUS_CALLS; i++)
		pthread_join(threads[i], NULL);
	ck_assert_int_eq(ellu_set_timeout(handle, WAIT_SECONDS), 0);
	ck_assert_int_eq(get_task(handle, 1, NULL), ELLU_E_NOT_FOUND);
	ellu_close(handle);
}
END_TEST

/* ---- Losses ---- */

/* A call is under way when what is between it and its answer goes. */
static void lose_a_call(struct ellu *handle, void (*lose)(void))
{
	struct ellu_op *op;
	struct ellu *event = open_handle(ELLU_EVENT);
	pthread_t thread;
	void *result;
	int code;

	ck_assert_int_eq(start_get_status(event, 0, &op, NULL), 0);
	ck_assert_int_eq(ellu_op_wait(op, WAIT_SECONDS), 1);
	ellu_op_free(op);
	daemon_signal(server, SIGSTOP);
	ck_assert_int_eq(start_get_status(event, 0, &op, NULL), 0);
	ck_assert_int_eq(ellu_op_wait(op, 0), 0);
	ck_assert_int_eq(pthread_create(&thread, NULL, call_once, handle), 0);
	lose();
	ck_assert_int_eq(ellu_op_wait(op, WAIT_SECONDS), 1);
	/* The bus may see the daemon's end before the call, and then says that it was not passed on:
	 * which of the two it was, the library must tell. */
	code = ellu_op_result(op, NULL, NULL);
	ck_assert(code == -ECONNRESET || code == -ECONNREFUSED);
	ck_assert_int_eq(ellu_may_have_happened(code), code == -ECONNRESET);
	pthread_join(thread, &result);
	/* It may have come too late to be under way. */
	ck_assert((intptr_t)result == -ECONNRESET || (intptr_t)result == -ECONNREFUSED ||
		  (intptr_t)result == -ENOTCONN || (intptr_t)result == -ENOENT);
	ellu_op_free(op);
	ellu_close(event);
}

static void lose_daemon(void)
{
	daemon_kill(server);
}

static void lose_bus(void)
{
	message_bus_kill(message_bus);
	daemon_signal(server, SIGCONT);
}

START_TEST(calls_that_are_lost)
{
	struct ellu *handle;
	int r;

	start(/* system= */ false);
	handle = open_handle(ELLU_BLOCKING);
	lose_a_call(handle, lose_daemon);
	ck_assert_int_eq(get_task(handle, 1, NULL), -ECONNREFUSED);
	daemon_restart(server);
	ck_assert_int_eq(get_task(handle, 1, NULL), ELLU_E_NOT_FOUND);
	lose_a_call(handle, lose_bus);
	r = get_task(handle, 1, NULL);
	ck_assert(r == -ENOENT || r == -ECONNREFUSED);
	daemon_kill(server);
	message_bus_restart(message_bus);
	daemon_restart(server);
	ck_assert_int_eq(get_task(handle, 1, NULL), ELLU_E_NOT_FOUND);
	ellu_close(handle);
}
END_TEST

/* ---- Streams ---- */

struct seen {
	FILE *out;
	char *logs;
	size_t size;
	int64_t sequence;
	char status[16];
	int n_ends;
	bool in_order;
};

static void seen_init(struct seen *seen)
{
	*seen = (struct seen){ .in_order = true };
	seen->out = open_memstream(&seen->logs, &seen->size);
}

static void seen_take(struct seen *seen, const struct ellu_task_event *event)
{
	seen->in_order = seen->in_order && event->sequence >= seen->sequence && seen->n_ends == 0;
	seen->sequence = event->sequence;
	fputs(ellu_event_logs_delta(event), seen->out);
	seen->n_ends += ellu_event_is_complete(event);
	snprintf(seen->status, sizeof(seen->status), "%s", event->status);
}

/* `from_start`: all of the log was told, else what came after the task was shown. */
static void seen_check(struct seen *seen, int64_t task_id, bool from_start)
{
	char *logs = task_logs(daemon_connect(server), task_id);
	size_t size = strlen(logs), told, differ = 0;
	const char *wanted;

	fclose(seen->out);
	told = strlen(seen->logs);
	wanted = from_start || told > size ? logs : logs + size - told;
	while (wanted[differ] && wanted[differ] == seen->logs[differ])
		differ++;
	ck_assert(seen->in_order);
	ck_assert_int_eq(seen->n_ends, 1);
	ck_assert_str_eq(seen->status, "SUCCESS");
	ck_assert_uint_gt(seen->size, 1000);
	ck_assert_msg(strcmp(wanted, seen->logs) == 0, "of %zu bytes of log %zu were told, from byte %zu "
		      "on others: '%.200s' for '%.200s'",
		      size, told, differ, seen->logs + differ, wanted + differ);
	free(logs);
	free(seen->logs);
}

static int64_t submit_logging(double latency_seconds)
{
	sim = sim_start((const char *[]) { "--content_filter_rate=0.7",
					   text("--latency_seconds=%g", latency_seconds), NULL });
	return experiment_submit(daemon_connect(server), &(struct experiment) {
		.rows = ROWS, .url = sim_url(sim), .max_connections = 4 });
}

static void watch_request(struct ellu_watch_task_request *request, int64_t id)
{
	static const int64_t from_start;

	*request = (struct ellu_watch_task_request)ELLU_RECORD(struct ellu_watch_task_request);
	request->id = id;
	request->after_sequence = &from_start;
}

static void on_watch(struct ellu_op *op, int result, const void *reply,
		     const struct ellu_error *error, void *userdata)
{
	(void)op;
	(void)error;
	if (result >= 0)
		seen_take(userdata, ((const struct ellu_watch_task_reply *)reply)->event);
}

static void *run_op(void *userdata)
{
	return (void *)(intptr_t)ellu_op_wait(userdata, WAIT_SECONDS);
}

/* The bus goes and comes back under a blocking stream and an asynchronous one. */
START_TEST(streams_survive_the_bus)
{
	struct ellu_watch_task_request request;
	const struct ellu_watch_task_reply *reply;
	struct ellu_stream *stream;
	struct seen blocking, event;
	struct ellu *handles[2];
	struct ellu_op *op;
	pthread_t thread;
	void *result;
	int64_t id;
	int n = 0, r;

	start(/* system= */ false);
	id = submit_logging(0.1);
	handles[0] = open_handle(ELLU_BLOCKING);
	handles[1] = open_handle(ELLU_EVENT);
	seen_init(&blocking);
	seen_init(&event);
	watch_request(&request, id);
	ck_assert_int_eq(ellu_watch_task_stream(handles[0], &request, &stream), 0);
	ck_assert_int_eq(ellu_watch_task_stream_async(handles[1], &request, on_watch, &event, &op),
			 0);
	ck_assert_int_eq(pthread_create(&thread, NULL, run_op, op), 0);
	while ((r = ellu_watch_task_next(stream, &reply, NULL)) > 0) {
		seen_take(&blocking, reply->event);
		ellu_free(reply);
		if (++n == 2 || n == 4) {
			message_bus_kill(message_bus);
			message_bus_restart(message_bus);
		}
	}
	ck_assert_int_eq(r, 0);
	ck_assert_int_gt(n, 4);
	pthread_join(thread, &result);
	ck_assert_int_eq((int)(intptr_t)result, 1);
	ck_assert_int_eq(ellu_op_result(op, NULL, NULL), 0);
	seen_check(&blocking, id, /* from_start= */ true);
	seen_check(&event, id, /* from_start= */ true);
	ellu_stream_close(stream);
	ellu_op_free(op);
	ellu_close(handles[0]);
	ellu_close(handles[1]);
	sim_stop(sim);
}
END_TEST

/* On a system's bus signals come to subscribers alone. */
START_TEST(a_stream_on_the_system_bus)
{
	struct ellu_watch_task_request request;
	const struct ellu_watch_task_reply *reply;
	struct ellu_stream *stream;
	struct ellu *handle;
	struct seen seen;
	int64_t id;

	start(/* system= */ true);
	id = submit_logging(0.02);
	ck_assert_int_eq(ellu_open(ELLU_SYSTEM_BUS_ADDRESS, ELLU_BLOCKING, &handle), 0);
	seen_init(&seen);
	watch_request(&request, id);
	ck_assert_int_eq(ellu_watch_task_stream(handle, &request, &stream), 0);
	while (ellu_watch_task_next(stream, &reply, NULL) > 0) {
		seen_take(&seen, reply->event);
		ellu_free(reply);
	}
	seen_check(&seen, id, /* from_start= */ true);
	ellu_stream_close(stream);
	ellu_close(handle);
	sim_stop(sim);
}
END_TEST

/* ---- The monitor ---- */

struct shown {
	struct seen seen;
	int64_t task_id;
	int n_tasks;
};

static void on_monitor(struct ellu_op *op, int result, const void *reply,
		       const struct ellu_error *error, void *userdata)
{
	const struct ellu_monitor_reply *monitor = reply;
	struct shown *shown = userdata;

	(void)op;
	(void)error;
	ck_assert_int_eq(result, 1);
	ck_assert_ptr_nonnull(monitor->cursor);
	if (monitor->task) {
		shown->n_tasks++;
		shown->task_id = monitor->task->id;
		shown->seen.sequence = monitor->task->sequence;
	} else {
		ck_assert_int_eq(monitor->event->task_id, shown->task_id);
		seen_take(&shown->seen, monitor->event);
	}
}

START_TEST(a_monitor_shows_a_task_to_its_end)
{
	struct ellu_monitor_request request = ELLU_RECORD(struct ellu_monitor_request);
	struct shown shown = { .n_tasks = 0 };
	double deadline = now_seconds() + WAIT_SECONDS;
	struct ellu *handle;
	struct ellu_op *op;

	start(/* system= */ false);
	handle = open_handle(ELLU_EVENT);
	seen_init(&shown.seen);
	ck_assert_int_eq(ellu_monitor_stream_async(handle, &request, on_monitor, &shown, &op), 0);
	(void)submit_logging(0.02);
	while (shown.seen.n_ends == 0) {
		ck_assert_int_eq(ellu_op_wait(op, 0.1), 0);
		ck_assert(now_seconds() < deadline);
	}
	ck_assert_int_eq(shown.n_tasks, 1);
	seen_check(&shown.seen, shown.task_id, /* from_start= */ false);
	/* What came after its end does not show it again. */
	ck_assert_int_eq(ellu_op_wait(op, 0.1), 0);
	ck_assert_int_eq(shown.n_tasks, 1);
	ellu_op_free(op);
	ellu_close(handle);
	sim_stop(sim);
}
END_TEST

START_TEST(many_monitors_survive_a_restart)
{
	struct ellu_monitor_request request = ELLU_RECORD(struct ellu_monitor_request);
	struct shown shown[MONITORS] = { { .n_tasks = 0 } };
	double deadline = now_seconds() + WAIT_SECONDS;
	struct ellu_op *ops[MONITORS];
	struct ellu *handle;
	int n_seen = 0, n_ended = 0;

	start(/* system= */ false);
	handle = open_handle(ELLU_EVENT);
	for (int i = 0; i < MONITORS; i++) {
		seen_init(&shown[i].seen);
		ck_assert_int_eq(ellu_monitor_stream_async(handle, &request, on_monitor, &shown[i],
							   &ops[i]),
				 0);
	}
	(void)submit_logging(0.02);
	while (n_seen < MONITORS) {
		ck_assert_int_eq(ellu_op_wait(ops[0], 0.02), 0);
		ck_assert(now_seconds() < deadline);
		n_seen = 0;
		for (int i = 0; i < MONITORS; i++)
			n_seen += shown[i].n_tasks;
	}
	daemon_kill(server);
	daemon_restart(server);
	while (n_ended < MONITORS) {
		ck_assert_int_eq(ellu_op_wait(ops[0], 0.02), 0);
		ck_assert(now_seconds() < deadline);
		n_ended = 0;
		for (int i = 0; i < MONITORS; i++)
			n_ended += shown[i].seen.n_ends;
	}
	for (int i = 0; i < MONITORS; i++) {
		ck_assert_int_eq(shown[i].n_tasks, 1);
		seen_check(&shown[i].seen, shown[i].task_id, /* from_start= */ false);
		ellu_op_free(ops[i]);
	}
	ellu_close(handle);
	sim_stop(sim);
}
END_TEST

/* ---- The command ---- */

START_TEST(the_command_over_the_bus)
{
	struct command *command;
	char *id;

	start(/* system= */ false);
	id = text("%lld", (long long)experiment_submit(daemon_connect(server), &(struct experiment) {
		.rows = 5, .n_criteria = 1 }));
	command = COMMAND(server, 0, "task", "watch", id, "--bus", "session");
	command = COMMAND(server, 0, "status", "--bus=session");
	ck_assert_uint_gt(command->size, 0);
	command = COMMAND(server, 2, "status", "--bus=other");
	ck_assert_ptr_nonnull(strstr(command->err, "expected session or system"));
	daemon_kill(server);
	command = COMMAND(server, 69, "status", "--bus=session");
	ck_assert_ptr_nonnull(strstr(command->err, "bus:session"));
}
END_TEST

int main(void)
{
	if (!message_bus_is_there())
		return EXIT_SKIPPED;
	return RUN_SUITE(nobody_is_there, errors_are_those_of_the_socket, what_a_bus_cannot_do,
			 more_calls_than_the_bus_allows, a_oneway_that_waits_too_long,
			 calls_that_are_lost,
			 streams_survive_the_bus, a_stream_on_the_system_bus,
			 a_monitor_shows_a_task_to_its_end,
			 many_monitors_survive_a_restart, the_command_over_the_bus);
}
