/*
 * Removes what tasks that ended long ago have logged, a chunk at a time so that the writer is never
 * held up; which tasks those are is found out before. Changes of state stay, and with them each
 * task's story.
 */
#include "daemon/store/engine/page.h"
#include "daemon/store/tasks/task.h"

#define CHUNK_LINES 2000

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
	op->ret_tasks += n > 0 && task_id != op->cursor.partly_id;
	if (n == *left)
		op->ret_cursor.partly_id = task_id;
	*left -= n;
	return *left > 0;
}

/* The next tasks that have lines to lose, found by a reader: looked at are the caller's alone. */
static const char ended_own[] =
	"SELECT id, finished_at < ?2 AND EXISTS (SELECT 1 FROM task_events e"
	"  WHERE e.task_id = tasks.id AND e.line IS NOT NULL) FROM tasks INDEXED BY tasks_ended"
	" WHERE owner_uid = ?1 AND finished_at IS NOT NULL AND id > ?3 ORDER BY id LIMIT ?4";
static const char ended_all[] =
	"SELECT id, coalesce(finished_at < ?2, 0) AND EXISTS (SELECT 1 FROM task_events e"
	"  WHERE e.task_id = tasks.id AND e.line IS NOT NULL) FROM tasks"
	" WHERE ?1 = ?1 AND id > ?3 ORDER BY id LIMIT ?4";

static int find_tasks(struct tx *tx, struct tasks_prune *op)
{
	int n_looks = 0, r;
	QUERY q = NULL;

	r = db_query(tx->db, &q, op->scope.all ? ended_all : ended_own, "iiib", op->scope.uid,
		     op->ended_before, op->cursor.after_id, LOOKS_MAX);
	while (r >= 0 && op->n_ids < PRUNE_TASKS_MAX && (r = db_next(tx->db, q)) > 0) {
		n_looks++;
		op->looked_id = column_int(q, 0);
		if (column_int(q, 1))
			op->ids[op->n_ids++] = op->looked_id;
	}
	op->found_all = op->n_ids < PRUNE_TASKS_MAX && n_looks < LOOKS_MAX;
	return r;
}

static int remove_lines(struct tx *tx, struct store_request *request)
{
	struct tasks_prune *op = (struct tasks_prune *)request;
	int64_t left = CHUNK_LINES;
	int r = 0;

	op->ret_cursor = op->cursor;
	op->ret_tasks = op->ret_lines = 0;
	for (int i = 0; r >= 0 && i < op->n_ids; i++) {
		r = prune_task(tx, op, op->ids[i], &left);
		if (r <= 0)
			return r; // the rest of its lines, and the tasks behind it, come next
		op->ret_cursor.after_id = op->ids[i];
	}
	op->ret_cursor.after_id = op->looked_id;
	op->ret_end = op->found_all;
	return r < 0 ? r : 0;
}

static int tasks_prune_run(struct tx *tx, struct store_request *request)
{
	struct tasks_prune *op = (struct tasks_prune *)request;
	int r;

	op->n_ids = 0;
	op->looked_id = op->cursor.after_id;
	op->ret_cursor = op->cursor;
	op->ret_tasks = op->ret_lines = 0;
	op->ret_end = false;
	r = find_tasks(tx, op);
	if (r < 0)
		return r;
	if (op->n_ids == 0) {
		op->ret_cursor.after_id = op->looked_id;
		op->ret_end = op->found_all;
		return 0;
	}
	request->lane = STORE_WRITE;
	request->run = remove_lines;
	return 0;
}

void store_tasks_prune(struct store *store, struct tasks_prune *op)
{
	tx_post(store, &op->request, STORE_SCAN, tasks_prune_run);
}
