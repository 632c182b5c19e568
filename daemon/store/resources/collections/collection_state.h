/* What a collection is besides its columns and rows, and which of those it shows. */
#pragma once

#include "daemon/store/engine/tx.h"

struct collection_state {
	int64_t id;
	int64_t owner_uid;
	int64_t project_id;
	const char *name;
	const char *description;
	int64_t first_sequence; // visible: batches above this ...
	int64_t last_sequence; // ... up to this
	int64_t variables_count;
	const char *rows_identity; // of all that are visible, by value
	bool read_only;
	int64_t created_at;
	int64_t updated_at;
	int64_t next_position; // of a new column; -1: not looked up
	bool rows_fit; // the columns that are put: their types may change
};

int collection_state(struct tx *tx, int64_t id, struct collection_state *ret_state);
/* Rises with every change of the rows: either sequence, and neither falls. */
static inline int64_t collection_version(const struct collection_state *state)
{
	return state->first_sequence + state->last_sequence + 1;
}
/* Refuses what a read-only collection does not take. */
int collection_check_writable(struct tx *tx, const struct collection_state *state);
