/*
 * Monitor over the bus: first the tasks that wait or run, then every change and log line of any task
 * that signals tell of, each task followed by itself.
 *
 * Its cursor names what it knows, which is parked with the link when the connection is lost; a monitor
 * that is begun with it goes on there. So it is of use to whoever resumes on the same handle alone.
 */
#pragma once

#include "client/bus/link.h"

struct bus_monitor;

struct bus_monitor_options {
	struct bus_link *link;
	uint64_t interval_usec;
	bool *sent; // as of bus_link_call()
	/* A reply with a task or an event, lent for the call. After `failed` nothing follows. */
	bool (*has_room)(void *userdata);
	void (*reply)(void *userdata, json_object *reply);
	void (*failed)(void *userdata, const struct bus_answer *answer);
	void *userdata;
};

/* `cursor` NULL: from the present state. -ESTALE: nothing is parked under it. */
int bus_monitor_new(const struct bus_monitor_options *options, const char *cursor,
		    struct bus_monitor **ret_monitor);
struct bus_monitor *bus_monitor_free(struct bus_monitor *monitor); // accepts NULL
/* The same, and what it knows stays. */
struct bus_monitor *bus_monitor_park(struct bus_monitor *monitor); // accepts NULL
/* There is room again. */
void bus_monitor_resume(struct bus_monitor *monitor);
