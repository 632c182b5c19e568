#include "daemon/store/runs/evaluators.h"

#include <errno.h>
#include <stdio.h>

#include "daemon/store/resources/evaluators/evaluator.h"
#include "daemon/store/resources/configs/llm_config.h"
#include "daemon/store/runs/run_configs.h"
#include "proto/generated/interface.h"

/* ---- Pinning ---- */

struct pin {
	struct tx *tx;
	const struct run_row *run;
	const struct scope *scope;
	struct place place;
	int64_t instead; // a config; 0: none
	int64_t otherwise; // where neither an evaluator nor the project names one; 0: the project's default
	struct ellu_llm_config *const *judges; // asked where nothing is said; NULL: that of the project
	size_t n_judges;
	int64_t configs[RUN_CONFIGS_MAX];
	size_t n_configs;
	int64_t n_evaluators;
};

static int pin_new_config(struct pin *pin, int64_t id)
{
	const struct ellu_llm_config *judge = NULL;
	int r;

	for (size_t i = 0; !judge && i < pin->n_judges; i++)
		judge = *pin->judges[i]->id == id ? pin->judges[i] : NULL;
	r = judge ? run_config_put(pin->tx, pin->run, ASKED_BY_EVALUATORS, pin->n_configs, judge) :
		    run_config_pin(pin->tx, pin->run, ASKED_BY_EVALUATORS, pin->n_configs, id);
	if (r >= 0)
		pin->configs[pin->n_configs++] = id;
	return r;
}

/* Behind the positions in `list`, which is the inside of a JSON array. */
static int pin_config(struct pin *pin, int64_t id, const char **list)
{
	size_t i = 0;
	int r = 0;

	while (i < pin->n_configs && pin->configs[i] != id)
		i++;
	if (i == pin->n_configs)
		r = pin_new_config(pin, id);
	*list = tx_printf(pin->tx, "%s%s%zu", *list, **list ? "," : "", i);
	return r < 0 ? r : *list ? 0 : -ENOMEM;
}

static int pin_ref(struct pin *pin, const struct ellu_ref *ref, const char **list)
{
	int64_t id;
	int r = resource_resolve(pin->tx, &resource_llm_config, pin->scope, ref, &id);

	return r < 0 ? r : pin_config(pin, id, list);
}

/* That judges where nothing is said. */
static int pin_default(struct pin *pin, const char **list)
{
	int64_t id;
	int r = 0;

	for (size_t i = 0; r >= 0 && i < pin->n_judges; i++)
		r = pin_config(pin, *pin->judges[i]->id, list);
	if (r < 0 || pin->judges)
		return r;
	r = db_int(pin->tx->db, &id, "SELECT coalesce(rating_llm_config_id, nullif(?2, 0), default_llm_config_id)"
				     " FROM projects WHERE id = ?1", "ii", pin->run->project_id, pin->otherwise);
	return r <= 0 ? r : pin_config(pin, id, list);
}

/* Without a prompt no model is asked. */
static int pin_configs(struct pin *pin, const struct ellu_evaluator *evaluator, const char **list)
{
	int r = 0;

	*list = "";
	if (!evaluator->prompt)
		return 0;
	if (pin->instead)
		return pin_config(pin, pin->instead, list);
	r = evaluator->llm_config ? pin_ref(pin, evaluator->llm_config, list) : pin_default(pin, list);
	for (size_t i = 0; r >= 0 && i < evaluator->n_fallback_llm_configs; i++)
		r = pin_ref(pin, evaluator->fallback_llm_configs[i], list);
	return r;
}

static int pin_evaluator(struct pin *pin, const struct ellu_evaluator *evaluator)
{
	struct tx *tx = pin->tx;
	const char *list;
	int r = pin_configs(pin, evaluator, &list);

	return r < 0 ? r : db_run(tx->db,
				  "INSERT INTO run_evaluators (run_id, position, owner_uid, project_id,"
				  " evaluator_id, name, configs) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
				  "iiiiIss", pin->run->id, pin->n_evaluators++, pin->run->owner_uid,
				  pin->run->project_id, evaluator->id, evaluator->name,
				  tx_printf(tx, "[%s]", list));
}

/* What is there already. */
static int begin(struct pin *pin)
{
	int r = run_configs_ids(pin->tx, pin->run->id, pin->configs, &pin->n_configs);

	return r < 0 ? r : db_int(pin->tx->db, &pin->n_evaluators,
				  "SELECT count(*) FROM run_evaluators WHERE run_id = ?1", "i", pin->run->id);
}

int run_evaluators_pin(struct tx *tx, const struct run_row *run, const struct scope *scope,
		       const struct ellu_llm_config_in *instead,
		       const struct evaluator_list *evaluators, struct notes *notes)
{
	const struct place place = { .owner_uid = run->owner_uid, .project_id = run->project_id,
				     .administers = scope->administers };
	struct pin pin = { .tx = tx, .run = run, .scope = scope, .place = place,
			   .otherwise = evaluators->config_id };
	int r = begin(&pin);

	if (r >= 0 && instead)
		r = llm_config_take(tx, scope, &place, instead, "llm_config", /* may_update= */ false, notes,
				    &pin.instead);
	for (size_t i = 0; r >= 0 && i < evaluators->n; i++)
		r = pin_evaluator(&pin, evaluators->items[i]);
	if (r >= 0 && evaluators->judge_id)
		r = db_run(tx->db, "UPDATE runs SET evaluator_set_id = ?2 WHERE id = ?1", "ii", run->id,
			   evaluators->judge_id);
	return r < 0 ? r : 0;
}

