/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "daemon/store/criterion.h"
#include "daemon/store/llm_config.h"
#include "daemon/store/prompt_template.h"
#include "daemon/store/submit.h"
#include "daemon/store/task_submit.h"
#include "proto/template.h"

static int resolve_template(struct submission *s)
{
	const struct ellu_template_in *in = s->arguments->prompt_template;
	int r;

	if (!in)
		return 0;
	r = in->ref ? prompt_template_resolve(s->tx, &s->scope, in->ref, &s->template_id) :
		      prompt_template_put(s->tx, &s->place, in->content, s->update, &s->notes,
					  &s->template_id);
	return r < 0 ? r : prompt_template_load(s->tx, s->template_id, &s->template);
}

static int resolve_collection(struct submission *s)
{
	const struct ellu_collection_in *in = s->arguments->collection;
	int64_t id;
	int r;

	r = in->ref ? resource_resolve(s->tx, RESOURCE_COLLECTION, &s->scope, in->ref, &id) :
		      collection_put(s->tx, &s->place, in->content, &s->input->rows,
				     "collection.content", s->update, &s->notes, &id);
	return r < 0 ? r : collection_state(s->tx, id, &s->collection);
}

static int resolve_criteria(struct submission *s)
{
	const struct ellu_run_experiment_request *a = s->arguments;
	int r = 0;

	if (a->criteria)
		r = criterion_set_put(s->tx, &s->place, tx_printf(s->tx, "%s criteria", a->name),
				      a->criteria, a->n_criteria, s->update, &s->notes, &s->set_id);
	else if (a->criterion_set)
		r = resource_resolve(s->tx, RESOURCE_CRITERION_SET, &s->scope, a->criterion_set,
				     &s->set_id);
	if (r < 0 || s->set_id == 0)
		return r;
	return criterion_set_measures(s->tx, s->set_id, &s->measures);
}

static int resolve_config(struct submission *s, const struct ellu_llm_config_in *in,
			  const char *part, int64_t *ret_id)
{
	if (in->ref)
		return resource_resolve(s->tx, RESOURCE_LLM_CONFIG, &s->scope, in->ref, ret_id);
	return llm_config_put(s->tx, &s->place, in->content, tx_printf(s->tx, "%s.content", part),
			      s->update, &s->notes, ret_id);
}

static int resolve_configs(struct submission *s)
{
	const struct ellu_run_experiment_request *a = s->arguments;
	int64_t config_id = 0;
	int r;

	r = a->llm_config ? resolve_config(s, a->llm_config, "llm_config", &config_id) :
			    db_int(s->tx->db, &config_id, "SELECT default_llm_config_id FROM projects"
							  " WHERE id = ?1", "i", s->place.project_id);
	if (r < 0)
		return r;
	if (!a->response_column)
		s->config_id = config_id;
	if (a->rating_llm_config) {
		s->judge_field = "rating_llm_config";
		r = resolve_config(s, a->rating_llm_config, s->judge_field, &s->judge_config_id);
	} else if (s->measures.n > 0) {
		s->judge_field = "llm_config";
		r = db_int(s->tx->db, &s->judge_config_id,
			   "SELECT rating_llm_config_id FROM projects WHERE id = ?1", "i",
			   s->place.project_id);
		if (r == 0)
			s->judge_config_id = config_id;
	}
	if (s->measures.n == 0)
		s->judge_config_id = 0;
	if (r >= 0 && s->config_id)
		r = llm_config_load(s->tx, s->config_id, &s->config, NULL);
	if (r >= 0 && s->judge_config_id)
		r = llm_config_load(s->tx, s->judge_config_id, &s->judge_config, NULL);
	return r < 0 ? r : 0;
}

int submit_resolve(struct submission *s)
{
	int r;

	r = resolve_template(s);
	if (r >= 0)
		r = resolve_collection(s);
	if (r >= 0)
		r = resolve_criteria(s);
	if (r >= 0)
		r = resolve_configs(s);
	return r;
}

/* ---- What the state shows wrong ---- */

static int check_column(struct submission *s, const char *field, const char *name, size_t size)
{
	const char *column = arena_strndup(s->tx->arena, name, size);
	int r;

	if (!column)
		return -ENOMEM;
	r = collection_has_column(s->tx, s->collection.id, column);
	if (r != 0 || s->rejected.code)
		return r < 0 ? r : 0;
	fault_invalid(&s->rejected, field, "only columns of the collection '%s'; '%s' is none of them",
		      s->collection.name, column);
	return 0;
}

struct placeholder_check {
	struct submission *s;
	const char *field;
};

static int on_placeholder(void *userdata, const char *name, size_t size)
{
	struct placeholder_check *check = userdata;

	return check_column(check->s, check->field, name, size);
}

static int check_columns(struct submission *s)
{
	const char *column = s->arguments->response_column;
	int r = 0;

	for (size_t i = 0; s->template && r >= 0 && i < s->template->n_placeholders; i++)
		r = check_column(s, "prompt_template", s->template->placeholders[i],
				 strlen(s->template->placeholders[i]));
	for (size_t i = 0; r >= 0 && i < s->measures.n; i++) {
		const struct run_measure *measure = s->measures.items[i];
		struct placeholder_check check = {
			.s = s,
			.field = s->arguments->criteria ? tx_printf(s->tx, "criteria[%zu]", i) :
							  "criterion_set",
		};

		if (check.field)
			r = template_scan(measure->text, on_placeholder, &check);
	}
	if (r >= 0 && column)
		r = check_column(s, "response_column", column, strlen(column));
	return r;
}

int submit_check_key(struct submission *s, int64_t config_id, const char *part)
{
	return task_submit_check_key(s->tx, config_id, part, &s->rejected);
}

int submit_check_state(struct submission *s)
{
	const int64_t *limit = s->arguments->row_limit;
	int r;

	s->total_cases = s->collection.variables_count;
	if (limit && *limit < s->total_cases)
		s->total_cases = *limit;
	if (s->total_cases == 0)
		fault_invalid(&s->rejected, "collection", "a collection with rows; '%s' is empty",
			      s->collection.name);
	else if (!s->arguments->response_column && !s->config)
		fault_invalid(&s->rejected, "llm_config", "a config, since the project has no default");
	else if (s->measures.n > 0 && !s->judge_config)
		fault_invalid(&s->rejected, "rating_llm_config", "a config to judge with");
	if (s->rejected.code)
		return 0;
	r = check_columns(s);
	if (r >= 0)
		r = submit_check_key(s, s->config_id, "llm_config");
	if (r >= 0)
		r = submit_check_key(s, s->judge_config_id, s->judge_field);
	return r;
}
