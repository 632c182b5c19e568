/* elluminate export: an experiment, or a collection, as an archive; see archive.h. As JSONL: export_lines.h. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "client/cli/call.h"
#include "client/cli/files/tar.h"
#include "client/cli/transfer/archive.h"
#include "client/cli/transfer/export_lines.h"
#include "client/cli/view/output.h"
#include "proto/generated/interface.h"
#include "proto/limits.h"
#include "proto/text/plural.h"

struct export {
	struct cli *cli;
	FILE *rows;
	FILE *responses;
	json_object *manifest;
	json_object *evaluators; // of the experiment; NULL: it has none
	int64_t n_rows;
	int64_t n_responses;
	int64_t n_left; // answers too large for any message
	int64_t *ids; // of the rows, in the order of the file
	size_t capacity;
};

/* ---- Asking ---- */

static json_object *ref_of(json_object *record, const char *member)
{
	return json_object_get(json_object_object_get(record, member));
}

/* What a Get method answers to its `ref`, which is taken: the `member` that both are of, as JSON. NULL with the
 * exit status in *ret_status, where 0 is: it is not there, which is fine but for the experiment itself. */
static json_object *get(struct export *export, const char *name, const char *member, json_object *ref,
			int *ret_status)
{
	json_object *request = json_object_new_object(), *reply = NULL, *found = NULL;
	const struct ellu_error *error = NULL;
	const void *answer;
	int r;

	json_object_object_add(request, member, ref);
	r = call_expecting(export->cli, name, request, &answer,
			   strcmp(member, "experiment") == 0 ? 0 : ELLU_E_NOT_FOUND, &error);
	ellu_free(error);
	*ret_status = r < 0 ? -r : 0;
	if (r != 0)
		return NULL;
	r = record_encode(method_named(name)->reply, answer, TO_CLIENT, &reply);
	ellu_free(answer);
	if (r == 0)
		found = json_object_get(json_object_object_get(reply, member));
	json_object_put(reply);
	*ret_status = found ? 0 : cli_fail(-ENOMEM, NULL);
	return found;
}

/* ---- Rows ---- */

static int put_row(struct export *export, const struct ellu_template_variables *row)
{
	if ((size_t) export->n_rows == export->capacity) {
		size_t capacity = export->capacity ? export->capacity * 2 : 1024;
		int64_t *ids = realloc(export->ids, capacity * sizeof(*ids));

		if (!ids)
			return -ENOMEM;
		export->ids = ids;
		export->capacity = capacity;
	}
	export->ids[export->n_rows++] = row->id;
	return fprintf(export->rows, "%s\n", row->input_values) < 0 ? -errno : 0;
}

static int compare_ids(const void *a, const void *b)
{
	int64_t x = *(const int64_t *) a, y = *(const int64_t *) b;

	return (x > y) - (x < y);
}

/* The rows of the collection as it is now, but for the first `n_known`, up to `n`. */
static int put_rows(struct export *export, json_object *collection, int64_t n)
{
	struct ellu_list_template_variables_request request =
		ELLU_RECORD(struct ellu_list_template_variables_request);
	const int64_t id = json_object_get_int64(json_object_object_get(collection, "id"));
	struct ellu_ref ref = ELLU_RECORD(struct ellu_ref);
	const struct ellu_template_variables *row;
	const struct ellu_error *error = NULL;
	const size_t n_known = (size_t) export->n_rows;
	struct ellu_stream *stream;
	int r;

	if (n_known > 0)
		qsort(export->ids, n_known, sizeof(*export->ids), compare_ids);
	ref.id = &id;
	request.collection = &ref;
	request.limit = PAGE_MAX;
	r = ellu_list_template_variables_stream(export->cli->daemon, &request, &stream, &error);
	while (r >= 0 && export->n_rows < n &&
	       (r = ellu_list_template_variables_next_item(stream, &row, &error)) > 0)
		if (n_known == 0 || !bsearch(&row->id, export->ids, n_known, sizeof(row->id), compare_ids))
			r = put_row(export, row);
	if (r >= 0 || stream)
		ellu_stream_close(stream);
	return r < 0 ? cli_fail(r, error) : 0;
}

/* ---- Answers ---- */

static const char *evaluator_of(json_object *item)
{
	json_object *evaluator = json_object_object_get(item, "evaluator");

	return evaluator ? json_object_get_string(json_object_object_get(evaluator, "name")) : NULL;
}

