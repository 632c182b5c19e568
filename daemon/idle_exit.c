#include "daemon/idle_exit.h"

#include <errno.h>
#include <event2/event.h>
#include <stdlib.h>

#include "daemon/api/call.h"
#include "daemon/base/clock.h"
#include "daemon/base/log.h"
#include "daemon/base/loop.h"
#include "daemon/front/bus/bus.h"
#include "daemon/front/front.h"
#include "daemon/queue/queue.h"

#define CHECK_SECONDS 1

struct idle_exit {
	struct idle_exit_options options;
	struct event *check;
	int64_t since_usec; // monotonic; 0: not idle
};

static bool is_idle(const struct service *service)
{
	return !service->n_connections && !service->n_under_way && queue_is_idle(service->queue);
}

/* The name is given back, and what was sent to it before has arrived. */
static void on_bus_left(void *userdata)
{
	struct idle_exit *idle_exit = userdata;
	const struct idle_exit_options *options = &idle_exit->options;

	if (options->service->stopping)
		return;
	if (!is_idle(options->service) || !front_leave(options->front)) {
		bus_stay(options->bus);
		return;
	}
	log_info("nothing to do for %lld s: exiting", (long long)options->seconds);
	options->leave(options->userdata);
}

static void on_check(evutil_socket_t fd, short events, void *userdata)
{
	struct idle_exit *idle_exit = userdata;
	const struct idle_exit_options *options = &idle_exit->options;
	int64_t now = clock_monotonic_usec();

	(void)fd;
	(void)events;
	if (options->service->stopping)
		return;
	if (!is_idle(options->service)) {
		idle_exit->since_usec = 0;
		return;
	}
	if (!idle_exit->since_usec)
		idle_exit->since_usec = now;
	if (now - idle_exit->since_usec < options->seconds * USEC_PER_SEC)
		return;
	idle_exit->since_usec = 0;
	bus_leave(options->bus, on_bus_left, idle_exit);
}

int idle_exit_new(const struct idle_exit_options *options, struct idle_exit **ret_idle_exit)
{
	static const struct timeval check = { .tv_sec = CHECK_SECONDS };
	struct idle_exit *idle_exit = calloc(1, sizeof(*idle_exit));

	if (!idle_exit)
		return -ENOMEM;
	idle_exit->options = *options;
	idle_exit->check = event_new(loop_base(options->service->loop), -1, EV_PERSIST, on_check,
				     idle_exit);
	if (!idle_exit->check || event_add(idle_exit->check, &check) < 0) {
		idle_exit_free(idle_exit);
		return -ENOMEM;
	}
	*ret_idle_exit = idle_exit;
	return 0;
}

struct idle_exit *idle_exit_free(struct idle_exit *idle_exit)
{
	if (!idle_exit)
		return NULL;
	if (idle_exit->check)
		event_free(idle_exit->check);
	free(idle_exit);
	return NULL;
}
