/*
 * Experiments whose pin changes: by UpdateExperiment before they are asked, by more epochs, and by a task that has
 * rated one again.
 */
#include <errno.h>
#include <inttypes.h>

#include "daemon/store/resources/prompts/criterion.h"
#include "daemon/store/resources/configs/llm_config.h"
#include "daemon/store/resources/configs/panel.h"
#include "daemon/store/runs/evaluators.h"
#include "daemon/store/runs/experiment.h"
#include "daemon/store/runs/run_configs.h"
#include "proto/generated/interface.h"

/* By its new pin it is another experiment to who compares it with a request. */
static int identify(struct tx *tx, const struct experiment_row *experiment)
{
	struct tx_list measures = { 0 };
	char identity[IDENTITY_SIZE];
	struct run_row run;
	int r = run_row_load(tx, experiment->run_id, &run);

	if (r >= 0)
		r = run_measures(tx, run.id, &measures);
	if (r < 0)
		return r;
	experiment_identity(&run, experiment->answer_identity, &measures, identity);
	return db_run(tx->db, "UPDATE experiments SET identity = ?2 WHERE id = ?1", "is",
		      experiment->id, (const char *)identity);
}

/* ---- More epochs ---- */

int run_add_epochs(struct tx *tx, int64_t run_id, int64_t n)
{
	double most = record_field_find(&ellu_run_experiment_request_type, "n_epochs")->high;
	struct experiment_row experiment;
	struct run_row row;
	int r = run_row_load(tx, run_id, &row);

	if (r < 0)
		return r;
	row.n_epochs += n;
	if ((double)row.n_epochs > most)
		return fault_invalid(tx->fault, "epochs", "as many as make %.0f with the %" PRId64
				     " that there are", most, row.n_epochs - n);
	r = db_run(tx->db, "UPDATE runs SET n_epochs = ?2 WHERE id = ?1", "ii", run_id, row.n_epochs);
	if (r >= 0)
		r = experiment_row_of_run(tx, run_id, &experiment);
	return r <= 0 ? r : identify(tx, &experiment);
}

/* ---- Asked and rated otherwise ---- */

/* Those of the run, asking in another mode. */
static int put_judges(struct tx *tx, const struct run_row *run, const char *mode, int64_t *ret_id)
{
	const struct place place = { .owner_uid = run->owner_uid, .project_id = run->project_id };
	struct panel panel = { .n = 1, .judges = { { .config_id = run->judge.config_id,
						     .snapshot = run->judge.snapshot } } };
	struct ellu_llm_config *configs[JUDGES_MAX];
	int r = run->judge.reduction ? panel_load(tx, run->judge_id, &panel) : 0;

	for (size_t i = 0; r >= 0 && i < panel.n; i++) {
		r = tx_decode(tx, &ellu_llm_config_type, panel.judges[i].snapshot, &configs[i]);
		if (r >= 0)
			configs[i]->id = tx_int_value(tx, panel.judges[i].config_id);
	}
	return r < 0 ? r : judges_put(tx, &place, configs, panel.n, mode, run->rating_version,
				      panel.reduction, ret_id);
}

static int check_unasked(struct tx *tx, const struct experiment_row *experiment)
{
	int64_t one;
	int r = experiment->task_id ? 1 : db_int(tx->db, &one, "SELECT 1 FROM responses WHERE run_id = ?1"
						 " LIMIT 1", "i", experiment->run_id);

	return r <= 0 ? r : fault_conflict(tx->fault, "experiment", experiment->name, experiment->id,
					   "it has answers or a task; CloneExperiment makes one that is "
					   "asked or rated otherwise");
}

static int write_changed(struct tx *tx, const struct experiment_row *experiment, const struct run_row *run)
{
	const struct ellu_llm_config *configs[1 + FALLBACKS_MAX];
	struct experiment_row changed = *experiment;
	char answer_identity[IDENTITY_SIZE];
	size_t n_configs;
	int r;

	r = db_run(tx->db, "UPDATE runs SET judge_id = nullif(?2, 0), rating_mode = ?3, n_epochs = ?4,"
			   " generation_params = ?5 WHERE id = ?1", "iisis", run->id, run->judge_id,
		   run->rating_mode, run->n_epochs, run->generation_params);
	if (r >= 0)
		r = db_run(tx->db, "DELETE FROM run_epochs WHERE run_id = ?1 AND epoch > ?2", "ii", run->id,
			   run->n_epochs);
	if (r >= 0)
		r = run_answerers_load(tx, run, configs, &n_configs);
	if (r >= 0)
		r = experiment_answer_identity(tx, run, configs, n_configs, answer_identity);
	if (r >= 0)
		r = db_run(tx->db, "UPDATE experiments SET answer_identity = ?2 WHERE id = ?1", "is",
			   experiment->id, (const char *)answer_identity);
	changed.answer_identity = answer_identity;
	return r < 0 ? r : identify(tx, &changed);
}

