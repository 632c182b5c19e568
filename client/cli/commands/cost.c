/* elluminate cost: what was spent, in columns for what is told apart. */
#include <string.h>

#include "client/cli/call.h"
#include "proto/generated/interface.h"

#define BY_DEFAULT "user,project,model"

static void column_user(struct table *table, const void *item)
{
	const struct ellu_cost *cost = item;

	if (cost->owner_uid)
		table_user(table, *cost->owner_uid);
	else
		table_text(table, NULL);
}

/* The columns of parts, and those that there always are. */
static const struct {
	const char *part; // NULL: always
	struct column column;
} all[] = {
	{ "day", { "DAY", "day", NULL } },
	{ "user", { "USER", NULL, column_user } },
	{ "project", { "PROJECT", "project", NULL } },
	{ "llm_config", { "CONFIG", "llm_config", NULL } },
	{ "model", { "MODEL", "model", NULL } },
	{ NULL, { ">CALLS", "calls", NULL } },
	{ NULL, { ">UNPRICED", "unpriced_calls", NULL } },
	{ NULL, { ">INPUT", "input_tokens", NULL } },
	{ NULL, { ">CACHED", "cached_tokens", NULL } },
	{ NULL, { ">OUTPUT", "output_tokens", NULL } },
	{ NULL, { ">COST", "cost", NULL } },
};
#define N_COLUMNS (sizeof(all) / sizeof(*all))

static bool is_part(const char *by, const char *part)
{
	size_t size = strlen(part);

	for (; by; by = strchr(by, ',') ? strchr(by, ',') + 1 : NULL)
		if (strncmp(by, part, size) == 0 && (by[size] == ',' || !by[size]))
			return true;
	return false;
}

int command_cost(struct cli *cli)
{
	const char *by = cli->arguments.by ? cli->arguments.by : BY_DEFAULT;
	const struct command *command = cli->command;
	struct column columns[N_COLUMNS + 1] = { 0 };
	struct command list = *command;
	json_object *json = json_object_new_object();
	size_t n = 0;
	int status;

	for (size_t i = 0; i < N_COLUMNS; i++)
		if (!all[i].part || is_part(by, all[i].part))
			columns[n++] = all[i].column;
	list.columns = columns;
	json_object_object_add(json, "by", json_object_new_string(by));
	cli->command = &list;
	status = call_list_asked(cli, json);
	cli->command = command;
	return status;
}
