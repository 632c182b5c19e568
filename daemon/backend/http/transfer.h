/*
 * One attempt over HTTP, on an easy handle from its user's pool. Handles keep their options
 * from one call to the next; only what differs is set again.
 *
 * Time limits beyond curl's own for connecting are the backend's deadlines: for the first byte
 * from when the request goes out, for a stall from the last byte, and for all of it.
 *
 * An answer that turns out to be long waits where it is until it is one of the few that are held
 * at a time, and until its user has rested from what his last ones took of the loop's time.
 */
#pragma once

struct backend;
struct pool;

/* Delivers what has finished. */
void transfer_collect(struct backend *backend);

/* Goes on with long answers, as far as they may be read now. */
void transfer_read_on(struct backend *backend);

/* Makes another multi handle where curl gave up on one. */
void transfer_repair(struct backend *backend);

/* Gives back handles and connections; nothing of the pool is in flight. */
void transfer_forget(struct pool *pool);
