/* What the command does with tasks: lists, shows, holds, tunes, cancels, retries and drains them. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/harness/command.h"
#include "tests/harness/suite.h"

static struct daemon *server;
static struct sim *sim;
static struct wire *wire;

/* An experiment whose calls hang until the endpoint is told otherwise; its task. */
static const char *begin(unsigned rows)
{
	int64_t id;

	server = daemon_start(NULL);
	sim = sim_start((const char *[]) { "--latency_seconds=3600", NULL });
	wire = daemon_connect(server);
	id = experiment_submit(wire, &(struct experiment) {
		.name = "Control", .rows = rows, .url = sim_url(sim), .max_connections = 4,
		.config = "'price_input':'1','price_output':'1'" });
	sim_await(sim, "in_flight", 4);
	return text("%lld", (long long)id);
}

static json_object *shown(const char *id)
{
	return json_must_parse(COMMAND(server, 0, "task", "show", id, "--json")->out);
}

static size_t listed(const char *option, const char *value)
{
	struct command *list = COMMAND(server, 0, "task", "list", "--json", option, value);

	return at_count(json_must_parse(list->out), "items");
}

START_TEST(lists)
{
	const char *id = begin(4);
	struct command *list;

	ck_assert_uint_eq(listed("--status", "STARTED"), 1);
	ck_assert_uint_eq(listed("--status", "SUCCESS"), 0);
	ck_assert_uint_eq(listed("--kind", "experiment"), 1);
	ck_assert_uint_eq(listed("--kind", "rating"), 0);
	ck_assert_uint_eq(listed("--since", "1h"), 1);
	ck_assert_uint_eq(listed("--since", "2100-01-01T00:00:00Z"), 0);
	list = COMMAND(server, 0, "task", "list");
	ASSERT_SAYS(list->out, "STARTED");
	ASSERT_SAYS(list->out, "Control");
	COMMAND(server, 23, "task", "list", "--status", "sleeping");
	COMMAND(server, 0, "task", "cancel", id);
}
END_TEST

START_TEST(holds_and_settings)
{
	const char *id = begin(8);
	struct command *said;
	json_object *task;

	said = COMMAND(server, 0, "task", "pause", id);
	ASSERT_SAYS(said->out, "on hold: user");
	said = COMMAND(server, 0, "task", "show", id);
	ASSERT_SAYS(said->out, "On hold      user");
	said = COMMAND(server, 0, "status");
	ASSERT_SAYS(said->out, "1 on hold");
	said = COMMAND(server, 0, "task", "tune", id, "--priority", "batch", "--max-connections", "2",
		       "--cost-limit", "1.25");
	ASSERT_SAYS(said->out, "Priority batch, at most 2 connections, cost limit $1.25.");
	said = COMMAND(server, 0, "task", "show", id);
	ASSERT_SAYS(said->out, "Cost limit   $1.25");
	ASSERT_SAYS(said->out, "Connections  2");
	task = shown(id);
	ck_assert_str_eq(at_text(task, "task.priority"), "batch");
	ck_assert_str_eq(at_text(task, "task.hold"), "user");
	said = COMMAND(server, 2, "task", "tune", id);
	ASSERT_SAYS(said->err, "expected --priority");
	said = COMMAND(server, 0, "task", "resume", id, "--json");
	ck_assert(!at_has(json_must_parse(said->out), "task.hold"));
	COMMAND(server, 0, "task", "cancel", id);
	said = COMMAND(server, 28, "task", "resume", id);
	ASSERT_SAYS(said->err, "it is REVOKED");
	COMMAND(server, 27, "task", "pause", "4711");
	COMMAND(server, 27, "task", "resume", "4711");
	COMMAND(server, 2, "task", "pause", "first");
}
END_TEST