/* How it is asked and rated, before it is. Conflict. */
static int change(struct tx *tx, const struct experiment_row *experiment,
		  const struct ellu_update_experiment_request *wanted)
{
	struct run_row run;
	int r = check_unasked(tx, experiment);

	if (r >= 0)
		r = run_row_load(tx, experiment->run_id, &run);
	if (r >= 0 && wanted->rating_mode) {
		run.rating_mode = wanted->rating_mode;
		if (run.judge.snapshot || run.judge.reduction)
			r = put_judges(tx, &run, wanted->rating_mode, &run.judge_id);
	}
	if (r >= 0 && wanted->n_epochs)
		run.n_epochs = *wanted->n_epochs;
	if (r >= 0 && wanted->generation_params)
		r = tx_encode(tx, &ellu_generation_params_type, wanted->generation_params,
			      &run.generation_params);
	return r < 0 ? r : write_changed(tx, experiment, &run);
}

/* By its name an experiment begins a family. */
static int rename_to(struct tx *tx, const struct experiment_row *row, const char *name)
{
	int64_t id;
	int r = resource_find(tx, &resource_experiment, row->project_id, name, &id);

	if (r > 0)
		return id == row->id ? 0 :
				       fault_conflict(tx->fault, "experiment", name, id,
						      "an experiment of that name exists");
	return r < 0 ? r : db_run(tx->db, "UPDATE experiments SET name = ?2, family = ?2,"
					  " family_number = 1 WHERE id = ?1", "is", row->id, name);
}

int experiment_update(struct tx *tx, struct method_run *op)
{
	const struct ellu_update_experiment_request *request = op->arguments;
	struct ellu_update_experiment_reply *reply = method_reply(tx, op);
	const char *description = request->description;
	struct experiment_row row;
	struct place place;
	int64_t id;
	int r = reply ? 0 : -ENOMEM;

	if (r >= 0)
		r = resource_resolve_own(tx, &resource_experiment, &op->scope, request->experiment, &id,
					 &place);
	if (r >= 0)
		r = experiment_row_load(tx, id, &row);
	if (r >= 0 && request->name)
		r = rename_to(tx, &row, request->name);
	if (r >= 0 && (request->rating_mode || request->n_epochs || request->generation_params))
		r = change(tx, &row, request);
	if (r >= 0)
		r = db_run(tx->db, "UPDATE experiments SET description = nullif(coalesce(?2, description),"
				   " ''), updated_at = ?3 WHERE id = ?1", "isi", id, description, tx->now);
	return r < 0 ? r : experiment_load(tx, id, &reply->experiment);
}

/* ---- Rated again ---- */

static int adopt(struct tx *tx, const struct run_row *from, const struct experiment_row *experiment)
{
	int r;

	r = db_run(tx->db, "UPDATE runs SET judge_id = ?2, rating_mode = ?3, rating_version = ?4,"
			   " verdicts_block = 0, criterion_set_id = nullif(?5, 0), counters_stale = counters_stale + 1"
			   " WHERE id = ?1", "iissi", experiment->run_id, from->judge_id,
		   from->rating_mode, from->rating_version, from->criterion_set_id);
	if (r >= 0)
		r = db_run(tx->db, "DELETE FROM run_measures WHERE run_id = ?1", "i",
			   experiment->run_id);
	if (r >= 0)
		r = db_run(tx->db, "INSERT INTO run_measures (run_id, position, owner_uid, project_id,"
				   " measure_id) SELECT ?1, position, owner_uid, project_id, measure_id"
				   " FROM run_measures WHERE run_id = ?2",
			   "ii", experiment->run_id, from->id);
	if (r >= 0)
		r = run_uses_take_over(tx, experiment->run_id, from->id);
	return r < 0 ? r : identify(tx, experiment);
}

/* What others had its judge say in the meantime is not in the counters. */
static int settle(struct tx *tx, int64_t run_id)
{
	return db_run(tx->db, "UPDATE run_epochs SET rated = generated"
			      " WHERE run_id = ?1 AND rated <> generated", "i", run_id);
}

int run_succeeded(struct tx *tx, int64_t task_id)
{
	struct experiment_row experiment;
	int64_t run_id, experiment_id;
	struct run_row row;
	int r = run_of_task(tx, task_id, &run_id, &experiment_id);

	if (r < 0 || !run_id)
		return r;
	r = settle(tx, run_id);
	if (r < 0 || !experiment_id)
		return r;
	r = experiment_row_load(tx, experiment_id, &experiment);
	if (r < 0 || experiment.run_id == run_id)
		return r;
	r = run_row_load(tx, run_id, &row);
	if (r >= 0)
		r = adopt(tx, &row, &experiment);
	return r < 0 ? r : settle(tx, experiment.run_id);
}
