/* elluminate run FILE --dry-run. */
#include <errno.h>
#include <math.h>
#include <string.h>

#include "client/cli/call.h"
#include "client/cli/files/experiment_file.h"
#include "client/cli/files/rows.h"
#include "client/cli/transfer/rows_sync.h"
#include "client/cli/view/output.h"
#include "client/cli/view/show.h"
#include "client/cli/view/text.h"
#include "proto/content/template.h"
#include "proto/generated/interface.h"
#include "proto/json/json_check.h"
#include "proto/limits.h"
#include "proto/text/money.h"
#include "proto/text/plural.h"

#define PREVIEWS 3 // prompts

struct dry_run {
	struct cli *cli;
	struct experiment_file *file;
	const struct ellu_run_experiment_request *request;
	const struct ellu_experiment_plan *plan;
	const struct ellu_collection *collection; // as the file has it, or NULL
	int64_t n_cases; // of the user's own rows; -1: they are the daemon's
	bool partly; // the daemon saw the first of them only
};

/* ---- A dry run: the rows ---- */

/* As many of the first rows as one message takes. */
static int first_rows(struct dry_run *run, json_object **ret_rows)
{
	json_object *rows = json_object_new_array(), *row;
	struct complaint complaint;
	size_t bytes = 0, size;
	int r = rows_rewind(run->file->rows, &complaint);

	if (!rows)
		return cli_fail(-ENOMEM, NULL);
	while (r >= 0 && json_object_array_length(rows) < ROWS_MAX &&
	       (r = rows_next(run->file->rows, &row, &complaint)) > 0) {
		if (!json_text(row, &size))
			size = ROWS_BYTES_MAX;
		bytes += size + 1;
		if (bytes > ROWS_BYTES_MAX && json_object_array_length(rows) > 0) {
			json_object_put(row);
			break;
		}
		json_object_array_add(rows, row);
	}
	if (r < 0) {
		json_object_put(rows);
		return cli_fail_file(r, &complaint);
	}
	run->partly = (int64_t) json_object_array_length(rows) < run->n_cases;
	*ret_rows = rows;
	return 0;
}

/* Rows that the daemon does not have yet go along with the question. */
static int add_rows(struct dry_run *run, const struct ellu_collection *collection)
{
	json_object *rows = NULL, *content, *in;
	bool equal;
	int status;

	status = rows_compare(run->cli, collection, run->file->rows, &equal, &run->n_cases);
	if (status == 0 && !equal && run->n_cases == 0) {
		cli_error("the collection has no rows");
		status = EXIT_USAGE;
	}
	if (status != 0 || equal)
		return status;
	status = first_rows(run, &rows);
	if (status != 0)
		return status;
	content = json_object_get(run->file->collection);
	in = json_object_new_object();
	if (json_object_object_add(content, "variables", rows) < 0 || !in ||
	    json_object_object_add(in, "content", content) < 0 ||
	    experiment_file_set(run->file, "collection", in) < 0)
		return cli_fail(-ENOMEM, NULL);
	return 0;
}

/* ---- Previews ---- */

static int fill_defaults(const struct ellu_collection *collection, json_object *row)
{
	for (size_t i = 0; i < collection->n_columns; i++) {
		const struct ellu_column *column = collection->columns[i];

		if (column->default_value && !json_object_object_get(row, column->name) &&
		    json_object_object_add(row, column->name,
					   column_fallback(column)) < 0)
			return -ENOMEM;
	}
	return 0;
}

/* What the model and the judge would be sent. */
static int render(const struct dry_run *run, const struct prompt *prompt, json_object *row,
		  struct arena *arena, const struct ellu_message *const **ret_messages,
		  size_t *ret_n_messages, struct fault *fault)
{
	const char *criterion;
	int r = fill_defaults(run->collection, row);

	if (r < 0)
		return fault_oom(fault);
	r = prompt_render(prompt, row, arena, ret_messages, ret_n_messages, fault);
	for (size_t i = 0; r >= 0 && i < run->request->n_criteria; i++)
		r = template_render(run->request->criteria[i], row, arena, &criterion, fault);
	return r;
}

static int print_prompt(const struct dry_run *run, const struct prompt *prompt, json_object *row,
			int64_t number)
{
	const struct ellu_message *const *messages;
	size_t n_messages;
	struct fault fault;
	struct arena arena;
	char text[32];
	int status = 0;

	arena_init(&arena);
	if (render(run, prompt, row, &arena, &messages, &n_messages, &fault) < 0) {
		cli_error("case %s: %s", number_text(text, number), fault.message);
		status = ellu_error_exit_status(fault.code);
	} else if (number <= PREVIEWS && !output_is_json()) {
		printf("--- case %s\n", number_text(text, number));
		for (size_t i = 0; i < n_messages; i++)
			show_message(stdout, messages[i]);
	}
	arena_done(&arena);
	return status;
}

