/* The table of commands: those of their own, and which resources have those that the interface offers. */
#include <stdio.h>

#include "client/cli/call.h"
#include "client/cli/commands/compare.h"
#include "client/cli/commands/details.h"
#include "client/cli/commands/response.h"
#include "client/cli/commands/table.h"
#include "client/cli/commands/token.h"
#include "client/cli/commands/web.h"
#include "client/cli/files/experiment_file.h"
#include "client/cli/tasks/preferences.h"
#include "proto/generated/interface.h"
#include "proto/limits.h"

#define LENGTH(array) (sizeof(array) / sizeof((array)[0]))

#define OWN(member) .offset = offsetof(struct arguments, member)

/* ---- Options ---- */

static const struct option dry_run = { "dry-run", NULL,
				       "have the daemon check it, show prompts and calls, run nothing",
				       OPTION_FLAG, OWN(dry_run) };
static const struct option fail_under = { "fail-under", "RATE",
					  "exit 1 below a success rate of 0.8 or 80%; or criterion=TEXT:RATE, "
					  "evaluator=NAME:RATE", OPTION_GATE, OWN(gates) };
static const struct option fail_under_low = { "fail-under-low", "RATE",
					      "exit 1 when the success rate's 95 % interval reaches below",
					      OPTION_SHARE, OWN(fail_under_low) };
static const struct option fail_on_regression = { "fail-on-regression", "ID|NAME",
						  "exit 1 when rows came out worse than in that experiment, by more "
						  "than chance", OPTION_TEXT, OWN(base) };
static const struct option run_connections = { "max-connections", "N",
					       "at most N calls at the same time", OPTION_COUNT,
					       .field = "generation_params.max_connections" };
static const struct option follow_log = { "follow", NULL, "go on with what comes, until the task ends",
					  OPTION_FLAG, OWN(follow), .letter = 'f' };
static const struct option where = { "where", "CRITERION=YES|NO",
				     "only those that got this verdict by that criterion",
				     OPTION_VERDICT, .field = "criterion_id" };
static const struct option keep = { "keep", NULL, "leave the experiment's own results as they are",
				    OPTION_FLAG, OWN(keep) };
static const struct option force = { "force", NULL, "write over a file that is there", OPTION_FLAG, OWN(force) };
static const struct option more = { "more", NULL, "ask for many replies; print one a line",
				    OPTION_FLAG, OWN(more) };

static const struct option file = { "file", "FILE", "the text is in this file", OPTION_TEXT, OWN(file),
				    .letter = 'f' };
static const struct option revision = { "revision", "N", "that version of it (default: the latest)",
					OPTION_COUNT, .field = "prompt_template.version" };

static const struct option revision_alone = { "revision", "N", "that version alone (default: all of them)",
					      OPTION_COUNT, .field = "prompt_template.version" };
static const struct option revision_rendered = { "revision", "N",
						 "that version of it (default: the latest)", OPTION_COUNT,
						 .field = "prompt_template.ref.version" };
static const struct option evaluator_revision = { "revision", "N", "that version of it (default: the latest)",
						  OPTION_COUNT, .field = "evaluator.version" };
static const struct option evaluator_alone = { "revision", "N", "that version alone (default: all of them)",
					       OPTION_COUNT, .field = "evaluator.version" };
static const struct option skill_revision = { "revision", "N", "that version of it (default: the latest)",
					      OPTION_COUNT, .field = "skill.version" };
static const struct option skill_revision_alone = { "revision", "N",
						    "that version alone (default: all of them)", OPTION_COUNT,
						    .field = "skill.version" };
static const struct option message = { "message", "TEXT", "what is asked; {{name}} is a placeholder",
				       OPTION_TEXT, OWN(message) };
static const struct option system_message = { "system-message", "TEXT", "what is said before that",
					      OPTION_TEXT, OWN(system_message) };

static const struct option made_up = { "count", "N", "so many, at most 100", OPTION_COUNT,
				       .field = "count", .letter = 'n' };

static const struct option columns_option = { "columns", "NAME:TYPE,...",
					      "types of the columns of a new collection: text, json, category, "
					      "conversation, raw_input", OPTION_TEXT, OWN(columns) };

static const struct option all = { "all", NULL, "everything that there is, as JSONL", OPTION_FLAG, OWN(all) };
static const struct option *const export_options[] = { &all, NULL };
static const struct option *const backup_options[] = { &force, NULL };
static const struct option *const import_options[] = { &columns_option, NULL };
static const struct option *const run_options[] = { &dry_run, &fail_under, &fail_under_low, &fail_on_regression,
						   &run_connections, NULL };
static const struct option scoring = { "evaluators", "NAMES", "evaluators that score, in the place of the experiment's: a,b,c",
				       OPTION_TEXT, OWN(evaluators) };
static const struct option *const rate_options[] = { &keep, &where, &scoring, NULL };
static const struct option criterion = { "criterion", "ID|TEXT|LABEL",
					 "only those rated by this criterion; see --verdict", OPTION_TEXT,
					 OWN(criterion) };
static const struct option verdict = { "verdict", "YES|NO", "only those that got this verdict", OPTION_TEXT,
				       .field = "rating" };
static const struct option reasoning = { "reasoning", NULL, "with the reasons of the verdicts", OPTION_FLAG,
					 OWN(reasoning) };
