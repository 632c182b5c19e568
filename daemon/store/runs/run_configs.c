#include "daemon/store/runs/run_configs.h"

#include <errno.h>

#include "daemon/store/resources/configs/llm_config.h"
#include "proto/generated/interface.h"

/* ---- Pinning ---- */

static int snapshot_of(struct tx *tx, int64_t id, const char **ret_snapshot)
{
	struct ellu_llm_config *config;
	int r = llm_config_load(tx, id, &config, NULL);

	return r < 0 ? r : tx_encode(tx, &ellu_llm_config_type, config, ret_snapshot);
}

int run_own_config_pin(struct tx *tx, struct run_row *run)
{
	return snapshot_of(tx, run->config_id, &run->config_snapshot);
}

int run_config_put(struct tx *tx, const struct run_row *run, enum asked asked, size_t position,
		   const struct ellu_llm_config *config)
{
	struct ellu_llm_config copy = *config;
	const char *snapshot;
	int r;

	copy.api_key = NULL;
	r = tx_encode(tx, &ellu_llm_config_type, &copy, &snapshot);
	if (r >= 0 && position == RUN_CONFIGS_MAX)
		r = fault_invalid(tx->fault, "evaluators", "evaluators that ask no more than %d configs "
				  "together", RUN_CONFIGS_MAX);
	return r < 0 ? r : db_run(tx->db, "INSERT INTO run_configs (run_id, answers, position, owner_uid,"
					  " project_id, llm_config_id, snapshot) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
				  "ibiiiis", run->id, asked == ASKED_INSTEAD, (int64_t)position, run->owner_uid,
				  run->project_id, *config->id, snapshot);
}

int run_config_pin(struct tx *tx, const struct run_row *run, enum asked asked, size_t position, int64_t id)
{
	struct ellu_llm_config *config;
	int r = llm_config_load(tx, id, &config, NULL);

	return r < 0 ? r : run_config_put(tx, run, asked, position, config);
}

int run_fallbacks_pin(struct tx *tx, const struct run_row *run, const int64_t *ids, size_t n)
{
	size_t position = 0;
	int r = 0;

	for (size_t i = 0; r >= 0 && i < n; i++) {
		bool asked = ids[i] == run->config_id;

		for (size_t k = 0; k < i; k++)
			asked = asked || ids[k] == ids[i];
		if (!asked)
			r = run_config_pin(tx, run, ASKED_INSTEAD, position++, ids[i]);
	}
	return r < 0 ? r : 0;
}

/* ---- Loading ---- */

int run_configs_ids(struct tx *tx, int64_t run_id, int64_t ret_ids[static RUN_CONFIGS_MAX], size_t *ret_n)
{
	QUERY q = NULL;
	int r;

	r = db_query(tx->db, &q, "SELECT llm_config_id FROM run_configs WHERE run_id = ?1 AND answers = 0"
				 " ORDER BY position", "i", run_id);
	*ret_n = 0;
	while (r >= 0 && *ret_n < RUN_CONFIGS_MAX && (r = db_next(tx->db, q)) > 0)
		ret_ids[(*ret_n)++] = column_int(q, 0);
	return r < 0 ? r : 0;
}

int run_configs_each(struct tx *tx, int64_t run_id, int (*each)(void *userdata, enum asked asked, int64_t id),
		     void *userdata)
{
	QUERY q = NULL;
	int r;

	r = db_query(tx->db, &q, "SELECT answers, llm_config_id FROM run_configs WHERE run_id = ?1", "i", run_id);
	while (r >= 0 && (r = db_next(tx->db, q)) > 0)
		r = each(userdata, column_int(q, 0) ? ASKED_INSTEAD : ASKED_BY_EVALUATORS, column_int(q, 1));
	return r < 0 ? r : 0;
}

static int load_one(struct tx *tx, const struct run_row *run, sqlite3_stmt *q, enum asked asked,
		    struct run_config *config)
{
	const char *field = "llm_config.api_key_ref";
	int r;

