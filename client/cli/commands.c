/* SPDX-License-Identifier: MIT */
/* The table of commands. */
#include "client/cli/options.h"

#define FIELD(field) offsetof(struct arguments, field)

static const struct option detach = { "detach", NULL, "submit, print the task, and leave",
				      OPTION_FLAG, FIELD(detach) };
static const struct option dry_run = { "dry-run", NULL,
				       "check the file, show the first prompts, run nothing",
				       OPTION_FLAG, FIELD(dry_run) };
static const struct option run_afresh = { "new", NULL,
					  "run a new experiment even if nothing has changed",
					  OPTION_FLAG, FIELD(run_afresh) };
static const struct option row_limit = { "limit", "N", "only the first N cases", OPTION_COUNT,
					 FIELD(limit) };
static const struct option epochs = { "epochs", "N", "answer each case N times", OPTION_COUNT,
				      FIELD(epochs) };
static const struct option max_connections = { "max-connections", "N",
					       "at most N calls at the same time", OPTION_COUNT,
					       FIELD(max_connections) };
static const struct option fail_under = { "fail-under", "RATE",
					  "exit 1 when the success rate is below 0.8 or 80%",
					  OPTION_SHARE, FIELD(fail_under) };
static const struct option list_limit = { "limit", "N", "at most N, the newest (default 100)",
					  OPTION_COUNT, FIELD(limit) };
static const struct option responses_limit = { "limit", "N", "only the first N (default: all)",
					       OPTION_COUNT, FIELD(limit) };
static const struct option status = { "status", "STATUS",
				      "only tasks in this state: PENDING, STARTED, SUCCESS, …",
				      OPTION_TEXT, FIELD(status) };
static const struct option after = { "after", "SEQUENCE", "only lines after this sequence",
				     OPTION_POSITION, FIELD(after) };
static const struct option failed = { "failed", NULL, "only those without an answer", OPTION_FLAG,
				      FIELD(failed) };
static const struct option more = { "more", NULL, "ask for many replies; print one a line",
				    OPTION_FLAG, FIELD(more) };

static const struct option *const run_options[] = { &detach,	      &row_limit,  &dry_run,
						    &epochs,	      &run_afresh, &fail_under,
						    &max_connections, NULL };
static const struct option *const task_list_options[] = { &list_limit, &status, NULL };
static const struct option *const task_logs_options[] = { &after, NULL };
static const struct option *const experiment_list_options[] = { &list_limit, NULL };
static const struct option *const responses_options[] = { &failed, &responses_limit, NULL };
static const struct option *const api_options[] = { &more, NULL };

static const char run_details[] =
	"FILE is JSON with comments (// and /* */). It is the truth: running it again brings\n"
	"template, collection and configs to what it says, continues what is unfinished, and\n"
	"prints the results of what is finished and unchanged without calling the model.\n"
	"\n"
	"  {\n"
	"    \"name\": \"Haiku quality\",\n"
	"    \"prompt_template\": { \"name\": \"Haiku\",\n"
	"                         \"messages\": \"Write a haiku about {{topic}}.\" },\n"
	"    \"collection\": { \"name\": \"Topics\",\n"
	"                    \"variables\": [ {\"topic\": \"coffee\"}, {\"topic\": \"rain\"} ] },\n"
	"    \"criteria\": [ \"Is it a haiku of three lines?\", \"Is it about {{topic}}?\" ],\n"
	"    \"llm_config\": { \"name\": \"local\", \"provider\": \"openai\",\n"
	"                    \"llm_model_name\": \"m\", \"api_key\": \"$MY_KEY\",\n"
	"                    \"llm_base_url\": \"http://127.0.0.1:8080/v1\" }\n"
	"  }\n"
	"\n"
	"A string in place of a template, collection or config names one that exists. Instead of\n"
	"`variables`, `\"file\": \"topics.csv\"` (or .jsonl) reads the cases from a file beside this\n"
	"one. `\"api_key\": \"$NAME\"` takes the key from your environment. Without `llm_config`\n"
	"the project's default answers: at first the simulated model.\n"
	"\n"
	"Ctrl-C cancels the task and keeps what was recorded; the same command continues it. A\n"
	"second Ctrl-C leaves at once. A terminal that is lost leaves the task running.\n"
	"\n"
	"Exit status: 0 success, 1 below --fail-under, 10 the task failed, 11 its time limit\n"
	"passed, 12 it was cancelled, 13 it was refused.";

static const char api_details[] =
	"METHOD is a method of org.elluminate, or a full name such as\n"
	"org.varlink.service.GetInfo. JSON is the object of its parameters; `-` reads it from\n"
	"standard input.\n"
	"\n"
	"  elluminate api GetTask '{\"id\": 42}'\n"
	"  elluminate api WatchTask '{\"id\": 42}' --more";

const struct command commands[] = {
	{ "run", "FILE", 1, 1, "run an experiment file", run_details, run_options, command_run },
	{ "task list", "", 0, 0, "list tasks, newest first", NULL, task_list_options,
	  command_task_list },
	{ "task show", "ID", 1, 1, "show a task", NULL, NULL, command_task_show },
	{ "task watch", "ID", 1, 1, "follow a task until it ends",
	  "Ctrl-C stops watching; the task goes on.", NULL, command_task_watch },
	{ "task logs", "ID", 1, 1, "print a task's log", NULL, task_logs_options,
	  command_task_logs },
	{ "task cancel", "ID", 1, 1, "cancel a task; what was recorded stays", NULL, NULL,
	  command_task_cancel },
	{ "experiment list", "", 0, 0, "list experiments, newest first", NULL,
	  experiment_list_options, command_experiment_list },
	{ "experiment show", "ID|NAME", 1, 1, "show an experiment and its results", NULL, NULL,
	  command_experiment_show },
	{ "experiment responses", "ID|NAME", 1, 1, "list the answers with their ratings", NULL,
	  responses_options, command_experiment_responses },
	{ "api", "METHOD [JSON]", 1, 2, "call any method of the daemon", api_details, api_options,
	  command_api },
	{ "status", "", 0, 0, "show how the daemon is", NULL, NULL, command_status },
	{ "version", "", 0, 0, "print the version", NULL, NULL, command_version },
	{ "help", "[COMMAND]", 0, 2, "explain a command", NULL, NULL, command_help },
};
const size_t n_commands = sizeof(commands) / sizeof(commands[0]);
