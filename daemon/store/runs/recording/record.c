/*
 * Recording answers and verdicts: the hot path. One insert and one update of the run's counters,
 * in one transaction; what is there already changes nothing, unless it became missing again.
 */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "daemon/base/clock.h"
#include "daemon/base/log.h"
#include "daemon/store/engine/tx.h"
#include "daemon/store/runs/responses/response_blocks.h"
#include "daemon/store/runs/responses/response_order.h"
#include "daemon/store/runs/run.h"
#include "proto/generated/interface.h"
#include "proto/usage.h"

/* No more than INTEGER_MAX: two that keep to it can be added. */
#define BOUNDED(sum) "min(" sum ", 9007199254740992)"
#define ADD_KNOWN(column, value)                                                               \
	" " column " = coalesce(" BOUNDED(column " + " value) ", " column ", " value "),"
#define ADD_TO(column, value) " " column " = " BOUNDED(column " + coalesce(" value ", 0)") ","
#define ADD_COST(value)                                                                        \
	" cost_nanodollars = iif(" value " IS NULL, cost_nanodollars, "                        \
	BOUNDED("coalesce(cost_nanodollars, 0) + " value) "),"

/* In two statements: an upsert, and one with RETURNING, would make SQLite keep a journal and a
 * table aside for each. */
#define INSERT_RESPONSE                                                                        \
	"INSERT INTO responses (owner_uid, project_id, run_id, template_variables_id,"         \
	" epoch, response_text, tool_calls, finish_reason, error, attempts, duration_usec,"    \
	" input_tokens, output_tokens, reasoning_tokens, cost_nanodollars, replaced, round,"   \
	" created_at, cached_tokens, fallback, transcript, cached) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9," \
	" ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, ?21, ?22) ON CONFLICT (template_variables_id, run_id, epoch) DO NOTHING"
#define UPDATE_RESPONSE                                                                        \
	"UPDATE responses SET response_text = ?6, tool_calls = ?7, finish_reason = ?8,"        \
	" error = ?9, attempts = attempts + ?10, duration_usec = ?11,"                         \
	ADD_KNOWN("input_tokens", "?12") ADD_KNOWN("output_tokens", "?13")                     \
	" reasoning_tokens = ?14," ADD_KNOWN("cost_nanodollars", "?15")                        \
	" replaced = ?16, round = ?17, created_at = ?18, cached_tokens = ?19, fallback = ?20," \
	" transcript = ?21, cached = ?22"                                                       \
	" WHERE template_variables_id = ?4 AND run_id = ?3 AND epoch = ?5"                     \
	" AND error IS NOT NULL AND round < ?17"

static int run_response(struct tx *tx, const char *sql, struct response_record *op,
			const char *error)
{
	return db_insert(tx->db, &op->ret_response_id, sql, "iiiiissssinnnnniiinnsn", op->owner_uid,
			 op->project_id, op->run_id, op->row_id, op->epoch, op->text, op->tool_calls,
			 op->finish_reason, error, op->attempts, op->duration_usec, op->input_tokens,
			 op->output_tokens, op->reasoning_tokens, op->cost_nanodollars, op->replaced,
			 op->round, tx->now, op->cached_tokens, op->fallback, op->transcript,
			 op->cached ? (int64_t)1 : (int64_t)-1);
}

/* Positive when it was missing. */
static int put_response(struct tx *tx, struct response_record *op)
{
	const char *error;
	int64_t id = 0;
	int r, changed;

	r = tx_encode_fault(tx, op->error, &error);
	if (r >= 0)
		r = run_response(tx, INSERT_RESPONSE, op, error);
	if (r != 0)
		return r;
	r = db_int(tx->db, &id,
		   "SELECT id FROM responses WHERE template_variables_id = ?1"
		   " AND run_id = ?2 AND epoch = ?3",
		   "iii", op->row_id, op->run_id, op->epoch);
	if (r >= 0)
		r = response_order_take(tx->db, id);
	changed = r < 0 ? r : run_response(tx, UPDATE_RESPONSE, op, error);
	r = changed < 0 ? changed : response_order_put(tx->db, id);
	op->ret_response_id = id;
	return r < 0 ? r : changed;
}

/* No item ends a run: what does not fit is recorded as what it is. */
static void note_unfit(struct tx *tx, const char *item, struct fault *ret_fault)
{
	log_error("store: %s cannot be recorded: %s", item, tx->db->trouble_text);
	db_forgive(tx->db);
	fault_set(ret_fault, ELLU_E_INTERNAL, "%s could not be recorded; the daemon's log says why",
		  item);
}

