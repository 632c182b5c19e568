#include <errno.h>

#include "daemon/store/resources/criterion.h"
#include "daemon/store/runs/submit.h"
#include "proto/generated/interface.h"

static int pin_config(struct submission *s)
{
	struct ellu_llm_config snapshot;

	if (!s->config)
		return 0;
	snapshot = *s->config;
	snapshot.api_key = NULL;
	return tx_encode(s->tx, &ellu_llm_config_type, &snapshot, &s->run.config_snapshot);
}

int submit_pin(struct submission *s)
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
	run->n_epochs = *a->n_epochs;
	run->response_column = a->response_column;
	run->rating_mode = a->rating_mode;
	run->rating_version = a->rating_version;
	r = pin_config(s);
	if (r >= 0)
		r = tx_encode(s->tx, &ellu_generation_params_type, a->generation_params,
			      &run->generation_params);
	if (r >= 0 && s->judge_config)
		r = judge_put(s->tx, &s->place, s->judge_config, a->rating_mode, a->rating_version,
			      &run->judge_id);
	if (r >= 0)
		r = collection_defaults(s->tx, run->collection_id, &run->column_defaults);
	if (r >= 0)
		r = experiment_answer_identity(s->tx, run, s->answer_identity);
	return r < 0 ? r : experiment_identity(s->tx, run, &s->measures, s->identity);
}

int submit_insert_experiment(struct submission *s, const char *name, int64_t family_number,
			     int64_t *ret_id)
{
	int r = run_insert(s->tx, &s->run, &s->measures, &s->run.id);

	if (r >= 0)
		r = db_run(s->tx->db,
			   "INSERT INTO experiments (owner_uid, project_id, name, family, family_number,"
			   " description, run_id, identity, answer_identity, source_experiment_id,"
			   " created_at, updated_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9,"
			   " nullif(?10, 0), ?11, ?11)",
			   "iissisissii", s->place.owner_uid, s->place.project_id, name,
			   s->arguments->name, family_number, s->arguments->description, s->run.id,
			   (const char *)s->identity, (const char *)s->answer_identity, s->source_id,
			   s->tx->now);
	*ret_id = db_last_id(s->tx->db);
	return r < 0 ? r : 0;
}
