/*
 * Starting the user's daemon: by the user's service manager where that has the unit, else
 * detached from the terminal. Several commands may try at once; one daemon wins, and all wait
 * for that one.
 */
#pragma once

#include <limits.h>

#include "client/cli/complaint.h"

/* 0 once a daemon answers at the user's socket. `ret_program` is what was started here, or "". */
int daemon_start(char ret_program[static PATH_MAX], struct complaint *complaint);
