#include "daemon/store/runs/experiment_identity.h"

#include <errno.h>
#include <string.h>

#include "daemon/store/resources/criterion.h"
#include "daemon/store/resources/llm_config.h"
#include "proto/generated/interface.h"

int experiment_answer_identity(struct tx *tx, const struct experiment_parts *parts,
			       char ret_identity[static IDENTITY_SIZE])
{
	struct ellu_generation_params params;
	char config[IDENTITY_SIZE] = "";
	struct identity identity;
	const char *text = NULL;
	int r = 0;

	if (parts->generation_params) {
		/* How many calls at once does not change what they answer. */
		params = *parts->generation_params;
		params.max_connections = NULL;
		r = tx_encode(tx, &ellu_generation_params_type, &params, &text);
		if (r >= 0 && strcmp(text, "{}") == 0)
			text = NULL; // as without any
	}
	if (r >= 0 && parts->config)
		r = llm_config_identity(tx, parts->config, config);
	if (r < 0)
		return r;
	identity_init(&identity);
	identity_int(&identity, parts->template_id);
	identity_text(&identity, parts->column_defaults);
	identity_int(&identity, parts->config_id);
	identity_text(&identity, config);
	identity_text(&identity, parts->response_column);
	r = identity_json(&identity, text);
	identity_done(&identity, ret_identity);
	return r;
}

int experiment_parts_identity(struct tx *tx, const struct experiment_parts *parts,
			      char ret_identity[static IDENTITY_SIZE])
{
	char answer[IDENTITY_SIZE];
	struct identity identity;
	int r = experiment_answer_identity(tx, parts, answer);

	if (r < 0)
		return r;
	identity_init(&identity);
	identity_text(&identity, answer);
	identity_int(&identity, parts->collection_id);
	identity_text(&identity, parts->rows_identity);
	identity_int(&identity, parts->row_limit);
	identity_int(&identity, (int64_t)parts->measures->n);
	for (size_t i = 0; i < parts->measures->n; i++)
		identity_int(&identity, ((const struct run_measure *)parts->measures->items[i])->id);
	identity_int(&identity, parts->judge_id);
	identity_text(&identity, parts->rating_mode);
	identity_text(&identity, parts->rating_version);
	identity_int(&identity, parts->n_epochs);
	identity_done(&identity, ret_identity);
	return 0;
}

int experiment_identify(struct tx *tx, int64_t id, char ret_identity[static IDENTITY_SIZE])
{
	struct ellu_generation_params *params = NULL;
	struct ellu_llm_config *config = NULL;
	struct experiment_parts parts = { 0 };
	struct tx_list measures = { 0 };
	QUERY q = NULL;
	int r;

	r = db_query(tx->db, &q, "SELECT prompt_template_id, collection_id, rows_identity,"
				 " column_defaults, row_limit, judge_id, rating_mode, rating_version,"
				 " n_epochs, response_column, config_snapshot, generation_params,"
				 " llm_config_id"
				 " FROM experiments WHERE id = ?1", "i", id);
	if (r >= 0)
		r = db_next(tx->db, q);
	if (r <= 0)
		return r < 0 ? r : fault_not_found(tx->fault, "experiment", NULL, id);
	parts.template_id = column_int_or(q, 0, 0);
	parts.collection_id = column_int(q, 1);
	parts.rows_identity = tx_text(tx, q, 2);
	parts.column_defaults = tx_text(tx, q, 3);
	parts.row_limit = column_int_or(q, 4, 0);
	parts.judge_id = column_int_or(q, 5, 0);
	parts.rating_mode = tx_text(tx, q, 6);
	parts.rating_version = tx_text(tx, q, 7);
	parts.n_epochs = column_int(q, 8);
	parts.response_column = tx_text(tx, q, 9);
	parts.config_id = column_int_or(q, 12, 0);
	r = tx_decode(tx, &ellu_llm_config_type, column_peek(q, 10), &config);
	if (r >= 0)
		r = tx_decode(tx, &ellu_generation_params_type, column_peek(q, 11), &params);
	if (r >= 0)
		r = experiment_measures(tx, id, &measures);
	if (r < 0 || tx->oom)
		return r < 0 ? r : -ENOMEM;
	parts.config = config;
	parts.generation_params = params;
	parts.measures = &measures;
	return experiment_parts_identity(tx, &parts, ret_identity);
}
