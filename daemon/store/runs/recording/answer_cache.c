/*
 * Answers that are given again to who asks the same: of one project, which is one user's. Of a user they take
 * no more than a limit; the oldest go first.
 */
#include "daemon/store/runs/recording/answer_cache.h"

#include <errno.h>
#include <string.h>

#include "daemon/store/engine/store_internal.h"
#include "daemon/store/runs.h"
#include "daemon/store/store.h"
#include "proto/generated/interface.h"

#define ROW_BYTES 300 // of an answer, beside its texts
#define EVICTED_MAX 32 // for one that comes

static int cache_find_run(struct tx *tx, struct cache_find *op)
{
	QUERY q = NULL;
	int r;

	op->ret_found = false;
	r = db_row(tx->db, &q, "SELECT response_text, tool_calls, finish_reason, input_tokens, output_tokens,"
			       " reasoning_tokens FROM cached_answers WHERE project_id = ?1 AND key = ?2",
		   "is", op->project_id, op->key);
	if (r <= 0)
		return r;
	op->ret_found = true;
	op->ret_text = tx_text(tx, q, 0);
	op->ret_tool_calls = tx_text(tx, q, 1);
	op->ret_finish_reason = tx_text(tx, q, 2);
	op->ret_input_tokens = column_int_or(q, 3, -1);
	op->ret_output_tokens = column_int_or(q, 4, -1);
	op->ret_reasoning_tokens = column_int_or(q, 5, -1);
	return tx->oom ? -ENOMEM : 0;
}

STORE_OPERATION(cache_find, STORE_POINT, true)

/* ---- Keeping ---- */

static int add(struct tx *tx, int64_t owner_uid, int64_t project_id, int64_t answers, int64_t bytes, int64_t hits)
{
	int r = db_run(tx->db, "UPDATE answer_caches SET answers = answers + ?3, size_bytes = size_bytes + ?4,"
			       " hits = hits + ?5 WHERE owner_uid = ?1 AND project_id = ?2",
		       "iiiii", owner_uid, project_id, answers, bytes, hits);

	return r != 0 ? r : db_run(tx->db, "INSERT INTO answer_caches (owner_uid, project_id, answers, size_bytes, hits)"
					   " VALUES (?1, ?2, ?3, ?4, ?5)", "iiiii", owner_uid, project_id, answers,
				   bytes, hits);
}

static size_t length(const char *text)
{
	return text ? strlen(text) : 0;
}

static int insert(struct tx *tx, const struct cache_keep *op, int64_t bytes)
{
	return db_run(tx->db, "INSERT INTO cached_answers (owner_uid, project_id, key, response_text, tool_calls,"
			      " finish_reason, input_tokens, output_tokens, reasoning_tokens, size_bytes, created_at)"
			      " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)"
			      " ON CONFLICT (project_id, key) DO NOTHING", "iissssnnnii", op->owner_uid, op->project_id,
		      op->key, op->text, op->tool_calls, op->finish_reason, op->input_tokens, op->output_tokens,
		      op->reasoning_tokens, bytes, tx->now);
}

/* 1: there was one. */
static int drop_oldest(struct tx *tx, int64_t owner_uid)
{
	int64_t id, project_id, bytes;
	QUERY q = NULL;
	int r;

	r = db_row(tx->db, &q, "SELECT id, project_id, size_bytes FROM cached_answers WHERE owner_uid = ?1"
			       " ORDER BY id LIMIT 1", "i", owner_uid);
	if (r <= 0)
		return r;
	id = column_int(q, 0);
	project_id = column_int(q, 1);
	bytes = column_int(q, 2);
	statement_reset(&q);
	r = db_run(tx->db, "DELETE FROM cached_answers WHERE id = ?1", "i", id);
	if (r >= 0)
		r = add(tx, owner_uid, project_id, -1, -bytes, 0);
	return r < 0 ? r : 1;
}

static int sum(struct tx *tx, int64_t owner_uid, int64_t *ret_bytes)
{
	return db_int(tx->db, ret_bytes, "SELECT sum(size_bytes) FROM answer_caches WHERE owner_uid = ?1", "i",
		      owner_uid);
}

static int make_room(struct tx *tx, int64_t owner_uid, int64_t limit)
{
	int64_t bytes = 0;
	int r = sum(tx, owner_uid, &bytes);

	for (int i = 0; r > 0 && bytes > limit && i < EVICTED_MAX; i++) {
		r = drop_oldest(tx, owner_uid);
		if (r > 0)
			r = sum(tx, owner_uid, &bytes);
	}
	return r < 0 ? r : 0;
}

static int cache_keep_run(struct tx *tx, struct cache_keep *op)
{
	const int64_t limit = atomic_load(&tx->store->cache_bytes);
	int64_t bytes = ROW_BYTES + (int64_t)(length(op->text) + length(op->tool_calls));
	int r;

	if (op->hit)
		return add(tx, op->owner_uid, op->project_id, 0, 0, 1);
	if (bytes > limit || !op->key[0])
		return 0;
	r = insert(tx, op, bytes);
	if (r > 0)
		r = add(tx, op->owner_uid, op->project_id, 1, bytes, 0);
	return r < 0 ? r : make_room(tx, op->owner_uid, limit);
}

STORE_OPERATION(cache_keep, STORE_RECORD, true)

void store_set_cache_bytes(struct store *store, int64_t bytes)
{
	atomic_store(&store->cache_bytes, bytes);
}

int answer_cache_status(struct tx *tx, int64_t uid, const struct ellu_response_cache_status **ret_status)
{
	struct ellu_response_cache_status *status = TX_RECORD(tx, struct ellu_response_cache_status);
	QUERY q = NULL;
	int r;

	if (!status)
		return -ENOMEM;
	*ret_status = status;
	status->limit_bytes = atomic_load(&tx->store->cache_bytes);
	r = db_row(tx->db, &q, "SELECT sum(answers), sum(size_bytes), sum(hits) FROM answer_caches"
			       " WHERE owner_uid = ?1", "i", uid);
	if (r <= 0)
		return r;
	status->answers = column_int(q, 0);
	status->size_bytes = column_int(q, 1);
	status->hits = column_int(q, 2);
	return 0;
}
