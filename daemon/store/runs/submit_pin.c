#include <errno.h>

#include "daemon/store/resources/criterion.h"
#include "daemon/store/runs/experiment_identity.h"
#include "daemon/store/runs/submit.h"
#include "proto/generated/interface.h"

static int pin_config(struct submission *s)
{
	struct ellu_llm_config snapshot;

	if (!s->config)
		return 0;
	snapshot = *s->config;
	snapshot.api_key = NULL;
	return tx_encode(s->tx, &ellu_llm_config_type, &snapshot, &s->config_snapshot);
}

static int pin_identity(struct submission *s)
{
	const struct ellu_run_experiment_request *a = s->arguments;
	const struct experiment_parts parts = {
		.template_id = s->template_id,
		.collection_id = s->collection.id,
		.rows_identity = s->collection.rows_identity,
		.column_defaults = s->column_defaults,
		.row_limit = a->row_limit ? *a->row_limit : 0,
		.measures = &s->measures,
		.judge_id = s->judge_id,
		.config_id = s->config_id,
		.config = s->config,
		.rating_mode = a->rating_mode,
		.rating_version = a->rating_version,
		.n_epochs = *a->n_epochs,
		.response_column = a->response_column,
		.generation_params = a->generation_params,
	};
	int r = experiment_answer_identity(s->tx, &parts, s->answer_identity);

	return r < 0 ? r : experiment_parts_identity(s->tx, &parts, s->identity);
}

int submit_pin(struct submission *s)
{
	const struct ellu_run_experiment_request *a = s->arguments;
	int r;

	r = pin_config(s);
	if (r >= 0)
		r = tx_encode(s->tx, &ellu_generation_params_type, a->generation_params,
			      &s->generation_params);
	if (r >= 0 && s->judge_config)
		r = judge_put(s->tx, &s->place, s->judge_config, a->rating_mode, a->rating_version,
			      &s->judge_id);
	if (r >= 0)
		r = collection_defaults(s->tx, s->collection.id, &s->column_defaults);
	return r < 0 ? r : pin_identity(s);
}

static int insert_row(struct submission *s, const char *name, const char *family,
		      int64_t family_number)
{
	const struct ellu_run_experiment_request *a = s->arguments;

	return db_run(s->tx->db,
		      "INSERT INTO experiments (owner_uid, project_id, name, family, family_number,"
		      " description, prompt_template_id, collection_id, first_sequence, last_sequence,"
		      " row_limit, total_cases, column_defaults, criterion_set_id, llm_config_id,"
		      " config_snapshot, judge_id, rating_mode, rating_version, n_epochs,"
		      " response_column, generation_params, identity, rows_identity, created_at,"
		      " updated_at, answer_identity, source_experiment_id)"
		      " VALUES (?1, ?2, ?3, ?4, ?5, ?6, nullif(?7, 0), ?8, ?9, ?10, ?11, ?12, ?13,"
		      " nullif(?14, 0), nullif(?15, 0), ?16, nullif(?17, 0), ?18, ?19, ?20, ?21, ?22,"
		      " ?23, ?24, ?25, ?25, ?26, nullif(?27, 0))",
		      "iissisiiiiIisiisississssisi", s->place.owner_uid, s->place.project_id, name,
		      family, family_number, a->description, s->template_id, s->collection.id,
		      s->collection.first_sequence, s->collection.last_sequence, a->row_limit,
		      s->total_cases, s->column_defaults, s->set_id, s->config_id, s->config_snapshot,
		      s->judge_id, a->rating_mode, a->rating_version, *a->n_epochs,
		      a->response_column, s->generation_params, s->identity,
		      s->collection.rows_identity, s->tx->now, s->answer_identity, s->source_id);
}

static int insert_parts(struct submission *s, int64_t id)
{
	const struct place *place = &s->place;
	int r = 0;

	for (size_t i = 0; r >= 0 && i < s->measures.n; i++) {
		const struct run_measure *measure = s->measures.items[i];

		r = db_run(s->tx->db, "INSERT INTO experiment_measures (experiment_id, position,"
				      " owner_uid, project_id, measure_id) VALUES (?1, ?2, ?3, ?4, ?5)",
			   "iiiii", id, (int64_t)i, place->owner_uid, place->project_id, measure->id);
	}
	for (int64_t epoch = 1; r >= 0 && epoch <= *s->arguments->n_epochs; epoch++)
		r = db_run(s->tx->db, "INSERT INTO experiment_epochs (experiment_id, epoch, owner_uid,"
				      " project_id, total) VALUES (?1, ?2, ?3, ?4, ?5)",
			   "iiiii", id, epoch, place->owner_uid, place->project_id, s->total_cases);
	return r;
}

int submit_insert_experiment(struct submission *s, const char *name, const char *family,
			     int64_t family_number, int64_t *ret_id)
{
	int r = insert_row(s, name, family, family_number);

	if (r < 0)
		return r;
	*ret_id = db_last_id(s->tx->db);
	return insert_parts(s, *ret_id);
}
