/* What `elluminate run` does with a file, and how it ends. */
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/integration/run_files.h"

static const char *const some_rows = ",\"collection\":{\"name\":\"C\",\"file\":\"some.csv\"}";

/* The answers cost a dollar and more each; the limit is one. */
START_TEST(held_for_its_budget)
{
	struct sim *sim = sim_start(NULL);
	struct command *run;
	const char *file;

	begin_runs();
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

	begin_runs();
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

	begin_runs();
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

	begin_runs();
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

	begin_runs();
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

	begin_runs();
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

	begin_runs();
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
		/* What people write in the place of what there is */
		{ "printf 'topic\na, b\n' >t.csv; $0 run t.csv 2>&1", "\"file\": \"t.csv\" }", 2 },
		{ "$0 import t.csv 2>&1", "elluminate collection import NAME t.csv\n", 2 },
		{ "printf 'prompts: [a]\nproviders: [b]\n' >p.yaml; $0 run p.yaml 2>&1",
		  "elluminate: p.yaml:1:1: prompts: expected no field of this name; what promptfoo is configured with", 23 },
		{ "printf 'name: S\nprompt_template: \"About {{topic}}.\"\ncollection: Topics\n' >s.yaml; $0 run s.yaml 2>&1",
		  "A prompt itself: { \"name\": \"...\", \"messages\": \"About {{topic}}.\" }\n", 27 },
		{ "printf 'name: S\nprompt_template: Y\ncollection: t.csv\n' >s.yaml; $0 run s.yaml e.yaml 2>&1",
		  "Cases in a file: { \"name\": \"...\", \"file\": \"t.csv\" }\n", 27 },
		{ "$0 run s.yaml e.yaml 2>/dev/null | grep -c '^- *1  experiment$'", "1\n", 0 },
		{ "$0 run e.yaml e.yaml 2>/dev/null | grep -c '^ *1  experiment$'", "1\n", 0 },
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

int main(void)
{
	return RUN_SUITE(held_for_its_budget, interrupted_before_the_first_event,
			 hints_lead_to_the_same_daemon, run_again_otherwise, says_what_it_changed,
			 says_what_is_simulated, what_failed_can_be_asked_again, forms_of_files,
			 a_matrix, a_matrix_interrupted);
}
