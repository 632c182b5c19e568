/* Monitor: every task that the caller may see, as a stream that can be gone on with. */
#include "daemon/queue/monitor.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/api/call.h"
#include "daemon/base/clock.h"
#include "daemon/queue/queue.h"
#include "proto/generated/handlers.h"

struct monitoring {
	struct call *call; // a reference
	struct monitor *monitor;
};

static void monitoring_end(struct monitoring *monitoring)
{
	struct call *call = monitoring->call;

	call->on_gone = call->on_writable = NULL;
	call->data = NULL;
	monitor_free(monitoring->monitor);
	free(monitoring);
	call_unref(call);
}

/* ---- Cursors ---- */

#define CURSOR_SIZE 64

static void print_cursor(char cursor[CURSOR_SIZE], const struct events_position *position)
{
	snprintf(cursor, CURSOR_SIZE, "m%" PRId64 ".%" PRId64 ".%" PRId64, position->number,
		 position->known_id, position->introduced_id);
}

static int read_cursor(const char *cursor, struct events_position *ret_position,
		       struct fault *fault)
{
	int end = -1;

	if (cursor[0] == 'm' && strspn(cursor + 1, "0123456789.") == strlen(cursor + 1) &&
	    sscanf(cursor + 1, "%18" SCNd64 ".%18" SCNd64 ".%18" SCNd64 "%n", &ret_position->number,
		   &ret_position->known_id, &ret_position->introduced_id, &end) == 3 &&
	    end >= 0 && cursor[1 + end] == '\0')
		return 0;
	return fault_invalid(fault, "cursor", "the cursor of an earlier reply of Monitor");
}

/* ---- Replies ---- */

static void on_reply(void *userdata, const struct ellu_task *task,
		     const struct ellu_task_event *event, const struct events_position *position)
{
	struct monitoring *monitoring = userdata;
	struct call *call = monitoring->call;
	struct ellu_monitor_reply reply = ELLU_RECORD(struct ellu_monitor_reply);
	char cursor[CURSOR_SIZE];

	print_cursor(cursor, position);
	reply.task = task;
	reply.event = event;
	reply.cursor = cursor;
	if (!call_continue(call, &reply) && call->data)
		monitor_pause(monitoring->monitor);
}

static void on_failed(void *userdata, const struct fault *fault)
{
	struct monitoring *monitoring = userdata;
	struct call *call = call_ref(monitoring->call);

	monitoring_end(monitoring);
	call_fail(call, fault);
	call_unref(call);
}

static void on_writable(struct call *call)
{
	struct monitoring *monitoring = call->data;

	monitor_resume(monitoring->monitor);
}

static void on_gone(struct call *call)
{
	monitoring_end(call->data);
}

static int begin(struct call *call, const struct monitor_options *options)
{
	struct monitoring *monitoring = options->userdata;
	int r = monitor_new(call->service->queue, options, &monitoring->monitor);

	if (r < 0) {
		free(monitoring);
		return r;
	}
	monitoring->call = call_ref(call);
	call->data = monitoring;
	call->on_gone = on_gone;
	call->on_writable = on_writable;
	return 0;
}

int api_monitor(struct call *call, const struct ellu_monitor_request *request)
{
	struct monitor_options options = {
		.scope = call_scope(call, NULL),
		.position = { .number = -1 },
		.min_interval_usec = (int64_t)(*request->min_interval_seconds * USEC_PER_SEC),
		.reply = on_reply,
		.failed = on_failed,
	};
	struct fault fault = { 0 };

	if (!call->more)
		fault_set(&fault, ELLU_E_EXPECTED_MORE, NULL);
	else if (request->cursor)
		(void)read_cursor(request->cursor, &options.position, &fault);
	if (fault.code) {
		call_fail(call, &fault);
		return 0;
	}
	options.userdata = calloc(1, sizeof(struct monitoring));
	return options.userdata ? begin(call, &options) : -ENOMEM;
}
