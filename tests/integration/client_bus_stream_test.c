/* The client library's streams and monitors over a message bus that goes away and comes back. */
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/integration/client_bus.h"

#define MONITORS 40
#define ROWS 300

static struct sim *sim;

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

	*request = ELLU_RECORD(struct ellu_watch_task_request);
	request->id = id;
	request->after_sequence = &from_start;
}

static void on_watch(struct ellu_op *op, int result, const struct ellu_watch_task_reply *reply,
		     const struct ellu_error *error, void *userdata)
{
	(void)op;
	(void)error;
	if (result >= 0)
		seen_take(userdata, reply->event);
}

/* The bus goes and comes back under a blocking stream and an asynchronous one, once with the daemon. */
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
	ck_assert_int_eq(ellu_watch_task_stream(handles[0], &request, &stream, NULL), 0);
	ck_assert_int_eq(ellu_watch_task_stream_async(handles[1], &request, on_watch, &event, &op),
			 0);
	while (!event.status[0])
		ck_assert_int_eq(ellu_op_wait(op, WAIT_SECONDS / 100), 0);
	ck_assert_int_eq(pthread_create(&thread, NULL, run_op, op), 0);
	while ((r = ellu_watch_task_next(stream, &reply, NULL)) > 0) {
		seen_take(&blocking, reply->event);
		ellu_free(reply);
		if (++n == 2)
			daemon_kill(server);
		if (n == 2 || n == 4) {
			message_bus_kill(message_bus);
			message_bus_restart(message_bus);
		}
		if (n == 2)
			daemon_restart(server);
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
	ck_assert_int_eq(ellu_watch_task_stream(handle, &request, &stream, NULL), 0);
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

static void on_monitor(struct ellu_op *op, int result, const struct ellu_monitor_reply *monitor,
		       const struct ellu_error *error, void *userdata)
{
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
	struct wire *wire;
	int n_seen = 0, n_ended = 0;
	long long id;

	start(/* system= */ false);
	handle = open_handle(ELLU_EVENT);
	for (int i = 0; i < MONITORS; i++) {
		seen_init(&shown[i].seen);
		ck_assert_int_eq(ellu_monitor_stream_async(handle, &request, on_monitor, &shown[i],
							   &ops[i]),
				 0);
	}
	/* Who comes when it is over is not shown it. */
	id = submit_logging(0.02);
	wire = daemon_connect(server);
	wire_call(wire, "PauseTask", "{'id':%lld}", id);
	while (n_seen < MONITORS) {
		ck_assert_int_eq(ellu_op_wait(ops[0], 0.02), 0);
		ck_assert(now_seconds() < deadline);
		n_seen = 0;
		for (int i = 0; i < MONITORS; i++)
			n_seen += shown[i].n_tasks;
	}
	wire_call(wire, "ResumeTask", "{'id':%lld}", id);
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

int main(void)
{
	if (!message_bus_is_there())
		return EXIT_SKIPPED;
	return RUN_SUITE(streams_survive_the_bus, a_stream_on_the_system_bus,
			 a_monitor_shows_a_task_to_its_end, many_monitors_survive_a_restart);
}
