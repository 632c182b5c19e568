#include "daemon/store/resources/collections/rows.h"

#include "daemon/store/engine/store_internal.h"
#include "daemon/store/resources/collections/columns.h"

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
