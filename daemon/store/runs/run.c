/* What a run is pinned to, and what it counts. */
#include "daemon/store/runs/run.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "daemon/store/resources/prompts/criterion.h"
#include "daemon/store/resources/configs/llm_config.h"
#include "daemon/store/resources/configs/llm_config_secret.h"
#include "daemon/store/resources/prompts/prompt_template.h"
#include "daemon/store/runs/spending.h"
#include "proto/generated/interface.h"
#include "proto/provider.h"
#include "proto/usage.h"

/* ---- Rows ---- */

/* Of a panel, if one of its judges is. */
#define PANEL_SIMULATED                                                                         \
	"(SELECT 'simulated' FROM panel_judges p CROSS JOIN judges o ON o.id = p.judge_id"      \
	" WHERE p.panel_id = j.id AND o.kind = 'simulated' LIMIT 1)"

#define RUN_COLUMNS                                                                             \
	"n.id, n.owner_uid, n.project_id, n.prompt_template_id, n.collection_id,"               \
	" n.first_sequence, n.last_sequence, n.rows_identity, n.row_limit, n.column_defaults,"  \
	" n.input_column, n.input_type,"                                                        \
	" n.total_cases, n.n_epochs, n.llm_config_id, n.config_snapshot, n.response_column,"    \
	" n.response_cache, n.batch, n.tool_results, n.tool_rounds, n.generation_params, n.request, n.criterion_set_id, n.judge_id, n.rating_mode,"         \
	" n.rating_version,"                                                                     \
	" n.source_run_id, n.response_ids, n.filter_epoch, n.filter_measure_id,"                \
	" n.filter_judge_id, n.filter_value, n.last_response_id, n.last_rating_id, n.round,"    \
	" n.counters_stale, j.name, j.llm_config_id, j.snapshot, j.reduction,"                  \
	" json_extract(n.config_snapshot, '$.provider'),"                                       \
	" json_extract(n.config_snapshot, '$.llm_model_name'),"                                 \
	" coalesce(json_extract(j.snapshot, '$.provider'), " PANEL_SIMULATED "),"                \
	" coalesce(json_extract(j.snapshot, '$.llm_model_name'), " PANEL_SIMULATED ")"

/* In the order of the list. */
static void read_row(struct tx *tx, sqlite3_stmt *q, struct run_row *row)
{
	int c = 0;

	row->id = column_int(q, c++);
	row->owner_uid = column_int(q, c++);
	row->project_id = column_int(q, c++);
	row->prompt_template_id = column_int(q, c++);
	row->collection_id = column_int(q, c++);
	row->first_sequence = column_int(q, c++);
	row->last_sequence = column_int(q, c++);
	row->rows_identity = tx_text(tx, q, c++);
	row->row_limit = column_int(q, c++);
	row->column_defaults = tx_text(tx, q, c++);
	row->input_column = tx_text(tx, q, c++);
	row->input_type = tx_text(tx, q, c++);
	row->total_cases = column_int(q, c++);
	row->n_epochs = column_int(q, c++);
	row->config_id = column_int(q, c++);
	row->config_snapshot = tx_text(tx, q, c++);
	row->response_column = tx_text(tx, q, c++);
	row->response_cache = column_int(q, c++) != 0;
	row->batch = column_int(q, c++) != 0;
	row->tool_results = tx_text(tx, q, c++);
	row->tool_rounds = column_int(q, c++);
	row->generation_params = tx_text(tx, q, c++);
	row->request = tx_text(tx, q, c++);
	row->criterion_set_id = column_int(q, c++);
	row->judge_id = column_int(q, c++);
	row->rating_mode = tx_text(tx, q, c++);
	row->rating_version = tx_text(tx, q, c++);
	row->source_run_id = column_int(q, c++);
	row->response_ids = tx_text(tx, q, c++);
	row->filter_epoch = tx_int(tx, q, c++);
	row->filter_measure_id = tx_int(tx, q, c++);
	row->filter_judge_id = tx_int(tx, q, c++);
	row->filter_value = tx_int(tx, q, c++);
	row->last_response_id = column_int(q, c++);
	row->last_rating_id = column_int(q, c++);
	row->round = column_int(q, c++);
	row->counters_stale = column_int(q, c++);
	row->judge.name = tx_text(tx, q, c++);
	row->judge.config_id = column_int(q, c++);
	row->judge.snapshot = tx_text(tx, q, c++);
	row->judge.reduction = tx_text(tx, q, c++);
	for (int i = 0; i < 4; i++)
		row->models[i / 2][i % 2] = tx_text(tx, q, c++);
}

