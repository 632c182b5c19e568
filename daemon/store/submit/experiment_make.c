/*
 * Experiments without a task: of the parts that RunExperiment takes, by the same code, or of those of
 * another experiment. What the state shows wrong is an error, since there is no task to tell of it.
 */
#include <errno.h>
#include <string.h>

#include "daemon/store/resources/prompts/criterion.h"
#include "daemon/store/runs/run_configs.h"
#include "daemon/store/submit/experiment_submit.h"
#include "proto/generated/interface.h"

/* What the request of such a method says, as RunExperiment's. */
static int read_parts(struct tx *tx, struct method_run *op, bool afresh)
{
	struct ellu_run_experiment_request *run = TX_RECORD(tx, struct ellu_run_experiment_request);

	if (!run)
		return -ENOMEM;
	record_lend(op->method->request, op->arguments, &ellu_run_experiment_request_type, run);
	run->experiment = NULL; // that of a clone is its source
	run->run_afresh = afresh;
	return submission_prepare(tx, op, run);
}

static int begin(struct tx *tx, struct method_run *op, struct submission **ret_s)
{
	struct prepared *prepared = op->request.state;
	struct submission *s = tx_alloc(tx, sizeof(*s));

	if (!s)
		return -ENOMEM;
	*ret_s = s;
	submission_init(s, tx, &prepared->submit, prepared->input);
	s->runs_later = true;
	return place_resolve(tx, &s->scope, &s->place);
}

/* ---- Create ---- */

static int make(struct submission *s, int64_t *ret_id)
{
	const char *name;
	int r = submission_pin(s);

	if (r > 0) {
		*s->tx->fault = s->rejected;
		return s->rejected.code;
	}
	return r < 0 ? r : submission_create(s, ret_id, &name);
}

int experiment_create(struct tx *tx, struct method_run *op)
{
	struct ellu_create_experiment_reply *reply;
	struct submission *s;
	int64_t id;
	int r;

	if (!op->request.state)
		return read_parts(tx, op, /* afresh= */ false);
	reply = method_reply(tx, op);
	r = reply ? begin(tx, op, &s) : -ENOMEM;
	if (r >= 0)
		r = submission_look(s);
	if (r >= 0 && s->named_id)
		r = submission_conflict(s);
	if (r >= 0)
		r = make(s, &id);
	return r < 0 ? r : experiment_load(tx, id, &reply->experiment);
}

/* ---- Get or create ---- */

/* Nothing of it stays. 2: it would be another experiment; 1: the same. */
static int compare(void *userdata)
{
	struct submission *s = userdata;
	int64_t same = 0;
	int r = submission_pin(s);

	if (r == 0)
		r = db_int(s->tx->db, &same, "SELECT identity = ?2 FROM experiments WHERE id = ?1", "is",
			   s->named_id, (const char *)s->identity);
	else if (r == ELLU_E_CONFLICT)
		r = 1;
	return r < 0 ? r : same ? 1 : 2;
}

int experiment_get_or_create(struct tx *tx, struct method_run *op)
{
	struct ellu_get_or_create_experiment_reply *reply;
	struct submission *s;
	int64_t id;
	int r;

	if (!op->request.state)
		return read_parts(tx, op, /* afresh= */ false);
	reply = method_reply(tx, op);
	r = reply ? begin(tx, op, &s) : -ENOMEM;
	if (r >= 0)
		r = submission_look(s);
	if (r < 0)
		return r;
	id = s->named_id;
	reply->created = !id;
	r = id ? task_submit_try(tx, compare, s) : make(s, &id);
	reply->differs = r > 1;
	return r < 0 ? r : experiment_load(tx, id, &reply->experiment);
}

/* ---- Clone ---- */

static const struct ellu_ref *ref_to(struct tx *tx, int64_t id)
{
	struct ellu_ref *ref = id ? TX_RECORD(tx, struct ellu_ref) : NULL;

	if (ref)
		ref->id = tx_int_value(tx, id);
	return ref;
}

/* A record of a type that holds a reference or a content. */
static void *in_to(struct tx *tx, const struct record_type *type, int64_t id)
{
	const struct ellu_ref *ref = ref_to(tx, id);
	char *record = ref ? tx_record(tx, type->size) : NULL;

	if (record)
		memcpy(record + record_field_find(type, "ref")->offset, &ref, sizeof(ref));
	return record;
}

/* 1: it is there to be used. */
#define IS_SHOWN(tx, table, id)                                                                   \
	db_int((tx)->db, &(int64_t){ 0 }, "SELECT 1 FROM " table " WHERE id = ?1"                 \
					  " AND deleted_at IS NULL", "i", (int64_t)(id))

