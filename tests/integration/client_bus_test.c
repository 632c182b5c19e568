/*
 * The client library over a message bus: what the tests that run over both ways (way.h) do not
 * reach, because it is the bus that is absent, goes away, or starts the daemon.
 */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "tests/harness/command.h"
#include "tests/integration/client_bus.h"

static struct sim *sim;

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
	ellu_free(error);
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

/* The first reply of a stream that stays open. */
static struct ellu_stream *begin_stream(struct ellu *handle, const char *method, const char *parameters,
					json_object **ret_reply)
{
	const struct ellu_error *error = NULL;
	struct ellu_stream *stream;
	const struct ellu_raw_reply *reply;

	ck_assert_int_eq(ellu_stream_raw(handle, method, parameters, &stream, NULL), 0);
	ck_assert_msg(ellu_raw_next(stream, &reply, &error) == 1, "%s", error->message);
	*ret_reply = json_must_parse(reply->parameters);
	ellu_free(reply);
	return stream;
}

/* A monitor's cursor holds on another connection; a task ends with the caller who wants that; a call
 * without an answer is sent. */
START_TEST(what_takes_a_connection)
{
	struct ellu_stream *stream;
	struct ellu *handles[2];
	json_object *reply;
	int64_t id;

	start(/* system= */ false);
	handles[0] = open_handle(ELLU_BLOCKING);
	handles[1] = open_handle(ELLU_BLOCKING);
	sim = sim_start((const char *[]) { "--latency_seconds=3600", NULL });
	stream = begin_stream(handles[0], "org.elluminate.RunExperiment",
			      experiment_request(&(struct experiment) {
				      .rows = 1, .url = sim_url(sim), .more = "'cancel_on_disconnect':true" }),
			      &reply);
	id = at_int(reply, "event.task_id");
	json_object_put(reply);
	ellu_stream_close(stream);
	json_object_put(task_await_status(server, id, "REVOKED"));

	ck_assert_int_eq(ellu_oneway_raw(handles[0], "org.elluminate.RunExperiment",
					 experiment_request(&(struct experiment) {
						 .rows = 1, .name = "Oneway", .more = "'detach':true" }),
					 NULL), 0);
	stream = begin_stream(handles[0], "org.elluminate.Monitor", "{\"cursor\":\"m1.1.1\"}", &reply);
	ellu_stream_close(stream);
	stream = begin_stream(handles[1], "org.elluminate.Monitor",
			      text("{\"cursor\":\"%s\"}", at_text(reply, "cursor")), &reply);
	ellu_stream_close(stream);
	ellu_close(handles[0]);
	ellu_close(handles[1]);
	sim_stop(sim);
}
END_TEST

/* ---- Many calls ---- */

#define MANY 200

/* The bus is asked for all of them at once. */
START_TEST(many_streams_at_once)
{
	struct ellu_watch_task_request request = ELLU_RECORD(struct ellu_watch_task_request);
	struct ellu_op *ops[MANY];
	struct ellu *handle;

	start(/* system= */ true);
	request.id = experiment_submit(daemon_connect(server), &(struct experiment) { .rows = 1 });
	ck_assert_int_eq(ellu_open(ELLU_SYSTEM_BUS_ADDRESS, ELLU_EVENT, &handle), 0);
	for (int i = 0; i < MANY; i++)
		ck_assert_int_eq(ellu_watch_task_stream_async(handle, &request, NULL, NULL, &ops[i]), 0);
	ck_assert_int_eq(ellu_op_wait_all(ops, MANY, WAIT_SECONDS), 1);
	for (int i = 0; i < MANY; i++) {
		ck_assert_int_eq(ellu_op_result(ops[i], NULL, NULL), 0);
		ellu_op_free(ops[i]);
	}
	ellu_close(handle);
}
END_TEST

