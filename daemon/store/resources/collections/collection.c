#include "daemon/store/resources/collections/collection.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "daemon/store/resources/collections/columns.h"
#include "daemon/store/resources/collections/rows.h"
#include "proto/generated/interface.h"
#include "proto/text/plural.h"
#include "proto/text/utf8.h"

int collection_resolve(struct tx *tx, const struct scope *scope, const struct ellu_ref *ref,
		       struct collection_state *ret_state)
{
	int64_t id;
	int r = resource_resolve(tx, &resource_collection, scope, ref, &id);

	return r < 0 ? r : collection_state(tx, id, ret_state);
}

static int check_version(struct tx *tx, int64_t id, int64_t version)
{
	struct collection_state state;
	int r = collection_state(tx, id, &state);

	if (r < 0 || version == collection_version(&state))
		return r;
	return fault_conflict(tx->fault, "collection", state.name, id, "its rows are others by now");
}

static int load(struct tx *tx, int64_t id, void *ret_collection)
{
	struct ellu_collection *collection = TX_RECORD(tx, struct ellu_collection);
	struct tx_list columns = { 0 };
	struct collection_state state;
	int r;

	if (!collection)
		return -ENOMEM;
	r = collection_state(tx, id, &state);
	if (r >= 0)
		r = collection_columns(tx, id, &columns);
	if (r < 0)
		return r;
	collection->id = tx_int_value(tx, id);
	collection->name = state.name;
	collection->description = state.description;
	collection->variables_count = tx_int_value(tx, state.variables_count);
	collection->read_only = tx_bool_value(tx, state.read_only);
	collection->created_at = tx_int_value(tx, state.created_at);
	collection->updated_at = tx_int_value(tx, state.updated_at);
	collection->version = tx_int_value(tx, collection_version(&state));
	collection->columns = tx_list_items(tx, &columns);
	collection->n_columns = columns.n;
	memcpy(ret_collection, &collection, sizeof(collection));
	return 0;
}

static int insert(struct tx *tx, const struct place *place, const void *record, void *rows,
		  struct notes *notes, int64_t *ret_id)
{
	const struct ellu_collection *content = record;
	struct collection_state state;
	int r;

	(void)notes;
	r = db_insert(tx->db, ret_id,
		      "INSERT INTO collections (owner_uid, project_id, name, description,"
		      " read_only, created_at, updated_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?6)",
		      "iissbi", place->owner_uid, place->project_id, content->name,
		      content->description, content->read_only && *content->read_only, tx->now);
	if (r >= 0)
		r = collection_state(tx, *ret_id, &state);
	if (r >= 0)
		r = collection_set_columns(tx, &state, content);
	if (r >= 0)
		r = rows_append(tx, &state, rows);
	return r;
}

/* What of a collection is other than a content says. What the content leaves out of this stays: rows,
 * columns, and whether it is read-only. */
struct difference {
	bool rows;
	bool columns;
	bool itself; // name, description
};

static int compare(struct tx *tx, const struct collection_state *state,
		   const struct ellu_collection *content, struct row_set *rows,
		   struct difference *ret_difference)
{
	int same_rows = content->variables ? row_set_equal(tx, rows, state) : 1;
	int same_columns = same_rows < 0 ? same_rows : collection_has_columns(tx, state, content);

	*ret_difference = (struct difference){
		.rows = !same_rows,
		.columns = !same_columns,
		.itself = !same_text(state->name, content->name) ||
			  !same_text(state->description, content->description) ||
			  (content->read_only && (*content->read_only != 0) != state->read_only),
	};
	return same_columns < 0 ? same_columns : 0;
}

static int differs(struct tx *tx, int64_t id, const void *content, void *rows)
{
	struct difference difference;
	struct collection_state state;
	int r = collection_state(tx, id, &state);

	if (r >= 0)
		r = compare(tx, &state, content, rows, &difference);
	return r < 0 ? r : difference.rows || difference.columns || difference.itself;
}

static int refill(struct tx *tx, struct collection_state *state,
		  const struct ellu_collection *content, const struct row_set *rows,
		  struct notes *notes)
{
	int64_t before = state->variables_count;
	int r;

	r = rows_clear(tx, state);
	if (r >= 0)
		r = collection_set_columns(tx, state, content);
	if (r >= 0)
		r = rows_append(tx, state, rows);
	if (r < 0)
		return r;
	return notes_add(tx, notes, "collection '%s': %" PRId64 " row%s replaced by %" PRId64,
			 state->name, before, plural_s(before), state->variables_count);
}

