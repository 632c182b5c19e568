/* elluminate run FILE, and what makes an experiment of such a file. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "client/cli/call.h"
#include "client/cli/files/experiment_file.h"
#include "client/cli/files/json_file.h"
#include "client/cli/files/rows.h"
#include "client/cli/report/report.h"
#include "client/cli/tasks/gates.h"
#include "client/cli/tasks/outcome.h"
#include "client/cli/tasks/sides.h"
#include "client/cli/tasks/submit.h"
#include "client/cli/transfer/rows_sync.h"
#include "client/cli/view/show.h"
#include "client/cli/view/text.h"
#include "proto/content/template.h"
#include "proto/generated/interface.h"
#include "proto/json/json_check.h"
#include "proto/limits.h"

#define SYNCS_MAX 10 // then the other one's rows are what there is to say

/* ---- A run ---- */

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
	struct fault fault;

	if (experiment_file_request(cli->file, arena, ret_request, ret_collection, &fault) == 0)
		return 0;
	return cli_refuse(cli, fault.field, fault.message, fault.code);
}

/* The rows, then the run, which takes these rows only: those that another command brought meanwhile
 * are its own affair, and ours are brought again. */
static int run(struct cli *cli, struct experiment_file *file, const struct ellu_collection *collection,
	       struct arena *arena)
{
	const struct ellu_run_experiment_request *request = NULL;
	const struct ellu_collection *same;
	struct submission submission = { .method = method_named("RunExperiment"),
					 .again = cli_command_line(cli, "--new") };
	int64_t version;
	int status = cli_connect(cli);

	for (int i = 0; status == 0 && i < SYNCS_MAX; i++) {
		submission.may_be_outrun = collection && i + 1 < SYNCS_MAX;
		if (collection)
			status = rows_sync(cli, collection, file->rows, &version);
		if (status == 0 && collection)
			experiment_file_set_version(file, version);
		if (status == 0)
			status = decode(cli, arena, &request, &same);
		submission.request = request;
		if (status == 0)
			status = submission_send(cli, &submission);
		if (status != SUBMIT_OUTRUN)
			break;
		cli_note(cli, "Another command has changed collection %s meanwhile.", collection->name);
		status = 0;
	}
	free((char *) submission.again);
	return status;
}

/* ---- Made, and not run ---- */

/* The rows, then the experiment, of the same fields that a run takes. */
static int make(struct cli *cli, struct experiment_file *file, const struct ellu_collection *collection,
		struct arena *arena)
{
	const struct method *method = method_named(cli->command->method);
	const struct ellu_run_experiment_request *request;
	size_t *making = arena_alloc(arena, method->request->size);
	int64_t version;
	int status = making ? cli_connect(cli) : cli_fail(-ENOMEM, NULL);

	if (status == 0 && collection)
		status = rows_sync(cli, collection, file->rows, &version);
	if (status == 0 && collection)
		experiment_file_set_version(file, version);
	if (status == 0)
		status = decode(cli, arena, &request, &collection);
	if (status != 0)
		return status;
	*making = method->request->size;
	record_lend(&ellu_run_experiment_request_type, request, method->request, making);
	return call_and_print(cli, method, making);
}

/* ---- Either ---- */

/* Once, however many experiments the file makes. */
static void tell_notes(const struct cli *cli, struct experiment_file *file)
{
	const size_t n = json_object_array_length(file->notes);

	for (size_t i = 0; i < n; i++)
		cli_note(cli, "%s", json_object_get_string(json_object_array_get_idx(file->notes, i)));
	(void) json_object_array_del_idx(file->notes, 0, n);
}

static int run_file(struct cli *cli, struct experiment_file *file)
{
	const bool runs = strcmp(cli->command->method, "RunExperiment") == 0;
	const struct ellu_run_experiment_request *request;
	const struct ellu_collection *collection;
	struct arena arena;
	int status;

	cli->file = file;
	arena_init(&arena);
	status = decode(cli, &arena, &request, &collection);
	if (status == 0)
		tell_notes(cli, file);
	if (status == 0)
		status = !runs			  ? make(cli, file, collection, &arena)
			 : cli->arguments.dry_run ? run_dry(cli, file, request, collection)
						  : run(cli, file, collection, &arena);
	arena_done(&arena);
	cli->file = NULL;
	return status;
}

