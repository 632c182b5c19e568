#include <errno.h>

#include "daemon/store/resources/collections/collection.h"
#include "daemon/store/resources/collections/columns.h"
#include "daemon/store/resources/prompts/criterion.h"
#include "daemon/store/resources/configs/llm_config.h"
#include "daemon/store/resources/collections/placeholders.h"
#include "daemon/store/resources/prompts/prompt_template.h"
#include "daemon/store/runs/evaluators.h"
#include "daemon/store/runs/run_configs.h"
#include "daemon/store/submit/experiment_submit.h"
#include "proto/generated/interface.h"
#include "proto/provider.h"

#define TOOL_ROUNDS_DEFAULT 10 // of the interface

static int resolve_template(struct submission *s)
{
	const struct ellu_template_in *in = s->arguments->prompt_template;
	int64_t *id = &s->run.prompt_template_id;
	int r;

	if (!in)
		return 0;
	r = in->ref ? resource_resolve(s->tx, &resource_prompt_template, &s->scope, in->ref, id) :
		      resource_put(s->tx, &resource_prompt_template, &s->place, in->content,
				   s->input->template, "prompt_template.content", s->update, &s->notes,
				   id);
	return r < 0 ? r : prompt_template_load(s->tx, *id, &s->template);
}

static int resolve_collection(struct submission *s)
{
	const struct ellu_collection_in *in = s->arguments->collection;
	int64_t id;
	int r;

	r = in->ref ? resource_resolve(s->tx, &resource_collection, &s->scope, in->ref, &id) :
		      resource_put(s->tx, &resource_collection, &s->place, in->content,
				   &s->input->rows, "collection.content", s->update, &s->notes, &id);
	if (r >= 0)
		r = collection_state(s->tx, id, &s->collection);
	if (r >= 0)
		r = collection_input(s->tx, id, &s->run.input_column, &s->run.input_type);
	return r < 0 ? r : 0;
}

static int resolve_criteria(struct submission *s)
{
	const struct ellu_run_experiment_request *a = s->arguments;
	struct criteria criteria = { a->measures, a->n_measures };
	int r = 0;

	if (a->criteria)
		r = criteria_of_texts(s->tx, a->criteria, a->n_criteria, &criteria);
	if (r < 0)
		return r;
	if (criteria.items && s->fits_criteria)
		r = criterion_set_fit(s->tx, &s->place, a->name, &criteria, &s->run.criterion_set_id);
	else if (criteria.items)
		r = criterion_set_put(s->tx, &s->place, tx_printf(s->tx, "%s criteria", a->name),
				      &criteria, s->update, &s->notes, &s->run.criterion_set_id);
	else if (a->criterion_set)
		r = resource_resolve(s->tx, &resource_criterion_set, &s->scope, a->criterion_set,
				     &s->run.criterion_set_id);
	else if (s->template)
		r = criterion_set_linked(s->tx, s->run.prompt_template_id, &s->run.criterion_set_id);
	if (r < 0 || s->run.criterion_set_id == 0)
		return r;
	return criterion_set_measures(s->tx, s->run.criterion_set_id, &s->measures);
}

static int resolve_evaluators(struct submission *s)
{
	const struct ellu_run_experiment_request *a = s->arguments;
	int r = 0;

	if (a->n_evaluators > 0)
		r = uses_resolve(s->tx, &s->scope, a->evaluators, a->n_evaluators, &s->uses);
	return r < 0 ? r : uses_measure(s->tx, &s->place, &s->scope, &s->uses, &s->measures);
}

static int resolve_config(struct submission *s, const struct ellu_llm_config_in *in,
			  const char *part, int64_t *ret_id)
{
	return llm_config_take(s->tx, &s->scope, &s->place, in, part, s->update, &s->notes, ret_id);
}

/* The i-th judge is that config. */
static int add_judge(struct submission *s, int64_t config_id)
{
	return llm_config_load(s->tx, config_id, &s->judge_configs[s->n_judges++], NULL);
}

static int resolve_judges(struct submission *s, int64_t config_id)
{
	const struct ellu_run_experiment_request *a = s->arguments;
	int64_t id = config_id, project_id;
	bool is_default = false;
	int r = 0;

	s->judge_field = a->rating_llm_configs ? "rating_llm_configs" :
			 a->rating_llm_config  ? "rating_llm_config" : "llm_config";
	if (a->rating_llm_config)
		r = resolve_config(s, a->rating_llm_config, s->judge_field, &id);
	for (size_t i = 0; r >= 0 && i < a->n_rating_llm_configs; i++) {
		r = resolve_config(s, a->rating_llm_configs[i],
				   tx_printf(s->tx, "rating_llm_configs[%zu]", i), &id);
		if (r >= 0)
			r = panel_check(s->tx, s->judge_configs, s->n_judges, id);
		if (r >= 0 && measures_need_judge(&s->measures))
			r = add_judge(s, id);
	}
	if (r < 0 || a->rating_llm_configs || !measures_need_judge(&s->measures))
		return r;
	if (!a->rating_llm_config) {
		r = db_int(s->tx->db, &project_id, "SELECT rating_llm_config_id FROM projects WHERE id = ?1",
			   "i", s->place.project_id);
		is_default = r == 0 && !a->llm_config;
		id = r > 0 ? project_id : config_id;
	}
	if (r >= 0 && id)
		r = add_judge(s, id);
	if (r >= 0 && id && is_default && a->response_column)
		r = judges_note_simulated(s->tx, &s->notes, s->judge_configs[0]);
	return r;
}

