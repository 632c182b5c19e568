/*
 * An event handle on an sd-event loop:
 *
 *	ellu_open(NULL, ELLU_EVENT, &daemon);
 *	ellu_sd_event_attach(daemon, event);
 *
 * From then on callbacks run out of that loop. ellu_close() takes the handle off it.
 */
#ifndef ELLUMINATE_SD_EVENT_H
#define ELLUMINATE_SD_EVENT_H

#include <sys/epoll.h>
#include <systemd/sd-event.h>

#include "elluminate.h"

#ifdef __cplusplus
extern "C" {
#endif

static inline int ellu_sd_event_on_ready(sd_event_source *source, int fd, uint32_t events,
					 void *userdata)
{
	(void) source;
	(void) fd;
	(void) events;
	(void) ellu_process((struct ellu *) userdata);
	return 0;
}

static inline void ellu_sd_event_on_close(struct ellu *handle, void *userdata)
{
	sd_event_source *source = (sd_event_source *) userdata;

	(void) handle;
	(void) sd_event_source_set_enabled(source, SD_EVENT_OFF);
	sd_event_source_unref(source);
}

/* 0; -EOPNOTSUPP for a handle that is not for event use; else what sd-event says. */
static inline int ellu_sd_event_attach(struct ellu *handle, sd_event *event)
{
	int r = ellu_fd(handle);
	sd_event_source *source;

	if (r < 0)
		return r;
	r = sd_event_add_io(event, &source, r, EPOLLIN, ellu_sd_event_on_ready, handle);
	if (r < 0)
		return r;
	r = ellu_set_close_callback(handle, ellu_sd_event_on_close, source);
	if (r < 0)
		sd_event_source_unref(source);
	return r;
}

#ifdef __cplusplus
}
#endif

#endif
