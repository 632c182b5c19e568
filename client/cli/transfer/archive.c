/*
 * elluminate import FILE.tar: what is not there is made, in an order in which whatever was made before an end in
 * the middle is found again; what is there is used if it is the same, and is otherwise in the way. What the
 * archive says goes through the daemon's own checks.
 */
#include "client/cli/transfer/archive.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "client/cli/call.h"
#include "client/cli/files/json_file.h"
#include "client/cli/files/rows.h"
#include "client/cli/files/tar.h"
#include "client/cli/transfer/answers.h"
#include "client/cli/transfer/rows_sync.h"
#include "client/cli/view/output.h"
#include "client/cli/view/show.h"
#include "proto/generated/interface.h"
#include "proto/limits.h"
#include "proto/text/plural.h"

enum member { MANIFEST, ROWS, RESPONSES, _MEMBER_MAX };

static const char *const names[_MEMBER_MAX] = { ARCHIVE_MANIFEST, ARCHIVE_ROWS, ARCHIVE_RESPONSES };

#define AGAIN_SUFFIX ", imported" // of a config whose name another model has

struct archive {
	struct cli *cli;
	const char *path;
	FILE *files[_MEMBER_MAX];
	json_object *manifest;
	json_object *experiment; // in it; or NULL
	const char *name; // of the experiment, here
	int64_t id; // of the same
	int64_t n_responses;
	bool renamed; // a config, and with it perhaps the judge
	json_object *names; // of configs that were, by those that they had
};

bool archive_is(const char *path)
{
	return path && text_ends(path, ".tar");
}

int members_copy(json_object *to, json_object *from, const char *members)
{
	int r = 0;

	json_object_object_foreach(from, name, value)
	{
		if (r == 0 && value && text_is_listed(members, name))
			r = json_object_object_add(to, name, json_object_get(value));
	}
	return r < 0 ? -ENOMEM : 0;
}

json_object *config_portable(json_object *config)
{
	json_object *kept = json_object_is_type(config, json_type_object) ? json_object_new_object() : NULL;
	int r = 0;

	for (size_t i = 0; kept && r == 0 && i < ellu_llm_config_type.n_fields; i++) {
		const struct record_field *field = &ellu_llm_config_type.fields[i];

		if (!(field->flags & FIELD_READ_ONLY) &&
		    !text_is_listed("shared proxy ca_file api_key_ref api_key", field->name))
			r = members_copy(kept, config, field->name);
	}
	return kept;
}

static json_object *member_of(json_object *object, const char *name)
{
	return json_object_is_type(object, json_type_object) ? json_object_object_get(object, name) : NULL;
}

static const char *text_of(json_object *object, const char *name)
{
	json_object *text = member_of(object, name);

	return json_object_is_type(text, json_type_string) ? json_object_get_string(text) : NULL;
}

/* ---- Opening ---- */

static int take_file(struct archive *archive, FILE *file, const struct tar_entry *entry,
		     struct complaint *complaint)
{
	int i = 0;

	while (i < _MEMBER_MAX && strcmp(entry->name, names[i]) != 0)
		i++;
	if (i == _MEMBER_MAX || archive->files[i])
		return complain(complaint, "%s: %s in it is nothing that `elluminate export` writes%s",
				archive->path, entry->name, i < _MEMBER_MAX ? " twice" : "");
	if (i == MANIFEST && entry->size > MESSAGE_SIZE_MAX)
		return complain(complaint, "%s: %s in it is larger than %u bytes", archive->path, entry->name,
				MESSAGE_SIZE_MAX);
	archive->files[i] = tmpfile();
	if (!archive->files[i])
		return complain(complaint, "%s: no file for what is in it: %s", archive->path, strerror(errno));
	return tar_extract(file, archive->path, entry, archive->files[i], complaint);
}

