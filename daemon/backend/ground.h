/* What every part of the backend stands on. */
#pragma once

#include <stdint.h>
#include <sys/queue.h>

#include "daemon/backend/wire/json.h"
#include "daemon/base/deadline.h"

struct loop;
struct job; // traffic.h
TAILQ_HEAD(jobs, job);

struct ground {
	struct loop *loop;
	int64_t now_usec; // of this turn
	struct deadlines deadlines;
	struct json_reader reader;
	uint64_t random; // only jitter depends on it
};
