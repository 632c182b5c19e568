#include "daemon/queue/prune.h"

#include <errno.h>
#include <event2/event.h>
#include <inttypes.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/base/clock.h"
#include "daemon/base/log.h"
#include "daemon/queue/queue_state.h"
#include "daemon/queue/rest.h"
#include "proto/text/plural.h"

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

/* One after the other: logs, then what there is in the order of enum expiry_of. */
struct retention {
	struct queue *queue;
	struct event *timer;
	struct retention_days days;
	struct prune prune;
	struct expiry expiry;
	int64_t n_expired;
	bool at_work;
};

static const struct expired {
	const char *noun;
	size_t days; // where it stands among them
} expired[_EXPIRY_MAX] = {
	[EXPIRY_EXPERIMENTS] = { "experiment", offsetof(struct retention_days, experiments) },
	[EXPIRY_TASKS] = { "task", offsetof(struct retention_days, tasks) },
};

static int64_t days_of(const struct retention *retention, enum expiry_of what)
{
	return *(const int64_t *)((const char *)&retention->days + expired[what].days);
}

static int64_t days_ago(int64_t days)
{
	return clock_wall_usec() - days * DAY_SECONDS * USEC_PER_SEC;
}

static void expire(struct retention *retention, enum expiry_of what);

static void tell_expired(const struct retention *retention)
{
	const struct expiry *op = &retention->expiry;
	const char *noun = expired[op->what].noun;

	if (op->request.result < 0)
		log_warning("old %ss could not be removed: %s", noun, op->request.fault.message);
	if (retention->n_expired)
		log_notice("removed %" PRId64 " %s%s that ended more than %" PRId64 " day%s ago", retention->n_expired, noun,
			   plural_s(retention->n_expired), days_of(retention, op->what),
			   plural_s(days_of(retention, op->what)));
}

static void next_expiry(struct retention *retention);

static void on_expired(struct store_request *request)
{
	struct retention *retention = request->userdata;
	struct expiry *op = &retention->expiry;
	struct queue *queue = retention->queue;

	if (request->result == 0) {
		retention->n_expired += op->ret_n;
		op->after_id = op->ret_after_id;
	}
	if (request->result < 0 || op->ret_end || queue->stopping)
		tell_expired(retention);
	store_request_done(request);
	if (queue->stopping)
		retention->at_work = false;
	else if (request->result < 0 || op->ret_end)
		expire(retention, op->what + 1);
	else
		next_expiry(retention);
	queue_count_outstanding(queue, -1);
}

static void next_expiry(struct retention *retention)
{
	store_request_init(&retention->expiry.request, retention->queue->options.loop, on_expired,
			   retention);
	queue_count_outstanding(retention->queue, 1);
	store_expiry(retention->queue->options.store, &retention->expiry);
}

/* And what comes behind it. */
static void expire(struct retention *retention, enum expiry_of what)
{
	while (what < _EXPIRY_MAX && !days_of(retention, what))
		what++;
	retention->at_work = what < _EXPIRY_MAX;
	if (!retention->at_work)
		return;
	retention->n_expired = 0;
	retention->expiry = (struct expiry){
		.what = what,
		.ended_before = days_ago(days_of(retention, what)),
	};
	next_expiry(retention);
}

static void on_pruned(struct prune *prune)
{
	struct retention *retention = prune->userdata;

	if (prune->op.request.result < 0)
		log_warning("old logs could not be pruned: %s", prune->op.request.fault.message);
	else if (prune->ret_lines)
		log_info("pruned %" PRId64 " log line%s of %" PRId64 " task%s that ended more than %" PRId64
			 " day%s ago", prune->ret_lines, plural_s(prune->ret_lines), prune->ret_tasks,
			 plural_s(prune->ret_tasks), retention->days.logs, plural_s(retention->days.logs));
	store_request_done(&prune->op.request);
	retention->at_work = false;
	if (!prune->queue->stopping)
		expire(retention, 0);
}

static void begin(struct retention *retention)
{
	if (retention->at_work || retention->queue->stopping)
		return;
	if (!retention->days.logs) {
		expire(retention, 0);
		return;
	}
	retention->at_work = true;
	retention->prune = (struct prune){
		.op.scope.all = true,
		.op.ended_before = days_ago(retention->days.logs),
		.done = on_pruned,
		.userdata = retention,
	};
	prune_start(retention->queue, &retention->prune);
}

static void on_timer(evutil_socket_t fd, short events, void *userdata)
{
	(void)fd;
	(void)events;
	begin(userdata);
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

void retention_set(struct retention *retention, const struct retention_days *days)
{
	static const struct timeval daily = { .tv_sec = DAY_SECONDS };

	if (memcmp(&retention->days, days, sizeof(*days)) == 0)
		return;
	retention->days = *days;
	(void)event_del(retention->timer);
	if ((days->logs || days->experiments || days->tasks) && event_add(retention->timer, &daily) < 0)
		log_error("out of memory: what is old is not removed daily");
	begin(retention);
}
