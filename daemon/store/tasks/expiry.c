/*
 * What is not kept for ever: a reader looks for what ended long enough ago, the writer removes it, a chunk
 * at a time. An experiment goes as by DeleteExperiment. A task goes with its history and what it alone
 * was about; the last one of an experiment that is there stays, as do the newest of all, whose number would
 * come again, and whoever is still to be found by one that tried again.
 */
#include "daemon/store/engine/page.h"
#include "daemon/store/engine/tx.h"
#include "daemon/store/runs/experiment.h"
#include "daemon/store/tasks.h"

#define CHUNK_EVENTS 500 // of each of which a number may be kept
#define CHUNK_EXPERIMENTS 20 // each is looked for in all that waits and runs

/* Whether it ended before ?1. What has no task was made, and changed, before. */
#define EXPERIMENT_EXPIRED                                                                       \
	" e.deleted_at IS NULL AND e.updated_at < ?1"                                              \
	" AND (t.id IS NULL OR coalesce(t.finished_at < ?1, 0))"
#define EXPERIMENTS " FROM experiments e LEFT JOIN tasks t ON t.id = e.task_id"

#define TASK_EXPIRED                                                                             \
	" coalesce(t.finished_at < ?1, 0) AND t.id < (SELECT max(id) FROM tasks)"                    \
	" AND NOT EXISTS (SELECT 1 FROM experiments e WHERE e.id = t.experiment_id"                  \
	"  AND e.task_id = t.id AND e.deleted_at IS NULL)"

/* ---- Experiments ---- */

/* 1: it is gone. It may have been gone on with since it was looked at. */
static int remove_experiment(struct tx *tx, const struct expiry *op, int64_t id)
{
	int64_t one = 0;
	int r = db_int(tx->db, &one, "SELECT 1" EXPERIMENTS " WHERE e.id = ?2 AND" EXPERIMENT_EXPIRED,
		       "ii", op->ended_before, id);

	if (r <= 0)
		return r;
	r = db_int(tx->db, &one, resource_experiment.live, "i", id);
	if (r != 0)
		return r < 0 ? r : 0;
	r = resource_experiment.discard(tx, id);
	return r < 0 ? r : db_run(tx->db, resource_experiment.hide, "ii", id, tx->now);
}

static int remove_experiments(struct tx *tx, struct store_request *request)
{
	struct expiry *op = (struct expiry *)request;
	int r = 0;

	op->ret_n = 0;
	for (int i = 0; r >= 0 && i < op->n_ids; i++) {
		r = remove_experiment(tx, op, op->ids[i]);
		op->ret_n += r > 0;
	}
	return r < 0 ? r : 0;
}

/* ---- Tasks ---- */

/* What its call was asked and answered: nobody finds it any more, unless another task is about it. */
static int forget_run(struct tx *tx, int64_t id)
{
	return db_run(tx->db, "UPDATE runs SET request = NULL, outcome = NULL WHERE id ="
			      " (SELECT run_id FROM tasks WHERE id = ?1 AND experiment_id IS NULL)"
			      " AND (request IS NOT NULL OR outcome IS NOT NULL) AND NOT EXISTS"
			      " (SELECT 1 FROM tasks WHERE retry_of = ?1)", "i", id);
}

/* 1: it is gone; 0: it has more history than a chunk. */
static int remove_task(struct tx *tx, int64_t id, int64_t *left)
{
	int n = db_run(tx->db, "DELETE FROM task_events WHERE task_id = ?1 AND sequence IN"
			       " (SELECT sequence FROM task_events WHERE task_id = ?1 LIMIT ?2)", "ii", id,
		       *left);

	if (n < 0)
		return n;
	*left -= n;
	if (*left <= 0)
		return 0;
	n = forget_run(tx, id);
	return n < 0 ? n : db_run(tx->db, "DELETE FROM tasks WHERE id = ?1", "i", id);
}

static int remove_tasks(struct tx *tx, struct store_request *request)
{
	struct expiry *op = (struct expiry *)request;
	int64_t left = CHUNK_EVENTS;
	int r = 1;

	op->ret_n = 0;
	for (int i = 0; r > 0 && i < op->n_ids; i++) {
		r = remove_task(tx, op->ids[i], &left);
		op->ret_n += r > 0;
		if (r == 0) {
			op->ret_after_id = op->ids[i] - 1;
			op->ret_end = false;
		}
	}
	return r < 0 ? r : 0;
}

/* ---- What there is of either ---- */

static const struct kind {
	const char *find; // the next behind ?2, at most ?3: its id, and whether it goes
	int chunk;
	int (*remove)(struct tx *tx, struct store_request *request);
} kinds[_EXPIRY_MAX] = {
	[EXPIRY_EXPERIMENTS] = {
		"SELECT e.id," EXPERIMENT_EXPIRED EXPERIMENTS " WHERE e.id > ?2 ORDER BY e.id LIMIT ?3",
		CHUNK_EXPERIMENTS, remove_experiments },
	[EXPIRY_TASKS] = {
		"SELECT t.id," TASK_EXPIRED " FROM tasks t WHERE t.id > ?2 ORDER BY t.id LIMIT ?3",
		EXPIRY_CHUNK, remove_tasks },
};

static int expiry_run(struct tx *tx, struct expiry *op)
{
	const struct kind *kind = &kinds[op->what];
	int n_looks = 0, r;
	QUERY q = NULL;

	op->ret_n = op->n_ids = 0;
	op->ret_after_id = op->after_id;
	r = db_query(tx->db, &q, kind->find, "iib", op->ended_before, op->after_id, LOOKS_MAX);
	while (r >= 0 && op->n_ids < kind->chunk && (r = db_next(tx->db, q)) > 0) {
		n_looks++;
		op->ret_after_id = column_int(q, 0);
		if (column_int(q, 1))
			op->ids[op->n_ids++] = op->ret_after_id;
	}
	if (r < 0)
		return r;
	op->ret_end = op->n_ids < kind->chunk && n_looks < LOOKS_MAX;
	if (op->n_ids > 0) {
		op->request.lane = STORE_WRITE;
		op->request.run = kind->remove;
	}
	return 0;
}

STORE_OPERATION(expiry, STORE_SCAN, false)
