/*
 * The last calls as they came, for tests that look at what was sent. A ring of raw requests.
 */
#pragma once

#include <stdint.h>

#include "tests/sim/bytes.h"
#include "tests/sim/http_request.h"

#define KEPT_REQUESTS_MAX 1000
#define KEPT_REQUESTS_DEFAULT 64

struct kept_requests {
	struct bytes slots[KEPT_REQUESTS_MAX];
	uint64_t numbers[KEPT_REQUESTS_MAX];
	size_t n_slots, n_kept, next;
};

void kept_requests_done(struct kept_requests *kept);
void kept_requests_clear(struct kept_requests *kept);
void kept_requests_add(struct kept_requests *kept, const struct http_request *request,
		       uint64_t number);

/* {"requests": [{number, method, path, headers, body}]}, the oldest of the last n first. */
void kept_requests_print(const struct kept_requests *kept, size_t n, struct bytes *out);