START_TEST(cancel_and_retry)
{
	const char *id = begin(8);
	struct command *said = COMMAND(server, 0, "task", "cancel", id);
	json_object *task;

	ASSERT_SAYS(said->out, "is REVOKED.");
	/* Ctrl-C in a retry cancels that one, and says how to go on. */
	said = command_start(server, (const char *[]) { "task", "retry", id, "--json", NULL });
	command_await(said, "\"status\":\"STARTED\"");
	sim_await(sim, "in_flight", 4);
	command_signal(said, SIGINT);
	ck_assert_int_eq(command_end(said), 12);
	ASSERT_SAYS(said->err, "Continue: elluminate task retry 2");

	sim_control(sim, "{'latency_seconds':0}");
	said = COMMAND(server, 0, "task", "retry", "2");
	ASSERT_SAYS(said->out, "Control  (experiment 1, 8 cases)");
	task = shown("3");
	ck_assert_int_eq(at_int(task, "task.retry_of"), 2);
	said = COMMAND(server, 0, "task", "show", "3");
	ASSERT_SAYS(said->out, "Retry of     2");
	COMMAND(server, 27, "task", "retry", "4711");
}
END_TEST

START_TEST(retry_detached)
{
	const char *id = begin(8);
	json_object *task;

	COMMAND(server, 0, "task", "cancel", id);
	task = json_must_parse(COMMAND(server, 0, "task", "retry", id, "--detach", "--json",
				       "--priority", "interactive", "--cost-limit", "3",
				       "--time-limit", "10m")->out);
	ck_assert_str_eq(at_text(task, "task.priority"), "interactive");
	ck_assert_str_eq(at_text(task, "task.cost_limit"), "3");
	ck_assert_double_eq(at_number(task, "task.time_limit_seconds"), 600);
	COMMAND(server, 0, "task", "cancel", "2");
}
END_TEST

START_TEST(prune)
{
	const char *id = begin(4);
	struct command *said;
	json_object *reply;

	sim_control(sim, "{'content_filter_rate':1,'latency_seconds':0}");
	COMMAND(server, 0, "task", "cancel", id);
	COMMAND(server, 10, "task", "retry", id); // every item fails
	said = COMMAND(server, 0, "task", "logs", "2");
	ck_assert_str_ne(said->out, "");
	reply = json_must_parse(COMMAND(server, 0, "task", "prune", "--json")->out);
	ck_assert_int_eq(at_int(reply, "lines"), 0);
	said = COMMAND(server, 0, "task", "prune", "--older-than", "0");
	ASSERT_SAYS(said->out, "lines of the logs of ");
	said = COMMAND(server, 0, "task", "logs", "2");
	ck_assert_str_eq(said->out, "");
}
END_TEST

START_TEST(drain)
{
	const char *id = begin(8);
	struct command *said = command_start(server, (const char *[]) { "drain", NULL });

	/* It waits for the calls in flight. */
	sim_control(sim, "{'latency_seconds':0}");
	COMMAND(server, 0, "task", "cancel", id);
	ck_assert_int_eq(command_end(said), 0);
	ASSERT_SAYS(said->out, "Nothing runs any more.");
	said = COMMAND(server, 0, "status");
	ASSERT_SAYS(said->out, "DRAINING");
	said = COMMAND(server, 0, "task", "retry", id, "--detach");
	ASSERT_SAYS(said->out, "PENDING");
	said = COMMAND(server, 0, "drain", "--undo");
	ASSERT_SAYS(said->out, "started again");
	task_await_status(server, 2, "SUCCESS");
	ck_assert_str_eq(COMMAND(server, 0, "drain", "--json")->out, "{}\n");
}
END_TEST

/* What follows a task says what it waits for. */
START_TEST(says_what_it_waits_for)
{
	static const char file[] =
		"{\"name\":\"W\",\"prompt_template\":{\"name\":\"W\",\"messages\":\"{{a}}\"},"
		"\"collection\":{\"name\":\"W\",\"variables\":[{\"a\":\"1\"},{\"a\":\"2\"}]}}";
	const char *path = dir_path(dir_new(), "w.json");
	struct command *run, *watch;

	server = daemon_start(NULL);
	file_write(path, file);
	COMMAND(server, 0, "drain");
	run = command_start_on_terminal(server, 120, 24, (const char *[]) { "run", path, NULL });
	command_await(run, "Task 1 waits: the daemon is drained and starts none. It will after: elluminate "
			   "drain --undo\r\n");
	COMMAND(server, 0, "task", "pause", "1");
	command_await(run, "Task 1 is paused. Let it go on: elluminate task resume 1\r\n");
	watch = command_start_on_terminal(server, 120, 24, (const char *[]) {
		"task", "watch", "1", "--socket", daemon_socket(server), NULL });
	command_await(watch, text("elluminate task resume 1 --socket %s\r\n", daemon_socket(server)));
	/* A second run of it leads to the first. */
	ASSERT_SAYS(COMMAND(server, 28, "run", path)->err, "Follow it: elluminate task watch 1\n");
	COMMAND(server, 0, "drain", "--undo");
	COMMAND(server, 0, "task", "resume", "1");
	ck_assert_int_eq(command_end(run), 0);
	ck_assert_int_eq(command_end(watch), 0);
}
END_TEST