/* The time limit and the cancel of a call whose connection does not come. */
START_TEST(a_daemon_that_hangs)
{
	const struct ellu_error *error;
	struct ellu_op *op;
	struct ellu *blocking, *event;

	start(/* system= */ false);
	blocking = open_handle(ELLU_BLOCKING);
	event = open_handle(ELLU_EVENT);
	/* Its connection is under way; a call needs another one. */
	ck_assert_int_eq(ellu_oneway_raw(blocking, "org.elluminate.GetStatus", NULL, NULL), 0);
	daemon_signal(server, SIGSTOP);
	ck_assert_int_eq(ellu_set_timeout(blocking, 0.05), 0);
	ck_assert_int_eq(ellu_oneway_raw(blocking, "org.elluminate.GetStatus", NULL, NULL),
			 -ETIMEDOUT);
	ck_assert_int_eq(get_task(blocking, 1, &error), -ETIMEDOUT);
	ellu_free(error);
	ck_assert_int_eq(start_get_status(event, 0, &op, NULL), 0);
	ck_assert_int_eq(ellu_op_wait(op, 0.05), 0);
	ck_assert_int_eq(ellu_op_cancel(op), 0);
	ellu_op_free(op);
	ck_assert_int_eq(start_get_status(event, 0, &op, NULL), 0);
	daemon_signal(server, SIGCONT);
	ck_assert_int_eq(ellu_op_wait(op, WAIT_SECONDS), 1);
	ck_assert_int_eq(ellu_op_result(op, NULL, NULL), 0);
	ellu_op_free(op);
	ck_assert_int_eq(ellu_set_timeout(blocking, WAIT_SECONDS), 0);
	ck_assert_int_eq(get_task(blocking, 1, NULL), ELLU_E_NOT_FOUND);
	ellu_close(blocking);
	ellu_close(event);
}
END_TEST

#define CONNECTIONS 4 // of a user, its names on the bus among them

/* Follows a task that runs, on a connection of its own. */
static int follow(struct ellu *handle, int64_t id, struct ellu_stream **ret_stream,
		  const struct ellu_error **ret_error)
{
	struct ellu_watch_task_request request = ELLU_RECORD(struct ellu_watch_task_request);
	const struct ellu_watch_task_reply *reply;
	int r;

	request.id = id;
	ck_assert_int_eq(ellu_watch_task_stream(handle, &request, ret_stream, NULL), 0);
	r = ellu_watch_task_next(*ret_stream, &reply, ret_error);
	if (r == 1)
		ellu_free(reply);
	else
		ellu_stream_close(*ret_stream);
	return r;
}

START_TEST(more_connections_than_allowed)
{
	double deadline = now_seconds() + WAIT_SECONDS;
	struct ellu_stream *streams[CONNECTIONS + 1];
	const struct ellu_error *error;
	struct ellu *handle, *none;
	int n = 0, r;
	int64_t id;

	start_bus(/* system= */ false);
	server = daemon_start(&(struct daemon_options) {
		.bus = true,
		.config = text("[front]\nmax_connections_per_user = %d\n", CONNECTIONS),
		.environment = (const char *[]) { message_bus_variable(message_bus), NULL } });
	sim = sim_start((const char *[]) { "--latency_seconds=3600", NULL });
	id = experiment_submit(daemon_connect(server), &(struct experiment) {
		.rows = 1, .url = sim_url(sim) });
	handle = open_handle(ELLU_BLOCKING);
	while ((r = follow(handle, id, &streams[n], &error)) == 1)
		ck_assert_int_lt(++n, CONNECTIONS);
	ck_assert_int_gt(n, 0);
	ck_assert_int_eq(r, ELLU_E_TOO_MANY_REQUESTS);
	ck_assert_str_eq(error->code, "TooManyRequests");
	ck_assert_ptr_nonnull(error->retry_after_seconds);
	ellu_free(error);
	ck_assert_int_eq(ellu_open(ELLU_SESSION_BUS_ADDRESS, ELLU_BLOCKING, &none),
			 ELLU_E_TOO_MANY_REQUESTS);
	/* As soon as the daemon knows that one has gone there is room again. */
	ellu_stream_close(streams[--n]);
	while ((r = get_task(handle, 999, NULL)) == ELLU_E_TOO_MANY_REQUESTS)
		ck_assert(now_seconds() < deadline);
	ck_assert_int_eq(r, ELLU_E_NOT_FOUND);
	while (n > 0)
		ellu_stream_close(streams[--n]);
	ellu_close(handle);
	sim_stop(sim);
}
END_TEST

/* ---- Losses ---- */

static void *call_once(void *userdata)
{
	return (void *)(intptr_t)get_task(userdata, 1, NULL);
}

static int await_op(struct ellu_op *op)
{
	int code;

	ck_assert_int_eq(ellu_op_wait(op, WAIT_SECONDS), 1);
	code = ellu_op_result(op, NULL, NULL);
	ellu_op_free(op);
	return code;
}

static struct ellu_op *begin_call(struct ellu *handle)
{
	struct ellu_op *op;

	ck_assert_int_eq(start_get_status(handle, 0, &op, NULL), 0);
	return op;
}

