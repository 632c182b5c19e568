/* A daemon that goes away in the middle: what goes on, how, and what is said of the rest. */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "client/elluminate.h"
#include "tests/unit/client/client_standin.h"
#include "tests/unit/suite.h"

static struct standin standin;
static struct ellu *handle;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static char calls[16][512]; // in the order in which they came
static int n_seen;
static const char *trick; // what the daemon does to a call that holds this: it hangs up, once

static int note_call(const char *call)
{
	int n;

	pthread_mutex_lock(&lock);
	n = n_seen++;
	ck_assert_int_lt(n, 16);
	snprintf(calls[n], sizeof(calls[n]), "%s", call);
	pthread_mutex_unlock(&lock);
	return n;
}

static void send_event(int fd, int sequence, const char *status, bool continues)
{
	char text[512];

	snprintf(text, sizeof(text),
		 "{\"parameters\":{\"event\":{\"task_id\":7,\"sequence\":%d,\"status\":\"%s\","
		 "\"logs_delta\":\"line %d\\n\",\"at\":\"2026-01-31T12:00:00.000Z\"},"
		 "\"cursor\":\"c%d\"}%s}",
		 sequence, status, sequence, sequence, continues ? ",\"continues\":true" : "");
	standin_send(fd, text);
}

/* Two events a connection, six in all; the last ends the task. */
static int answer_events(struct standin *guest, int fd, const char *call)
{
	const char *after = strstr(call, "\"after_sequence\":");
	const char *cursor = strstr(call, "\"cursor\":\"c");
	int n = after ? atoi(after + 17) : cursor ? atoi(cursor + 11) : 0;

	(void) guest;
	(void) note_call(call);
	for (int i = n + 1; i <= n + 2; i++)
		send_event(fd, i, i < 6 ? "STARTED" : "SUCCESS", i < 6);
	return n + 2 < 6 ? -1 : 0;
}

static int answer_pages(struct standin *guest, int fd, const char *call)
{
	const char *cursor = strstr(call, "\"cursor\":\"");
	int n = cursor ? atoi(cursor + 10) : 0;
	char text[512];

	(void) guest;
	(void) note_call(call);
	snprintf(text, sizeof(text),
		 "{\"parameters\":{\"items\":[{\"sequence\":%d,\"at\":\"2026-01-31T12:00:00.000Z\","
		 "\"line\":\"a\"},{\"sequence\":%d,\"at\":\"2026-01-31T12:00:00.000Z\",\"line\":\"b\"}]"
		 "%s%s",
		 n + 1, n + 2, n < 4 ? ",\"next_cursor\":\"" : "}}", n < 4 ? "" : "");
	if (n < 4)
		snprintf(text + strlen(text), sizeof(text) - strlen(text),
			 "%d\"},\"continues\":true}", n + 2);
	standin_send(fd, text);
	return n < 4 ? -1 : 0;
}

/* Hangs up on the first call with the trick in it, answers the others. */
static int answer_second_time(struct standin *guest, int fd, const char *call)
{
	if (strstr(call, trick) && note_call(call) == 0)
		return -1;
	if (strstr(call, "RunExperiment"))
		send_event(fd, 1, "SUCCESS", false);
	else
		return standin_answer(guest, fd, call);
	return 0;
}

static void begin(unsigned mode, int (*answer)(struct standin *, int, const char *))
{
	standin_start(&standin, answer);
	ck_assert_int_eq(ellu_open(standin.path, mode, &handle), 0);
}

static void finish(void)
{
	handle = ellu_close(handle);
	standin_stop(&standin);
}

static void check_watch_calls(const char *first)
{
	ck_assert_int_eq(n_seen, 3);
	ck_assert_msg(strstr(calls[0], first), "%s", calls[0]);
	for (int i = 1; i < 3; i++) {
		char wanted[32];

		snprintf(wanted, sizeof(wanted), "\"after_sequence\":%d", 2 * i);
		ck_assert_msg(strstr(calls[i], "WatchTask") && strstr(calls[i], wanted) &&
				      strstr(calls[i], "\"min_interval_seconds\":2") &&
				      strstr(calls[i], "\"id\":7") && !strstr(calls[i], "name"),
			      "%s", calls[i]);
	}
}

