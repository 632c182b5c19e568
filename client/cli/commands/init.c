/* elluminate init: a file to begin with; elluminate schema: what such a file may say. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "client/cli/cli.h"
#include "client/cli/view/text.h"
#include "proto/experiment_file.h"

#define FIRST_FILE "experiment.json"

static const char example[] =
	"// Run it:        elluminate run %s\n"
	"// What it does:  elluminate run %s --dry-run\n"
	"// What came out: elluminate experiment responses 'First steps'\n"
	"{\n"
	"  \"name\": \"First steps\",\n"
	"\n"
	"  // What is asked. {{topic}} is taken from each case. Instead of a text, a list of messages:\n"
	"  // [ {\"role\": \"system\", \"content\": \"file:system.txt\"}, {\"role\": \"user\", \"content\": \"...\"} ]\n"
	"  \"prompt_template\": { \"name\": \"First haiku\", \"messages\": \"Write a haiku about {{topic}}.\" },\n"
	"\n"
	"  // The cases; instead of \"variables\", \"file\": \"topics.csv\" (a header, then a case a line).\n"
	"  \"collection\": { \"name\": \"First topics\",\n"
	"                  \"variables\": [ {\"topic\": \"autumn rain\"}, {\"topic\": \"a train at night\"} ] },\n"
	"\n"
	"  // Yes/no questions, on which another model, or the same one, judges each answer.\n"
	"  \"criteria\": [ \"Is it a haiku of three lines?\", \"Is it about {{topic}}?\" ],\n"
	"\n"
	"  // Who answers: a built-in model that only pretends. A real one looks like this:\n"
	"  // { \"name\": \"local\", \"provider\": \"openai\", \"llm_model_name\": \"llama-3.2\",\n"
	"  //   \"llm_base_url\": \"http://127.0.0.1:8080/v1\", \"api_key\": \"$MY_KEY\", \"max_connections\": 8 }\n"
	"  // Several, to compare: \"llm_configs\": [ ... ] in its place.\n"
	"  \"llm_config\": { \"name\": \"pretender\", \"provider\": \"simulated\" },\n"
	"\n"
	"  \"rating_mode\": \"detailed\", // with a reasoning; \"fast\" without\n"
	"  \"n_epochs\": 1 // how often each case is asked\n"
	"}\n";

int command_init(struct cli *cli)
{
	const char *path = cli->operand ? cli->operand : FIRST_FILE, *ending = strrchr(path, '.');
	int fd = -1, r;

	if (!ending || strcmp(ending, ".json") != 0) {
		cli_error("%s: expected a name that ends in .json", path);
		return EXIT_USAGE;
	}
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
	r = fd < 0 || dprintf(fd, example, path, path) < 0 ? -errno : 0;
	if (fd >= 0 && close(fd) < 0 && r == 0)
		r = -errno;
	if (r == -EEXIST) {
		cli_error("%s is there already, and stays as it is; run it, or say another name", path);
		return EXIT_USAGE;
	}
	if (r < 0) {
		cli_error("%s: %s", path, strerror(-r));
		return EXIT_USAGE;
	}
	cli_note(cli, "Written. Run it: elluminate run %s", path);
	return 0;
}

int command_schema(struct cli *cli)
{
	(void) cli;
	fputs(experiment_schema, stdout);
	return 0;
}