static const struct option undo_edit = { "undo", NULL, "let the judge's verdict count again", OPTION_FLAG,
					 .field = "undo" };
static const struct option *const responses_options[] = { &where, &criterion, &verdict, &reasoning, NULL };
static const struct option cases_limit = { "limit", "N", "at most N of the cases that changed (default 10)",
					   OPTION_COUNT, OWN(limit), .letter = 'n' };
static const struct option report_limit = { "limit", "N", "at most N cases of each outcome (default 5000)",
					    OPTION_COUNT, OWN(limit), .letter = 'n' };
static const struct option *const report_options[] = { &report_limit, NULL };
static const struct option *const compare_options[] = { &cases_limit, NULL };
static const struct option *const edit_options[] = { &undo_edit, NULL };
static const struct option cost_by = { "by", "WORDS", "what sums are of: some of day,user,project,llm_config,model; or total",
				       OPTION_TEXT, OWN(by), .some_of = "day user project llm_config model total" };
static const struct option difference = { "difference", "SHARE", "of the success rates, 0.05 or 5%, that is to be seen",
					  OPTION_SHARE, OWN(difference) };
static const struct option discordant = { "changed", "SHARE", "so many cases come out otherwise, better or worse",
					  OPTION_SHARE, OWN(discordant) };
static const struct option power = { "power", "SHARE", "how surely it is to be seen (default 80%)", OPTION_SHARE,
				     OWN(power) };
static const struct option cases = { "cases", "N", "what do so many cases show?", OPTION_COUNT, OWN(limit),
				     .letter = 'n' };
static const struct option *const power_options[] = { &difference, &cases, &discordant, &power, NULL };
static const struct option *const cost_options[] = { &cost_by, NULL };
static const struct option import_name = { "name", "NAME", "what the experiment, or the collection, of an archive shall be called",
					   OPTION_TEXT, OWN(name) };
static const struct option *const promptfoo_options[] = { &force, &import_name, NULL };
static const struct option web_url = { "url", "URL", "where it is reached, behind a proxy", OPTION_TEXT, OWN(url) };
static const struct option web_print = { "print", NULL, "print the address, and open no browser", OPTION_FLAG,
					 OWN(print_only) };
static const struct option *const web_options[] = { &web_url, &web_print, NULL };
static const struct option *const api_options[] = { &more, NULL };
static const struct option *const logs_options[] = { &follow_log, NULL };
static const struct option questions = { "count", "N", "so many, at most 50 (default 5)", OPTION_COUNT,
					 .field = "n", .letter = 'n' };
static const struct option label = { "label", "TEXT", "a short name of the question, for tables", OPTION_TEXT,
				     OWN(label) };
static const struct option check = { "check", "KIND[=VALUE]",
				     "decide it without a model: equals, contains, icontains, starts_with, "
				     "is_json, length, regex", OPTION_TEXT, OWN(check) };
static const struct option *const question_options[] = { &label, &check, NULL };
static const struct option *const criteria_options[] = { &questions, NULL };
static const struct option *const generate_options[] = { &made_up, NULL };
static const struct option said_before = { "system-message", "TEXT", "what the model is told before that",
					   OPTION_TEXT, OWN(system_message), .letter = 's' };
static const struct option schema = { "schema", "FILE",
				      "the answer is JSON that fits this JSON schema, asked for twice at most",
				      OPTION_TEXT, OWN(schema) };
static const struct option image = { "image", "FILE|URL", "what is shown beside the text; give it again for more",
				     OPTION_TEXTS, OWN(images), .letter = 'i' };
static const struct option document = { "document", "FILE|URL", "the same, such as a PDF", OPTION_TEXTS,
					OWN(documents) };
static const struct option *const call_options[] = { &file, &said_before, &schema, &image, &document, NULL };
static const struct option *const chat_options[] = { &said_before, NULL };
static const struct option *const template_options[] = { &revision, NULL };
static const struct option *const skill_options[] = { &skill_revision, NULL };
static const struct option *const skill_deleted_options[] = { &skill_revision_alone, NULL };
static const struct option *const validate_options[] = { &file, &skill_revision, NULL };
static const struct option *const deleted_options[] = { &revision_alone, NULL };
static const struct option *const rendered_options[] = { &revision_rendered, NULL };
static const struct option *const evaluator_options[] = { &evaluator_revision, NULL };
static const struct option scored_by = { "llm", "ID|NAME", "the config that scores, in the place of the evaluator's own",
					 OPTION_EXISTING, .field = "llm_config" };
static const struct option preferred_by = { "judge", "ID|NAME", "the config that judges, in the place of the project's",
					    OPTION_EXISTING, .field = "llm_config" };
static const struct option *const prefer_options[] = { &preferred_by, NULL };
static const struct option *const scored_options[] = { &scored_by, &evaluator_revision, NULL };
static const struct option *const judged_options[] = { &scored_by, NULL };
static const struct option *const evaluator_deleted[] = { &evaluator_alone, NULL };
static const struct option *const content_options[] = { &message, &system_message, NULL };
static const struct option *const version_options[] = { &message, &system_message, &revision, NULL };

