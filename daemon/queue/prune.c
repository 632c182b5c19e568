#include "daemon/queue/prune.h"

#include <errno.h>
#include <event2/event.h>
#include <inttypes.h>
#include <stdlib.h>

#include "daemon/base/clock.h"
#include "daemon/base/log.h"
#include "daemon/queue/queue_state.h"

#define DAY_SECONDS 86400

static void next_chunk(struct prune *prune);

static void on_chunk(struct store_request *request)
{
	struct prune *prune = request->userdata;
	struct queue *queue = prune->queue;

	if (request->result == 0) {
		prune->ret_tasks += prune->op.ret_tasks;
		prune->ret_lines += prune->op.ret_lines;
		prune->op.cursor = prune->op.ret_cursor;
	}
	if (request->result == 0 && !prune->op.ret_end && queue->stopping)
		request->result = fault_set(&request->fault, ELLU_E_SHUTTING_DOWN, NULL);
	if (request->result < 0 || prune->op.ret_end) {
		prune->done(prune);
	} else {
		store_request_done(request);
		next_chunk(prune);
	}
	queue_count_outstanding(queue, -1);
}

static void next_chunk(struct prune *prune)
{
	store_request_init(&prune->op.request, prune->queue->options.loop, on_chunk, prune);
	queue_count_outstanding(prune->queue, 1);
	store_tasks_prune(prune->queue->options.store, &prune->op);
}

void prune_start(struct queue *queue, struct prune *prune)
{
	prune->queue = queue;
	next_chunk(prune);
}

/* ---- By itself ---- */

struct retention {
	struct queue *queue;
	struct event *timer;
	struct prune prune;
	int64_t days;
	bool pruning;
};

static void on_pruned(struct prune *prune)
{
	struct retention *retention = prune->userdata;

	retention->pruning = false;
	if (prune->op.request.result < 0)
		log_warning("old logs could not be pruned: %s", prune->op.request.fault.message);
	else if (prune->ret_lines)
		log_info("pruned %" PRId64 " log lines of %" PRId64 " tasks that ended more than %" PRId64
			 " days ago", prune->ret_lines, prune->ret_tasks, retention->days);
	store_request_done(&prune->op.request);
}

static void prune_now(struct retention *retention)
{
	if (!retention->days || retention->pruning || retention->queue->stopping)
		return;
	retention->pruning = true;
	retention->prune = (struct prune){
		.op.scope.all = true,
		.op.ended_before =
			clock_wall_usec() - retention->days * DAY_SECONDS * USEC_PER_SEC,
		.done = on_pruned,
		.userdata = retention,
	};
	prune_start(retention->queue, &retention->prune);
}

static void on_timer(evutil_socket_t fd, short events, void *userdata)
{
	(void)fd;
	(void)events;
	prune_now(userdata);
}

int retention_new(struct queue *queue, struct retention **ret_retention)
{
	struct retention *retention = calloc(1, sizeof(*retention));

	if (!retention)
		return -ENOMEM;
	retention->queue = queue;
	retention->timer = event_new(loop_base(queue->options.loop), -1, EV_PERSIST, on_timer,
				     retention);
	if (!retention->timer) {
		free(retention);
		return -ENOMEM;
	}
	*ret_retention = retention;
	return 0;
}

struct retention *retention_free(struct retention *retention)
{
	if (!retention)
		return NULL;
	event_free(retention->timer);
	free(retention);
	return NULL;
}

void retention_set_days(struct retention *retention, int64_t days)
{
	static const struct timeval daily = { .tv_sec = DAY_SECONDS };

	if (retention->days == days)
		return;
	retention->days = days;
	(void)event_del(retention->timer);
	if (days && event_add(retention->timer, &daily) < 0)
		log_error("out of memory: old logs are not pruned daily");
	prune_now(retention);
}
