#include "daemon/store/resources/evaluators/evaluator.h"

#include <string.h>

#include "daemon/store/engine/store_internal.h"
#include "daemon/store/resources/collections/columns.h"
#include "daemon/store/resources/configs/llm_config.h"
#include "daemon/store/resources/projects/project.h"
#include "daemon/store/resources/versions.h"
#include "proto/content/template.h"
#include "proto/generated/interface.h"
#include "proto/limits.h"

static const struct versioned versioned;

/* ---- Inputs ---- */

/* What the prompt names, in the order of its first words on it. */
static int read_inputs(struct tx *tx, const struct ellu_evaluator *evaluator,
		       const char *const **ret_inputs, size_t *ret_n_inputs)
{
	const struct ellu_message prompt = { .struct_size = sizeof(prompt), .content = evaluator->prompt };
	const struct ellu_message *const messages[] = { &prompt };

	return template_placeholders(messages, 1, tx->arena, ret_inputs, ret_n_inputs);
}

static bool is_there(const struct record_type *type, const void *record, const char *input,
		     json_object *variables)
{
	static const char *const named[] = { "request", "response", "contexts", "expected_output", "tools" };

	for (size_t i = 0; i < sizeof(named) / sizeof(named[0]); i++)
		if (strcmp(named[i], input) == 0)
			return record_member(type, record, input);
	return json_object_object_get(variables, input);
}

int evaluator_check_inputs(struct tx *tx, const struct ellu_evaluator *evaluator, const char *path,
			   const struct record_type *type, const void *record)
{
	const char *text = record_member(type, record, "variables");
	json_object *variables = tx_parse(text ? text : "{}");
	int r = variables ? 0 : -ENOMEM;

	for (size_t i = 0; r >= 0 && i < evaluator->n_inputs; i++) {
		const char *input = evaluator->inputs[i];

		if (is_there(type, record, input, variables))
			continue;
		r = fault_invalid(tx->fault, tx_printf(tx, "%s%s%s", path,
						       record_field_find(type, input) ? "" : "variables.",
						       input),
				  "a value, since the evaluator '%s' has it for an input", evaluator->name);
	}
	json_object_put(variables);
	return r;
}

/* ---- Content ---- */

static int load(struct tx *tx, int64_t id, void *ret_evaluator)
{
	struct ellu_evaluator *evaluator;
	int r = version_load(tx, &versioned, id, &evaluator);

	if (r >= 0)
		r = read_inputs(tx, evaluator, &evaluator->inputs, &evaluator->n_inputs);
	if (r < 0)
		return r;
	evaluator->kind = "model";
	memcpy(ret_evaluator, &evaluator, sizeof(evaluator));
	return 0;
}

VERSIONED_FUNCTIONS(struct ellu_evaluator)

/* ---- Built in ---- */

static int load_built_in(struct tx *tx, const struct catalogue_entry *entry,
			 const struct ellu_evaluator **ret_evaluator)
{
	struct ellu_evaluator *evaluator = TX_RECORD(tx, struct ellu_evaluator);

	if (!evaluator)
		return -ENOMEM;
	evaluator->name = entry->name;
	evaluator->version = tx_int_value(tx, catalogue_version(tx->store->options.catalogue));
	evaluator->intent = entry->intent;
	evaluator->kind = "builtin";
	evaluator->prompt = entry->prompt;
	evaluator->inputs = (const char *const *)entry->inputs;
	evaluator->n_inputs = entry->n_inputs;
	*ret_evaluator = evaluator;
	return evaluator->version ? 0 : -ENOMEM;
}

static int built_in(struct tx *tx, size_t number, const void **ret_record)
{
	const struct catalogue *catalogue = tx->store->options.catalogue;
	const struct catalogue_entry *entry = catalogue ? catalogue_at(catalogue, number) : NULL;
	const struct ellu_evaluator *evaluator;
	int r = entry ? load_built_in(tx, entry, &evaluator) : 0;

	if (r < 0 || !entry)
		return r;
	*ret_record = evaluator;
	return 1;
}