const struct word words[] = {
	{ "annotated", "annotated", NULL, "only those that people have said something of", BY_FIELD },
	{ "after", "after", "SEQUENCE", "only lines after this sequence", OPTION_POSITION },
	{ "collection", "collection", "ID|NAME", "the collection of its cases", BY_FIELD },
	{ "contexts", "contexts", "TEXT", "what the response had to go by; give it again for more", BY_FIELD },
	{ "cost_limit", "cost-limit", "DOLLARS", "issue no further call once so much was spent", BY_FIELD },
	{ "criteria", "criteria", "TEXT", "a yes/no question; give it again for more", BY_FIELD },
	{ "criterion_set", "set", "ID|NAME", "the criteria of this set", BY_FIELD },
	{ "cursor", "cursor", "TEXT", "go on where an earlier one left off", BY_FIELD },
	{ "description", "description", "TEXT", "what it is for", BY_FIELD },
	{ "deduplicate", "deduplicate", NULL, "drop rows that repeat an earlier one", BY_FIELD },
	{ "delete_existing", "delete-existing", NULL, "in the place of what is in the set", BY_FIELD },
	{ "detach", "detach", NULL, "submit, print the task, and leave", BY_FIELD },
	{ "epoch", "epoch", "N", "only those of this epoch", OPTION_COUNT },
	{ "epochs", "epochs", "N", "N times more", OPTION_COUNT },
	{ "expected_output", "expected", "TEXT", "what a good response would have been", BY_FIELD },
	{ "failed", "failed", NULL, "only those without an answer", BY_FIELD },
	{ "inputs", "inputs", "JSON", "what is scored: [{\"response\":\"No.\"}]", BY_FIELD },
	{ "kind", "kind", "KIND", "only those of this kind:", BY_FIELD },
	{ "llm_config", "llm", "ID|NAME", "the config that answers", BY_FIELD },
	{ "max_connections", "max-connections", "N", "at most N calls at the same time", OPTION_COUNT },
	{ "messages", "messages", "JSON", "a whole conversation in the place of one text", BY_FIELD },
	{ "n_epochs", "epochs", "N", "answer each case N times", OPTION_COUNT },
	{ "older_than_seconds", "older-than", "DURATION",
	  "tasks that ended longer ago than that (default 30d)", BY_FIELD },
	{ "name", "name", "NAME", "what it is called", BY_FIELD },
	{ "max_duration_seconds", "max-duration", "DURATION", "only those that took no longer", BY_FIELD },
	{ "max_input_tokens", "max-input-tokens", "N", "only those with no more", OPTION_POSITION },
	{ "max_output_tokens", "max-output-tokens", "N", "only those with no more", OPTION_POSITION },
	{ "evaluators", "evaluators", "NAMES", "evaluators that score the answers: a,b,c", OPTION_EVALUATORS },
	{ "everywhere", "everywhere", NULL, "in all of your projects", BY_FIELD },
	{ "expires_in_seconds", "expires-in", "DURATION", "good for so long (default: 30 days)", BY_FIELD },
	{ "min_duration_seconds", "min-duration", "DURATION", "only those that took so long", BY_FIELD },
	{ "min_input_tokens", "min-input-tokens", "N", "only those with so many", OPTION_POSITION },
	{ "min_output_tokens", "min-output-tokens", "N", "only those with so many", OPTION_POSITION },
	{ "order", "sort", "ORDER", "in the order of (the longest, and the most tokens, first):", BY_FIELD },
	{ "priority", "priority", "PRIORITY", "one of:", BY_FIELD },
	{ "prompt_template", "template", "ID|NAME", "the prompt template; of a call in the place of TEXT", BY_FIELD },
	{ "rating_llm_config", "judge", "ID|NAME", "the config that judges", BY_FIELD },
	{ "rating_llm_configs", "judges", "NAMES", "several configs that judge, each by itself: a,b,c", BY_FIELD },
	{ "fallback_llm_configs", "fallbacks", "NAMES", "asked in turn where the config cannot answer, itself passed over: a,b,c", BY_FIELD },
	{ "batch", "batch", NULL, "give the cases to the provider as batches: half the price, within a day", BY_FIELD },
	{ "response_cache", "cache", NULL, "give answers again that were given to the same, and keep those that come", BY_FIELD },
	{ "tool_results", "tool-results", "COLUMN", "what tools bring is recorded in this column", BY_FIELD },
	{ "tool_rounds", "tool-rounds", "N", "tell the model of tools' results at most N times (default: 10)", OPTION_COUNT },
	{ "rating_reduction", "reduce", "HOW", "what the verdicts of several judges come to:", BY_FIELD },
	{ "rating_mode", "mode", "MODE", "fast or detailed (with a reasoning)", BY_FIELD },
	{ "request", "request", "TEXT", "what was asked", BY_FIELD },
	{ "response", "response", "TEXT", "what was answered, and is to be scored", BY_FIELD },
	{ "response_column", "response-column", "COLUMN", "no model answers: this column has the answers",
	  BY_FIELD },
	{ "replace", "replace", NULL, "put them in the place of all that are there", BY_FIELD },
	{ "response_ids", "responses", "IDS", "rate these, wherever they came from: 1,2,3", OPTION_IDS },
	{ "row_limit", "limit", "N", "only the first N cases", OPTION_COUNT },
	{ "run_afresh", "new", NULL, "run a new experiment even if nothing has changed", BY_FIELD },
	{ "scope", "scope", "SCOPE", "what it may be used for, one of:", BY_FIELD },
	{ "since", "since", "TIME", "only those made since then, or so long ago: 10m, 2h, 1d", BY_FIELD },
	{ "status", "status", "STATUS", "only those in this state:", BY_FIELD },
	{ "reasoning", "reasoning", "TEXT", "why", BY_FIELD },
	{ "template_variables_id", "row", "ID", "only those of this row", OPTION_COUNT },
	{ "time_limit_seconds", "time-limit", "DURATION",
	  "end after running so long: 90 (seconds), 10m, 2h", BY_FIELD },
	{ "until", "until", "TIME", "only until then, or so long ago", BY_FIELD },
	{ "tools", "tools", "JSON", "the tools that could be called", BY_FIELD },
	{ "undo", "undo", NULL, "start tasks again", BY_FIELD },
	{ "until_valid", "until-valid", "N", "ask again while the answer is not valid, at most N times", OPTION_COUNT },
	{ "variables", "variables", "JSON", "what its placeholders stand for: {\"topic\":\"tea\"}", BY_FIELD },
};
const size_t n_words = LENGTH(words);

