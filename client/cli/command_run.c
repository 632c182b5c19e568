/* elluminate run FILE. */
#include <errno.h>
#include <stdlib.h>

#include "client/cli/cli.h"
#include "client/cli/collection_sync.h"
#include "client/cli/dry_run.h"
#include "client/cli/experiment_file.h"
#include "client/cli/submit.h"
#include "proto/money.h"

/* ---- What the arguments say over the file: NULL what they do not ---- */

static json_object *flag(bool given)
{
	return given ? json_object_new_boolean(true) : NULL;
}

static json_object *text(const char *given)
{
	return given ? json_object_new_string(given) : NULL;
}

static json_object *number(int64_t given)
{
	return given >= 0 ? json_object_new_int64(given) : NULL;
}

static json_object *seconds(double given)
{
	return given >= 0 ? json_object_new_double(given) : NULL;
}

static json_object *money(int64_t given)
{
	char digits[MONEY_TEXT_SIZE];

	if (given < 0)
		return NULL;
	money_format(given, digits);
	return json_object_new_string(digits);
}

static json_object *config(const char *given)
{
	json_object *in, *ref;
	int64_t id;

	if (!given)
		return NULL;
	in = json_object_new_object();
	ref = json_object_new_object();
	if (cli_is_id(given, &id))
		json_object_object_add(ref, "id", json_object_new_int64(id));
	else
		json_object_object_add(ref, "name", json_object_new_string(given));
	json_object_object_add(in, "ref", ref);
	return in;
}

static int apply_arguments(struct experiment_file *file, const struct arguments *arguments)
{
	const struct {
		const char *name;
		json_object *value;
	} fields[] = {
		{ "update_existing", flag(true) },
		{ "project", text(arguments->project) },
		{ "run_afresh", flag(arguments->run_afresh) },
		{ "detach", flag(arguments->detach) },
		{ "row_limit", number(arguments->limit) },
		{ "n_epochs", number(arguments->epochs) },
		{ "llm_config", config(arguments->llm) },
		{ "rating_llm_config", config(arguments->judge) },
		{ "cost_limit", money(arguments->cost_limit) },
		{ "priority", text(arguments->priority) },
		{ "time_limit_seconds", seconds(arguments->time_limit) },
	};
	int r = 0;

	for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++)
		if (fields[i].value && experiment_file_set(file, fields[i].name, fields[i].value) < 0)
			r = -ENOMEM;
	if (r == 0 && arguments->max_connections > 0)
		r = experiment_file_set_generation(file, "max_connections",
						   number(arguments->max_connections));
	return r;
}

/* ---- Running ---- */

static int run(struct cli *cli, const struct ellu_run_experiment_request *request)
{
	char *again = cli_command_line(cli, "--new");
	int status = submit(cli, &(struct submission){ .method = &method_run_experiment,
						       .request = request,
						       .again = again });

	free(again);
	return status;
}

/* ---- The command ---- */

static int run_file(struct cli *cli, struct experiment_file *file)
{
	const struct ellu_run_experiment_request *request;
	const struct ellu_collection *collection;
	struct complaint complaint;
	struct arena arena;
	int status, r;

	cli->file = file;
	arena_init(&arena);
	r = experiment_file_request(file, &arena, &request, &collection, &complaint);
	if (r < 0) {
		cli_error("%s", complaint.text);
		arena_done(&arena);
		return ellu_error_exit_status(r);
	}
	for (size_t i = 0; i < sizeof(file->notes) / sizeof(file->notes[0]); i++)
		if (file->notes[i][0])
			cli_note(cli, "%s", file->notes[i]);
	if (cli->arguments.dry_run) {
		status = dry_run(cli, file, request, collection);
	} else {
		status = cli_connect(cli);
		if (status == 0 && collection)
			status = collection_sync(cli, collection, file->rows);
		if (status == 0)
			status = run(cli, request);
	}
	arena_done(&arena);
	cli->file = NULL;
	return status;
}

int command_run(struct cli *cli)
{
	struct experiment_file file;
	struct complaint complaint;
	int status;

	if (cli->arguments.detach && cli->arguments.fail_under >= 0) {
		cli_error("--detach and --fail-under exclude each other");
		return EXIT_USAGE;
	}
	if (experiment_file_load(cli->arguments.operands[0], &file, &complaint) < 0) {
		cli_error("%s", complaint.text);
		return EXIT_USAGE;
	}
	if (apply_arguments(&file, &cli->arguments) < 0)
		status = cli_fail(-ENOMEM, NULL);
	else
		status = run_file(cli, &file);
	experiment_file_done(&file);
	return status;
}
