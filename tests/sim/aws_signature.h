/*
 * Whether a request is signed as Amazon's web services want it (Signature Version 4), from the
 * bytes that came: the service's side of it.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "tests/sim/http_request.h"

/* By `ACCESS:SECRET` or `ACCESS:SECRET:SESSION`; the signature may be five minutes old. Otherwise a
 * message in the service's words. */
bool aws_signature_holds(const struct http_request *request, const char *key, int64_t now_seconds,
			 struct bytes *error);