/* What a file says, and the options may say over it. */
static const char run_fields[] =
	"detach row_limit n_epochs run_afresh llm_config rating_llm_config rating_llm_configs rating_reduction "
	"evaluators fallback_llm_configs response_cache batch cost_limit priority "
	"time_limit_seconds";
static const char make_fields[] =
	"row_limit n_epochs llm_config rating_llm_config rating_llm_configs rating_reduction evaluators fallback_llm_configs "
	"response_cache batch";
static const char chat_fields[] =
	"llm_config fallback_llm_configs response_cache generation_params cost_limit priority time_limit_seconds";
static const char embed_fields[] =
	"llm_config dimensions purpose cost_limit priority time_limit_seconds detach";
static const char again_fields[] = "detach cost_limit priority time_limit_seconds";
static const char batch_fields[] =
	"inputs collection llm_config name max_connections cost_limit priority time_limit_seconds detach";
static const char prefer_fields[] =
	"evaluator llm_config name max_connections cost_limit priority time_limit_seconds detach";
static const char rate_fields[] =
	"response_ids epoch criterion_set criteria rating_llm_config rating_llm_configs rating_reduction rating_mode "
	"max_connections cost_limit "
	"priority time_limit_seconds detach";

/* ---- Columns ---- */

#define COLUMN(title, path) { title, path, NULL }
#define MADE(title, add) { title, NULL, add }

static const struct column task_columns[] = {
	COLUMN(">ID", "id"),	       MADE("STATUS", column_status),
	COLUMN(">DONE", "progress.percent_complete"), COLUMN("CREATED", "created_at"),
	COLUMN(">RUNNING", "running_seconds"), COLUMN("KIND", "kind"),
	COLUMN("NAME", "name"),	       { NULL, NULL, NULL },
};
static const struct column experiment_columns[] = {
	COLUMN(">ID", "id"),	COLUMN(">CASES", "total_cases"), COLUMN(">SUCCESS", "results.success_rate"),
	COLUMN("MODEL", "model"), COLUMN("CREATED", "created_at"), MADE("NAME", column_experiment),
	{ NULL, NULL, NULL },
};
static const struct column response_columns[] = {
	COLUMN(">ID", "id"), COLUMN(">ROW", "template_variables.id"), COLUMN(">EPOCH", "epoch"), MADE("RATED", column_verdicts),
	COLUMN(">DURATION", "duration_seconds"),
	COLUMN("VARIABLES", "template_variables.input_values"), MADE("RESPONSE", column_response),
	{ NULL, NULL, NULL },
};
static const struct column rating_columns[] = {
	COLUMN(">ID", "id"), COLUMN(">RESPONSE", "response_id"), COLUMN("RATING", "rating"),
	COLUMN("JUDGE", "judge"), COLUMN("CRITERION", "criterion.criterion_str"),
	COLUMN("REASONING", "reasoning"), { NULL, NULL, NULL },
};
static const struct column flaky_columns[] = {
	COLUMN(">ROW", "template_variables.id"), COLUMN(">MET", "met"), COLUMN(">OF", "decided"),
	COLUMN("VARIABLES", "template_variables.input_values"), { NULL, NULL, NULL },
};
static const struct column config_columns[] = {
	COLUMN(">ID", "id"),	 MADE("DEFAULT", column_default), COLUMN("PROVIDER", "provider"),
	COLUMN("MODEL", "llm_model_name"), COLUMN("KEY", "has_api_key"), COLUMN("URL", "llm_base_url"),
	COLUMN("NAME", "name"),	 { NULL, NULL, NULL },
};
static const struct column row_columns[] = {
	COLUMN(">ID", "id"), COLUMN("VARIABLES", "input_values"), { NULL, NULL, NULL },
};
static const struct column collection_columns[] = {
	COLUMN(">ID", "id"), COLUMN(">ROWS", "variables_count"), COLUMN("CREATED", "created_at"),
	COLUMN("NAME", "name"), { NULL, NULL, NULL },
};
static const struct column template_columns[] = {
	COLUMN(">ID", "id"), COLUMN(">VERSION", "version"), COLUMN("CREATED", "created_at"),
	COLUMN("NAME", "name"), { NULL, NULL, NULL },
};
static const struct column evaluator_columns[] = {
	COLUMN(">ID", "id"), COLUMN(">VERSION", "version"), COLUMN("KIND", "kind"), COLUMN("NAME", "name"),
	COLUMN("INTENT", "intent"), { NULL, NULL, NULL },
};
static const struct column criteria_columns[] = {
	COLUMN(">ID", "id"), MADE(">CRITERIA", column_criteria), COLUMN("CREATED", "created_at"),
	COLUMN("NAME", "name"), { NULL, NULL, NULL },
};
static const struct column token_columns[] = {
	COLUMN(">ID", "id"), COLUMN("SCOPE", "scope"), COLUMN("PROJECT", "project"),
	COLUMN("EXPIRES", "expires_at"), COLUMN("NAME", "name"), { NULL, NULL, NULL },
};
static const struct column cost_columns[] = { { NULL, NULL, NULL } }; // the command has them
static const struct column item_columns[] = {
	COLUMN(">ROW", "template_variables_id"), COLUMN("STATUS", "status"), MADE("SCORES", column_scores),
	COLUMN("INPUT", "input_values"), { NULL, NULL, NULL },
};
static const struct column preference_columns[] = {
	COLUMN(">ROW", "template_variables_id"), MADE("PREFERRED", column_preferences),
	COLUMN("INPUT", "input_values"), { NULL, NULL, NULL },
};
static const struct column named_columns[] = {
	COLUMN(">ID", "id"), COLUMN("NAME", "name"), { NULL, NULL, NULL },
};

