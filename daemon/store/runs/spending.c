#include "daemon/store/runs/spending.h"

#include <string.h>

#include "daemon/store/engine/store_internal.h"
#include "daemon/store/runs.h"
#include "proto/usage.h"

#define SUMS_MAX 64 // at a time; of a transaction there are few

#define BOUNDED(sum) "min(" sum ", 9007199254740992)"
#define ADD(column, value) " " column " = " BOUNDED(column " + " value)

static bool same_source(const struct spend_source *a, const struct spend_source *b)
{
	return a->llm_config_id == b->llm_config_id && a->project_id == b->project_id &&
	       a->owner_uid == b->owner_uid && (a->model == b->model || strcmp(a->model, b->model) == 0);
}

static void add(struct spent *sum, const struct spent *spent)
{
	sum->calls += spent->calls;
	sum->unpriced_calls += spent->unpriced_calls;
	usage_add(&sum->input_tokens, spent->input_tokens);
	usage_add(&sum->cached_tokens, spent->cached_tokens);
	usage_add(&sum->output_tokens, spent->output_tokens);
	usage_add(&sum->cost_nanodollars, spent->cost_nanodollars);
}

static int write(struct db *db, const struct spent *sum, int64_t day)
{
	static const char update[] =
		"UPDATE spending SET" ADD("calls", "?6") "," ADD("unpriced_calls", "?7") ","
		ADD("input_tokens", "?8") "," ADD("cached_tokens", "?9") ","
		ADD("output_tokens", "?10") ", cost_nanodollars = iif(?11 IS NULL, cost_nanodollars, "
		BOUNDED("coalesce(cost_nanodollars, 0) + ?11") ") WHERE owner_uid = ?1 AND day = ?2"
		" AND project_id = ?3 AND llm_config_id = ?4 AND model = ?5";
	static const char insert[] =
		"INSERT INTO spending (owner_uid, day, project_id, llm_config_id, model, calls,"
		" unpriced_calls, input_tokens, cached_tokens, output_tokens, cost_nanodollars)"
		" VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)";
	const struct spend_source *source = &sum->source;
	const char *const statements[] = { update, insert };
	int r = 0;

	/* In two statements: an upsert would make SQLite keep a journal. */
	for (size_t i = 0; r == 0 && i < 2; i++)
		r = db_run(db, statements[i], "iiiisiiiiin", source->owner_uid, day, source->project_id,
			   source->llm_config_id, source->model, sum->calls, sum->unpriced_calls,
			   sum->input_tokens, sum->cached_tokens, sum->output_tokens,
			   sum->cost_nanodollars);
	return r < 0 ? r : 0;
}

int spending_daily(struct db *db, int64_t project_id, int64_t now, struct daily_budget *ret_today)
{
	QUERY q = NULL;
	int r;

	*ret_today = (struct daily_budget){ .day = spending_day(now) };
	/* Not sum(), which fails where it overflows, and with it all that is in the transaction. */
	r = db_row(db, &q,
		   "SELECT p.daily_cost_limit_nanodollars, (SELECT CAST(" BOUNDED("total(s.cost_nanodollars)")
		   " AS INTEGER) FROM spending s"
		   "  WHERE s.owner_uid = p.owner_uid AND s.day = ?2 AND s.project_id = p.id)"
		   " FROM projects p WHERE p.id = ?1 AND p.daily_cost_limit_nanodollars IS NOT NULL", "ii",
		   project_id, ret_today->day);
	if (r <= 0)
		return r;
	ret_today->limited = true;
	ret_today->limit = column_int(q, 0);
	ret_today->spent = column_int(q, 1);
	return 0;
}

/* Those who recorded are told what is left. */
static int write_all(struct db *db, struct spent *sums, size_t n, int64_t now)
{
	int r = 0;

	for (size_t i = 0; r >= 0 && i < n; i++)
		r = write(db, &sums[i], spending_day(now));
	for (size_t i = 0; r >= 0 && i < n; i++)
		r = spending_daily(db, sums[i].source.project_id, now, &sums[i].ret_today);
	return r;
}

int spending_settle(struct db *db, struct store_request *batch, int64_t now)
{
	struct spent sums[SUMS_MAX];
	unsigned char places[WRITER_BATCH_MAX];
	int r = 0;

	while (r >= 0 && batch) {
		struct store_request *first = batch;
		size_t n = 0, n_spent = 0, at = 0;

		for (; batch; batch = batch->next) {
			const struct spent *spent = batch->result == 0 ? batch->spent : NULL;

			if (!spent)
				continue;
			if (n == 0 || !same_source(&sums[at].source, &spent->source))
				for (at = 0; at < n && !same_source(&sums[at].source, &spent->source); at++)
					;
			if (at == SUMS_MAX || n_spent == WRITER_BATCH_MAX)
				break; // the rest by itself
			if (at == n)
				sums[n++] = (struct spent){ .source = spent->source, .cost_nanodollars = -1 };
			add(&sums[at], spent);
			places[n_spent++] = (unsigned char)at;
		}
		r = write_all(db, sums, n, now);
		for (at = 0; r >= 0 && first != batch; first = first->next)
			if (first->result == 0 && first->spent)
				first->spent->ret_today = sums[places[at++]].ret_today;
	}
	return r < 0 ? r : 0;
}

int spending_today(struct tx *tx, int64_t owner_uid, int64_t config_id, struct taken_today *ret_taken)
{
	struct taken_today taken = { .day = spending_day(tx->now) };
	QUERY q = NULL;
	int r = db_query(tx->db, &q,
			 "SELECT calls, input_tokens + output_tokens FROM spending WHERE owner_uid = ?1"
			 " AND day = ?2 AND llm_config_id = ?3", "iii", owner_uid, taken.day, config_id);

	while (r >= 0 && (r = db_next(tx->db, q)) > 0) {
		usage_add(&taken.requests, column_int(q, 0));
		usage_add(&taken.tokens, column_int(q, 1));
	}
	*ret_taken = taken;
	return r;
}
