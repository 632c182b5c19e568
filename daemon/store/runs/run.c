/* What a run is pinned to, and which of its cases miss something. */
#include <errno.h>
#include <string.h>

#include "daemon/store/resources/collection.h"
#include "daemon/store/resources/criterion.h"
#include "daemon/store/resources/llm_config.h"
#include "daemon/store/resources/llm_config_secret.h"
#include "daemon/store/resources/prompt_template.h"
#include "daemon/store/runs.h"
#include "proto/generated/interface.h"
#include "proto/limits.h"
#include "proto/usage.h"

/* The snapshot, with what only says how answers are fetched taken from the config of today. */
static int pinned_config(struct tx *tx, const char *snapshot, int64_t config_id, const char *field,
			 const struct ellu_llm_config **ret_config)
{
	struct ellu_llm_config *pinned, *live;
	int r;

	r = tx_decode(tx, &ellu_llm_config_type, snapshot, &pinned);
	if (r >= 0)
		r = llm_config_load_key(tx, config_id, field, &live);
	if (r < 0)
		return r;
	*ret_config = pinned;
	/* Made another provider since, its URL and key are not for these requests. */
	if (strcmp(pinned->provider, live->provider) != 0)
		return fault_invalid(tx->fault, field, "a config of the provider '%s' that the run is "
				     "pinned to; '%s' is '%s' now", pinned->provider, live->name,
				     live->provider);
	if (!config_fingerprints_equal(pinned, live, SECRET_OF_BODY))
		return fault_invalid(tx->fault, field, "a config with the extra_body that the run is "
				     "pinned to; that of '%s' has changed since: run it afresh",
				     live->name);
	pinned->extra_headers = live->extra_headers;
	pinned->n_extra_headers = live->n_extra_headers;
	pinned->extra_body = live->extra_body;
	pinned->llm_base_url = live->llm_base_url;
	pinned->api_key = live->api_key;
	pinned->api_key_ref = live->api_key_ref;
	pinned->has_api_key = live->has_api_key;
	pinned->proxy = live->proxy;
	pinned->ca_file = live->ca_file;
	pinned->price_input = live->price_input;
	pinned->price_output = live->price_output;
	pinned->max_connections = live->max_connections;
	pinned->max_retries = live->max_retries;
	pinned->timeout_seconds = live->timeout_seconds;
	pinned->connect_seconds = live->connect_seconds;
	pinned->first_byte_seconds = live->first_byte_seconds;
	pinned->stall_seconds = live->stall_seconds;
	return 0;
}

static int load_measures(struct tx *tx, struct run_spec *spec)
{
	struct tx_list list = { 0 };
	struct run_measure *measures;
	int r;

	r = spec->rating_run_id ? rating_run_measures(tx, spec->rating_run_id, &list) :
				  experiment_measures(tx, spec->experiment_id, &list);
	if (r < 0)
		return r;
	measures = tx_array(tx, list.n, sizeof(*measures));
	if (!measures)
		return -ENOMEM;
	for (size_t i = 0; i < list.n; i++)
		measures[i] = *(const struct run_measure *)list.items[i];
	spec->measures = measures;
	spec->n_measures = list.n;
	return 0;
}

static int load_epochs(struct tx *tx, int64_t n_epochs, struct run_spec *spec)
{
	struct run_epoch *epochs = tx_array(tx, (size_t)n_epochs, sizeof(*epochs));
	QUERY q = NULL;
	int r;

	if (!epochs)
		return -ENOMEM;
	spec->epochs = epochs;
	spec->cost_nanodollars = -1;
	r = db_query(tx->db, &q, "SELECT epoch, total, generated, rated, failed, input_tokens,"
				 " output_tokens, cost_nanodollars, ratings FROM experiment_epochs"
				 " WHERE experiment_id = ?1 ORDER BY epoch LIMIT ?2",
		     "ii", spec->experiment_id, n_epochs);
	while (r >= 0 && (r = db_next(tx->db, q)) > 0) {
		struct run_epoch *epoch = &epochs[spec->n_epochs++];

		epoch->epoch = column_int(q, 0);
		epoch->total = column_int(q, 1);
		epoch->generated = column_int(q, 2);
		epoch->rated = column_int(q, 3);
		epoch->failed = column_int(q, 4);
		epoch->ratings = column_int(q, 8);
		spec->total_responses += epoch->total;
		usage_add(&spec->input_tokens, column_int(q, 5));
		usage_add(&spec->output_tokens, column_int(q, 6));
		usage_add(&spec->cost_nanodollars, column_int_or(q, 7, -1));
	}
	return r;
}

static int load_configs(struct tx *tx, sqlite3_stmt *q, struct run_spec *spec)
{
	int r = 0;

	if (!column_null(q, 3))
		r = pinned_config(tx, column_peek(q, 4), column_int(q, 3), "llm_config.api_key_ref",
				  &spec->config);
	if (r >= 0 && !column_null(q, 6))
		r = pinned_config(tx, column_peek(q, 7), column_int(q, 6),
				  "rating_llm_config.api_key_ref", &spec->judge_config);
	return r;
}

