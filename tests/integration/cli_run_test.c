/* What `elluminate run` does with a file and its rows. */
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/harness/command.h"
#include "tests/harness/suite.h"

#define ASSERT_SAYS(output, wanted) \
	ck_assert_msg(strstr(output, wanted), "no %s in: %s", wanted, output)

static struct daemon *server;
static struct wire *wire;
static const char *folder;

static void begin(void)
{
	server = daemon_start(NULL);
	wire = daemon_connect(server);
	folder = dir_new();
}

/* An experiment file; `more` as in quoted(). Its path. */
static const char *make_file(const char *name, const char *more)
{
	const char *path = dir_path(folder, name);

	file_write(path, quoted("{'name':'E','prompt_template':{'name':'T','messages':'About {{topic}}.'}%s}",
				more));
	return path;
}

/* A file of rows "topic": "NAME 0", "NAME 1", ... */
static void make_rows(const char *name, unsigned n)
{
	FILE *out = fopen(dir_path(folder, text("%s.csv", name)), "we");

	fputs("topic\n", out);
	for (unsigned i = 0; i < n; i++)
		fprintf(out, "%s %u\n", name, i);
	fclose(out);
}

/* The rows of the collection C are all those of that file. */
static bool holds_rows_of(const char *name, unsigned n)
{
	json_object *page = wire_call(wire, "ListTemplateVariables",
				      "{'collection':{'name':'C'},'limit':1,'count':true}");

	return at_int(page, "count") == n &&
	       strcmp(at_text(page, "items.0.input_values.topic"), text("%s 0", name)) == 0;
}

/* ---- Rows ---- */

START_TEST(interrupted_upload_leaves_the_old_rows)
{
	const char *file;
	struct command *run;

	begin();
	make_rows("old", 3);
	COMMAND(server, 0, "run", make_file("old.json", ",\"collection\":{\"name\":\"C\",\"file\":\"old.csv\"}"));
	make_rows("new", 60000);
	file = make_file("new.json", ",\"collection\":{\"name\":\"C\",\"file\":\"new.csv\"}");
	run = command_start_on_terminal(server, 80, 24, (const char *[]) { "run", file, "--detach", NULL });
	command_await(run, "rows uploaded");
	command_signal(run, SIGINT);
	command_end(run);
	ck_assert(holds_rows_of("old", 3) || holds_rows_of("new", 60000));
	COMMAND(server, 0, "run", file, "--detach", "--limit", "1");
	ck_assert(holds_rows_of("new", 60000));
}
END_TEST

/* One whose first rows are refused ends there, with more of them to come. */
START_TEST(refused_upload_leaves_the_old_rows)
{
	struct command *run;
	FILE *out;

	begin();
	make_rows("old", 3);
	COMMAND(server, 0, "run", make_file("old.json", ",\"collection\":{\"name\":\"C\",\"file\":\"old.csv\"}"));
	out = fopen(dir_path(folder, "new.jsonl"), "we");
	for (int i = 0; i < 2500; i++)
		fprintf(out, "{\"topic\":%d%s}\n", i, i == 3 ? ",\"\":1" : "");
	fclose(out);
	run = COMMAND(server, 23, "run", make_file("new.json", ",\"collection\":{\"name\":\"C\",\"file\":\"new.jsonl\"}"));
	ASSERT_SAYS(run->err, "new.jsonl:4: expected keys of 1 to 200 characters");
	ck_assert(holds_rows_of("old", 3));
}
END_TEST

START_TEST(two_uploads_at_once)
{
	const char *one, *other;
	struct command *a, *b;

	begin();
	make_rows("one", 4001);
	make_rows("other", 5003);
	one = make_file("one.json", ",\"collection\":{\"name\":\"C\",\"file\":\"one.csv\"}");
	other = make_file("other.json", ",\"collection\":{\"name\":\"C\",\"file\":\"other.csv\"}");
	for (int i = 0; i < 3; i++) {
		a = command_start(server, (const char *[]) { "run", one, "--new", "--limit", "1", NULL });
		b = command_start(server, (const char *[]) { "run", other, "--new", "--limit", "1", NULL });
		ck_assert_int_eq(command_end(a), 0);
		ck_assert_int_eq(command_end(b), 0);
		ck_assert(holds_rows_of("one", 4001) || holds_rows_of("other", 5003));
	}
}
END_TEST