/* What `run` says over the file. */
START_TEST(run_with_options)
{
	static const char file[] =
		"{\"name\":\"Opt\",\"prompt_template\":{\"name\":\"Opt\",\"messages\":\"{{a}}\"},"
		"\"collection\":{\"name\":\"Opt\",\"variables\":[{\"a\":\"1\"}]},"
		"\"criteria\":[\"Is it?\"]}";
	const char *path = dir_path(dir_new(), "opt.json");
	json_object *task, *experiment;
	struct command *said;

	server = daemon_start(NULL);
	wire = daemon_connect(server);
	file_write(path, file);
	wire_call(wire, "CreateLLMConfig",
		  "{'llm_config':{'name':'another','provider':'simulated'}}");
	said = COMMAND(server, 0, "run", path, "--llm", "another", "--judge", "simulated",
		       "--cost-limit", "2.5", "--priority", "interactive", "--time-limit", "2h");
	ASSERT_SAYS(said->out, "Opt  (experiment 1, 1 case)");
	task = shown("1");
	ck_assert_str_eq(at_text(task, "task.priority"), "interactive");
	ck_assert_str_eq(at_text(task, "task.cost_limit"), "2.5");
	ck_assert_double_eq(at_number(task, "task.time_limit_seconds"), 7200);
	experiment = json_must_parse(COMMAND(server, 0, "experiment", "show", "Opt", "--json")->out);
	ck_assert_str_eq(at_text(experiment, "experiment.llm_config.name"), "another");
	ck_assert_str_eq(at_text(experiment, "experiment.rating_llm_config.name"), "simulated");
	said = COMMAND(server, 27, "run", path, "--new", "--llm", "nobody");
	ASSERT_SAYS(said->err, "nobody");
	COMMAND(server, 23, "run", path, "--priority", "urgent");
}
END_TEST

/* What the interface offers of a resource, by its fields or from a file. */
START_TEST(resources)
{
	const char *folder = dir_new(), *path = dir_path(folder, "made.json");
	struct command *said;
	json_object *shown_config;

	server = daemon_start(NULL);
	setenv("KEY_OF_THE_TEST", "sesame", 1);
	setenv("EMPTY_KEY_OF_THE_TEST", "", 1);
	said = COMMAND(server, 0, "llm", "create", "--name", "made", "--provider", "openai",
		       "--llm-model-name", "m", "--llm-base-url", "http://127.0.0.1:9/v1", "--temperature", "0.5",
		       "--price-input", "2.50", "--api-key", "$KEY_OF_THE_TEST", "--timeout", "2m");
	ASSERT_SAYS(said->out, "Model             m\n");
	ASSERT_SAYS(said->out, "Key               yes\n");
	ASSERT_SAYS(said->out, "Price input       $2.5\n");
	ck_assert_ptr_null(strstr(said->out, "sesame"));
	shown_config = json_must_parse(COMMAND(server, 0, "llm", "show", "made", "--json")->out);
	ck_assert_double_eq(at_number(shown_config, "llm_config.temperature"), 0.5);
	ck_assert_double_eq(at_number(shown_config, "llm_config.timeout_seconds"), 120);
	COMMAND(server, 28, "llm", "create", "--name", "made", "--provider", "simulated");
	said = COMMAND(server, 23, "llm", "create", "--provider", "simulated");
	ASSERT_SAYS(said->err, "elluminate: --name: expected a string, 1 to 200 characters");
	said = COMMAND(server, 2, "llm", "create", "--name", "b", "--api-key", "$EMPTY_KEY_OF_THE_TEST");
	ASSERT_SAYS(said->err, "--api-key $EMPTY_KEY_OF_THE_TEST: the environment's variable EMPTY_KEY_OF_THE_TEST "
			       "is empty");

	file_write(path, "{ \"name\": \"Made\", // a comment\n  \"variables\": [ {\"a\": \"one\"}, {\"a\": 2} ] }");
	said = COMMAND(server, 0, "collection", "create", path, "--description", "of two");
	ASSERT_SAYS(said->out, "Description  of two\n");
	said = COMMAND(server, 0, "collection", "show", "Made");
	ASSERT_SAYS(said->out, "Variables    2\n");
	said = COMMAND(server, 0, "collection", "rows", "Made");
	ASSERT_SAYS(said->out, "{\"a\":\"one\"}");
	file_write(path, "{ \"name\": \"Other\",\n  \"read_only\": \"no\" }");
	said = COMMAND(server, 23, "collection", "create", path);
	ASSERT_SAYS(said->err, text("%s:2:3: read_only: expected true or false", path));
	said = COMMAND(server, 0, "project", "show");
	ASSERT_SAYS(said->out, "LLM config     simulated\n");
}
END_TEST

