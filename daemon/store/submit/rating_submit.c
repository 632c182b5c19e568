/* A submission that rates: criteria and judge, and the way through one transaction. */
#include "daemon/store/resources/collections/placeholders.h"
#include "daemon/store/submit/rating_submission.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/store/engine/page.h"
#include "daemon/store/resources/prompts/criterion.h"
#include "daemon/store/resources/configs/panel.h"
#include "daemon/store/resources/configs/llm_config.h"
#include "daemon/store/runs/evaluators.h"
#include "daemon/store/runs/experiment.h"
#include "daemon/store/submit/evaluator_uses.h"
#include "daemon/store/submit/task_submit.h"
#include "proto/generated/interface.h"
#include "proto/provider.h"

/* Without an experiment to be named after. */
#define NAME_DEFAULT "Ratings"

/* ---- By which criteria ---- */

/* An experiment keeps those that it has, unless others are said. */
static int resolve_evaluators(struct rating_submission *s)
{
	int r = s->evaluators ? uses_resolve(s->tx, &s->scope, s->evaluators, s->n_evaluators, &s->uses) :
				uses_of_run(s->tx, s->origin.id, &s->uses);

	return r < 0 ? r : uses_measure(s->tx, &s->place, &s->scope, &s->uses, &s->measures);
}

static int resolve_criteria(struct rating_submission *s)
{
	const struct ellu_rate_responses_request *a = &s->a;
	struct criteria criteria;
	int r = 0;

	if (a->criteria)
		r = criteria_of_texts(s->tx, a->criteria, a->n_criteria, &criteria);
	if (r < 0)
		return r;
	if (a->criteria && a->name)
		r = criterion_set_put(s->tx, &s->place, tx_printf(s->tx, "%s criteria", a->name),
				      &criteria, /* update= */ false, &s->notes,
				      &s->run.criterion_set_id);
	else if (a->criteria)
		r = criterion_set_fit(s->tx, &s->place, s->name, &criteria, &s->run.criterion_set_id);
	else if (a->criterion_set)
		r = resource_resolve(s->tx, &resource_criterion_set, &s->scope, a->criterion_set,
				     &s->run.criterion_set_id);
	else
		s->run.criterion_set_id = s->origin.criterion_set_id;
	if (r < 0)
		return r;
	/* The experiment's own are those that it was judged by, whatever its set holds by now. */
	r = a->criteria || a->criterion_set ? criterion_set_measures(s->tx, s->run.criterion_set_id, &s->measures) :
					      run_criteria(s->tx, s->origin.id, &s->measures);
	if (r >= 0 && s->adopt)
		r = resolve_evaluators(s);
	if (r >= 0 && s->measures.n == 0)
		fault_invalid(&s->rejected, a->criterion_set ? "criterion_set" : "criteria",
			      "criteria to judge by");
	return r < 0 ? r : 0;
}

/* ---- The judge ---- */

/* That of the experiment, unless it is an administrator's, else of the project, else what the
 * experiment asked. */
static int default_judge(struct rating_submission *s)
{
	int r;

	r = db_int(s->tx->db, &s->judge_config_id, "SELECT id FROM llm_configs WHERE id = ?1"
						   " AND (owner_uid = ?2 OR owner_uid = ?3"
						   "  OR shared)",
		   "iii", s->origin.judge.config_id, s->place.owner_uid, s->scope.uid);
	if (r != 0)
		return r < 0 ? r : 0;
	r = db_int(s->tx->db, &s->judge_config_id, "SELECT rating_llm_config_id FROM projects"
						   " WHERE id = ?1", "i", s->place.project_id);
	s->is_judge_of_project = r > 0;
	if (r != 0)
		return r < 0 ? r : 0;
	s->judge_config_id = s->origin.config_id;
	return s->judge_config_id ? 0 :
				    llm_config_take(s->tx, &s->scope, &s->place, NULL, s->judge_field,
						    /* update= */ false, &s->notes, &s->judge_config_id);
}

/* Simulated verdicts on what another provider answered are nobody's wish, unless asked for: by the request, by the
 * project, or by the experiment for its own. */