static int put_unfit_response(struct tx *tx, struct response_record *op)
{
	note_unfit(tx, "the answer", &op->ret_unfit);
	op->error = &op->ret_unfit;
	op->text = op->tool_calls = op->finish_reason = op->transcript = NULL;
	op->replaced = 0;
	op->complete = true;
	return put_response(tx, op);
}

/* Of an operation, or the part of one that has its usage. */
#define SPEND(request, op, n_calls)                                                             \
	spend(request, &(op)->spent, n_calls, (op)->input_tokens, (op)->cached_tokens,          \
	      (op)->output_tokens, (op)->cost_nanodollars)

static void spend(struct store_request *request, struct spent *spent, int64_t calls,
		  int64_t input_tokens, int64_t cached_tokens, int64_t output_tokens,
		  int64_t cost_nanodollars)
{
	if (!spent->source.llm_config_id || calls == 0)
		return;
	spent->calls = calls;
	spent->unpriced_calls = cost_nanodollars < 0 ? calls : 0;
	spent->input_tokens = input_tokens;
	spent->cached_tokens = cached_tokens;
	spent->output_tokens = output_tokens;
	spent->cost_nanodollars = cost_nanodollars;
	request->spent = spent;
}

/* What a record moves an epoch's counters by. */
struct counted {
	int64_t run_id, epoch;
	bool generated, rated, failed, ratings, decided, yes;
	int64_t input_tokens, output_tokens, cost_nanodollars;
};

static int add_counted(struct tx *tx, const struct counted *by)
{
	return db_run(tx->db,
		      "UPDATE run_epochs SET generated = generated + ?3, rated = rated + ?4,"
		      " failed = failed + ?5, ratings = ratings + ?6, decided = decided + ?7, yes = yes + ?8,"
		      ADD_TO("input_tokens", "?9") ADD_TO("output_tokens", "?10") ADD_COST("?11")
		      " recorded_monotonic = ?12 WHERE run_id = ?1 AND epoch = ?2",
		      "iibbbbbbnnni", by->run_id, by->epoch, by->generated, by->rated, by->failed, by->ratings,
		      by->decided, by->yes, by->input_tokens, by->output_tokens, by->cost_nanodollars,
		      clock_monotonic_usec());
}

static int count(struct tx *tx, const struct counted *by)
{
	int r = add_counted(tx, by);

	if (r != 0)
		return r;
	r = run_epoch_begin(tx, by->run_id, by->epoch);
	return r > 0 ? add_counted(tx, by) : r;
}

/* Of an operation, by what it took. */
#define COUNT(tx, op, ...)                                                                      \
	count(tx, &(struct counted){ .run_id = (op)->run_id, .epoch = (op)->epoch,              \
				     .input_tokens = (op)->input_tokens,                        \
				     .output_tokens = (op)->output_tokens,                      \
				     .cost_nanodollars = (op)->cost_nanodollars, __VA_ARGS__ })

static int response_record_run(struct tx *tx, struct response_record *op)
{
	int r = put_response(tx, op);

	op->ret_known = op->collected && r == 0;
	if (op->ret_known)
		return 0;
	SPEND(&op->request, op, op->attempts > 0);
	if (r == -EDOM && !op->error)
		r = put_unfit_response(tx, op);
	if (r == 0)
		return COUNT(tx, op, .generated = false); // others did meanwhile; it is spent all the same
	if (r < 0)
		return r;
	return COUNT(tx, op, .generated = true, .rated = op->complete || op->error, .failed = op->error != NULL);
}

STORE_OPERATION(response_record, STORE_RECORD, true)

static int count_rating(struct tx *tx, const struct rating_record *op)
{
	bool decided = op->ret_counts && op->ret_value >= 0;
	int r = COUNT(tx, op, .rated = op->complete, .ratings = op->ret_counts, .decided = decided,
		      .yes = decided && op->ret_value >= 0.5);

	if (r < 0 || op->epoch > 0)
		return r;
	/* By the judge of the run that the response is of: its counters do not know of it. */
	return db_run(tx->db, "UPDATE runs SET counters_stale = counters_stale + 1 WHERE id ="
			      " (SELECT run_id FROM responses WHERE id = ?1) AND judge_id IN (?2, ?3)",
		      "iii", op->response_id, op->judge_id, op->ret_counts ? op->panel_id : 0);
}

#define INSERT_RATING                                                                          \
	"INSERT INTO ratings (owner_uid, project_id, response_id, measure_id, judge_id, value," \
	" reasoning, raw_text, error, attempts, duration_usec, input_tokens, output_tokens,"   \
	" cost_nanodollars, round, created_at, cached_tokens) VALUES (?1, ?2, ?3, ?4, ?5, ?6,"  \
	" ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17)"                                 \
	" ON CONFLICT (response_id, measure_id, judge_id) DO NOTHING"