int run_row_load(struct tx *tx, int64_t id, struct run_row *ret_row)
{
	QUERY q = NULL;
	int r;

	*ret_row = (struct run_row){ 0 };
	r = db_row(tx->db, &q, "SELECT " RUN_COLUMNS " FROM runs n"
			       " LEFT JOIN judges j ON j.id = n.judge_id WHERE n.id = ?1", "i", id);
	if (r <= 0)
		return r < 0 ? r : fault_not_found(tx->fault, "run", NULL, id);
	read_row(tx, q, ret_row);
	return tx->oom ? -ENOMEM : 0;
}

static int insert_row(struct tx *tx, const struct run_row *row, int64_t *ret_id)
{
	return db_insert(tx->db, ret_id,
			 "INSERT INTO runs (owner_uid, project_id, prompt_template_id, collection_id,"
			 " first_sequence, last_sequence, rows_identity, row_limit, column_defaults,"
			 " total_cases, n_epochs, llm_config_id, config_snapshot, response_column,"
			 " generation_params, criterion_set_id, judge_id, rating_mode, rating_version,"
			 " source_run_id, response_ids, filter_epoch, filter_measure_id, filter_judge_id,"
			 " filter_value, last_response_id, last_rating_id, counters_stale, created_at, request,"
			 " adopted, input_column, input_type, skill_id, tool_results, tool_rounds, response_cache,"
			 " batch)"
			 " VALUES (?1, ?2, nullif(?3, 0), nullif(?4, 0), ?5, ?6, ?7, nullif(?8, 0), ?9, ?10,"
			 " ?11, nullif(?12, 0), ?13, ?14, ?15, nullif(?16, 0), nullif(?17, 0), ?18, ?19,"
			 " nullif(?20, 0), ?21, ?22, ?23, ?24, ?25, ?26, ?27, ?28, ?29, ?30, ?31, ?32, ?33,"
			 " nullif(?34, 0), ?35, nullif(?36, 0), ?37, ?38)",
			 "iiiiiisis" "iiisss" "iissis" "IIIIiiiisb" "ssisibb", row->owner_uid, row->project_id,
			 row->prompt_template_id, row->collection_id, row->first_sequence,
			 row->last_sequence, row->rows_identity, row->row_limit, row->column_defaults,
			 row->total_cases, row->n_epochs, row->config_id, row->config_snapshot,
			 row->response_column, row->generation_params, row->criterion_set_id,
			 row->judge_id, row->rating_mode, row->rating_version, row->source_run_id,
			 row->response_ids, row->filter_epoch, row->filter_measure_id,
			 row->filter_judge_id, row->filter_value, row->last_response_id,
			 row->last_rating_id, row->counters_stale, tx->now, row->request,
			 (int)row->adopted, row->input_column, row->input_type, row->skill_id, row->tool_results,
			 row->tool_rounds, (int)row->response_cache, (int)row->batch);
}

int run_epoch_begin(struct tx *tx, int64_t run_id, int64_t epoch)
{
	return db_run(tx->db, "INSERT INTO run_epochs (run_id, epoch, owner_uid, project_id, total)"
			      " SELECT id, ?2, owner_uid, project_id, total_cases FROM runs WHERE id = ?1"
			      " AND n_epochs >= ?2 ON CONFLICT DO NOTHING", "ii", run_id, epoch);
}