/* A set that was deleted since, or whose criteria alone the source has: by what that is judged. */
static int take_measures(struct tx *tx, const struct run_row *from, struct ellu_run_experiment_request *rest)
{
	struct tx_list measures = { 0 }, criteria = { 0 };
	int r = run_criteria(tx, from->id, &measures);

	for (size_t i = 0; r >= 0 && i < measures.n; i++) {
		const struct run_measure *measure = measures.items[i];
		struct ellu_criterion *criterion = TX_RECORD(tx, struct ellu_criterion);

		if (!criterion)
			return -ENOMEM;
		criterion->criterion_str = measure->text;
		criterion->label = measure->label;
		criterion->check = measure->check;
		r = tx_append(tx, &criteria, criterion);
	}
	rest->n_measures = criteria.n;
	rest->measures = criteria.n ? tx_list_items(tx, &criteria) : NULL;
	return r;
}

/* In their versions; of what is built in, as it is by now. */
static int take_evaluators(struct tx *tx, const struct run_row *from, struct ellu_run_experiment_request *rest)
{
	struct tx_list measures = { 0 }, uses = { 0 };
	int r = run_measures(tx, from->id, &measures);

	for (size_t i = 0; r >= 0 && i < measures.n; i++) {
		const struct run_measure *measure = measures.items[i];
		struct ellu_evaluator_use *use = TX_RECORD(tx, struct ellu_evaluator_use);
		struct ellu_ref *ref = TX_RECORD(tx, struct ellu_ref);

		if (!use || !ref)
			return -ENOMEM;
		if (!measure->use)
			continue;
		ref->id = measure->use->evaluator->id;
		ref->name = ref->id ? NULL : measure->text;
		use->evaluator = ref;
		use->variables = measure->use->variables;
		r = tx_append(tx, &uses, use);
	}
	rest->n_evaluators = uses.n;
	rest->evaluators = uses.n ? tx_list_items(tx, &uses) : NULL;
	return r;
}

/* What the clone would be made of is there, unless something else takes its place. */
static int check_parts(struct tx *tx, const struct run_row *from, const struct ellu_run_experiment_request *run)
{
	static const char why[] = "%s of the experiment was deleted; say another one";
	int r = 1;

	if (!run->collection)
		r = IS_SHOWN(tx, "collections", from->collection_id);
	if (r == 0)
		return fault_conflict(tx->fault, "collection", NULL, from->collection_id, why, "the collection");
	if (r > 0 && !run->prompt_template && from->prompt_template_id)
		r = IS_SHOWN(tx, "prompt_templates", from->prompt_template_id);
	if (r == 0)
		return fault_conflict(tx->fault, "prompt_template", NULL, from->prompt_template_id, why,
				      "the prompt template");
	if (r > 0 && !run->llm_config && from->config_id)
		r = IS_SHOWN(tx, "llm_configs", from->config_id);
	if (r == 0)
		return fault_conflict(tx->fault, "llm_config", NULL, from->config_id, why, "the config");
	if (r > 0 && !run->rating_llm_config && !run->rating_llm_configs && from->judge.config_id)
		r = IS_SHOWN(tx, "llm_configs", from->judge.config_id);
	if (r == 0)
		return fault_conflict(tx->fault, "llm_config", NULL, from->judge.config_id, why,
				      "the judge's config");
	return r;
}

/* Its judges, none of which was deleted. */
static int take_panel(struct tx *tx, const struct run_row *from, struct ellu_run_experiment_request *rest)
{
	struct tx_list configs = { 0 };
	struct panel panel;
	int r = panel_load(tx, from->judge_id, &panel);

	for (size_t i = 0; r >= 0 && i < panel.n; i++) {
		const void *in = in_to(tx, &ellu_llm_config_in_type, panel.judges[i].config_id);

		r = IS_SHOWN(tx, "llm_configs", panel.judges[i].config_id);
		if (r == 0)
			return fault_conflict(tx->fault, "llm_config", panel.judges[i].name,
					      panel.judges[i].config_id, "the config of a judge of the experiment "
					      "was deleted; say another one");
		if (r > 0)
			r = in ? tx_append(tx, &configs, in) : -ENOMEM;
	}
	rest->rating_llm_configs = tx_list_items(tx, &configs);
	rest->n_rating_llm_configs = configs.n;
	rest->rating_reduction = panel.reduction;
	return r;
}

