/* SPDX-License-Identifier: MIT */
/*
 * Start is: store (lock, migrate, recover), backend, queue with its workers, front, READY. Stop
 * is the reverse: no new connection, no claim, no new call; calls in flight finish within the
 * grace period; then the rooms close in turn, the store with a checkpoint.
 *
 * This file alone decides which rooms share a thread: api, queue and front live on the main
 * thread's loop, the backend, the store's threads and the workers on loops of their own.
 */
#include "daemon/daemon.h"

#include <errno.h>
#include <event2/event.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include "daemon/api/call.h"
#include "daemon/backend/backend.h"
#include "daemon/clock.h"
#include "daemon/config.h"
#include "daemon/front/front.h"
#include "daemon/log.h"
#include "daemon/loop.h"
#include "daemon/queue/queue.h"
#include "daemon/store/store.h"

#define EXIT_USAGE 2
#define IDLE_CHECK_SECONDS 1

struct daemon {
	struct config config;
	const struct raw_interface *raw;
	struct loop *loop;
	struct loop *backend_loop;
	struct backend *backend;
	struct service service;
	struct front *front;
	struct event *terminate;
	struct event *interrupt;
	struct event *grace;
	struct event *idle;
	int64_t idle_since_usec; // monotonic; 0: not idle
	bool stopped; // no task runs any more
	bool failed;
};

/* ---- Stop ---- */

/* Nothing runs any more: the connections go, and when the store has answered what was under
 * way for them, the loop ends. */
static void on_turn(void *userdata)
{
	struct daemon *daemon = userdata;

	if (!daemon->stopped)
		return;
	front_close(daemon->front);
	if (!daemon->service.n_under_way && queue_is_quiet(daemon->service.queue))
		loop_stop(daemon->loop);
}

static void on_stopped(void *userdata)
{
	struct daemon *daemon = userdata;

	daemon->stopped = true;
}

static void on_grace_over(evutil_socket_t fd, short events, void *userdata)
{
	struct daemon *daemon = userdata;

	(void)fd;
	(void)events;
	log_notice("the grace period is over: calls in flight are aborted");
	queue_hurry(daemon->service.queue);
}

static void begin_stop(struct daemon *daemon)
{
	const struct timeval grace = { .tv_sec = daemon->config.shutdown_grace_seconds };

	daemon->service.stopping = true;
	(void)sd_notify(0, "STOPPING=1");
	front_stop_listening(daemon->front);
	backend_drain(daemon->backend);
	(void)event_add(daemon->grace, &grace);
	queue_stop(daemon->service.queue, on_stopped, daemon);
}

static void on_signal(evutil_socket_t number, short events, void *userdata)
{
	struct daemon *daemon = userdata;

	(void)events;
	if (daemon->service.stopping) {
		queue_hurry(daemon->service.queue);
		return;
	}
	log_notice("stopping on %s", strsignal((int)number));
	begin_stop(daemon);
}

static void on_idle_check(evutil_socket_t fd, short events, void *userdata)
{
	struct daemon *daemon = userdata;
	int64_t now = clock_monotonic_usec();

	(void)fd;
	(void)events;
	if (daemon->service.stopping)
		return;
	if (daemon->service.n_connections || !queue_is_idle(daemon->service.queue)) {
		daemon->idle_since_usec = 0;
		return;
	}
	if (!daemon->idle_since_usec)
		daemon->idle_since_usec = now;
	if (now - daemon->idle_since_usec < daemon->config.idle_exit_seconds * USEC_PER_SEC)
		return;
	log_info("nothing to do for %lld s: exiting", (long long)daemon->config.idle_exit_seconds);
	begin_stop(daemon);
}

/* ---- Start ---- */

static void on_queue_ready(void *userdata)
{
	struct daemon *daemon = userdata;
	const struct front_options options = {
		.loop = daemon->loop,
		.service = &daemon->service,
		.socket_path = daemon->config.socket_path,
		.socket_mode = daemon->config.system ? 0666 : 0600,
		.max_connections = daemon->config.max_connections,
		.max_connections_per_user = daemon->config.max_connections_per_user,
		.raw = daemon->raw,
	};
	struct fault fault = { 0 };

	if (front_new(&options, &daemon->front, &fault) < 0) {
		log_error("%s", fault.message);
		daemon->failed = true;
		queue_stop(daemon->service.queue, on_stopped, daemon);
		return;
	}
	log_notice("elluminated %s serves on %s", ELLU_VERSION, daemon->config.socket_path);
	(void)sd_notify(0, "READY=1\nSTATUS=serving");
	if (daemon->config.ready_fd >= 0) {
		(void)!write(daemon->config.ready_fd, "READY\n", 6);
		close(daemon->config.ready_fd);
	}
}

static void on_storage_full(void *userdata, bool full)
{
	struct daemon *daemon = userdata;

	queue_storage_full(daemon->service.queue, full);
}

static int start_store(struct daemon *daemon, struct fault *fault)
{
	const struct store_options options = {
		.state_dir = daemon->config.state_dir,
		.system = daemon->config.system,
		.reply_to = daemon->loop,
		.storage_full = on_storage_full,
		.userdata = daemon,
	};

	return store_open(&options, &daemon->service.store, fault);
}

