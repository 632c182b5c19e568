#include "daemon/store/resources/rows.h"

#include <errno.h>
#include <string.h>

#include "daemon/store/engine/page.h"
#include "daemon/store/engine/store_internal.h"
#include "proto/generated/interface.h"

int rows_keys(struct tx *tx, const char *known, const struct row_set *set, const char **ret_keys)
{
	json_object *seen = json_object_new_object();
	json_object *names = known ? tx_parse(known) : json_object_new_array();
	int r = seen && names ? 0 : -ENOMEM;

	for (size_t i = 0; r >= 0 && i < json_object_array_length(names); i++)
		r = json_object_object_add(
			seen, json_object_get_string(json_object_array_get_idx(names, i)), NULL);
	for (size_t i = 0; r >= 0 && i < set->n_keys; i++) {
		if (json_object_object_get_ex(seen, set->keys[i], NULL))
			continue;
		r = json_object_array_add(names, json_object_new_string(set->keys[i]));
	}
	if (r >= 0 && json_object_array_length(names) > COLUMNS_MAX)
		r = fault_invalid(tx->fault, "variables", "at most %d different keys", COLUMNS_MAX);
	if (r >= 0)
		*ret_keys = tx_strdup(tx, json_text(names, NULL));
	json_object_put(seen);
	json_object_put(names);
	return r < 0 ? r : tx->oom ? -ENOMEM : 0;
}

int rows_insert(struct tx *tx, const struct collection_state *state, int64_t batch_id,
		const struct row_set *set)
{
	int r = 0;

	for (size_t i = 0; r >= 0 && i < set->n_rows; i++)
		r = db_run(tx->db, "INSERT INTO template_variables (owner_uid, project_id, batch_id,"
				   " input_values, hash, created_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
			   "iiisii", state->owner_uid, state->project_id, batch_id, set->rows[i],
			   set->hashes[i], tx->now);
	return r < 0 ? r : 0;
}

int rows_publish(struct tx *tx, struct collection_state *state, int64_t added,
		 const char *identity)
{
	char chained[IDENTITY_SIZE];

	identity_chain(state->rows_identity, identity, chained);
	state->rows_identity = tx_strdup(tx, chained);
	state->last_sequence++;
	state->variables_count += added;
	return db_run(tx->db, "UPDATE collections SET last_sequence = ?2, variables_count = ?3,"
			      " updated_at = ?4, rows_identity = ?5 WHERE id = ?1",
		      "iiiis", state->id, state->last_sequence, state->variables_count, tx->now,
		      state->rows_identity);
}

int rows_append(struct tx *tx, struct collection_state *state, const struct row_set *set)
{
	const char *keys;
	int64_t batch_id;
	int r;

	if (set->n_rows == 0)
		return 0;
	r = rows_keys(tx, NULL, set, &keys);
	if (r >= 0)
		r = collection_add_columns(tx, state, keys);
	if (r >= 0)
		r = db_insert(tx->db, &batch_id,
			      "INSERT INTO row_batches (owner_uid, project_id, collection_id,"
			      " sequence, row_count, created_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
			      "iiiiii", state->owner_uid, state->project_id, state->id,
			      state->last_sequence + 1, (int64_t)set->n_rows, tx->now);
	if (r >= 0)
		r = rows_insert(tx, state, batch_id, set);
	return r < 0 ? r : rows_publish(tx, state, (int64_t)set->n_rows, set->identity);
}

int rows_clear(struct tx *tx, struct collection_state *state)
{
	state->first_sequence = state->last_sequence;
	state->variables_count = 0;
	state->rows_identity = "";
	writer_sweep_in(&tx->store->writer, 0);
	return db_run(tx->db, "UPDATE collections SET first_sequence = last_sequence,"
			      " variables_count = 0, rows_identity = '', updated_at = ?2 WHERE id = ?1",
		      "ii", state->id, tx->now);
}

int rows_next_batch(struct tx *tx, int64_t collection_id, int64_t last_sequence,
		    int64_t *sequence, int64_t *ret_batch_id)
{
	QUERY q = NULL;
	int r;

	r = db_row(tx->db, &q, "SELECT sequence, id FROM row_batches WHERE collection_id = ?1"
			       " AND sequence >= ?2 AND sequence <= ?3 ORDER BY sequence LIMIT 1",
		   "iii", collection_id, *sequence, last_sequence);
	if (r <= 0)
		return r;
	*sequence = column_int(q, 0);
	*ret_batch_id = column_int(q, 1);
	return 1;
}

static int walk_batch(struct row_walk *walk, int64_t batch_id)
{
	struct db *db = walk->tx->db;
	QUERY q = NULL;
	int r;

	r = db_query(db, &q, "SELECT id, input_values, created_at FROM template_variables"
			     " WHERE batch_id = ?1 AND id > ?2 ORDER BY id", "ii", batch_id,
		     walk->row_id);
	while (r >= 0 && (r = db_next(db, q)) > 0) {
		r = walk->found(walk, q);
		if (r != 0)
			break;
		walk->row_id = column_int(q, 0);
	}
	return r;
}

int row_walk(struct row_walk *walk)
{
	const struct collection_state *state = walk->state;
	int64_t batch_id, at = walk->sequence;
	int r;

	while ((r = rows_next_batch(walk->tx, state->id, state->last_sequence, &at, &batch_id)) > 0) {
		if (at != walk->sequence)
			walk->row_id = 0;
		walk->sequence = at;
		r = walk_batch(walk, batch_id);
		if (r != 0)
			return r;
		at++;
	}
	return r;
}

struct listing {
	struct page page;
	const char *defaults;
};

static int list_row(struct row_walk *walk, sqlite3_stmt *q)
{
	struct listing *listing = walk->userdata;
	struct ellu_template_variables *row;
	struct tx *tx = walk->tx;
	int r;

	row = TX_RECORD(tx, struct ellu_template_variables);
	if (!row)
		return -ENOMEM;
	row->id = column_int(q, 0);
	row->created_at = column_int(q, 2);
	r = collection_fill(tx, listing->defaults, tx_text(tx, q, 1), &row->input_values);
	if (r >= 0)
		r = page_add(tx, &listing->page, &ellu_template_variables_type, row, "row", row->id);
	if (r != 0)
		return r < 0 ? r : 0;
	r = page_continues(tx, &listing->page, walk->sequence, walk->row_id);
	return r < 0 ? r : 1;
}

static int rows_page(struct tx *tx, const struct collection_state *state, struct listing *listing)
{
	struct row_walk walk = {
		.tx = tx,
		.state = state,
		.sequence = state->first_sequence + 1,
		.found = list_row,
		.userdata = listing,
	};
	int r;

	/* What a cursor points behind may have been cleared since. */
	if (listing->page.resumed && listing->page.major >= walk.sequence) {
		walk.sequence = listing->page.major;
		walk.row_id = listing->page.minor;
	}
	r = collection_defaults(tx, state->id, &listing->defaults);
	return r < 0 ? r : row_walk(&walk);
}

int rows_list(struct tx *tx, struct method_run *op)
{
	const struct ellu_list_template_variables_request *arguments = op->arguments;
	struct listing listing = { 0 };
	struct collection_state state;
	int r = collection_resolve(tx, &op->scope, arguments->collection, &state);

	if (r >= 0)
		r = page_begin(tx, op, 'v', &listing.page);
	if (r >= 0)
		r = rows_page(tx, &state, &listing);
	return r < 0 ? r : page_end(tx, &listing.page, state.variables_count);
}
