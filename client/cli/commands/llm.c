/* elluminate llm …: the configs that answer and judge. */
#include <stdio.h>
#include <string.h>

#include "client/cli/call.h"
#include "proto/generated/interface.h"

/* The project, which says what answers where a file names no config; free the reply. */
static int get_project(struct cli *cli, const struct ellu_get_project_reply **ret_reply)
{
	struct ellu_get_project_request request = ELLU_RECORD(struct ellu_get_project_request);
	const struct ellu_error *error;
	int r, status = cli_connect(cli);

	if (status != 0)
		return status;
	request.project = cli->arguments.project;
	r = ellu_get_project(cli->daemon, &request, ret_reply, &error);
	return r < 0 ? cli_fail(r, error) : 0;
}

/* ---- list ---- */

static const struct ellu_ref *listed_default; // of the list that is being printed

void column_default(struct table *table, const void *item)
{
	const struct ellu_llm_config *config = item;
	const struct ellu_ref *ref = listed_default;
	bool is_default = !ref ? false : ref->id ? config->id && *ref->id == *config->id
				  : ref->name && strcmp(ref->name, config->name) == 0;

	table_text(table, is_default ? "default" : "");
}

int command_llm_list(struct cli *cli)
{
	const struct ellu_get_project_reply *reply;
	int status = get_project(cli, &reply);

	if (status != 0)
		return status;
	listed_default = reply->project->default_llm_config;
	status = command_list(cli);
	ellu_free(reply);
	return status;
}

/* ---- default ---- */

static void print_default(const struct ellu_project *project)
{
	if (!project->default_llm_config || !project->default_llm_config->name)
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
	const struct ellu_get_project_reply *reply;
	int status;

	if (cli->arguments.n_operands > 0)
		return command_call(cli);
	status = get_project(cli, &reply);
	if (status != 0)
		return status;
	if (output_is_json())
		status = cli_print_json(&ellu_get_project_reply_type, reply);
	else
		print_default(reply->project);
	ellu_free(reply);
	return status;
}
