/*
 * Submitting a comparison of experiments: what they are, the rows of the first, and who says which answer is
 * better. Their answers are read when they are compared; none of them may be running.
 */
#include <errno.h>
#include <string.h>

#include "daemon/store/resources/evaluators/evaluator.h"
#include "daemon/store/runs/compare/preferences.h"
#include "daemon/store/runs/evaluators.h"
#include "daemon/store/submit/task_submit.h"
#include "proto/generated/interface.h"
#include "proto/provider.h"

#define EVALUATOR "Preference" // where none is named

struct preference {
	struct tx *tx;
	struct task_submit *op;
	const struct ellu_prefer_experiments_request *arguments;
	struct scope scope; // the submitter's own, administrator or not
	struct place place;
	struct run_row run;
	int64_t judge_config_id; // the first that answered and is not simulated; 0: none
	struct notes notes;
	struct fault rejected; // code 0: not
};

/* Who prefers reads both answers, and perhaps what was asked. */
static int check_inputs(struct tx *tx, const struct ellu_evaluator *evaluator)
{
	static const char *const known[] = { "response", "other_response", "request" };
	const size_t n_needed = 2;
	size_t n_found = 0;

	for (size_t i = 0; i < evaluator->n_inputs; i++) {
		size_t k = 0;

		while (k < sizeof(known) / sizeof(known[0]) && strcmp(evaluator->inputs[i], known[k]) != 0)
			k++;
		if (k == sizeof(known) / sizeof(known[0]))
			return fault_invalid(tx->fault, "evaluator", "an evaluator that needs response, "
					     "other_response and at most the request; '%s' needs %s",
					     evaluator->name, evaluator->inputs[i]);
		n_found += k < n_needed;
	}
	return n_found == n_needed ? 0 : fault_invalid(tx->fault, "evaluator", "an evaluator that scores "
						       "{{response}} beside {{other_response}}; '%s' does not",
						       evaluator->name);
}

static int find_evaluator(struct preference *preference, struct evaluator_list *evaluators)
{
	struct ellu_ref built_in = ELLU_RECORD(struct ellu_ref);
	const struct ellu_ref *ref = preference->arguments->evaluator;
	int r;

	built_in.name = EVALUATOR;
	r = evaluators_find(preference->tx, &preference->scope, ref ? ref : &built_in, /* judge= */ NULL, evaluators);
	return r < 0 ? r : check_inputs(preference->tx, evaluators->items[0]);
}

/* Its config judges where nobody names one: that is nothing for a simulated model, unless all answers are its. */
static int offer_judge(struct preference *preference, const struct run_row *own)
{
	int r = 0;

	if (!preference->judge_config_id && own->models[0][0] && !provider_is_simulated(own->models[0][0]))
		r = db_int(preference->tx->db, &preference->judge_config_id,
			   "SELECT id FROM llm_configs WHERE id = ?1 AND (owner_uid = ?2 OR shared)"
			   " AND deleted_at IS NULL", "ii", own->config_id, preference->place.owner_uid);
	return r < 0 ? r : 0;
}

/* Its rows, what was asked of them, and as many epochs as all have. */
static int take_experiment(struct preference *preference, int64_t id, bool is_first)
{
	struct run_row *run = &preference->run, own;
	struct tx *tx = preference->tx;
	struct experiment_row row;
	int r = experiment_row_load(tx, id, &row);

	if (r >= 0)
		r = experiment_check_idle(tx, &row);
	if (r >= 0)
		r = run_row_load(tx, row.run_id, &own);
	if (r < 0)
		return r;
	r = offer_judge(preference, &own);
	if (r < 0)
		return r;
	if (!is_first) {
		run->n_epochs = own.n_epochs < run->n_epochs ? own.n_epochs : run->n_epochs;
		return 0;
	}
	*run = (struct run_row){
		.owner_uid = preference->place.owner_uid,
		.project_id = preference->place.project_id,
		.prompt_template_id = own.prompt_template_id,
		.collection_id = own.collection_id,
		.first_sequence = own.first_sequence,
		.last_sequence = own.last_sequence,
		.rows_identity = own.rows_identity,
		.row_limit = own.row_limit,
		.column_defaults = own.column_defaults,
		.input_column = own.input_column,
		.input_type = own.input_type,
		.total_cases = own.total_cases,
		.n_epochs = own.n_epochs,
	};
	return 0;
}