	if (asked == ASKED_INSTEAD)
		field = tx_printf(tx, "fallback_llm_configs[%lld].api_key_ref", (long long)column_int(q, 1));
	r = run_config_load(tx, run, column_peek(q, 2), column_int(q, 3), field, &config->config,
			    &config->taken);
	return r < 0 ? r : run_config_identity(tx, run, config->config, &config->identity);
}

int run_configs_load(struct tx *tx, const struct run_row *run, struct run_spec *spec)
{
	struct run_config *configs = tx_array(tx, RUN_CONFIGS_MAX, sizeof(*configs));
	struct run_config *fallbacks = tx_array(tx, FALLBACKS_MAX, sizeof(*fallbacks));
	QUERY q = NULL;
	int r;

	spec->configs = configs;
	spec->fallbacks = fallbacks;
	if (!configs || !fallbacks)
		return -ENOMEM;
	r = db_query(tx->db, &q, "SELECT answers, position, snapshot, llm_config_id FROM run_configs"
				 " WHERE run_id = ?1 ORDER BY answers, position", "i", run->id);
	while (r >= 0 && (r = db_next(tx->db, q)) > 0) {
		if (column_int(q, 0) && spec->n_fallbacks < FALLBACKS_MAX)
			r = load_one(tx, run, q, ASKED_INSTEAD, &fallbacks[spec->n_fallbacks++]);
		else if (!column_int(q, 0) && spec->n_configs < RUN_CONFIGS_MAX)
			r = load_one(tx, run, q, ASKED_BY_EVALUATORS, &configs[spec->n_configs++]);
	}
	return r < 0 ? r : 0;
}

int run_fallbacks_list(struct tx *tx, int64_t run_id, struct run_fallback ret_fallbacks[static FALLBACKS_MAX],
		       size_t *ret_n)
{
	QUERY q = NULL;
	int r;

	r = db_query(tx->db, &q, "SELECT llm_config_id, json_extract(snapshot, '$.name'),"
				 " json_extract(snapshot, '$.llm_model_name') FROM run_configs"
				 " WHERE run_id = ?1 AND answers = 1 ORDER BY position", "i", run_id);
	*ret_n = 0;
	while (r >= 0 && *ret_n < FALLBACKS_MAX && (r = db_next(tx->db, q)) > 0)
		ret_fallbacks[(*ret_n)++] = (struct run_fallback){
			column_int(q, 0), tx_text(tx, q, 1), tx_text(tx, q, 2) };
	return r < 0 ? r : tx->oom ? -ENOMEM : 0;
}

static int decode(struct tx *tx, const char *snapshot, int64_t id, const struct ellu_llm_config **ret_config)
{
	struct ellu_llm_config *config;
	int r = tx_decode(tx, &ellu_llm_config_type, snapshot, &config);

	if (r < 0)
		return r;
	config->id = tx_int_value(tx, id);
	*ret_config = config;
	return config->id ? 0 : -ENOMEM;
}

int run_answerers_load(struct tx *tx, const struct run_row *run,
		       const struct ellu_llm_config *ret_configs[static 1 + FALLBACKS_MAX], size_t *ret_n)
{
	QUERY q = NULL;
	int r = 0;

	*ret_n = 0;
	if (run->config_snapshot)
		r = decode(tx, run->config_snapshot, run->config_id, &ret_configs[(*ret_n)++]);
	if (r >= 0)
		r = db_query(tx->db, &q, "SELECT snapshot, llm_config_id FROM run_configs WHERE run_id = ?1"
					 " AND answers = 1 ORDER BY position", "i", run->id);
	while (r >= 0 && *ret_n < 1 + FALLBACKS_MAX && (r = db_next(tx->db, q)) > 0)
		r = decode(tx, column_peek(q, 0), column_int(q, 1), &ret_configs[(*ret_n)++]);
	return r < 0 ? r : 0;
}
