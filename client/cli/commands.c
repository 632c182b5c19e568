/* The table of commands. */
#include "client/cli/options.h"

#define FIELD(field) offsetof(struct arguments, field)

static const struct option detach = { "detach", NULL, "submit, print the task, and leave",
				      OPTION_FLAG, FIELD(detach) };
static const struct option dry_run = { "dry-run", NULL,
				       "have the daemon check it, show prompts and calls, run nothing",
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
static const struct option cost_limit = { "cost-limit", "DOLLARS",
					  "issue no further call once so much was spent",
					  OPTION_MONEY, FIELD(cost_limit) };
static const struct option priority = { "priority", "PRIORITY", "interactive, normal or batch",
					OPTION_TEXT, FIELD(priority) };
static const struct option time_limit = { "time-limit", "DURATION",
					  "end after running so long: 90 (seconds), 10m, 2h",
					  OPTION_DURATION, FIELD(time_limit) };
static const struct option llm = { "llm", "ID|NAME", "the config that answers", OPTION_TEXT,
				   FIELD(llm) };
static const struct option judge = { "judge", "ID|NAME", "the config that judges", OPTION_TEXT,
				     FIELD(judge) };
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
static const struct option kind = { "kind", "KIND", "only tasks of this kind: experiment, rating",
				    OPTION_TEXT, FIELD(kind) };
static const struct option since = { "since", "TIME",
				     "only those made since then, or so long ago: 10m, 2h, 1d",
				     OPTION_SINCE, FIELD(since) };
static const struct option older_than = { "older-than", "DURATION",
					  "tasks that ended longer ago than that (default 30d)",
					  OPTION_DURATION, FIELD(older_than) };
static const struct option cursor = { "cursor", "TEXT", "go on where an earlier monitor left off",
				      OPTION_TEXT, FIELD(cursor) };
static const struct option undo = { "undo", NULL, "start tasks again", OPTION_FLAG, FIELD(undo) };
static const struct option mode = { "mode", "MODE", "fast or detailed (with a reasoning)",
				    OPTION_TEXT, FIELD(mode) };
static const struct option criteria = { "criteria", "TEXT",
					"a yes/no question; give it again for more", OPTION_TEXTS,
					FIELD(criteria) };
static const struct option criterion_set = { "set", "ID|NAME", "the criteria of this set",
					     OPTION_TEXT, FIELD(criterion_set) };
static const struct option responses = { "responses", "IDS",
					 "rate these, wherever they came from: 1,2,3", OPTION_TEXT,
					 FIELD(responses) };
static const struct option where = { "where", "ID=YES|NO",
				     "only those that got this verdict by the criterion ID",
				     OPTION_TEXT, FIELD(where) };
static const struct option epoch = { "epoch", "N", "only those of this epoch", OPTION_COUNT,
				     FIELD(epoch) };
static const struct option keep = { "keep", NULL, "leave the experiment's own results as they are",
				    OPTION_FLAG, FIELD(keep) };
static const struct option more = { "more", NULL, "ask for many replies; print one a line",
				    OPTION_FLAG, FIELD(more) };

static const struct option *const run_options[] = {
	&detach,	  &row_limit,  &dry_run,  &epochs,     &run_afresh, &fail_under, &llm, &judge,
	&max_connections, &cost_limit, &priority, &time_limit, NULL
};
static const struct option *const rate_options[] = {
	&judge,	 &mode,		   &criteria,	&criterion_set, &responses,  &epoch, &where, &keep,
	&detach, &max_connections, &cost_limit, &priority,	&time_limit, NULL
};
static const struct option *const task_list_options[] = { &list_limit, &status, &kind, &since,
							  NULL };
static const struct option *const task_logs_options[] = { &after, NULL };
static const struct option *const task_retry_options[] = { &detach, &cost_limit, &priority,
							   &time_limit, NULL };
static const struct option *const task_tune_options[] = { &priority, &max_connections, &cost_limit,
							  NULL };
static const struct option *const task_prune_options[] = { &older_than, NULL };
static const struct option *const retry_failed_options[] = { &detach,	&max_connections,
							     &cost_limit, &priority,
							     &time_limit, NULL };
static const struct option *const monitor_options[] = { &cursor, NULL };
static const struct option *const drain_options[] = { &undo, NULL };
static const struct option *const experiment_list_options[] = { &list_limit, NULL };
static const struct option *const responses_options[] = { &failed, &responses_limit, NULL };
static const struct option *const api_options[] = { &more, NULL };

static const char run_details[] =
	"FILE is JSON with comments (// and /* */). It is the truth: running it again brings\n"
	"template, collection and configs to what it says, continues what is unfinished, asks\n"
	"only for what is new, and prints the results of what is finished and unchanged\n"
	"without calling the model.\n"
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
	"the built-in simulated model answers, unless `elluminate llm default` chose another.\n"
	"\n"
	"Ctrl-C cancels the task and keeps what was recorded; the same command continues it. A\n"
	"second Ctrl-C leaves at once. A terminal that is lost leaves the task running.\n"
	"\n"
	"Exit status: 0 success, 1 below --fail-under, 10 the task failed, 11 its time limit\n"
	"passed, 12 it was cancelled, 13 it was refused, 14 it is on hold at its cost limit (where\n"
	"there is no terminal; on one the command waits until the limit is raised).";

static const char rate_details[] =
	"Rates responses; no answer is generated again.\n"
	"\n"
	"  elluminate rate EXPERIMENT           all its responses, by another judge, mode or\n"
	"                                       criteria: they become the experiment's own, and\n"
	"                                       its new results are printed\n"
	"  elluminate rate EXPERIMENT --keep    the same, but the experiment stays as it is, and\n"
	"                                       the verdicts are printed, in the order of the\n"
	"                                       responses; so with --epoch and --where, which\n"
	"                                       choose some of them\n"
	"  elluminate rate --responses 1,2,3    those, and their verdicts in this order\n"
	"\n"
	"Without --criteria and --set: the experiment's own criteria.\n"
	"\n"
	"  elluminate rate Haiku --judge strict --mode detailed\n"
	"  elluminate rate Haiku --where 12=NO --criteria 'Is it at least polite?'\n"
	"\n"
	"Ctrl-C cancels the task and keeps what was recorded; `elluminate task retry` continues it.\n"
	"With --json: the events, one a line, then the experiment, or the list of the verdicts.";

static const char watch_details[] =
	"With ID: until it ends. Without: a live view of all tasks that wait or run; q or Ctrl-C\n"
	"leaves it. Where there is no terminal, or with --json, it prints what `elluminate\n"
	"monitor` does. Watching never disturbs the tasks: they go on.";

static const char monitor_details[] =
	"First the tasks that wait or run, then every change and log line of any task, each on a\n"
	"line: time, task, name, what. With --json: each reply, with the cursor to go on after it.\n"
	"Ctrl-C ends it with exit status 0.";

static const char drain_details[] =
	"No further task is started; the calls in flight finish, and what ran waits. Ends when\n"
	"nothing runs any more. Needs an administrator on a machine's daemon.";

static const char api_details[] =
	"METHOD is a method of org.elluminate, or a full name such as\n"
	"org.varlink.service.GetInfo. JSON is the object of its parameters; `-` reads it from\n"
	"standard input.\n"
	"\n"
	"  elluminate api GetTask '{\"id\": 42}'\n"
	"  elluminate api WatchTask '{\"id\": 42}' --more\n"
	"\n"
	"Unlike `elluminate task watch`, replies of --more end with the connection: nothing is\n"
	"resumed when the daemon restarts.";

const struct command commands[] = {
	{ "run", "FILE", 1, 1, "run an experiment file", run_details, run_options, command_run },
	{ "rate", "[EXPERIMENT]", 0, 1, "rate responses again, or by other criteria", rate_details,
	  rate_options, command_rate },
	{ "task list", "", 0, 0, "list tasks, newest first", NULL, task_list_options,
	  command_task_list },
	{ "task show", "ID", 1, 1, "show a task", NULL, NULL, command_task_show },
	{ "task watch", "[ID]", 0, 1, "follow a task until it ends, or all of them", watch_details,
	  NULL, command_task_watch },
	{ "task logs", "ID", 1, 1, "print a task's log", NULL, task_logs_options,
	  command_task_logs },
	{ "task cancel", "ID", 1, 1, "cancel a task; what was recorded stays", NULL, NULL,
	  command_task_cancel },
	{ "task retry", "ID", 1, 1, "go on with what an ended task left undone", NULL,
	  task_retry_options, command_task_retry },
	{ "task pause", "ID", 1, 1, "issue no further call until it is resumed", NULL, NULL,
	  command_task_pause },
	{ "task resume", "ID", 1, 1, "let a paused task go on", NULL, NULL, command_task_resume },
	{ "task tune", "ID", 1, 1, "change a task that waits or runs",
	  "A --cost-limit above what was spent ends the hold `budget`.", task_tune_options,
	  command_task_tune },
	{ "task prune", "", 0, 0, "remove the logs of tasks that ended long ago", NULL,
	  task_prune_options, command_task_prune },
	{ "experiment list", "", 0, 0, "list experiments, newest first", NULL,
	  experiment_list_options, command_experiment_list },
	{ "experiment show", "ID|NAME", 1, 1, "show an experiment and its results", NULL, NULL,
	  command_experiment_show },
	{ "experiment responses", "ID|NAME", 1, 1, "list the answers with their ratings", NULL,
	  responses_options, command_experiment_responses },
	{ "experiment retry-failed", "ID|NAME", 1, 1, "ask again for what ended with an error", NULL,
	  retry_failed_options, command_experiment_retry_failed },
	{ "llm list", "", 0, 0, "list the configs that answer and judge, newest first", NULL,
	  experiment_list_options, command_llm_list },
	{ "llm show", "ID|NAME", 1, 1, "show a config, without its key", NULL, NULL,
	  command_llm_show },
	{ "llm default", "[ID|NAME]", 0, 1, "say, or choose, which config answers where none is named",
	  "It is the built-in simulated model until another is chosen: making a config, or naming it\n"
	  "in a file, never chooses it. Each project has its own.", NULL, command_llm_default },
	{ "monitor", "", 0, 0, "print every change of any task", monitor_details, monitor_options,
	  command_monitor },
	{ "api", "METHOD [JSON]", 1, 2, "call any method of the daemon", api_details, api_options,
	  command_api },
	{ "status", "", 0, 0, "show how the daemon is", NULL, NULL, command_status },
	{ "drain", "", 0, 0, "start no further task, and wait until none runs", drain_details,
	  drain_options, command_drain },
	{ "version", "", 0, 0, "print the version", NULL, NULL, command_version },
	{ "help", "[COMMAND]", 0, 2, "explain a command", NULL, NULL, command_help },
};
const size_t n_commands = sizeof(commands) / sizeof(commands[0]);
