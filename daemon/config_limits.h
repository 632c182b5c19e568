/* What a configuration allows, as each room takes it. */
#pragma once

#include "daemon/api/principal.h"
#include "daemon/api/user.h"
#include "daemon/config.h"
#include "daemon/front/http/http.h"
#include "daemon/queue/queue.h"

struct queue_limits config_queue_limits(const struct config *config);
struct user_limits config_user_limits(const struct config *config);
struct http_limits config_http_limits(const struct config *config);
/* Who administers. */
struct principal_rules config_rules(const struct config *config);
/* No more than there are descriptors for. */
int64_t config_connections(const struct config *config);