/* How many of the first so many are by that evaluator. */
static size_t count_named(json_object *items, size_t n, const char *name)
{
	size_t count = 0;

	for (size_t i = 0; i < n; i++) {
		const char *of = evaluator_of(json_object_array_get_idx(items, i));

		count += of && strcmp(of, name) == 0;
	}
	return count;
}

/* The number of the experiment's evaluator whose rating the i-th is; ratings are in the same order. 0: one
 * that is there with several variables has not scored by all of them, so nobody knows. */
static int64_t evaluator_number(const struct export *export, json_object *ratings, size_t i)
{
	const char *name = evaluator_of(json_object_array_get_idx(ratings, i));
	size_t n = export->evaluators ? json_object_array_length(export->evaluators) : 0;
	size_t nth = count_named(ratings, i + 1, name), number = 0;

	if (count_named(ratings, json_object_array_length(ratings), name) != count_named(export->evaluators, n, name))
		return 0;
	while (count_named(export->evaluators, number, name) < nth)
		number++;
	return (int64_t) number;
}

/* What the judge said, and what a person said over it. NULL without memory, or where there is nothing. */
static json_object *made_rating(json_object *rating)
{
	bool edited = json_object_get_boolean(json_object_object_get(rating, "edited"));
	json_object *said = edited ? json_object_object_get(rating, "original") : rating;
	json_object *criterion = json_object_object_get(rating, "criterion");
	json_object *made = said ? json_object_new_object() : NULL, *edit = NULL;
	int r = made ? 0 : -ENOMEM;

	if (r == 0)
		r = json_object_object_add(made, "criterion", json_object_get(json_object_object_get(
								  criterion, "criterion_str")));
	if (r == 0)
		r = members_copy(made, said, "rating error reasoning judge");
	if (r == 0)
		r = members_copy(made, rating, "raw_text attempts duration_seconds input_tokens output_tokens cached_tokens "
				 "cost");
	if (r == 0 && edited) {
		edit = json_object_new_object();
		r = members_copy(edit, rating, "rating reasoning");
		r |= json_object_object_add(made, "edited", edit);
	}
	if (r == 0)
		return made;
	json_object_put(made);
	return NULL;
}

static int add_ratings(const struct export *export, json_object *made, json_object *response)
{
	json_object *ratings = json_object_object_get(response, "ratings"), *list;
	size_t n = ratings ? json_object_array_length(ratings) : 0;

	if (n == 0 || json_object_object_get(response, "error"))
		return 0;
	list = json_object_new_array();
	if (json_object_object_add(made, "ratings", list) < 0)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		json_object *given = json_object_array_get_idx(ratings, i), *rating;
		int64_t number = evaluator_of(given) ? evaluator_number(export, ratings, i) : -1;

		if (number == 0)
			continue;
		rating = made_rating(given);
		if (!rating || json_object_array_add(list, rating) < 0)
			return -ENOMEM;
		if (number < 0)
			continue;
		if (members_copy(rating, given, "score") ||
		    json_object_object_add(rating, "evaluator", json_object_new_int64(number)) < 0)
			return -ENOMEM;
	}
	return 0;
}

static int put_response(struct export *export, const struct ellu_response *response)
{
	json_object *json, *made;
	int r = 0;

	if (export->n_rows == 0 || export->ids[export->n_rows - 1] != response->template_variables->id)
		r = put_row(export, response->template_variables);
	if (r < 0 || response->left_out) {
		export->n_left += response->left_out != NULL;
		return r;
	}
	r = record_encode(&ellu_response_type, response, TO_CLIENT, &json);
	if (r < 0)
		return r;
	made = json_object_new_object();
	r = made ? json_object_object_add(made, "row", json_object_new_int64(export->n_rows)) : -ENOMEM;
	if (r == 0)
		r = members_copy(made, json, "epoch response_text tool_calls error finish_reason attempts "
				 "duration_seconds input_tokens output_tokens reasoning_tokens cached_tokens cost annotation");
	if (r == 0)
		r = add_ratings(export, made, json);
	if (r == 0)
		r = fprintf(export->responses, "%s\n", json_text(made, NULL)) < 0 ? -errno : 0;
	json_object_put(made);
	json_object_put(json);
	export->n_responses++;
	return r;
}