/* Prompts from options, from a file, changed and filled in. */
START_TEST(templates)
{
	const char *path = dir_path(dir_new(), "prompt.json");
	struct command *said;

	server = daemon_start(NULL);
	said = COMMAND(server, 0, "template", "create", "Haiku", "--message", "About {{topic}}.",
		       "--system-message", "Be short.");
	ASSERT_SAYS(said->out, "Version      1\n");
	ASSERT_SAYS(said->out, "\n\nsystem: Be short.\n\nuser: About {{topic}}.\n");
	said = COMMAND(server, 28, "template", "create", "Haiku", "--message", "About {{topic}}.",
		       "--system-message", "Be short.");
	ASSERT_SAYS(said->err, "a prompt template of that name exists, and this is its content");
	file_write(path, "{ \"name\": \"Haiku\", // a text alone\n  \"messages\": \"On {{topic}}: {{n}}\" }");
	said = COMMAND(server, 0, "template", "get", path);
	ASSERT_SAYS(said->out, "user: On {{topic}}: {{n}}\n");
	file_write(path, "{ \"name\": \"Haiku\",\n  \"messages\": 7 }");
	said = COMMAND(server, 23, "template", "create", path);
	ASSERT_SAYS(said->err, text("%s:2:3: messages: expected an array", path));
	said = COMMAND(server, 0, "template", "new-version", "Haiku", "--message", "Only {{n}}.", "--revision",
		       "1");
	ASSERT_SAYS(said->out, "Version      3\n");
	said = COMMAND(server, 0, "template", "render", "Haiku", "--variables",
		       "{\"topic\":\"tea\",\"n\":2}", "--revision", "2");
	ck_assert_str_eq(said->out, "user: On tea: 2\n");
	said = COMMAND(server, 23, "template", "render", "Haiku");
	ASSERT_SAYS(said->err, "n: expected a value for this placeholder");
	said = COMMAND(server, 0, "template", "list", "--name", "Haiku", "--quiet");
	ck_assert_str_eq(said->out, "3\n2\n1\n");
	/* What a model makes up for it. */
	said = COMMAND(server, 0, "template", "generate-criteria", "Haiku", "-n", "2");
	ASSERT_SAYS(said->out, "?\n");
	ck_assert_str_eq(said->out, COMMAND(server, 0, "template", "criteria", "Haiku")->out);
	ck_assert_str_eq(said->out, COMMAND(server, 0, "template", "get-criteria", "Haiku")->out);
	ck_assert_str_eq(said->out, COMMAND(server, 0, "template", "get-criteria", "Haiku", "--detach")->out);
	said = COMMAND(server, 0, "template", "get-criteria", "Haiku", "--json");
	ASSERT_SAYS(said->out, "\"generated\":false");
	COMMAND(server, 0, "criteria", "clear", "Haiku");
	said = COMMAND(server, 0, "template", "get-criteria", "Haiku", "-n", "3");
	ASSERT_SAYS(said->err, "Simulated: this was made up");
	ck_assert_str_eq(said->out, COMMAND(server, 0, "template", "criteria", "Haiku")->out);
	COMMAND(server, 0, "collection", "create", "--name", "Made");
	said = COMMAND(server, 0, "collection", "generate", "Made", "--template", "Haiku", "-n", "3");
	ck_assert_str_eq(said->out, "3 rows were added.\n");
	ASSERT_SAYS(said->err, "Simulated: this was made up");
	said = COMMAND(server, 0, "collection", "generate", "Made", "--template", "Haiku", "-n", "2", "--json");
	ASSERT_SAYS(said->out, "\"added\":2");
	COMMAND(server, 0, "template", "delete", "Haiku", "--revision", "3");
	said = COMMAND(server, 0, "template", "list");
	ASSERT_SAYS(said->out, "Haiku");
	COMMAND(server, 0, "template", "delete", "Haiku");
	COMMAND(server, 27, "template", "show", "Haiku");
}
END_TEST

