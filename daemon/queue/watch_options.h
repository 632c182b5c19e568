/* What one who watches a task wants, and how he is told. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "daemon/base/share.h"
#include "daemon/store/store.h"
#include "elluminate-types.h"
#include "proto/fault/fault.h"

struct watch_options {
	int64_t task_id;
	int64_t after_sequence; // -1: from the present state
	int64_t min_interval_usec; // between events that only carry progress
	struct scope scope; // the caller's, whose turns with the store it takes
	/* An event; with `terminal` the last one. The event is borrowed for the call. `share` is for
	 * all who get the same event; NULL: nobody else does. The watch may be freed or paused
	 * inside. */
	void (*event)(void *userdata, const struct ellu_task_event *event, bool terminal,
		      struct share *share);
	/* The store failed to tell; nothing follows. */
	void (*failed)(void *userdata, const struct fault *fault);
	/* Whether telling has to wait for watch_go_on(). So much was done for it elsewhere. */
	bool (*must_wait)(void *userdata, int64_t took_usec);
	/* Whether a page of what it missed may be read; if not, watch_go_on() follows. */
	bool (*may_read)(void *userdata);
	void (*has_read)(void *userdata);
	void *userdata;
};