static int put_responses(struct export *export, int64_t id)
{
	struct ellu_list_responses_request request = ELLU_RECORD(struct ellu_list_responses_request);
	struct ellu_ref ref = ELLU_RECORD(struct ellu_ref);
	const struct ellu_error *error = NULL;
	const struct ellu_response *response;
	struct ellu_stream *stream = NULL;
	int r;

	ref.id = &id;
	request.experiment = &ref;
	request.limit = PAGE_MAX;
	r = ellu_list_responses_stream(export->cli->daemon, &request, &stream, &error);
	while (r >= 0 && (r = ellu_list_responses_next_item(stream, &response, &error)) > 0)
		r = put_response(export, response);
	ellu_stream_close(stream);
	return r < 0 ? cli_fail(r, error) : 0;
}

/* ---- What it is made of ---- */

/* Those members of each of the records (NULL: none). 0, or negative. */
static int copy_each(json_object *list, json_object *records, const char *members)
{
	int r = 0;

	for (size_t i = 0; records && r == 0 && i < json_object_array_length(records); i++) {
		json_object *copy = json_object_new_object();

		r = members_copy(copy, json_object_array_get_idx(records, i), members);
		r |= json_object_array_add(list, copy);
	}
	return r;
}

static int put_collection(struct export *export, json_object *collection)
{
	json_object *made = json_object_new_object(), *list = json_object_new_array();
	int r = members_copy(made, collection, "name description");

	r |= copy_each(list, json_object_object_get(collection, "columns"), "name type default_value");
	r |= json_object_object_add(made, "columns", list);
	r |= json_object_object_add(export->manifest, "collection", made);
	return r ? cli_fail(-ENOMEM, NULL) : 0;
}

/* What is known of the config that is referred to; of one that is gone its name. */
static int read_config(struct export *export, json_object *ref, json_object **ret_kept)
{
	json_object *config;
	int status;

	config = get(export, "GetLLMConfig", "llm_config", json_object_get(ref), &status);
	if (status)
		return status;
	*ret_kept = config ? config_portable(config) : json_object_new_object();
	if (!config && members_copy(*ret_kept, ref, "name"))
		status = cli_fail(-ENOMEM, NULL);
	json_object_put(config);
	return status;
}

/* The `model`, where there is one, is that which answered, whatever the config has become since. */
static int put_config(struct export *export, json_object *made, json_object *record, const char *member,
		      json_object *model)
{
	json_object *ref = json_object_object_get(record, member), *kept;
	int r, status = ref ? read_config(export, ref, &kept) : 0;

	if (!ref || status)
		return status;
	r = model ? members_copy(kept, model, "provider llm_model_name") : 0;
	r |= json_object_object_add(made, member, kept);
	return r ? cli_fail(-ENOMEM, NULL) : 0;
}

/* A list of them. */
static int put_configs(struct export *export, json_object *made, json_object *record, const char *member)
{
	json_object *refs = json_object_object_get(record, member), *kept;
	json_object *configs = refs ? json_object_new_array() : NULL;
	int status = 0;

	for (size_t i = 0; refs && status == 0 && i < json_object_array_length(refs); i++) {
		status = read_config(export, json_object_array_get_idx(refs, i), &kept);
		if (status == 0)
			json_object_array_add(configs, kept);
	}
	if (!refs || status) {
		json_object_put(configs);
		return status;
	}
	return json_object_object_add(made, member, configs) ? cli_fail(-ENOMEM, NULL) : 0;
}

static int put_template(struct export *export, json_object *made, json_object *experiment)
{
	json_object *template, *kept;
	int status, r;

	template = get(export, "GetPromptTemplate", "prompt_template", ref_of(experiment, "prompt_template"),
		       &status);
	if (template && strcmp(json_object_get_string(json_object_object_get(template, "created_at")),
			       json_object_get_string(json_object_object_get(experiment, "created_at"))) > 0) {
		json_object_put(template); // another one of that name, since
		template = NULL;
	}
	if (!template && status == 0) {
		cli_error("the prompt template was deleted: without it the experiment cannot be exported");
		return ellu_error_exit_status(ELLU_E_NOT_FOUND);
	}
	if (!template)
		return status;
	kept = json_object_new_object();
	r = members_copy(kept, template, "name messages response_format tools tool_choice");
	r |= json_object_object_add(made, "prompt_template", kept);
	json_object_put(template);
	return r ? cli_fail(-ENOMEM, NULL) : 0;
}

