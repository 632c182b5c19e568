/* elluminate llm …: the configs that answer and judge. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/cli/cli.h"
#include "client/cli/listing.h"
#include "client/cli/table.h"
#include "proto/generated/interface.h"
#include "proto/limits.h"
#include "proto/money.h"

/* The config that answers where a file names none; free the reply. */
static int get_project(struct cli *cli, const struct ellu_get_project_reply **ret_reply)
{
	struct ellu_get_project_request request = ELLU_RECORD(struct ellu_get_project_request);
	const struct ellu_error *error;
	int r;

	request.project = cli->arguments.project;
	r = ellu_get_project(cli->daemon, &request, ret_reply, &error);
	return r < 0 ? cli_fail(r, error) : 0;
}

static bool is_default(const struct ellu_project *project, const struct ellu_llm_config *config)
{
	const struct ellu_ref *ref = project->default_llm_config;

	return ref->id ? config->id && *ref->id == *config->id
		       : ref->name && strcmp(ref->name, config->name) == 0;
}

/* ---- list ---- */

static const struct ellu_project *listed_project; // of the list that is being printed

LISTING_NEXT(list_llm_configs)

static void add_config(struct table *table, const void *item)
{
	const struct ellu_llm_config *config = item;

	table_printf(table, "%lld", config->id ? (long long) *config->id : 0);
	table_text(table, is_default(listed_project, config) ? "default" : "");
	table_text(table, config->provider);
	table_text(table, config->llm_model_name);
	table_text(table, config->has_api_key && *config->has_api_key ? "key" : "");
	table_text(table, config->llm_base_url);
	table_text(table, config->name);
}

int command_llm_list(struct cli *cli)
{
	static const char *const titles[] = { ">ID", "DEFAULT", "PROVIDER", "MODEL",
					      "KEY", "URL",	"NAME",	    NULL };
	static const struct listing listing = { .type = &ellu_llm_config_type,
						.titles = titles,
						.add = add_config,
						.next = list_llm_configs_next };
	struct ellu_list_llm_configs_request request = ELLU_RECORD(struct ellu_list_llm_configs_request);
	const struct ellu_get_project_reply *project = NULL;
	int64_t wanted = cli->arguments.limit > 0 ? cli->arguments.limit : PAGE_DEFAULT;
	int64_t page = listing_page_limit(wanted);
	struct ellu_stream *stream;
	int r, status = cli_connect(cli);

	if (status == 0)
		status = get_project(cli, &project);
	if (status != 0)
		return status;
	listed_project = project->project;
	request.project = cli->arguments.project;
	request.limit = &page;
	r = ellu_list_llm_configs_stream(cli->daemon, &request, &stream);
	status = r < 0 ? cli_fail(r, NULL) : listing_print(cli, &listing, stream, wanted);
	ellu_free(project);
	return status;
}

/* ---- show ---- */

static void print_field(const char *name, const char *value)
{
	if (!value)
		return;
	printf("%-14s ", name);
	text_print(stdout, value);
	putchar('\n');
}

static void print_price(const char *name, const int64_t *nanodollars)
{
	char text[MONEY_TEXT_SIZE];

	if (!nanodollars)
		return;
	money_format(*nanodollars, text);
	printf("%-14s $%s for a million tokens\n", name, text);
}

static void print_config(const struct ellu_llm_config *config)
{
	char time[32];

	if (config->id)
		printf("%-14s %lld\n", "Config", (long long) *config->id);
	print_field("Name", config->name);
	print_field("Description", config->description);
	print_field("Provider", config->provider);
	print_field("Model", config->llm_model_name);
	print_field("URL", config->llm_base_url);
	print_field("Key", config->has_api_key && *config->has_api_key ? "stored" : NULL);
	print_field("Key from", config->api_key_ref);
	print_field("Proxy", config->proxy);
	if (config->max_connections)
		printf("%-14s %lld\n", "Connections", (long long) *config->max_connections);
	print_price("Price in", config->price_input);
	print_price("Price out", config->price_output);
	print_field("Created", config->created_at ? time_local_text(time, *config->created_at) : NULL);
}

int command_llm_show(struct cli *cli)
{
	struct ellu_get_llm_config_request request = ELLU_RECORD(struct ellu_get_llm_config_request);
	const struct ellu_get_llm_config_reply *reply;
	const struct ellu_error *error;
	struct ellu_ref ref;
	int64_t id;
	int r, status = cli_connect(cli);

	if (status != 0)
		return status;
	ref = cli_ref(cli->arguments.operands[0], &id);
	request.project = cli->arguments.project;
	request.llm_config = &ref;
	r = ellu_get_llm_config(cli->daemon, &request, &reply, &error);
	if (r < 0)
		return cli_fail(r, error);
	if (cli->arguments.json)
		status = cli_print_json(&ellu_llm_config_type, reply->llm_config);
	else
		print_config(reply->llm_config);
	ellu_free(reply);
	return status;
}

/* ---- default ---- */

static int print_default(struct cli *cli, const struct ellu_project *project)
{
	if (cli->arguments.json)
		return cli_print_json(&ellu_project_type, project);
	if (project->default_llm_config->name) {
		text_print(stdout, project->default_llm_config->name);
		putchar('\n');
	}
	return 0;
}

int command_llm_default(struct cli *cli)
{
	struct ellu_set_default_llm_config_request request =
		ELLU_RECORD(struct ellu_set_default_llm_config_request);
	const struct ellu_set_default_llm_config_reply *reply;
	const struct ellu_get_project_reply *project;
	const struct ellu_error *error;
	struct ellu_ref ref;
	int64_t id;
	int r, status = cli_connect(cli);

	if (status != 0)
		return status;
	if (cli->arguments.n_operands == 0) {
		status = get_project(cli, &project);
		if (status != 0)
			return status;
		status = print_default(cli, project->project);
		ellu_free(project);
		return status;
	}
	ref = cli_ref(cli->arguments.operands[0], &id);
	request.project = cli->arguments.project;
	request.llm_config = &ref;
	r = ellu_set_default_llm_config(cli->daemon, &request, &reply, &error);
	if (r < 0)
		return cli_fail(r, error);
	cli_note(cli, "From now on it answers where a file names no llm_config.");
	status = print_default(cli, reply->project);
	ellu_free(reply);
	return status;
}
