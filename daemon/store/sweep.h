/* SPDX-License-Identifier: MIT */
/* Removes the rows of uploads that were never committed, a chunk at a time. */
#pragma once

#include "daemon/store/statement.h"

#define SWEEP_UPLOAD_AGE_USEC INT64_C(86400000000)

/* One chunk. *ret_next_usec says when there is more to do; -1: no upload is open. */
int sweep_step(struct db *db, int64_t now, int64_t *ret_next_usec);
