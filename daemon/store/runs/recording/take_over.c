/*
 * What earlier experiments of the name were answered, and their judges said, over equal inputs: it
 * is copied before a run asks for what is left. Equal are the template's version, config and
 * parameters (experiments.answer_identity), the row's values, and the epoch; of a verdict the
 * criterion and the judge. Each answer is taken once, so that rows that are there twice keep two.
 *
 * One step looks at some rows; the run posts the next one. Done again after a crash, a step finds
 * what it copied.
 */
#include <errno.h>

#include "daemon/store/engine/store_internal.h"
#include "daemon/store/resources/collections/row_walk.h"
#include "daemon/store/runs/experiment.h"
#include "daemon/store/runs/run_walk.h"

#define STEP 400 // pairs of row and epoch, and rows alike, that one transaction looks at
#define STEP_ROWS 1000 // that it writes, and the rest of the answer that it is at then
#define ALIKE_MAX 1000 // rows of one hash that are looked at for one row
#define CHUNKS_A_LOOK 8 // of rows, in which none was found, cost as much as a look at one
#define SOURCES_MAX 4 // earlier experiments, the newest first

struct taking {
	struct tx *tx;
	struct run_take_over *op;
	struct experiment_row experiment;
	struct run_row run;
	int64_t source_run_id;
	int64_t last_chunk; // of rows, see template_variables_by_hash
	int64_t responses; // taken in this step, and so are the ratings
	int64_t ratings;
	int64_t rows; // that the connection had changed before
	struct pair_walk walk;
};

static int load_taking(struct taking *taking)
{
	struct experiment_row source;
	struct tx *tx = taking->tx;
	int r = experiment_row_of_run(tx, taking->op->run_id, &taking->experiment);

	if (r <= 0)
		return r < 0 ? r : fault_not_found(tx->fault, "run", NULL, taking->op->run_id);
	r = run_row_load(tx, taking->op->run_id, &taking->run);
	if (r < 0 || !taking->experiment.source_experiment_id)
		return r;
	r = experiment_row_load(tx, taking->experiment.source_experiment_id, &source);
	taking->source_run_id = source.run_id;
	if (r >= 0)
		r = db_int(tx->db, &taking->last_chunk, "SELECT max(id) >> 16 FROM template_variables",
			   "");
	return r;
}

/* What is looked for: the source's answer for a row of the same values that nobody has taken. */
struct wanted {
	int64_t row_id;
	int64_t hash;
	int64_t epoch;
	int looks; // that are left
};

static int find_in_chunk(struct taking *taking, struct wanted *wanted, int64_t chunk, int64_t *ret_id)
{
	struct tx *tx = taking->tx;
	QUERY q = NULL;
	int r;

	r = db_query(tx->db, &q,
		     "SELECT v.id, r.id, EXISTS (SELECT 1 FROM responses n WHERE n.taken_from = r.id"
		     "  AND n.run_id = ?5) FROM template_variables v LEFT JOIN responses r"
		     " ON r.template_variables_id = v.id AND r.run_id = ?3 AND r.epoch = ?4"
		     " AND r.error IS NULL WHERE v.project_id = ?1 AND v.id >> 16 = ?7 AND v.hash = ?2"
		     " ORDER BY v.id DESC LIMIT ?6",
		     "iiiiibi", taking->run.project_id, wanted->hash, taking->source_run_id,
		     wanted->epoch, taking->run.id, wanted->looks, chunk);
	while (r >= 0 && (r = db_next(tx->db, q)) > 0) {
		taking->walk.left -= taking->walk.left > 0;
		wanted->looks--;
		if (column_null(q, 1) || column_int(q, 2))
			continue;
		*ret_id = column_int(q, 1);
		r = rows_alike(tx, wanted->row_id, column_int(q, 0));
		if (r > 0)
			return r;
	}
	return r;
}

static int find_alike(struct taking *taking, struct wanted *wanted, int64_t *ret_id)
{
	int r = 0;

	for (int64_t chunk = taking->last_chunk; r == 0 && chunk >= 0 && wanted->looks > 0; chunk--) {
		r = find_in_chunk(taking, wanted, chunk, ret_id);
		if (chunk % CHUNKS_A_LOOK == 0)
			taking->walk.left -= taking->walk.left > 0;
	}
	return r;
}