/* Both run on their own rows, whoever came between upload and submission. */
START_TEST(each_run_has_its_own_rows)
{
	const char *one, *other;
	struct command *a, *b;

	begin();
	make_rows("one", 700);
	make_rows("other", 1300);
	one = make_file("one.json", ",\"collection\":{\"name\":\"C\",\"file\":\"one.csv\"}");
	other = make_file("other.json", ",\"collection\":{\"name\":\"C\",\"file\":\"other.csv\"}");
	for (int i = 0; i < 3; i++) {
		a = command_start(server, (const char *[]) { "run", one, "--new", "--json", NULL });
		b = command_start(server, (const char *[]) { "run", other, "--new", "--json", NULL });
		ck_assert_int_eq(command_end(a), 0);
		ck_assert_int_eq(command_end(b), 0);
		ASSERT_SAYS(a->out, "\"total_cases\":700,");
		ASSERT_SAYS(b->out, "\"total_cases\":1300,");
	}
}
END_TEST

/* The version that a run names is the one that it gets, or none. */
START_TEST(another_version_of_the_rows)
{
	json_object *made, *added;

	begin();
	made = wire_call(wire, "CreateCollection", "{'collection':{'name':'V','variables':[{'topic':'a'}]}}");
	added = wire_call(wire, "AddTemplateVariables", "{'collection':{'name':'V'},'variables':[{'topic':'b'}]}");
	ck_assert_int_gt(at_int(added, "version"), at_int(made, "collection.version"));
	wire_refused(wire, "Conflict", "RunExperiment", "{'name':'V','detach':true,'prompt_template':{'content':"
		     "{'name':'V','messages':[{'role':'user','content':'{{topic}}'}]}},"
		     "'collection':{'ref':{'name':'V','version':%lld}}}",
		     (long long)at_int(made, "collection.version"));
	wire_call(wire, "ClearCollection", "{'collection':{'name':'V'}}");
	ck_assert_int_gt(at_int(wire_call(wire, "GetCollection", "{'collection':{'name':'V'}}"),
				"collection.version"), at_int(added, "version"));
	wire_call(wire, "AddTemplateVariables", "{'collection':{'name':'V'},'variables':[{'topic':'c'}]}");
	wire_call(wire, "RunExperiment", "{'name':'V','detach':true,'prompt_template':{'content':"
		  "{'name':'V','messages':[{'role':'user','content':'{{topic}}'}]}},"
		  "'collection':{'ref':{'name':'V','version':%lld}}}",
		  (long long)at_int(wire_call(wire, "GetCollection", "{'collection':{'name':'V'}}"),
				    "collection.version"));
}
END_TEST

/* ---- Dry runs ---- */

static void refused_dry(int status, const char *file, const char *wanted)
{
	struct command *run = COMMAND(server, status, "run", file, "--dry-run");

	ASSERT_SAYS(run->err, wanted);
}

static bool has_key(const char *path, void *found)
{
	size_t size;
	char *content = file_read(path, &size);

	*(bool *)found |= content && memmem(content, size, "of-nobody", 9);
	free(content);
	return true;
}

START_TEST(dry_run_asks_the_daemon)
{
	const char *file, *config = ",\"llm_config\":{\"name\":\"L\",\"provider\":\"simulated\","
				    "\"api_key\":\"of-nobody\"}";
	bool kept_key = false;
	struct command *run;

	begin();
	make_rows("some", 2500);
	file = make_file("e.json", text("%s%s,\"criteria\":[\"Is it {{topic}}?\"],\"n_epochs\":2",
					",\"collection\":{\"name\":\"C\",\"file\":\"some.csv\"}", config));
	run = COMMAND(server, 0, "run", file, "--dry-run");
	ASSERT_SAYS(run->out, "user: About some 2.\n---\nNew: E\n");
	ASSERT_SAYS(run->out, "2,500 cases: 10,000 calls (5,000 to answer, 5,000 to judge).");
	ASSERT_SAYS(run->out, " to answer.\n2,500 cases");
	run = COMMAND(server, 0, "run", file, "--dry-run", "--limit", "7", "--epochs", "1");
	ASSERT_SAYS(run->out, "7 cases: 14 calls");
	/* It left nothing. */
	ck_assert_uint_eq(json_object_array_length(list_all(wire, "ListExperiments", "'count':true")), 0);
	ck_assert_uint_eq(json_object_array_length(list_all(wire, "ListTasks", "'kind':'experiment'")), 0);
	ck_assert_uint_eq(json_object_array_length(list_all(wire, "ListLLMConfigs", "'count':true")), 1);
	wire_refused(wire, "NotFound", "GetCollection", "{'collection':{'name':'C'}}");
	wire_refused(wire, "NotFound", "GetPromptTemplate", "{'prompt_template':{'name':'T'}}");
	dir_each_file(daemon_state_dir(server), has_key, &kept_key);
	ck_assert(!kept_key);
	/* What a run would meet. */
	refused_dry(27, make_file("e.json", ",\"collection\":\"nothing\""), "no collection named 'nothing'");
	refused_dry(23, make_file("e.json", text("%s,\"criteria\":[\"Is it {{nope}}?\"]",
						 ",\"collection\":{\"name\":\"C\",\"file\":\"some.csv\"}")),
		    "criteria[0]: expected");
	refused_dry(23, make_file("e.json", ",\"collection\":{\"name\":\"C\",\"variables\":[{\"topic\":1},"
					    "{\"topic\":null}]}"),
		    "case 2: topic");
	refused_dry(23, make_file("e.json", text("%s,\"llm_config\":{\"name\":\"L\",\"provider\":\"openai\","
						 "\"llm_model_name\":\"m\",\"llm_base_url\":\"ftp://x\"}",
						 ",\"collection\":{\"name\":\"C\",\"file\":\"some.csv\"}")),
		    text("%s:1:", dir_path(folder, "e.json")));
	/* A column's default fills what a row lacks. */
	COMMAND(server, 0, "run", make_file("e.json", ",\"collection\":{\"name\":\"C\",\"columns\":[{\"name\":"
						      "\"topic\",\"default_value\":\"rain\"}],\"variables\":[{}]}"),
		"--dry-run");
}
END_TEST