/* A content that says `read_only: false` opens it for its own. */
static int check_difference(struct tx *tx, const struct collection_state *state,
			    const struct ellu_collection *content, const struct difference *difference)
{
	if ((!difference->rows && !difference->columns) ||
	    (content->read_only && !*content->read_only))
		return 0;
	return collection_check_writable(tx, state);
}

static int update(struct tx *tx, int64_t id, const void *record, void *rows, const char *path,
		  struct notes *notes)
{
	const struct ellu_collection *content = record;
	struct difference difference;
	struct collection_state state;
	int r;

	r = collection_state(tx, id, &state);
	state.rows_fit = content->variables != NULL;
	if (r >= 0)
		r = compare(tx, &state, content, rows, &difference);
	if (r >= 0)
		r = check_difference(tx, &state, content, &difference);
	if (r >= 0 && difference.rows)
		r = refill(tx, &state, content, rows, notes);
	if (r >= 0 && !difference.rows && difference.columns) {
		r = collection_set_columns(tx, &state, content);
		if (r >= 0)
			r = collection_check_count(tx, id, tx_printf(tx, "%s.columns", path));
		if (r >= 0)
			r = notes_add(tx, notes, "collection '%s': columns updated", content->name);
	}
	if (r < 0)
		return r;
	return db_run(tx->db, "UPDATE collections SET name = ?2, description = ?3, read_only = ?4,"
			      " updated_at = ?5 WHERE id = ?1",
		      "issbi", id, content->name, content->description,
		      content->read_only ? *content->read_only : (int)state.read_only, tx->now);
}

static int content_types(struct tx *tx, const struct ellu_collection *content, const char **ret_types)
{
	json_object *types = json_object_new_object();
	int r = types ? 0 : -ENOMEM;

	for (size_t i = 0; r >= 0 && i < content->n_columns; i++)
		r = json_object_object_add(types, content->columns[i]->name,
					   json_object_new_string(content->columns[i]->type));
	if (r >= 0)
		*ret_types = tx_strdup(tx, json_text(types, NULL));
	json_object_put(types);
	return r < 0 || tx->oom ? -ENOMEM : 0;
}

int collection_read_rows(struct tx *tx, const struct ellu_collection *content, const char *path,
			 struct row_set *ret_rows)
{
	const char *types;
	int r = content_types(tx, content, &types);

	return r < 0 ? r : row_set_read(tx, types, content->variables, content->n_variables,
					tx_printf(tx, "%s.variables", path), /* digest= */ NULL, ret_rows);
}

static int prepare(struct tx *tx, const void *content, const char *path, void **ret_rows)
{
	struct row_set *rows = tx_alloc(tx, sizeof(*rows));

	*ret_rows = rows;
	return rows ? collection_read_rows(tx, content, path, rows) : -ENOMEM;
}

static int check(struct tx *tx, const struct place *place, int64_t id, const void *content,
		 const char *path)
{
	(void)place;
	(void)id;
	return collection_check_columns(tx, content, path);
}

/* The rows that no run is pinned to are swept. */
static int discard(struct tx *tx, int64_t id)
{
	struct collection_state state;
	int r = collection_state(tx, id, &state);

	return r < 0 ? r : rows_clear(tx, &state);
}

const struct resource resource_collection = {
	.name = "collection",
	.noun = "a collection",
	.type = &ellu_collection_type,
	.letter = 'c',
	RESOURCE_STATEMENTS("collections"),
	.check_version = check_version,
	.load = load,
	.prepare = prepare,
	.check = check,
	.insert = insert,
	.differs = differs,
	.update = update,
	RESOURCE_LIVE("collection_id"),
	.discard = discard,
};

int collection_clear(struct tx *tx, struct method_run *op)
{
	const struct ellu_clear_collection_request *request = op->arguments;
	struct ellu_clear_collection_reply *reply = method_reply(tx, op);
	struct collection_state state;
	int r = reply ? 0 : -ENOMEM;

	if (r >= 0)
		r = collection_resolve(tx, &op->scope, request->collection, &state);
	if (r >= 0)
		r = collection_check_writable(tx, &state);
	if (r < 0)
		return r;
	reply->removed = state.variables_count;
	return rows_clear(tx, &state);
}
