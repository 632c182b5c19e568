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
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon/api/call.h"
#include "daemon/api/tokens.h"
#include "daemon/backend/backend.h"
#include "daemon/base/clock.h"
#include "daemon/base/container_of.h"
#include "daemon/base/log.h"
#include "daemon/base/loop.h"
#include "daemon/base/prices.h"
#include "daemon/config.h"
#include "daemon/config_limits.h"
#include "daemon/front/bus/bus.h"
#include "daemon/front/front.h"
#include "daemon/front/http/http.h"
#include "daemon/front/http/http_tables.h"
#include "daemon/handover.h"
#include "daemon/idle_exit.h"
#include "daemon/queue/prune.h"
#include "daemon/queue/queue.h"
#include "daemon/service_manager.h"
#include "daemon/status_line.h"
#include "daemon/store/store.h"
#include "daemon/watchdog.h"
#include "daemon/work/work.h"
#include "proto/limits.h"

#define START_EXTENSION_USEC (60 * USEC_PER_SEC)

struct daemon {
	const struct daemon_options *options;
	struct config config; // of which a reload changes what stop looks at
	struct loop *loop;
	struct loop *backend_loop;
	struct watchdog *watchdog;
	struct backend *backend;
	struct service service;
	struct retention *retention;
	int listener; // the service manager's, or -1
	struct front *front;
	struct http *http;
	struct bus *bus;
	struct status_line *status_line;
	struct idle_exit *idle_exit;
	struct event *terminate;
	struct event *interrupt;
	struct event *reload;
	struct event *hand_over;
	struct event *grace;
	int64_t extend_usec; // when the start is to be extended next, monotonic
	bool awaited; // by clients of who started us
	bool stopped; // no task runs any more
	bool failed;
};

/* ---- Stop ---- */

/* Nothing runs any more: the connections go, and when the store has answered what was under
 * way for them, the loop ends. */
static void on_turn(void *userdata)
{
	struct daemon *daemon = userdata;

	bus_prepare(daemon->bus);
	status_line_follow(daemon->status_line);
	if (!daemon->stopped)
		return;
	front_close(daemon->front);
	http_close(daemon->http);
	bus_close(daemon->bus);
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
	log_about(LOG_NOTICE, ABOUT(.message = LOG_GRACE_OVER),
		  "the grace period is over: calls in flight are aborted");
	queue_hurry(daemon->service.queue);
}

static void begin_stop(struct daemon *daemon, bool revoke)
{
	const struct timeval grace = { .tv_sec = daemon->config.shutdown_grace_seconds };

	daemon->service.stopping = true;
	service_manager_stopping();
	if (daemon->front)
		front_stop_listening(daemon->front);
	http_stop_listening(daemon->http);
	bus_release(daemon->bus);
	backend_drain(daemon->backend);
	store_leave_off(daemon->service.store);
	(void)event_add(daemon->grace, &grace);
	queue_stop(daemon->service.queue, revoke, on_stopped, daemon);
}

static void on_signal(evutil_socket_t number, short events, void *userdata)
{
	struct daemon *daemon = userdata;

	(void)events;
	if (daemon->service.stopping) {
		queue_hurry(daemon->service.queue);
		return;
	}
	log_about(LOG_NOTICE, ABOUT(.message = LOG_STOPPING), "stopping on %s",
		  strsignal((int)number));
	begin_stop(daemon, daemon->config.on_shutdown == SHUTDOWN_REVOKE);
}

/* Another daemon waits for the state folder, and goes on with the tasks. */
static void on_hand_over(evutil_socket_t number, short events, void *userdata)
{
	struct daemon *daemon = userdata;

	(void)number;
	(void)events;
	if (daemon->service.stopping) {
		queue_hurry(daemon->service.queue);
		return;
	}
	log_about(LOG_NOTICE, ABOUT(.message = LOG_STOPPING),
		  "stopping: another daemon goes on with the state folder");
	begin_stop(daemon, /* revoke= */ false);
}

/* ---- Reload ---- */

static int limit_calls(struct daemon *daemon, const struct config *config)
{
	return backend_set_limits(daemon->backend, config->max_calls, config->max_calls_per_user);
}

static void keep(struct daemon *daemon, const struct config *config)
{
	const struct retention_days days = {
		.logs = config->log_retention_days,
		.experiments = config->experiment_retention_days,
		.tasks = config->task_retention_days,
	};

	retention_set(daemon->retention, &days);
	store_set_cache_bytes(daemon->service.store, config->response_cache_mib_per_user * 1024 * 1024);
}

