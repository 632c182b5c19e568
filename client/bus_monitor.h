/* SPDX-License-Identifier: MIT */
/*
 * Monitor over the bus: first the tasks that wait or run, then every change and log line of any task
 * that signals tell of, each task followed by itself. There is no cursor: after a loss it begins
 * anew from the present state.
 */
#pragma once

#include "client/bus_link.h"

struct bus_monitor;

struct bus_monitor_options {
	struct bus_link *link;
	uint64_t interval_usec;
	bool *sent; // as of bus_link_call()
	/* A task or an event, lent for the call. After `failed` nothing follows. */
	bool (*has_room)(void *userdata);
	void (*reply)(void *userdata, const char *member, json_object *value);
	void (*failed)(void *userdata, const struct bus_answer *answer);
	void *userdata;
};

int bus_monitor_new(const struct bus_monitor_options *options, struct bus_monitor **ret_monitor);
struct bus_monitor *bus_monitor_free(struct bus_monitor *monitor); // accepts NULL
/* There is room again. */
void bus_monitor_resume(struct bus_monitor *monitor);
