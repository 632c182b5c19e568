#include "daemon/store/runs/experiment.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "daemon/store/engine/store_internal.h"
#include "daemon/store/resources/prompts/criterion.h"
#include "daemon/store/resources/configs/panel.h"
#include "daemon/store/resources/configs/llm_config.h"
#include "daemon/store/runs/run_configs.h"
#include "proto/generated/interface.h"

/* ---- Rows ---- */

#define EXPERIMENT_QUERY                                                                        \
	"SELECT e.id, e.owner_uid, e.project_id, e.name, e.family, e.family_number,"            \
	" e.description, e.run_id, e.answer_identity, e.source_experiment_id,"                 \
	" e.taken_over_responses, e.taken_over_ratings, e.task_id, e.results, e.created_at,"    \
	" e.updated_at, t.status, l.id, l.status, e.deleted_at IS NOT NULL"          \
	" FROM experiments e LEFT JOIN tasks t ON t.id = e.task_id"              \
	" LEFT JOIN tasks l ON l.experiment_id = e.id AND l.status IN ('PENDING', 'STARTED')"   \
	" WHERE e.id = ?1"

/* In the order of the list. */
static void read_row(struct tx *tx, sqlite3_stmt *q, struct experiment_row *row)
{
	int c = 0;

	row->id = column_int(q, c++);
	row->owner_uid = column_int(q, c++);
	row->project_id = column_int(q, c++);
	row->name = tx_text(tx, q, c++);
	row->family = tx_text(tx, q, c++);
	row->family_number = column_int(q, c++);
	row->description = tx_text(tx, q, c++);
	row->run_id = column_int(q, c++);
	row->answer_identity = tx_text(tx, q, c++);
	row->source_experiment_id = column_int(q, c++);
	row->taken_over_responses = column_int(q, c++);
	row->taken_over_ratings = column_int(q, c++);
	row->task_id = column_int(q, c++);
	row->results = tx_text(tx, q, c++);
	row->created_at = column_int(q, c++);
	row->updated_at = column_int(q, c++);
	row->task_status = tx_text(tx, q, c++);
	row->live_task_id = column_int(q, c++);
	row->live_status = tx_text(tx, q, c++);
	row->deleted = column_int(q, c++) != 0;
}

int experiment_row_load(struct tx *tx, int64_t id, struct experiment_row *ret_row)
{
	QUERY q = NULL;
	int r;

	*ret_row = (struct experiment_row){ 0 };
	r = db_row(tx->db, &q, EXPERIMENT_QUERY, "i", id);
	if (r <= 0)
		return r < 0 ? r : fault_not_found(tx->fault, "experiment", NULL, id);
	read_row(tx, q, ret_row);
	return tx->oom ? -ENOMEM : 0;
}

int experiment_row_resolve(struct tx *tx, const struct scope *scope, const struct ellu_ref *ref,
			   struct experiment_row *ret_row)
{
	int64_t id;
	int r = resource_resolve(tx, &resource_experiment, scope, ref, &id);

	return r < 0 ? r : experiment_row_load(tx, id, ret_row);
}

int experiment_row_of_run(struct tx *tx, int64_t run_id, struct experiment_row *ret_row)
{
	int64_t id;
	int r;

	r = db_int(tx->db, &id, "SELECT id FROM experiments WHERE run_id = ?1", "i", run_id);
	if (r > 0)
		r = experiment_row_load(tx, id, ret_row);
	else
		return r;
	return r < 0 ? r : 1;
}

int experiments_resolve(struct tx *tx, const struct scope *scope, const struct ellu_ref *const *refs,
			size_t n, int64_t *ret_ids)
{
	int r = 0;

	for (size_t i = 0; r >= 0 && i < n; i++) {
		r = resource_resolve(tx, &resource_experiment, scope, refs[i], &ret_ids[i]);
		for (size_t k = 0; r >= 0 && k < i; k++)
			if (ret_ids[k] == ret_ids[i])
				return fault_invalid(tx->fault, tx_printf(tx, "experiments[%zu]", i),
						     "each experiment once");
	}
	return r;
}