/* By the length of what is asked, and what the config costs: of all the cases, also of those that the daemon
 * does not see. */
START_TEST(dry_run_estimates)
{
	const char *rows = ",\"collection\":{\"name\":\"C\",\"file\":\"some.csv\"}";
	const char *config = ",\"llm_config\":{\"name\":\"L\",\"provider\":\"openai\",\"llm_model_name\":\"m\","
			     "\"llm_base_url\":\"http://127.0.0.1:1/v1\",\"max_tokens\":100,"
			     "\"price_input\":\"1\",\"price_output\":\"10\"}";
	json_object *plan, *more;
	const char *file;

	begin();
	make_rows("some", 9);
	/* `About some 0.`, 13 bytes for each. */
	plan = json_must_parse(COMMAND(server, 0, "run", make_file("e.json", text("%s%s", rows, config)), "--dry-run",
				       "--json")->out);
	ck_assert_int_eq(at_int(plan, "input_tokens"), 29);
	ck_assert_int_eq(at_int(plan, "output_tokens"), 900);
	ck_assert_str_eq(at_text(plan, "cost"), "0.00902925");
	/* A batch is for half the price. */
	more = json_must_parse(COMMAND(server, 0, "run", make_file("e.json", text("%s%s,\"batch\":true", rows, config)),
				       "--dry-run", "--json")->out);
	ck_assert_double_eq_tol(atof(at_text(more, "cost")), atof(at_text(plan, "cost")) / 2, 1e-8);
	file = make_file("e.json", text("%s%s,\"criteria\":[\"Is it?\"],\"rating_mode\":\"detailed\"", rows, config));
	more = json_must_parse(COMMAND(server, 0, "run", file, "--dry-run", "--json")->out);
	ck_assert_int_gt(at_int(more, "input_tokens"), 9 * 300);
	ck_assert_int_gt(at_int(more, "output_tokens"), 900);
	ck_assert_double_gt(atof(at_text(more, "cost")), atof(at_text(plan, "cost")));
	ASSERT_SAYS(COMMAND(server, 0, "run", file, "--dry-run")->out, text(", $%s.\n9 cases", at_text(more, "cost")));
	make_rows("some", 9000);
	plan = json_must_parse(COMMAND(server, 0, "run", make_file("e.json", text("%s%s", rows, config)), "--dry-run",
				       "--json")->out);
	ck_assert_int_eq(at_int(plan, "output_tokens"), 900000);
	/* What has no price has no cost. */
	plan = json_must_parse(COMMAND(server, 0, "run", make_file("e.json", rows), "--dry-run", "--json")->out);
	ck_assert_int_eq(at_int(plan, "output_tokens"), 9000 * 512);
	ck_assert(!at_has(plan, "cost"));
	/* Nothing of it was asked for. */
	ck_assert_uint_eq(json_object_array_length(list_all(wire, "ListTasks", "'kind':'experiment'")), 0);
}
END_TEST