/* NULL: there is none of that name, or not in that version. */
static const struct catalogue_entry *find_built_in(struct tx *tx, const char *name, const int64_t *version)
{
	const struct catalogue *catalogue = tx->store->options.catalogue;

	if (!catalogue || !name || (version && *version != catalogue_version(catalogue)))
		return NULL;
	return catalogue_find(catalogue, name);
}

static bool is_built_in(struct tx *tx, const struct ellu_ref *ref)
{
	return find_built_in(tx, ref->name, ref->version);
}

const struct catalogue_entry *evaluator_built_in(struct tx *tx, const struct ellu_evaluator *evaluator)
{
	return evaluator->id ? NULL : find_built_in(tx, evaluator->name, evaluator->version);
}

/* What a Ref names, in the version that it says or the latest: one of the user's own goes before one that
 * came with the daemon. */
static int evaluator_resolve(struct tx *tx, const struct scope *scope, const struct ellu_ref *ref,
			     const struct ellu_evaluator **ret_evaluator)
{
	const struct catalogue_entry *entry = find_built_in(tx, ref->name, ref->version);
	int64_t id;
	int r = entry ? find_ref(tx, scope, ref, &id) : 0;

	if (entry && r == 0)
		return load_built_in(tx, entry, ret_evaluator);
	if (r >= 0)
		r = resource_resolve(tx, &resource_evaluator, scope, ref, &id);
	return r < 0 ? r : load(tx, id, ret_evaluator);
}

int evaluator_resolve_next(struct tx *tx, const struct scope *scope, const struct ellu_ref *ref,
			   size_t *bytes, const struct ellu_evaluator **ret_evaluator)
{
	int r = evaluator_resolve(tx, scope, ref, ret_evaluator);

	if (r < 0)
		return r;
	*bytes += record_text_bytes(&ellu_evaluator_type, *ret_evaluator);
	return *bytes <= EVALUATORS_BYTES_MAX ?
		       0 :
		       fault_too_large(tx->fault, EVALUATORS_BYTES_MAX, "the evaluators together");
}

int evaluator_load(struct tx *tx, int64_t id, const char *name,
		   const struct ellu_evaluator **ret_evaluator)
{
	const struct catalogue_entry *entry = id ? NULL : find_built_in(tx, name, NULL);

	if (entry)
		return load_built_in(tx, entry, ret_evaluator);
	return id ? load(tx, id, ret_evaluator) : fault_not_found(tx->fault, "evaluator", name, 0);
}

static int check_prompt(struct tx *tx, const struct ellu_evaluator *evaluator, const char *path)
{
	const char *field = tx_printf(tx, "%s.prompt", path);
	const char *const *inputs;
	size_t n = 0;
	int r = 0;

	if (evaluator->prompt)
		r = read_inputs(tx, evaluator, &inputs, &n);
	if (r >= 0 && n == 0)
		return fault_invalid(tx->fault, field, "what is to be judged, with a placeholder such as "
				     "{{response}} for what is scored");
	return r < 0 || n <= COLUMNS_MAX ? r : fault_invalid(tx->fault, field,
							     "at most %d different placeholders", COLUMNS_MAX);
}

static int check_configs(struct tx *tx, const struct place *place,
			 const struct ellu_evaluator *evaluator)
{
	struct scope scope;
	int64_t id;
	int r = scope_of_project(tx, place->project_id, &scope);

	if (r >= 0 && evaluator->llm_config)
		r = resource_resolve(tx, &resource_llm_config, &scope, evaluator->llm_config, &id);
	for (size_t i = 0; r >= 0 && i < evaluator->n_fallback_llm_configs; i++)
		r = resource_resolve(tx, &resource_llm_config, &scope, evaluator->fallback_llm_configs[i],
				     &id);
	return r;
}

