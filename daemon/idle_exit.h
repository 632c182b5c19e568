/*
 * Leaving when there is nothing to do. The name on the bus is given back first and the socket taken
 * away, then both are looked at once more: who came in the last moment is served, and the daemon
 * stays. It lives on the service's loop, and wakes up only in a daemon that may leave.
 */
#pragma once

#include <stdint.h>

struct bus;
struct front;
struct idle_exit;
struct service;

struct idle_exit_options {
	struct service *service;
	struct front *front;
	struct bus *bus; // or NULL
	int64_t seconds;
	void (*leave)(void *userdata); // begins the stop
	void *userdata;
};

int idle_exit_new(const struct idle_exit_options *options, struct idle_exit **ret_idle_exit);
struct idle_exit *idle_exit_free(struct idle_exit *idle_exit);