START_TEST(dry_run_of_what_is_there)
{
	json_object *plan;
	const char *file;

	begin();
	make_rows("some", 5);
	file = make_file("e.json", ",\"collection\":{\"name\":\"C\",\"file\":\"some.csv\"}");
	COMMAND(server, 0, "run", file);
	plan = json_must_parse(COMMAND(server, 0, "run", file, "--dry-run", "--json")->out);
	ck_assert(at_is(plan, "name", "E"));
	ck_assert_int_eq(at_int(plan, "generation_calls"), 0);
	file = make_file("e.json", ",\"collection\":\"C\",\"n_epochs\":3");
	plan = json_must_parse(COMMAND(server, 0, "run", file, "--dry-run", "--json")->out);
	ck_assert(at_is(plan, "name", "E #2"));
	ck_assert_int_eq(at_int(plan, "cases"), 5);
	ASSERT_SAYS(COMMAND(server, 0, "run", file, "--dry-run")->out, "5 cases: at most 15 calls");
	ASSERT_SAYS(COMMAND(server, 0, "run", file, "--dry-run")->out, "--- case 1\nuser: About some 0.\n---\n");
	plan = wire_call(wire, "PlanExperiment", "{'run':{'experiment':{'name':'E'}}}");
	ck_assert(!json_object_get_boolean(at_json(plan, "plan.is_new")));
	/* A key that an earlier request was refused under. */
	wire_call(wire, "CreateCollection", "{'collection':{'name':'empty'}}");
	for (int i = 0; i < 2; i++) {
		const char *run = "'name':'R','idempotency_key':'k','detach':true,"
				  "'prompt_template':{'ref':{'name':'T'}},'collection':{'ref':{'name':'empty'}}";

		if (i == 0)
			wire_call(wire, "RunExperiment", "{%s}", requoted(run));
		else
			wire_refused(wire, "org.varlink.service.InvalidParameter", "PlanExperiment",
				     "{'run':{%s}}", requoted(run));
	}
	plan = wire_refused(wire, "org.varlink.service.InvalidParameter", "PlanExperiment",
			    "{'run':{'name':'E','n_epoch':3}}");
	ck_assert_str_eq(at_text(plan, "parameters.parameter"), "n_epoch");
}
END_TEST

/* ---- Its end ---- */

static const char *const some_rows = ",\"collection\":{\"name\":\"C\",\"file\":\"some.csv\"}";

/* The answers cost a dollar and more each; the limit is one. */
START_TEST(held_for_its_budget)
{
	struct sim *sim = sim_start(NULL);
	struct command *run;
	const char *file;

	begin();
	make_rows("some", 20);
	file = make_file("e.json", text("%s,\"llm_config\":{\"name\":\"priced\",\"provider\":\"openai\","
					"\"llm_model_name\":\"m\",\"llm_base_url\":\"%s\",\"max_connections\":1,"
					"\"price_input\":\"1000000\",\"price_output\":\"1000000\"}",
					some_rows, sim_url(sim)));
	run = COMMAND(server, 14, "run", file, "--cost-limit", "1");
	ASSERT_SAYS(run->err, "task 1 is on hold: its cost limit is reached");
	ASSERT_SAYS(run->err, "elluminate task tune 1 --cost-limit DOLLARS\n");
	ck_assert_str_eq(at_text(task_get(wire, 1), "hold"), "budget");
	/* On a terminal somebody may raise it. */
	COMMAND(server, 0, "task", "cancel", "1");
	run = command_start_on_terminal(server, 80, 24, (const char *[]) {
		"run", file, "--cost-limit", "1", "--new", "--socket", daemon_socket(server), NULL });
	command_await(run, text("elluminate task tune 2 --cost-limit DOLLARS --socket %s", daemon_socket(server)));
	COMMAND(server, 0, "task", "tune", "2", "--cost-limit", "1000000000");
	ck_assert_int_eq(command_end(run), 0);
	/* It is finished: what held it up then is no news. */
	run = COMMAND(server, 0, "run", file, "--cost-limit", "1");
	ck_assert_ptr_null(strstr(run->err, "on hold"));
	ck_assert_ptr_null(strstr(run->err, "tuned"));
	ASSERT_SAYS(run->out, "20 responses");
}
END_TEST