/* Renders every row, so that one that lacks a variable is found. */
static int check_rows(struct dry_run *run, const struct prompt *prompt)
{
	const int64_t *limit = run->request->row_limit;
	struct complaint complaint;
	json_object *row;
	int64_t number = 0;
	int status = 0, r = rows_rewind(run->file->rows, &complaint);

	while (status == 0 && r >= 0 && !(limit && number >= *limit) &&
	       (r = rows_next(run->file->rows, &row, &complaint)) > 0) {
		status = print_prompt(run, prompt, row, ++number);
		json_object_put(row);
	}
	return r < 0 ? cli_fail_file(r, &complaint) : status;
}

/* As the daemon will have it, once it has the file's columns. */
static int check_template(struct dry_run *run, const struct ellu_prompt_template *template)
{
	struct ellu_prompt_template copy = template ? *template : (struct ellu_prompt_template){ 0 };
	struct prompt prompt = { .template = template ? &copy : NULL };
	const struct ellu_collection *collection = run->collection;
	struct arena arena;
	int status;

	for (size_t i = 0; i < collection->n_columns; i++) {
		if (!column_is_input(collection->columns[i]->type))
			continue;
		prompt.input = collection->columns[i]->name;
		prompt.literal = strcmp(collection->columns[i]->type, "raw_input") == 0;
	}
	if (prompt_is_empty(&prompt))
		return 0;
	arena_init(&arena);
	status = template && template_placeholders(copy.messages, copy.n_messages, &arena,
						   &copy.placeholders, &copy.n_placeholders) < 0 ?
			 cli_fail(-ENOMEM, NULL) :
			 check_rows(run, &prompt);
	arena_done(&arena);
	return status;
}

static int check_prompts(struct dry_run *run)
{
	struct ellu_get_prompt_template_request request =
		ELLU_RECORD(struct ellu_get_prompt_template_request);
	const struct ellu_get_prompt_template_reply *reply;
	const struct ellu_template_in *in = run->request->prompt_template;
	const struct ellu_error *error;
	int status, r;

	if (run->request->response_column)
		return 0;
	if (!in || in->content)
		return check_template(run, in ? in->content : NULL);
	request.project = run->request->project;
	request.prompt_template = in->ref;
	r = ellu_get_prompt_template(run->cli->daemon, &request, &reply, &error);
	if (r < 0)
		return cli_fail(r, error);
	status = check_template(run, reply->prompt_template);
	ellu_free(reply);
	return status;
}

/* The daemon's own rows: it has rendered the first. */
static void print_first_prompt(const struct dry_run *run)
{
	if (output_is_json() || run->plan->n_messages == 0)
		return;
	puts("--- case 1");
	for (size_t i = 0; i < run->plan->n_messages; i++)
		show_message(stdout, run->plan->messages[i]);
}

/* ---- What it comes to ---- */

struct calls {
	int64_t cases;
	int64_t answers;
	int64_t judgements;
};

static struct calls count_calls(const struct dry_run *run)
{
	const struct ellu_experiment *experiment = run->plan->experiment;
	const int64_t *limit = run->request->row_limit;
	struct calls calls = { experiment->total_cases, run->plan->generation_calls,
			       run->plan->judge_calls };
	const int64_t planned = experiment->total_cases * experiment->n_epochs;
	int64_t pairs;

	if (!run->partly)
		return calls;
	calls.cases = limit && *limit < run->n_cases ? *limit : run->n_cases;
	pairs = calls.cases * experiment->n_epochs;
	calls.answers = experiment->response_column ? 0 : pairs;
	/* Of the part that was planned each case is judged as often as of the whole. */
	calls.judgements = planned > 0 ? pairs * run->plan->judge_calls / planned : 0;
	return calls;
}

/* Of the plan's calls, those that there will be. */
static int64_t scaled(const struct dry_run *run, const struct calls *calls, const int64_t *estimate)
{
	const int64_t planned = run->plan->generation_calls + run->plan->judge_calls;
	const double share = planned > 0 ? (double) (calls->answers + calls->judgements) / (double) planned : 0;
	const double value = (double) *estimate * share;

	return value < (double) INTEGER_MAX ? llround(value) : INTEGER_MAX;
}

static void print_estimate(const struct dry_run *run, const struct calls *calls)
{
	const struct ellu_experiment_plan *plan = run->plan;
	char asked[32], answered[32], cost[MONEY_TEXT_SIZE];

	if (!plan->input_tokens || !plan->output_tokens || calls->answers + calls->judgements == 0)
		return;
	printf("About %s tokens to ask and %s to answer", number_text(asked, scaled(run, calls, plan->input_tokens)),
	       number_text(answered, scaled(run, calls, plan->output_tokens)));
	if (plan->cost) {
		money_format(scaled(run, calls, plan->cost), cost);
		printf(", $%s", cost);
	}
	puts(".");
}