/* What is compared is a row's, whatever epochs it has. */
static int write_request(struct preference *preference, const int64_t *ids, size_t n)
{
	struct run_row *run = &preference->run;
	struct tx *tx = preference->tx;
	const char *list = "";

	if ((size_t)run->n_epochs * compared_parts(n) > COMPARED_PARTS_MAX)
		return fault_invalid(tx->fault, "experiments", "experiments that come to at most %d questions a row; "
				     "%zu of %lld epochs come to %zu", COMPARED_PARTS_MAX, n,
				     (long long)run->n_epochs, (size_t)run->n_epochs * compared_parts(n));
	for (size_t i = 0; i < n && list; i++)
		list = tx_printf(tx, "%s%s%lld", list, i > 0 ? "," : "", (long long)ids[i]);
	run->request = tx_printf(tx, "{\"experiments\":[%s],\"n_epochs\":%lld}", list ? list : "",
				 (long long)run->n_epochs);
	run->n_epochs = 1;
	return run->request && list ? 0 : -ENOMEM;
}

static int take_experiments(struct preference *preference)
{
	const struct ellu_prefer_experiments_request *a = preference->arguments;
	int64_t ids[COMPARED_MAX];
	int r;

	r = experiments_resolve(preference->tx, &preference->scope, a->experiments, a->n_experiments, ids);
	for (size_t i = 0; r >= 0 && i < a->n_experiments; i++)
		r = take_experiment(preference, ids[i], i == 0);
	return r < 0 ? r : write_request(preference, ids, a->n_experiments);
}

static int pin(struct preference *preference)
{
	const struct ellu_prefer_experiments_request *a = preference->arguments;
	struct tx *tx = preference->tx;
	struct evaluator_list evaluators;
	int r = find_evaluator(preference, &evaluators);

	if (r >= 0)
		r = take_experiments(preference);
	if (r >= 0)
		r = run_insert(tx, &preference->run, &(struct tx_list){ 0 }, &preference->run.id);
	evaluators.config_id = preference->judge_config_id;
	if (r >= 0)
		r = run_evaluators_pin(tx, &preference->run, &preference->scope, a->llm_config, &evaluators,
				       &preference->notes);
	return r < 0 ? r : task_submit_check_run(tx, preference->op, preference->run.id, a->cost_limit,
						 &preference->rejected);
}

static int submit(struct preference *preference, const char *hash)
{
	struct tx *tx = preference->tx;
	int r = task_submit_find_key(tx, preference->op, preference->place.owner_uid, hash);

	if (r != 0)
		return r < 0 ? r : 0;
	r = task_submit_check_room(tx);
	if (r >= 0)
		r = pin(preference);
	return r < 0 ? r : task_submit_insert(tx, preference->op,
					      &(struct task_new){
						      .kind = TASK_KIND_PREFERENCE,
						      .place = preference->place,
						      .name = preference->arguments->name,
						      .run_id = preference->run.id,
						      .request_hash = hash,
						      .rejected = &preference->rejected,
						      .log = &preference->notes.lines,
					      });
}

int preference_submit(struct tx *tx, struct task_submit *op)
{
	struct preference preference = { .tx = tx, .op = op, .arguments = op->arguments,
					 .scope = scope_own(&op->scope) };
	char hash[IDENTITY_SIZE];
	int r;

	task_submit_begin(op);
	r = task_submit_hash(tx, op->method->request, op->arguments, hash);
	if (r >= 0)
		r = place_resolve(tx, &preference.scope, &preference.place);
	return r < 0 ? r : submit(&preference, hash);
}