/* Whether the command, and no longer the test's fork of it, has a handler for the signal. */
static bool catches(const struct command *command, int signal)
{
	char path[64], line[256];
	unsigned long long caught = 0;
	FILE *status;
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/%d/exe", (int)command->pid);
	n = readlink(path, line, sizeof(line));
	if (n < 10 || memcmp(line + n - 10, "elluminate", 10) != 0)
		return false;
	snprintf(path, sizeof(path), "/proc/%d/status", (int)command->pid);
	status = fopen(path, "re");
	ck_assert_ptr_nonnull(status);
	while (fgets(line, sizeof(line), status))
		if (strncmp(line, "SigCgt:", 7) == 0)
			caught = strtoull(line + 7, NULL, 16);
	fclose(status);
	return caught >> (signal - 1) & 1;
}

START_TEST(interrupted_before_the_first_event)
{
	struct command *run;

	begin();
	make_rows("some", 3);
	COMMAND(server, 0, "run", make_file("first.json", some_rows));
	daemon_signal(server, SIGSTOP);
	run = command_start_on_terminal(server, 80, 24, (const char *[]) {
		"run", make_file("e.json", ",\"collection\":\"C\""), "--new", NULL });
	while (!catches(run, SIGINT))
		sched_yield();
	command_signal(run, SIGINT);
	command_await(run, "once more to leave at once");
	daemon_signal(server, SIGCONT);
	/* It may have ended before it could be cancelled. */
	if (command_end(run) == 12)
		ck_assert_str_eq(at_text(task_get(wire, 2), "status"), "REVOKED");
	else
		ck_assert_str_eq(at_text(task_get(wire, 2), "status"), "SUCCESS");
}
END_TEST

START_TEST(hints_lead_to_the_same_daemon)
{
	struct command *run;
	const char *file, *socket;

	begin();
	socket = daemon_socket(server);
	make_rows("some", 2);
	file = make_file("it's.json", some_rows);
	run = COMMAND(server, 0, "run", file, "--detach", "--socket", socket);
	ASSERT_SAYS(run->err, text("elluminate task watch 1 --socket %s\n", socket));
	run = COMMAND(server, 0, "run", file, "--detach", "--new");
	ASSERT_SAYS(run->err, "elluminate task watch 2\n");
}
END_TEST

/* What does not change the answers makes no new experiment. */
START_TEST(run_again_otherwise)
{
	const char *file;

	begin();
	make_rows("some", 2);
	file = make_file("e.json", some_rows);
	COMMAND(server, 0, "run", file);
	ASSERT_SAYS(COMMAND(server, 0, "run", file, "--max-connections", "2")->out, "E  (experiment 1,");
	ASSERT_SAYS(COMMAND(server, 0, "run", file, "--priority", "batch")->out, "E  (experiment 1,");
	ASSERT_SAYS(COMMAND(server, 0, "run", file, "--time-limit", "1h")->out, "E  (experiment 1,");
	ASSERT_SAYS(COMMAND(server, 0, "run", file, "--epochs", "2")->out, "E #2  (experiment 2,");
}
END_TEST

/* Also of a run that is finished, which makes no task. */
START_TEST(says_what_it_changed)
{
	static const char with[] = "%s,\"llm_config\":{\"name\":\"L\",\"provider\":\"simulated\"%s}";
	struct command *run;

	begin();
	make_rows("some", 2);
	COMMAND(server, 0, "run", make_file("e.json", text(with, some_rows, "")));
	run = COMMAND(server, 0, "run", make_file("e.json", text(with, some_rows, ",\"price_input\":\"1\"")));
	ASSERT_SAYS(run->out, "E  (experiment 1,");
	ASSERT_SAYS(run->err, "llm config 'L': updated\n");
	run = COMMAND(server, 0, "run", make_file("e.json", text(with, some_rows, ",\"price_input\":\"1\"")));
	ck_assert_ptr_null(strstr(run->err, "updated"));
	ck_assert_uint_eq(json_object_array_length(list_all(wire, "ListTasks", "'kind':'experiment'")), 1);
}
END_TEST

START_TEST(says_what_is_simulated)
{
	const char *real, *file;

	begin();
	make_rows("some", 2);
	real = text("%s,\"llm_config\":{\"name\":\"real\",\"provider\":\"openai\",\"llm_model_name\":\"m\","
		    "\"llm_base_url\":\"%s\"}", some_rows, sim_url(sim_start(NULL)));
	file = make_file("real.json", text("%s,\"criteria\":[\"Is it?\"]", real));
	ck_assert_ptr_null(strstr(COMMAND(server, 0, "run", file)->out, "Simulated"));
	ASSERT_SAYS(COMMAND(server, 0, "run", file, "--judge", "simulated")->out,
		    "Simulated: these verdicts come from");
	file = make_file("e.json", text("%s,\"criteria\":[\"Is it?\"]", some_rows));
	ASSERT_SAYS(COMMAND(server, 0, "run", file)->out, "Simulated: these answers and verdicts come from");
	ASSERT_SAYS(COMMAND(server, 0, "run", file, "--judge", "real")->out,
		    "Simulated: these answers come from");
	ASSERT_SAYS(COMMAND(server, 0, "run", make_file("e.json", some_rows))->out,
		    "Simulated: these answers come from");
}
END_TEST

