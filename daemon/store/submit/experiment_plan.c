/* What RunExperiment would do: it is made, described, and taken back. */
#include <errno.h>
#include <string.h>

#include "daemon/store/resources/rows.h"
#include "daemon/store/submit/experiment_submit.h"
#include "proto/generated/interface.h"
#include "proto/template.h"

static int first_row(struct row_walk *walk, sqlite3_stmt *q)
{
	const char **text = walk->userdata;

	*text = tx_text(walk->tx, q, 1);
	return 1;
}

static int read_first_row(struct submission *s, json_object **ret_values)
{
	const char *text = NULL;
	struct row_walk walk = {
		.tx = s->tx,
		.state = &s->collection,
		.sequence = s->collection.first_sequence + 1,
		.found = first_row,
		.userdata = &text,
	};
	int r;

	r = row_walk(&walk);
	if (r >= 0)
		r = text ? collection_fill(s->tx, s->run.column_defaults, text, &text) : -ENOMEM;
	if (r < 0)
		return r;
	*ret_values = text ? tx_parse(text) : NULL;
	return *ret_values ? 0 : -ENOMEM;
}

static int render(struct submission *s, struct ellu_experiment_plan *plan)
{
	struct fault fault = { 0 };
	struct prompt prompt;
	json_object *values;
	int r = run_prompt_load(s->tx, &s->run, &prompt);

	if (r < 0 || prompt_is_empty(&prompt) || s->arguments->response_column)
		return r;
	r = read_first_row(s, &values);
	if (r < 0)
		return r;
	r = prompt_render(&prompt, values, s->tx->arena, &plan->messages, &plan->n_messages, &fault);
	json_object_put(values);
	if (r == ELLU_E_INVALID_PARAMETER)
		return fault_invalid(s->tx->fault, "collection",
				     "a value of '%s' in its first row, which the prompt needs",
				     fault.field);
	if (r < 0)
		*s->tx->fault = fault;
	return r;
}

static int64_t at_least_0(int64_t n)
{
	return n > 0 ? n : 0;
}

/* What is missing of it; nothing is, of a finished one. */
static int count_calls(struct submission *s, struct ellu_experiment_plan *plan)
{
	const struct ellu_experiment *experiment = plan->experiment;
	int64_t pairs = experiment->total_cases * experiment->n_epochs;
	const struct ellu_criterion_set *set = experiment->criterion_set;
	int64_t generated = 0, failed = 0, ratings = 0, n_checks = 0;
	struct run_spec spec = { 0 };
	int r;

	if (plan->finished)
		return 0;
	r = run_counters(s->tx, s->run.id, &spec);
	for (size_t i = 0; i < spec.n_epochs; i++) {
		generated += spec.epochs[i].generated;
		failed += spec.epochs[i].failed;
		ratings += spec.epochs[i].ratings;
	}
	if (!experiment->response_column)
		plan->generation_calls = at_least_0(pairs - generated);
	for (size_t i = 0; set && i < set->n_criteria; i++)
		n_checks += set->criteria[i]->check != NULL;
	/* They are decided as soon as there is an answer. */
	ratings = at_least_0(ratings - n_checks * (generated - failed));
	plan->judge_calls = at_least_0((pairs - failed) * ((int64_t)spec.n_measures - n_checks) - ratings);
	return r;
}

static int describe(struct submission *s, struct ellu_experiment_plan *plan)
{
	const struct task_submit *submit = s->op;
	int r;

	if (s->rejected.code) {
		*s->tx->fault = s->rejected;
		return s->rejected.code;
	}
	r = experiment_load(s->tx, *submit->ret_task->experiment_id, &plan->experiment);
	if (r < 0)
		return r;
	plan->is_new = s->is_new;
	plan->finished = submit->ret_existing;
	plan->notes = tx_list_items(s->tx, &s->notes.lines);
	plan->n_notes = s->notes.lines.n;
	r = count_calls(s, plan);
	return r < 0 ? r : render(s, plan);
}

struct trial_submission {
	struct submission s;
	struct ellu_experiment_plan *plan;
};

/* In one transaction: so what is said is what would happen, by the same checks. */
static int submit_and_describe(void *userdata)
{
	struct trial_submission *trial = userdata;
	int r = submission_run(&trial->s);

	if (r >= 0)
		r = describe(&trial->s, trial->plan);
	return r < 0 ? r : 1;
}

static int read_plan(struct tx *tx, struct method_run *op)
{
	const struct ellu_plan_experiment_request *request = op->arguments;
	struct ellu_run_experiment_request *run;
	void *record;
	int r;

	r = record_from_text(&ellu_run_experiment_request_type, request->run, strlen(request->run),
			     FROM_CLIENT, tx->arena, &record, tx->fault);
	if (r < 0)
		return r;
	run = record;
	run->idempotency_key = NULL; // what an earlier request came to is no plan
	return submission_prepare(tx, op, run);
}

int experiment_plan(struct tx *tx, struct method_run *op)
{
	struct prepared *prepared = op->request.state;
	struct ellu_plan_experiment_reply *reply;
	struct trial_submission *trial;

	if (!prepared)
		return read_plan(tx, op);
	reply = method_reply(tx, op);
	trial = tx_alloc(tx, sizeof(*trial));
	if (!reply || !trial)
		return -ENOMEM;
	trial->plan = TX_RECORD(tx, struct ellu_experiment_plan);
	if (!trial->plan)
		return -ENOMEM;
	reply->plan = trial->plan;
	submission_init(&trial->s, tx, &prepared->submit, prepared->input);
	return task_submit_try(tx, submit_and_describe, trial);
}
