/* What a run was pinned to, as its worker gets it. */
#include <string.h>

#include "daemon/store/engine/store_internal.h"
#include "daemon/store/resources/prompts/criterion.h"
#include "daemon/store/resources/configs/panel.h"
#include "daemon/store/runs/evaluators.h"
#include "daemon/store/runs/experiment.h"
#include "daemon/store/runs/run_configs.h"
#include "daemon/store/runs/spending.h"
#include "proto/generated/interface.h"

static int load_measures(struct tx *tx, struct run_spec *spec)
{
	struct tx_list list = { 0 };
	struct run_measure *measures;
	int r = run_measures(tx, spec->run_id, &list);

	if (r < 0)
		return r;
	measures = tx_array(tx, list.n, sizeof(*measures));
	if (!measures)
		return -ENOMEM;
	for (size_t i = 0; i < list.n; i++)
		measures[i] = *(const struct run_measure *)list.items[i];
	spec->measures = measures;
	return 0;
}

static int load_judges(struct tx *tx, const struct run_row *row, struct run_spec *spec)
{
	struct panel panel = { .n = row->judge.config_id != 0 };
	struct run_judge_spec *judges;
	int r = 0;

	panel.judges[0] = (struct panel_judge){ row->judge_id, row->judge.name, row->judge.config_id,
						row->judge.snapshot };
	if (row->judge.reduction)
		r = panel_load(tx, row->judge_id, &panel);
	judges = tx_array(tx, panel.n, sizeof(*judges));
	if (!judges)
		return -ENOMEM;
	for (size_t i = 0; r >= 0 && i < panel.n; i++) {
		const char *field = "rating_llm_config.api_key_ref";

		if (row->judge.reduction)
			field = tx_printf(tx, "rating_llm_configs[%zu].api_key_ref", i);
		judges[i].id = panel.judges[i].id;
		r = run_config_load(tx, row, panel.judges[i].snapshot, panel.judges[i].config_id, field,
				    &judges[i].config, &judges[i].taken);
	}
	spec->judges = judges;
	spec->n_judges = panel.n;
	return r;
}

static int load_configs(struct tx *tx, const struct run_row *row, struct run_spec *spec)
{
	int r = 0;

	if (row->config_id)
		r = run_config_load(tx, row, row->config_snapshot, row->config_id, "llm_config.api_key_ref",
				    &spec->config, &spec->taken);
	if (r >= 0 && row->config_id)
		r = run_config_identity(tx, row, spec->config, &spec->config_identity);
	if (r >= 0)
		r = run_configs_load(tx, row, spec);
	return r < 0 ? r : load_judges(tx, row, spec);
}

static int load_taken_over(struct tx *tx, struct run_spec *spec)
{
	struct experiment_row experiment;
	int r = experiment_row_of_run(tx, spec->run_id, &experiment);

	if (r <= 0)
		return r;
	spec->takes_over = experiment.source_experiment_id != 0;
	spec->taken_over_responses = experiment.taken_over_responses;
	spec->taken_over_ratings = experiment.taken_over_ratings;
	return 0;
}

static int load_spec(struct tx *tx, int64_t run_id, struct run_spec *spec)
{
	struct run_row row;
	int r = run_row_load(tx, run_id, &row);

	if (r < 0)
		return r;
	spec->run_id = run_id;
	spec->rates = row.n_epochs == 0;
	spec->owner_uid = row.owner_uid;
	spec->project_id = row.project_id;
	spec->judge_id = row.judge_id;
	spec->detailed = row.rating_mode && strcmp(row.rating_mode, "detailed") == 0;
	spec->rating_version = row.rating_version;
	spec->response_column = row.response_column;
	spec->batch = row.batch;
	spec->tool_results = row.tool_results;
	spec->tool_rounds = row.tool_rounds;
	spec->request = row.request;
	spec->round = row.round;
	spec->uncounted = row.counters_stale != 0;
	r = run_prompt_load(tx, &row, &spec->prompt);
	if (r >= 0)
		r = tx_decode(tx, &ellu_generation_params_type, row.generation_params,
			      &spec->generation_params);
	if (r >= 0)
		r = load_configs(tx, &row, spec);
	if (r >= 0)
		r = load_measures(tx, spec);
	if (r >= 0)
		r = run_evaluators_load(tx, &row, spec);
	if (r >= 0 && !spec->rates)
		r = load_taken_over(tx, spec);
	if (r >= 0)
		r = spending_daily(tx->db, spec->project_id, tx->now, &spec->today);
	return r < 0 ? r : run_counters(tx, run_id, spec);
}

static int load_run(struct tx *tx, struct run_load *op)
{
	struct run_spec *spec = tx_alloc(tx, sizeof(*spec));
	int64_t run_id, experiment_id = 0;
	int r;

	if (!spec)
		return -ENOMEM;
	op->ret_spec = spec;
	r = run_of_task(tx, op->task_id, &run_id, &experiment_id);
	if (r >= 0)
		r = load_spec(tx, run_id, spec);
	spec->adopt = spec->rates && experiment_id;
	return r;
}

/* A key replaced between the reading of its row and that of its file is looked for again: the
 * row of a later transaction names the file that is there. */
static int run_load_run(struct tx *tx, struct run_load *op)
{
	const char *missing = op->request.state;
	int r = load_run(tx, op);

	if (r >= 0 || !tx->missing_secret || (missing && strcmp(missing, tx->missing_secret) == 0))
		return r;
	op->request.state = (void *)tx->missing_secret;
	op->request.again = true;
	return 0;
}

STORE_OPERATION(run_load, STORE_POINT, true)
