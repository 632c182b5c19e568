/*
 * A message bus, a daemon on it, and handles of the client library that reach it that way.
 */
#pragma once

#include <stdbool.h>

#include "client/elluminate.h"
#include "tests/harness/bus.h"
#include "tests/harness/suite.h"

/* Of the test that runs. */
extern struct message_bus *message_bus;
extern struct daemon *server;

/* The bus alone; this process finds it. */
void start_bus(bool system);
/* With the daemon. */
void start(bool system);
/* On the session bus. */
struct ellu *open_handle(unsigned mode);
/* Of a thread: waits for the operation that it is given, and returns its result. */
void *run_op(void *op);