static int find_answer(struct taking *taking, int64_t row_id, int64_t hash, int64_t epoch,
		       int64_t *ret_id)
{
	int r;

	r = db_int(taking->tx->db, ret_id,
		   "SELECT id FROM responses WHERE template_variables_id = ?1 AND run_id = ?2"
		   " AND epoch = ?3 AND error IS NULL", "iii", row_id, taking->source_run_id, epoch);
	return r != 0 ? r :
			find_alike(taking, &(struct wanted){ row_id, hash, epoch, ALIKE_MAX }, ret_id);
}

/* What people said of the verdicts holds for the same answer, whatever judges say. */
static int copy_edits(struct tx *tx, int64_t from_id, int64_t to_id)
{
	int r = db_run(tx->db,
		       "INSERT INTO ratings (owner_uid, project_id, response_id, measure_id, value,"
		       " reasoning, attempts, duration_usec, created_at) SELECT owner_uid, project_id, ?2,"
		       " measure_id, value, reasoning, attempts, duration_usec, created_at FROM ratings"
		       " WHERE response_id = ?1 AND judge_id IS NULL AND value IS NOT NULL", "ii", from_id, to_id);

	return r < 0 ? r : 0;
}

/* Of the response ?3 to ?2 of the run ?1; which ratings `g`, follows. */
#define COPY_RATING                                                                             \
	"INSERT INTO ratings (owner_uid, project_id, response_id, measure_id,"                  \
	" judge_id, value, reasoning, raw_text, attempts, duration_usec, input_tokens,"         \
	" output_tokens, cached_tokens, round, created_at) SELECT n.owner_uid, n.project_id, ?2," \
	" g.measure_id, g.judge_id, g.value, g.reasoning, g.raw_text, g.attempts,"              \
	" g.duration_usec, g.input_tokens, g.output_tokens, g.cached_tokens, n.round, g.created_at" \
	" FROM runs n CROSS JOIN run_measures m ON m.run_id = n.id"

/* What its judges said one by one. */
static int copy_panel(struct taking *taking, int64_t from_id, int64_t to_id)
{
	int r = db_run(taking->tx->db,
		       COPY_RATING " CROSS JOIN panel_judges p ON p.panel_id = n.judge_id"
		       " CROSS JOIN ratings g ON g.response_id = ?3 AND g.measure_id = m.measure_id"
		       "  AND g.judge_id = p.judge_id WHERE n.id = ?1 AND g.error IS NULL",
		       "iii", taking->run.id, to_id, from_id);

	return r < 0 ? r : 0;
}

/* What it took was paid for then: its cost is none of this run's. */
static int copy_answer(struct taking *taking, int64_t row_id, int64_t answer_id)
{
	struct tx *tx = taking->tx;
	int64_t id;
	int r;

	r = db_int(tx->db, &id,
		   "INSERT INTO responses (owner_uid, project_id, run_id, template_variables_id,"
		   " epoch, response_text, tool_calls, finish_reason, attempts, duration_usec,"
		   " input_tokens, output_tokens, reasoning_tokens, cached_tokens, replaced, round, taken_from, annotation,"
		   " created_at, fallback, transcript)"
		   " SELECT n.owner_uid, n.project_id, n.id, ?2, r.epoch, r.response_text, r.tool_calls,"
		   " r.finish_reason, r.attempts, r.duration_usec, r.input_tokens, r.output_tokens,"
		   " r.reasoning_tokens, r.cached_tokens, r.replaced, n.round, r.id, r.annotation, r.created_at,"
		   " r.fallback, r.transcript"
		   " FROM responses r CROSS JOIN runs n WHERE r.id = ?3 AND n.id = ?1 RETURNING id",
		   "iii", taking->run.id, row_id, answer_id);
	if (r <= 0)
		return r;
	taking->responses++;
	if (!taking->run.judge_id)
		return 0;
	r = db_run(tx->db,
		   COPY_RATING " CROSS JOIN ratings g ON g.response_id = ?3 AND g.measure_id = m.measure_id"
		   "  AND g.judge_id = n.judge_id WHERE n.id = ?1 AND g.error IS NULL",
		   "iii", taking->run.id, id, answer_id);
	if (r > 0)
		taking->ratings += r;
	if (r >= 0 && taking->run.judge.reduction)
		r = copy_panel(taking, answer_id, id);
	return r < 0 ? r : copy_edits(tx, answer_id, id);
}