/* Reads the whole call, and hangs up. */
static int hang_up(struct standin *guest, int fd, const char *call)
{
	(void) guest;
	(void) fd;
	(void) note_call(call);
	return -1;
}

/* The daemon had the call; that it could not be handed over again does not undo it. */
START_TEST(a_call_that_arrived_is_never_said_not_to_have_been_carried_out)
{
	struct ellu_run_experiment_request request = ELLU_RECORD(struct ellu_run_experiment_request);
	const struct ellu_error *error;
	char *description = malloc(900000);

	memset(description, 'd', 899999); // more than a socket holds
	description[899999] = '\0';
	begin(ELLU_BLOCKING, hang_up);
	standin.deaf_from = 2;
	ck_assert_int_eq(ellu_set_reconnect(handle, 0.2), 0);
	request.name = "n";
	request.description = description;
	request.idempotency_key = "k";
	ck_assert_int_eq(ellu_run_experiment(handle, &request, NULL, &error), -ECONNRESET);
	ck_assert_int_eq(n_seen, 1);
	ck_assert_int_ge(standin.n_connections, 2);
	ck_assert_int_eq(ellu_may_have_happened(-ECONNRESET), 1);
	ellu_free(error);
	free(description);
	finish();
}
END_TEST

/* ---- Streams ---- */

START_TEST(a_run_goes_on_as_its_task)
{
	struct ellu_run_experiment_request request = ELLU_RECORD(struct ellu_run_experiment_request);
	const struct ellu_run_experiment_reply *reply;
	struct ellu_stream *stream;
	int n = 0;

	begin(ELLU_BLOCKING, answer_events);
	request.name = "n";
	request.min_interval_seconds = 2;
	ck_assert_int_eq(ellu_run_experiment_stream(handle, &request, &stream, NULL), 0);
	ck_assert_int_eq(ellu_stream_task_id(stream), 0);
	while (ellu_run_experiment_next(stream, &reply, NULL) > 0) {
		ck_assert_int_eq(reply->event->sequence, ++n);
		ck_assert_int_eq(ellu_event_is_complete(reply->event), n == 6);
		ck_assert_int_eq(ellu_event_is_success(reply->event), n == 6);
		ck_assert_int_eq(ellu_stream_task_id(stream), 7);
		ellu_free(reply);
	}
	ck_assert_int_eq(n, 6);
	check_watch_calls("RunExperiment");
	ellu_stream_close(stream);
	finish();
}
END_TEST

static int n_events;

static void on_event(struct ellu_op *op, int result, const struct ellu_watch_task_reply *watch,
		     const struct ellu_error *error, void *userdata)
{

	(void) userdata;
	ck_assert_ptr_null(error);
	ck_assert_int_eq(watch->event->sequence, ++n_events);
	ck_assert_int_eq(result, n_events < 6);
	ck_assert_int_eq(ellu_op_task_id(op), 7);
}

START_TEST(the_same_by_callbacks)
{
	struct ellu_watch_task_request request = ELLU_RECORD(struct ellu_watch_task_request);
	struct ellu_op *op;

	begin(ELLU_EVENT, answer_events);
	request.id = 7;
	request.min_interval_seconds = 2;
	ck_assert_int_eq(ellu_watch_task_stream_async(handle, &request, on_event, NULL, &op), 0);
	ck_assert_int_eq(ellu_op_wait(op, 30), 1);
	ck_assert_int_eq(n_events, 6);
	check_watch_calls("WatchTask");
	ellu_op_free(op);
	finish();
}
END_TEST