static int put_criteria(json_object *made, json_object *experiment)
{
	json_object *criteria = json_object_object_get(
		json_object_object_get(experiment, "criterion_set"), "criteria");
	json_object *list = json_object_new_array();
	int r = copy_each(list, criteria, "criterion_str label check");

	if (json_object_array_length(list) > 0)
		r |= json_object_object_add(made, "measures", list);
	else
		json_object_put(list);
	return r ? cli_fail(-ENOMEM, NULL) : 0;
}

/* What the evaluator is made of; of one that is built in, or gone, its name. */
static int read_evaluator(struct export *export, json_object *ref, json_object **ret_kept)
{
	json_object *evaluator = NULL, *by_id;
	int r, status = 0;

	*ret_kept = json_object_new_object();
	if (json_object_object_get(ref, "id")) {
		by_id = json_object_new_object();
		json_object_object_add(by_id, "id", ref_of(ref, "id"));
		evaluator = get(export, "GetEvaluator", "evaluator", by_id, &status);
	}
	if (!evaluator && status == 0)
		status = members_copy(*ret_kept, ref, "name") ? cli_fail(-ENOMEM, NULL) : 0;
	if (!evaluator)
		return status;
	r = members_copy(*ret_kept, evaluator, "name intent prompt demonstrations");
	status = r ? cli_fail(-ENOMEM, NULL) : 0;
	if (status == 0)
		status = put_config(export, *ret_kept, evaluator, "llm_config", NULL);
	if (status == 0)
		status = put_configs(export, *ret_kept, evaluator, "fallback_llm_configs");
	json_object_put(evaluator);
	return status;
}

static int put_evaluators(struct export *export, json_object *made)
{
	json_object *list = export->evaluators ? json_object_new_array() : NULL;
	int status = 0;

	for (size_t i = 0; list && status == 0 && i < json_object_array_length(export->evaluators); i++) {
		json_object *given = json_object_array_get_idx(export->evaluators, i), *kept = NULL;
		json_object *use = json_object_new_object();

		status = read_evaluator(export, json_object_object_get(given, "evaluator"), &kept);
		if (json_object_object_add(use, "evaluator", kept) < 0 || members_copy(use, given, "variables") ||
		    json_object_array_add(list, use) < 0)
			status = status ? status : cli_fail(-ENOMEM, NULL);
	}
	if (list)
		json_object_object_add(made, "evaluators", list);
	return status;
}

static int put_experiment(struct export *export, json_object *experiment)
{
	json_object *made = json_object_new_object();
	int status = 0, r;

	r = json_object_object_add(export->manifest, "experiment", made);
	r |= members_copy(made, experiment, "name description rating_mode rating_version rating_reduction n_epochs "
			  "response_column tool_results tool_rounds generation_params total_cases");
	if (json_object_object_get(experiment, "results"))
		r |= json_object_object_add(made, "finished", json_object_new_boolean(true));
	if (r)
		return cli_fail(-ENOMEM, NULL);
	if (json_object_object_get(experiment, "prompt_template"))
		status = put_template(export, made, experiment);
	if (status == 0)
		status = put_config(export, made, experiment, "llm_config",
				    json_object_object_get(experiment, "model"));
	if (status == 0)
		status = put_config(export, made, experiment, "rating_llm_config",
				    json_object_object_get(experiment, "rating_model"));
	if (status == 0)
		status = put_configs(export, made, experiment, "rating_llm_configs");
	if (status == 0)
		status = put_configs(export, made, experiment, "fallback_llm_configs");
	export->evaluators = ref_of(experiment, "evaluators");
	if (status == 0)
		status = put_evaluators(export, made);
	return status ? status : put_criteria(made, experiment);
}

/* ---- The whole ---- */

static int put_manifest(struct export *export, FILE *archive)
{
	FILE *file = tmpfile();
	int r;

	if (!file)
		return -errno;
	fprintf(file, "%s\n", json_object_to_json_string_ext(export->manifest, JSON_C_TO_STRING_PRETTY |
								JSON_C_TO_STRING_NOSLASHESCAPE));
	r = tar_add(archive, ARCHIVE_MANIFEST, file);
	fclose(file);
	return r;
}

static int write_archive(struct export *export)
{
	int r = put_manifest(export, stdout);

	if (r == 0)
		r = tar_add(stdout, ARCHIVE_ROWS, export->rows);
	if (r == 0 && export->responses)
		r = tar_add(stdout, ARCHIVE_RESPONSES, export->responses);
	if (r == 0)
		r = tar_end(stdout);
	if (r < 0) {
		cli_error("the archive cannot be written: %s", strerror(-r));
		return EXIT_USAGE;
	}
	return output_flush();
}