static int read_manifest(struct archive *archive, struct complaint *complaint)
{
	FILE *file = archive->files[MANIFEST];
	const char *reason;
	size_t offset, size = (size_t) ftello(file);
	char *text = malloc(size + 1);
	int r;

	if (!text)
		return -ENOMEM;
	rewind(file);
	text[fread(text, 1, size, file)] = '\0';
	r = json_text_parse(text, size, &archive->manifest, &offset, &reason);
	free(text);
	if (r == -EINVAL)
		return complain(complaint, "%s: %s:%zu: %s", archive->path, ARCHIVE_MANIFEST, offset + 1, reason);
	if (r < 0)
		return r;
	r = json_object_get_int(member_of(archive->manifest, ARCHIVE_MARK));
	if (r != ARCHIVE_VERSION)
		return complain(complaint, r > 0 ? "%s: it is of a later version of elluminate" :
						   "%s: %s in it is no description of an archive",
				archive->path, ARCHIVE_MANIFEST);
	archive->experiment = member_of(archive->manifest, "experiment");
	if (!json_object_is_type(member_of(archive->manifest, "collection"), json_type_object) ||
	    (archive->experiment && !text_of(archive->experiment, "name")))
		return complain(complaint, "%s: %s in it does not say what it is of", archive->path,
				ARCHIVE_MANIFEST);
	return 0;
}

static int open_archive(struct archive *archive, struct complaint *complaint)
{
	FILE *file = fopen(archive->path, "re");
	struct tar_entry entry;
	int r = file ? 0 : complain(complaint, "%s: %s", archive->path, strerror(errno));

	while (r == 0 && (r = tar_next(file, archive->path, &entry, complaint)) > 0)
		r = take_file(archive, file, &entry, complaint);
	if (file)
		fclose(file);
	if (r == 0 && (!archive->files[MANIFEST] || !archive->files[ROWS]))
		r = complain(complaint, "%s: there is no %s in it", archive->path,
			     names[archive->files[MANIFEST] ? ROWS : MANIFEST]);
	return r < 0 ? r : read_manifest(archive, complaint);
}

/* ---- Asking ---- */

static json_object *request_with(const char *member, json_object *value)
{
	json_object *request = json_object_new_object();

	if (request)
		json_object_object_add(request, member, value);
	return request;
}

static json_object *ref_by_id(int64_t id)
{
	return request_with("id", json_object_new_int64(id));
}

/* ---- The collection ---- */

/* Rows that are there are another collection's, unless they are the same. */
static int check_rows(struct archive *archive, const struct ellu_collection *wanted, struct rows *rows)
{
	const struct ellu_get_collection_reply *reply = NULL;
	const struct ellu_error *error;
	bool equal = false, empty;
	int64_t n_rows;
	int status, r;

	r = call_expecting(archive->cli, "GetCollection",
			   request_with("collection", request_with("name", json_object_new_string(wanted->name))),
			   (const void **) &reply, ELLU_E_NOT_FOUND, &error);
	if (r > 0)
		ellu_free(error);
	if (r != 0)
		return r < 0 ? -r : 0;
	empty = !reply->collection->variables_count || *reply->collection->variables_count == 0;
	ellu_free(reply);
	status = empty ? 0 : rows_compare(archive->cli, wanted, rows, &equal, &n_rows);
	if (status == 0 && equal && !archive->experiment)
		cli_note(archive->cli, "Collection %s: it is here already, with these rows.", wanted->name);
	if (status || empty || equal)
		return status;
	cli_error("the collection %s is here already, with other rows; rename it (elluminate collection update), "
		  "or import into another project", wanted->name);
	return ellu_error_exit_status(ELLU_E_CONFLICT);
}

static int import_collection(struct archive *archive)
{
	json_object *json = member_of(archive->manifest, "collection");
	struct ellu_collection *wanted;
	struct rows *rows = NULL;
	struct fault fault;
	struct arena arena;
	int64_t version;
	void *record;
	int status;

	arena_init(&arena);
	if (record_decode(&ellu_collection_type, json, FROM_CLIENT, "collection", &arena, &record, &fault) < 0) {
		cli_error("%s: %s: %s", archive->path, ARCHIVE_MANIFEST, fault.message);
		arena_done(&arena);
		return EXIT_USAGE;
	}
	wanted = record;
	status = rows_from_file(archive->files[ROWS], ARCHIVE_ROWS, &rows) < 0 ? cli_fail(-ENOMEM, NULL) : 0;
	if (status == 0) {
		archive->files[ROWS] = NULL;
		rows_set_columns(rows, wanted->columns, wanted->n_columns);
		status = check_rows(archive, wanted, rows);
	}
	if (status == 0)
		status = rows_sync(archive->cli, wanted, rows, &version);
	rows_free(rows);
	arena_done(&arena);
	return status;
}