static int check_simulated(struct rating_submission *s, const struct ellu_llm_config *config)
{
	int64_t one;
	int r;

	if (s->a.rating_llm_config || s->is_judge_of_project || !provider_is_simulated(config->provider))
		return 0;
	r = db_int(s->tx->db, &one,
		   "SELECT 1 FROM runs WHERE json_extract(config_snapshot, '$.provider')"
		   " <> '" ELLU_PROVIDER_SIMULATED "' AND id <> ?1 AND id IN (SELECT value FROM json_each(?2)) LIMIT 1",
		   "is", s->origin.id, s->input->run_ids);
	if (r > 0)
		fault_invalid(&s->rejected, "rating_llm_config", "a config to judge with");
	else if (r == 0 && !s->origin.config_id && !s->origin.judge.config_id)
		r = judges_note_simulated(s->tx, &s->notes, config);
	return r < 0 ? r : 0;
}

/* The experiment's own judge stays what it was pinned to, whatever its config says by now. */
static int load_judge(struct rating_submission *s, struct ellu_llm_config *live,
		      struct ellu_llm_config **ret_config)
{
	int r;

	*ret_config = live;
	if (s->a.rating_llm_config || s->judge_config_id != s->origin.judge.config_id)
		return 0;
	r = tx_decode(s->tx, &ellu_llm_config_type, s->origin.judge.snapshot, ret_config);
	if (r >= 0)
		(*ret_config)->id = &s->judge_config_id;
	return r;
}

/* A config that is brought is the submitter's, whosever experiment it is. */
static int take_judge(struct rating_submission *s, const struct ellu_llm_config_in *in)
{
	struct place place;
	int r = place_resolve(s->tx, &s->scope, &place);

	return r < 0 ? r : llm_config_take(s->tx, &s->scope, &place, in,
					   s->judge_field, /* update= */ false, &s->notes,
					   &s->judge_config_id);
}

static int check_live(struct rating_submission *s, const struct ellu_llm_config *live)
{
	return task_submit_check_config(s->tx, &s->op->scope, s->place.project_id, live, s->judge_field,
					s->a.cost_limit, &s->rejected);
}

static int resolve_judges(struct rating_submission *s)
{
	const struct ellu_rate_responses_request *a = &s->a;
	struct ellu_llm_config **configs = s->judges;
	int r = 0;

	for (size_t i = 0; r >= 0 && i < a->n_rating_llm_configs; i++) {
		s->judge_field = tx_printf(s->tx, "rating_llm_configs[%zu]", i);
		r = take_judge(s, a->rating_llm_configs[i]);
		if (r >= 0)
			r = panel_check(s->tx, configs, i, s->judge_config_id);
		if (r >= 0)
			r = llm_config_load(s->tx, s->judge_config_id, &configs[i], NULL);
		if (r >= 0)
			r = check_live(s, configs[i]);
	}
	if (r < 0 || s->rejected.code)
		return r;
	s->n_judges = a->n_rating_llm_configs;
	return judges_put(s->tx, &s->place, configs, a->n_rating_llm_configs, a->rating_mode,
			  a->rating_version, a->rating_reduction, &s->run.judge_id);
}

/* Those of the experiment, as they were pinned. */
static int keep_panel(struct rating_submission *s)
{
	struct ellu_llm_config **configs = s->judges, *live;
	struct panel panel;
	int r = panel_load(s->tx, s->origin.judge_id, &panel);

	for (size_t i = 0; r >= 0 && i < panel.n; i++) {
		s->judge_field = tx_printf(s->tx, "rating_llm_configs[%zu]", i);
		r = tx_decode(s->tx, &ellu_llm_config_type, panel.judges[i].snapshot, &configs[i]);
		if (r >= 0)
			r = llm_config_load(s->tx, panel.judges[i].config_id, &live, NULL);
		if (r < 0)
			return r;
		configs[i]->id = tx_int_value(s->tx, panel.judges[i].config_id);
		r = check_live(s, live);
	}
	if (r < 0 || s->rejected.code)
		return r;
	s->n_judges = panel.n;
	return judges_put(s->tx, &s->place, configs, panel.n, s->a.rating_mode, s->a.rating_version,
			  panel.reduction, &s->run.judge_id);
}