static int begin(struct export *export, struct cli *cli, bool has_responses)
{
	*export = (struct export){ .cli = cli, .manifest = json_object_new_object() };
	if (output.terminal) {
		cli_error("an archive is nothing to look at: expected -o FILE");
		return EXIT_USAGE;
	}
	export->rows = tmpfile();
	export->responses = has_responses ? tmpfile() : NULL;
	if (!export->rows || (has_responses && !export->responses)) {
		cli_error("no file for what is to be archived: %s", strerror(errno));
		return EXIT_USAGE;
	}
	json_object_object_add(export->manifest, ARCHIVE_MARK, json_object_new_int(ARCHIVE_VERSION));
	return cli_connect(cli);
}

static void done(struct export *export)
{
	json_object_put(export->manifest);
	json_object_put(export->evaluators);
	if (export->rows)
		fclose(export->rows);
	if (export->responses)
		fclose(export->responses);
	free(export->ids);
}

static int export_experiment(struct export *export, json_object *experiment)
{
	int64_t cases = json_object_get_int64(json_object_object_get(experiment, "total_cases"));
	json_object *collection = NULL;
	int status = put_experiment(export, experiment);

	if (status == 0)
		collection = get(export, "GetCollection", "collection", ref_of(experiment, "collection"), &status);
	if (status == 0)
		status = put_collection(export, collection ? collection : json_object_object_get(experiment, "collection"));
	if (status == 0)
		status = put_responses(export, json_object_get_int64(json_object_object_get(experiment, "id")));
	/* Those that nothing was answered to yet. */
	if (status == 0 && collection && export->n_rows < cases)
		status = put_rows(export, collection, cases);
	json_object_put(collection);
	return status ? status : write_archive(export);
}

static int export_archive(struct cli *cli)
{
	char cases[32], answers[32];
	json_object *experiment = NULL;
	struct export export;
	int status = begin(&export, cli, /* has_responses= */ true);

	if (status == 0)
		experiment = get(&export, "GetExperiment", "experiment", cli_ref(cli->arguments.operands[0]),
				 &status);
	if (status == 0)
		status = export_experiment(&export, experiment);
	if (status == 0)
		cli_note(cli, "Exported: %s case%s, %s answer%s.", number_text(cases, export.n_rows), plural_s(export.n_rows),
			 number_text(answers, export.n_responses), plural_s(export.n_responses));
	if (status == 0 && export.n_left > 0)
		cli_note(cli, "%s answer%s left out: no message could hold %s.", number_text(answers, export.n_left),
			 export.n_left == 1 ? " is" : "s are", export.n_left == 1 ? "it" : "them");
	json_object_put(experiment);
	done(&export);
	return status;
}

int command_export(struct cli *cli)
{
	const char *path = cli->arguments.output;

	if (cli->arguments.all) {
		if (cli->operand) {
			cli_error("--all is of everything: expected no experiment");
			return EXIT_USAGE;
		}
		if (path && text_ends(path, ".tar")) {
			cli_error("%s: --all is written as JSONL, one line a record, and not as an archive; "
				  "expected a name that ends in .jsonl", path);
			return EXIT_USAGE;
		}
		return export_everything(cli);
	}
	if (!cli->operand) {
		cli_error("expected an experiment, or --all");
		return EXIT_USAGE;
	}
	return output.format == FORMAT_JSONL || (path && text_ends(path, ".jsonl")) ? export_evals(cli) :
										      export_archive(cli);
}

int archive_export_collection(struct cli *cli)
{
	char rows[32];
	json_object *collection = NULL;
	struct export export;
	int status = begin(&export, cli, /* has_responses= */ false);

	if (status == 0)
		collection = get(&export, "GetCollection", "collection", cli_ref(cli->arguments.operands[0]),
				 &status);
	if (status == 0)
		status = put_collection(&export, collection);
	if (status == 0)
		status = put_rows(&export, collection, INT64_MAX);
	if (status == 0)
		status = write_archive(&export);
	if (status == 0)
		cli_note(cli, "Exported: %s row%s.", number_text(rows, export.n_rows), plural_s(export.n_rows));
	json_object_put(collection);
	done(&export);
	return status;
}
