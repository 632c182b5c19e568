#include "daemon/store/runs/experiment.h"

#include <errno.h>

#include "daemon/store/resources.h"
#include "daemon/store/resources/criterion.h"
#include "daemon/store/resources/resource_list.h"
#include "proto/generated/interface.h"

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

/* The set as this experiment judges it, whatever it holds by now. */
static int set_of(struct tx *tx, sqlite3_stmt *q, int id, int name, int64_t experiment_id,
		  const struct ellu_criterion_set **ret_set)
{
	struct ellu_criterion_set *set = TX_RECORD(tx, struct ellu_criterion_set);
	struct tx_list measures = { 0 }, criteria = { 0 };
	int r;

	if (!set)
		return -ENOMEM;
	set->id = column_int(q, id);
	set->name = tx_text(tx, q, name);
	r = experiment_measures(tx, experiment_id, &measures);
	for (size_t i = 0; r >= 0 && i < measures.n; i++) {
		const struct run_measure *measure = measures.items[i];
		struct ellu_criterion *criterion = TX_RECORD(tx, struct ellu_criterion);

		if (!criterion)
			return -ENOMEM;
		criterion->id = measure->criterion_id;
		criterion->criterion_str = measure->text;
		r = tx_append(tx, &criteria, criterion);
	}
	set->criteria = tx_list_items(tx, &criteria);
	set->n_criteria = criteria.n;
	*ret_set = set;
	return r;
}

#define EXPERIMENT_QUERY                                                                        \
	"SELECT e.name, e.description, t.name, t.version, c.name, s.id, s.name, l.name, j.name,"   \
	" e.rating_mode, e.rating_version, e.n_epochs, e.response_column, e.generation_params,"    \
	" e.total_cases, e.task_id, e.results, e.created_at, e.updated_at,"                        \
	" json_extract(e.config_snapshot, '$.provider'),"                                          \
	" json_extract(e.config_snapshot, '$.llm_model_name'),"                                    \
	" json_extract(j.snapshot, '$.provider'), json_extract(j.snapshot, '$.llm_model_name'),"   \
	" e.taken_over_responses, e.taken_over_ratings"                                            \
	" FROM experiments e"                                                                      \
	" JOIN collections c ON c.id = e.collection_id"                                            \
	" LEFT JOIN prompt_templates t ON t.id = e.prompt_template_id"                             \
	" LEFT JOIN criterion_sets s ON s.id = e.criterion_set_id"                                 \
	" LEFT JOIN llm_configs l ON l.id = e.llm_config_id"                                       \
	" LEFT JOIN judges j ON j.id = e.judge_id WHERE e.id = ?1"

static const struct ellu_model *model_of(struct tx *tx, sqlite3_stmt *q, int provider)
{
	struct ellu_model *model;

	if (column_null(q, provider))
		return NULL;
	model = TX_RECORD(tx, struct ellu_model);
	if (!model)
		return NULL;
	model->provider = tx_text(tx, q, provider);
	model->llm_model_name = tx_text(tx, q, provider + 1);
	return model;
}

static int fill(struct tx *tx, sqlite3_stmt *q, struct ellu_experiment *experiment)
{
	int r = 0;

	experiment->name = tx_text(tx, q, 0);
	experiment->description = tx_text(tx, q, 1);
	experiment->prompt_template = ref_of(tx, q, 2, 3);
	experiment->collection = ref_of(tx, q, 4, -1);
	experiment->llm_config = ref_of(tx, q, 7, -1);
	experiment->rating_llm_config = ref_of(tx, q, 8, -1);
	experiment->model = model_of(tx, q, 19);
	experiment->rating_model = model_of(tx, q, 21);
	experiment->rating_mode = tx_text(tx, q, 9);
	experiment->rating_version = tx_text(tx, q, 10);
	experiment->n_epochs = column_int(q, 11);
	experiment->response_column = tx_text(tx, q, 12);
	experiment->total_cases = column_int(q, 14);
	experiment->task_id = tx_int(tx, q, 15);
	experiment->created_at = column_int(q, 17);
	experiment->updated_at = column_int(q, 18);
	experiment->taken_over_responses = column_int(q, 23);
	experiment->taken_over_ratings = column_int(q, 24);
	if (!column_null(q, 5))
		r = set_of(tx, q, 5, 6, experiment->id, &experiment->criterion_set);
	if (r >= 0)
		r = tx_decode(tx, &ellu_generation_params_type, column_peek(q, 13),
			      &experiment->generation_params);
	if (r >= 0)
		r = tx_decode(tx, &ellu_experiment_results_type, column_peek(q, 16),
			      &experiment->results);
	return r;
}

