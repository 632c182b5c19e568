#include "daemon/store/resources/collections/collection_state.h"

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

int collection_check_writable(struct tx *tx, const struct collection_state *state)
{
	if (!state->read_only)
		return 0;
	return fault_set(tx->fault, ELLU_E_READ_ONLY, "The collection '%s' is read-only.",
			 state->name);
}
