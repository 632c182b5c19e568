/*
 * elluminate import: a configuration of promptfoo becomes an experiment file. Whatever has no counterpart is
 * listed, with its place; nothing else is left out.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "client/cli/cli.h"
#include "client/cli/files/import.h"
#include "client/cli/transfer/archive.h"

static void add_settings(struct import *in, json_object *config)
{
	json_object *options = member(config, "evaluateOptions"), *defaults = member(config, "defaultTest");
	struct at at = { .path = "evaluateOptions" }, usual = { .path = "defaultTest" }, top = { .path = "" };
	struct at grading = at_below(&usual, ".options"), grader = at_below(&grading, ".provider");
	json_object *judge = member(member(defaults, "options"), "provider"), *made, *connections;

	if (member(judge, "text"))
		judge = member(judge, "text");
	made = judge ? import_config(in, &grader, judge) : NULL;
	if (made)
		put(in, in->out, "rating_llm_config", made);
	if (member(options, "repeat"))
		put(in, in->out, "n_epochs", json_object_get(member(options, "repeat")));
	if (member(options, "maxConcurrency")) {
		connections = json_object_new_object();
		put(in, connections, "max_connections", json_object_get(member(options, "maxConcurrency")));
		put(in, in->out, "generation_params", connections);
	}
	leave_members(in, &top, config,
		      "description prompts providers targets defaultTest tests evaluateOptions");
	if (options)
		leave_members(in, &at, options, "repeat maxConcurrency");
	if (json_object_is_type(defaults, json_type_object)) {
		leave_members(in, &usual, defaults, "vars assert options");
		if (member(defaults, "options"))
			leave_members(in, &grading, member(defaults, "options"), "provider disableVarExpansion");
	} else if (defaults) {
		import_leave(in, &usual, "expected an object");
	}
	if (member(config, "description") && !text_in(member(config, "description")))
		import_leave(in, &(struct at){ .path = "description" }, "not a text");
}

static void put_list(struct import *in, const char *name, json_object *list)
{
	if (json_object_array_length(list) > 0)
		put(in, in->out, name, json_object_get(list));
}

static void convert(struct import *in, json_object *config)
{
	json_object *defaults = member(config, "defaultTest"), *collection = json_object_new_object();
	const char *says = text_in(member(config, "description"));
	const char *key = member(config, "providers") ? "providers" : "targets";
	char title[1024];
	json_object *name;

	snprintf(title, sizeof(title), "%.*s", (int) text_cut(says ? says : "", 150), says ? says : "");
	text_flatten(title);
	name = json_object_new_string(*title ? title : "Imported");
	in->expands = !json_object_get_boolean(member(member(defaults, "options"), "disableVarExpansion"));
	put(in, in->out, "name", name);
	import_prompts(in, member(config, "prompts"));
	import_providers(in, key, member(config, key));
	add_settings(in, config);
	import_tests(in, defaults, member(config, "tests"));
	put_list(in, "prompt_templates", in->templates);
	put_list(in, "llm_configs", in->configs);
	put_list(in, "criteria", in->criteria);
	put(in, collection, "name", json_object_get(name));
	put(in, collection, "variables", json_object_get(in->rows));
	put(in, in->out, "collection", collection);
}

static int write_out(struct cli *cli, json_object *made, const struct complaint *complaint)
{
	const char *path = cli->arguments.output;
	const char *text = json_object_to_json_string_ext(made, JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_SPACED |
									   JSON_C_TO_STRING_NOSLASHESCAPE);
	const bool is_file = path && strcmp(path, "-") != 0;
	int status;

	if (!text)
		return cli_fail_file(-ENOMEM, complaint);
	if (is_file && !cli->arguments.force && access(path, F_OK) == 0) {
		cli_error("%s: %s; --force writes over it", path, strerror(EEXIST));
		return EXIT_USAGE;
	}
	status = is_file ? cli_open_output(&cli->arguments, path) : 0;
	if (status == 0)
		status = cli_put_json(text);
	if (status == 0 && is_file)
		cli_note(cli, "Written. Run it: elluminate run %s", path);
	return status;
}

/* Some of what such a configuration has; without all of it the file is another one. */
static int check_promptfoo(const struct import *in, json_object *config)
{
	static const char *const parts[] = { "prompts", "providers", "targets", "tests" };

	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
		if (member(config, parts[i]))
			return 0;
	return complain(in->complaint, "%s: expected a configuration of promptfoo, with `prompts`, `providers` or "
				       "`tests`; samples of OpenAI's evals end in .jsonl, archives in .tar",
			in->file.path);
}

static int import_promptfoo(struct cli *cli)
{
	struct complaint complaint;
	struct import in = { .out = json_object_new_object(), .templates = json_object_new_array(),
			     .configs = json_object_new_array(), .criteria = json_object_new_array(),
			     .rows = json_object_new_array(), .usual = json_object_new_object(),
			     .columns = json_object_new_object(),
			     .complaint = &complaint };
	json_object *config = NULL;
	int status, r = json_file_read(cli->operand, &in.file, &config, &complaint);

	in.last = &in.tests;
	arena_init(&in.arena);
	if (r == 0)
		r = check_promptfoo(&in, config);
	if (r == 0)
		convert(&in, config);
	r = r < 0 ? r : in.error;
	status = r < 0 ? cli_fail_file(r, &complaint) : write_out(cli, in.out, &complaint);
	for (struct test *test = in.tests; test; test = test->next)
		json_object_put(test->row);
	arena_done(&in.arena);
	json_object_put(config);
	json_object_put(in.out);
	json_object_put(in.templates);
	json_object_put(in.configs);
	json_object_put(in.criteria);
	json_object_put(in.rows);
	json_object_put(in.usual);
	json_object_put(in.columns);
	json_file_done(&in.file);
	return status;
}

static int import_evals(struct cli *cli)
{
	struct complaint complaint;
	json_object *made = NULL;
	int r = import_samples(cli->operand, &made, &complaint);
	int status = r < 0 ? cli_fail_file(r, &complaint) : write_out(cli, made, &complaint);

	json_object_put(made);
	return status;
}

int command_import(struct cli *cli)
{
	if (archive_is(cli->operand))
		return archive_import(cli, cli->operand);
	if (text_ends(cli->operand, ".csv")) {
		cli_error("%s: rows are a collection's: elluminate collection import NAME %s", cli->operand, cli->operand);
		return EXIT_USAGE;
	}
	return text_ends(cli->operand, ".jsonl") ? import_evals(cli) : import_promptfoo(cli);
}
