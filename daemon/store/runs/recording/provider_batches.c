/*
 * Batches that a provider has of a task's cases. What is meant to be given is kept before: so a daemon that
 * ends while it gives one knows to look for it, and nothing is asked twice.
 */
#include <errno.h>
#include <string.h>

#include "daemon/store/engine/tx.h"
#include "daemon/store/runs.h"

static const char *const state_names[_KEPT_BATCH_STATE_MAX] = {
	[KEPT_BATCH_MEANT] = "meant",
	[KEPT_BATCH_GIVEN] = "given",
	[KEPT_BATCH_COLLECTED] = "collected",
};

/* The claim of the task has come somewhere, though no answer is recorded. */
static int note_progress(struct tx *tx, int64_t task_id)
{
	int r = db_run(tx->db, "UPDATE tasks SET recorded_at_claim = -1 WHERE id = ?1", "i", task_id);

	return r < 0 ? r : 0;
}

static int batch_keep_run(struct tx *tx, struct batch_keep *op)
{
	struct kept_batch *batch = &op->batch;
	const struct case_cursor *from = &batch->from, *to = &batch->to;
	int r = db_run(tx->db, "DELETE FROM provider_batches WHERE task_id = ?1 AND state = 'collected'", "i",
		       batch->task_id);

	batch->created_usec = tx->now;
	if (r >= 0)
		r = note_progress(tx, batch->task_id);
	return r < 0 ? r :
	       db_insert(tx->db, &batch->id,
			 "INSERT INTO provider_batches (task_id, owner_uid, project_id, state, pass, mark, n_items,"
			 " estimate_nanodollars, from_epoch, from_sequence, from_row_id, from_row_number, to_epoch,"
			 " to_sequence, to_row_id, to_row_number, created_at) SELECT id, owner_uid, project_id,"
			 " ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15 FROM tasks WHERE id = ?1",
			 "isisiiiiiiiiiii", batch->task_id, state_names[KEPT_BATCH_MEANT], batch->pass,
			 batch->mark, batch->n_items, batch->estimate_nanodollars, from->epoch,
			 from->batch_sequence, from->row_id, from->row_number, to->epoch, to->batch_sequence,
			 to->row_id, to->row_number, tx->now);
}

STORE_OPERATION(batch_keep, STORE_WRITE, true)

static int batch_note_run(struct tx *tx, struct batch_note *op)
{
	int r = note_progress(tx, op->task_id);

	if (r < 0)
		return r;
	if (op->drop)
		return db_run(tx->db, "DELETE FROM provider_batches WHERE id = ?1", "i", op->id);
	return db_run(tx->db, "UPDATE provider_batches SET state = ?2, provider_id = coalesce(?3, provider_id)"
			      " WHERE id = ?1", "iss", op->id, state_names[op->state], op->provider_id);
}

STORE_OPERATION(batch_note, STORE_WRITE, true)

#define COLUMNS                                                                                   \
	"b.id, b.task_id, b.state, b.pass, b.mark, b.provider_id, b.n_items, b.estimate_nanodollars," \
	" b.from_epoch, b.from_sequence, b.from_row_id, b.from_row_number,"                       \
	" b.to_epoch, b.to_sequence, b.to_row_id, b.to_row_number, b.created_at"

static enum kept_batch_state state_of(const char *name)
{
	int state = 0;

	while (state < _KEPT_BATCH_STATE_MAX - 1 && strcmp(state_names[state], name) != 0)
		state++;
	return (enum kept_batch_state)state;
}

static void read_cursor(sqlite3_stmt *q, int c, struct case_cursor *cursor)
{
	*cursor = (struct case_cursor){ column_int(q, c), column_int(q, c + 1), column_int(q, c + 2),
					column_int(q, c + 3) };
}

static void read_batch(struct tx *tx, sqlite3_stmt *q, struct kept_batch *batch)
{
	*batch = (struct kept_batch){
		.id = column_int(q, 0),
		.task_id = column_int(q, 1),
		.state = state_of(column_peek(q, 2)),
		.pass = column_int(q, 3),
		.mark = tx_text(tx, q, 4),
		.provider_id = tx_text(tx, q, 5),
		.n_items = column_int(q, 6),
		.estimate_nanodollars = column_int(q, 7),
		.created_usec = column_int(q, 16),
	};
	read_cursor(q, 8, &batch->from);
	read_cursor(q, 12, &batch->to);
}

static int batches_load_run(struct tx *tx, struct batches_load *op)
{
	struct kept_batch *batches = tx_array(tx, KEPT_BATCHES_MAX + 1, sizeof(*batches));
	QUERY q = NULL;
	int r;

	if (!batches)
		return -ENOMEM;
	op->ret_batches = batches;
	op->ret_n_batches = 0;
	if (op->task_id)
		r = db_query(tx->db, &q, "SELECT " COLUMNS " FROM provider_batches b WHERE b.task_id = ?1"
					 " ORDER BY b.id LIMIT ?2", "ii", op->task_id, (int64_t)KEPT_BATCHES_MAX + 1);
	else
		r = db_query(tx->db, &q, "SELECT " COLUMNS " FROM provider_batches b CROSS JOIN tasks t"
					 " ON t.id = b.task_id WHERE b.id > ?2 AND t.finished_at IS NOT NULL"
					 " ORDER BY b.id LIMIT ?1", "ii", (int64_t)KEPT_BATCHES_MAX, op->after_id);
	while (r >= 0 && (r = db_next(tx->db, q)) > 0)
		read_batch(tx, q, &batches[op->ret_n_batches++]);
	return r < 0 ? r : tx->oom ? -ENOMEM : 0;
}

STORE_OPERATION(batches_load, STORE_POINT, true)