START_TEST(what_failed_can_be_asked_again)
{
	struct sim *sim = sim_start((const char *[]) { "--content_filter_rate=1", NULL });
	struct command *run;

	begin();
	make_rows("some", 2);
	run = COMMAND(server, 10, "run",
		      make_file("e.json", text("%s,\"llm_config\":{\"name\":\"L\",\"provider\":\"openai\","
					       "\"llm_model_name\":\"m\",\"llm_base_url\":\"%s\"}",
					       some_rows, sim_url(sim))));
	ASSERT_SAYS(run->err, "Ask again for what failed: elluminate experiment retry-failed 1\n");
	sim_control(sim, "{'content_filter_rate':0}");
	run = COMMAND(server, 0, "experiment", "retry-failed", "1");
	ck_assert_ptr_null(strstr(run->err, "Ask again"));
}
END_TEST

/* A file in YAML, texts in files of their own, and standard input. */
START_TEST(forms_of_files)
{
	static const struct {
		const char *line, *says;
		int status;
	} rows[] = {
		{ "$0 run e.yaml --dry-run", "system: Be brief.\nuser: About rain.\n", 0 },
		{ "$0 run - --dry-run <e.yaml | tail -n 1", "1 case: 4 calls (1 to answer, 3 to judge)", 0 },
		{ "sed 's/brief.txt/none.txt/' e.yaml | $0 run - 2>&1", "elluminate: none.txt: No such file", 2 },
		{ "sed 's/provider:/model: m, provider:/' e.yaml >f.yaml; $0 run f.yaml 2>&1",
		  "elluminate: f.yaml:10:24: llm_config.model: expected no field of this name; did you mean "
		  "llm_model_name?\n", 23 },
		{ "sed 's/n_epochs: 1/n_epochs: [/' e.yaml >f.yaml; $0 run f.yaml 2>&1",
		  "elluminate: f.yaml:13:1: while parsing a flow node: did not find expected node content\n", 2 },
		{ "$0 run e.yaml >/dev/null 2>&1; $0 collection show Toopics 2>&1",
		  "elluminate: no collection named 'Toopics'\nDid you mean Topics?\n", 27 },
	};
	const struct command *said;

	server = daemon_start(NULL);
	ck_assert_int_eq(chdir(dir_new()), 0);
	file_write("brief.txt", "Be brief.\n\n");
	file_write("criteria.txt", "Is it short?\n\nIs it polite?\n");
	file_write("e.yaml",
		   "name: Y # a comment\n"
		   "prompt_template:\n"
		   "  name: Y\n"
		   "  messages:\n"
		   "  - { role: system, content: 'file:brief.txt' }\n"
		   "  - { role: user, content: 'About {{topic}}.' }\n"
		   "collection:\n"
		   "  name: Topics\n"
		   "  variables: [ topic: rain ]\n"
		   "llm_config: { name: L, provider: simulated }\n"
		   "criteria: ['file:brief.txt', 'Is it about {{topic}}?', x]\n"
		   "n_epochs: 1\n");
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		said = command_run_line(server, rows[i].status, rows[i].line);
		ck_assert_msg(strstr(said->out, rows[i].says), "%s says %s%s", rows[i].line, said->out, said->err);
	}
	said = command_run_line(server, 0, "sed 's/^criteria.*/criteria: file:criteria.txt/' e.yaml | $0 run - --format csv");
	ck_assert_ptr_nonnull(strstr(said->out, "Is it short?\n"));
	ck_assert_ptr_nonnull(strstr(said->out, "Is it polite?\n"));
}
END_TEST

