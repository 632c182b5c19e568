/*
 * What the commands share: the arguments, the connection to the daemon, and how they speak.
 * Results go to stdout, all else to stderr. A command returns the exit status.
 */
#pragma once

#include <json.h>
#include <limits.h>
#include <stdbool.h>
#include <stdint.h>

#include "client/cli/arguments.h"
#include "client/cli/exit_status.h"
#include "client/elluminate.h"
#include "proto/fault/fault.h"
#include "proto/record/record.h"

struct complaint;
struct experiment_file;
struct json_file;

struct command;
struct commands;

struct cli {
	struct arguments arguments;
	const struct commands *commands; // that there are
	const struct command *command;
	const char *operand; // the one at hand; NULL: none was said
	struct ellu *daemon; // after cli_connect()
	char **argv;
	/* What the request comes from, or NULL: */
	const struct experiment_file *file;
	const struct json_file *content; // the content of its field
	const char *content_field;
};

/*
 * Starts the user's daemon: by the user's service manager where that has the unit, else detached from
 * the terminal. Several commands may try at once; one daemon wins, and all wait for that one. 0 once a
 * daemon answers at the user's socket. `ret_program` is what was started here, or "".
 */
int daemon_start(char ret_program[static PATH_MAX], struct complaint *complaint);

/* With --watch: runs it again and again. Returns the exit status. */
int watch_run(struct cli *cli, int (*run)(struct cli *cli));

/* Stops the unit of the service manager: true when it was active, and is no more. */
bool daemon_stop_unit(const struct arguments *arguments);

/* Runs the daemon's program with these words (NULL ends them) to its end, beside this command. Its exit
 * status, or negative with the complaint filled. */
int daemon_execute(const char *const *words, struct complaint *complaint);

/* The user's own daemon, in its own place, is the one that is spoken to. */
bool cli_is_own(const struct arguments *arguments);

/* Whether the command starts a daemon where none answers. */
bool cli_may_start(const struct arguments *arguments);

/* As cli_connect(), but nothing is started or said. */
bool cli_is_there(struct cli *cli);

/* Prints what the last of the words may become, a line each; argv[0] is the program. */
int complete(const struct commands *commands, int argc, char **argv);

/* What is said neither on the command line nor in the environment, from ~/.config/elluminate/command.conf.
 * 0, or the exit status after saying what is wrong. */
int conf_apply(struct arguments *arguments);

/* Connects, unless that is done, starting the user's daemon when that is due. 0, or the exit status; it has said why. */
int cli_connect(struct cli *cli);

/* A handle for event use beside the one of cli_connect(), which came first. The same. */
int cli_connect_event(struct cli *cli, struct ellu **ret_daemon);

/* A line on stderr, unless --quiet. */
__attribute__((format(printf, 2, 3))) void cli_note(const struct cli *cli, const char *format, ...);

/* The same with --verbose alone. */
__attribute__((format(printf, 2, 3))) void cli_tell(const struct cli *cli, const char *format, ...);

/* A line on stderr: `elluminate: …`. */
__attribute__((format(printf, 1, 2))) void cli_error(const char *format, ...);

/* What a command that is shown to the user must say to reach the same daemon: " --system", or "".
 * Valid until the next call. */
const char *cli_same_daemon(const struct arguments *arguments);

/* The command as it was given, without `without`, for a shell; free() it. NULL without memory. */
char *cli_command_line(const struct cli *cli, const char *without);

/* Says why a call failed, frees the error, and returns the exit status. */
int cli_fail(int code, const struct ellu_error *error);

/* Says why a file could not be had: as the complaint where that is what `r` means. The same. */
int cli_fail_file(int r, const struct complaint *complaint);

/* As output_open(), after saying what is wrong: 0, or the exit status. */
int cli_open_output(const struct arguments *arguments, const char *path);
/* As output_close(), at the end; a file of --output is there only where the command succeeded, or where Ctrl-C
 * ended what only followed. Returns `status`, or, in the place of 0, that of what went wrong, which it says.
 * A reader who has had enough is no error. */
int cli_close_output(int status, bool was_followed);

/* Prints JSON on a line of its own, without anything that commands a terminal. As output_flush(). */
int cli_put_json(const char *text);

/* The same of a record. */
int cli_print_json(const struct record_type *type, const void *record);

/* The ref that an operand means: digits are an id, all else is a name. NULL without memory. */
json_object *cli_ref(const char *operand);

/* True for the digits of an id. */
bool cli_is_id(const char *text, int64_t *ret_id);

/* The exit status for the terminal status of a task. */
int cli_task_exit_status(const char *status);

/* ---- Commands ---- */

int command_run(struct cli *cli);
int command_make(struct cli *cli);
int command_rate(struct cli *cli);
int command_prefer(struct cli *cli);
int command_report(struct cli *cli);
int command_ask(struct cli *cli);
int command_chat(struct cli *cli);
int command_embed(struct cli *cli);
int command_template(struct cli *cli);
int command_skill_validate(struct cli *cli);
int command_task_watch(struct cli *cli);
int command_task_tune(struct cli *cli);
int command_task_answer(struct cli *cli);
int command_task_logs(struct cli *cli);
int command_criteria(struct cli *cli);
int command_criteria_link(struct cli *cli);
int command_judge_batch(struct cli *cli);
int command_cost(struct cli *cli);
int command_power(struct cli *cli);
int command_llm_list(struct cli *cli);
int command_collection_import(struct cli *cli);
int command_collection_export(struct cli *cli);
int command_collection_remove_rows(struct cli *cli);
int command_llm_default(struct cli *cli);
int command_monitor(struct cli *cli);
int command_import(struct cli *cli);
int command_export(struct cli *cli);
int command_add_responses(struct cli *cli);
int command_init(struct cli *cli);
int command_schema(struct cli *cli);
int command_completion(struct cli *cli);
int command_backup(struct cli *cli);
int command_check(struct cli *cli);
int command_restore(struct cli *cli);
int command_stop(struct cli *cli); // 0 once none is there
int command_restart(struct cli *cli);
int command_api(struct cli *cli);
int command_version(struct cli *cli);
int command_help(struct cli *cli);

/* ---- What prints replies and items of lists, and cells of their tables ---- */

struct table;

void print_task_state(const struct cli *cli, const void *reply);
void print_task_settings(const struct cli *cli, const void *reply);
void print_log_line(const struct cli *cli, const void *item);
void print_pruned(const struct cli *cli, const void *reply);
void print_drained(const struct cli *cli, const void *reply);
void print_experiment(const struct cli *cli, const void *reply);
void print_template(const struct cli *cli, const void *reply);
void print_criteria(const struct cli *cli, const void *reply);
void print_rendered(const struct cli *cli, const void *reply);
void print_default_config(const struct cli *cli, const void *reply);
void print_status(const struct cli *cli, const void *reply);

void column_status(struct table *table, const void *task);
void column_experiment(struct table *table, const void *experiment);
void column_verdicts(struct table *table, const void *response);
void column_response(struct table *table, const void *response);
void column_criteria(struct table *table, const void *set);
void column_scores(struct table *table, const void *item);
void column_default(struct table *table, const void *config);
