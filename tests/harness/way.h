/*
 * The way in that a test of the library takes: the socket, or, with ELLU_TEST_WAY=bus, a message
 * bus of its own. So one program tests both.
 */
#pragma once

#include "tests/harness/daemon.h"

struct message_bus;

bool way_is_bus(void);
/* What the way needs is there. */
bool way_is_there(void);
/* A daemon that can be reached that way. `options` as of daemon_start(). */
struct daemon *way_start(const struct daemon_options *options);
/* For ellu_open(). */
const char *way_address(const struct daemon *daemon);
/* The bus; NULL without one. */
struct message_bus *way_bus(void);