static int start_backend(struct daemon *daemon)
{
	int r = backend_global_init();

	if (r == 0)
		r = loop_new("backend", &daemon->backend_loop);
	if (r == 0)
		r = backend_new(daemon->backend_loop, &daemon->backend);
	daemon->service.backend = daemon->backend;
	return r < 0 ? r : loop_start(daemon->backend_loop);
}

static int start_queue(struct daemon *daemon)
{
	long cores = sysconf(_SC_NPROCESSORS_ONLN);
	const struct queue_options options = {
		.loop = daemon->loop,
		.store = daemon->service.store,
		.backend = daemon->backend,
		.n_workers = daemon->config.workers ? (unsigned)daemon->config.workers :
			     cores > 0		    ? (unsigned)cores :
						      1,
		.limits = {
			.max_pending = daemon->config.max_pending,
			.max_pending_per_user = daemon->config.max_pending_per_user,
			.max_running = daemon->config.max_running,
			.max_running_per_user = daemon->config.max_running_per_user,
		},
	};
	int r = queue_new(&options, &daemon->service.queue);

	if (r == 0)
		queue_start(daemon->service.queue, on_queue_ready, daemon);
	return r;
}

static int start_events(struct daemon *daemon)
{
	static const struct timeval check = { .tv_sec = IDLE_CHECK_SECONDS };
	struct event_base *base = loop_base(daemon->loop);

	daemon->terminate = evsignal_new(base, SIGTERM, on_signal, daemon);
	daemon->interrupt = evsignal_new(base, SIGINT, on_signal, daemon);
	daemon->grace = event_new(base, -1, 0, on_grace_over, daemon);
	daemon->idle = event_new(base, -1, EV_PERSIST, on_idle_check, daemon);
	if (!daemon->terminate || !daemon->interrupt || !daemon->grace || !daemon->idle ||
	    event_add(daemon->terminate, NULL) < 0 || event_add(daemon->interrupt, NULL) < 0)
		return -ENOMEM;
	/* Only a daemon that may leave wakes up to look. */
	if (daemon->config.idle_exit_seconds && event_add(daemon->idle, &check) < 0)
		return -ENOMEM;
	return 0;
}

static int start(struct daemon *daemon, struct fault *fault)
{
	int r = loop_new("front", &daemon->loop);

	if (r == 0)
		r = start_events(daemon);
	if (r < 0)
		return fault_set(fault, ELLU_E_INTERNAL, "cannot start: %s", strerror(-r));
	loop_on_turn(daemon->loop, on_turn, daemon);
	daemon->service.loop = daemon->loop;
	daemon->service.started_usec = clock_monotonic_usec();
	r = start_store(daemon, fault);
	if (r < 0)
		return r;
	r = start_backend(daemon);
	if (r == 0)
		r = start_queue(daemon);
	if (r < 0)
		return fault_set(fault, ELLU_E_INTERNAL, "cannot start: %s", strerror(-r));
	return 0;
}

static void stop(struct daemon *daemon)
{
	daemon->front = front_free(daemon->front);
	daemon->service.queue = queue_free(daemon->service.queue);
	if (daemon->backend_loop) {
		loop_stop(daemon->backend_loop);
		loop_join(daemon->backend_loop);
	}
	backend_free(daemon->backend);
	store_close(daemon->service.store);
	loop_free(daemon->backend_loop);
	if (daemon->terminate)
		event_free(daemon->terminate);
	if (daemon->interrupt)
		event_free(daemon->interrupt);
	if (daemon->grace)
		event_free(daemon->grace);
	if (daemon->idle)
		event_free(daemon->idle);
	loop_free(daemon->loop);
}

/* ---- The process ---- */

static void prepare_process(void)
{
	struct rlimit files;
	const struct rlimit none = { 0, 0 };

	(void)signal(SIGPIPE, SIG_IGN);
	umask(077);
	/* A core would hold keys. */
	(void)setrlimit(RLIMIT_CORE, &none);
	if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
		files.rlim_cur = files.rlim_max;
		(void)setrlimit(RLIMIT_NOFILE, &files);
	}
	/* One arena a thread would keep many times the memory that is in use. */
	(void)mallopt(M_ARENA_MAX, 2);
	/* Requests take and free a few hundred KiB in turn: given back to the kernel each time, a
	 * third of a submit would be page faults. */
	(void)mallopt(M_TRIM_THRESHOLD, 1024 * 1024);
}

int daemon_main(int argc, char **argv, const struct raw_interface *raw)
{
	struct daemon daemon = { .raw = raw };
	struct fault fault = { 0 };
	int r;

	prepare_process();
	r = config_load(&daemon.config, argc, argv, &fault);
	if (r == CONFIG_EXIT)
		return EXIT_SUCCESS;
	if (r < 0) {
		fprintf(stderr, "elluminated: %s\n", fault.message);
		config_done(&daemon.config);
		return EXIT_USAGE;
	}
	if (log_start((int)daemon.config.log_level) < 0)
		return EXIT_FAILURE;
	r = start(&daemon, &fault);
	if (r < 0)
		log_error("%s", fault.message);
	else
		r = loop_run(daemon.loop);
	stop(&daemon);
	log_stop();
	config_done(&daemon.config);
	return r < 0 || daemon.failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
