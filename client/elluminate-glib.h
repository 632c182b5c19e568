/*
 * An event handle on a GLib main loop:
 *
 *	ellu_open(NULL, ELLU_EVENT, &daemon);
 *	ellu_glib_attach(daemon, NULL);
 *
 * From then on callbacks run out of that loop. ellu_close() takes the handle off it.
 */
#ifndef ELLUMINATE_GLIB_H
#define ELLUMINATE_GLIB_H

#include <glib-unix.h>
#include <glib.h>

#include "elluminate.h"

#ifdef __cplusplus
extern "C" {
#endif

static inline gboolean ellu_glib_on_ready(gint fd, GIOCondition condition, gpointer userdata)
{
	(void) fd;
	(void) condition;
	(void) ellu_process((struct ellu *) userdata);
	return G_SOURCE_CONTINUE; /* of a source that ellu_glib_on_close() destroyed nothing is left */
}

static inline void ellu_glib_on_close(struct ellu *handle, void *userdata)
{
	GSource *source = (GSource *) userdata;

	(void) handle;
	g_source_destroy(source);
	g_source_unref(source);
}

/* `context` NULL: the default one. 0; -EOPNOTSUPP for a handle that is not for event use. */
static inline int ellu_glib_attach(struct ellu *handle, GMainContext *context)
{
	int r = ellu_fd(handle);
	GSource *source;

	if (r < 0)
		return r;
	source = g_unix_fd_source_new(r, G_IO_IN);
	g_source_set_callback(source, (GSourceFunc) (void (*)(void)) ellu_glib_on_ready, handle, NULL);
	r = ellu_set_close_callback(handle, ellu_glib_on_close, source);
	if (r < 0) {
		g_source_unref(source);
		return r;
	}
	(void) g_source_attach(source, context);
	return 0;
}

#ifdef __cplusplus
}
#endif

#endif