/* ---- Several at a time ---- */

/* One of the experiments: the file's own record of it is a copy with the choice that it is. */
struct pair {
	struct cli cli;
	struct experiment_file file;
	struct submission submission;
	const struct ellu_get_experiment_reply *reply; // in the end, or NULL
};

struct matrix {
	struct cli *cli;
	struct experiment_file files[PAIRS_MAX];
	size_t n_files;
	struct pair pairs[PAIRS_MAX];
	struct follow follows[PAIRS_MAX];
	const char *labels[PAIRS_MAX];
	size_t n;
	struct arena arena;
};

static int length_of(json_object *list)
{
	return list ? (int) json_object_array_length(list) : 0;
}

/* What --llm says, once or more often, takes the place of the file's. */
static int apply_configs(struct experiment_file *file, const struct arguments *arguments)
{
	json_object *configs = json_object_new_array();
	int n = 0;

	for (size_t i = 0; i < arguments->n_given; i++)
		if (strcmp(arguments->given[i].option->field, "llm_config") == 0 &&
		    json_object_array_add(configs, json_object_get(arguments->given[i].value)) == 0)
			n++;
	if (n == 0) {
		json_object_put(configs);
		return 0;
	}
	json_object_put(file->configs);
	file->configs = n > 1 ? configs : NULL;
	if (n == 1)
		json_object_put(configs);
	return 0;
}

/* How many experiments a file makes; 0: one, without a choice. */
static int count_pairs(const struct experiment_file *file)
{
	int templates = length_of(file->templates), configs = length_of(file->configs);

	return templates + configs == 0 ? 0 : (templates ? templates : 1) * (configs ? configs : 1);
}

static int load(struct matrix *matrix, const char *path)
{
	struct experiment_file *file = &matrix->files[matrix->n_files];
	struct complaint complaint;
	int r = experiment_file_load(path, file, &complaint);

	if (r < 0)
		return cli_fail_file(r, &complaint);
	matrix->n_files++;
	if (apply_arguments(file, &matrix->cli->arguments) < 0 || apply_configs(file, &matrix->cli->arguments) < 0)
		return cli_fail(-ENOMEM, NULL);
	return 0;
}

/* The pair's request, checked. */
static int add_pair(struct matrix *matrix, struct experiment_file *file, int template, int config)
{
	struct pair *pair = &matrix->pairs[matrix->n];
	const struct ellu_run_experiment_request *request;
	const struct ellu_collection *collection;
	struct complaint complaint;
	int r = template < 0 && config < 0 ? 0 : experiment_file_choose(file, template, config, &complaint);
	int status;

	if (r < 0)
		return cli_fail_file(r, &complaint);
	*pair = (struct pair){ .cli = *matrix->cli, .file = *file };
	pair->cli.file = &pair->file;
	status = decode(&pair->cli, &matrix->arena, &request, &collection);
	if (status != 0)
		return status;
	pair->submission = (struct submission){ .method = method_named("RunExperiment"), .request = request };
	matrix->follows[matrix->n] = (struct follow){ .cli = &pair->cli, .submission = &pair->submission,
						      .started = true };
	matrix->labels[matrix->n++] = request->name ? request->name : file->json.path;
	return 0;
}

static int add_pairs(struct matrix *matrix, struct experiment_file *file)
{
	const int templates = length_of(file->templates), configs = length_of(file->configs);
	int status = 0;

	if (matrix->n + (size_t) count_pairs(file) + 1 > PAIRS_MAX) {
		cli_error("%s: more than %d experiments", file->json.path, PAIRS_MAX);
		return EXIT_USAGE;
	}
	for (int t = templates ? 0 : -1; status == 0 && t < (templates ? templates : 0); t++)
		for (int k = configs ? 0 : -1; status == 0 && k < (configs ? configs : 0); k++)
			status = add_pair(matrix, file, t, k);
	return status;
}

