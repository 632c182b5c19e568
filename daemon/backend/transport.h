/* What carries a call's attempts. One of them ends with job_attempted(), or by `abort`; both run on
 * the backend's loop. */
#pragma once

#include <stdbool.h>

struct backend;
struct job;

struct transport {
	bool connects; // so that the first call to a cold origin goes alone

	/* The job's attempt begins, or ends at once. */
	void (*start)(struct job *job);
	/* Ends the attempt without a result; a connection in use is closed. Returns whether there
	 * was one, or none was needed. */
	bool (*abort)(struct job *job);
};

extern const struct transport transport_http; // http.c
extern const struct transport transport_simulated;
void simulated_run(struct backend *backend); // answers what is due, a bounded number at once
