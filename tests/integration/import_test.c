/* What `elluminate import` makes of configurations of promptfoo, and that it runs. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/harness/command.h"
#include "tests/harness/suite.h"

#define ENDPOINT "http://127.0.0.1:8080"

static struct daemon *server;
static const char *folder;

/* The sample, its endpoint replaced by that at `base`, if it is one. Its path. */
static const char *copy_sample(const char *name, const char *base)
{
	const char *path = dir_path(folder, name);
	char *sample = file_read(text("%s/%s", SAMPLES_FOLDER, name), NULL), *at;

	while (base && (at = strstr(sample, ENDPOINT))) {
		*at = '\0';
		sample = text("%s%s%s", sample, base, at + strlen(ENDPOINT));
	}
	file_write(path, sample);
	return path;
}

static void begin(void)
{
	server = daemon_start(NULL);
	folder = dir_new();
}

/* Imports it, runs what came of it, and returns the import; `*ret_out` is what the run printed. */
static struct command *import_and_run(const char *const *names, const char **ret_out)
{
	const char *url = sim_url(sim_start(NULL));
	const char *base = text("%.*s", (int)strlen(url) - 3, url), *out;
	struct command *import;

	begin();
	out = dir_path(folder, "out.json");
	for (size_t i = 0; names[i]; i++)
		copy_sample(names[i], base);
	import = COMMAND(server, 0, "import", dir_path(folder, names[0]), "-o", out);
	*ret_out = COMMAND(server, 0, "run", out)->out;
	return import;
}

START_TEST(matrix)
{
	const char *out;
	struct command *import = import_and_run((const char *[]) { "translate.yaml", NULL }, &out);

	ASSERT_SAYS(import->err, "translate.yaml:20:7: providers[1].config.response_format: not mapped: ");
	ASSERT_SAYS(import->err, "translate.yaml:26:7: defaultTest.assert[1]: not mapped: latency\n");
	ASSERT_SAYS(import->err, "translate.yaml:32:9: tests[0].assert[0]: not mapped: not-contains\n");
	ASSERT_SAYS(out, "Translation prompt 1 / openai:chat:gpt-4o-mini");
	ASSERT_SAYS(out, "translator / larger");
	ASSERT_SAYS(COMMAND(server, 0, "collection", "show", "Translation")->out, "Variables    3");
	ASSERT_SAYS(COMMAND(server, 0, "experiment", "responses", "Translation / translator / larger", "--json")->out,
		    "Say in German: Hello world");
}
END_TEST

/* A test that expects less than others has what every response meets. */
START_TEST(table)
{
	const char *out, *rows;
	struct command *import = import_and_run((const char *[]) { "capitals.yaml", "capitals.csv", "capitals.txt", NULL },
						&out);

	ASSERT_SAYS(import->err, "capitals.csv:4: __expected2: not mapped: javascript\n");
	ASSERT_SAYS(import->err, "capitals.csv:2: __metadata:continent: not mapped: ");
	rows = COMMAND(server, 0, "collection", "rows", "Capitals", "--json")->out;
	ASSERT_SAYS(rows, "It says which river runs through the capital of France.");
	ASSERT_SAYS(rows, "There is a response, whatever it says.");
	ASSERT_SAYS(COMMAND(server, 0, "criteria", "show", "Capitals / capitals.txt / openai:gpt-4o-mini criteria")->out,
		    "icontains {{expected_icontains}}");
	ASSERT_SAYS(out, "capitals.txt #2 / openai:gpt-4o-mini");
}
END_TEST

START_TEST(conversation)
{
	const char *out, *made;
	struct command *import = import_and_run((const char *[]) { "support.yaml", "support.json", NULL }, &out);

	ASSERT_SAYS(import->err, "prompts[0]: not mapped: what is more than {{name}} in this text stays as it is\n");
	ASSERT_SAYS(import->err, "targets[0].config.seed: not mapped: ");
	ASSERT_SAYS(import->err, "targets[2]: not mapped: python:agent.py");
	ASSERT_SAYS(import->err, "tests[0].vars.question: not mapped: a placeholder in a value");
	ASSERT_SAYS(import->err, "tests[0].threshold: not mapped: ");
	ASSERT_SAYS(import->err, "tests[0].assert[1]: not mapped: not every test has it");
	ASSERT_SAYS(import->err, "support.yaml:33:1: sharing: not mapped: ");
	made = file_read(dir_path(folder, "out.json"), NULL);
	ASSERT_SAYS(made, "\"expected_contains_2\": \"kettle\"");
	ASSERT_SAYS(made, "\"expected_starts_with\": \"\"");
	ASSERT_SAYS(made, "\"expected_regex\": \"\"");
	ASSERT_SAYS(import->err, "tests[1].assert[2]: not mapped: expected ");
	ASSERT_SAYS(made, "\"rating_llm_config\"");
	ASSERT_SAYS(out, "ollama:chat:llama3.2:3b");
}
END_TEST

