/* Methods on the daemon: how it is, gathered from its rooms; no further task started; every task
 * that the caller may see, as a stream that can be gone on with. */
#include <curl/curl.h>
#include <errno.h>
#include <event2/event.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon/api/listener.h"
#include "daemon/api/methods.h"
#include "daemon/backend/backend.h"
#include "daemon/base/clock.h"
#include "daemon/base/container_of.h"
#include "daemon/base/log.h"
#include "daemon/queue/monitor.h"
#include "daemon/queue/queue.h"
#include "daemon/work/work.h"

/* ---- GetStatus ---- */

static const struct ellu_versions *versions(struct arena *arena)
{
	struct ellu_versions *versions = arena_alloc(arena, sizeof(*versions));

	if (!versions)
		return NULL;
	*versions = ELLU_RECORD(struct ellu_versions);
	versions->daemon = ELLU_VERSION;
	versions->libcurl = curl_version_info(CURLVERSION_NOW)->version;
	versions->sqlite = store_sqlite_version();
	versions->libevent = event_get_version();
	return versions;
}

static const struct ellu_queue_status *queue_status(struct arena *arena,
						    const struct status_get *op,
						    const struct queue *queue)
{
	const struct queue_limits *limits = queue_get_limits(queue);
	struct ellu_queue_status *status = arena_alloc(arena, sizeof(*status));

	if (!status)
		return NULL;
	*status = ELLU_RECORD(struct ellu_queue_status);
	status->pending = op->ret_pending;
	status->started = op->ret_started;
	status->on_hold = queue_n_on_hold(queue);
	status->max_pending = limits->max_pending;
	status->draining = queue_is_draining(queue);
	status->max_running = limits->max_running;
	status->max_running_per_user = limits->max_running_per_user;
	return status;
}

static const struct ellu_worker_status *const *worker_status(struct arena *arena,
							      const struct work *work)
{
	unsigned n = work_n_workers(work);
	const struct ellu_worker_status **list = arena_array(arena, n, sizeof(*list));
	struct ellu_worker_status *workers = arena_array(arena, n, sizeof(*workers));

	if (!list || !workers)
		return NULL;
	for (unsigned i = 0; i < n; i++) {
		workers[i] = ELLU_RECORD(struct ellu_worker_status);
		work_worker_status(work, i, &workers[i].tasks, &workers[i].cases);
		list[i] = &workers[i];
	}
	return list;
}

static const struct ellu_front_status *front_status(struct arena *arena,
						    const struct service *service)
{
	struct ellu_front_status *status = arena_alloc(arena, sizeof(*status));

	if (!status)
		return NULL;
	*status = ELLU_RECORD(struct ellu_front_status);
	status->socket = service->socket;
	status->bus = service->bus;
	status->http = service->http;
	status->connections = service->n_connections;
	status->watchers = queue_n_watchers(service->queue);
	return status;
}

static void answer(struct call *call, const struct status_get *op,
		   const struct backend_status *backend)
{
	struct service *service = call->service;
	struct arena *arena = &call->arena;
	struct ellu_get_status_reply reply = ELLU_RECORD(struct ellu_get_status_reply);

	reply.versions = versions(arena);
	reply.uptime_seconds =
		(double)(clock_monotonic_usec() - service->started_usec) / USEC_PER_SEC;
	reply.pid = getpid();
	reply.log = service->log;
	reply.prices_date = service->prices_date;
	reply.queue = queue_status(arena, op, service->queue);
	reply.workers = worker_status(arena, queue_get_work(service->queue));
	reply.n_workers = work_n_workers(queue_get_work(service->queue));
	reply.endpoints = backend->endpoints;
	reply.n_endpoints = backend->n_endpoints;
	reply.storage = op->ret_storage;
	reply.response_cache = op->ret_response_cache;
	reply.front = front_status(arena, service);
	reply.log_lines_dropped = (int64_t)log_dropped();
	if (!reply.versions || !reply.queue || !reply.workers || !reply.front)
		call_fail_errno(call, -ENOMEM);
	else
		call_reply(call, &reply);
}

/* The store's part waits here for the backend's. */
struct gathering {
	struct backend_status backend;
	struct status_get store;
	struct call *call; // a reference
};

static void on_backend(struct backend_status *status)
{
	struct gathering *gathering = status->userdata;

	answer(gathering->call, &gathering->store, status);
	arena_done(&status->arena);
	store_request_done(&gathering->store.request);
	call_unref(gathering->call);
	free(gathering);
}

static void on_store(struct store_request *request)
{
	struct gathering *gathering = request->userdata;
	struct call *call = gathering->call;

	if (request->result < 0) {
		call_fail(call, &request->fault);
		store_request_done(request);
		call_unref(call);
		free(gathering);
		return;
	}
	gathering->backend.reply_to = call->service->loop;
	gathering->backend.done = on_backend;
	gathering->backend.userdata = gathering;
	gathering->backend.user = call->principal.uid;
	gathering->backend.all = call->principal.scopes != 0;
	backend_status_get(call->service->backend, &gathering->backend);
}

