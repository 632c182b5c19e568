/*
 * Counting what a run has recorded, one walk in short transactions and one small write. What the
 * run has spent stays: rows do not tell of calls that came to nothing, nor of a judge that it had
 * before, and others may have paid for some of them.
 */
#include <errno.h>

#include "daemon/store/runs/run.h"
#include "daemon/store/runs/run_walk.h"

/* Of a request, while it walks. */
struct counting {
	const struct run_spec *spec;
	struct run_row run;
	struct run_epoch *counts; // as the spec's epochs
	int64_t after;
	size_t n_looked;
};

static int begin(struct tx *tx, struct run_count *op)
{
	struct counting *counting = tx_alloc(tx, sizeof(*counting));

	if (!counting)
		return -ENOMEM;
	counting->counts = tx_array(tx, op->spec->n_epochs, sizeof(*counting->counts));
	if (!counting->counts)
		return -ENOMEM;
	counting->spec = op->spec;
	op->request.state = counting;
	return run_row_load(tx, op->spec->run_id, &counting->run);
}

/* How many of the measures are decided or failed in this round. */
static int count_ratings(struct tx *tx, struct counting *counting, int64_t response_id,
			 struct run_epoch *count)
{
	const struct run_spec *spec = counting->spec;
	QUERY q = NULL;
	int r;

	r = db_row(tx->db, &q,
		   "SELECT count(*), coalesce(sum(g.error IS NULL OR g.round >= ?4), 0),"
		   " count(iif(k.criterion_id, g.value, NULL)),"
		   " coalesce(sum(k.criterion_id IS NOT NULL AND g.value >= 0.5), 0)"
		   " FROM run_measures m CROSS JOIN measures k ON k.id = m.measure_id CROSS JOIN ratings g"
		   " ON g.response_id = ?2 AND g.measure_id = m.measure_id AND g.judge_id = ?3"
		   " WHERE m.run_id = ?1", "iiii", spec->run_id, response_id, spec->judge_id,
		   spec->round);
	if (r <= 0)
		return r;
	counting->n_looked += (size_t)column_int(q, 0);
	count->ratings += column_int(q, 1);
	count->rated += column_int(q, 1) == (int64_t)spec->n_measures;
	count->decided += column_int(q, 2);
	count->yes += column_int(q, 3);
	return 0;
}

static int count_response(struct tx *tx, struct counting *counting, const struct run_walk *walk)
{
	const struct run_spec *spec = counting->spec;
	size_t epoch = spec->rates ? 0 : (size_t)column_int(walk->q, WALK_EPOCH) - 1;
	struct run_epoch *count = &counting->counts[epoch];
	bool failed = column_int(walk->q, WALK_FAILED) != 0;

	if (epoch >= spec->n_epochs)
		return -EBADMSG;
	counting->n_looked++;
	if (failed && !spec->rates && column_int(walk->q, WALK_ROUND) < spec->round)
		return 0; // missing again
	count->generated++;
	count->failed += failed;
	count->rated += failed;
	return failed ? 0 : count_ratings(tx, counting, column_int(walk->q, WALK_RESPONSE), count);
}

/* 1: there is more. */
static int step(struct tx *tx, struct counting *counting)
{
	RUN_WALK walk = { 0 };
	int r;

	counting->n_looked = 0;
	r = run_walk_begin(tx, &counting->run, counting->after, RUN_STEP, &walk);
	while (r >= 0 && counting->n_looked < RUN_STEP && (r = run_walk_next(&walk)) > 0)
		r = count_response(tx, counting, &walk);
	counting->after = walk.place;
	return r < 0 ? r : !walk.end;
}

static int keep(struct tx *tx, struct store_request *request)
{
	const struct counting *counting = request->state;
	const struct run_spec *spec = counting->spec;
	int r = 0;

	for (size_t i = 0; r >= 0 && i < spec->n_epochs; i++) {
		const struct run_epoch *count = &counting->counts[i];

		if (count->generated > 0)
			r = run_epoch_begin(tx, spec->run_id, spec->epochs[i].epoch);
		if (r >= 0)
			r = db_run(tx->db, "UPDATE run_epochs SET generated = ?3, rated = ?4, failed = ?5,"
					   " ratings = ?6, decided = ?7, yes = ?8,"
					   " total = iif(epoch = 0, ?3, total) WHERE run_id = ?1 AND epoch = ?2",
				   "iiiiiiii", spec->run_id, spec->epochs[i].epoch, count->generated,
				   count->rated, count->failed, count->ratings, count->decided, count->yes);
	}
	/* What came in meanwhile leaves them stale. */
	if (r >= 0)
		r = db_run(tx->db, "UPDATE runs SET counters_stale = 0 WHERE id = ?1"
				   " AND counters_stale = ?2",
			   "ii", spec->run_id, counting->run.counters_stale);
	return r;
}

static int run_count_run(struct tx *tx, struct run_count *op)
{
	struct store_request *request = &op->request;
	int r = request->state ? 0 : begin(tx, op);

	if (r >= 0)
		r = step(tx, request->state);
	if (r < 0) {
		request->state = NULL; // counted in half: from the beginning, when it is tried again
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

STORE_OPERATION(run_count, STORE_SCAN, true)
