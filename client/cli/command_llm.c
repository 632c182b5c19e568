/* elluminate llm …: the configs that answer and judge. */
#include <stdio.h>
#include <string.h>

#include "client/cli/call.h"
#include "proto/generated/interface.h"

/* The project, which says what answers where a file names no config; free the reply. */
static int get_project(struct cli *cli, const void **ret_reply)
{
	const struct method *method = call_method("GetProject");
	struct arena arena;
	void *request;
	int status;

	arena_init(&arena);
	status = call_decode(cli, method, json_object_new_object(), &arena, &request);
	if (status == 0)
		status = cli_connect(cli);
	if (status == 0)
		status = call_reply(cli, method, request, ret_reply);
	arena_done(&arena);
	return status;
}

/* ---- list ---- */

static const struct ellu_ref *listed_default; // of the list that is being printed

void column_default(struct table *table, const void *item)
{
	const struct ellu_llm_config *config = item;
	const struct ellu_ref *ref = listed_default;
	bool is_default = ref->id ? config->id && *ref->id == *config->id
				  : ref->name && strcmp(ref->name, config->name) == 0;

	table_text(table, is_default ? "default" : "");
}

void column_key(struct table *table, const void *item)
{
	const struct ellu_llm_config *config = item;

	table_text(table, config->has_api_key && *config->has_api_key ? "key" : "");
}

int command_llm_list(struct cli *cli)
{
	const void *project;
	int status = get_project(cli, &project);

	if (status != 0)
		return status;
	listed_default = ((const struct ellu_get_project_reply *) project)->project->default_llm_config;
	status = command_list(cli);
	ellu_free(project);
	return status;
}

/* ---- default ---- */

static void print_default(const struct ellu_project *project)
{
	if (!project->default_llm_config->name)
		return;
	text_print(stdout, project->default_llm_config->name);
	putchar('\n');
}

void print_default_config(const struct cli *cli, const void *reply)
{
	cli_note(cli, "From now on it answers where a file names no llm_config.");
	print_default(((const struct ellu_set_default_llm_config_reply *) reply)->project);
}

int command_llm_default(struct cli *cli)
{
	const void *reply;
	int status;

	if (cli->arguments.n_operands > 0)
		return command_call(cli);
	status = get_project(cli, &reply);
	if (status != 0)
		return status;
	if (cli->arguments.json)
		status = cli_print_json(&ellu_get_project_reply_type, reply);
	else
		print_default(((const struct ellu_get_project_reply *) reply)->project);
	ellu_free(reply);
	return status;
}