static int load_spec(struct tx *tx, sqlite3_stmt *q, struct run_spec *spec)
{
	struct ellu_prompt_template *template;
	int r = 0;

	spec->owner_uid = column_int(q, 0);
	spec->project_id = column_int(q, 1);
	spec->judge_id = column_int_or(q, 5, 0);
	spec->detailed = strcmp(column_peek(q, 8), "detailed") == 0;
	spec->rating_version = tx_text(tx, q, 9);
	spec->response_column = tx_text(tx, q, 11);
	spec->round = column_int(q, 13);
	spec->uncounted = column_int(q, 14) != 0;
	spec->takes_over = column_int(q, 15) != 0;
	spec->taken_over_responses = column_int(q, 16);
	spec->taken_over_ratings = column_int(q, 17);
	if (!column_null(q, 2)) {
		r = prompt_template_load(tx, column_int(q, 2), &template);
		if (r < 0)
			return r;
		spec->prompt_template = template;
	}
	r = tx_decode(tx, &ellu_generation_params_type, column_peek(q, 12), &spec->generation_params);
	if (r >= 0)
		r = load_configs(tx, q, spec);
	if (r >= 0)
		r = load_measures(tx, spec);
	return r < 0 ? r : load_epochs(tx, column_int(q, 10), spec);
}

static void read_counters(sqlite3_stmt *q, struct run_spec *spec)
{
	spec->no_epoch = (struct run_epoch){
		.total = column_int(q, 10),
		.generated = column_int(q, 10),
		.rated = column_int(q, 11),
		.failed = column_int(q, 12),
		.ratings = column_int(q, 18),
	};
	spec->total_responses = spec->no_epoch.total;
	spec->input_tokens = column_int(q, 13);
	spec->output_tokens = column_int(q, 14);
	spec->cost_nanodollars = column_int_or(q, 15, -1);
}

static int load_rating(struct tx *tx, int64_t task_id, struct run_spec *spec)
{
	QUERY q = NULL;
	int r;

	r = db_query(tx->db, &q,
		     "SELECT n.id, coalesce(n.experiment_id, 0), n.adopt, NOT n.counted, n.round,"
		     " n.owner_uid, n.project_id, n.judge_id, n.rating_mode = 'detailed',"
		     " n.rating_version, n.total_responses, n.rated, n.failed, n.input_tokens,"
		     " n.output_tokens, n.cost_nanodollars, j.snapshot, j.llm_config_id,"
		     " n.ratings + n.ratings_before"
		     " FROM tasks t JOIN rating_runs n ON n.id = t.rating_run_id"
		     " JOIN judges j ON j.id = n.judge_id WHERE t.id = ?1",
		     "i", task_id);
	if (r >= 0)
		r = db_next(tx->db, q);
	if (r <= 0)
		return r < 0 ? r : fault_not_found(tx->fault, "rating task", NULL, task_id);
	spec->rating_run_id = column_int(q, 0);
	spec->experiment_id = column_int(q, 1);
	spec->adopt = column_int(q, 2) != 0;
	spec->uncounted = column_int(q, 3) != 0;
	spec->round = column_int(q, 4);
	spec->owner_uid = column_int(q, 5);
	spec->project_id = column_int(q, 6);
	spec->judge_id = column_int(q, 7);
	spec->detailed = column_int(q, 8) != 0;
	spec->rating_version = tx_text(tx, q, 9);
	read_counters(q, spec);
	r = pinned_config(tx, column_peek(q, 16), column_int(q, 17), "rating_llm_config.api_key_ref",
			  &spec->judge_config);
	return r < 0 ? r : load_measures(tx, spec);
}

static int load_run(struct tx *tx, struct run_load *op)
{
	struct run_spec *spec = tx_alloc(tx, sizeof(*spec));
	QUERY q = NULL;
	int r;

	if (!spec)
		return -ENOMEM;
	op->ret_spec = spec;
	if (op->rating_task_id)
		return load_rating(tx, op->rating_task_id, spec);
	spec->experiment_id = op->experiment_id;
	r = db_query(tx->db, &q,
		     "SELECT e.owner_uid, e.project_id, e.prompt_template_id, e.llm_config_id,"
		     " e.config_snapshot, e.judge_id, j.llm_config_id, j.snapshot, e.rating_mode,"
		     " e.rating_version, e.n_epochs, e.response_column, e.generation_params,"
		     " e.retry_round, e.counters_stale, e.source_experiment_id IS NOT NULL,"
		     " e.taken_over_responses, e.taken_over_ratings"
		     " FROM experiments e LEFT JOIN judges j ON j.id = e.judge_id WHERE e.id = ?1",
		     "i", op->experiment_id);
	if (r >= 0)
		r = db_next(tx->db, q);
	if (r < 0)
		return r;
	if (r == 0)
		return fault_not_found(tx->fault, "experiment", NULL, op->experiment_id);
	return load_spec(tx, q, spec);
}

/* A key replaced between the reading of its row and that of its file is looked for again: the
 * row of a later transaction names the file that is there. */
static int run_load_run(struct tx *tx, struct store_request *request)
{
	struct run_load *op = (struct run_load *)request;
	int r = load_run(tx, op);

	if (r >= 0 || !tx->missing_secret ||
	    (op->missing_secret && strcmp(op->missing_secret, tx->missing_secret) == 0))
		return r;
	op->missing_secret = tx->missing_secret;
	request->again = true;
	return 0;
}

void store_run_load(struct store *store, struct run_load *op)
{
	op->missing_secret = NULL;
	op->request.patient = true;
	tx_post(store, &op->request, STORE_POINT, run_load_run);
}
