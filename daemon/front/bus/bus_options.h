/* What the D-Bus front is made with. */
#pragma once

#include <stdbool.h>

#include "daemon/api/principal.h"

struct front;
struct loop;
struct service;

#define BUS_SETTLE_SECONDS 2

struct bus_options {
	struct loop *loop;
	struct service *service;
	struct front *front; // serves the sockets that are handed over
	bool system;
	struct principal_rules rules;
	/* Called once: the name is owned, or it is known that it cannot be had at present (there is no
	 * bus, another has the name, or BUS_SETTLE_SECONDS passed). */
	void (*settled)(void *userdata);
	void *userdata;
};