/* That answer where the config cannot. */
static int resolve_fallbacks(struct submission *s)
{
	const struct ellu_run_experiment_request *a = s->arguments;
	int r = 0;

	for (size_t i = 0; r >= 0 && i < a->n_fallback_llm_configs; i++) {
		r = resolve_config(s, a->fallback_llm_configs[i], tx_printf(s->tx, "fallback_llm_configs[%zu]", i),
				   &s->fallback_ids[i]);
		if (r >= 0)
			r = llm_config_load(s->tx, s->fallback_ids[i], &s->fallbacks[i], NULL);
	}
	s->n_fallbacks = a->n_fallback_llm_configs;
	return r < 0 ? r : 0;
}

static int resolve_configs(struct submission *s)
{
	const struct ellu_run_experiment_request *a = s->arguments;
	int64_t config_id = 0;
	int r;

	r = resolve_config(s, a->llm_config, "llm_config", &config_id);
	if (r < 0)
		return r;
	if ((a->prompt_template || s->run.input_column) && !a->response_column)
		s->run.config_id = config_id;
	r = resolve_judges(s, config_id);
	if (r >= 0 && s->run.config_id)
		r = llm_config_load(s->tx, s->run.config_id, &s->config, NULL);
	if (r >= 0 && s->run.config_id)
		r = resolve_fallbacks(s);
	return r < 0 ? r : 0;
}

int parts_resolve(struct submission *s)
{
	int r;

	r = resolve_template(s);
	if (r >= 0)
		r = resolve_collection(s);
	if (r >= 0)
		r = resolve_criteria(s);
	if (r >= 0)
		r = resolve_evaluators(s);
	if (r >= 0)
		r = resolve_configs(s);
	return r;
}

/* ---- What the state shows wrong ---- */

/* Of the criteria, and before them of the template. */
static int check_placeholders(struct submission *s)
{
	const bool is_inline = s->arguments->criteria || s->arguments->measures;
	const char *field = s->arguments->measures ? "measures" : is_inline ? "criteria" : "criterion_set";
	struct placeholders needed;
	const char *const *texts;
	int r = 0;

	if (s->template) {
		r = placeholders_named(s->tx, s->template->placeholders,
				       s->template->n_placeholders, &needed);
		if (r >= 0)
			r = collection_need(s->tx, s->collection.id, /* former= */ false, &needed,
					    "prompt_template", /* numbered= */ false, &s->rejected);
	}
	if (r >= 0)
		r = measures_texts(s->tx, &s->measures, &texts);
	if (r >= 0)
		r = placeholders_of(s->tx, texts, s->measures.n, &needed);
	return r < 0 ? r : collection_need(s->tx, s->collection.id, /* former= */ false, &needed,
					   field, is_inline, &s->rejected);
}

static int check_columns(struct submission *s)
{
	const char *column = s->arguments->response_column;
	const struct use_source source = {
		.collection_id = s->collection.id,
		.has_request = s->template || s->run.input_column,
		.has_tools = s->template && s->template->n_tools > 0,
		.generates = !column,
	};
	int r = check_placeholders(s);

	if (r >= 0)
		r = uses_check(s->tx, &s->uses, &source, &s->rejected);
	if (r >= 0 && column)
		r = collection_need_column(s->tx, s->collection.id, "response_column", column,
					   &s->rejected);
	column = s->arguments->tool_results;
	if (r >= 0 && column)
		r = collection_need_column(s->tx, s->collection.id, "tool_results", column, &s->rejected);
	return r;
}

static int check_config(struct submission *s, const struct ellu_llm_config *config,
			const char *part)
{
	return task_submit_check_config(s->tx, &s->op->scope, s->place.project_id, config, part,
					s->arguments->cost_limit, &s->rejected);
}