START_TEST(a_list_goes_on_with_the_next_page)
{
	struct ellu_list_task_logs_request request = ELLU_RECORD(struct ellu_list_task_logs_request);
	const struct ellu_task_log *item;
	struct ellu_stream *stream;
	int n = 0;

	begin(ELLU_BLOCKING, answer_pages);
	request.id = 7;
	ck_assert_int_eq(ellu_list_task_logs_stream(handle, &request, &stream, NULL), 0);
	while (ellu_list_task_logs_next_item(stream, &item, NULL) > 0)
		ck_assert_int_eq(item->sequence, ++n);
	ck_assert_int_eq(n, 6);
	ck_assert_int_eq(n_seen, 3);
	ck_assert(strstr(calls[2], "\"cursor\":\"4\"") && strstr(calls[2], "\"id\":7"));
	ellu_stream_close(stream);
	finish();
}
END_TEST

START_TEST(a_monitor_goes_on_behind_its_cursor)
{
	struct ellu_monitor_request request = ELLU_RECORD(struct ellu_monitor_request);
	const struct ellu_monitor_reply *reply;
	struct ellu_stream *stream;
	int n = 0;

	begin(ELLU_BLOCKING, answer_events);
	ck_assert_int_eq(ellu_monitor_stream(handle, &request, &stream, NULL), 0);
	while (ellu_monitor_next(stream, &reply, NULL) > 0) {
		ck_assert_int_eq(reply->event->sequence, ++n);
		ellu_free(reply);
	}
	ck_assert_int_eq(n, 6);
	ck_assert(strstr(calls[2], "\"cursor\":\"c4\""));
	ck_assert_int_eq(ellu_stream_task_id(stream), 0);
	ellu_stream_close(stream);
	finish();
}
END_TEST

/* ---- Calls ---- */

START_TEST(a_key_makes_a_repetition_safe)
{
	struct ellu_run_experiment_request request = ELLU_RECORD(struct ellu_run_experiment_request);
	const struct ellu_error *error;
	struct ellu_op *op;

	trick = "RunExperiment";
	begin(ELLU_BLOCKING, answer_second_time);
	ck_assert_int_eq(ellu_run_experiment(handle, &request, NULL, &error), -ECONNRESET);
	ck_assert(strstr(error->message, "may have been carried out"));
	ck_assert_int_eq(ellu_may_have_happened(-ECONNRESET), 1);
	ellu_free(error);
	n_seen = 0;
	request.idempotency_key = "k";
	ck_assert_int_eq(ellu_run_experiment(handle, &request, NULL, NULL), 0);
	ck_assert_int_eq(n_seen, 2);
	ck_assert_str_eq(calls[0], calls[1]);
	ellu_close(handle);
	n_seen = 0;
	ck_assert_int_eq(ellu_open(standin.path, ELLU_EVENT, &handle), 0);
	ck_assert_int_eq(ellu_run_experiment_async(handle, &request, NULL, NULL, &op), 0);
	ck_assert_int_eq(ellu_op_wait(op, 10), 1);
	ck_assert_int_eq(ellu_op_result(op, NULL, NULL), 0);
	ck_assert_int_eq(n_seen, 2);
	ellu_op_free(op);
	finish();
}
END_TEST

/* Hangs up twice. */
static int answer_third_time(struct standin *guest, int fd, const char *call)
{
	return note_call(call) % 3 < 2 ? -1 : standin_answer(guest, fd, call);
}

/* A plain read, however it is called. What changes something is not made twice. */
START_TEST(a_read_is_made_again)
{
	struct ellu_get_task_request request = ELLU_RECORD(struct ellu_get_task_request);
	struct ellu_prune_tasks_request prune = ELLU_RECORD(struct ellu_prune_tasks_request);
	const struct ellu_raw_reply *raw;
	struct ellu_op *op;

	begin(ELLU_BLOCKING, answer_third_time);
	request.id = 7;
	ck_assert_int_eq(ellu_get_task(handle, &request, NULL, NULL), 0);
	ck_assert_int_eq(n_seen, 3);
	ck_assert_str_eq(calls[0], calls[2]);
	ck_assert_int_eq(ellu_call_raw(handle, "org.elluminate.GetTask", "{\"id\":7}", &raw, NULL), 0);
	ck_assert(strstr(raw->parameters, "STARTED"));
	ck_assert_int_eq(n_seen, 6);
	ck_assert_str_eq(calls[0], calls[5]);
	ellu_free(raw);
	ck_assert_int_eq(ellu_prune_tasks(handle, &prune, NULL, NULL), -ECONNRESET);
	ck_assert_int_eq(n_seen, 7);
	ellu_close(handle);
	n_seen = 0;
	ck_assert_int_eq(ellu_open(standin.path, ELLU_EVENT, &handle), 0);
	ck_assert_int_eq(ellu_get_task_async(handle, &request, NULL, NULL, &op), 0);
	ck_assert_int_eq(ellu_op_wait(op, 30), 1);
	ck_assert_int_eq(ellu_op_result(op, NULL, NULL), 0);
	ck_assert_int_eq(n_seen, 3);
	ellu_op_free(op);
	finish();
}
END_TEST

