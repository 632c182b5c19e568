/* What comes back on a transfer: as it comes, if it is a stream, and what the attempt came to. */
#pragma once

#include <curl/curl.h>
#include <stdbool.h>
#include <stdint.h>

#include "daemon/backend/core.h"

/* More is waited for until then, or until all time is up. */
void reception_wait(struct transfer *transfer, int64_t until_usec);
/* curl's write function. */
size_t reception_take(char *data, size_t size, size_t n, void *userdata);
/* What the attempt came to. */
void reception_result(struct transfer *transfer, CURLcode result, struct attempt *attempt);
/* The transfer is over, wherever it was. */
void reception_end(struct transfer *transfer);
/* All of an answer is there, though the connection may go on. */
bool reception_is_whole(const struct transfer *transfer);
/* Whether more of the body may be taken now, when it would hold so much: who reads it is not too far
 * behind, and it is not long, or one of those that may be. */
bool reception_may_take(struct transfer *transfer, size_t held);
/* Tells who reads streams what came of them. */
void reception_tell(struct backend *backend);