/* Takes over what can change while the daemon runs: the level of the log, and limits. */
static void apply(struct daemon *daemon, const struct config *config)
{
	const struct queue_limits limits = config_queue_limits(config);
	const struct user_limits user_limits = config_user_limits(config);
	const struct http_limits http_limits = config_http_limits(config);

	log_set_level((int)config->log_level);
	queue_set_limits(daemon->service.queue, &limits);
	if (limit_calls(daemon, config) < 0)
		log_warning("out of memory: the limits of calls stay as they were");
	users_set_limits(daemon->service.users, &user_limits);
	front_set_times(daemon->front, config->output_stall_seconds, config->message_seconds);
	http_set_limits(daemon->http, &http_limits);
	daemon->config.shutdown_grace_seconds = config->shutdown_grace_seconds;
	daemon->config.on_shutdown = config->on_shutdown;
	keep(daemon, config);
}

static int reload(struct service *service, struct fault *fault)
{
	struct daemon *daemon = container_of(service, struct daemon, service);
	struct config config;
	struct fault refused = { 0 };
	bool is_good;

	if (!daemon->front || service->stopping)
		return fault_set(fault, ELLU_E_SHUTTING_DOWN, NULL);
	service_manager_reloading();
	is_good = config_load(&config, daemon->options->argc, daemon->options->argv, &refused) == CONFIG_RUN;
	if (is_good) {
		apply(daemon, &config);
		log_about(LOG_NOTICE, ABOUT(.message = LOG_RELOADED),
			  "the configuration was read again");
	} else {
		log_about(LOG_ERR, ABOUT(.message = LOG_RELOAD_REFUSED),
			  "the configuration stays as it was: %s", refused.message);
	}
	config_done(&config);
	service_manager_ready();
	return is_good ? 0 :
			 fault_conflict(fault, "configuration", NULL, 0, "it stays as it was: %s",
					refused.message);
}

static void on_reload(evutil_socket_t number, short events, void *userdata)
{
	struct daemon *daemon = userdata;
	struct fault fault = { 0 };

	(void)number;
	(void)events;
	(void)reload(&daemon->service, &fault); // who sends a signal finds the reason in the log
}

/* ---- Start ---- */

static int start_watchdog(struct daemon *daemon)
{
	struct work *work = queue_get_work(daemon->service.queue);
	struct loop *loops[WATCHDOG_LOOPS_MAX];
	uint64_t period_usec = service_manager_watchdog_usec();
	unsigned n;

	if (!period_usec)
		return 0;
	n = store_loops(daemon->service.store, loops);
	loops[n++] = daemon->backend_loop;
	if (daemon->front)
		loops[n++] = daemon->service.behind;
	for (unsigned i = 0; i < work_n_workers(work) && n < WATCHDOG_LOOPS_MAX; i++)
		loops[n++] = work_loop(work, i);
	return watchdog_new(daemon->loop, period_usec, loops, n, &daemon->watchdog);
}

static void on_idle(void *userdata)
{
	begin_stop(userdata, /* revoke= */ false);
}

static int start_idle_exit(struct daemon *daemon)
{
	const struct idle_exit_options options = {
		.service = &daemon->service,
		.front = daemon->front,
		.bus = daemon->bus,
		.seconds = daemon->config.idle_exit_seconds,
		.leave = on_idle,
		.userdata = daemon,
	};

	return options.seconds ? idle_exit_new(&options, &daemon->idle_exit) : 0;
}

/* Every way in is open, or known to be shut. */
static void on_bus_settled(void *userdata)
{
	struct daemon *daemon = userdata;

	log_about(LOG_NOTICE, ABOUT(.message = LOG_SERVING), "elluminated %s serves on %s",
		  ELLU_VERSION, daemon->listener >= 0 ? "the service manager's socket" :
							daemon->config.socket_path);
	if (start_watchdog(daemon) < 0)
		log_error("out of memory: the watchdog is not fed");
	if (!daemon->awaited && !daemon->config.system)
		handover_offer(daemon->config.state_dir, daemon->config.socket_path);
	service_manager_ready();
	keep(daemon, &daemon->config);
	if (status_line_new(&daemon->service, &daemon->status_line) < 0 || start_idle_exit(daemon) < 0)
		log_error("out of memory: no status line, and no exit when idle");
	if (daemon->config.ready_fd >= 0) {
		(void)!write(daemon->config.ready_fd, "READY\n", 6);
		close(daemon->config.ready_fd);
	}
}