int experiment_run_resolve(struct tx *tx, const struct scope *scope, const struct ellu_ref *ref,
			   struct run_row *ret_run)
{
	struct experiment_row row;
	int r = experiment_row_resolve(tx, scope, ref, &row);

	return r < 0 ? r : run_row_load(tx, row.run_id, ret_run);
}

int experiment_check_idle(struct tx *tx, const struct experiment_row *row)
{
	if (!row->live_task_id)
		return 0;
	return fault_conflict(tx->fault, "experiment", row->name, row->id,
			      "its task %" PRId64 " is %s", row->live_task_id, row->live_status);
}

/* ---- Records ---- */

static const struct ellu_ref *ref_of(struct tx *tx, sqlite3_stmt *q, int name, int version)
{
	struct ellu_ref *ref;

	if (column_null(q, name))
		return NULL;
	ref = TX_RECORD(tx, struct ellu_ref);
	if (!ref)
		return NULL;
	ref->name = tx_text(tx, q, name);
	if (version >= 0)
		ref->version = tx_int(tx, q, version);
	return ref;
}

/* The set as this run judges it, whatever it holds by now. */
static int set_of(struct tx *tx, const char *name, const struct run_row *run,
		  const struct tx_list *measures, const struct ellu_criterion_set **ret_set)
{
	struct ellu_criterion_set *set = TX_RECORD(tx, struct ellu_criterion_set);
	struct tx_list criteria = { 0 };
	int r = 0;

	if (!set)
		return -ENOMEM;
	set->id = tx_int_value(tx, run->criterion_set_id);
	set->name = name;
	for (size_t i = 0; r >= 0 && i < measures->n; i++) {
		const struct run_measure *measure = measures->items[i];
		struct ellu_criterion *criterion = TX_RECORD(tx, struct ellu_criterion);

		if (!criterion)
			return -ENOMEM;
		if (measure->use)
			break;
		criterion->id = &measure->criterion_id;
		criterion->criterion_str = measure->text;
		criterion->label = measure->label;
		criterion->check = measure->check;
		r = tx_append(tx, &criteria, criterion);
	}
	set->criteria = tx_list_items(tx, &criteria);
	set->n_criteria = criteria.n;
	*ret_set = set;
	return r;
}

static int uses_of(struct tx *tx, const struct tx_list *measures, struct ellu_experiment *experiment)
{
	struct tx_list uses = { 0 };
	int r = 0;

	for (size_t i = 0; r >= 0 && i < measures->n; i++) {
		const struct run_measure *measure = measures->items[i];

		if (measure->use)
			r = tx_append(tx, &uses, measure->use);
	}
	experiment->evaluators = uses.n ? tx_list_items(tx, &uses) : NULL;
	experiment->n_evaluators = uses.n;
	return r;
}

static const struct ellu_model *model_of(struct tx *tx, const char *const model[2])
{
	struct ellu_model *record = model[0] ? TX_RECORD(tx, struct ellu_model) : NULL;

	if (!record)
		return NULL;
	record->provider = model[0];
	record->llm_model_name = model[1];
	return record;
}

static int fill_panel(struct tx *tx, const struct run_row *run, struct ellu_experiment *experiment)
{
	struct tx_list refs = { 0 };
	struct panel panel;
	int r = panel_load(tx, run->judge_id, &panel);

	for (size_t i = 0; r >= 0 && i < panel.n; i++) {
		struct ellu_ref *ref = TX_RECORD(tx, struct ellu_ref);

		if (!ref)
			return -ENOMEM;
		ref->name = panel.judges[i].name;
		r = tx_append(tx, &refs, ref);
	}
	experiment->rating_llm_configs = tx_list_items(tx, &refs);
	experiment->n_rating_llm_configs = refs.n;
	experiment->rating_reduction = panel.reduction;
	return r;
}