/* What it refuses, it says with its place, and writes nothing. */
START_TEST(refused)
{
	const char *path, *out;
	struct command *run;

	begin();
	out = dir_path(folder, "out.json");
	path = copy_sample("capitals.yaml", NULL);
	run = COMMAND(server, 2, "import", path, "-o", out);
	ASSERT_SAYS(run->err, "capitals.yaml:3:1: prompts: ");
	ck_assert_ptr_null(file_read(out, NULL));
	file_write(out, "mine");
	path = copy_sample("translate.yaml", NULL);
	run = COMMAND(server, 2, "import", path, "-o", out);
	ASSERT_SAYS(run->err, "--force writes over it");
	ck_assert_str_eq(file_read(out, NULL), "mine");
	COMMAND(server, 0, "import", path, "-o", out, "--force");
	ck_assert_str_eq(file_read(out, NULL), COMMAND(server, 0, "import", path)->out);
	file_write(path, "prompts: [1]\n");
	ASSERT_SAYS(COMMAND(server, 2, "import", path)->err, "translate.yaml:1:1: prompts: none of them can be mapped");
	/* What is another file altogether. */
	file_write(path, "name: E\nprompt_template: {name: T, messages: hello}\n");
	run = COMMAND(server, 2, "import", path, "-o", out, "--force");
	ASSERT_SAYS(run->err, "translate.yaml: expected a configuration of promptfoo, with `prompts`");
	ASSERT_SAYS(file_read(out, NULL), "\"collection\"");
	/* Without tests there is one case, and without prompts its text. */
	file_write(path, "tests: {vars: {prompt: 'Say {{it}}.'}}\nprompts: ['{{ prompt }}', '{{a.b}}']\n");
	run = COMMAND(server, 0, "import", path, "-o", out, "--force");
	ASSERT_SAYS(run->err, "translate.yaml:2:27: prompts[1]: not mapped: ");
	COMMAND(server, 0, "run", out);
	file_write(path, "tests:\n- {vars: {a: [x, y], b: [1, 2, 3]}, assert: {type: is-json, value: {}}}\n- vars: {a: []}\n"
			 "- nothing.txt\n- 5\n- {vars: 5, assert: [{type: 5}, 7, {type: equals, value: {}}]}\n"
			 "providers: [5, {}, 'openai:', 'openai:chat:', {id: 'openai:m', config: 5}, {id: 'ollama:m',"
			 " config: {apiBaseUrl: x}}]\ndefaultTest: {options: 5}\nevaluateOptions: 5\ndescription: 5\n");
	run = COMMAND(server, 0, "import", path);
	ASSERT_SAYS(run->out, "\"b\": 3");
	ASSERT_SAYS(run->err, "providers[4].config: not mapped: expected an object");
	ASSERT_SAYS(run->err, "evaluateOptions: not mapped: expected an object");
	ASSERT_SAYS(run->err, "tests[1]: not mapped: no case: a is an empty list");
	ASSERT_SAYS(run->err, "tests[2]: not mapped: nothing.txt: not a file of CSV");
}
END_TEST

/* Samples of OpenAI's evals: conversations, or a text; one ideal answer, several, or none. */
START_TEST(evals)
{
	struct command *command;
	const char *path, *out;

	begin();
	path = dir_path(folder, "arithmetic.jsonl");
	out = dir_path(folder, "out.json");
	file_write(path, "{\"input\":[{\"role\":\"system\",\"content\":\"Be brief.\"},{\"role\":\"user\",\"content\":"
			 "\"2+2=\"}],\"ideal\":\"4\"}\n{\"input\":\"Say (a.b) or c\",\"ideal\":[\"(a.b)\",\"c\"]}\n"
			 "{\"input\":\"Say anything\"}\n");
	COMMAND(server, 0, "import", path, "-o", out);
	ASSERT_SAYS(file_read(out, NULL), "^(\\\\(a\\\\.b\\\\)|c)");
	command = COMMAND(server, 0, "run", out);
	ASSERT_SAYS(command->out, "3 responses, 3 ratings");
	ASSERT_SAYS(COMMAND(server, 0, "import", path)->out, "\"kind\": \"regex\"");
	file_write(path, "{\"input\":\"2+2=\",\"ideal\":[\"4\"]}\n{\"input\":\"1+1=\",\"ideal\":\"2\"}\n");
	command = COMMAND(server, 0, "import", path);
	ASSERT_SAYS(command->out, "starts_with");
	ASSERT_SAYS(command->out, "\"ideal\": \"4\"");
	file_write(path, "{\"input\":\"2+2=\"}\n{\"question\":\"1+1=\"}\n");
	ASSERT_SAYS(COMMAND(server, 2, "import", path)->err, "arithmetic.jsonl:2: expected `input`");
	file_write(path, "{\"input\":\"2+2=\",\"ideal\":4}\n");
	ASSERT_SAYS(COMMAND(server, 2, "import", path)->err, "arithmetic.jsonl:1: expected `ideal`");
	file_write(path, "");
	ASSERT_SAYS(COMMAND(server, 2, "import", path)->err, "expected samples");
	ck_assert_int_eq(daemon_stop(server), 0);
}
END_TEST

int main(void)
{
	return RUN_SUITE(matrix, table, conversation, refused, evals);
}
