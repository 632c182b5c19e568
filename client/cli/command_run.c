/* elluminate run FILE. */
#include <errno.h>
#include <stdlib.h>

#include "client/cli/call.h"
#include "client/cli/collection_sync.h"
#include "client/cli/dry_run.h"
#include "client/cli/experiment_file.h"
#include "client/cli/submit.h"

static int run(struct cli *cli, const struct ellu_run_experiment_request *request)
{
	char *again = cli_command_line(cli, "--new");
	int status = submit(cli, &(struct submission){ .method = call_method("RunExperiment"),
						       .request = request,
						       .again = again });

	free(again);
	return status;
}

/* What the arguments say over the file. */
static int apply_arguments(struct experiment_file *file, const struct arguments *arguments)
{
	int r = experiment_file_set(file, "update_existing", json_object_new_boolean(true));

	if (r == 0 && arguments->project)
		r = experiment_file_set(file, "project", json_object_new_string(arguments->project));
	return r < 0 ? r : options_apply(arguments, file->request);
}

static int run_file(struct cli *cli, struct experiment_file *file)
{
	const struct ellu_run_experiment_request *request;
	const struct ellu_collection *collection;
	struct complaint complaint;
	struct fault fault;
	struct arena arena;
	int status, r;

	cli->file = file;
	arena_init(&arena);
	r = experiment_file_request(file, &arena, &request, &collection, &fault);
	if (r < 0) {
		cli_complain(cli, fault.field, fault.message, &complaint);
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

	if (options_given(&cli->arguments, "detach") && cli->arguments.fail_under >= 0) {
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