static int resolve_judge(struct rating_submission *s)
{
	struct ellu_llm_config *live;
	int r;

	if (!measures_need_judge(&s->measures))
		return judge_of_checks(s->tx, &s->place, &s->run.judge_id);
	if (s->a.rating_llm_configs)
		return resolve_judges(s);
	if (!s->a.rating_llm_config && (s->adopt || s->own) && s->origin.judge.reduction)
		return keep_panel(s);
	s->judge_field = "rating_llm_config";
	r = s->a.rating_llm_config ? take_judge(s, s->a.rating_llm_config) : default_judge(s);
	if (r < 0)
		return r;
	if (!s->judge_config_id) {
		fault_invalid(&s->rejected, "rating_llm_config", "a config to judge with");
		return 0;
	}
	r = llm_config_load(s->tx, s->judge_config_id, &live, NULL);
	if (r >= 0)
		r = load_judge(s, live, &s->judges[0]);
	if (r >= 0)
		r = check_simulated(s, s->judges[0]);
	if (r >= 0)
		r = check_live(s, live);
	if (r < 0 || s->rejected.code)
		return r;
	s->n_judges = 1;
	return judges_put(s->tx, &s->place, s->judges, 1, s->a.rating_mode, s->a.rating_version, NULL,
			  &s->run.judge_id);
}

/* ---- Placeholders ---- */

static int check_inputs(struct rating_submission *s)
{
	struct use_source source = {
		.collection_id = s->origin.collection_id,
		.former = true,
		.generates = !s->origin.response_column,
	};
	struct prompt prompt;
	int r = s->uses.n > 0 ? run_prompt_load(s->tx, &s->origin, &prompt) : 0;

	if (r < 0 || s->uses.n == 0)
		return r;
	source.has_request = !prompt_is_empty(&prompt);
	source.has_tools = prompt.template && prompt.template->n_tools > 0;
	return uses_check(s->tx, &s->uses, &source, &s->rejected);
}

/* Of the one collection; those of listed responses a reader has looked at. */
static int check_placeholders(struct rating_submission *s)
{
	struct placeholders needed;
	const char *const *texts;
	int r;

	if (s->a.response_ids) {
		s->rejected = s->input->rejected;
		return 0;
	}
	r = measures_texts(s->tx, &s->measures, &texts);
	if (r >= 0)
		r = placeholders_of(s->tx, texts, s->measures.n, &needed);
	if (r >= 0)
		r = collection_need(s->tx, s->origin.collection_id, /* former= */ true, &needed,
				    s->a.criteria ? "criteria" : "criterion_set", s->a.criteria != NULL,
				    &s->rejected);
	return r < 0 ? r : check_inputs(s);
}

static int resolve(struct rating_submission *s)
{
	int r;

	r = resolve_criteria(s);
	if (r >= 0 && !s->rejected.code)
		r = check_placeholders(s);
	return r < 0 || s->rejected.code ? r : resolve_judge(s);
}

/* ---- Insertion ---- */

static int insert_task(struct rating_submission *s, int64_t run_id)
{
	struct task_new task = {
		.kind = TASK_KIND_RATING,
		.place = s->place,
		.name = s->name,
		.experiment_id = s->adopt ? s->experiment.id : 0,
		.run_id = run_id,
		.begins_round = true,
		.retry_of = s->adopt ? s->experiment.task_id : 0,
		.request_hash = s->input->hash,
		.rejected = &s->rejected,
		.log = &s->notes.lines,
	};

	return task_submit_insert(s->tx, s->op, &task);
}

/* What is there of it already is counted when the task has begun. */
static int accept(struct rating_submission *s)
{
	struct run_row *run = &s->run;
	int r;

	run->owner_uid = s->place.owner_uid;
	run->project_id = s->place.project_id;
	run->rating_mode = s->a.rating_mode;
	run->rating_version = s->a.rating_version;
	run->adopted = s->adopt;
	r = run_insert(s->tx, run, &s->measures, &run->id);
	if (r >= 0 && s->uses.n > 0)
		r = run_uses_pin(s->tx, run, &s->scope, s->judges, s->n_judges, s->uses.evaluators, s->uses.n);
	if (r >= 0 && run->response_ids)
		r = db_run(s->tx->db, "INSERT INTO listed_runs (source_run_id, run_id, owner_uid, project_id)"
				      " SELECT value, ?2, ?3, ?4 FROM json_each(?1)", "siii",
			   s->input->run_ids, run->id, run->owner_uid, run->project_id);
	return r < 0 ? r : insert_task(s, run->id);
}

