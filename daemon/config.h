/* What the daemon was told: options on its command line over the configuration file over the
 * defaults. The keys are listed once, in config.c. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "proto/fault/fault.h"

/* What an orderly stop does to the tasks that wait or run. */
enum config_shutdown { SHUTDOWN_RESUME, SHUTDOWN_REVOKE };

struct config {
	/* The command line. */
	bool system;
	bool no_bus;
	bool check; // nothing else is to be done
	char *check_backup; // the same: a file to look at; or NULL
	char *restore; // the same: a file to begin with from now on; or NULL
	char *state_dir;
	char *socket_path;
	char *config_path; // NULL: the usual places
	char *http_listen; // of the file, too; NULL or empty: not at all
	int ready_fd; // written to and closed once the daemon serves, or -1
	/* The file; see config.c for the ranges. */
	int64_t log_level;
	int64_t on_shutdown; // enum config_shutdown
	int64_t administrator_group; // its gid; -1: none
	char *price_file; // or NULL
	int64_t idle_exit_seconds; // 0: never
	int64_t shutdown_grace_seconds;
	int64_t workers; // 0: one a core
	int64_t log_retention_days; // 0: for ever
	int64_t experiment_retention_days; // the same
	int64_t task_retention_days;
	int64_t batch_poll_seconds;
	int64_t max_pending;
	int64_t max_pending_per_user;
	int64_t max_running;
	int64_t max_running_per_user;
	int64_t max_interactive;
	int64_t max_interactive_per_user;
	int64_t max_calls;
	int64_t max_calls_per_user;
	int64_t max_connections;
	int64_t max_connections_per_user;
	int64_t max_requests;
	int64_t max_requests_per_user;
	int64_t max_watches;
	int64_t max_watches_per_user;
	int64_t max_large_messages;
	int64_t max_large_messages_per_user;
	int64_t max_input_mib;
	int64_t max_input_mib_per_user;
	int64_t max_output_mib;
	int64_t max_output_mib_per_user;
	int64_t message_seconds;
	int64_t output_stall_seconds;
	char *http_hosts; // further names of the HTTP server, or NULL
	int64_t http_max_connections;
	int64_t response_cache_mib_per_user;
	int64_t http_max_requests_per_second; // of one token
	int64_t http_max_body_mib;
	int64_t http_idle_seconds;
	int64_t http_heartbeat_seconds;
};

enum config_outcome { CONFIG_RUN, CONFIG_EXIT };

/* Parses the command line, then the file, and fills in the paths. CONFIG_EXIT: --help or
 * --version was printed. On a usage error -EINVAL with the fault's message saying what. */
int config_load(struct config *config, int argc, char **argv, struct fault *fault);
void config_done(struct config *config);
