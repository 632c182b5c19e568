/*
 * An application on libevent: an experiment runs while a ticker shows that the loop stays
 * responsive.
 *
 *	on_libevent [URL]
 */
#include <elluminate-libevent.h>
#include <stdio.h>

#include "sample.h"

struct application {
	struct event_base *base;
	unsigned ticks;
	int exit_status;
};

static void on_tick(evutil_socket_t fd, short events, void *userdata)
{
	struct application *application = userdata;

	(void) fd;
	(void) events;
	application->ticks++;
}

/* 1 with each event, 0 with the last reply. */
static void on_event(struct ellu_op *op, int result, const struct ellu_run_experiment_reply *answer,
		     const struct ellu_error *error, void *userdata)
{
	struct application *application = userdata;

	(void) op;
	if (result < 0)
		application->exit_status = sample_complain(result, ellu_keep(error));
	else if (answer->event && ellu_event_percent(answer->event) >= 0)
		printf("%3.0f %%, %u ticks so far\n", ellu_event_percent(answer->event),
		       application->ticks);
	if (result > 0)
		return;
	if (result == 0 && answer->event) {
		printf("task %lld is %s\n", (long long) answer->event->task_id,
		       answer->event->status);
		application->exit_status = ellu_event_is_success(answer->event) ? 0 : 1;
	}
	event_base_loopbreak(application->base);
}

static int start(struct application *application, struct ellu *daemon, const char *url)
{
	struct sample sample;
	int r = ellu_libevent_attach(daemon, application->base);

	if (r < 0)
		return r;
	sample_init(&sample, "On libevent", url, 8);
	return ellu_run_experiment_stream_async(daemon, &sample.request, on_event, application,
						NULL);
}

int main(int argc, char **argv)
{
	const struct timeval interval = { 0, 20000 };
	struct application application = { event_base_new(), 0, 1 };
	struct event *ticker = event_new(application.base, -1, EV_PERSIST, on_tick, &application);
	struct ellu *daemon = sample_open(ELLU_EVENT);
	int r;

	if (daemon) {
		event_add(ticker, &interval);
		r = start(&application, daemon, argc > 1 ? argv[1] : NULL);
		if (r >= 0)
			event_base_dispatch(application.base);
		else
			application.exit_status = sample_complain(r, NULL);
		printf("%u ticks\n", application.ticks);
	}
	/* The handle before its loop. */
	ellu_close(daemon);
	event_free(ticker);
	event_base_free(application.base);
	return application.exit_status;
}