/* (row, hash, it has a response) */
static int take(struct pair_walk *walk, sqlite3_stmt *q)
{
	struct taking *taking = walk->userdata;
	int64_t row_id = walk->at.row_id, id;
	int r;

	if (column_int(q, 2))
		return 0;
	r = find_answer(taking, row_id, column_int(q, 1), walk->at.epoch, &id);
	if (r > 0)
		r = copy_answer(taking, row_id, id);
	if (db_rows_changed(taking->tx->db) - taking->rows >= STEP_ROWS)
		walk->left = 0;
	return r;
}

/* An earlier one may have what this one had not. */
static int next_source(struct taking *taking)
{
	struct run_take_over *op = taking->op;

	op->cursor = (struct case_cursor){ 0 };
	op->n_sources++;
	writer_sweep_in(&taking->tx->store->writer, 0); // if it was deleted meanwhile
	return db_run(taking->tx->db,
		      "UPDATE experiments SET source_experiment_id = iif(?2, NULL, (SELECT s.id"
		      "  FROM experiments s WHERE s.project_id = experiments.project_id"
		      "  AND s.family = experiments.family AND s.deleted_at IS NULL AND s.id <> ?1"
		      "  AND s.answer_identity = experiments.answer_identity"
		      "  AND s.family_number < (SELECT o.family_number FROM experiments o WHERE o.id ="
		      "   experiments.source_experiment_id) ORDER BY s.family_number DESC LIMIT 1))"
		      " WHERE id = ?1", "ib", taking->experiment.id, op->n_sources >= SOURCES_MAX);
}

static int count(struct taking *taking)
{
	int r;

	if (taking->responses == 0)
		return 0;
	r = db_run(taking->tx->db, "UPDATE experiments SET"
				   " taken_over_responses = taken_over_responses + ?2,"
				   " taken_over_ratings = taken_over_ratings + ?3 WHERE id = ?1",
		   "iii", taking->experiment.id, taking->responses, taking->ratings);
	return r < 0 ? r : db_run(taking->tx->db, "UPDATE runs SET counters_stale = counters_stale + 1"
				  " WHERE id = ?1", "i", taking->run.id);
}

static int run_take_over_run(struct tx *tx, struct run_take_over *op)
{
	struct taking *taking = tx_alloc(tx, sizeof(*taking));
	struct case_cursor began = op->cursor;
	int64_t n_sources = op->n_sources;
	int r, end = 0;

	if (!taking)
		return -ENOMEM;
	*taking = (struct taking){ .tx = tx, .op = op, .rows = db_rows_changed(tx->db) };
	taking->walk = (struct pair_walk){
		.tx = tx,
		.run = &taking->run,
		.at = op->cursor,
		.left = STEP,
		.sql = "SELECT v.id, v.hash, EXISTS (SELECT 1 FROM responses r WHERE"
		       "  r.template_variables_id = v.id AND r.run_id = ?3 AND r.epoch = ?4)"
		       " FROM template_variables v WHERE v.batch_id = ?1 AND v.id > ?2"
		       " AND " ROW_IS_PINNED("?5") " ORDER BY v.id",
		.found = take,
		.userdata = taking,
	};
	r = load_taking(taking);
	op->ret_end = r >= 0 && !taking->source_run_id;
	if (r >= 0 && !op->ret_end)
		r = end = pair_walk(&taking->walk);
	op->cursor = taking->walk.at;
	if (r >= 0)
		r = count(taking);
	if (r >= 0 && end)
		r = next_source(taking);
	if (r >= 0)
		return 0;
	op->cursor = began; // as the store is, rolled back
	op->n_sources = n_sources;
	return r;
}

STORE_OPERATION(run_take_over, STORE_WRITE, true)
