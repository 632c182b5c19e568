/*
 * What a hostile server may send to the client library: the first byte chooses the call, the rest
 * is the answer, after which the server hangs up. In an operation and its waiting no thread takes
 * part, so that an input always does the same.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "client/elluminate.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define WAIT_SECONDS 60

static int listener = -1;
static char path[64];

static void require(int condition)
{
	if (!condition)
		abort();
}

static void stop_listening(void)
{
	unlink(path);
}

static void start_listening(void)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };

	snprintf(path, sizeof(path), "/tmp/fuzz-client-%d", (int) getpid());
	snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	unlink(path);
	listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	require(bind(listener, (struct sockaddr *) &address, sizeof(address)) == 0);
	require(listen(listener, 16) == 0);
	atexit(stop_listening);
}

/* Looks at all that came, as a program would. */
static void on_reply(struct ellu_op *op, int result, const void *reply,
		     const struct ellu_error *error, void *userdata)
{
	const struct ellu_watch_task_reply *watch = reply;
	volatile size_t sum = 0;

	(void) op;
	require((result >= 0) == (reply != NULL));
	require((result < 0) == (error != NULL && error->message != NULL));
	if (result >= 0 && userdata) {
		sum += strlen(ellu_event_logs_delta(watch->event));
		sum += (size_t) ellu_event_is_failure(watch->event);
		sum += watch->event ? strlen(watch->event->status) : 0;
		sum += watch->task ? strlen(watch->task->name) : 0;
		(void) sum;
	}
}

static void on_reply_raw(struct ellu_op *op, int result, const struct ellu_raw_reply *reply,
		     const struct ellu_error *error, void *userdata)
{
	on_reply(op, result, reply, error, userdata);
}

static int start(struct ellu *handle, unsigned choice, struct ellu_op **op)
{
	struct ellu_watch_task_request watch = ELLU_RECORD(struct ellu_watch_task_request);
	struct ellu_get_task_request get = ELLU_RECORD(struct ellu_get_task_request);
	struct ellu_list_responses_request list = ELLU_RECORD(struct ellu_list_responses_request);
	struct ellu_monitor_request monitor = ELLU_RECORD(struct ellu_monitor_request);
	struct ellu_ref experiment = ELLU_RECORD(struct ellu_ref);

	experiment.name = "n";
	list.experiment = &experiment;
	switch (choice % 5) {
	case 0:
		return ellu_stream_method_async(handle, "org.elluminate.WatchTask", &watch, NULL,
				(ellu_any_fn *) on_reply, handle, op);
	case 1:
		return ellu_call_method_async(handle, "org.elluminate.GetTask", &get, NULL,
				(ellu_any_fn *) on_reply, NULL, op);
	case 2:
		return ellu_stream_method_async(handle, "org.elluminate.ListResponses", &list, NULL,
				(ellu_any_fn *) on_reply, NULL, op);
	case 3:
		return ellu_stream_method_async(handle, "org.elluminate.Monitor", &monitor, NULL,
				(ellu_any_fn *) on_reply, handle, op);
	default:
		return ellu_stream_raw_async(handle, "a.B", "{}", on_reply_raw, NULL, op);
	}
}

/* As much as the socket takes at a time. */
static void answer(struct ellu *handle, int fd, const uint8_t *data, size_t size)
{
	while (size > 0) {
		ssize_t n = send(fd, data, size, MSG_DONTWAIT | MSG_NOSIGNAL);

		if (n <= 0 && ellu_process(handle) <= 0)
			return;
		if (n > 0) {
			data += n;
			size -= (size_t) n;
		}
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct ellu *handle;
	struct ellu_op *op;
	int fd;

	if (size == 0)
		return 0;
	if (listener < 0)
		start_listening();
	require(ellu_open(path, ELLU_EVENT, &handle) == 0);
	require(ellu_set_reconnect(handle, 0) == 0);
	require(start(handle, data[0], &op) == 0);
	fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	require(fd >= 0);
	answer(handle, fd, data + 1, size - 1);
	close(fd);
	require(ellu_op_wait(op, WAIT_SECONDS) == 1);
	require(ellu_op_is_done(op));
	ellu_op_free(op);
	ellu_close(handle);
	return 0;
}
