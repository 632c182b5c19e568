#include "daemon/status_line.h"

#include <errno.h>
#include <event2/event.h>
#include <inttypes.h>
#include <stdlib.h>

#include "daemon/api/call.h"
#include "daemon/base/loop.h"
#include "daemon/queue/queue.h"
#include "daemon/service_manager.h"

#define DELAY_SECONDS 1

struct status_line {
	struct service *service;
	struct event *soon;
	int64_t n_running; // as the service manager knows it
	int64_t n_waiting;
};

static void on_soon(evutil_socket_t fd, short events, void *userdata)
{
	struct status_line *line = userdata;
	struct service *service = line->service;

	(void)fd;
	(void)events;
	if (service->stopping)
		return;
	line->n_running = queue_n_running(service->queue);
	line->n_waiting = queue_n_waiting(service->queue);
	service_manager_status("%" PRId64 " running, %" PRId64 " waiting; %" PRId64 " connections",
		       line->n_running, line->n_waiting, service->n_connections);
}

void status_line_follow(struct status_line *line)
{
	static const struct timeval delay = { .tv_sec = DELAY_SECONDS };

	if (!line || event_pending(line->soon, EV_TIMEOUT, NULL) ||
	    (line->n_running == queue_n_running(line->service->queue) &&
	     line->n_waiting == queue_n_waiting(line->service->queue)))
		return;
	(void)event_add(line->soon, &delay);
}

int status_line_new(struct service *service, struct status_line **ret_line)
{
	struct status_line *line = calloc(1, sizeof(*line));

	if (!line)
		return -ENOMEM;
	line->service = service;
	line->soon = event_new(loop_base(service->loop), -1, 0, on_soon, line);
	if (!line->soon) {
		free(line);
		return -ENOMEM;
	}
	on_soon(-1, 0, line);
	*ret_line = line;
	return 0;
}

struct status_line *status_line_free(struct status_line *line)
{
	if (!line)
		return NULL;
	event_free(line->soon);
	free(line);
	return NULL;
}
