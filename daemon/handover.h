/*
 * Two daemons of one user on one state folder. One that a command started serves whoever comes,
 * until the service manager or the bus starts another, which their clients wait for; or until its
 * session ends and takes its socket away. So it says in the lock file that it leaves when it is
 * asked; the other asks, waits, and goes on with its tasks.
 */
#pragma once

#include <stdbool.h>

#include "proto/fault/fault.h"

/* What the holder is told; it stops as on SIGTERM, and leaves its tasks to the other. */
#define HANDOVER_SIGNAL SIGUSR1

/* Whether clients of somebody who started this process wait for it. */
bool handover_is_awaited(void);
/* The lock file's holder, which is this process, serves and leaves when it is asked. */
void handover_offer(const char *state_dir, const char *socket_path);
/* Another daemon holds the folder. 0: it has left. Negative: it stays, and the fault says who it is
 * and where it serves. Who is not `awaited` leaves alone whom clients can reach. Blocks. */
int handover_take(const char *state_dir, bool awaited, struct fault *fault);