/* What else may answer, none of which was deleted. */
static int take_fallbacks(struct tx *tx, const struct run_row *from, struct ellu_run_experiment_request *rest)
{
	struct run_fallback fallbacks[FALLBACKS_MAX];
	struct tx_list configs = { 0 };
	size_t n;
	int r = run_fallbacks_list(tx, from->id, fallbacks, &n);

	for (size_t i = 0; r >= 0 && i < n; i++) {
		const void *in = in_to(tx, &ellu_llm_config_in_type, fallbacks[i].config_id);

		r = IS_SHOWN(tx, "llm_configs", fallbacks[i].config_id);
		if (r == 0)
			return fault_conflict(tx->fault, "llm_config", fallbacks[i].name, fallbacks[i].config_id,
					      "a config that the experiment falls back to was deleted; say another one");
		if (r > 0)
			r = in ? tx_append(tx, &configs, in) : -ENOMEM;
	}
	rest->fallback_llm_configs = configs.n ? tx_list_items(tx, &configs) : NULL;
	rest->n_fallback_llm_configs = configs.n;
	return r;
}

/* What the request leaves to the source. */
static int take_parts(struct tx *tx, const struct run_row *from, struct ellu_run_experiment_request *run)
{
	struct ellu_run_experiment_request *rest = TX_RECORD(tx, struct ellu_run_experiment_request);
	struct ellu_generation_params *params;
	int r;

	if (!rest)
		return -ENOMEM;
	r = check_parts(tx, from, run);
	if (r < 0)
		return r;
	rest->prompt_template = in_to(tx, &ellu_template_in_type, from->prompt_template_id);
	rest->collection = in_to(tx, &ellu_collection_in_type, from->collection_id);
	rest->llm_config = in_to(tx, &ellu_llm_config_in_type, from->config_id);
	if (!run->rating_llm_config && !run->rating_llm_configs) {
		rest->rating_llm_config = in_to(tx, &ellu_llm_config_in_type, from->judge.config_id);
		if (from->judge.reduction)
			r = take_panel(tx, from, rest);
		if (r < 0)
			return r;
	}
	if (!run->criteria && !run->measures && !run->criterion_set && from->criterion_set_id) {
		r = IS_SHOWN(tx, "criterion_sets", from->criterion_set_id);
		if (r > 0)
			rest->criterion_set = ref_to(tx, from->criterion_set_id);
		else if (r == 0)
			r = take_measures(tx, from, rest);
		if (r < 0)
			return r;
	}
	r = take_evaluators(tx, from, rest);
	if (r < 0)
		return r;
	rest->rating_mode = from->rating_mode;
	rest->rating_version = from->rating_version;
	rest->n_epochs = from->n_epochs;
	rest->response_column = from->response_column;
	if (!run->response_column && from->tool_results) {
		rest->tool_results = from->tool_results;
		rest->tool_rounds = tx_int_value(tx, from->tool_rounds);
	}
	if (!run->response_column && !run->fallback_llm_configs)
		r = take_fallbacks(tx, from, rest);
	if (r < 0)
		return r;
	if (from->row_limit)
		rest->row_limit = tx_int_value(tx, from->row_limit);
	r = tx_decode(tx, &ellu_generation_params_type, from->generation_params, &params);
	rest->generation_params = params;
	if (r >= 0)
		record_lend(&ellu_run_experiment_request_type, rest, &ellu_run_experiment_request_type,
			    run);
	return r < 0 ? r : tx->oom ? -ENOMEM : 0;
}

static int find_source(struct submission *s, const struct ellu_clone_experiment_request *request,
		       struct ellu_run_experiment_request *run)
{
	struct experiment_row source;
	struct run_row from;
	int r;

	r = experiment_row_resolve(s->tx, &s->scope, request->experiment, &source);
	if (r >= 0)
		r = run_row_load(s->tx, source.run_id, &from);
	if (r < 0)
		return r;
	run->name = request->name ? request->name : source.family;
	run->response_cache = request->response_cache ? *request->response_cache : from.response_cache;
	run->batch = request->batch ? *request->batch : from.batch;
	return take_parts(s->tx, &from, run);
}

int experiment_clone(struct tx *tx, struct method_run *op)
{
	const struct ellu_clone_experiment_request *request = op->arguments;
	struct prepared *prepared = op->request.state;
	struct ellu_clone_experiment_reply *reply;
	struct submission *s;
	int64_t id;
	int r;

	if (!prepared)
		return read_parts(tx, op, /* afresh= */ true);
	reply = method_reply(tx, op);
	r = reply ? begin(tx, op, &s) : -ENOMEM;
	if (r >= 0)
		r = find_source(s, request, (void *)prepared->submit.arguments);
	if (r >= 0)
		r = submission_look(s);
	if (r >= 0 && s->named_id && request->name)
		r = submission_conflict(s);
	if (r < 0)
		return r;
	s->fits_criteria = true;
	r = make(s, &id);
	return r < 0 ? r : experiment_load(tx, id, &reply->experiment);
}