static int check(struct tx *tx, const struct place *place, int64_t id, const void *content,
		 const char *path)
{
	const struct ellu_evaluator *evaluator = content;
	int r = check_prompt(tx, evaluator, path);

	(void)id;
	if (r >= 0 && find_built_in(tx, evaluator->name, NULL))
		return fault_conflict(tx->fault, "evaluator", evaluator->name, 0,
				      "one of that name is built in");
	for (size_t i = 0; r >= 0 && i < evaluator->n_demonstrations; i++)
		if (!evaluator->demonstrations[i]->request && !evaluator->demonstrations[i]->response)
			r = fault_invalid(tx->fault, tx_printf(tx, "%s.demonstrations[%zu]", path, i),
					  "a request, a response, or both");
	return r < 0 ? r : check_configs(tx, place, evaluator);
}

static int content_read(struct tx *tx, const struct ellu_evaluator *evaluator, const char *path,
			struct version_content *ret_content)
{
	struct ellu_evaluator copy = *evaluator;

	copy.id = copy.version = copy.created_at = copy.updated_at = NULL;
	copy.kind = NULL;
	copy.inputs = NULL;
	copy.n_inputs = 0;
	/* None and an empty list of them are the same. */
	copy.demonstrations = copy.n_demonstrations > 0 ? copy.demonstrations : NULL;
	copy.fallback_llm_configs = copy.n_fallback_llm_configs > 0 ? copy.fallback_llm_configs : NULL;
	if (record_text_bytes(&ellu_evaluator_type, &copy) > TEMPLATE_BYTES_MAX)
		return fault_too_large(tx->fault, TEMPLATE_BYTES_MAX, path);
	return version_content_read(tx, &versioned, &copy, ret_content);
}

const struct resource resource_evaluator = {
	.name = "evaluator",
	.noun = "an evaluator",
	.type = &ellu_evaluator_type,
	.letter = 'u',
	VERSIONED_RESOURCE("evaluators"),
	.live = "SELECT t.id FROM tasks t CROSS JOIN run_evaluators e ON e.run_id = t.run_id"
		" WHERE t.finished_at IS NULL AND e.evaluator_id = ?1 LIMIT 1",
	.load = load,
	.built_in = built_in,
	.is_built_in = is_built_in,
	.check = check,
};

static const struct versioned versioned = {
	.resource = &resource_evaluator,
	.live = "SELECT t.id FROM tasks t CROSS JOIN run_evaluators e ON e.run_id = t.run_id"
		" CROSS JOIN evaluators v ON v.id = e.evaluator_id"
		" WHERE t.finished_at IS NULL AND v.project_id = ?1 AND v.name = ?2 LIMIT 1",
	.versions = {
		.name = "evaluator",
		.type = &ellu_evaluator_type,
		.letter = 'w',
		VERSIONED_LIST("evaluators"),
		.load = load,
	},
	VERSIONED_STATEMENTS("evaluators"),
};

/* ---- Operations of methods ---- */

static int list_one(struct tx *tx, struct method_run *op, const struct ellu_evaluator *evaluator)
{
	struct page page;
	int r = page_begin(tx, op, resource_evaluator.letter, &page);

	if (r >= 0)
		r = page_add(tx, &page, &ellu_evaluator_type, evaluator, evaluator->name, 0);
	return r < 0 ? r : page_end(tx, &page, 1);
}

int evaluators_list(struct tx *tx, struct method_run *op)
{
	const struct ellu_list_evaluators_request *request = op->arguments;
	const struct ellu_ref ref = { .struct_size = sizeof(ref), .name = request->name };
	const struct ellu_evaluator *evaluator;
	int r = 0;

	if (find_built_in(tx, request->name, NULL) && !op->request.state)
		r = evaluator_resolve(tx, &op->scope, &ref, &evaluator);
	else
		return versions_list(tx, op, &versioned);
	return r < 0 ? r : evaluator->id ? versions_list(tx, op, &versioned) : list_one(tx, op, evaluator);
}

int evaluator_get(struct tx *tx, struct method_run *op)
{
	const struct ellu_get_evaluator_request *request = op->arguments;
	struct ellu_get_evaluator_reply *reply = method_reply(tx, op);

	return reply ? evaluator_resolve(tx, &op->scope, request->evaluator, &reply->evaluator) : -ENOMEM;
}

int evaluator_delete(struct tx *tx, struct method_run *op)
{
	return versions_delete(tx, op, &versioned);
}
