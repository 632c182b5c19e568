#include "daemon/store/resources/project.h"

#include <errno.h>

#include "daemon/store/resources/llm_config.h"
#include "proto/generated/interface.h"
#include "proto/provider.h"

int place_resolve(struct tx *tx, const struct scope *scope, struct place *ret_place)
{
	const char *name = scope->project ? scope->project : PROJECT_DEFAULT;
	int r;

	r = db_int(tx->db, &ret_place->project_id,
		   "SELECT id FROM projects WHERE owner_uid = ?1 AND name = ?2", "is", scope->uid, name);
	if (r <= 0)
		return r < 0 ? r : fault_not_found(tx->fault, "project", name, 0);
	ret_place->owner_uid = scope->uid;
	ret_place->administers = scope->administers;
	return 0;
}

int place_filter(struct tx *tx, const struct scope *scope, int64_t *ret_project_id)
{
	struct place place;
	int r;

	if (scope->all && !scope->project) {
		*ret_project_id = -1;
		return 0;
	}
	r = place_resolve(tx, scope, &place);
	if (r < 0)
		return r;
	*ret_project_id = place.project_id;
	return 0;
}

static int project_load(struct tx *tx, const struct place *place,
			const struct ellu_project **ret_project)
{
	struct ellu_project *project = TX_RECORD(tx, struct ellu_project);
	struct ellu_ref *config = TX_RECORD(tx, struct ellu_ref);
	QUERY q = NULL;
	int r;

	if (!project || !config)
		return -ENOMEM;
	r = db_row(tx->db, &q, "SELECT p.name, p.description, l.name, p.created_at, p.updated_at"
			       " FROM projects p LEFT JOIN llm_configs l"
			       " ON l.id = p.default_llm_config_id AND l.deleted_at IS NULL"
			       " WHERE p.id = ?1", "i", place->project_id);
	if (r <= 0)
		return r < 0 ? r : fault_not_found(tx->fault, "project", NULL, place->project_id);
	config->name = tx_text(tx, q, 2);
	project->id = place->project_id;
	project->name = tx_text(tx, q, 0);
	project->description = tx_text(tx, q, 1);
	project->owner_uid = place->owner_uid;
	project->default_llm_config = config->name ? config : NULL;
	project->created_at = column_int(q, 3);
	project->updated_at = column_int(q, 4);
	*ret_project = project;
	return 0;
}

int project_get(struct tx *tx, struct method_run *op)
{
	struct ellu_get_project_reply *reply = method_reply(tx, op);
	struct place place;
	int r = reply ? place_resolve(tx, &op->scope, &place) : -ENOMEM;

	return r < 0 ? r : project_load(tx, &place, &reply->project);
}

int default_llm_config_set(struct tx *tx, struct method_run *op)
{
	const struct ellu_set_default_llm_config_request *request = op->arguments;
	struct ellu_set_default_llm_config_reply *reply = method_reply(tx, op);
	struct place place;
	int64_t id;
	int r;

	r = reply ? place_resolve(tx, &op->scope, &place) : -ENOMEM;
	if (r >= 0)
		r = resource_resolve(tx, &resource_llm_config, &op->scope, request->llm_config, &id);
	if (r >= 0)
		r = db_run(tx->db, "UPDATE projects SET default_llm_config_id = ?2, updated_at = ?3"
				   " WHERE id = ?1 AND EXISTS (SELECT 1 FROM llm_configs"
				   "  WHERE id = ?2 AND (project_id = ?1 OR shared))",
			   "iii", place.project_id, id, tx->now);
	if (r < 0)
		return r;
	if (r == 0)
		return fault_invalid(tx->fault, "llm_config", "a config of the project's own, or a "
				     "shared one");
	return project_load(tx, &place, &reply->project);
}

static int make_user(struct tx *tx, struct store_request *request)
{
	static const char content[] = "{\"name\":\"simulated\",\"provider\":\"" PROVIDER_SIMULATED "\"}";
	const struct user_ensure *op = (const struct user_ensure *)request;
	struct place place = { .owner_uid = op->uid };
	void *config;
	int64_t config_id;
	int r;

	r = db_insert(tx->db, &place.project_id,
		      "INSERT INTO projects (owner_uid, name, created_at, updated_at)"
		      " VALUES (?1, '" PROJECT_DEFAULT "', ?2, ?2) ON CONFLICT DO NOTHING",
		      "ii", op->uid, tx->now);
	if (r <= 0)
		return r;
	r = record_from_text(&ellu_llm_config_type, content, sizeof(content) - 1, FROM_CLIENT,
			     tx->arena, &config, tx->fault);
	if (r < 0)
		return r;
	r = llm_config_insert(tx, &place, config, &config_id);
	if (r < 0)
		return r;
	return db_run(tx->db, "UPDATE projects SET default_llm_config_id = ?2 WHERE id = ?1", "ii",
		      place.project_id, config_id);
}

/* Mostly there is nothing to make: then a full disk does not matter, nor is one written to. */
static int user_ensure_run(struct tx *tx, struct user_ensure *op)
{
	struct scope scope = { .uid = op->uid };
	struct place place;
	int r;

	r = place_resolve(tx, &scope, &place);
	if (r != ELLU_E_NOT_FOUND)
		return r;
	op->request.lane = STORE_WRITE;
	op->request.run = make_user;
	return 0;
}

STORE_OPERATION(user_ensure, STORE_POINT, false)
