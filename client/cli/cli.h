/*
 * What the commands share: the arguments, the connection to the daemon, and how they speak.
 * Results go to stdout, all else to stderr. A command returns the exit status.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "client/elluminate.h"
#include "proto/fault.h"
#include "proto/record.h"

struct experiment_file;

enum exit_status {
	EXIT_BELOW = 1, // under --fail-under
	EXIT_USAGE = 2,
	EXIT_TASK_FAILURE = 10,
	EXIT_TASK_TIMEOUT = 11,
	EXIT_TASK_REVOKED = 12,
	EXIT_TASK_REJECTED = 13,
	EXIT_TASK_HELD = 14, // at its cost limit, and nobody looks on
	EXIT_INTERRUPTED = 130,
};

#define OPERANDS_MAX 2
#define TEXTS_MAX 100

/* What an option says that may be given many times. */
struct texts {
	const char *items[TEXTS_MAX];
	size_t n;
};

/* Everything that can be said on the command line. Numbers are negative, texts NULL when not given. */
struct arguments {
	const char *socket;
	const char *bus; // "session" or "system"
	const char *project;
	bool user;
	bool system;
	bool json;
	bool quiet;
	bool no_color;
	bool no_start;
	bool help;
	bool version;

	bool detach;
	bool dry_run;
	bool run_afresh;
	bool more;
	bool failed;
	int64_t limit;
	int64_t epochs;
	int64_t max_connections;
	int64_t after;
	double fail_under;
	double time_limit; // seconds
	int64_t cost_limit; // billionths of a dollar
	const char *priority;
	const char *llm;
	const char *judge;

	const char *status;
	const char *kind;
	int64_t since; // microseconds since the epoch
	double older_than; // seconds
	const char *cursor;
	bool undo;

	const char *mode;
	struct texts criteria;
	const char *criterion_set;
	const char *responses;
	const char *where;
	int64_t epoch;
	bool keep;

	const char *operands[OPERANDS_MAX];
	unsigned n_operands;
};

struct cli {
	struct arguments arguments;
	struct ellu *daemon; // after cli_connect()
	bool color; // on stdout
	char **argv;
	const struct experiment_file *file; // that the request comes from, or NULL
};

/* Where the arguments say that the daemon is, for ellu_open(). */
const char *cli_address(const struct arguments *arguments);

/* Connects, starting the user's daemon when that is due. 0, or the exit status; it has said why. */
int cli_connect(struct cli *cli);

/* A handle for event use beside the one of cli_connect(), which came first. The same. */
int cli_connect_event(struct cli *cli, struct ellu **ret_daemon);

/* A line on stderr, unless --quiet. */
__attribute__((format(printf, 2, 3))) void cli_note(const struct cli *cli, const char *format, ...);

/* A line on stderr: `elluminate: …`. */
__attribute__((format(printf, 1, 2))) void cli_error(const char *format, ...);

/* What a command that is shown to the user must say to reach the same daemon: " --system", or "".
 * Valid until the next call. */
const char *cli_same_daemon(const struct arguments *arguments);

/* The command as it was given, without `without`, for a shell; free() it. NULL without memory. */
char *cli_command_line(const struct cli *cli, const char *without);

/* Says why a call failed, frees the error, and returns the exit status. */
int cli_fail(int code, const struct ellu_error *error);
/* The same of what a file asked for: a field of it is told with its place there. */
int cli_fail_request(const struct cli *cli, int code, const struct ellu_error *error);

/* Asks for an experiment. 0, or the exit status; it has said why. */
int cli_get_experiment(struct cli *cli, const struct ellu_ref *experiment,
		       const struct ellu_get_experiment_reply **ret_reply);

/* Prints a record as JSON on a line of its own. Returns the exit status. */
int cli_print_json(const struct record_type *type, const void *record);

/* A list in JSON, printed item by item: `{"items": […]}`. `*first` is true before the first. */
int cli_print_item(const struct record_type *type, const void *item, bool *first);
void cli_end_items(bool first);

/* The ref that an operand means: digits are an id, all else is a name. */
struct ellu_ref cli_ref(const char *operand, int64_t *id);

/* True for the digits of an id. */
bool cli_is_id(const char *text, int64_t *ret_id);

/* Reads the id of a task. False when it is none; it has said so. */
bool cli_parse_id(const char *operand, int64_t *ret_id);

/* For the optional fields of requests: NULL when the argument was not given. */
const int64_t *cli_given(const int64_t *argument);
const double *cli_given_seconds(const double *argument);
const int *cli_given_flag(bool argument);

/* The exit status for the terminal status of a task. */
int cli_task_exit_status(const char *status);

/* ---- Commands ---- */

int command_run(struct cli *cli);
int command_rate(struct cli *cli);
int command_task_list(struct cli *cli);
int command_task_show(struct cli *cli);
int command_task_watch(struct cli *cli);
int command_task_logs(struct cli *cli);
int command_task_cancel(struct cli *cli);
int command_task_retry(struct cli *cli);
int command_task_pause(struct cli *cli);
int command_task_resume(struct cli *cli);
int command_task_tune(struct cli *cli);
int command_task_prune(struct cli *cli);
int command_experiment_list(struct cli *cli);
int command_experiment_show(struct cli *cli);
int command_experiment_responses(struct cli *cli);
int command_experiment_retry_failed(struct cli *cli);
int command_llm_list(struct cli *cli);
int command_llm_show(struct cli *cli);
int command_llm_default(struct cli *cli);
int command_monitor(struct cli *cli);
int command_drain(struct cli *cli);
int command_api(struct cli *cli);
int command_status(struct cli *cli);
int command_version(struct cli *cli);
int command_help(struct cli *cli);
