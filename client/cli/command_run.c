/* elluminate run FILE. */
#include <errno.h>
#include <stdlib.h>

#include "client/cli/call.h"
#include "client/cli/collection_sync.h"
#include "client/cli/dry_run.h"
#include "client/cli/experiment_file.h"
#include "client/cli/submit.h"

#define SYNCS_MAX 10 // then the other one's rows are what there is to say

/* What the arguments say over the file. */
static int apply_arguments(struct experiment_file *file, const struct arguments *arguments)
{
	int r = experiment_file_set(file, "update_existing", json_object_new_boolean(true));

	if (r == 0 && arguments->project)
		r = experiment_file_set(file, "project", json_object_new_string(arguments->project));
	return r < 0 ? r : options_apply(arguments, file->request);
}

/* The file's request, checked. 0, or the exit status. */
static int decode(struct cli *cli, struct arena *arena,
		  const struct ellu_run_experiment_request **ret_request,
		  const struct ellu_collection **ret_collection)
{
	struct complaint complaint;
	struct fault fault;

	if (experiment_file_request(cli->file, arena, ret_request, ret_collection, &fault) == 0)
		return 0;
	cli_complain(cli, fault.field, fault.message, &complaint);
	cli_error("%s", complaint.text);
	return ellu_error_exit_status(fault.code);
}

/* The rows, then the run, which takes these rows only: those that another command brought meanwhile
 * are its own affair, and ours are brought again. */
static int run(struct cli *cli, struct experiment_file *file, const struct ellu_collection *collection,
	       struct arena *arena)
{
	const struct ellu_run_experiment_request *request = NULL;
	const struct ellu_collection *same;
	struct submission submission = { .method = call_method("RunExperiment"),
					 .again = cli_command_line(cli, "--new") };
	int64_t version;
	int status = cli_connect(cli);

	for (int i = 0; status == 0 && i < SYNCS_MAX; i++) {
		submission.may_be_outrun = collection && i + 1 < SYNCS_MAX;
		if (collection)
			status = collection_sync(cli, collection, file->rows, &version);
		if (status == 0 && collection)
			experiment_file_set_version(file, version);
		if (status == 0)
			status = decode(cli, arena, &request, &same);
		submission.request = request;
		if (status == 0)
			status = submit(cli, &submission);
		if (status != SUBMIT_OUTRUN)
			break;
		cli_note(cli, "Another command has changed collection %s meanwhile.", collection->name);
		status = 0;
	}
	free((char *) submission.again);
	return status;
}

static int run_file(struct cli *cli, struct experiment_file *file)
{
	const struct ellu_run_experiment_request *request;
	const struct ellu_collection *collection;
	struct arena arena;
	int status;

	cli->file = file;
	arena_init(&arena);
	status = decode(cli, &arena, &request, &collection);
	for (size_t i = 0; status == 0 && i < sizeof(file->notes) / sizeof(file->notes[0]); i++)
		if (file->notes[i][0])
			cli_note(cli, "%s", file->notes[i]);
	if (status == 0)
		status = cli->arguments.dry_run ? dry_run(cli, file, request, collection)
						: run(cli, file, collection, &arena);
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
