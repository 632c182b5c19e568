#include "daemon/store/runs/responses/response_order.h"

#include "daemon/store/engine/store_internal.h"
#include "daemon/store/engine/tx.h"
#include "daemon/store/resources/sweep.h"
#include "daemon/store/runs/responses/response_blocks.h"

/* ---- Which runs ---- */

static int is_due(struct tx *tx, int changed)
{
	if (changed > 0)
		writer_sweep_in(&tx->store->writer, SWEEP_PAUSE_USEC);
	return changed < 0 ? changed : 0;
}

/* One that cannot fill a block is walked. */
#define DUE "UPDATE runs SET unordered = 1 WHERE NOT unordered AND total_cases * n_epochs >= ?2 AND id = "

int response_order_due(struct tx *tx, int64_t run_id)
{
	return is_due(tx, db_run(tx->db, DUE "?1", "ib", run_id, RESPONSE_BLOCK));
}

int response_order_due_task(struct tx *tx, int64_t task_id)
{
	return is_due(tx, db_run(tx->db, DUE "coalesce((SELECT e.run_id FROM tasks t CROSS JOIN experiments e"
				     " ON e.id = t.experiment_id WHERE t.id = ?1),"
				     " (SELECT run_id FROM tasks WHERE id = ?1))", "ib", task_id,
				 RESPONSE_BLOCK));
}

/* ---- Blocks ---- */

/* Of the responses behind ?2, up to ?3, which becomes its name. */
#define FILL(by_tokens, rank)                                                                   \
	"INSERT INTO response_orders (run_id, by_tokens, block, rank, response_id, owner_uid)"  \
	" SELECT r.run_id, " by_tokens ", ?3, " rank ", r.id, r.owner_uid FROM responses r"     \
	" WHERE r.run_id = ?1 AND r.id > ?2 AND r.id <= ?3"

static int fill_block(struct db *db, int64_t run_id, int64_t after, int64_t last)
{
	int r = db_run(db, FILL("0", RESPONSE_RANK_BY_DURATION), "iii", run_id, after, last);

	if (r >= 0)
		r = db_run(db, FILL("1", RESPONSE_RANK_BY_TOKENS), "iii", run_id, after, last);
	return r < 0 ? r : response_block_make(db, run_id, after, last);
}

int response_order_sweep(struct db *db)
{
	int64_t run_id, after, last;
	int r;

	r = db_int(db, &run_id, "SELECT id FROM runs INDEXED BY runs_unordered WHERE unordered"
				" ORDER BY id LIMIT 1", "");
	if (r <= 0)
		return r;
	r = response_block_last(db, run_id, &after);
	if (r >= 0)
		r = db_int(db, &last, "SELECT id FROM responses WHERE run_id = ?1 AND id > ?2"
				      " ORDER BY id LIMIT 1 OFFSET ?3", "iib", run_id, after, RESPONSE_BLOCK - 1);
	if (r > 0)
		r = fill_block(db, run_id, after, last);
	else if (r == 0 && (r = response_block_verdicts(db, run_id)) == 0)
		r = db_run(db, "UPDATE runs SET unordered = 0 WHERE id = ?1", "i", run_id);
	return r < 0 ? r : 1;
}

/* ---- One response ---- */

#define TAKE(by_tokens, rank)                                                                   \
	"DELETE FROM response_orders WHERE (run_id, by_tokens, block, rank, response_id) ="     \
	" (SELECT r.run_id, " by_tokens ", " BLOCK_OF_RESPONSE ", " rank ", r.id"               \
	"  FROM responses r WHERE r.id = ?1)"
#define PUT(by_tokens, rank)                                                                    \
	"INSERT INTO response_orders (run_id, by_tokens, block, rank, response_id, owner_uid)"  \
	" SELECT r.run_id, " by_tokens ", " BLOCK_OF_RESPONSE ", " rank ", r.id, r.owner_uid"   \
	" FROM responses r WHERE r.id = ?1 AND " BLOCK_OF_RESPONSE " IS NOT NULL"

int response_order_take(struct db *db, int64_t response_id)
{
	int r = db_run(db, TAKE("0", RESPONSE_RANK_BY_DURATION), "i", response_id);

	return r < 0 ? r : db_run(db, TAKE("1", RESPONSE_RANK_BY_TOKENS), "i", response_id);
}

int response_order_put(struct db *db, int64_t response_id)
{
	int r = db_run(db, PUT("0", RESPONSE_RANK_BY_DURATION), "i", response_id);

	if (r >= 0)
		r = db_run(db, PUT("1", RESPONSE_RANK_BY_TOKENS), "i", response_id);
	return r < 0 ? r : response_block_widen(db, response_id);
}
