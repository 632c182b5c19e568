#include "daemon/store/resources/collections/row_walk.h"

#include "daemon/store/resources/identity.h"

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