#define UPDATE_RATING                                                                          \
	"UPDATE ratings SET value = ?6, reasoning = ?7, raw_text = ?8, error = ?9,"            \
	" attempts = attempts + ?10, duration_usec = ?11,"                                     \
	ADD_KNOWN("input_tokens", "?12") ADD_KNOWN("output_tokens", "?13")                     \
	ADD_KNOWN("cost_nanodollars", "?14") ADD_KNOWN("cached_tokens", "?17")                 \
	" round = ?15, created_at = ?16"                                                       \
	" WHERE response_id = ?3 AND measure_id = ?4 AND judge_id = ?5"                        \
	" AND error IS NOT NULL AND round < ?15"

/* -1: it is not known. */
static int64_t sum(int64_t value, int64_t counted)
{
	return counted > 0 ? counted + (value > 0 ? value : 0) : value;
}

static int run_rating(struct tx *tx, const char *sql, const struct rating_record *op,
		      const char *error)
{
	const struct rating_usage *counted = &op->counted;

	return db_run(tx->db, sql, "iiiiiDsssiinnniin", op->owner_uid, op->project_id,
		      op->response_id, op->measure_id, op->judge_id, op->value < 0 ? NULL : &op->value,
		      op->reasoning, op->raw_text, error, op->attempts, op->duration_usec,
		      sum(op->input_tokens, counted->input_tokens),
		      sum(op->output_tokens, counted->output_tokens),
		      sum(op->cost_nanodollars, counted->cost_nanodollars), op->round, tx->now,
		      sum(op->cached_tokens, counted->cached_tokens));
}

/* Of the run that the response is of. */
static int widen_block(struct tx *tx, const struct rating_record *op)
{
	struct response_verdict verdict = { op->run_id, op->response_id, op->measure_id, op->judge_id, op->value };
	int r = 1;

	if (op->epoch == 0)
		r = db_int(tx->db, &verdict.run_id, "SELECT run_id FROM responses WHERE id = ?1", "i",
			   op->response_id);
	return r <= 0 ? r : response_block_widen_verdict(tx->db, &verdict);
}

static int put_text(struct tx *tx, const struct rating_record *op, const char *error)
{
	int r = run_rating(tx, INSERT_RATING, op, error), widened;

	if (r == 0)
		r = run_rating(tx, UPDATE_RATING, op, error);
	if (r <= 0 || op->is_score)
		return r;
	widened = widen_block(tx, op);
	return widened < 0 ? widened : r;
}

static int put_rating(struct tx *tx, struct rating_record *op)
{
	const char *error;
	int r = tx_encode_fault(tx, op->error, &error);

	return r < 0 ? r : put_text(tx, op, error);
}

static int put_unfit_rating(struct tx *tx, struct rating_record *op)
{
	note_unfit(tx, "the verdict", &op->ret_unfit);
	op->error = &op->ret_unfit;
	op->value = -1;
	op->reasoning = op->raw_text = NULL;
	return put_rating(tx, op);
}

/* What the panel's judges have said, once all have. */
static int put_panel(struct tx *tx, struct rating_record *op)
{
	struct rating_record panel = *op;
	QUERY q = NULL;
	int r;

	r = db_row(tx->db, &q,
		   "SELECT count(*), count(g.value), coalesce(sum(g.value >= 0.5), 0), avg(g.value), min(g.error),"
		   " sum(g.attempts), sum(g.duration_usec), sum(g.input_tokens), sum(g.output_tokens),"
		   " sum(g.cached_tokens), sum(g.cost_nanodollars), o.reduction FROM judges o"
		   " CROSS JOIN panel_judges p ON p.panel_id = o.id CROSS JOIN ratings g"
		   " ON g.response_id = ?2 AND g.measure_id = ?3 AND g.judge_id = p.judge_id"
		   " AND (g.error IS NULL OR g.round >= ?4) WHERE o.id = ?1",
		   "iiii", op->panel_id, op->response_id, op->measure_id, op->round);
	if (r <= 0 || column_int(q, 0) < op->n_judges)
		return r < 0 ? r : 0;
	panel.judge_id = op->panel_id;
	panel.counted = (struct rating_usage){ 0 };
	panel.value = -1;
	panel.reasoning = panel.raw_text = NULL;
	if (column_int(q, 1) > 0) {
		bool is_mean = op->is_score || strcmp(column_peek(q, 11), "mean") == 0;

		panel.value = is_mean ? column_double(q, 3) : 2 * column_int(q, 2) > column_int(q, 1);
		panel.reasoning = op->is_score ?
			tx_printf(tx, "the mean of %" PRId64 " judges", column_int(q, 1)) :
			tx_printf(tx, "%" PRId64 " of %" PRId64 " judges say YES", column_int(q, 2),
				  column_int(q, 1));
	}
	panel.attempts = column_int(q, 5);
	panel.duration_usec = column_int(q, 6);
	panel.input_tokens = column_int_or(q, 7, -1);
	panel.output_tokens = column_int_or(q, 8, -1);
	panel.cached_tokens = column_int_or(q, 9, -1);
	panel.cost_nanodollars = column_int_or(q, 10, -1);
	op->ret_value = op->is_score ? -1 : panel.value;
	return put_text(tx, &panel, panel.value < 0 ? tx_text(tx, q, 4) : NULL);
}