/* ---- What the experiment is made of ---- */

/* The version that has this content. Replaces the member by a reference. */
static int import_template(struct archive *archive)
{
	json_object *content = json_object_get(member_of(archive->experiment, "prompt_template"));
	const struct ellu_get_or_create_prompt_template_reply *reply;
	const struct ellu_new_prompt_template_version_reply *next;
	const struct ellu_error *error = NULL;
	json_object *request;
	int64_t id = 0;
	int r;

	if (!content)
		return 0;
	r = call_expecting(archive->cli, "GetOrCreatePromptTemplate",
			   request_with("prompt_template", json_object_get(content)), (const void **) &reply, 0,
			   &error);
	if (r == 0 && !reply->differs) {
		id = *reply->prompt_template->id;
	} else if (r == 0) {
		request = request_with("prompt_template", ref_by_id(*reply->prompt_template->id));
		r = members_copy(request, content, "messages response_format tools tool_choice");
		r = call_expecting(archive->cli, "NewPromptTemplateVersion", request, (const void **) &next,
				   ELLU_E_CONFLICT, &error);
		/* One of its versions has it. */
		if (r > 0 && error->id)
			id = *error->id;
		if (r > 0)
			ellu_free(error);
		if (r == 0) {
			id = *next->prompt_template->id;
			ellu_free(next);
		}
	}
	json_object_put(content);
	if (r < 0)
		return -r;
	ellu_free(reply);
	return json_object_object_add(archive->experiment, "prompt_template",
				      request_with("ref", ref_by_id(id))) < 0 ? cli_fail(-ENOMEM, NULL) : 0;
}

/* A config of that name with that model. 1: it is there, or was made; 0: another model has the name. */
static int get_config(struct archive *archive, json_object *content, bool *ret_created)
{
	const struct ellu_get_or_create_llm_config_reply *reply;
	const struct ellu_error *error;
	const struct ellu_llm_config *config;
	int r = call_expecting(archive->cli, "GetOrCreateLLMConfig",
			       request_with("llm_config", json_object_get(content)), (const void **) &reply, 0,
			       &error);

	if (r < 0)
		return r;
	config = reply->llm_config;
	r = strcmp(config->provider, text_of(content, "provider") ? text_of(content, "provider") : "") == 0 &&
	    strcmp(config->llm_model_name ? config->llm_model_name : "",
		   text_of(content, "llm_model_name") ? text_of(content, "llm_model_name") : "") == 0;
	*ret_created = reply->created;
	ellu_free(reply);
	return r;
}

/* What is in the place of a config, as `*ret_in`; of none it stays. */
static int import_content(struct archive *archive, json_object *given, const char *member, json_object **ret_in)
{
	json_object *content = config_portable(given);
	const char *name = text_of(content, "name");
	char other[4 * NAME_MAX_CHARS + sizeof(AGAIN_SUFFIX)];
	bool created = false;
	int r, status = 0;

	if (!content)
		return 0;
	r = name ? get_config(archive, content, &created) : 0;
	if (r == 0 && name) {
		snprintf(other, sizeof(other), "%s%s", name, AGAIN_SUFFIX);
		json_object_object_add(content, "name", json_object_new_string(other));
		name = other;
		r = get_config(archive, content, &created);
	}
	if (r < 0) {
		status = -r;
	} else if (r == 0) {
		cli_error("the config %s is here already, and has another model", name ? name : member);
		status = ellu_error_exit_status(ELLU_E_CONFLICT);
	} else if (created && strcmp(text_of(content, "provider"), "simulated") != 0) {
		cli_note(archive->cli, "LLM config %s: new; a key that it needs did not come with it.", name);
	}
	archive->renamed = archive->renamed || name == other;
	if (name == other)
		json_object_object_add(archive->names, text_of(given, "name"), json_object_new_string(name));
	if (status == 0)
		*ret_in = request_with("ref", request_with("name", json_object_new_string(name)));
	json_object_put(content);
	return status;
}

static int import_config(struct archive *archive, const char *member)
{
	json_object *in = NULL;
	int status = import_content(archive, member_of(archive->experiment, member), member, &in);

	if (in)
		json_object_object_add(archive->experiment, member, in);
	return status;
}

