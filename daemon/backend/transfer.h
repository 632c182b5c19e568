/*
 * One attempt over HTTP, on an easy handle from its user's pool. Handles keep their options
 * from one call to the next; only what differs is set again.
 *
 * Time limits beyond curl's own for connecting are the backend's deadlines: for the first byte
 * from when the request goes out, for a stall from the last byte, and for all of it.
 */
#pragma once

struct backend;
struct pool;

/* Delivers what has finished. */
void transfer_collect(struct backend *backend);

/* Makes another multi handle where curl gave up on one. */
void transfer_repair(struct backend *backend);

/* Gives back handles and connections; nothing of the pool is in flight. */
void transfer_forget(struct pool *pool);