/* 1: a rating was missing, and is there. */
static int put_said(struct tx *tx, struct rating_record *op)
{
	int r = op->said ? 0 : put_rating(tx, op);

	SPEND(&op->request, op, op->attempts > 0);
	if (r == -EDOM && !op->error)
		r = put_unfit_rating(tx, op);
	op->ret_counts = r > 0;
	op->ret_value = op->ret_unfit.code || op->is_score ? -1 : op->value;
	return r;
}

static int rating_record_run(struct tx *tx, struct rating_record *op)
{
	int r = put_said(tx, op), panel = 0;

	if (r >= 0 && op->panel_id) {
		panel = put_panel(tx, op);
		op->ret_counts = panel > 0;
	}
	if (r < 0 || panel < 0)
		return r < 0 ? r : panel;
	return r + panel > 0 ? count_rating(tx, op) : COUNT(tx, op, .rated = false);
}

STORE_OPERATION(rating_record, STORE_RECORD, true)

/* ---- Scores of batches ---- */

#define INSERT_EVALUATION                                                                      \
	"INSERT INTO evaluations (run_id, template_variables_id, part, owner_uid,"        \
	" project_id, score, result, round) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)"           \
	" ON CONFLICT (run_id, template_variables_id, part) DO NOTHING"
#define UPDATE_EVALUATION                                                                      \
	"UPDATE evaluations SET score = ?6, result = ?7, round = ?8 WHERE run_id = ?1"         \
	" AND template_variables_id = ?2 AND part = ?3 AND score IS NULL AND round < ?8"

static int run_evaluation(struct tx *tx, const char *sql, const struct evaluation_record *op,
			  const char *result)
{
	return db_run(tx->db, sql, "iiiiiDsi", op->run_id, op->row_id, op->part, op->owner_uid,
		      op->project_id, op->score, result, op->round);
}

static int add_score(struct tx *tx, const struct evaluation_record *op)
{
	return !op->score || !op->summed ? 0 :
	       db_run(tx->db, "UPDATE run_evaluators SET n_scored = n_scored + 1,"
			      " score_sum = score_sum + ?3, score_squares = score_squares + ?3 * ?3,"
			      " lowest = min(coalesce(lowest, ?3), ?3),"
			      " highest = max(coalesce(highest, ?3), ?3)"
			      " WHERE run_id = ?1 AND position = ?2", "iid", op->run_id, op->part,
		      *op->score);
}

static int evaluation_record_run(struct tx *tx, struct evaluation_record *op)
{
	const char *result;
	int r = tx_encode(tx, &ellu_evaluator_result_type, op->result, &result);

	SPEND(&op->request, op, op->attempts > 0);
	if (r >= 0)
		r = run_evaluation(tx, INSERT_EVALUATION, op, result);
	if (r == 0)
		r = run_evaluation(tx, UPDATE_EVALUATION, op, result);
	if (r == 0)
		return COUNT(tx, op, .generated = false); // others did meanwhile
	if (r > 0)
		r = add_score(tx, op);
	return r < 0 ? r : COUNT(tx, op, .generated = op->complete, .rated = op->complete,
				 .failed = op->complete && op->failed);
}

STORE_OPERATION(evaluation_record, STORE_RECORD, true)

static int run_spend_run(struct tx *tx, struct run_spend *op)
{
	return run_spend_record(tx, &op->request, op);
}

int run_spend_record(struct tx *tx, struct store_request *request, struct run_spend *op)
{
	SPEND(request, op, 1);
	return COUNT(tx, op, .generated = op->generated, .rated = op->generated);
}

STORE_OPERATION(run_spend, STORE_RECORD, true)