int parts_check(struct submission *s)
{
	const int64_t *limit = s->arguments->row_limit;
	int r;

	s->run.total_cases = s->collection.variables_count;
	if (limit && *limit < s->run.total_cases)
		s->run.total_cases = *limit;
	if (s->run.total_cases == 0)
		fault_invalid(&s->rejected, "collection", "a collection with rows; '%s' is empty",
			      s->collection.name);
	else if ((s->template || s->run.input_column) && !s->arguments->response_column && !s->config)
		fault_invalid(&s->rejected, "llm_config", "a config, since the project has no default");
	else if (measures_need_judge(&s->measures) && s->n_judges == 0)
		fault_invalid(&s->rejected, "rating_llm_config", "a config to judge with");
	else if (!s->template && !s->arguments->response_column && !s->run.input_column &&
		 !s->runs_later)
		fault_invalid(&s->rejected, "prompt_template", "a prompt template: '%s' has no column of "
			      "type conversation or raw_input, and no response_column says where answers are",
			      s->collection.name);
	else if (s->arguments->tool_results && (!s->template || s->template->n_tools == 0))
		fault_invalid(&s->rejected, "prompt_template", "a prompt template with tools, whose results the "
			      "column '%s' has", s->arguments->tool_results);
	else if (s->arguments->batch && s->config && !provider_find(s->config->provider)->batch_price_percent)
		fault_invalid(&s->rejected, "batch", "nothing, since the provider %s takes no batches",
			      s->config->provider);
	if (s->rejected.code)
		return 0;
	r = check_columns(s);
	if (r >= 0)
		r = check_config(s, s->config, "llm_config");
	for (size_t i = 0; r >= 0 && i < s->n_fallbacks; i++)
		r = check_config(s, s->fallbacks[i], tx_printf(s->tx, "fallback_llm_configs[%zu]", i));
	for (size_t i = 0; r >= 0 && i < s->n_judges; i++)
		r = check_config(s, s->judge_configs[i], s->judge_field);
	return r;
}

/* ---- The pin ---- */

static int pin_config(struct submission *s)
{
	struct ellu_llm_config snapshot;

	if (!s->config)
		return 0;
	snapshot = *s->config;
	snapshot.api_key = NULL;
	return tx_encode(s->tx, &ellu_llm_config_type, &snapshot, &s->run.config_snapshot);
}

static int identify_answers(struct submission *s)
{
	const struct ellu_llm_config *configs[1 + FALLBACKS_MAX];
	size_t n = 0;

	if (s->config)
		configs[n++] = s->config;
	for (size_t i = 0; i < s->n_fallbacks; i++)
		configs[n++] = s->fallbacks[i];
	return experiment_answer_identity(s->tx, &s->run, configs, n, s->answer_identity);
}

int parts_pin(struct submission *s)
{
	const struct ellu_run_experiment_request *a = s->arguments;
	struct run_row *run = &s->run;
	int r;

	run->owner_uid = s->place.owner_uid;
	run->project_id = s->place.project_id;
	run->collection_id = s->collection.id;
	run->first_sequence = s->collection.first_sequence;
	run->last_sequence = s->collection.last_sequence;
	run->rows_identity = s->collection.rows_identity;
	run->row_limit = a->row_limit ? *a->row_limit : 0;
	run->n_epochs = a->n_epochs;
	run->response_column = a->response_column;
	run->response_cache = a->response_cache && s->config;
	run->batch = a->batch && s->config;
	run->tool_results = a->tool_results;
	if (a->tool_results)
		run->tool_rounds = a->tool_rounds ? *a->tool_rounds : TOOL_ROUNDS_DEFAULT;
	run->rating_mode = a->rating_mode;
	run->rating_version = a->rating_version;
	r = pin_config(s);
	if (r >= 0 && !run->rating_version)
		r = project_rating_version(s->tx, run->project_id, &run->rating_version);
	if (r >= 0)
		r = tx_encode(s->tx, &ellu_generation_params_type, a->generation_params,
			      &run->generation_params);
	if (r >= 0 && s->n_judges > 0)
		r = judges_put(s->tx, &s->place, s->judge_configs, s->n_judges, a->rating_mode,
			       run->rating_version, a->rating_reduction, &run->judge_id);
	else if (r >= 0 && s->measures.n > 0)
		r = judge_of_checks(s->tx, &s->place, &run->judge_id);
	if (r >= 0)
		r = collection_defaults(s->tx, run->collection_id, &run->column_defaults);
	if (r >= 0)
		r = identify_answers(s);
	if (r < 0)
		return r;
	experiment_identity(run, s->answer_identity, &s->measures, s->identity);
	return 0;
}

int parts_insert(struct submission *s, const char *name, int64_t family_number, int64_t *ret_id)
{
	int r = run_insert(s->tx, &s->run, &s->measures, &s->run.id);

	if (r >= 0 && s->uses.n > 0)
		r = run_uses_pin(s->tx, &s->run, &s->scope, s->judge_configs, s->n_judges,
				 s->uses.evaluators, s->uses.n);
	if (r >= 0)
		r = run_fallbacks_pin(s->tx, &s->run, s->fallback_ids, s->n_fallbacks);
	if (r >= 0)
		r = db_insert(s->tx->db, ret_id,
			      "INSERT INTO experiments (owner_uid, project_id, name, family, family_number,"
			      " description, run_id, identity, answer_identity, source_experiment_id,"
			      " created_at, updated_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9,"
			      " nullif(?10, 0), ?11, ?11)",
			      "iissisissii", s->place.owner_uid, s->place.project_id, name,
			      s->arguments->name, family_number, s->arguments->description, s->run.id,
			      (const char *)s->identity, (const char *)s->answer_identity, s->source_id,
			      s->tx->now);
	return r;
}
