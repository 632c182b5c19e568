/* The least that the same calls cost: a libcurl multi handle on epoll, and nothing else. */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct bare_http {
	const char *url;
	const char *const *bodies; // sent in turn
	size_t n_bodies;
	unsigned n_connections;
	uint64_t n_calls;
};

/* Makes the calls; the processor time that they took in this process. */
double bare_http_cpu_seconds(const struct bare_http *bare);
