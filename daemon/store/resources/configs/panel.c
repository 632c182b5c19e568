#include "daemon/store/resources/configs/panel.h"

#include <errno.h>

#include "daemon/store/resources/identity.h"
#include "daemon/store/resources/configs/llm_config.h"
#include "proto/generated/interface.h"
#include "proto/provider.h"

static int judge_put(struct tx *tx, const struct place *place, const struct ellu_llm_config *config,
		     const char *rating_mode, const char *rating_version, int64_t *ret_id)
{
	const char *kind = provider_is_simulated(config->provider) ? "simulated" : "model";
	struct ellu_llm_config snapshot = *config;
	char of_config[IDENTITY_SIZE], hash[IDENTITY_SIZE];
	struct identity identity;
	const char *text;
	int r;

	r = llm_config_identity(tx, config, of_config);
	if (r < 0)
		return r;
	identity_init(&identity);
	identity_text(&identity, kind);
	identity_text(&identity, of_config);
	identity_text(&identity, rating_mode);
	identity_text(&identity, rating_version);
	/* The same settings behind another config may lead to another model. */
	identity_int(&identity, *config->id);
	identity_done(&identity, hash);
	r = db_int(tx->db, ret_id, "SELECT id FROM judges WHERE project_id = ?1 AND identity = ?2",
		   "is", place->project_id, hash);
	if (r != 0)
		return r < 0 ? r : 0;
	snapshot.api_key = NULL;
	r = tx_encode(tx, &ellu_llm_config_type, &snapshot, &text);
	if (r >= 0)
		r = db_insert(tx->db, ret_id,
			      "INSERT INTO judges (owner_uid, project_id, kind, name,"
			      " llm_config_id, snapshot, rating_mode, rating_version, identity,"
			      " created_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
			      "iississssi", place->owner_uid, place->project_id, kind, config->name,
			      *config->id, text, rating_mode, rating_version, hash, tx->now);
	return r;
}

int judge_of_checks(struct tx *tx, const struct place *place, int64_t *ret_id)
{
	int r;

	r = db_int(tx->db, ret_id, "SELECT id FROM judges WHERE project_id = ?1 AND identity = 'check'",
		   "i", place->project_id);
	if (r == 0)
		r = db_insert(tx->db, ret_id,
			      "INSERT INTO judges (owner_uid, project_id, kind, name, identity,"
			      " created_at) VALUES (?1, ?2, 'check', 'check', 'check', ?3)",
			      "iii", place->owner_uid, place->project_id, tx->now);
	return r < 0 ? r : 0;
}

/* ---- Several ---- */

static int add_judges(struct tx *tx, const struct place *place, const struct panel *panel, int64_t id)
{
	int r = 0;

	for (size_t i = 0; r >= 0 && i < panel->n; i++)
		r = db_run(tx->db, "INSERT INTO panel_judges (panel_id, position, owner_uid, project_id, judge_id)"
				   " VALUES (?1, ?2, ?3, ?4, ?5)", "iiiii", id, (int64_t)i, place->owner_uid,
			   place->project_id, panel->judges[i].id);
	return r;
}

static int panel_put(struct tx *tx, const struct place *place, const struct panel *panel, int64_t *ret_id)
{
	char hash[IDENTITY_SIZE];
	struct identity identity;
	const char *name;
	int r;

	identity_init(&identity);
	identity_text(&identity, "panel");
	identity_text(&identity, panel->reduction);
	for (size_t i = 0; i < panel->n; i++)
		identity_int(&identity, panel->judges[i].id);
	identity_done(&identity, hash);
	r = db_int(tx->db, ret_id, "SELECT id FROM judges WHERE project_id = ?1 AND identity = ?2",
		   "is", place->project_id, hash);
	if (r != 0)
		return r < 0 ? r : 0;
	name = tx_printf(tx, "%s of %zu judges", panel->reduction, panel->n);
	r = db_insert(tx->db, ret_id, "INSERT INTO judges (owner_uid, project_id, kind, name, reduction,"
				      " identity, created_at) VALUES (?1, ?2, 'panel', ?3, ?4, ?5, ?6)",
		      "iisssi", place->owner_uid, place->project_id, name, panel->reduction, hash, tx->now);
	return r < 0 ? r : add_judges(tx, place, panel, *ret_id);
}

int judges_put(struct tx *tx, const struct place *place, struct ellu_llm_config *const *configs, size_t n,
	       const char *rating_mode, const char *rating_version, const char *reduction, int64_t *ret_id)
{
	struct panel panel = { .reduction = reduction ? reduction : "majority", .n = n };
	int r = 0;

	for (size_t i = 0; r >= 0 && i < n; i++)
		r = judge_put(tx, place, configs[i], rating_mode, rating_version, &panel.judges[i].id);
	if (r >= 0 && n > 1)
		return panel_put(tx, place, &panel, ret_id);
	*ret_id = panel.judges[0].id;
	return r;
}

int judges_note_simulated(struct tx *tx, struct notes *notes, const struct ellu_llm_config *config)
{
	if (!provider_is_simulated(config->provider))
		return 0;
	return notes_add(tx, notes, "answers made elsewhere are judged by the simulated model: nobody named another judge");
}

int judges_check(struct tx *tx, const void *one, const void *several, const char *reduction)
{
	if (one && several)
		return fault_invalid(tx->fault, "rating_llm_config", "either this or rating_llm_configs");
	if (reduction && !several)
		return fault_invalid(tx->fault, "rating_reduction", "nothing, without rating_llm_configs");
	return 0;
}

int panel_check(struct tx *tx, struct ellu_llm_config *const *configs, size_t n, int64_t config_id)
{
	for (size_t i = 0; i < n; i++)
		if (*configs[i]->id == config_id)
			return fault_invalid(tx->fault, tx_printf(tx, "rating_llm_configs[%zu]", n),
					     "each judge once");
	return 0;
}

int panel_load(struct tx *tx, int64_t id, struct panel *ret_panel)
{
	QUERY q = NULL;
	int r;

	*ret_panel = (struct panel){ 0 };
	r = db_query(tx->db, &q, "SELECT o.reduction, j.id, j.name, j.llm_config_id, j.snapshot"
				 " FROM panel_judges p CROSS JOIN judges j ON j.id = p.judge_id"
				 " CROSS JOIN judges o ON o.id = p.panel_id"
				 " WHERE p.panel_id = ?1 ORDER BY p.position", "i", id);
	while (r >= 0 && ret_panel->n < JUDGES_MAX && (r = db_next(tx->db, q)) > 0) {
		ret_panel->reduction = tx_text(tx, q, 0);
		ret_panel->judges[ret_panel->n++] = (struct panel_judge){
			.id = column_int(q, 1),
			.name = tx_text(tx, q, 2),
			.config_id = column_int(q, 3),
			.snapshot = tx_text(tx, q, 4),
		};
	}
	return r < 0 ? r : tx->oom ? -ENOMEM : 0;
}
