#include "daemon/store/resources/projects/project.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "daemon/store/engine/store_internal.h"
#include "daemon/store/resources/configs/llm_config.h"
#include "daemon/store/resources/sweep.h"
#include "daemon/store/store.h"
#include "proto/generated/interface.h"
#include "proto/provider.h"
#include "proto/text/utf8.h"

static const struct ellu_ref *ref_named(struct tx *tx, const char *name)
{
	struct ellu_ref *ref = name ? TX_RECORD(tx, struct ellu_ref) : NULL;

	if (ref)
		ref->name = name;
	return ref;
}

static int load(struct tx *tx, int64_t id, void *ret_project)
{
	struct ellu_project *project = TX_RECORD(tx, struct ellu_project);
	QUERY q = NULL;
	int r;

	if (!project)
		return -ENOMEM;
	r = db_row(tx->db, &q, "SELECT p.name, p.description, p.owner_uid, l.name, j.name, p.created_at,"
			       " p.updated_at, p.daily_cost_limit_nanodollars, p.rating_version FROM projects p"
			       " LEFT JOIN llm_configs l"
			       "  ON l.id = p.default_llm_config_id AND l.deleted_at IS NULL"
			       " LEFT JOIN llm_configs j"
			       "  ON j.id = p.rating_llm_config_id AND j.deleted_at IS NULL"
			       " WHERE p.id = ?1", "i", id);
	if (r <= 0)
		return r < 0 ? r : fault_not_found(tx->fault, "project", NULL, id);
	project->id = tx_int_value(tx, id);
	project->name = tx_text(tx, q, 0);
	project->description = tx_text(tx, q, 1);
	project->owner_uid = tx_int(tx, q, 2);
	project->default_llm_config = ref_named(tx, tx_text(tx, q, 3));
	project->rating_llm_config = ref_named(tx, tx_text(tx, q, 4));
	project->created_at = tx_int(tx, q, 5);
	project->updated_at = tx_int(tx, q, 6);
	project->daily_cost_limit = tx_int(tx, q, 7);
	project->rating_version = tx_text(tx, q, 8);
	memcpy(ret_project, &project, sizeof(project));
	return 0;
}

static int find_by_id(struct tx *tx, const struct scope *scope, int64_t id, int64_t *ret_id)
{
	int r = db_int(tx->db, ret_id, "SELECT id FROM projects WHERE id = ?1 AND owner_uid = ?2"
				       " AND deleted_at IS NULL", "ii", id, scope->uid);

	if (r > 0 && scope_covers(scope, id))
		return 0;
	return r < 0 ? r : fault_not_found(tx->fault, "project", NULL, id);
}

int project_get(struct tx *tx, struct method_run *op)
{
	const struct ellu_get_project_request *request = op->arguments;
	struct ellu_get_project_reply *reply = method_reply(tx, op);
	struct place place;
	int r;

	if (!reply)
		return -ENOMEM;
	if (request->project_id && request->project)
		return fault_invalid(tx->fault, "project_id", "nothing beside a project's name");
	r = request->project_id ? find_by_id(tx, &op->scope, *request->project_id, &place.project_id) :
				  place_resolve(tx, &op->scope, &place);
	return r < 0 ? r : load(tx, place.project_id, &reply->project);
}

/* One of the project's own, or a shared one; `field` is for the fault. */
static int find_config(struct tx *tx, const struct scope *scope, int64_t project_id,
		       const struct ellu_ref *ref, const char *field, int64_t *ret_id)
{
	int64_t one;
	int r = resource_resolve(tx, &resource_llm_config, scope, ref, ret_id);

	if (r >= 0)
		r = db_int(tx->db, &one, "SELECT 1 FROM llm_configs WHERE id = ?1"
					 " AND (project_id = ?2 OR shared)", "ii", *ret_id, project_id);
	return r != 0 ? r : fault_invalid(tx->fault, field, "a config of the project's own, or a "
					  "shared one");
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
		r = find_config(tx, &op->scope, place.project_id, request->llm_config, "llm_config", &id);
	if (r >= 0)
		r = db_run(tx->db, "UPDATE projects SET default_llm_config_id = ?2, updated_at = ?3"
				   " WHERE id = ?1", "iii", place.project_id, id, tx->now);
	return r < 0 ? r : load(tx, place.project_id, &reply->project);
}

/* ---- Content ---- */