int api_get_status(struct call *call)
{
	struct gathering *gathering = calloc(1, sizeof(*gathering));

	if (!gathering)
		return -ENOMEM;
	gathering->call = call_ref(call);
	store_request_init(&gathering->store.request, call->service->loop, on_store, gathering);
	gathering->store.request.uid = call->principal.uid;
	store_status_get(call->service->store, &gathering->store);
	return 0;
}

/* ---- Drain ---- */

static void on_drained(struct queue_drain *drain, bool undone)
{
	struct call *call = drain->userdata;
	struct ellu_drain_reply reply = ELLU_RECORD(struct ellu_drain_reply);
	struct fault fault = { 0 };

	if (undone) {
		fault_set(&fault, ELLU_E_CANCELLED, "tasks are started again");
		call_fail(call, &fault);
	} else {
		call_reply(call, &reply);
	}
	free(drain);
	call_unref(call);
}

int api_drain(struct call *call)
{
	const struct ellu_drain_request *request = call->request;
	struct ellu_drain_reply reply = ELLU_RECORD(struct ellu_drain_reply);
	struct queue_drain *drain;

	if (request->undo) {
		log_notice("tasks are started again");
		queue_undrain(call->service->queue);
		call_reply(call, &reply);
		return 0;
	}
	drain = calloc(1, sizeof(*drain));
	if (!drain)
		return -ENOMEM;
	log_notice("draining: no task is started until that is undone");
	drain->done = on_drained;
	drain->userdata = call_ref(call);
	queue_drain(call->service->queue, drain);
	return 0;
}

/* ---- Reload ---- */

int api_reload(struct call *call)
{
	struct ellu_reload_reply reply = ELLU_RECORD(struct ellu_reload_reply);
	struct fault fault = { 0 };

	if (call->service->reload(call->service, &fault) < 0)
		call_fail(call, &fault);
	else
		call_reply(call, &reply);
	return 0;
}

/* ---- Monitor ---- */

struct monitoring {
	struct call *call; // a reference
	struct monitor *monitor;
	struct listener listener;
};

static void monitoring_end(struct monitoring *monitoring)
{
	struct call *call = monitoring->call;

	call->on_gone = call->on_writable = NULL;
	call->data = NULL;
	monitor_free(monitoring->monitor);
	listener_done(&monitoring->listener);
	free(monitoring);
	call_unref(call);
}

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

static void on_reply(void *userdata, const struct ellu_task *task,
		     const struct ellu_task_event *event, const struct events_position *position,
		     struct share *share)
{
	struct monitoring *monitoring = userdata;
	struct call *call = monitoring->call;
	struct ellu_monitor_reply reply = ELLU_RECORD(struct ellu_monitor_reply);
	struct user *user = call->principal.user;
	char cursor[CURSOR_SIZE];

	print_cursor(cursor, position);
	reply.task = task;
	reply.event = event;
	reply.cursor = cursor;
	user_begin_work(user);
	if (!call_reply_as(call, call->method->reply, &reply, /* continues= */ true, share) &&
	    call->data)
		monitor_pause(monitoring->monitor);
	user_end_work(user);
}

/* A user may have many. */
static bool must_wait(void *userdata, int64_t took_usec)
{
	struct monitoring *monitoring = userdata;

	return listener_must_wait(&monitoring->listener, took_usec);
}

static bool may_read(void *userdata)
{
	struct monitoring *monitoring = userdata;

	return listener_may_read(&monitoring->listener);
}

static void has_read(void *userdata)
{
	struct monitoring *monitoring = userdata;

	listener_has_read(&monitoring->listener);
}

static void go_on(struct listener *listener)
{
	monitor_go_on(container_of(listener, struct monitoring, listener)->monitor);
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
	int r;

	monitoring->call = call;
	listener_init(&monitoring->listener, call->principal.user, go_on);
	r = monitor_new(call->service->queue, options, &monitoring->monitor);
	if (r < 0) {
		listener_done(&monitoring->listener);
		free(monitoring);
		return r;
	}
	call_ref(call);
	call->data = monitoring;
	call->on_gone = on_gone;
	call->on_writable = on_writable;
	return 0;
}

int api_monitor(struct call *call)
{
	const struct ellu_monitor_request *request = call->request;
	struct monitor_options options = {
		.scope = call_scope(call, NULL),
		.uid = call->principal.uid,
		.position = { .number = -1 },
		.min_interval_usec = (int64_t)(request->min_interval_seconds * USEC_PER_SEC),
		.reply = on_reply,
		.failed = on_failed,
		.must_wait = must_wait,
		.may_read = may_read,
		.has_read = has_read,
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
