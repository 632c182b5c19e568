/*
 * Counting what a run has recorded, one walk in short transactions and one small write. The
 * counters of an experiment are those of its epochs and hold what its items took over all
 * rounds; those of a rating run hold how many of its responses are done, and its own usage stays.
 */
#include <errno.h>

#include "daemon/store/engine/tx.h"
#include "daemon/store/runs/asked.h"
#include "proto/usage.h"

struct count {
	struct run_epoch items;
	int64_t ratings;
	int64_t input_tokens;
	int64_t output_tokens;
	int64_t cost_nanodollars; // -1: unknown
};

/* run_count::state */
struct counting {
	struct asked asked;
	struct count *counts; // by epoch from 1; at 0 what has none
	int64_t stale; // counters_stale, when the walk began
	int64_t after;
	size_t n_looked;
};

static int begin(struct tx *tx, struct run_count *op)
{
	const struct run_spec *spec = op->spec;
	struct counting *counting = tx_alloc(tx, sizeof(*counting));
	int r;

	if (!counting)
		return -ENOMEM;
	counting->counts = tx_array(tx, spec->n_epochs + 1, sizeof(*counting->counts));
	if (!counting->counts)
		return -ENOMEM;
	for (size_t i = 0; i <= spec->n_epochs; i++)
		counting->counts[i].cost_nanodollars = -1;
	op->state = counting;
	r = asked_load(tx, spec->experiment_id, spec->rating_run_id, &counting->asked);
	if (r < 0 || spec->rating_run_id)
		return r;
	r = db_int(tx->db, &counting->stale, "SELECT counters_stale FROM experiments WHERE id = ?1",
		   "i", spec->experiment_id);
	return r < 0 ? r : 0;
}

/* From `first` on: tokens in, out, cost. */
static void add_usage(struct count *count, sqlite3_stmt *q, int first)
{
	usage_add(&count->input_tokens, column_int(q, first));
	usage_add(&count->output_tokens, column_int(q, first + 1));
	usage_add(&count->cost_nanodollars, column_int_or(q, first + 2, -1));
}

static int ratings_query(struct tx *tx, const struct run_spec *spec, int64_t response_id,
			 sqlite3_stmt **ret_statement)
{
	if (spec->rating_run_id)
		return db_query(tx->db, ret_statement,
				"SELECT g.error IS NULL OR g.round >= ?4, g.input_tokens, g.output_tokens,"
				" g.cost_nanodollars FROM rating_run_measures m CROSS JOIN ratings g"
				" ON g.response_id = ?2 AND g.measure_id = m.measure_id AND g.judge_id = ?3"
				" WHERE m.rating_run_id = ?1", "iiii", spec->rating_run_id, response_id,
				spec->judge_id, spec->round);
	return db_query(tx->db, ret_statement,
			"SELECT g.error IS NULL OR g.round >= ?4, g.input_tokens, g.output_tokens,"
			" g.cost_nanodollars FROM experiment_measures m CROSS JOIN ratings g"
			" ON g.response_id = ?2 AND g.measure_id = m.measure_id AND g.judge_id = ?3"
			" WHERE m.experiment_id = ?1", "iiii", spec->experiment_id, response_id,
			spec->judge_id, spec->round);
}

/* How many of the measures are decided or failed in this round. */
static int count_ratings(struct tx *tx, struct run_count *op, struct count *count,
			 int64_t response_id, size_t *ret_recorded)
{
	QUERY q = NULL;
	int r;

	*ret_recorded = 0;
	r = ratings_query(tx, op->spec, response_id, &q);
	while (r >= 0 && (r = db_next(tx->db, q)) > 0) {
		*ret_recorded += column_int(q, 0) != 0;
		add_usage(count, q, 1);
		op->state->n_looked++;
	}
	count->ratings += (int64_t)*ret_recorded;
	return r;
}