/* What an option says wrongly is told of the option, not of the file. */
START_TEST(options_are_blamed)
{
	const char *path = dir_path(dir_new(), "e.json");
	struct command *said;

	server = daemon_start(NULL);
	file_write(path, "{\"name\":\"E\",\"prompt_template\":{\"name\":\"T\",\"messages\":\"{{a}}\"},"
			 "\"priority\":\"normal\","
			 "\"collection\":{\"name\":\"C\",\"variables\":[{\"a\":\"1\"}]}}");
	said = COMMAND(server, 23, "run", path, "--priority", "urgent");
	ck_assert_str_eq(said->err, "elluminate: --priority urgent: expected one of interactive, normal, batch\n");
	said = COMMAND(server, 23, "run", path, "--max-connections", "1000");
	ASSERT_SAYS(said->err, "elluminate: --max-connections 1000: expected 1 to 256");
	said = COMMAND(server, 23, "task", "list", "--status", "sleeping");
	ASSERT_SAYS(said->err, "elluminate: --status sleeping: expected one of PENDING");
	said = COMMAND(server, 23, "rate", "E", "--where", "1=MAYBE");
	ASSERT_SAYS(said->err, "elluminate: --where 1=MAYBE: expected one of YES, NO");
	/* A part of what an option sets, and one of several. */
	COMMAND(server, 0, "skill", "create", "--name", "S", "--prompt", "About {{topic}}.");
	said = COMMAND(server, 23, "skill", "run", "S");
	ASSERT_SAYS(said->err, "elluminate: --variables: topic: expected a value");
	said = COMMAND(server, 23, "skill", "run", "S", "--variables", "{}");
	ASSERT_SAYS(said->err, "elluminate: --variables {}: topic: expected a value");
	said = COMMAND(server, 23, "evaluator", "batch", "Politeness");
	ck_assert_str_eq(said->err, "elluminate: expected exactly one of --inputs, --collection\n");
	COMMAND(server, 2, "token", "create", "mine", "--name", "yours");
	said = COMMAND(server, 2, "export", "--all", "-o", dir_path(dir_new(), "all.tar"));
	ASSERT_SAYS(said->err, "expected a name that ends in .jsonl");
}
END_TEST

/* Words that are nearly those of commands. */
START_TEST(suggestions)
{
	static const struct {
		const char *words[3], *said;
	} cases[] = {
		{ { "exper", "list" }, "unknown command exper; did you mean experiment?" },
		{ { "taks", "list" }, "unknown command taks; did you mean task?" },
		{ { "collection", "lst" }, "unknown command collection lst; did you mean collection list?" },
		{ { "collection", "foo" }, "unknown command collection foo\n" },
		/* What others call it. */
		{ { "collection", "rm" }, "unknown command collection rm; did you mean collection delete?" },
		{ { "eval", "-c" }, "unknown command eval; did you mean run?" },
		{ { "view" }, "unknown command view; did you mean web?" },
		{ { "logs", "3" }, "logs what? task logs\n" },
		{ { "experiment", "get", "First" }, "shown by: elluminate experiment show First\n" },
	};

	server = daemon_start(NULL);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		ASSERT_SAYS(COMMAND(server, 2, cases[i].words[0], cases[i].words[1], cases[i].words[2])->err,
			    cases[i].said);
	ASSERT_SAYS(COMMAND(server, 0, "template", "--help")->out, "Usage: elluminate template COMMAND ");
	ASSERT_SAYS(COMMAND(server, 0, "skill", "create", "--help")->out, "FILE is JSON with comments");
	COMMAND(server, 0, "collection", "create", "--name", "Taken");
	ASSERT_SAYS(COMMAND(server, 28, "collection", "create", "--name", "Taken")->err,
		    "collection 'Taken' (id 1): a collection of that name exists");
}
END_TEST