static int import_configs(struct archive *archive, const char *member)
{
	json_object *configs = member_of(archive->experiment, member);
	int status = 0;

	for (size_t i = 0; json_object_is_type(configs, json_type_array) && i < json_object_array_length(configs) &&
			   status == 0; i++) {
		json_object *in = NULL;

		status = import_content(archive, json_object_array_get_idx(configs, i), member, &in);
		if (in)
			json_object_array_put_idx(configs, i, in);
	}
	return status;
}

/* Of this very content, its configs by their names here. */
static int import_evaluator(struct archive *archive, json_object *use, json_object *content)
{
	const struct ellu_get_or_create_evaluator_reply *reply;
	json_object *fallbacks = member_of(content, "fallback_llm_configs"), *in = NULL, *ref;
	const struct ellu_error *error;
	int r, status = import_content(archive, member_of(content, "llm_config"), "llm_config", &in);

	if (in)
		json_object_object_add(content, "llm_config", json_object_get(member_of(in, "ref")));
	json_object_put(in);
	for (size_t i = 0; json_object_is_type(fallbacks, json_type_array) &&
			   i < json_object_array_length(fallbacks) && status == 0; i++) {
		in = NULL;
		status = import_content(archive, json_object_array_get_idx(fallbacks, i), "fallback_llm_configs", &in);
		if (in)
			json_object_array_put_idx(fallbacks, i, json_object_get(member_of(in, "ref")));
		json_object_put(in);
	}
	if (status)
		return status;
	r = call_expecting(archive->cli, "GetOrCreateEvaluator",
			   request_with("evaluator", json_object_get(content)), (const void **) &reply, 0,
			   &error);
	if (r < 0)
		return -r;
	ref = ref_by_id(*reply->evaluator->id);
	ellu_free(reply);
	return json_object_object_add(use, "evaluator", ref) < 0 ? cli_fail(-ENOMEM, NULL) : 0;
}

/* One that is built in is only named. */
static int import_evaluators(struct archive *archive)
{
	json_object *uses = member_of(archive->experiment, "evaluators");
	int status = 0;

	for (size_t i = 0; json_object_is_type(uses, json_type_array) && i < json_object_array_length(uses) &&
			   status == 0; i++) {
		json_object *use = json_object_array_get_idx(uses, i), *content = member_of(use, "evaluator");

		if (member_of(content, "prompt"))
			status = import_evaluator(archive, use, content);
	}
	return status;
}

static int import_experiment(struct archive *archive)
{
	const struct ellu_get_or_create_experiment_reply *reply;
	const struct ellu_error *error;
	json_object *request = json_object_new_object();
	int r, status = import_template(archive);

	if (status == 0)
		status = import_config(archive, "llm_config");
	if (status == 0)
		status = import_config(archive, "rating_llm_config");
	if (status == 0)
		status = import_configs(archive, "rating_llm_configs");
	if (status == 0)
		status = import_configs(archive, "fallback_llm_configs");
	if (status == 0)
		status = import_evaluators(archive);
	if (status) {
		json_object_put(request);
		return status;
	}
	r = members_copy(request, archive->experiment, "name description prompt_template llm_config rating_llm_config "
			 "rating_llm_configs rating_reduction fallback_llm_configs tool_results tool_rounds evaluators "
			 "measures rating_mode rating_version n_epochs response_column generation_params");
	r |= json_object_object_add(request, "name", json_object_new_string(archive->name));
	r |= json_object_object_add(request, "collection", request_with("ref", request_with(
		"name", json_object_get(member_of(member_of(archive->manifest, "collection"), "name")))));
	if (r) {
		json_object_put(request);
		return cli_fail(-ENOMEM, NULL);
	}
	r = call_expecting(archive->cli, "GetOrCreateExperiment", request, (const void **) &reply, 0, &error);
	if (r < 0)
		return -r;
	archive->id = reply->experiment->id;
	r = reply->differs;
	ellu_free(reply);
	if (!r)
		return 0;
	cli_error("the experiment %s is here already, and is made of other things; give this one another name: --name",
		  archive->name);
	return ellu_error_exit_status(ELLU_E_CONFLICT);
}

/* ---- Answers ---- */