static int count_response(struct tx *tx, struct run_count *op, const struct asked_walk *walk)
{
	const struct run_spec *spec = op->spec;
	size_t epoch = (size_t)column_int(walk->q, ASKED_EPOCH), recorded;
	struct count *count = &op->state->counts[epoch <= spec->n_epochs ? epoch : 0];
	bool failed = column_int(walk->q, ASKED_FAILED) != 0;
	int r;

	op->state->n_looked++;
	count->items.total++;
	add_usage(count, walk->q, ASKED_INPUT_TOKENS);
	if (failed && !spec->rating_run_id && column_int(walk->q, ASKED_ROUND) < spec->round)
		return 0; // missing again
	count->items.generated++;
	count->items.failed += failed;
	count->items.rated += failed;
	if (failed)
		return 0;
	r = count_ratings(tx, op, count, column_int(walk->q, ASKED_RESPONSE), &recorded);
	count->items.rated += recorded == spec->n_measures;
	return r;
}

/* 1: there is more. */
static int step(struct tx *tx, struct run_count *op)
{
	struct counting *counting = op->state;
	ASKED_WALK walk = { 0 };
	int r;

	counting->n_looked = 0;
	r = asked_walk_begin(tx, &counting->asked, counting->after, ASKED_STEP, &walk);
	while (r >= 0 && counting->n_looked < ASKED_STEP && (r = asked_walk_next(&walk)) > 0)
		r = count_response(tx, op, &walk);
	counting->after = walk.place;
	return r < 0 ? r : !walk.end;
}

static int keep_run(struct tx *tx, const struct run_count *op)
{
	const struct count *count = &op->state->counts[0];
	const struct run_epoch *items = &count->items;

	return db_run(tx->db, "UPDATE rating_runs SET counted = 1, total_responses = ?2, failed = ?3,"
			      " rated = ?4, ratings_before = max(?5 - ratings, 0) WHERE id = ?1",
		      "iiiii", op->spec->rating_run_id, items->total, items->failed, items->rated,
		      count->ratings);
}

static int keep_epochs(struct tx *tx, const struct run_count *op)
{
	const struct run_spec *spec = op->spec;
	int r = 0;

	for (size_t epoch = 1; r >= 0 && epoch <= spec->n_epochs; epoch++) {
		const struct count *count = &op->state->counts[epoch];

		r = db_run(tx->db, "UPDATE experiment_epochs SET generated = ?3, rated = ?4, failed = ?5,"
				   " ratings = ?6, input_tokens = ?7, output_tokens = ?8,"
				   " cost_nanodollars = ?9 WHERE experiment_id = ?1 AND epoch = ?2",
			   "iiiiiiiin", spec->experiment_id, (int64_t)epoch, count->items.generated,
			   count->items.rated, count->items.failed, count->ratings, count->input_tokens,
			   count->output_tokens, count->cost_nanodollars);
	}
	/* What came in meanwhile leaves them stale. */
	if (r >= 0)
		r = db_run(tx->db, "UPDATE experiments SET counters_stale = 0 WHERE id = ?1"
				   " AND counters_stale = ?2",
			   "ii", spec->experiment_id, op->state->stale);
	return r;
}

static int keep(struct tx *tx, struct store_request *request)
{
	const struct run_count *op = (const struct run_count *)request;

	return op->spec->rating_run_id ? keep_run(tx, op) : keep_epochs(tx, op);
}

static int run_count_run(struct tx *tx, struct store_request *request)
{
	struct run_count *op = (struct run_count *)request;
	int r = op->state ? 0 : begin(tx, op);

	if (r >= 0)
		r = step(tx, op);
	if (r < 0) {
		op->state = NULL; // counted in half: from the beginning, when it is tried again
		return r;
	}
	if (r > 0) {
		request->again = true;
		return 0;
	}
	request->lane = STORE_WRITE;
	request->run = keep;
	return 0;
}

void store_run_count(struct store *store, struct run_count *op)
{
	op->state = NULL;
	op->request.patient = true;
	tx_post(store, &op->request, STORE_SCAN, run_count_run);
}
