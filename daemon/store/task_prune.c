/*
 * Removes what tasks that ended long ago have logged, a chunk at a time so that the writer is never
 * held up. Changes of state stay, and with them each task's story.
 */
#include "daemon/store/store_internal.h"
#include "daemon/store/task.h"

#define CHUNK_LINES 2000
#define CHUNK_TASKS 200 // looked at

/* 1: all its lines are gone. */
static int prune_task(struct tx *tx, struct tasks_prune *op, int64_t task_id, int64_t *left)
{
	int n;

	n = db_run(tx->db, "DELETE FROM task_events WHERE task_id = ?1 AND sequence IN"
			   " (SELECT sequence FROM task_events WHERE task_id = ?1 AND line IS NOT NULL"
			   "  LIMIT ?2)", "ii", task_id, *left);
	if (n < 0)
		return n;
	op->ret_lines += n;
	op->ret_tasks += n > 0 && !op->ret_cursor.partly;
	op->ret_cursor.partly = n == *left;
	*left -= n;
	return !op->ret_cursor.partly;
}

static int tasks_prune_run(struct tx *tx, struct store_request *request)
{
	struct tasks_prune *op = (struct tasks_prune *)request;
	int64_t ids[CHUNK_TASKS], left = CHUNK_LINES;
	int n = 0, r;
	QUERY q = NULL;

	op->ret_cursor = op->cursor;
	op->ret_tasks = op->ret_lines = 0;
	op->ret_end = false;
	r = db_query(tx->db, &q, "SELECT id FROM tasks WHERE id > ?1 AND finished_at < ?2"
				 " AND (owner_uid = ?3 OR ?4) ORDER BY id LIMIT ?5",
		     "iiibb", op->cursor.after_id, op->ended_before, op->scope.uid, (int)op->scope.all,
		     CHUNK_TASKS);
	while (r >= 0 && (r = db_next(tx->db, q)) > 0)
		ids[n++] = column_int(q, 0);
	statement_reset(&q);
	for (int i = 0; r >= 0 && i < n; i++) {
		r = prune_task(tx, op, ids[i], &left);
		if (r <= 0)
			return r; // the rest of its lines, and the tasks behind it, come next
		op->ret_cursor.after_id = ids[i];
	}
	op->ret_end = n < CHUNK_TASKS;
	return r < 0 ? r : 0;
}

void store_tasks_prune(struct store *store, struct tasks_prune *op)
{
	tx_post(store, &op->request, STORE_WRITE, tasks_prune_run);
}
