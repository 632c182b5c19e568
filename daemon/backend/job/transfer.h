/*
 * One attempt over HTTP, on an easy handle from its user's pool. Handles keep their options
 * from one call to the next; only what differs is set again.
 *
 * Time limits beyond curl's own for connecting are the backend's deadlines: for the first byte
 * from when the request goes out, for a stall from the last byte, and for all of it.
 */
#pragma once

#include <stdbool.h>

#include "daemon/backend/core.h"

/* The job's attempt goes out, or ends at once. */
void transfer_start(struct job *job);
/* Ends it without a result, and closes its connection. Whether there was one. */
bool transfer_abort(struct transfer *transfer);

/* Delivers what has finished. */
void transfer_collect(struct backend *backend);
/* Goes on with what was left unread, as far as it may be read now. */
void transfer_read_on(struct backend *backend);
/* Makes another multi handle where curl gave up on one. */
void transfer_repair(struct backend *backend);
