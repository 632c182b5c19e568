#include "daemon/config_limits.h"

#include <unistd.h>

#include "daemon/base/file_share.h"
#include "proto/limits.h"

struct queue_limits config_queue_limits(const struct config *config)
{
	return (struct queue_limits){
		.max_pending = config->max_pending,
		.max_pending_per_user = config->max_pending_per_user,
		.max_running = config->max_running,
		.max_running_per_user = config->max_running_per_user,
		.max_interactive = config->max_interactive,
		.max_interactive_per_user = config->max_interactive_per_user,
		.batch_poll_seconds = config->batch_poll_seconds,
	};
}

int64_t config_connections(const struct config *config)
{
	int64_t n = file_share();

	return n < config->max_connections ? n : config->max_connections;
}

struct user_limits config_user_limits(const struct config *config)
{
	const int64_t mib = 1024 * 1024;

	return (struct user_limits){ .slots = {
		[USER_CONNECTIONS] = { config_connections(config), config->max_connections_per_user },
		[USER_REQUESTS] = { config->max_requests, config->max_requests_per_user },
		[USER_WATCHES] = { config->max_watches, config->max_watches_per_user },
		[USER_LARGE_MESSAGES] = { config->max_large_messages,
					  config->max_large_messages_per_user },
		[USER_INPUT] = { config->max_input_mib * mib,
				 config->max_input_mib_per_user * mib },
		[USER_OUTPUT] = { config->max_output_mib * mib,
				  config->max_output_mib_per_user * mib },
		[USER_UNUSED_SOCKETS] = { UNUSED_SOCKETS_MAX, UNUSED_SOCKETS_PER_USER_MAX },
	} };
}

struct http_limits config_http_limits(const struct config *config)
{
	return (struct http_limits){
		.connections = config->http_max_connections,
		.requests_per_second = config->http_max_requests_per_second,
		.body_bytes = config->http_max_body_mib * 1024 * 1024,
		.idle_seconds = config->http_idle_seconds,
		.heartbeat_seconds = config->http_heartbeat_seconds,
		.message_seconds = config->message_seconds,
		.output_stall_seconds = config->output_stall_seconds,
	};
}

struct principal_rules config_rules(const struct config *config)
{
	return (struct principal_rules){
		.administrator_uid = config->system ? 0 : (int64_t)getuid(),
		.administrator_gid = config->administrator_group,
	};
}
