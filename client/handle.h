/* SPDX-License-Identifier: MIT */
/*
 * A handle: the daemon's address and the connections that wait for their next call. A
 * connection carries one call at a time, because the daemon answers in order; so each call
 * takes one and gives it back after its last reply.
 *
 * Blocking: calls of several threads meet only in the idle list, under its lock. Event: one
 * thread at a time; operations are in exactly one of `waiting` and `running`, or ended.
 */
#pragma once

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>
#include <sys/un.h>

#include "client/connection.h"
#include "client/elluminate.h"

#define HANDLE_IDLE_MAX 4 // connections kept for later calls
#define HANDLE_SHORT_MAX 4 // connections of an event handle that short calls share
#define HANDLE_RETRY_USEC 10000 // before the next try when the daemon's queue is full

TAILQ_HEAD(op_list, ellu_op);

struct ellu {
	unsigned mode;
	struct sockaddr_un address;
	pthread_mutex_t lock; // of the idle list
	struct connection *idle;
	unsigned n_idle;

	/* Of an event handle */
	int epoll;
	unsigned references; // the caller's, and one of each function that runs callbacks
	bool closed;
	bool in_callback;
	struct op_list waiting; // no connection yet, or failed and not told yet
	struct op_list running;
	unsigned n_short; // running operations that take turns
	uint64_t retry_usec; // when to try again to connect for a waiting one; 0: nothing to try
};

/* 0, or why a call in `mode` cannot start here. */
int handle_check(const struct ellu *handle, unsigned mode);

/* An idle connection, else a new one. */
int handle_take_connection(struct ellu *handle, struct connection **ret);
/* Only a connection on which everything was read may come back. */
void handle_give_connection(struct ellu *handle, struct connection *connection);

struct ellu *handle_unref(struct ellu *handle);

uint64_t handle_now(void); // CLOCK_MONOTONIC, microseconds