/* The daemon goes under calls, the bus does not answer for it. */
START_TEST(calls_that_are_lost)
{
	struct ellu *event, *blocking;
	struct ellu_op *op;
	pthread_t thread;
	void *result;

	start(/* system= */ false);
	blocking = open_handle(ELLU_BLOCKING);
	event = open_handle(ELLU_EVENT);
	ck_assert_int_eq(ellu_set_reconnect(blocking, 0), 0);
	ck_assert_int_eq(ellu_set_reconnect(event, 0), 0);
	ck_assert_int_eq(await_op(begin_call(event)), 0);
	daemon_signal(server, SIGSTOP);
	op = begin_call(event);
	ck_assert_int_eq(ellu_op_wait(op, 0), 0);
	ck_assert_int_eq(pthread_create(&thread, NULL, call_once, blocking), 0);
	daemon_kill(server);
	ck_assert_int_eq(await_op(op), -ECONNRESET);
	pthread_join(thread, &result);
	/* It may have come too late to be under way. */
	ck_assert((intptr_t)result == -ECONNRESET || (intptr_t)result == -ECONNREFUSED);
	/* Nobody has the name. */
	ck_assert_int_eq(get_task(blocking, 1, NULL), -ECONNREFUSED);
	ck_assert_int_eq(await_op(begin_call(event)), -ECONNREFUSED);
	daemon_restart(server);
	ck_assert_int_eq(get_task(blocking, 1, NULL), ELLU_E_NOT_FOUND);
	ck_assert_int_eq(await_op(begin_call(event)), 0);
	ellu_close(blocking);
	ellu_close(event);
}
END_TEST

/* What was handed over needs the bus no more. */
START_TEST(a_bus_that_goes_away)
{
	struct ellu *event, *blocking;
	struct ellu_op *op;

	start(/* system= */ false);
	blocking = open_handle(ELLU_BLOCKING);
	event = open_handle(ELLU_EVENT);
	ck_assert_int_eq(await_op(begin_call(event)), 0);
	daemon_signal(server, SIGSTOP);
	op = begin_call(event);
	message_bus_kill(message_bus);
	daemon_signal(server, SIGCONT);
	ck_assert_int_eq(await_op(op), 0);
	ck_assert_int_eq(get_task(blocking, 1, NULL), ELLU_E_NOT_FOUND);
	ck_assert_int_eq(await_op(begin_call(event)), 0);
	daemon_kill(server);
	ck_assert_int_eq(get_task(blocking, 1, NULL), -ECONNREFUSED);
	message_bus_restart(message_bus);
	daemon_restart(server);
	ck_assert_int_eq(get_task(blocking, 1, NULL), ELLU_E_NOT_FOUND);
	ck_assert_int_eq(await_op(begin_call(event)), 0);
	ellu_close(blocking);
	ellu_close(event);
}
END_TEST

static void *open_once(void *userdata)
{
	return (void *)(intptr_t)ellu_open(ELLU_SESSION_BUS_ADDRESS, ELLU_BLOCKING, userdata);
}

/* The bus starts the daemon for whoever opens a handle, and for every call after a loss. */
START_TEST(the_bus_starts_the_daemon)
{
	struct ellu *event, *blocking;
	struct ellu_op *op;
	pthread_t thread;
	void *result;

	start(/* system= */ false);
	message_bus_activate(message_bus);
	daemon_kill(server);
	ck_assert_int_eq(pthread_create(&thread, NULL, open_once, &blocking), 0);
	message_bus_wants_daemon(message_bus);
	daemon_restart(server);
	pthread_join(thread, &result);
	ck_assert_int_eq((intptr_t)result, 0);
	event = open_handle(ELLU_EVENT);
	for (int i = 0; i < 3; i++) {
		daemon_kill(server);
		op = begin_call(event);
		ck_assert_int_eq(pthread_create(&thread, NULL, i % 2 ? run_op : call_once,
						i % 2 ? (void *)op : blocking), 0);
		message_bus_wants_daemon(message_bus);
		daemon_restart(server);
		pthread_join(thread, &result);
		ck_assert_int_eq((intptr_t)result, i % 2 ? 1 : ELLU_E_NOT_FOUND);
		ck_assert_int_eq(await_op(op), 0);
	}
	ellu_close(blocking);
	ellu_close(event);
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
	ck_assert_ptr_nonnull(strstr(command->err, "--bus other: expected one of session system"));
	daemon_kill(server);
	command = COMMAND(server, 69, "status", "--bus=session");
	ck_assert_ptr_nonnull(strstr(command->err, "bus:session"));
}
END_TEST

int main(void)
{
	if (!message_bus_is_there())
		return EXIT_SKIPPED;
	return RUN_SUITE(nobody_is_there, errors_are_those_of_the_socket, what_takes_a_connection,
			 many_streams_at_once, a_daemon_that_hangs, more_connections_than_allowed,
			 calls_that_are_lost, a_bus_that_goes_away, the_bus_starts_the_daemon,
			 the_command_over_the_bus);
}
