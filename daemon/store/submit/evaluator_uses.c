#include "daemon/store/submit/evaluator_uses.h"

#include <errno.h>
#include <string.h>

#include "daemon/store/resources/prompts/criterion.h"
#include "daemon/store/resources/identity.h"
#include "daemon/store/resources/configs/llm_config.h"
#include "daemon/store/resources/collections/placeholders.h"
#include "proto/generated/interface.h"

/* ---- Which they are ---- */

int uses_resolve(struct tx *tx, const struct scope *scope, const struct ellu_evaluator_use *const *items,
		 size_t n, struct evaluator_uses *ret_uses)
{
	const struct ellu_evaluator **evaluators = tx_array(tx, n, sizeof(*evaluators));
	size_t bytes = 0;
	int r = evaluators ? 0 : -ENOMEM;

	for (size_t i = 0; r >= 0 && i < n; i++)
		r = evaluator_resolve_next(tx, scope, items[i]->evaluator, &bytes, &evaluators[i]);
	*ret_uses = (struct evaluator_uses){ items, evaluators, n };
	return r;
}

int uses_of_run(struct tx *tx, int64_t run_id, struct evaluator_uses *ret_uses)
{
	struct tx_list measures = { 0 }, uses = { 0 }, evaluators = { 0 };
	int r = run_measures(tx, run_id, &measures);

	for (size_t i = 0; r >= 0 && i < measures.n; i++) {
		const struct run_measure *measure = measures.items[i];
		const struct ellu_evaluator *evaluator;
		const int64_t *id = measure->use ? measure->use->evaluator->id : NULL;

		if (!measure->use)
			continue;
		r = evaluator_load(tx, id ? *id : 0, measure->text, &evaluator);
		if (r >= 0)
			r = tx_append(tx, &uses, measure->use);
		if (r >= 0)
			r = tx_append(tx, &evaluators, evaluator);
	}
	*ret_uses = (struct evaluator_uses){ tx_list_items(tx, &uses), tx_list_items(tx, &evaluators), uses.n };
	return r;
}

/* ---- Measures ---- */

static int identify_config(struct tx *tx, const struct scope *scope, const struct ellu_ref *ref,
			   struct identity *identity)
{
	char of_config[IDENTITY_SIZE];
	struct ellu_llm_config *config;
	int64_t id;
	int r = resource_resolve(tx, &resource_llm_config, scope, ref, &id);

	if (r >= 0)
		r = llm_config_load(tx, id, &config, NULL);
	if (r >= 0)
		r = llm_config_identity(tx, config, of_config);
	if (r < 0)
		return r;
	identity_int(identity, id);
	identity_text(identity, of_config);
	return 0;
}

static int identify(struct tx *tx, const struct scope *scope, const struct ellu_evaluator *evaluator,
		    const struct ellu_evaluator_use *use, char ret_identity[static IDENTITY_SIZE])
{
	struct identity identity;
	int r = 0;

	identity_init(&identity);
	identity_int(&identity, evaluator->id ? *evaluator->id : 0);
	identity_text(&identity, evaluator->name);
	identity_int(&identity, evaluator->version ? *evaluator->version : 0);
	identity_int(&identity, evaluator->llm_config != NULL);
	if (evaluator->llm_config)
		r = identify_config(tx, scope, evaluator->llm_config, &identity);
	for (size_t i = 0; r >= 0 && i < evaluator->n_fallback_llm_configs; i++)
		r = identify_config(tx, scope, evaluator->fallback_llm_configs[i], &identity);
	if (r >= 0)
		r = identity_json(&identity, use->variables);
	identity_done(&identity, ret_identity);
	return r;
}

static const struct ellu_evaluator_use *pinned_use(struct tx *tx, const struct ellu_evaluator *evaluator,
						   const struct ellu_evaluator_use *use)
{
	struct ellu_evaluator_use *pinned = TX_RECORD(tx, struct ellu_evaluator_use);
	struct ellu_ref *ref = TX_RECORD(tx, struct ellu_ref);

	if (!pinned || !ref)
		return NULL;
	ref->id = evaluator->id;
	ref->name = evaluator->name;
	ref->version = evaluator->version;
	pinned->evaluator = ref;
	pinned->variables = use->variables;
	return pinned;
}

static int put_measure(struct tx *tx, const struct place *place, const struct scope *scope,
		       const struct ellu_evaluator *evaluator, const struct ellu_evaluator_use *use,
		       struct run_measure *measure)
{
	char identity[IDENTITY_SIZE];
	const char *rule;
	int r = identify(tx, scope, evaluator, use, identity);