/* What came with the daemon is seen as the user's own is, and stays as it is. */
START_TEST(built_in)
{
	const char *folder = dir_new(), *rows = dir_path(folder, "rows.csv"), *made = dir_path(folder, "skill.json");
	struct command *said;

	server = daemon_start(NULL);
	said = COMMAND(server, 34, "evaluator", "delete", "Politeness");
	ck_assert_str_eq(said->err, "elluminate: The evaluator 'Politeness' is built in: it can be neither changed "
				    "nor deleted.\n");
	COMMAND(server, 34, "evaluator", "update", "Politeness", "--intent", "x");
	COMMAND(server, 27, "evaluator", "delete", "Politness");
	said = COMMAND(server, 0, "evaluator", "list", "-q", "-n", "2");
	ck_assert_str_eq(said->out, "Politeness\nClarity\n");
	ASSERT_SAYS(COMMAND(server, 0, "evaluator", "list")->out, "builtin  Politeness");
	COMMAND(server, 0, "judge", "create", "--name", "Both", "--evaluators", "Politeness,Clarity");
	file_write(rows, "answer\nNo.\n");
	COMMAND(server, 0, "collection", "import", "Wrong", rows);
	said = COMMAND(server, 13, "judge", "batch", "Both", "--collection", "Wrong");
	ASSERT_SAYS(said->err, "REJECTED: --collection Wrong: expected one with a column 'response', since the "
			       "evaluator 'Politeness' has it for an input; 'Wrong' has none");
	file_write(rows, "response\nNo.\nYes.\n");
	COMMAND(server, 0, "collection", "import", "Right", rows);
	said = COMMAND(server, 0, "judge", "batch", "Both", "--collection", "Right");
	ASSERT_SAYS(said->err, "Simulated: these scores come from the built-in simulated model");
	said = COMMAND(server, 0, "task", "items", "2", "-q");
	ck_assert_str_eq(said->out, "2\n3\n");
	file_write(made, "{\"name\":\"S\",\"prompt\":\"Go.\",\"validators\":[{\"evaluator\":"
			 "{\"name\":\"Politeness\"},\"threshold\":0}]}");
	COMMAND(server, 0, "skill", "create", made);
	said = COMMAND(server, 0, "skill", "validate", "S", "An answer.");
	ASSERT_SAYS(said->err, "Simulated: these scores come from the built-in simulated model");
	ASSERT_SAYS(COMMAND(server, 0, "status")->out, "Prices     list prices of 20");
}
END_TEST

START_TEST(calls_by_name)
{
	struct command *said;

	server = daemon_start(NULL);
	said = COMMAND(server, 0, "api", "ListTasks", "{\"limit\":1}");
	ck_assert_str_eq(said->out, "{\"items\":[]}\n");
	said = COMMAND(server, 26, "api", "GetTask", "{\n id: 1}");
	ASSERT_SAYS(said->err, "JSON:2:2: key in double quotes expected");
	said = COMMAND(server, 23, "api", "GetTask", "{\"idd\":1}");
	ASSERT_SAYS(said->err, "idd: expected no field of this name; did you mean id?");
	said = COMMAND(server, 26, "api", "GetTask", "[1]");
	ASSERT_SAYS(said->err, "JSON:1:1: an object expected");
	COMMAND(server, 23, "api", "GetTask");
	COMMAND(server, 21, "api", "GetTasks", "{}");
}
END_TEST