int run_uses_pin(struct tx *tx, const struct run_row *run, const struct scope *scope,
		 struct ellu_llm_config *const *judges, size_t n_judges,
		 const struct ellu_evaluator *const *evaluators, size_t n)
{
	struct pin pin = { .tx = tx, .run = run, .scope = scope, .judges = judges, .n_judges = n_judges };
	int r = 0;

	for (size_t i = 0; r >= 0 && i < n; i++)
		r = pin_evaluator(&pin, evaluators[i]);
	return r < 0 ? r : 0;
}

int run_uses_take_over(struct tx *tx, int64_t run_id, int64_t from_id)
{
	static const char *const statements[] = {
		"DELETE FROM run_evaluators WHERE run_id = ?1 AND ?2",
		"DELETE FROM run_configs WHERE run_id = ?1 AND answers = 0 AND ?2",
		"INSERT INTO run_configs (run_id, answers, position, owner_uid, project_id, llm_config_id, snapshot)"
		" SELECT ?1, answers, position, owner_uid, project_id, llm_config_id, snapshot FROM run_configs"
		" WHERE run_id = ?2 AND answers = 0",
		"INSERT INTO run_evaluators (run_id, position, owner_uid, project_id, evaluator_id, name,"
		" configs) SELECT ?1, position, owner_uid, project_id, evaluator_id, name, configs"
		" FROM run_evaluators WHERE run_id = ?2",
	};
	int r = 0;

	for (size_t i = 0; r >= 0 && i < sizeof(statements) / sizeof(statements[0]); i++)
		r = db_run(tx->db, statements[i], "ii", run_id, from_id);
	return r < 0 ? r : 0;
}

/* ---- Loading ---- */

int run_judge_load(struct tx *tx, int64_t run_id, int64_t *ret_id, const char **ret_name)
{
	QUERY q = NULL;
	int r;

	r = db_row(tx->db, &q, "SELECT s.id, s.name FROM runs n CROSS JOIN evaluator_sets s"
			       " ON s.id = n.evaluator_set_id WHERE n.id = ?1", "i", run_id);
	if (r <= 0)
		return r;
	*ret_id = column_int(q, 0);
	*ret_name = tx_text(tx, q, 1);
	return *ret_name ? 0 : -ENOMEM;
}

static int read_configs(struct tx *tx, const char *text, const struct run_spec *spec,
			struct run_evaluator *evaluator)
{
	json_object *list = tx_parse(text);
	size_t n = json_object_is_type(list, json_type_array) ? json_object_array_length(list) : 0;
	size_t *configs = tx_array(tx, n, sizeof(*configs));
	int r = list && configs ? 0 : -ENOMEM;

	for (size_t i = 0; r >= 0 && i < n; i++) {
		configs[i] = (size_t)json_object_get_int64(json_object_array_get_idx(list, i));
		if (configs[i] >= spec->n_configs)
			r = -EBADMSG;
	}
	json_object_put(list);
	evaluator->configs = configs;
	evaluator->n_configs = n;
	return r;
}

static void read_built_in(const struct catalogue_entry *entry, struct run_evaluator *evaluator)
{
	evaluator->function = entry ? entry->function : NULL;
	evaluator->embeddings = entry && entry->embeddings;
}

/* What names no config asks each judge of a panel. */
static void find_judges(const struct run_spec *spec, struct run_evaluator *evaluator)
{
	const struct ellu_evaluator *record = evaluator->evaluator;

	if (spec->n_judges > 1 && record->prompt && !record->llm_config)
		evaluator->n_judges = spec->n_judges;
}

int run_evaluators_load(struct tx *tx, const struct run_row *run, struct run_spec *spec)
{
	struct run_evaluator *evaluators;
	int64_t n;
	QUERY q = NULL;
	int r;

	r = db_int(tx->db, &n, "SELECT count(*) FROM run_evaluators WHERE run_id = ?1", "i", run->id);
	if (r < 0 || n == 0)
		return r;
	spec->evaluators = evaluators = tx_array(tx, (size_t)n, sizeof(*evaluators));
	if (!evaluators)
		return -ENOMEM;
	r = run_judge_load(tx, run->id, &spec->evaluators_judge_id, &spec->evaluators_judge);
	if (r >= 0)
		r = db_query(tx->db, &q, "SELECT evaluator_id, name, configs FROM run_evaluators"
					 " WHERE run_id = ?1 ORDER BY position", "i", run->id);
	while (r >= 0 && spec->n_evaluators < (size_t)n && (r = db_next(tx->db, q)) > 0) {
		struct run_evaluator *one = &evaluators[spec->n_evaluators++];

		r = read_configs(tx, column_peek(q, 2), spec, one);
		if (r >= 0)
			r = evaluator_load(tx, column_int(q, 0), column_peek(q, 1), &one->evaluator);
		if (r >= 0)
			read_built_in(evaluator_built_in(tx, one->evaluator), one);
		if (r >= 0)
			find_judges(spec, one);
	}
	return r < 0 ? r : 0;
}