static void on_trouble(void *userdata, enum store_trouble trouble)
{
	struct daemon *daemon = userdata;

	queue_storage_trouble(daemon->service.queue, trouble);
}

static int start_bus(struct daemon *daemon)
{
	const struct bus_options options = {
		.loop = daemon->loop,
		.service = &daemon->service,
		.front = daemon->front,
		.system = daemon->config.system,
		.rules = config_rules(&daemon->config),
		.settled = on_bus_settled,
		.userdata = daemon,
	};

	return bus_new(&options, &daemon->bus);
}

static int start_http(struct daemon *daemon, struct fault *fault)
{
	static const struct http_routes *const tables[] = {
		&http_page_routes, &http_method_routes, &http_status_routes, &openai_routes, &sdk_routes, NULL,
	};
	const char *address = daemon->config.http_listen;
	const struct http_options options = {
		.loop = daemon->loop,
		.service = &daemon->service,
		.tables = tables,
		.address = address,
		.hosts = daemon->config.http_hosts,
		.socket_mode = daemon->config.system ? 0666 : 0600,
		.limits = config_http_limits(&daemon->config),
	};

	if (!address || !address[0])
		return 0;
	if (http_new(&options, &daemon->http, fault) < 0)
		return fault->code;
	daemon->service.http = http_url(daemon->http);
	log_notice("HTTP is served on %s", daemon->service.http);
	return 0;
}

static void give_up(struct daemon *daemon, const struct fault *fault)
{
	log_about(LOG_ERR, ABOUT(.message = LOG_START_FAILED), "%s", fault->message);
	daemon->failed = true;
	queue_stop(daemon->service.queue, /* revoke= */ false, on_stopped, daemon);
}

/* Callers can be told from each other, however they come. */
static void on_tokens(void *userdata)
{
	struct daemon *daemon = userdata;
	struct fault fault = { 0 };

	if (daemon->service.stopping)
		return;
	if (start_http(daemon, &fault) < 0)
		give_up(daemon, &fault);
	else if (daemon->config.no_bus || start_bus(daemon) < 0)
		on_bus_settled(daemon);
}

static void on_queue_ready(void *userdata)
{
	struct daemon *daemon = userdata;
	const struct front_options options = {
		.loop = daemon->loop,
		.service = &daemon->service,
		.listener = daemon->listener,
		.socket_path = daemon->config.socket_path,
		.socket_mode = daemon->config.system ? 0666 : 0600,
		.message_seconds = daemon->config.message_seconds,
		.output_stall_seconds = daemon->config.output_stall_seconds,
		.rules = config_rules(&daemon->config),
		.raw = daemon->options->raw,
	};
	struct fault fault = { 0 };

	if (daemon->service.stopping)
		return; // told to stop before it came to serve
	daemon->service.log = daemon->options->log;
	daemon->service.prices_date = prices_date(daemon->options->prices);
	daemon->service.socket = daemon->config.socket_path;
	if (front_new(&options, &daemon->front, &fault) == 0 &&
	    tokens_new(&daemon->service, on_tokens, daemon, &daemon->service.tokens) < 0)
		fault_oom(&fault);
	if (fault.code)
		give_up(daemon, &fault);
}

static void on_events_added(void *userdata, int64_t number)
{
	struct daemon *daemon = userdata;

	queue_events_added(daemon->service.queue, number);
}

/* As long as the database gets on, the service manager waits for us. */
static void on_migrating(void *userdata, int64_t silent_usec)
{
	struct daemon *daemon = userdata;
	int64_t now = clock_monotonic_usec();

	if (silent_usec == 0 && now < daemon->extend_usec)
		return;
	daemon->extend_usec = now + USEC_PER_SEC;
	service_manager_extend_start(START_EXTENSION_USEC + silent_usec);
}

static int start_store(struct daemon *daemon, struct fault *fault)
{
	const struct store_options options = {
		.state_dir = daemon->config.state_dir,
		.system = daemon->config.system,
		.prices = daemon->options->prices,
		.catalogue = daemon->options->catalogue,
		.reply_to = daemon->loop,
		.trouble = on_trouble,
		.migrating = on_migrating,
		.events_added = on_events_added,
		.userdata = daemon,
	};
	int r = store_open(&options, &daemon->service.store, fault);

	if (r != ELLU_E_CONFLICT || daemon->config.system ||
	    handover_take(daemon->config.state_dir, daemon->awaited, fault) < 0)
		return r;
	return store_open(&options, &daemon->service.store, fault);
}