/* With the config that each project has; 0: there is one of that name. */
static int make(struct tx *tx, int64_t owner_uid, const char *name, const char *description,
		int64_t *ret_id)
{
	static const char content[] = "{\"name\":\"simulated\",\"provider\":\"" ELLU_PROVIDER_SIMULATED "\"}";
	struct place place = { .owner_uid = owner_uid };
	int64_t config_id;
	void *config;
	int r;

	r = db_insert(tx->db, &place.project_id,
		      "INSERT INTO projects (owner_uid, name, description, created_at, updated_at)"
		      " VALUES (?1, ?2, ?3, ?4, ?4) ON CONFLICT DO NOTHING",
		      "issi", owner_uid, name, description, tx->now);
	if (r <= 0)
		return r;
	*ret_id = place.project_id;
	r = record_from_text(&ellu_llm_config_type, content, sizeof(content) - 1, FROM_CLIENT,
			     tx->arena, &config, tx->fault);
	if (r >= 0)
		r = llm_config_insert(tx, &place, config, &config_id);
	return r < 0 ? r : db_run(tx->db, "UPDATE projects SET default_llm_config_id = ?2 WHERE id = ?1",
				  "ii", place.project_id, config_id);
}

static int check_room(struct tx *tx, int64_t owner_uid, const char *name)
{
	int64_t n;
	int r = db_int(tx->db, &n, "SELECT count(*) FROM projects WHERE owner_uid = ?1"
				   " AND deleted_at IS NULL", "i", owner_uid);

	if (r >= 0 && n >= PROJECTS_MAX)
		return fault_conflict(tx->fault, "project", name, 0, "there are %d projects, and no room "
				      "for more", PROJECTS_MAX);
	return r;
}

int scope_of_project(struct tx *tx, int64_t project_id, struct scope *ret_scope)
{
	QUERY q = NULL;
	int r;

	r = db_row(tx->db, &q, "SELECT owner_uid, name FROM projects WHERE id = ?1", "i", project_id);
	if (r <= 0)
		return r < 0 ? r : fault_not_found(tx->fault, "project", NULL, project_id);
	*ret_scope = (struct scope){ .uid = column_int(q, 0), .project = tx_text(tx, q, 1) };
	return 0;
}

/* The judge that a content says, found in a project of that name; 0: it says none. */
static int find_judge(struct tx *tx, int64_t id, const struct ellu_project *content,
		      const char *path, int64_t *ret_config_id)
{
	struct scope scope;
	int r;

	*ret_config_id = 0;
	if (!content->rating_llm_config)
		return 0;
	r = scope_of_project(tx, id, &scope);
	if (r >= 0)
		r = find_config(tx, &scope, id, content->rating_llm_config,
				tx_printf(tx, "%s.rating_llm_config", path), ret_config_id);
	return r < 0 ? r : 0;
}

static int write(struct tx *tx, int64_t id, const struct ellu_project *content, const char *path)
{
	int64_t judge_id;
	int r = find_judge(tx, id, content, path, &judge_id);

	return r < 0 ? r :
		       db_run(tx->db, "UPDATE projects SET name = ?2, description = ?3,"
				      " rating_llm_config_id = nullif(?4, 0), updated_at = ?5,"
				      " daily_cost_limit_nanodollars = ?6, rating_version = ?7 WHERE id = ?1",
			      "issiiIs", id, content->name, content->description, judge_id, tx->now,
			      content->daily_cost_limit, content->rating_version);
}

int project_rating_version(struct tx *tx, int64_t project_id, const char **ret_version)
{
	QUERY q = NULL;
	int r = db_row(tx->db, &q, "SELECT rating_version FROM projects WHERE id = ?1", "i", project_id);

	if (r > 0)
		*ret_version = tx_text(tx, q, 0);
	return r < 0 ? r : r == 0 ? -ENOENT : *ret_version ? 0 : -ENOMEM;
}

static int check(struct tx *tx, const struct place *place, int64_t id, const void *content,
		 const char *path)
{
	const struct ellu_project *project = content;
	struct ellu_project *was;
	int64_t judge_id;
	int r = id ? load(tx, id, &was) : 0;

	(void)place;
	if (r < 0 || !id)
		return r;
	if (strcmp(was->name, PROJECT_DEFAULT) != 0 || strcmp(project->name, PROJECT_DEFAULT) == 0)
		return find_judge(tx, id, project, path, &judge_id);
	return fault_invalid(tx->fault, tx_printf(tx, "%s.name", path), "'" PROJECT_DEFAULT "', which each "
			     "user has and nobody renames");
}

static int insert(struct tx *tx, const struct place *place, const void *record, void *prepared,
		  struct notes *notes, int64_t *ret_id)
{
	const struct ellu_project *content = record;
	int r = check_room(tx, place->owner_uid, content->name);

	(void)prepared;
	(void)notes;
	if (r >= 0)
		r = make(tx, place->owner_uid, content->name, content->description, ret_id);
	return r < 0 ? r : write(tx, *ret_id, content, resource_project.name);
}