/* Names and answers are anybody's: JSON, too, says them so that the terminal does nothing. */
START_TEST(json_commands_no_terminal)
{
	static const char *const lines[][4] = {
		{ "collection", "rows", "C", "--json" },
		{ "api", "ListTemplateVariables", "{\"collection\":{\"name\":\"C\"}}", NULL },
		{ "api", "ListTemplateVariables", "{\"collection\":{\"name\":\"C\"}}", "--more" },
	};

	server = daemon_start(NULL);
	wire = daemon_connect(server);
	wire_call(wire, "CreateCollection", "{'collection':{'name':'C'}}");
	wire_call(wire, "AddTemplateVariables",
		  "{'collection':{'name':'C'},'variables':[{'a':'\\u009b31m\\u007fä'}]}");
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		struct command *said = command_start_on_terminal(
			server, 80, 24, (const char *[]) { lines[i][0], lines[i][1], lines[i][2], lines[i][3], NULL });

		ck_assert_int_eq(command_end(said), 0);
		ASSERT_SAYS(said->out, "\\u009b31m\\u007fä");
	}
	for (int plain = 0; plain < 2; plain++) {
		struct command *said = command_start_on_terminal(
			server, 80, 24, (const char *[]) { "llm", "list", plain ? "--no-color" : NULL, NULL });

		ck_assert_int_eq(command_end(said), 0);
		ck_assert_int_eq(strstr(said->out, "\033[") == NULL, plain);
	}
}
END_TEST

static const char *repeated(const char *item, size_t n)
{
	const char *list = item;

	for (size_t i = 1; i < n; i++)
		list = text("%s,%s", list, item);
	return list;
}

/* What is listed, in every format, for people and for programs. */
START_TEST(formats)
{
	static const struct {
		const char *line, *says;
	} rows[] = {
		{ "$0 collection list --format csv", "id,rows,created,name\n" },
		{ "$0 collection list --format csv --no-header | grep -c created || true", "0\n" },
		{ "$0 collection rows C --format csv", "id,variables\n1,\"{\"\"a\"\":\"\"x|y\"\"}\"\n2,\"{" },
		{ "$0 collection rows C --format md", "| ID | VARIABLES |\n| ---: | --- |\n| 1 | {\"a\":\"x\\|y\"} |\n" },
		{ "$0 collection rows C --format jsonl | wc -l", "1501\n" },
		{ "$0 collection rows C --format json | head -n 1", "{\"items\":[\n" },
		{ "$0 collection rows C --format table | grep -c VARIABLES", "1\n" },
		{ "$0 collection rows C --format csv | grep -c id,variables", "1\n" },
		{ "$0 collection rows C -q -n3", "1\n2\n3\n" },
		{ "$0 collection show C D --format csv | cut -d, -f1,2", "id,name\n1,C\n2,D\n" },
		{ "$0 collection show C --format md", "| FIELD | VALUE |\n| --- | --- |\n| ID | 1 |\n| Name | C |\n" },
		{ "$0 collection show C D --json | wc -l", "2\n" },
		{ "$0 collection create --name made -q", "3\n" },
		{ "$0 collection list -q -o list && cat list", "3\n2\n1\n" },
		{ "$0 task list --color always", "\033[1mID\033[0m  \033[1mSTATUS" },
		{ "$0 task list --color=never | head -c 3", "ID " },
		{ "$0 task show 4711 --color always 2>&1 || true",
		  "\033[31melluminate: \033[0mno task with the id 4711\n" },
		{ "$0 collection show C -v 2>&1 | grep -c '^> GetCollection$'", "1\n" },
		/* Who has seen enough of it is no error. */
		{ "trap '' PIPE; mkfifo gate; { cat gate; $0 collection rows C 2>&1; echo $? >status; } | "
		  "{ exec <&-; echo >gate; }; cat status", "0\n" },
		{ "$0 collection delete made nobody D; echo $?", "27\n" },
		{ "$0 collection list -q", "1\n" },
		{ "$0 task cancel 1 2; echo $?", "27\n" },
	};
	const struct command *said;

	server = daemon_start(NULL);
	wire = daemon_connect(server);
	ck_assert_int_eq(chdir(dir_new()), 0);
	wire_call(wire, "CreateCollection", "{'collection':{'name':'C','variables':[{'a':'x|y'}]}}");
	wire_call(wire, "CreateCollection", "{'collection':{'name':'D'}}");
	for (int i = 0; i < 3; i++)
		wire_call(wire, "AddTemplateVariables", "{'collection':{'name':'C'},'variables':[%s]}",
			  repeated("{\"a\":\"z\"}", 500));
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		said = command_run_line(server, 0, rows[i].line);
		ck_assert_msg(strncmp(said->out, rows[i].says, strlen(rows[i].says)) == 0, "%s says %s%s",
			      rows[i].line, said->out, said->err);
	}
}
END_TEST

