/*
 * An event handle on a libevent loop:
 *
 *	ellu_open(NULL, ELLU_EVENT, &daemon);
 *	ellu_libevent_attach(daemon, base);
 *
 * From then on callbacks run out of that loop. ellu_close() takes the handle off it; the handle
 * must be closed before the event_base is freed, or the event_base not be used after that.
 */
#ifndef ELLUMINATE_LIBEVENT_H
#define ELLUMINATE_LIBEVENT_H

#include <errno.h>
#include <event2/event.h>

#include "elluminate.h"

#ifdef __cplusplus
extern "C" {
#endif

static inline void ellu_libevent_on_ready(evutil_socket_t fd, short events, void *userdata)
{
	(void) fd;
	(void) events;
	(void) ellu_process((struct ellu *) userdata);
}

static inline void ellu_libevent_on_close(struct ellu *handle, void *userdata)
{
	(void) handle;
	event_free((struct event *) userdata);
}

/* 0; -EOPNOTSUPP for a handle that is not for event use, -ENOMEM. */
static inline int ellu_libevent_attach(struct ellu *handle, struct event_base *base)
{
	int r = ellu_fd(handle);
	struct event *event;

	if (r < 0)
		return r;
	event = event_new(base, r, EV_READ | EV_PERSIST, ellu_libevent_on_ready, handle);
	if (!event)
		return -ENOMEM;
	r = event_add(event, NULL) < 0 ? -ENOMEM : 0;
	if (r == 0)
		r = ellu_set_close_callback(handle, ellu_libevent_on_close, event);
	if (r < 0)
		event_free(event);
	return r;
}

#ifdef __cplusplus
}
#endif

#endif