/* ---- Resources ---- */

const struct resource resources[] = {
	{ "task", "Task", task_columns, NULL, NULL, NULL },
	{ "experiment", "Experiment", experiment_columns, print_experiment, NULL, NULL },
	{ "llm", "LLMConfig", config_columns, NULL, NULL, command_llm_list },
	{ "collection", "Collection", collection_columns, NULL, NULL, NULL },
	{ "template", "PromptTemplate", template_columns, print_template, template_options, NULL },
	{ "criteria", "CriterionSet", criteria_columns, NULL, NULL, NULL },
	{ "evaluator", "Evaluator", evaluator_columns, NULL, evaluator_options, NULL },
	{ "judge", "Judge", named_columns, NULL, NULL, NULL },
	{ "skill", "Skill", template_columns, NULL, skill_options, NULL },
	{ "project", "Project", named_columns, NULL, NULL, NULL },
	{ "token", "Token", token_columns, NULL, NULL, NULL },
};
const size_t n_resources = LENGTH(resources);

/* ---- The table ---- */

const struct command fixed[] = {
	{ "run", "FILE...", 1, PAIRS_MAX, "run experiment files", run_details, run_options, command_run,
	  .method = "RunExperiment", .also = "PlanExperiment AddTemplateVariables", .fields = run_fields,
	  .reports = true },
	{ "init", "[FILE]", 0, 1, "write an example of an experiment file (experiment.json)", NULL, NULL,
	  command_init, .method = NULL },
	{ "schema", "", 0, 0, "print the JSON schema of experiment files, for editors", NULL, NULL,
	  command_schema, .method = NULL },
	{ "export", "[EXPERIMENT]", 0, 1, "write an experiment, and all that came of it, into an archive; or everything",
	  archive_details, export_options, command_export, .method = "GetExperiment" },
	{ "import", "FILE", 1, 1, "take in an archive, or make an experiment file of a promptfoo configuration",
	  promptfoo_details, promptfoo_options, command_import, .method = NULL, .own_output = true },
	{ "rate", "[EXPERIMENT]", 0, 1, "rate responses again, or by other criteria", rate_details,
	  rate_options, command_rate, .method = "RateResponses", .also = "RateExperiment",
	  .fields = rate_fields },
	{ "call", "[TEXT]", 0, 1, "ask a model once", call_details, call_options, command_ask,
	  .method = "Call", .own_operands = true },
	{ "chat", "[TEXT]", 0, 1, "talk with a model, line by line", chat_details, chat_options,
	  command_chat, .method = "Call", .fields = chat_fields, .own_operands = true },
	{ "embed", "[TEXT...]", 0, OPERANDS_MAX, "make vectors of texts", embed_details, NULL, command_embed,
	  .method = "Embed", .fields = embed_fields, .own_operands = true },
	{ "task watch", "[ID]", 0, 1, "follow a task until it ends, or all of them", watch_details,
	  NULL, command_task_watch, .method = "WatchTask", .follows = true },
	{ "task logs", "ID", 1, 1, "print a task's log", NULL, logs_options, command_task_logs,
	  .method = "ListTaskLogs", .print = print_log_line },
	{ "task cancel", "ID", 1, 1, "cancel a task; what was recorded stays", NULL, NULL, command_call,
	  .method = "CancelTask", .print = print_task_state },
	{ "task retry", "ID", 1, 1, "go on with what an ended task left undone", NULL,
	  NULL, command_submit, .method = "RetryTask" },
	{ "task pause", "ID", 1, 1, "issue no further call until it is resumed", NULL, NULL, command_call,
	  .method = "PauseTask", .print = print_task_state },
	{ "task resume", "ID", 1, 1, "let a paused task go on", NULL, NULL, command_call,
	  .method = "ResumeTask", .print = print_task_state },
	{ "task tune", "ID", 1, 1, "change a task that waits or runs",
	  "A --cost-limit above what was spent ends the hold `budget`.", NULL,
	  command_task_tune, .method = "TuneTask", .print = print_task_settings },
	{ "task answer", "ID CALL TEXT", 3, 3, "say what a call of a tool brought that a task waits for",
	  "Which calls it waits for is in the events of `elluminate task watch ID --json`. Their programs\n"
	  "answer them themselves, mostly.", NULL, command_task_answer,
	  .method = "SendToolResult", .fields = "", .own_operands = true },
	{ "task prune", "", 0, 0, "remove the logs of tasks that ended long ago", NULL,
	  NULL, command_call, .method = "PruneTasks", .print = print_pruned },
	{ "experiment create", "FILE", 1, 1, "make an experiment of a file, to be run later", make_details,
	  NULL, command_make, .method = "CreateExperiment", .fields = make_fields,
	  .print = print_experiment },
	{ "experiment get", "FILE", 1, 1, "show the experiment of the file's name, or make it",
	  make_details, NULL, command_make, .method = "GetOrCreateExperiment", .fields = make_fields,
	  .print = print_experiment },
	{ "experiment clone", "ID|NAME", 1, 1, "make one with the parts of another", clone_details, NULL,
	  command_call, .method = "CloneExperiment",
	  .print = print_experiment },
	{ "experiment run", "ID|NAME", 1, 1, "ask for what an experiment lacks", NULL, NULL,
	  command_submit, .method = "RunExperiment", .fields = again_fields },
	{ "experiment add-responses", "ID|NAME [FILE]", 1, 2, "add answers that were made elsewhere",
	  add_details, NULL, command_add_responses, .method = "AddResponses", .fields = "responses",
	  .own_operands = true },
	{ "experiment update", "ID|NAME", 1, 1, "change its name or description; before it has answers, how it is asked",
	  NULL, NULL, command_call, .method = "UpdateExperiment",
	  .print = print_experiment },
	{ "experiment add-epochs", "ID|NAME", 1, 1, "answer each case some times more", NULL, NULL,
	  command_submit, .method = "AddEpochs" },
	{ "experiment responses", "ID|NAME", 1, 1, "list the answers with their ratings", NULL,
	  responses_options, command_responses, .method = "ListResponses", .columns = response_columns },
	{ "experiment ratings", "ID|NAME", 1, 1, "list the verdicts, response by response", NULL, NULL,
	  command_list, .method = "ListRatings", .fields = "response_id", .columns = rating_columns },
	{ "experiment case", "ID|NAME ROW", 2, 2, "show a case: prompt, answers, each verdict and why", NULL,
	  NULL, command_case, .method = "ListResponses", .fields = "epoch", .print = print_case },
	{ "experiment compare", "ID|NAME ID|NAME...", 2, 10, "put experiments side by side", compare_details,
	  compare_options, command_compare, .method = "CompareExperiments",
	  .also = "ListComparedCases", .fields = "", .own_operands = true,
	  .print = print_comparison, .all_formats = true },
	{ "experiment prefer", "ID|NAME ID|NAME...", 2, 10, "have a judge say whose answers are better", prefer_details,
	  prefer_options, command_prefer, .method = "PreferExperiments", .fields = prefer_fields, .own_operands = true },
	{ "experiment preferences", "TASK", 1, 1, "list the cases with what was preferred", NULL, NULL, command_list,
	  .method = "ListPreferences", .columns = preference_columns },
	{ "experiment flaky", "ID|NAME", 1, 1, "list the rows whose epochs disagree", flaky_details, NULL,
	  command_list, .method = "ListFlakyRows", .columns = flaky_columns },
	{ "experiment agreement", "ID|NAME", 1, 1, "say how far its judge agrees with people", agreement_details,
	  NULL, command_call, .method = "GetJudgeAgreement", .print = print_agreement, .all_formats = true },
	{ "experiment report", "ID|NAME...", 1, 10, "write what came of experiments for others to read",
	  report_details, report_options, command_report, .method = "GetExperiment",
	  .also = "ListResponses ListComparedCases CompareExperiments GetJudgeAgreement", .fields = "", .own_operands = true, .own_output = true,
	  .reports = true },
	{ "experiment response", "RESPONSE", 1, 1, "show a response by its id", NULL, NULL,
	  command_get_response, .method = "GetResponse", .fields = "", .own_operands = true, .print = print_response },
	{ "experiment annotate", "RESPONSE [TEXT]", 1, 2, "say something of a response, or nothing any more",
	  NULL, NULL, command_annotate, .method = "AnnotateResponse", .fields = "",
	  .own_operands = true },
	{ "experiment edit-rating", "RATING [YES|NO]", 1, 2, "put your verdict in the place of a judge's",
	  edit_details, edit_options, command_edit_rating, .method = "EditRating", .fields = "reasoning",
	  .own_operands = true, .print = print_edited },
	{ "experiment retry-failed", "ID|NAME", 1, 1, "ask again for what ended with an error", NULL,
	  NULL, command_submit, .method = "RetryFailed" },
	{ "llm default", "[ID|NAME]", 0, 1, "say, or choose, which config answers where none is named",
	  "It is the built-in simulated model until another is chosen: making a config, or naming it\n"
	  "in a file, never chooses it. Each project has its own.", NULL, command_llm_default,
	  .method = "SetDefaultLLMConfig", .print = print_default_config },
	{ "llm test", "ID|NAME", 1, 1, "ask a config for one word: does it answer, and how fast",
	  "Asked once: what a run would retry is told, in the provider's words. A config that has a system\n"
	  "message and parameters is asked with them.\n"
	  "\n"
	  "  elluminate llm test local", NULL, command_submit,
	  .method = "TestLLMConfig" },
	{ "collection generate", "ID|NAME", 1, 1, "have a model make up rows for a prompt template",
	  "Each row has a value for every placeholder. Those that are alike are one.\n"
	  "\n"
	  "  elluminate collection generate Topics --template Haiku -n 20", generate_options,
	  command_submit, .method = "GenerateTemplateVariables" },
	{ "collection clear", "ID|NAME", 1, 1, "remove all rows; results keep what they used", NULL, NULL,
	  command_call, .method = "ClearCollection" },
	{ "collection rows", "ID|NAME", 1, 1, "list the rows in the order in which they were added", NULL,
	  NULL, command_list, .method = "ListTemplateVariables", .columns = row_columns },
	{ "template create", "NAME|FILE", 1, 1, "make a prompt template, or the next version of its name",
	  template_details, content_options, command_template, .method = "CreatePromptTemplate",
	  .own_operands = true, .print = print_template },
	{ "template get", "NAME|FILE", 1, 1, "show the version that has this content, or make it",
	  template_details, content_options, command_template, .method = "GetOrCreatePromptTemplate",
	  .own_operands = true, .print = print_template },
	{ "template new-version", "ID|NAME", 1, 1, "make the next version; what is not said is as before",
	  NULL, version_options, command_template, .method = "NewPromptTemplateVersion",
	  .print = print_template },
	{ "template render", "ID|NAME", 1, 1, "fill in the placeholders; no model is called", NULL,
	  rendered_options, command_call, .method = "RenderPromptTemplate", .print = print_rendered },
	{ "template generate-criteria", "ID|NAME", 1, 1, "have a model make up questions to judge its answers by",
	  "They go into the set of criteria that is linked to the prompt template, which judges where an\n"
	  "experiment names no criteria. All of the set are printed.", criteria_options, command_submit,
	  .method = "GenerateCriteria" },
	{ "template get-criteria", "ID|NAME", 1, 1,
	  "print the questions that judge its answers, or have a model make up some",
	  "Where there are questions, no model is asked, and options concern nothing.", criteria_options,
	  command_submit, .method = "GetOrGenerateCriteria" },
	{ "template criteria", "ID|NAME", 1, 1, "print the questions that judge its answers", NULL, NULL,
	  command_call, .method = "ListCriteria", .print = print_criteria },
	{ "template delete", "ID|NAME", 1, 1, "delete a prompt template", "Results keep what they used.",
	  deleted_options, command_call, .method = "DeletePromptTemplate" },
	{ "evaluator run", "ID|NAME", 1, 1, "have an evaluator score a response",
	  evaluator_run_details, scored_options, command_submit, .method = "RunEvaluator" },
	{ "evaluator batch", "ID|NAME", 1, 1, "have an evaluator score many responses",
	  "The rows of a collection, whose columns are the evaluator's inputs, or --inputs. It goes on after a\n"
	  "restart; `elluminate task items ID` prints each item, and `elluminate task retry ID` asks again for\n"
	  "what has no score.\n"
	  "\n"
	  "  elluminate evaluator batch Politeness --collection Answers", scored_options, command_submit,
	  .method = "BatchRun", .fields = batch_fields },
	{ "judge batch", "ID|NAME", 1, 1, "have the evaluators of a judge score many responses",
	  "  elluminate judge batch Support --collection Answers", judged_options, command_judge_batch,
	  .method = "BatchRun", .fields = batch_fields, .own_operands = true },
	{ "task items", "ID", 1, 1, "list the items of a batch with their scores", NULL, NULL, command_list,
	  .method = "ListBatchItems", .columns = item_columns },
	{ "evaluator delete", "ID|NAME", 1, 1, "delete an evaluator", "Scores keep what they used.",
	  evaluator_deleted, command_call, .method = "DeleteEvaluator" },
	{ "judge run", "ID|NAME", 1, 1, "have the evaluators of a judge score a response",
	  "  elluminate judge run Support --request 'Where is my parcel?' --response 'No idea.'", judged_options,
	  command_submit, .method = "RunJudge" },
	{ "skill run", "ID|NAME", 1, 1, "have a skill answer, and its validators judge the answer", skill_details,
	  skill_options, command_submit, .method = "RunSkill" },
	{ "skill validate", "ID|NAME [TEXT]", 1, 2, "have the validators of a skill judge an answer",
	  validate_details, validate_options, command_skill_validate, .method = "ValidateSkill",
	  .fields = "request variables contexts expected_output cost_limit priority time_limit_seconds detach",
	  .own_operands = true },
	{ "skill delete", "ID|NAME", 1, 1, "delete a skill", NULL, skill_deleted_options, command_call,
	  .method = "DeleteSkill" },
	{ "criteria create", "NAME [TEXT...]", 1, OPERANDS_MAX, "make a set of yes/no questions",
	  criteria_details, question_options, command_criteria, .method = "CreateCriterionSet", .fields = "",
	  .own_operands = true },
	{ "criteria get", "NAME [TEXT...]", 1, OPERANDS_MAX, "show the set of that name, or make it",
	  criteria_details, question_options, command_criteria, .method = "GetOrCreateCriterionSet", .fields = "",
	  .own_operands = true },
	{ "criteria add", "ID|NAME TEXT...", 2, OPERANDS_MAX, "add questions at the end of a set",
	  criteria_details, question_options, command_criteria, .method = "AddCriteria", .fields = "", .own_operands = true },
	{ "criteria remove", "ID", 1, 1, "take the question of that id out of its set",
	  "`elluminate criteria show` says the ids.", NULL, command_call, .method = "DeleteCriterion" },
	{ "criteria clear", "ID|NAME", 1, 1, "take all questions out of a set", NULL, NULL, command_call,
	  .method = "ClearCriterionSet" },
	{ "criteria link", "ID|NAME TEMPLATE", 2, 2, "judge a prompt template's answers by the set",
	  "Experiments with the prompt template, in any version, that name no criteria are judged by the\n"
	  "set, in the place of the one that was linked before.", NULL, command_criteria_link,
	  .method = "LinkCriterionSet", .fields = "", .own_operands = true },
	{ "criteria unlink", "ID|NAME TEMPLATE", 2, 2, "end the link to a prompt template", NULL, NULL,
	  command_criteria_link, .method = "UnlinkCriterionSet", .fields = "", .own_operands = true },
	{ "collection import", "ID|NAME FILE", 2, 2, "add the rows of a file", import_details,
	  import_options, command_collection_import, .method = "AddTemplateVariables",
	  .fields = "replace deduplicate", .own_operands = true },
	{ "collection export", "ID|NAME", 1, 1, "print the rows, or write them to a file", export_details,
	  NULL, command_collection_export, .own_operands = true },
	{ "collection remove-rows", "ID|NAME IDS", 2, 2, "remove rows by their ids: 1,2,3",
	  "Tasks that run on them and results that used them keep them.", NULL,
	  command_collection_remove_rows, .method = "DeleteTemplateVariables", .fields = "",
	  .own_operands = true },
	{ "token create", "NAME", 1, 1, "make a token, for callers over HTTP", token_details, NULL,
	  command_token_create, .method = "CreateToken", .fields = "scope everywhere expires_in_seconds",
	  .own_operands = true,
	  .print = print_created_token },
	{ "token revoke", "ID|NAME", 1, 1, "end a token, and what goes on by it", NULL, NULL, command_call,
	  .method = "RevokeToken" },
	{ "power", "[EXPERIMENT [OTHER]]", 0, 2, "say how many cases it takes to see a difference", power_details,
	  power_options, command_power, .method = NULL, .own_operands = true, .all_formats = true },
	{ "cost", "", 0, 0, "list what was spent: by whom, on which model", cost_details, cost_options,
	  command_cost, .method = "ListCosts", .fields = "since until", .columns = cost_columns },
	{ "monitor", "", 0, 0, "print every change of any task", monitor_details, NULL,
	  command_monitor, .method = "Monitor", .follows = true },
	{ "api", "[METHOD] [JSON]", 0, 2, "call any method of the daemon", api_details, api_options,
	  command_api, .method = NULL },
	{ "status", "", 0, 0, "show how the daemon is", NULL, NULL, command_call,
	  .method = "GetStatus", .print = print_status },
	{ "backup", "[FILE]", 0, 1, "copy the database, while all goes on, into FILE or the state folder",
	  backup_details, backup_options, command_backup, .method = "Backup" },
	{ "check", "[FILE]", 0, 1, "read the whole database, or a backup, and say what is wrong with it", NULL, NULL,
	  command_check, .method = "CheckStorage" },
	{ "restore", "FILE", 1, 1, "put a backup in the place of the database", restore_details, NULL,
	  command_restore, .method = NULL },
	{ "web", "", 0, 0, "open the status page in a browser", web_details, web_options, command_web,
	  .method = NULL },
	{ "stop", "", 0, 0, "stop the daemon; what runs goes on with the next", NULL, NULL, command_stop,
	  .method = NULL },
	{ "restart", "", 0, 0, "stop your daemon and start it again", NULL, NULL, command_restart,
	  .method = NULL },
	{ "drain", "", 0, 0, "start no further task, and wait until none runs", drain_details,
	  NULL, command_call, .method = "Drain", .print = print_drained },
	{ "reload", "", 0, 0, "have the daemon read its configuration again", reload_details, NULL, command_call,
	  .method = "Reload" },
	{ "completion", "bash|zsh|fish", 1, 1, "print a script that completes commands, names and ids",
	  "  source <(elluminate completion bash)       # in ~/.bashrc, where it is not installed\n"
	  "  source <(elluminate completion zsh)        # in ~/.zshrc, after compinit\n"
	  "  elluminate completion fish | source        # in ~/.config/fish/config.fish\n"
	  "\n"
	  "Names and ids come from the daemon, if it runs.", NULL, command_completion, .method = NULL },
	{ "version", "", 0, 0, "print the version", NULL, NULL, command_version,
	  .method = NULL },
	{ "help", "[COMMAND]", 0, 2, "explain a command", NULL, NULL, command_help,
	  .method = NULL },
};
const size_t n_fixed = LENGTH(fixed);