int run_insert(struct tx *tx, const struct run_row *row, const struct tx_list *measures,
	       int64_t *ret_id)
{
	int r = insert_row(tx, row, ret_id);

	for (size_t i = 0; r >= 0 && i < measures->n; i++)
		r = db_run(tx->db, "INSERT INTO run_measures (run_id, position, owner_uid, project_id,"
				   " measure_id) VALUES (?1, ?2, ?3, ?4, ?5)",
			   "iiiii", *ret_id, (int64_t)i, row->owner_uid, row->project_id,
			   ((const struct run_measure *)measures->items[i])->id);
	if (r >= 0)
		r = run_epoch_begin(tx, *ret_id, row->n_epochs > 0);
	return r < 0 ? r : 0;
}

int run_prompt_load(struct tx *tx, const struct run_row *row, struct prompt *ret_prompt)
{
	struct ellu_prompt_template *template = NULL;
	int r = 0;

	if (row->prompt_template_id)
		r = prompt_template_load(tx, row->prompt_template_id, &template);
	*ret_prompt = (struct prompt){
		.template = template,
		.input = row->input_column,
		.literal = row->input_type && strcmp(row->input_type, "raw_input") == 0,
	};
	return r;
}

int run_of_task(struct tx *tx, int64_t task_id, int64_t *ret_run_id, int64_t *ret_experiment_id)
{
	QUERY q = NULL;
	int r;

	r = db_row(tx->db, &q, "SELECT run_id, experiment_id FROM tasks WHERE id = ?1", "i", task_id);
	if (r <= 0)
		return r < 0 ? r : fault_not_found(tx->fault, "task", NULL, task_id);
	*ret_run_id = column_int(q, 0);
	*ret_experiment_id = column_int(q, 1);
	return 0;
}

bool run_is_simulated(const struct run_row *row)
{
	for (int i = 0; i < 2; i++)
		if (row->models[i][0] && provider_is_simulated(row->models[i][0]))
			return true;
	return false;
}

/* ---- Counters ---- */

static void read_epoch(sqlite3_stmt *q, struct run_spec *spec, struct run_epoch *epoch)
{
	int c = 1;

	epoch->total = column_int(q, c++);
	epoch->generated = column_int(q, c++);
	epoch->rated = column_int(q, c++);
	epoch->failed = column_int(q, c++);
	epoch->ratings = column_int(q, c++);
	epoch->decided = column_int(q, c++);
	epoch->yes = column_int(q, c++);
	usage_add(&spec->input_tokens, column_int(q, c++));
	usage_add(&spec->output_tokens, column_int(q, c++));
	usage_add(&spec->cost_nanodollars, column_int_or(q, c++, -1));
}

/* As they begin: those of which nothing was counted have no row. */
static int begin_epochs(struct tx *tx, int64_t run_id, struct run_spec *spec, struct run_epoch **ret_epochs)
{
	int64_t n_epochs, total;
	QUERY q = NULL;
	int r = db_row(tx->db, &q, "SELECT n_epochs, total_cases, (SELECT count(*) FROM run_measures"
				   "  WHERE run_id = ?1) FROM runs WHERE id = ?1", "i", run_id);

	if (r <= 0)
		return r;
	n_epochs = column_int(q, 0);
	total = column_int(q, 1);
	spec->n_measures = (size_t)column_int(q, 2);
	spec->n_epochs = n_epochs > 0 ? (size_t)n_epochs : 1;
	spec->epochs = *ret_epochs = tx_array(tx, spec->n_epochs, sizeof(**ret_epochs));
	if (!*ret_epochs)
		return -ENOMEM;
	for (size_t i = 0; i < spec->n_epochs; i++)
		(*ret_epochs)[i] = (struct run_epoch){ .epoch = (int64_t)i + (n_epochs > 0), .total = total };
	return 1;
}

