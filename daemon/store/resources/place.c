#include "daemon/store/resources/place.h"

int place_resolve(struct tx *tx, const struct scope *scope, struct place *ret_place)
{
	const char *name = scope->project ? scope->project : PROJECT_DEFAULT;
	int r;

	if (scope->only_project_id && !scope->project)
		r = db_int(tx->db, &ret_place->project_id,
			   "SELECT id FROM projects WHERE id = ?1 AND owner_uid = ?2 AND deleted_at IS NULL",
			   "ii", scope->only_project_id, scope->uid);
	else
		r = db_int(tx->db, &ret_place->project_id,
			   "SELECT id FROM projects WHERE owner_uid = ?1 AND name = ?2 AND deleted_at IS NULL",
			   "is", scope->uid, name);
	if (r > 0 && !scope_covers(scope, ret_place->project_id))
		r = 0;
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

	if (scope->all && !scope->project && !scope->only_project_id) {
		*ret_project_id = -1;
		return 0;
	}
	r = place_resolve(tx, scope, &place);
	if (r < 0)
		return r;
	*ret_project_id = place.project_id;
	return 0;
}