/* Every template with every config, side by side. */
START_TEST(a_matrix)
{
	static const struct {
		const char *line, *says;
		int status;
	} rows[] = {
		{ "$0 run m.yaml", "     Short / one       Short / two      Long / one      Long / two  CRITERION\n", 0 },
		{ "$0 run m.yaml --no-header", "  experiment\n", 0 },
		{ "$0 run m.yaml --json | tail -n 8 | grep -c '\"name\":\"M / '", "4\n", 0 },
		{ "$0 task list -q | wc -l", "4\n", 0 }, // what is finished is not run again
		{ "$0 run m.yaml --format csv | cut -d, -f2,8",
		  "experiment,criterion\nM / Short / one,Is it short?\nM / Short / one,Is it about {{topic}}?\n", 0 },
		{ "$0 run m.yaml --dry-run --json | wc -l", "4\n", 0 },
		{ "$0 run m.yaml --fail-under 1%", "CRITERION\n", 0 },
		{ "$0 run m.yaml --fail-under 100% 2>&1", "The success rate is below 100 %.\n", 1 },
		{ "sed -i '/^prompt_t/,/^- .*Long/d; 1a prompt_template: Short' m.yaml; "
		  "$0 run m.yaml --llm two", "M  (experiment 5, 3 cases)\n", 0 },
		{ "$0 run m.yaml --llm one --llm two", "one               two  CRITERION\n", 0 },
		{ "sed 's/^name: M/name: N/' m.yaml >n.yaml; $0 run m.yaml n.yaml --llm two",
		  "M                 N  CRITERION\n", 0 },
		{ "sed 's/name: two/name: one/' m.yaml | $0 run - 2>&1",
		  "elluminate: -:5:3: llm_configs[1]: the name one again\n", 2 },
		{ "sed 's/max_connections: 3/max_connections: 0/' m.yaml | $0 run - 2>&1",
		  "elluminate: -:5:37: llm_configs[1].max_connections: expected", 23 },
		{ "sed 's/^llm_configs:/llm_config: one\\n&/' m.yaml | $0 run - 2>&1",
		  "expected either this or llm_config\n", 2 },
		{ "$0 run m.yaml --detach -q --new | wc -l", "2\n", 0 },
	};
	const struct command *said;

	server = daemon_start(NULL);
	ck_assert_int_eq(chdir(dir_new()), 0);
	file_write("m.yaml", file_read(MATRIX_SAMPLE, NULL));
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		said = command_run_line(server, rows[i].status, rows[i].line);
		ck_assert_msg(strstr(said->out, rows[i].says), "%s says %s%s", rows[i].line, said->out, said->err);
	}
}
END_TEST

/* All run at the same time under one view, and Ctrl-C is for all of them. */
START_TEST(a_matrix_interrupted)
{
	struct command *run;

	server = daemon_start(NULL);
	wire = daemon_connect(server);
	ck_assert_int_eq(chdir(dir_new()), 0);
	file_write("m.yaml", file_read(MATRIX_SAMPLE, NULL));
	COMMAND(server, 0, "llm", "create", "--name", "slow", "--provider", "simulated", "--custom",
		"{\"latency_seconds\":3600}");
	COMMAND(server, 0, "llm", "create", "--name", "slower", "--provider", "simulated", "--custom",
		"{\"latency_seconds\":3600}");
	command_run_line(server, 0, "sed -i '/^llm_configs/,/two/d' m.yaml");
	run = command_start_on_terminal(server, 100, 24, (const char *[]) {
		"run", "m.yaml", "--llm", "slow", "--llm", "slower", NULL });
	command_await(run, "M / Long / slower");
	command_type(run, "\003");
	command_await(run, "Cancelling");
	ck_assert_int_eq(command_end(run), 12);
	for (int i = 1; i <= 4; i++)
		task_await_status(server, i, "REVOKED");
}
END_TEST

/* ---- Rows from a file and into one ---- */

static const char odd_rows[] =
	"{\"a\":\"plain\",\"b\":1,\"c\":\" blanks \"}\n"
	"{\"a\":\"quo\\\"te, comma\",\"b\":2.5,\"c\":\"line\\nbreak\\r\\nand tab\\t\"}\n"
	"{\"a\":\"\u00fcn\u00ef \u65e5\u672c \",\"b\":null,\"c\":\"\"}\n"
	"{\"a\":\"\",\"b\":[1,{\"x\":\"y\\\"z\"}],\"c\":\"'\"}\n"
	"{\"a\":\"5\",\"b\":\"text\",\"c\":\";\"}\n"
	"{\"a\":\"null\",\"b\":{\"k\":true},\"c\":\"\ufeffmark\"}\n";

static const char read_back[] =
	"import csv, json, sys\n"
	"want = [json.loads(line) for line in open('odd.jsonl', encoding='utf-8')]\n"
	"rows = list(csv.reader(open('out.csv', newline='', encoding='utf-8')))\n"
	"assert rows[0] == ['a', 'b', 'c'], rows[0]\n"
	"assert [{'a': a, 'b': json.loads(b), 'c': c} for a, b, c in rows[1:]] == want, rows\n"
	"assert json.load(open('out.json', encoding='utf-8')) == want\n"
	"assert [json.loads(line) for line in open('out.jsonl', encoding='utf-8')] == want\n";

