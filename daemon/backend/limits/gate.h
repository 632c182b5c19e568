/*
 * "Not before that time, for this reason." What makes calls wait closes a gate; whether a call may go
 * is whether its gates are open, and status, holds and log lines print what stands there.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "daemon/base/deadline.h"

#define GATE_WHY_MAX 320

struct gate {
	struct deadline until; // set while there is a time; its `passed` is the owner's
	char why[GATE_WHY_MAX]; // for people; cut where a character ends
};

/* Closes it, or keeps it closed, until then at least, for the reason given last. */
__attribute__((format(printf, 4, 5))) void gate_close(struct gate *gate,
						       struct deadlines *deadlines,
						       int64_t until_usec, const char *format, ...);
bool gate_is_closed(const struct gate *gate);
/* 0: it is open, or nobody knows. */
int64_t gate_left_usec(const struct gate *gate, int64_t now_usec);
/* The one of two that stays closed for longer; either may be NULL. */
const struct gate *gate_later(const struct gate *a, const struct gate *b);