int run_counters(struct tx *tx, int64_t run_id, struct run_spec *spec)
{
	struct run_epoch *epochs;
	QUERY q = NULL;
	int r;

	spec->cost_nanodollars = -1;
	r = begin_epochs(tx, run_id, spec, &epochs);
	if (r <= 0)
		return r;
	r = db_query(tx->db, &q, "SELECT epoch, total, generated, rated, failed, ratings, decided, yes, input_tokens,"
				 " output_tokens, cost_nanodollars FROM run_epochs WHERE run_id = ?1"
				 " ORDER BY epoch", "i", run_id);
	while (r >= 0 && (r = db_next(tx->db, q)) > 0) {
		size_t i = (size_t)(column_int(q, 0) - epochs[0].epoch);

		if (i >= spec->n_epochs)
			return -EBADMSG;
		read_epoch(q, spec, &epochs[i]);
	}
	for (size_t i = 0; i < spec->n_epochs; i++)
		spec->total_responses += epochs[i].total;
	return r;
}

/* ---- Configs ---- */

static int pinned_config(struct tx *tx, const char *snapshot, int64_t config_id, const char *field,
			 const struct ellu_llm_config **ret_config)
{
	struct ellu_llm_config *pinned, *live, was;
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
	if (!config_secrets_equal(pinned, live, CONFIG_SECRET_BODY))
		return fault_invalid(tx->fault, field, "a config with the extra_body that the run is "
				     "pinned to; that of '%s' has changed since: run it afresh",
				     live->name);
	pinned->id = live->id;
	pinned->extra_headers = live->extra_headers;
	pinned->n_extra_headers = live->n_extra_headers;
	pinned->extra_body = live->extra_body;
	pinned->llm_base_url = live->llm_base_url;
	pinned->api_key = live->api_key;
	pinned->has_api_key = live->has_api_key;
	was = *pinned;
	llm_config_take_way(pinned, live);
	llm_config_fill_prices(tx, pinned);
	/* Without any the task's limits of cost would be none. */
	if (!pinned->price_input && !pinned->price_output)
		llm_config_take_prices(pinned, &was);
	return 0;
}

int run_config_load(struct tx *tx, const struct run_row *row, const char *snapshot, int64_t config_id,
		    const char *field, const struct ellu_llm_config **ret_config,
		    struct taken_today *ret_taken)
{
	int r = pinned_config(tx, snapshot, config_id, field, ret_config);

	if (r < 0 || (!(*ret_config)->requests_per_day && !(*ret_config)->tokens_per_day))
		return r;
	return spending_today(tx, row->owner_uid, *(*ret_config)->id, ret_taken);
}

/* The fingerprints are those of the secrets as they are now. */
int run_config_identity(struct tx *tx, const struct run_row *row, const struct ellu_llm_config *config,
			const char **ret_identity)
{
	char of_config[IDENTITY_SIZE], *text = tx_alloc(tx, IDENTITY_SIZE);
	struct ellu_llm_config *live;
	struct identity identity;
	int r;

	*ret_identity = NULL;
	if (!row->response_cache)
		return 0;
	r = text ? llm_config_identity(tx, config, of_config) : -ENOMEM;
	if (r >= 0)
		r = llm_config_load(tx, *config->id, &live, NULL);
	if (r < 0)
		return r;
	identity_init(&identity);
	identity_int(&identity, *config->id);
	identity_text(&identity, of_config);
	identity_text(&identity, live->api_key_ref);
	for (size_t i = 0; i < live->n_fingerprints; i++) {
		identity_text(&identity, live->fingerprints[i].key);
		identity_text(&identity, live->fingerprints[i].value);
	}
	identity_done(&identity, text);
	*ret_identity = text;
	return 0;
}
