/*
 * Starting the user's daemon: by the user's service manager where that has the unit, else
 * detached from the terminal. Several commands may try at once; one daemon wins, and all wait
 * for that one.
 */
#pragma once

#include "client/cli/cli.h"
#include "client/cli/complaint.h"

/* 0 once a daemon answers at the user's socket. */
int daemon_start(const struct cli *cli, struct complaint *complaint);