static int fill_fallbacks(struct tx *tx, const struct run_row *run, struct ellu_experiment *experiment)
{
	struct run_fallback fallbacks[FALLBACKS_MAX];
	struct tx_list refs = { 0 };
	size_t n;
	int r = run_fallbacks_list(tx, run->id, fallbacks, &n);

	for (size_t i = 0; r >= 0 && i < n; i++) {
		struct ellu_ref *ref = TX_RECORD(tx, struct ellu_ref);

		if (!ref)
			return -ENOMEM;
		ref->name = fallbacks[i].name;
		r = tx_append(tx, &refs, ref);
	}
	experiment->fallback_llm_configs = refs.n ? tx_list_items(tx, &refs) : NULL;
	experiment->n_fallback_llm_configs = refs.n;
	return r;
}

/* What its parts are called. */
static int fill_names(struct tx *tx, const struct run_row *run, struct ellu_experiment *experiment)
{
	struct tx_list measures = { 0 };
	QUERY q = NULL;
	int r;

	r = db_row(tx->db, &q,
		   "SELECT t.name, t.version, c.name, s.name, l.name, iif(j.llm_config_id IS NULL, NULL, j.name) FROM runs n"
		   " JOIN collections c ON c.id = n.collection_id"
		   " LEFT JOIN prompt_templates t ON t.id = n.prompt_template_id"
		   " LEFT JOIN criterion_sets s ON s.id = n.criterion_set_id"
		   " LEFT JOIN llm_configs l ON l.id = n.llm_config_id"
		   " LEFT JOIN judges j ON j.id = n.judge_id WHERE n.id = ?1", "i", run->id);
	if (r <= 0)
		return r < 0 ? r : -EBADMSG;
	experiment->prompt_template = ref_of(tx, q, 0, 1);
	experiment->collection = ref_of(tx, q, 2, -1);
	experiment->llm_config = ref_of(tx, q, 4, -1);
	experiment->rating_llm_config = ref_of(tx, q, 5, -1);
	r = run->judge.reduction ? fill_panel(tx, run, experiment) : 0;
	if (r >= 0)
		r = run_measures(tx, run->id, &measures);
	if (r >= 0 && run->criterion_set_id)
		r = set_of(tx, tx_text(tx, q, 3), run, &measures, &experiment->criterion_set);
	return r < 0 ? r : uses_of(tx, &measures, experiment);
}

int experiment_load(struct tx *tx, int64_t id, void *ret_experiment)
{
	struct ellu_experiment *experiment = TX_RECORD(tx, struct ellu_experiment);
	struct experiment_row row;
	struct run_row run;
	int r;

	if (!experiment)
		return -ENOMEM;
	r = experiment_row_load(tx, id, &row);
	if (r >= 0)
		r = run_row_load(tx, row.run_id, &run);
	if (r < 0)
		return r;
	memcpy(ret_experiment, &experiment, sizeof(experiment));
	experiment->id = id;
	experiment->name = row.name;
	experiment->description = row.description;
	experiment->model = model_of(tx, run.models[0]);
	experiment->rating_model = run.judge.reduction ? NULL : model_of(tx, run.models[1]);
	experiment->rating_mode = run.rating_mode;
	experiment->rating_version = run.rating_version;
	experiment->n_epochs = run.n_epochs;
	experiment->response_column = run.response_column;
	experiment->total_cases = run.total_cases;
	experiment->task_id = row.task_id ? tx_int_value(tx, row.task_id) : NULL;
	experiment->created_at = row.created_at;
	experiment->updated_at = row.updated_at;
	experiment->taken_over_responses = row.taken_over_responses;
	experiment->taken_over_ratings = row.taken_over_ratings;
	experiment->response_cache = run.response_cache;
	experiment->batch = run.batch;
	experiment->tool_results = run.tool_results;
	experiment->tool_rounds = run.tool_rounds ? tx_int_value(tx, run.tool_rounds) : NULL;
	r = fill_names(tx, &run, experiment);
	if (r >= 0)
		r = fill_fallbacks(tx, &run, experiment);
	if (r >= 0)
		r = tx_decode(tx, &ellu_generation_params_type, run.generation_params,
			      &experiment->generation_params);
	if (r >= 0)
		r = tx_decode(tx, &ellu_experiment_results_type, row.results, &experiment->results);
	return r;
}