/* ---- The way ---- */

/* 1: rejected. */
static int resolve_and_accept(void *userdata)
{
	struct rating_submission *s = userdata;
	int r = resolve(s);

	if (r < 0)
		return r;
	task_submit_check_queue(s->op, &s->rejected);
	return s->rejected.code ? 1 : accept(s);
}

static int accept_or_reject(struct rating_submission *s)
{
	int r = task_submit_try(s->tx, resolve_and_accept, s);

	if (r <= 0)
		return r;
	s->notes = (struct notes){ 0 };
	return insert_task(s, /* run_id= */ 0);
}

static int set_defaults(struct rating_submission *s)
{
	struct ellu_rate_responses_request *a = &s->a;
	bool keeps = s->adopt || s->own;

	s->name = a->name ? a->name : a->experiment || keeps ? s->experiment.name : NAME_DEFAULT;
	/* Rated again, the experiment keeps its ways. */
	if (!a->rating_mode)
		a->rating_mode = keeps ? s->origin.rating_mode : "fast";
	if (!a->rating_version && keeps)
		a->rating_version = s->origin.rating_version;
	return a->rating_version ? 0 : project_rating_version(s->tx, s->place.project_id, &a->rating_version);
}

static int submit(struct rating_submission *s)
{
	int r;

	r = rated_find(s);
	if (r >= 0)
		r = task_submit_find_key(s->tx, s->op, s->place.owner_uid, s->input->hash);
	if (r != 0)
		return r < 0 ? r : 0;
	r = set_defaults(s);
	if (r >= 0 && s->adopt)
		r = experiment_check_idle(s->tx, &s->experiment);
	if (r >= 0)
		r = task_submit_check_room(s->tx);
	return r < 0 ? r : accept_or_reject(s);
}

/* The second form as the first. */
static void take_experiment(struct rating_submission *s,
			    const struct ellu_rate_experiment_request *request)
{
	s->adopt = true;
	s->a = ELLU_RECORD(struct ellu_rate_responses_request);
	s->a.experiment = request->experiment;
	s->a.criterion_set = request->criterion_set;
	s->a.criteria = request->criteria;
	s->a.n_criteria = request->n_criteria;
	s->a.rating_llm_config = request->rating_llm_config;
	s->a.rating_llm_configs = request->rating_llm_configs;
	s->a.n_rating_llm_configs = request->n_rating_llm_configs;
	s->a.rating_reduction = request->rating_reduction;
	s->a.rating_mode = request->rating_mode;
	s->a.rating_version = request->rating_version;
	s->a.cost_limit = request->cost_limit;
	s->evaluators = request->evaluators;
	s->n_evaluators = request->n_evaluators;
}

int rating_submit(struct tx *tx, struct task_submit *op)
{
	struct store_request *request = &op->request;
	struct rating_submission *s = tx_alloc(tx, sizeof(*s));
	int r = 0;

	if (!s)
		return -ENOMEM;
	s->tx = tx;
	s->op = op;
	s->scope = scope_own(&op->scope);
	if (op->method->id == METHOD_RATE_EXPERIMENT)
		take_experiment(s, op->arguments);
	else
		s->a = *(const struct ellu_rate_responses_request *)op->arguments;
	s->own = s->a.response_ids && !s->a.criteria && !s->a.criterion_set;
	s->input = request->state;
	if (!s->input)
		r = rated_look(s);
	request->state = s->input;
	if (r >= 0 && request->lane != STORE_WRITE)
		r = rated_check_listed(s);
	if (r > 0)
		return list_again(request);
	if (r < 0 || request->lane != STORE_WRITE) {
		request->lane = STORE_WRITE;
		return r;
	}
	task_submit_begin(op);
	r = submit(s);
	if (r >= 0)
		notes_warn(&s->notes);
	return r;
}

enum store_lane rating_submit_lane(const void *arguments)
{
	const struct ellu_rate_responses_request *request = arguments;

	return request->response_ids ? STORE_POINT : STORE_WRITE;
}