/* The rows, once for all experiments over them. */
static int bring_rows(struct matrix *matrix, struct experiment_file *file)
{
	const struct ellu_run_experiment_request *request;
	const struct ellu_collection *collection;
	struct cli cli = *matrix->cli;
	int64_t version;
	int status;

	if (!file->collection)
		return 0;
	cli.file = file;
	status = decode(&cli, &matrix->arena, &request, &collection);
	if (status == 0)
		status = rows_sync(&cli, collection, file->rows, &version);
	if (status == 0)
		experiment_file_set_version(file, version);
	return status;
}

/* Each name without what all begin with, which is the file's own. */
static const char *short_label(const struct matrix *matrix, size_t i)
{
	const char *label = matrix->labels[i], *slash = strstr(label, " / ");

	return matrix->n_files == 1 && slash ? slash + 3 : label;
}

static const struct ellu_experiment *experiment_of(const struct pair *pair)
{
	return pair->reply ? pair->reply->experiment : NULL;
}

static bool is_among(const struct side *sides, size_t n, int64_t id)
{
	while (n > 0 && sides[n - 1].id != id)
		n--;
	return n > 0;
}

/* Each once, also where several files name it. */
static size_t take_sides(const struct matrix *matrix, struct side *sides)
{
	size_t n = 0;

	for (size_t i = 0; i < matrix->n; i++) {
		const int64_t id = matrix->follows[i].experiment_id;

		if (id == 0 || !is_among(sides, n, id))
			sides[n++] = (struct side){ short_label(matrix, i), id, experiment_of(&matrix->pairs[i]) };
	}
	return n;
}

/* Of all that have results; the others say themselves why they have none. */
static int report_all(struct cli *cli, const struct side *sides, size_t n_sides)
{
	int64_t ids[REPORT_EXPERIMENTS_MAX];
	size_t n = 0;

	for (size_t i = 0; i < n_sides; i++)
		if (sides[i].experiment && sides[i].experiment->results)
			ids[n++] = sides[i].id;
	return n > 0 ? report_results(cli, ids, n) : 0;
}

/* How one ended; its results are fetched. */
static int settle(struct matrix *matrix, size_t i)
{
	const struct follow *follow = &matrix->follows[i];
	int ended, fetched = 0;

	if (follow->experiment_id > 0)
		fetched = call_experiment_by_id(matrix->cli, follow->experiment_id, &matrix->pairs[i].reply);
	if (follow->outcome != 0)
		return follow->outcome;
	follow_tell_end(follow);
	if (matrix->pairs[i].reply)
		outcome_tell_failed(matrix->cli, matrix->pairs[i].reply->experiment);
	ended = cli_task_exit_status(follow->status);
	return ended ? ended : fetched; // without results no gate was passed
}

/* Side by side. What went wrong first is the status of all; the worst of them is compared. */
static int print_matrix(struct matrix *matrix)
{
	struct side sides[PAIRS_MAX];
	size_t n;
	int status = 0, below = 0, one;

	for (size_t i = 0; i < matrix->n; i++) {
		one = settle(matrix, i);
		status = status ? status : one;
		if (one == 0 && matrix->pairs[i].reply && below == 0)
			below = gates_check(matrix->cli, matrix->pairs[i].reply->experiment);
	}
	n = take_sides(matrix, sides);
	one = output.format >= FORMAT_HTML ? report_all(matrix->cli, sides, n) : sides_print(sides, n);
	for (size_t i = 0; i < matrix->n; i++)
		ellu_free(matrix->pairs[i].reply);
	return status ? status : one ? one : below;
}

static int submit_all(struct matrix *matrix)
{
	int status = 0, one;

	if (options_given(&matrix->cli->arguments, "detach")) {
		for (size_t i = 0; i < matrix->n; i++) {
			one = submit_detached(&matrix->pairs[i].cli, &matrix->pairs[i].submission);
			status = status ? status : one;
		}
		return status;
	}
	follow_all(matrix->follows, matrix->n, matrix->labels);
	status = print_matrix(matrix);
	for (size_t i = 0; i < matrix->n; i++)
		follow_done(&matrix->follows[i]);
	return status;
}

