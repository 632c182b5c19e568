/* The state folder and the right to it: one daemon at a time, on a local disk. */
#pragma once

#include "proto/fault.h"

/* Makes the folder when it is missing and locks it. The lock goes with the descriptor. */
int lock_state_dir(const char *state_dir, int *ret_fd, struct fault *fault);
