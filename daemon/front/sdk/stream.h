/* Tasks of the dialect followed as Server-Sent Events. */
#pragma once

#include "daemon/front/http/http_exchange.h"

void sdk_stream_task(struct http_exchange *exchange);