/* The rest goes with its responses, in chunks. */
static int discard(struct tx *tx, int64_t id)
{
	writer_sweep_in(&tx->store->writer, 0);
	return db_run(tx->db, "UPDATE experiments SET swept_response_id = 0 WHERE id = ?1", "i", id);
}

const struct resource resource_experiment = {
	.name = "experiment",
	.noun = "an experiment",
	.type = &ellu_experiment_type,
	.letter = 'x',
	RESOURCE_STATEMENTS("experiments"),
	.load = experiment_load,
	/* It makes, rates or takes over its responses. */
	.live = "SELECT t.id FROM tasks t LEFT JOIN runs n ON n.id = t.run_id CROSS JOIN experiments e"
		" ON e.id = ?1 WHERE t.finished_at IS NULL AND (t.experiment_id = e.id"
		" OR n.source_run_id = e.run_id OR EXISTS (SELECT 1 FROM listed_runs l"
		"  WHERE l.source_run_id = e.run_id AND l.run_id = n.id) OR EXISTS"
		" (SELECT 1 FROM experiments b WHERE b.id = t.experiment_id"
		"  AND b.source_experiment_id = e.id)) LIMIT 1",
	.discard = discard,
};

/* ---- Identity ---- */

/* How many calls at once does not change what they answer; as without any: NULL. */
static int params_of(struct tx *tx, const struct run_row *run, const char **ret_text)
{
	struct ellu_generation_params *params;
	int r;

	*ret_text = NULL;
	if (!run->generation_params)
		return 0;
	r = tx_decode(tx, &ellu_generation_params_type, run->generation_params, &params);
	if (r < 0)
		return r;
	params->max_connections = NULL;
	r = tx_encode(tx, &ellu_generation_params_type, params, ret_text);
	if (r >= 0 && strcmp(*ret_text, "{}") == 0)
		*ret_text = NULL;
	return r;
}

int experiment_answer_identity(struct tx *tx, const struct run_row *run,
			       const struct ellu_llm_config *const *configs, size_t n,
			       char ret_identity[static IDENTITY_SIZE])
{
	char of_config[IDENTITY_SIZE] = "";
	struct identity identity;
	const char *params;
	int r = params_of(tx, run, &params);

	identity_init(&identity);
	identity_int(&identity, run->prompt_template_id);
	identity_text(&identity, run->column_defaults);
	for (size_t i = 0; r >= 0 && i < n; i++) {
		r = llm_config_identity(tx, configs[i], of_config);
		identity_int(&identity, *configs[i]->id); // another one may lead to another account
		identity_text(&identity, of_config);
	}
	identity_text(&identity, run->tool_results);
	identity_int(&identity, run->tool_rounds);
	identity_text(&identity, run->response_column);
	identity_text(&identity, run->input_column);
	identity_text(&identity, run->input_type);
	if (r >= 0)
		r = identity_json(&identity, params);
	identity_done(&identity, ret_identity);
	return r;
}

void experiment_identity(const struct run_row *run, const char *answer_identity,
			 const struct tx_list *measures, char ret_identity[static IDENTITY_SIZE])
{
	struct identity identity;

	identity_init(&identity);
	identity_text(&identity, answer_identity);
	identity_int(&identity, run->collection_id);
	identity_text(&identity, run->rows_identity);
	identity_int(&identity, run->row_limit);
	identity_int(&identity, (int64_t)measures->n);
	for (size_t i = 0; i < measures->n; i++)
		identity_int(&identity, ((const struct run_measure *)measures->items[i])->id);
	identity_int(&identity, run->judge_id);
	identity_text(&identity, run->rating_mode);
	identity_text(&identity, run->rating_version);
	identity_int(&identity, run->n_epochs);
	identity_done(&identity, ret_identity);
}
