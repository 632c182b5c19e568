/*
 * A connection that the daemon hands over on a message bus: the bus is joined for as long as it takes
 * to call OpenSocket. Nothing here waits.
 */
#pragma once

#include <stdbool.h>

#include "proto/fault/fault.h"

struct bus_socket;

/* -ENOENT, -ECONNREFUSED: there is no bus. -EAGAIN: it has no room for one more. */
int bus_socket_new(bool system, struct bus_socket **ret_socket);
struct bus_socket *bus_socket_free(struct bus_socket *socket); // accepts NULL, returns NULL

/* What to poll, and for what, until bus_socket_step() has something to do. */
int bus_socket_fd(const struct bus_socket *socket);
short bus_socket_events(const struct bus_socket *socket);
/* 1: *ret_fd is the connection, the caller's own. 0: not yet. -ECONNRESET: the bus, or the daemon, went
 * away meanwhile. Else negative: it cannot be had; when the daemon said why, there is a fault. */
int bus_socket_step(struct bus_socket *socket, int *ret_fd);
const struct fault *bus_socket_fault(const struct bus_socket *socket); // or NULL