/* Streams by name: of a task, and a list. */
START_TEST(raw_streams_go_on_too)
{
	const struct ellu_raw_reply *reply;
	struct ellu_stream *stream;
	char wanted[32];
	int n = 0;

	begin(ELLU_BLOCKING, answer_events);
	ck_assert_int_eq(ellu_stream_raw(handle, "org.elluminate.WatchTask", "{\"id\":7}", &stream,
					 NULL), 0);
	while (ellu_raw_next(stream, &reply, NULL) > 0) {
		snprintf(wanted, sizeof(wanted), "\"sequence\":%d,", ++n);
		ck_assert(strstr(reply->parameters, wanted));
		ellu_free(reply);
	}
	ck_assert_int_eq(n, 6);
	ck_assert_int_eq(ellu_stream_task_id(stream), 7);
	ck_assert(strstr(calls[2], "\"after_sequence\":4"));
	ellu_stream_close(stream);
	finish();
	n_seen = 0;
	begin(ELLU_BLOCKING, answer_pages);
	ck_assert_int_eq(ellu_stream_raw(handle, "org.elluminate.ListTaskLogs", "{\"id\":7}", &stream,
					 NULL), 0);
	for (n = 0; ellu_raw_next(stream, &reply, NULL) > 0; n++)
		ellu_free(reply);
	ck_assert_int_eq(n_seen, 3);
	ck_assert(strstr(calls[2], "\"cursor\":\"4\"") && strstr(calls[2], "\"id\":7"));
	ellu_stream_close(stream);
	finish();
}
END_TEST

START_TEST(what_was_not_sent_is_told_apart)
{
	struct ellu_get_task_request request = ELLU_RECORD(struct ellu_get_task_request);

	begin(ELLU_BLOCKING, standin_answer);
	request.id = 7;
	ck_assert_int_eq(ellu_get_task(handle, &request, NULL, NULL), 0);
	standin_stop(&standin);
	ck_assert_int_eq(ellu_get_task(handle, &request, NULL, NULL), -ENOENT);
	ck_assert_int_eq(ellu_may_have_happened(-ENOENT), 0);
	ck_assert_int_eq(ellu_may_have_happened(-ENOTCONN), 0);
	ck_assert_int_eq(ellu_may_have_happened(ELLU_E_CONFLICT), 0);
	ck_assert_int_eq(ellu_may_have_happened(0), 0);
	handle = ellu_close(handle);
}
END_TEST

START_TEST(patience_ends)
{
	struct ellu_watch_task_request request = ELLU_RECORD(struct ellu_watch_task_request);
	const struct ellu_watch_task_reply *reply;
	const struct ellu_error *error;
	struct ellu_stream *stream;

	begin(ELLU_BLOCKING, answer_events);
	request.id = 7;
	ck_assert_int_eq(ellu_set_reconnect(handle, 1), 0);
	ck_assert_int_eq(ellu_watch_task_stream(handle, &request, &stream, NULL), 0);
	for (int i = 0; i < 2; i++) {
		ck_assert_int_eq(ellu_watch_task_next(stream, &reply, NULL), 1);
		ellu_free(reply);
	}
	standin_stop(&standin);
	ck_assert_int_eq(ellu_stream_wait(stream, 0), 0);
	ck_assert_int_eq(ellu_watch_task_next(stream, &reply, &error), -ECONNRESET);
	ck_assert(strstr(error->message, "did not come back"));
	ellu_free(error);
	ck_assert_int_eq(ellu_watch_task_next(stream, &reply, &error), 0);
	ellu_stream_close(stream);
	ck_assert_int_eq(ellu_set_reconnect(handle, -1), -EINVAL);
	ck_assert_int_eq(ellu_set_reconnect(handle, 1e9), -EINVAL);
	handle = ellu_close(handle);
}
END_TEST