static int differs(struct tx *tx, int64_t id, const void *record, void *prepared)
{
	const struct ellu_project *content = record;
	int64_t judge_id, was_judge_id = 0;
	struct ellu_project *was;
	int r = load(tx, id, &was);

	(void)prepared;
	if (r >= 0)
		r = find_judge(tx, id, content, resource_project.name, &judge_id);
	if (r >= 0)
		r = db_int(tx->db, &was_judge_id, "SELECT rating_llm_config_id FROM projects WHERE id = ?1",
			   "i", id);
	return r < 0 ? r : !same_text(was->name, content->name) ||
				   !same_text(was->description, content->description) ||
				   judge_id != was_judge_id ||
				   !same_text(was->rating_version, content->rating_version) ||
				   !was->daily_cost_limit != !content->daily_cost_limit ||
				   (was->daily_cost_limit &&
				    *was->daily_cost_limit != *content->daily_cost_limit);
}

static int update(struct tx *tx, int64_t id, const void *content, void *prepared, const char *path,
		  struct notes *notes)
{
	(void)prepared;
	(void)notes;
	return write(tx, id, content, path);
}

/* Whoever asks does so from a project of his own, the default one. */
#define OF_ONE_OWNER " owner_uid = (SELECT owner_uid FROM projects WHERE id = "

const struct resource resource_project = {
	.name = "project",
	.noun = "a project",
	.type = &ellu_project_type,
	.letter = 'j',
	.by_id = "SELECT id FROM projects WHERE id = ?1 AND (owner_uid = ?2 OR ?3)"
		 " AND deleted_at IS NULL",
	.by_name = "SELECT id FROM projects WHERE" OF_ONE_OWNER "?1) AND name = ?2"
		   " AND deleted_at IS NULL",
	.place = "SELECT owner_uid, id FROM projects WHERE id = ?1",
	.page_own = "SELECT id FROM projects WHERE" OF_ONE_OWNER "?2) AND id < ?1"
		    " AND deleted_at IS NULL ORDER BY id DESC LIMIT ?3",
	.page_all = "SELECT id FROM projects WHERE id < ?1 AND ?2 = ?2"
		    " AND deleted_at IS NULL ORDER BY id DESC LIMIT ?3",
	.count_own = "SELECT count(*), max(id), count(*) FROM (SELECT id FROM projects WHERE"
		     OF_ONE_OWNER "?1) AND id > ?2 AND deleted_at IS NULL ORDER BY id LIMIT ?3)",
	.count_all = "SELECT count(*), max(id), count(*) FROM (SELECT id FROM projects"
		     " WHERE ?1 = ?1 AND id > ?2 AND deleted_at IS NULL ORDER BY id LIMIT ?3)",
	.load = load,
	.check = check,
	.insert = insert,
	.differs = differs,
	.update = update,
};

/* ---- Deleting ---- */

static int forbid(struct tx *tx, int64_t id)
{
	struct ellu_project *project;
	int64_t task_id;
	int r = load(tx, id, &project);

	if (r < 0)
		return r;
	if (strcmp(project->name, PROJECT_DEFAULT) == 0)
		return fault_conflict(tx->fault, "project", project->name, id,
				      "each user has it, and it stays");
	r = db_int(tx->db, &task_id, "SELECT id FROM tasks WHERE finished_at IS NULL"
				     " AND project_id = ?1 LIMIT 1", "i", id);
	return r <= 0 ? r : fault_conflict(tx->fault, "project", project->name, id,
					   "the task %" PRId64 " is in it", task_id);
}

int project_delete(struct tx *tx, struct method_run *op)
{
	const struct ellu_delete_project_request *request = op->arguments;
	int64_t *id = op->request.state;
	struct place place;
	int r;

	if (!method_reply(tx, op))
		return -ENOMEM;
	if (id) {
		r = sweep_project(tx->db, &tx->store->writer.secrets, *id, tx->now);
		op->request.again = r > 0;
		if (r == 0) // its collections' rows
			writer_sweep_in(&tx->store->writer, 0);
		return r < 0 ? r : 0;
	}
	id = tx_alloc(tx, sizeof(*id));
	if (!id)
		return -ENOMEM;
	r = resource_resolve_own(tx, &resource_project, &op->scope, request->project, id, &place);
	if (r >= 0)
		r = forbid(tx, *id);
	if (r >= 0)
		r = db_run(tx->db, "UPDATE projects SET deleted_at = ?2 WHERE id = ?1", "ii", *id, tx->now);
	if (r < 0)
		return r;
	op->request.state = id;
	op->request.again = true;
	return 0;
}

/* ---- The first one ---- */

static int make_user(struct tx *tx, struct store_request *request)
{
	const struct user_ensure *op = (const struct user_ensure *)request;
	int64_t id;

	return make(tx, op->uid, PROJECT_DEFAULT, NULL, &id);
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