static int start_backend(struct daemon *daemon)
{
	int r = backend_global_init();

	if (r == 0)
		r = loop_new("backend", &daemon->backend_loop);
	if (r == 0)
		r = backend_new(daemon->backend_loop, &daemon->backend);
	if (r == 0)
		r = limit_calls(daemon, &daemon->config);
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
		.limits = config_queue_limits(&daemon->config),
	};
	int r = queue_new(&options, &daemon->service.queue);

	if (r == 0)
		r = retention_new(daemon->service.queue, &daemon->retention);
	if (r == 0)
		queue_start(daemon->service.queue, on_queue_ready, daemon);
	return r;
}

static int start_users(struct daemon *daemon)
{
	const struct user_limits limits = config_user_limits(&daemon->config);

	return users_new(&daemon->service, &limits, &daemon->service.users);
}

static int start_events(struct daemon *daemon)
{
	struct event_base *base = loop_base(daemon->loop);

	daemon->terminate = evsignal_new(base, SIGTERM, on_signal, daemon);
	daemon->interrupt = evsignal_new(base, SIGINT, on_signal, daemon);
	daemon->reload = evsignal_new(base, SIGHUP, on_reload, daemon);
	daemon->hand_over = evsignal_new(base, HANDOVER_SIGNAL, on_hand_over, daemon);
	daemon->grace = event_new(base, -1, 0, on_grace_over, daemon);
	if (!daemon->terminate || !daemon->interrupt || !daemon->reload || !daemon->grace ||
	    !daemon->hand_over || event_add(daemon->hand_over, NULL) < 0 ||
	    event_add(daemon->terminate, NULL) < 0 || event_add(daemon->interrupt, NULL) < 0 ||
	    event_add(daemon->reload, NULL) < 0)
		return -ENOMEM;
	return 0;
}

static int start(struct daemon *daemon, struct fault *fault)
{
	int r = loop_new("front", &daemon->loop);

	if (r == 0)
		r = start_events(daemon);
	daemon->service.loop = daemon->loop;
	if (r == 0)
		r = start_users(daemon);
	if (r < 0)
		return fault_set(fault, ELLU_E_INTERNAL, "cannot start: %s", strerror(-r));
	loop_on_turn(daemon->loop, on_turn, daemon);
	daemon->service.started_usec = clock_monotonic_usec();
	daemon->service.reload = reload;
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
	daemon->idle_exit = idle_exit_free(daemon->idle_exit);
	daemon->status_line = status_line_free(daemon->status_line);
	daemon->bus = bus_free(daemon->bus);
	daemon->http = http_free(daemon->http);
	daemon->front = front_free(daemon->front);
	daemon->retention = retention_free(daemon->retention);
	daemon->service.queue = queue_free(daemon->service.queue);
	if (daemon->backend_loop) {
		loop_stop(daemon->backend_loop);
		loop_join(daemon->backend_loop);
	}
	backend_free(daemon->backend);
	store_close(daemon->service.store);
	tokens_free(daemon->service.tokens);
	users_free(daemon->service.users);
	watchdog_free(daemon->watchdog);
	loop_free(daemon->backend_loop);
	if (daemon->terminate)
		event_free(daemon->terminate);
	if (daemon->interrupt)
		event_free(daemon->interrupt);
	if (daemon->reload)
		event_free(daemon->reload);
	if (daemon->hand_over)
		event_free(daemon->hand_over);
	if (daemon->grace)
		event_free(daemon->grace);
	loop_free(daemon->loop);
}

int daemon_run(const struct daemon_options *options)
{
	struct daemon daemon = {
		.options = options,
		.config = *options->config,
		.listener = -1,
		.awaited = handover_is_awaited(),
	};
	struct fault fault = { 0 };
	int r = service_manager_take_listener(&fault, &daemon.listener);

	if (r == 0)
		r = start(&daemon, &fault);
	if (r < 0)
		log_about(LOG_ERR, ABOUT(.message = LOG_START_FAILED), "%s", fault.message);
	else
		r = loop_run(daemon.loop);
	stop(&daemon);
	return r < 0 || daemon.failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