START_TEST(no_patience_at_all)
{
	struct ellu_watch_task_request request = ELLU_RECORD(struct ellu_watch_task_request);
	struct ellu_op *op;

	trick = "WatchTask";
	begin(ELLU_EVENT, answer_second_time);
	request.id = 7;
	ck_assert_int_eq(ellu_set_reconnect(handle, 0), 0);
	ck_assert_int_eq(ellu_watch_task_stream_async(handle, &request, NULL, NULL, &op), 0);
	ck_assert_int_eq(ellu_op_wait(op, 10), 1);
	ck_assert_int_eq(ellu_op_result(op, NULL, NULL), -ECONNRESET);
	ellu_op_free(op);
	finish();
}
END_TEST

/* ---- Cancelling the task ---- */

static int answer_until_cancelled(struct standin *guest, int fd, const char *call)
{
	static int watcher;

	(void) guest;
	(void) note_call(call);
	if (strstr(call, "CancelTask")) {
		send_event(watcher, 2, "REVOKED", false);
		return standin_answer(guest, fd, "GetTask");
	}
	watcher = fd;
	send_event(fd, 1, "STARTED", true);
	return 0;
}

START_TEST(cancelling_the_task_of_a_stream)
{
	struct ellu_run_experiment_request request = ELLU_RECORD(struct ellu_run_experiment_request);
	const struct ellu_run_experiment_reply *reply;
	struct ellu_stream *stream;
	struct ellu_op *op;

	begin(ELLU_BLOCKING, answer_until_cancelled);
	ck_assert_int_eq(ellu_run_experiment_stream(handle, &request, &stream, NULL), 0);
	ck_assert_int_eq(ellu_stream_cancel_task(stream, NULL), -EAGAIN);
	ck_assert_int_eq(ellu_run_experiment_next(stream, &reply, NULL), 1);
	ellu_free(reply);
	ck_assert_int_eq(ellu_stream_cancel_task(stream, NULL), 0);
	ck_assert_int_eq(ellu_run_experiment_next(stream, &reply, NULL), 1);
	ck_assert_int_eq(ellu_event_is_failure(reply->event), 1);
	ellu_free(reply);
	ellu_stream_close(stream);
	ellu_close(handle);
	ck_assert_int_eq(ellu_open(standin.path, ELLU_EVENT, &handle), 0);
	ck_assert_int_eq(ellu_run_experiment_stream_async(handle, &request, NULL, NULL, &op), 0);
	ck_assert_int_eq(ellu_op_cancel_task(op), 0); // its task is not known yet
	ck_assert_int_eq(ellu_op_wait(op, 10), 1);
	ck_assert_int_eq(ellu_run_experiment_result(op, &reply, NULL), 0);
	ck_assert_str_eq(reply->event->status, "REVOKED");
	ellu_free(reply);
	ellu_op_free(op);
	finish();
}
END_TEST

int main(void)
{
	return RUN_TESTS(a_call_that_arrived_is_never_said_not_to_have_been_carried_out,
			 a_run_goes_on_as_its_task, the_same_by_callbacks,
			 a_list_goes_on_with_the_next_page, a_monitor_goes_on_behind_its_cursor,
			 a_key_makes_a_repetition_safe, a_read_is_made_again,
			 raw_streams_go_on_too, what_was_not_sent_is_told_apart, patience_ends,
			 no_patience_at_all, cancelling_the_task_of_a_stream);
}
