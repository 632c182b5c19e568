#include "daemon/store/resources/rows.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "daemon/store/engine/page.h"
#include "daemon/store/engine/store_internal.h"
#include "proto/generated/interface.h"

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
	state->last_sequence++;
	state->variables_count += added;
	state->rows_identity = state->variables_count > 0 ? tx_strdup(tx, chained) : "";
	return db_run(tx->db, "UPDATE collections SET last_sequence = ?2, variables_count = ?3,"
			      " updated_at = ?4, rows_identity = ?5 WHERE id = ?1",
		      "iiiis", state->id, state->last_sequence, state->variables_count, tx->now,
		      state->rows_identity);
}

int rows_append(struct tx *tx, struct collection_state *state, const struct row_set *set)
{
	int64_t batch_id;
	int r;

	if (set->n_rows == 0)
		return 0;
	r = collection_add_columns(tx, state, set->keys);
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

/* ---- Removing some ---- */

/* Ids as a JSON array without repetition, and NotFound when one of them is not shown. */
static int find_shown(struct tx *tx, const struct collection_state *state, const int64_t *ids,
		      size_t n_ids, const char **ret_ids, int64_t *ret_n)
{
	json_object *list = json_object_new_object(), *array = json_object_new_array();
	char key[24];
	int64_t missing;
	int r = list && array ? 0 : -ENOMEM;

	for (size_t i = 0; r >= 0 && i < n_ids; i++) {
		snprintf(key, sizeof(key), "%" PRId64, ids[i]);
		if (json_object_object_get_ex(list, key, NULL))
			continue;
		r = json_object_object_add(list, key, NULL);
		if (r >= 0)
			r = json_object_array_add(array, json_object_new_int64(ids[i]));
	}
	if (r >= 0) {
		*ret_n = (int64_t)json_object_array_length(array);
		*ret_ids = tx_strdup(tx, json_text(array, NULL));
	}
	json_object_put(list);
	json_object_put(array);
	if (r < 0 || !*ret_ids)
		return -ENOMEM;
	r = db_int(tx->db, &missing, "SELECT j.value FROM json_each(?1) j WHERE NOT EXISTS ("
				     "SELECT 1 FROM template_variables v CROSS JOIN row_batches b"
				     " ON b.id = v.batch_id WHERE v.id = j.value AND b.collection_id = ?2"
				     " AND b.sequence > ?3 AND b.sequence <= ?4"
				     " AND v.removed_sequence IS NULL) LIMIT 1",
		   "siii", *ret_ids, state->id, state->first_sequence, state->last_sequence);
	return r <= 0 ? r : fault_not_found(tx->fault, "template_variables", NULL, missing);
}

/* The sequence that removes is no batch's. Who is pinned to less sees the rows; they go with their
 * batch. */
int rows_delete(struct tx *tx, struct method_run *op)
{
	const struct ellu_delete_template_variables_request *request = op->arguments;
	struct ellu_delete_template_variables_reply *reply = method_reply(tx, op);
	struct collection_state state;
	const char *ids = NULL, *identity;
	int r = reply ? 0 : -ENOMEM;

	if (r >= 0)
		r = collection_resolve(tx, &op->scope, request->collection, &state);
	if (r >= 0)
		r = collection_check_writable(tx, &state);
	if (r >= 0)
		r = find_shown(tx, &state, request->ids, request->n_ids, &ids, &reply->removed);
	if (r >= 0)
		r = db_run(tx->db, "UPDATE template_variables SET removed_sequence = ?2"
				   " WHERE id IN (SELECT value FROM json_each(?1))", "si", ids,
			   state.last_sequence + 1);
	if (r < 0)
		return r;
	identity = tx_printf(tx, "without %s", ids);
	return identity ? rows_publish(tx, &state, -reply->removed, identity) : -ENOMEM;
}

/* ---- Walking ---- */

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

int rows_alike(struct tx *tx, int64_t row_id, int64_t other_row_id)
{
	QUERY q = NULL;
	int r;

	r = db_row(tx->db, &q, "SELECT a.input_values, b.input_values FROM template_variables a"
			       " CROSS JOIN template_variables b WHERE a.id = ?1 AND b.id = ?2",
		   "ii", row_id, other_row_id);
	return r <= 0 ? r : identity_json_equal(column_peek(q, 0), column_peek(q, 1));
}

static int walk_batch(struct row_walk *walk, int64_t batch_id)
{
	struct db *db = walk->tx->db;
	QUERY q = NULL;
	int r;

	r = db_query(db, &q, "SELECT id, input_values, created_at FROM template_variables"
			     " WHERE batch_id = ?1 AND id > ?2 AND removed_sequence IS NULL"
			     " ORDER BY id", "ii", batch_id,
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

#define ROWS_LETTER 'v' // of the list's cursors

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

const char *rows_cursor(struct tx *tx, int64_t sequence)
{
	return page_cursor(tx, ROWS_LETTER, sequence, 0);
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
		r = page_begin(tx, op, ROWS_LETTER, &listing.page);
	if (r >= 0)
		r = rows_page(tx, &state, &listing);
	return r < 0 ? r : page_end(tx, &listing.page, state.variables_count);
}