/* Configs may have other names here: the answer's is known, the judges' are those of the experiment. */
static void rename_configs(const struct archive *archive, json_object *response)
{
	json_object *ratings = member_of(response, "ratings"), *name;
	const char *answered_by = text_of(response, "llm_config");

	if (answered_by && json_object_object_get_ex(archive->names, answered_by, &name))
		json_object_object_add(response, "llm_config", json_object_get(name));

	for (size_t i = 0; json_object_is_type(ratings, json_type_array) && i < json_object_array_length(ratings); i++) {
		json_object *rating = json_object_array_get_idx(ratings, i);

		if (json_object_is_type(rating, json_type_object))
			json_object_object_del(rating, "judge");
	}
}

static int import_answers(struct archive *archive)
{
	struct answers answers = { .cli = archive->cli, .name = ARCHIVE_RESPONSES,
				   .experiment = ref_by_id(archive->id) };
	struct complaint complaint;
	json_object *response;
	struct rows *rows;
	int r, status = 0;

	r = rows_from_file(archive->files[RESPONSES], ARCHIVE_RESPONSES, &rows);
	if (r < 0)
		return cli_fail(r, NULL);
	archive->files[RESPONSES] = NULL;
	while (status == 0 && (r = rows_next(rows, &response, &complaint)) > 0) {
		if (archive->renamed)
			rename_configs(archive, response);
		status = answers_take(&answers, response, rows_line(rows));
		json_object_put(response);
	}
	if (status == 0)
		status = r < 0 ? cli_fail_file(r, &complaint) : answers_send(&answers);
	archive->n_responses = answers.added + answers.present;
	answers_done(&answers);
	json_object_put(answers.experiment);
	rows_free(rows);
	return status;
}

/* ---- The whole ---- */

/* An experiment that was over is over here: nothing is missing, and no model is asked. */
static int finish(struct archive *archive)
{
	int64_t cases = json_object_get_int64(member_of(archive->experiment, "total_cases")),
		epochs = json_object_get_int64(member_of(archive->experiment, "n_epochs"));
	const struct ellu_error *error;
	const void *reply;
	int r;

	if (!json_object_get_boolean(member_of(archive->experiment, "finished")) ||
	    archive->n_responses != cases * epochs)
		return 0;
	r = call_expecting(archive->cli, "RunExperiment", request_with("experiment", ref_by_id(archive->id)),
			   &reply, 0, &error);
	if (r == 0)
		ellu_free(reply);
	return -r;
}

static int show(struct archive *archive)
{
	const struct ellu_get_experiment_reply *reply;
	const struct ellu_error *error;
	int status, r = call_expecting(archive->cli, "GetExperiment",
				       request_with("experiment", ref_by_id(archive->id)),
				       (const void **) &reply, 0, &error);
	char number[32];

	if (r < 0)
		return -r;
	cli_note(archive->cli, "Experiment %s: %s answer%s.", archive->name, number_text(number, archive->n_responses),
		 plural_s(archive->n_responses));
	if (!reply->experiment->results)
		cli_note(archive->cli, "Not all is there: elluminate experiment run %lld asks for the rest.",
			 (long long) archive->id);
	if (output_is_json()) {
		status = cli_print_json(&ellu_experiment_type, reply->experiment);
	} else {
		results_print(stdout, reply->experiment);
		status = output_flush();
	}
	ellu_free(reply);
	return status;
}

int archive_import(struct cli *cli, const char *path)
{
	struct archive archive = { .cli = cli, .path = path, .names = json_object_new_object() };
	struct complaint complaint;
	int r = open_archive(&archive, &complaint);
	int status = r < 0 ? cli_fail_file(r, &complaint) : cli_connect(cli);

	if (status == 0 && !archive.experiment && cli->arguments.name)
		json_object_object_add(member_of(archive.manifest, "collection"), "name",
				       json_object_new_string(cli->arguments.name));
	if (status == 0)
		status = import_collection(&archive);
	if (status == 0 && archive.experiment) {
		archive.name = cli->arguments.name ? cli->arguments.name : text_of(archive.experiment, "name");
		status = import_experiment(&archive);
		if (status == 0 && archive.files[RESPONSES])
			status = import_answers(&archive);
		if (status == 0)
			status = finish(&archive);
		if (status == 0)
			status = show(&archive);
	}
	json_object_put(archive.manifest);
	json_object_put(archive.names);
	for (int i = 0; i < _MEMBER_MAX; i++)
		if (archive.files[i])
			fclose(archive.files[i]);
	return status;
}
