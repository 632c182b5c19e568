#include "client/cli/dry_run.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "client/cli/table.h"
#include "proto/generated/interface.h"
#include "proto/template.h"

#define PREVIEWS 3

struct dry_run {
	struct cli *cli;
	const struct ellu_run_experiment_request *request;
	const struct ellu_message *const *messages; // NULL: not known without a daemon
	size_t n_messages;
	int64_t n_rows;
};

/* ---- What the file refers to ---- */

/* A daemon that runs; none is started for this. */
static bool connect_quietly(struct cli *cli)
{
	return cli->daemon ||
	       ellu_open(cli_address(&cli->arguments), ELLU_BLOCKING, &cli->daemon) == 0;
}

/* The exit status; *ret_reply stays NULL when there is no daemon to ask. */
static int get_template(struct dry_run *run, const struct ellu_get_prompt_template_reply **ret_reply)
{
	struct ellu_get_prompt_template_request request =
		ELLU_RECORD(struct ellu_get_prompt_template_request);
	const struct ellu_error *error;
	int r;

	if (!connect_quietly(run->cli)) {
		cli_note(run->cli, "No daemon runs: the template is not looked up.");
		return 0;
	}
	request.project = run->request->project;
	request.prompt_template = run->request->prompt_template->ref;
	r = ellu_get_prompt_template(run->cli->daemon, &request, ret_reply, &error);
	return r < 0 ? cli_fail(r, error) : 0;
}

/* ---- Previews ---- */

static int print_prompt(const struct dry_run *run, json_object *row)
{
	const struct ellu_message *const *messages;
	struct fault fault;
	struct arena arena;
	char number[32];
	int status = 0;

	arena_init(&arena);
	if (template_render_messages(run->messages, run->n_messages, row, &arena, &messages,
				     &fault) < 0) {
		cli_error("case %s: %s", number_text(number, run->n_rows), fault.message);
		status = ellu_error_exit_status(fault.code);
	} else if (run->n_rows <= PREVIEWS && !run->cli->arguments.json) {
		printf("--- case %s\n", number_text(number, run->n_rows));
		for (size_t i = 0; i < run->n_messages; i++) {
			printf("%s: ", messages[i]->role);
			text_print(stdout, messages[i]->content ? messages[i]->content : "");
			putchar('\n');
		}
	}
	arena_done(&arena);
	return status;
}

/* Renders every row, so that one that lacks a variable is found. */
static int check_rows(struct dry_run *run, struct rows *rows)
{
	const int64_t *limit = run->request->row_limit;
	struct complaint complaint;
	json_object *row;
	int r = 0, status = 0;

	while (status == 0 && !(limit && run->n_rows >= *limit) &&
	       (r = rows_next(rows, &row, &complaint)) > 0) {
		run->n_rows++;
		if (run->messages)
			status = print_prompt(run, row);
		json_object_put(row);
	}
	if (r < 0) {
		cli_error("%s", r == -EINVAL ? complaint.text : strerror(-r));
		return EXIT_USAGE;
	}
	if (status == 0 && run->n_rows == 0) {
		cli_error("the collection has no rows");
		return EXIT_USAGE;
	}
	return status;
}

static int check_stored_rows(struct dry_run *run)
{
	struct ellu_get_collection_request request = ELLU_RECORD(struct ellu_get_collection_request);
	const struct ellu_get_collection_reply *reply;
	const struct ellu_error *error;
	int r;

	if (!run->request->collection || !run->request->collection->ref ||
	    !connect_quietly(run->cli))
		return 0;
	request.project = run->request->project;
	request.collection = run->request->collection->ref;
	r = ellu_get_collection(run->cli->daemon, &request, &reply, &error);
	if (r < 0)
		return cli_fail(r, error);
	if (reply->collection->variables_count)
		run->n_rows = *reply->collection->variables_count;
	if (run->request->row_limit && run->n_rows > *run->request->row_limit)
		run->n_rows = *run->request->row_limit;
	ellu_free(reply);
	return 0;
}

/* ---- The calls ---- */

static void print_calls(const struct dry_run *run)
{
	const struct ellu_run_experiment_request *request = run->request;
	int64_t epochs = request->n_epochs ? *request->n_epochs : 1;
	int64_t answers = run->n_rows * epochs;
	int64_t generations = request->response_column ? 0 : answers;
	int64_t judgements = answers * (int64_t) request->n_criteria;
	char cases[32], total[32], to_answer[32], to_judge[32];

	if (run->cli->arguments.json) {
		printf("{\"cases\":%" PRId64 ",\"epochs\":%" PRId64 ",\"generation_calls\":%" PRId64
		       ",\"judge_calls\":%" PRId64 "}\n",
		       run->n_rows, epochs, generations, judgements);
		return;
	}
	if (run->n_rows == 0) {
		puts("The file is good. How many calls it makes depends on a collection that is not "
		     "known here.");
		return;
	}
	printf("%s%s cases: %s calls (%s to answer, %s to judge)%s. Nothing was run.\n",
	       run->messages ? "---\n" : "", number_text(cases, run->n_rows),
	       number_text(total, generations + judgements), number_text(to_answer, generations),
	       number_text(to_judge, judgements),
	       request->criterion_set ? ", and those of the criterion set" : "");
}

int dry_run(struct cli *cli, const struct ellu_run_experiment_request *request, struct rows *rows)
{
	const struct ellu_get_prompt_template_reply *reply = NULL;
	struct dry_run run = { .cli = cli, .request = request };
	const struct ellu_prompt_template *template = NULL;
	int status = 0;

	if (request->prompt_template && request->prompt_template->ref) {
		status = get_template(&run, &reply);
		template = reply ? reply->prompt_template : NULL;
	} else if (request->prompt_template) {
		template = request->prompt_template->content;
	}
	if (template) {
		run.messages = template->messages;
		run.n_messages = template->n_messages;
	}
	if (status == 0)
		status = rows ? check_rows(&run, rows) : check_stored_rows(&run);
	if (status == 0)
		print_calls(&run);
	ellu_free(reply);
	return status;
}