/* What another program reads there is what was imported. */
static void read_by_python(void)
{
	pid_t child;
	int status;

	if (access("/usr/bin/python3", X_OK) < 0)
		return;
	child = fork();
	if (child == 0) {
		if (chdir(folder) == 0)
			execl("/usr/bin/python3", "python3", "-c", read_back, NULL);
		_exit(1);
	}
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	ck_assert_int_eq(status, 0);
}

START_TEST(rows_round_trip)
{
	static const char *const files[] = { "out.csv", "out.jsonl", "out.json" };
	const char *odd, *again;

	begin();
	odd = dir_path(folder, "odd.jsonl");
	again = dir_path(folder, "again.jsonl");
	file_write(odd, odd_rows);
	COMMAND(server, 0, "collection", "import", "C", odd);
	for (size_t i = 0; i < 3; i++) {
		const char *file = dir_path(folder, files[i]);

		COMMAND(server, 0, "collection", "export", "C", "-o", file);
		COMMAND(server, 0, "collection", "import", "C", file, "--replace");
		COMMAND(server, 0, "collection", "export", "C", "-o", again);
		ck_assert_str_eq(file_read(again, NULL), odd_rows);
	}
	read_by_python();
	COMMAND(server, 0, "collection", "import", "C", odd, "--deduplicate");
	ck_assert_int_eq(at_int(wire_call(wire, "GetCollection", "{'collection':{'name':'C'}}"),
				"collection.variables_count"), 6);
}
END_TEST

/* The line is told, and nothing of the file is there. */
START_TEST(import_names_the_line)
{
	static const struct {
		const char *file, *content, *says;
	} cases[] = {
		{ "a.csv", "t,chat\nx,\n\"y\nz\",[]\n", "a.csv:3: chat: expected a list of 1 to" },
		{ "b.csv", "chat\nHello\n", "b.csv:2: chat: expected a list of messages as JSON" },
		{ "c.csv", "t,chat\na,b,c\n", "c.csv:2: 3 cells where the header has 2" },
		{ "d.jsonl", "{\"t\":\"a\"}\n\n{\"chat\":[{\"role\":\"poet\"}]}\n",
		  "d.jsonl:3: chat[0].role: expected one of" },
		{ "e.jsonl", "{\"t\":\"a\"}\n{\"t\":}\n", "e.jsonl:2:6: " },
		{ "f.json", "[\n{\"t\":\"a\"},\n\n5]", "f.json:4: expected a JSON object" },
		{ "g.json", "[{\"t\":\"a\"}\n{\"t\":\"b\"}]", "g.json:2: expected a comma" },
		{ "h.json", "[{\"t\":\"a\"}", "h.json:1: expected a comma or a bracket" },
		{ "i.json", "{\"t\":\"a\"}", "i.json:1: expected an array of objects" },
		{ "j.json", "[{\"t\":\"a\"}] 5", "j.json:1: expected nothing behind" },
	};
	struct command *run;

	begin();
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const char *file = dir_path(folder, cases[i].file);
		bool is_refused = strstr(cases[i].says, "1 to") || strstr(cases[i].says, "role");

		file_write(file, cases[i].content);
		run = COMMAND(server, is_refused ? 23 : 2, "collection", "import", "N", file, "--columns",
			      "chat:conversation");
		ASSERT_SAYS(run->err, cases[i].says);
		wire_refused(wire, "NotFound", "GetCollection", "{'collection':{'name':'N'}}");
	}
	run = COMMAND(server, 2, "collection", "import", "N", "-");
	ASSERT_SAYS(run->err, "expected --format csv, jsonl or json");
}
END_TEST

int main(void)
{
	return RUN_SUITE(rows_round_trip, import_names_the_line, forms_of_files, a_matrix, a_matrix_interrupted, interrupted_upload_leaves_the_old_rows, refused_upload_leaves_the_old_rows,
			 two_uploads_at_once, each_run_has_its_own_rows,
			 another_version_of_the_rows, dry_run_asks_the_daemon,
			 dry_run_estimates, dry_run_of_what_is_there, held_for_its_budget,
			 interrupted_before_the_first_event, hints_lead_to_the_same_daemon,
			 run_again_otherwise, says_what_it_changed, says_what_is_simulated, what_failed_can_be_asked_again);
}