static void add_estimate(const struct dry_run *run, const struct calls *calls, json_object *json)
{
	const struct ellu_experiment_plan *plan = run->plan;
	char cost[MONEY_TEXT_SIZE];

	if (!plan->input_tokens || !plan->output_tokens)
		return;
	json_object_object_add(json, "input_tokens", json_object_new_int64(scaled(run, calls, plan->input_tokens)));
	json_object_object_add(json, "output_tokens",
			       json_object_new_int64(scaled(run, calls, plan->output_tokens)));
	if (!plan->cost)
		return;
	money_format(scaled(run, calls, plan->cost), cost);
	json_object_object_add(json, "cost", json_object_new_string(cost));
}

static void add_model(json_object *json, const char *name, const struct ellu_model *model)
{
	json_object *json_model = model ? json_object_new_object() : NULL;

	if (model) {
		json_object_object_add(json_model, "provider", json_object_new_string(model->provider));
		json_object_object_add(json_model, "llm_model_name",
				       json_object_new_string(model->llm_model_name));
	}
	json_object_object_add(json, name, json_model);
}

static void print_json(const struct dry_run *run, const struct calls *calls)
{
	const struct ellu_experiment *experiment = run->plan->experiment;
	json_object *json = json_object_new_object();

	json_object_object_add(json, "name", json_object_new_string(experiment->name));
	json_object_object_add(json, "is_new", json_object_new_boolean(run->plan->is_new));
	json_object_object_add(json, "finished", json_object_new_boolean(run->plan->finished));
	json_object_object_add(json, "cases", json_object_new_int64(calls->cases));
	json_object_object_add(json, "epochs", json_object_new_int64(experiment->n_epochs));
	json_object_object_add(json, "generation_calls", json_object_new_int64(calls->answers));
	json_object_object_add(json, "judge_calls", json_object_new_int64(calls->judgements));
	add_estimate(run, calls, json);
	add_model(json, "model", experiment->model);
	add_model(json, "rating_model", experiment->rating_model);
	puts(json_text(json, NULL));
	json_object_put(json);
}

static void print_plan(const struct dry_run *run)
{
	const struct ellu_experiment_plan *plan = run->plan;
	struct calls calls = count_calls(run);
	/* Earlier runs of the name may have some of the answers. */
	bool some_may_be_there = plan->is_new && run->request->name &&
				 strcmp(plan->experiment->name, run->request->name) != 0;
	char cases[32], total[32], answers[32], judgements[32];

	if (output_is_json()) {
		print_json(run, &calls);
		return;
	}
	puts("---");
	fputs(plan->is_new ? "New: " : plan->finished ? "Finished: " : "Goes on: ", stdout);
	text_print(stdout, plan->experiment->name);
	putchar('\n');
	results_print_models(stdout, plan->experiment);
	for (size_t i = 0; i < plan->n_notes; i++) {
		text_print(stdout, plan->notes[i]);
		putchar('\n');
	}
	print_estimate(run, &calls);
	printf("%s case%s: %s%s call%s (%s to answer, %s to judge). Nothing was run.\n",
	       number_text(cases, calls.cases), plural_s(calls.cases),
	       some_may_be_there ? "at most " : "", number_text(total, calls.answers + calls.judgements),
	       plural_s(calls.answers + calls.judgements),
	       number_text(answers, calls.answers), number_text(judgements, calls.judgements));
}

int run_dry(struct cli *cli, struct experiment_file *file,
	    const struct ellu_run_experiment_request *request, const struct ellu_collection *collection)
{
	struct ellu_plan_experiment_request question = ELLU_RECORD(struct ellu_plan_experiment_request);
	struct dry_run run = { .cli = cli, .file = file, .request = request,
			       .collection = collection, .n_cases = -1 };
	const struct ellu_plan_experiment_reply *reply;
	const struct ellu_error *error;
	int r, status = cli_connect(cli);

	if (status == 0 && collection)
		status = add_rows(&run, collection);
	if (status != 0)
		return status;
	question.run = json_text(file->request, NULL);
	if (!question.run)
		return cli_fail(-ENOMEM, NULL);
	r = ellu_plan_experiment(cli->daemon, &question, &reply, &error);
	if (r < 0)
		return cli_fail_request(cli, r, error);
	run.plan = reply->plan;
	if (collection)
		status = check_prompts(&run);
	else
		print_first_prompt(&run);
	if (status == 0)
		print_plan(&run);
	ellu_free(reply);
	return status;
}

