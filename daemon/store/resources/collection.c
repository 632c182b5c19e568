#include "daemon/store/resources/collection.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "daemon/store/resources/rows.h"
#include "proto/generated/interface.h"
#include "proto/utf8.h"

int collection_state(struct tx *tx, int64_t id, struct collection_state *ret_state)
{
	QUERY q = NULL;
	int r;

	r = db_row(tx->db, &q, "SELECT owner_uid, project_id, name, first_sequence, last_sequence,"
			       " variables_count, read_only, rows_identity, description, created_at,"
			       " updated_at FROM collections WHERE id = ?1", "i", id);
	if (r <= 0)
		return r < 0 ? r : fault_not_found(tx->fault, "collection", NULL, id);
	*ret_state = (struct collection_state){
		.id = id,
		.owner_uid = column_int(q, 0),
		.project_id = column_int(q, 1),
		.name = tx_text(tx, q, 2),
		.first_sequence = column_int(q, 3),
		.last_sequence = column_int(q, 4),
		.variables_count = column_int(q, 5),
		.read_only = column_int(q, 6) != 0,
		.rows_identity = tx_text(tx, q, 7),
		.description = tx_text(tx, q, 8),
		.created_at = column_int(q, 9),
		.updated_at = column_int(q, 10),
		.next_position = -1,
	};
	return 0;
}

int collection_resolve(struct tx *tx, const struct scope *scope, const struct ellu_ref *ref,
		       struct collection_state *ret_state)
{
	int64_t id;
	int r = resource_resolve(tx, &resource_collection, scope, ref, &id);

	return r < 0 ? r : collection_state(tx, id, ret_state);
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

int collection_check_writable(struct tx *tx, const struct collection_state *state)
{
	if (!state->read_only)
		return 0;
	return fault_set(tx->fault, ELLU_E_READ_ONLY, "The collection '%s' is read-only.",
			 state->name);
}

static int put_columns(struct tx *tx, struct collection_state *state,
		       const struct ellu_collection *content)
{
	int r = 0;

	for (size_t i = 0; r >= 0 && i < content->n_columns; i++)
		r = collection_put_column(tx, state, content->columns[i]);
	return r < 0 ? r : 0;
}

static int insert(struct tx *tx, const struct place *place, const void *record, void *rows,
		  int64_t *ret_id)
{
	const struct ellu_collection *content = record;
	struct collection_state state;
	int r;

	r = db_insert(tx->db, ret_id,
		      "INSERT INTO collections (owner_uid, project_id, name, description,"
		      " read_only, created_at, updated_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?6)",
		      "iissbi", place->owner_uid, place->project_id, content->name,
		      content->description, content->read_only && *content->read_only, tx->now);
	if (r >= 0)
		r = collection_state(tx, *ret_id, &state);
	if (r >= 0)
		r = put_columns(tx, &state, content);
	if (r >= 0)
		r = rows_append(tx, &state, rows);
	return r;
}

/* 1 when the collection has all columns of the content, as the content has them. */
static int columns_equal(struct tx *tx, int64_t id, const struct ellu_collection *content)
{
	struct tx_list columns = { 0 };
	int r;

	r = collection_columns(tx, id, &columns);
	if (r < 0)
		return r;
	for (size_t i = 0; i < content->n_columns; i++) {
		const struct ellu_column *wanted = content->columns[i], *found = NULL;

		for (size_t j = 0; j < columns.n && !found; j++) {
			const struct ellu_column *column = columns.items[j];

			if (same_text(column->name, wanted->name))
				found = column;
		}
		if (!found || !same_text(found->type, wanted->type) ||
		    !same_text(found->default_value, wanted->default_value))
			return 0;
	}
	return 1;
}

static int refill(struct tx *tx, struct collection_state *state,
		  const struct ellu_collection *content, const struct row_set *rows,
		  struct notes *notes)
{
	int64_t before = state->variables_count;
	int r;

	r = rows_clear(tx, state);
	/* Which columns there are follows from the new content. */
	if (r >= 0)
		r = collection_retire_columns(tx, state, "[]", /* declared= */ true);
	if (r >= 0)
		r = put_columns(tx, state, content);
	if (r >= 0)
		r = rows_append(tx, state, rows);
	if (r < 0)
		return r;
	return notes_add(tx, notes, "collection '%s': %" PRId64 " rows replaced by %" PRId64,
			 state->name, before, state->variables_count);
}

static int bring_to(struct tx *tx, int64_t id, const struct ellu_collection *content,
		    struct row_set *rows, bool update, struct notes *notes)
{
	struct collection_state state;
	int same_rows = 1, same_columns, same_description, r;

	r = collection_state(tx, id, &state);
	if (r < 0)
		return r;
	if (content->variables)
		same_rows = row_set_equal(tx, rows, &state);
	same_columns = columns_equal(tx, id, content);
	if (same_rows < 0 || same_columns < 0)
		return same_rows < 0 ? same_rows : same_columns;
	same_description = !content->description || same_text(state.description, content->description);
	if (same_rows && same_columns && same_description)
		return 0;
	if (!update)
		return fault_conflict(tx->fault, "collection", content->name, id,
				      "a collection of that name exists and differs");
	r = collection_check_writable(tx, &state);
	if (r >= 0 && !same_rows)
		r = refill(tx, &state, content, rows, notes);
	if (r >= 0 && same_rows && !same_columns) {
		r = put_columns(tx, &state, content);
		if (r >= 0)
			r = notes_add(tx, notes, "collection '%s': columns updated", content->name);
	}
	if (r < 0)
		return r;
	return db_run(tx->db, "UPDATE collections SET description = coalesce(?2, description),"
			      " updated_at = ?3 WHERE id = ?1", "isi", id, content->description,
		      tx->now);
}

int collection_put(struct tx *tx, const struct place *place,
		   const struct ellu_collection *content, struct row_set *rows, const char *path,
		   bool update, struct notes *notes, int64_t *ret_id)
{
	int r;

	r = collection_check_columns(tx, content, path);
	if (r < 0)
		return r;
	r = resource_find(tx, &resource_collection, place->project_id, content->name, ret_id);
	if (r < 0)
		return r;
	return r > 0 ? bring_to(tx, *ret_id, content, rows, update, notes) :
		       insert(tx, place, content, rows, ret_id);
}

static int prepare(struct tx *tx, const void *content, void **ret_rows)
{
	const struct ellu_collection *collection = content;
	struct row_set *rows = tx_alloc(tx, sizeof(*rows));

	*ret_rows = rows;
	return rows ? row_set_read(tx, collection->variables, collection->n_variables,
				   "collection.variables", rows) :
		      -ENOMEM;
}

static int check(struct tx *tx, const struct place *place, const void *content, const char *path)
{
	(void)place;
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
	.load = load,
	.prepare = prepare,
	.check = check,
	.insert = insert,
	.live = "SELECT t.id FROM tasks t CROSS JOIN runs r ON r.id = t.run_id"
		" WHERE t.finished_at IS NULL AND r.collection_id = ?1 LIMIT 1",
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
