/* GetStatus: how the daemon is, gathered from its rooms. */
#include <curl/curl.h>
#include <errno.h>
#include <event2/event.h>
#include <stdlib.h>

#include "daemon/api/call.h"
#include "daemon/backend/backend.h"
#include "daemon/base/clock.h"
#include "daemon/base/log.h"
#include "daemon/queue/queue.h"
#include "daemon/work/work.h"
#include "proto/generated/handlers.h"

static const struct ellu_versions *versions(struct arena *arena)
{
	struct ellu_versions *versions = arena_alloc(arena, sizeof(*versions));

	if (!versions)
		return NULL;
	*versions = (struct ellu_versions)ELLU_RECORD(struct ellu_versions);
	versions->daemon = ELLU_VERSION;
	versions->libcurl = curl_version_info(CURLVERSION_NOW)->version;
	versions->sqlite = store_sqlite_version();
	versions->libevent = event_get_version();
	return versions;
}

static const struct ellu_queue_status *queue_status(struct arena *arena,
						    const struct store_status *op,
						    const struct queue *queue)
{
	const struct queue_limits *limits = queue_get_limits(queue);
	struct ellu_queue_status *status = arena_alloc(arena, sizeof(*status));

	if (!status)
		return NULL;
	*status = (struct ellu_queue_status)ELLU_RECORD(struct ellu_queue_status);
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
		workers[i] = (struct ellu_worker_status)ELLU_RECORD(struct ellu_worker_status);
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
	*status = (struct ellu_front_status)ELLU_RECORD(struct ellu_front_status);
	status->connections = service->n_connections;
	status->watchers = queue_n_watchers(service->queue);
	return status;
}

static void answer(struct call *call, const struct store_status *op,
		   const struct backend_status *backend)
{
	struct service *service = call->service;
	struct arena *arena = &call->arena;
	struct ellu_get_status_reply reply = ELLU_RECORD(struct ellu_get_status_reply);

	reply.versions = versions(arena);
	reply.uptime_seconds =
		(double)(clock_monotonic_usec() - service->started_usec) / USEC_PER_SEC;
	reply.queue = queue_status(arena, op, service->queue);
	reply.workers = worker_status(arena, queue_get_work(service->queue));
	reply.n_workers = work_n_workers(queue_get_work(service->queue));
	reply.endpoints = backend->endpoints;
	reply.n_endpoints = backend->n_endpoints;
	reply.storage = op->ret_storage;
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
	struct store_status store;
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

int api_get_status(struct call *call, const struct ellu_get_status_request *request)
{
	struct gathering *gathering = calloc(1, sizeof(*gathering));

	(void)request;
	if (!gathering)
		return -ENOMEM;
	gathering->call = call_ref(call);
	store_request_init(&gathering->store.request, call->service->loop, on_store, gathering);
	store_status_get(call->service->store, &gathering->store);
	return 0;
}