static int run_matrix(struct matrix *matrix)
{
	int status = 0;

	/* All is checked before anything changes, and again with the rows. */
	for (size_t i = 0; status == 0 && i < matrix->n_files; i++)
		status = add_pairs(matrix, &matrix->files[i]);
	if (status == 0 && output.format >= FORMAT_HTML && matrix->n > REPORT_EXPERIMENTS_MAX) {
		cli_error("a report is of at most %d experiments, and these are %zu", REPORT_EXPERIMENTS_MAX, matrix->n);
		status = EXIT_USAGE;
	}
	matrix->n = 0;
	if (status == 0)
		status = cli_connect(matrix->cli);
	for (size_t i = 0; status == 0 && i < matrix->n_files; i++) {
		tell_notes(matrix->cli, &matrix->files[i]);
		status = bring_rows(matrix, &matrix->files[i]);
		if (status == 0)
			status = add_pairs(matrix, &matrix->files[i]);
	}
	for (size_t i = 0; i < matrix->n; i++)
		matrix->pairs[i].cli.daemon = matrix->cli->daemon;
	return status == 0 ? submit_all(matrix) : status;
}

/* Each is checked for itself. */
static int plan_all(struct matrix *matrix)
{
	int status = 0;

	for (size_t i = 0; status == 0 && i < matrix->n_files; i++) {
		struct experiment_file *file = &matrix->files[i];
		const int templates = length_of(file->templates), configs = length_of(file->configs);
		struct complaint complaint;

		for (int t = templates ? 0 : -1; status == 0 && t < (templates ? templates : 0); t++)
			for (int k = configs ? 0 : -1; status == 0 && k < (configs ? configs : 0); k++) {
				int r = t < 0 && k < 0 ? 0 : experiment_file_choose(file, t, k, &complaint);

				status = r < 0 ? cli_fail_file(r, &complaint) : run_file(matrix->cli, file);
			}
	}
	return status;
}

int command_make(struct cli *cli)
{
	const char *path = cli->arguments.operands[0];
	struct experiment_file file;
	struct complaint complaint;
	int status, r;

	r = experiment_file_load(path, &file, &complaint);
	if (r < 0) {
		status = cli_fail_file(r, &complaint);
		if (strncmp(cli->command->method, "GetOrCreate", strlen("GetOrCreate")) == 0 && !json_file_is_meant(path))
			cli_note(cli, "One that is there is shown by: elluminate experiment show %s", path);
		return status;
	}
	if (count_pairs(&file) > 0) {
		cli_error("%s: prompt_templates and llm_configs are for `elluminate run`", file.json.path);
		status = EXIT_USAGE;
	} else if (apply_arguments(&file, &cli->arguments) < 0) {
		status = cli_fail(-ENOMEM, NULL);
	} else {
		status = run_file(cli, &file);
	}
	experiment_file_done(&file);
	return status;
}

int command_run(struct cli *cli)
{
	struct matrix *matrix = calloc(1, sizeof(*matrix));
	int status = 0;

	if (!matrix)
		return cli_fail(-ENOMEM, NULL);
	matrix->cli = cli;
	arena_init(&matrix->arena);
	if (options_given(&cli->arguments, "detach") && gates_are_given(&cli->arguments)) {
		cli_error("--detach excludes --fail-under, --fail-under-low and --fail-on-regression");
		status = EXIT_USAGE;
	}
	for (unsigned i = 0; status == 0 && i < cli->arguments.n_operands; i++)
		status = load(matrix, cli->arguments.operands[i]);
	if (status == 0 && cli->arguments.dry_run)
		status = plan_all(matrix);
	else if (status == 0 && matrix->n_files == 1 && count_pairs(&matrix->files[0]) == 0)
		status = run_file(cli, &matrix->files[0]);
	else if (status == 0)
		status = run_matrix(matrix);
	for (size_t i = 0; i < matrix->n_files; i++)
		experiment_file_done(&matrix->files[i]);
	arena_done(&matrix->arena);
	free(matrix);
	return status;
}