int experiment_load(struct tx *tx, int64_t id, const struct ellu_experiment **ret_experiment)
{
	struct ellu_experiment *experiment = TX_RECORD(tx, struct ellu_experiment);
	QUERY q = NULL;
	int r;

	if (!experiment)
		return -ENOMEM;
	r = db_query(tx->db, &q, EXPERIMENT_QUERY, "i", id);
	if (r >= 0)
		r = db_next(tx->db, q);
	if (r < 0)
		return r;
	if (r == 0)
		return fault_not_found(tx->fault, "experiment", NULL, id);
	experiment->id = id;
	*ret_experiment = experiment;
	return fill(tx, q, experiment);
}

int experiment_pin(struct tx *tx, const struct scope *scope, const struct ellu_ref *ref,
		   struct experiment_pin *ret_pin)
{
	int64_t id;
	QUERY q = NULL;
	int r;

	r = resource_resolve(tx, RESOURCE_EXPERIMENT, scope, ref, &id);
	if (r >= 0)
		r = db_query(tx->db, &q, "SELECT judge_id, prompt_template_id, column_defaults,"
					 " config_snapshot, collection_id, first_sequence, last_sequence,"
					 " total_cases FROM experiments WHERE id = ?1", "i", id);
	if (r >= 0)
		r = db_next(tx->db, q);
	if (r < 0)
		return r;
	*ret_pin = (struct experiment_pin){
		.id = id,
		.judge_id = column_int_or(q, 0, 0),
		.prompt_template_id = column_int_or(q, 1, 0),
		.column_defaults = tx_text(tx, q, 2),
		.config_snapshot = tx_text(tx, q, 3),
		.collection_id = column_int(q, 4),
		.first_sequence = column_int(q, 5),
		.last_sequence = column_int(q, 6),
		.total_cases = column_int(q, 7),
	};
	return 0;
}

static int experiment_get_run(struct tx *tx, struct store_request *request)
{
	struct experiment_get *op = (struct experiment_get *)request;
	int64_t id;
	int r;

	r = resource_resolve(tx, RESOURCE_EXPERIMENT, &op->scope, op->ref, &id);
	return r < 0 ? r : experiment_load(tx, id, &op->ret_experiment);
}

void store_experiment_get(struct store *store, struct experiment_get *op)
{
	tx_post(store, &op->request, STORE_POINT, experiment_get_run);
}

static int load_item(struct tx *tx, int64_t id, const void **ret_item)
{
	const struct ellu_experiment *experiment;
	int r = experiment_load(tx, id, &experiment);

	if (r >= 0)
		*ret_item = experiment;
	return r;
}

static int experiments_list_run(struct tx *tx, struct store_request *request)
{
	static const struct resource_list list = {
		.letter = 'x',
		.name = "experiment",
		.type = &ellu_experiment_type,
		RESOURCE_STATEMENTS("experiments"),
		.load = load_item,
	};
	struct experiments_list *op = (struct experiments_list *)request;

	return resource_list_run(tx, request, &list, &op->scope, LIST_ARGUMENTS(op->arguments));
}

void store_experiments_list(struct store *store, struct experiments_list *op)
{
	tx_post(store, &op->request, STORE_SCAN, experiments_list_run);
}
