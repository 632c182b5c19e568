#include <errno.h>
#include <string.h>

#include "daemon/store/resources/collection.h"
#include "daemon/store/resources/criterion.h"
#include "daemon/store/resources/llm_config.h"
#include "daemon/store/runs/rating_submit.h"
#include "proto/generated/interface.h"

static int resolve_criteria(struct rating_submission *s)
{
	const struct ellu_rate_responses_request *a = &s->a;
	int r = 0;

	if (a->criteria && a->name)
		r = criterion_set_put(s->tx, &s->place, tx_printf(s->tx, "%s criteria", a->name),
				      a->criteria, a->n_criteria, /* update= */ false, &s->notes,
				      &s->set_id);
	else if (a->criteria)
		r = criterion_set_fit(s->tx, &s->place, s->name, a->criteria, a->n_criteria, &s->set_id);
	else if (a->criterion_set)
		r = resource_resolve(s->tx, RESOURCE_CRITERION_SET, &s->scope, a->criterion_set,
				     &s->set_id);
	else
		s->set_id = s->origin.set_id;
	if (r < 0)
		return r;
	/* The experiment's own are those that it was judged by, whatever its set holds by now. */
	r = a->criteria || a->criterion_set ? criterion_set_measures(s->tx, s->set_id, &s->measures) :
					      experiment_measures(s->tx, s->origin.id, &s->measures);
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
						   " AND (owner_uid = ?2 OR owner_uid = ?3)",
		   "iii", s->origin.judge_config_id, s->place.owner_uid, s->scope.uid);
	if (r != 0)
		return r < 0 ? r : 0;
	r = db_int(s->tx->db, &s->judge_config_id, "SELECT rating_llm_config_id FROM projects"
						   " WHERE id = ?1", "i", s->place.project_id);
	if (r != 0)
		return r < 0 ? r : 0;
	s->judge_config_id = s->origin.config_id;
	if (s->judge_config_id)
		return 0;
	r = db_int(s->tx->db, &s->judge_config_id, "SELECT default_llm_config_id FROM projects"
						   " WHERE id = ?1", "i", s->place.project_id);
	return r < 0 ? r : 0;
}

/* Simulated verdicts on what another provider answered are nobody's wish, unless asked for. */
static int check_simulated(struct rating_submission *s, const struct ellu_llm_config *config)
{
	int64_t one;
	int r;

	if (s->a.rating_llm_config || strcmp(config->provider, "simulated") != 0)
		return 0;
	r = db_int(s->tx->db, &one,
		   "SELECT 1 FROM experiments WHERE json_extract(config_snapshot, '$.provider')"
		   " <> 'simulated' AND (id = ?1 OR id IN (SELECT value FROM json_each(?2))) LIMIT 1",
		   "is", s->origin.id, s->input->experiment_ids);
	if (r > 0)
		fault_invalid(&s->rejected, "rating_llm_config", "a config to judge with");
	return r < 0 ? r : 0;
}

/* The experiment's own judge stays what it was pinned to, whatever its config says by now. */
static int load_judge(struct rating_submission *s, struct ellu_llm_config **ret_config)
{
	int r;

	if (s->a.rating_llm_config || s->judge_config_id != s->origin.judge_config_id)
		return llm_config_load(s->tx, s->judge_config_id, ret_config, NULL);
	r = tx_decode(s->tx, &ellu_llm_config_type, s->origin.judge_snapshot, ret_config);
	if (r >= 0)
		(*ret_config)->id = &s->judge_config_id;
	return r;
}

/* A config that is brought is the submitter's, whosever experiment it is. */
static int take_judge(struct rating_submission *s)
{
	struct place place;
	int r = place_resolve(s->tx, &s->scope, &place);

	return r < 0 ? r : llm_config_take(s->tx, &s->scope, &place, s->a.rating_llm_config,
					   s->judge_field, /* update= */ false, &s->notes,
					   &s->judge_config_id);
}

static int resolve_judge(struct rating_submission *s)
{
	struct ellu_llm_config *config;
	int r;

	s->judge_field = "rating_llm_config";
	r = s->a.rating_llm_config ? take_judge(s) : default_judge(s);
	if (r < 0)
		return r;
	if (!s->judge_config_id) {
		fault_invalid(&s->rejected, "rating_llm_config", "a config to judge with");
		return 0;
	}
	r = load_judge(s, &config);
	if (r >= 0)
		r = check_simulated(s, config);
	if (r >= 0)
		r = task_submit_check_config(s->tx, &s->op->submit.scope, s->judge_config_id,
					     s->judge_field, s->a.cost_limit, &s->rejected);
	if (r < 0 || s->rejected.code)
		return r;
	return judge_put(s->tx, &s->place, config, s->a.rating_mode, s->a.rating_version,
			 &s->judge_id);
}

/* ---- Placeholders ---- */

/* Of the one collection; those of listed responses a reader has looked at. */
static int check_placeholders(struct rating_submission *s)
{
	struct placeholders needed;
	const char *const *texts;
	int64_t collection_id = 0;
	int r;

	if (s->a.response_ids) {
		s->rejected = s->input->rejected;
		return 0;
	}
	r = db_int(s->tx->db, &collection_id, "SELECT collection_id FROM experiments WHERE id = ?1",
		   "i", s->origin.id);
	if (r >= 0)
		r = measures_texts(s->tx, &s->measures, &texts);
	if (r >= 0)
		r = placeholders_of(s->tx, texts, s->measures.n, &needed);
	return r < 0 ? r : collection_need(s->tx, collection_id, &needed,
					   s->a.criteria ? "criteria" : "criterion_set",
					   s->a.criteria != NULL, &s->rejected);
}

int rating_resolve(struct rating_submission *s)
{
	int r;

	r = resolve_criteria(s);
	if (r >= 0 && !s->rejected.code)
		r = check_placeholders(s);
	return r < 0 || s->rejected.code ? r : resolve_judge(s);
}