	measure->text = evaluator->name;
	measure->use = pinned_use(tx, evaluator, use);
	measure->by_judge = evaluator->prompt && !evaluator->llm_config;
	if (r >= 0)
		r = measure->use ? tx_encode(tx, &ellu_evaluator_use_type, measure->use, &rule) : -ENOMEM;
	if (r >= 0)
		r = db_int(tx->db, &measure->id, "SELECT id FROM measures WHERE project_id = ?1 AND asks = ?2"
						 " AND criterion_id IS NULL", "is", place->project_id,
			   (const char *)identity);
	if (r == 0)
		r = db_insert(tx->db, &measure->id,
			      "INSERT INTO measures (owner_uid, project_id, text, rule, asks, by_judge)"
			      " VALUES (?1, ?2, ?3, ?4, ?5, ?6)", "iisssb", place->owner_uid,
			      place->project_id, evaluator->name, rule, (const char *)identity,
			      (int)measure->by_judge);
	return r < 0 ? r : 0;
}

int uses_measure(struct tx *tx, const struct place *place, const struct scope *scope,
		 const struct evaluator_uses *uses, struct tx_list *measures)
{
	const size_t n_criteria = measures->n;
	int r = 0;

	for (size_t i = 0; r >= 0 && i < uses->n; i++) {
		struct run_measure *measure = tx_alloc(tx, sizeof(*measure));

		r = measure ? put_measure(tx, place, scope, uses->evaluators[i], uses->items[i], measure) :
			      -ENOMEM;
		for (size_t k = n_criteria; r >= 0 && k < measures->n; k++)
			if (((const struct run_measure *)measures->items[k])->id == measure->id)
				return fault_invalid(tx->fault, tx_printf(tx, "evaluators[%zu]", i),
						     "each evaluator once, unless its variables differ");
		if (r >= 0)
			r = tx_append(tx, measures, measure);
	}
	return r;
}

/* ---- What they read ---- */

/* Without a column. */
static bool is_there(const struct use_source *source, const char *input, json_object *variables)
{
	if (json_object_object_get(variables, input) || strcmp(input, "response") == 0)
		return true;
	if (strcmp(input, "request") == 0)
		return source->has_request;
	if (strcmp(input, "tools") == 0)
		return source->has_tools;
	return source->generates && (strcmp(input, "duration_seconds") == 0 || strcmp(input, "cost") == 0 ||
				     strcmp(input, "finish_reason") == 0);
}

/* The columns that it needs, and the texts whose placeholders are more of them. */
static int find_columns(struct tx *tx, const struct ellu_evaluator *evaluator, const char *text,
			const struct use_source *source, struct tx_list *columns, struct tx_list *texts)
{
	json_object *variables = tx_parse(text ? text : "{}");
	int r = variables ? 0 : -ENOMEM;

	for (size_t i = 0; r >= 0 && i < evaluator->n_inputs; i++)
		if (!is_there(source, evaluator->inputs[i], variables))
			r = tx_append(tx, columns, evaluator->inputs[i]);
	if (r >= 0) {
		json_object_object_foreach(variables, name, value) {
			const char *copy = json_object_is_type(value, json_type_string) ?
						   tx_printf(tx, "%s", json_object_get_string(value)) : "";

			(void)name;
			if (r >= 0)
				r = copy ? tx_append(tx, texts, copy) : -ENOMEM;
		}
	}
	json_object_put(variables);
	return r;
}

static int check_use(struct tx *tx, const struct evaluator_uses *uses, size_t i,
		     const struct use_source *source, struct fault *rejected)
{
	const char *field = tx_printf(tx, "evaluators[%zu]", i);
	const char *within = tx_printf(tx, "evaluators[%zu].variables", i);
	struct tx_list columns = { 0 }, texts = { 0 };
	struct placeholders needed;
	int r = find_columns(tx, uses->evaluators[i], uses->items[i]->variables, source, &columns, &texts);

	if (r >= 0)
		r = placeholders_named(tx, (const char *const *)columns.items, columns.n, &needed);
	if (r >= 0)
		r = collection_need(tx, source->collection_id, source->former, &needed, field,
				    /* numbered= */ false, rejected);
	if (r >= 0)
		r = placeholders_of(tx, (const char *const *)texts.items, texts.n, &needed);
	return r < 0 ? r : collection_need(tx, source->collection_id, source->former, &needed, within,
					   /* numbered= */ false, rejected);
}

int uses_check(struct tx *tx, const struct evaluator_uses *uses, const struct use_source *source,
	       struct fault *rejected)
{
	int r = 0;

	for (size_t i = 0; r >= 0 && !rejected->code && i < uses->n; i++)
		r = check_use(tx, uses, i, source, rejected);
	return r;
}