/* What is looked at goes through the pager, on a terminal; what is made does not. */
START_TEST(pages)
{
	const struct {
		const char *const *line;
		bool paged;
	} rows[] = {
		{ (const char *const[]) { "collection", "list", NULL }, true },
		{ (const char *const[]) { "collection", "show", "C", NULL }, true },
		{ (const char *const[]) { "collection", "list", "--no-pager", NULL }, false },
		{ (const char *const[]) { "collection", "list", "--json", NULL }, false },
		{ (const char *const[]) { "collection", "list", "-o", "file", NULL }, false },
		{ (const char *const[]) { "collection", "create", "--name", "D", NULL }, false },
	};

	server = daemon_start(NULL);
	ck_assert_int_eq(chdir(dir_new()), 0);
	COMMAND(server, 0, "collection", "create", "--name", "C");
	setenv("PAGER", "echo paged; cat", 1);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct command *said = command_start_on_terminal(server, 80, 24, rows[i].line);

		ck_assert_int_eq(command_end(said), 0);
		ck_assert_int_eq(strncmp(said->out, "paged", 5) == 0, rows[i].paged);
	}
	/* Leaving it early is nobody's error; where there is none, nothing is missed. */
	setenv("PAGER", "exit 0", 1);
	ck_assert_int_eq(command_end(command_start_on_terminal(server, 80, 24, rows[0].line)), 0);
	unsetenv("PAGER");
	ASSERT_SAYS(COMMAND(server, 0, "collection", "list")->out, " C\n");
}
END_TEST

/* A log as it comes, and a list again whenever a task changes. */
START_TEST(follows)
{
	const char *id = begin(4);
	struct command *logs = command_start(server, (const char *[]) { "task", "logs", "-f", id, NULL }),
		       *watch = command_start(server, (const char *[]) { "task", "list", "-w", NULL });

	command_await(watch, "STARTED");
	sim_control(sim, "{'content_filter_rate':1,'latency_seconds':0}");
	COMMAND(server, 0, "task", "cancel", id);
	command_await(watch, "REVOKED");
	command_signal(watch, SIGINT);
	ck_assert_int_eq(command_end(watch), 0);
	ck_assert_int_eq(command_end(logs), 0);
	COMMAND(server, 10, "task", "retry", id);
	logs = COMMAND(server, 0, "task", "logs", "2");
	ck_assert_str_ne(logs->out, "");
	ck_assert_str_eq(COMMAND(server, 0, "task", "logs", "-f", "2")->out, logs->out);
	COMMAND(server, 27, "task", "logs", "-f", "4711");
}
END_TEST

/* The page that opens in a browser is there whole, or not at all. */
START_TEST(web_page)
{
	server = daemon_start(NULL);
	ck_assert_int_eq(chdir(dir_new()), 0);
	setenv("XDG_RUNTIME_DIR", ".", 1);
	setenv("HOME", ".", 1);
	ASSERT_SAYS(command_run_line(server, 0, "BROWSER=cat $0 web --url http://h/")->out, "0;url=http://h/#token=");
	command_run_line(server, 0, "(trap '' XFSZ; ulimit -f 0; $0 web --url http://h/ 2>&1; echo $?) | cat >said");
	ASSERT_SAYS(command_run_line(server, 0, "cat said")->out, "File too large");
	command_run_line(server, 0, "! test -e elluminate-web.html");
}
END_TEST

int main(void)
{
	return RUN_SUITE(lists, holds_and_settings, cancel_and_retry, retry_detached, prune, drain, says_what_it_waits_for, run_with_options,
			 resources, templates, options_are_blamed, suggestions, built_in, calls_by_name, json_commands_no_terminal,
			 formats, pages, follows, web_page);
}
