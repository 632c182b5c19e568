#include "daemon/store/runs/responses/standing.h"

#include <errno.h>

#include "daemon/store/runs/run.h"

#define ROW_VERDICTS_MAX 10000 // of a row's epochs by all criteria, that an edit looks at

/* By all criteria, of which it tells how many there are, and by one. */
static int read_standing(struct tx *tx, const struct run_row *run, int64_t response_id,
			 int64_t measure_id, struct standing *ret_standing, int64_t *ret_n_measures)
{
	QUERY q = NULL;
	int r;

	r = db_row(tx->db, &q,
		   "SELECT count(*), sum(value >= 0.5), sum(value < 0.5),"
		   " max(iif(measure_id = ?4, coalesce(value >= 0.5, -1), -2)),"
		   " max(iif(measure_id = ?4, error, NULL)) FROM"
		   " (SELECT n.measure_id, " RATING_VALUE " value, g.error FROM run_measures n"
		   "  CROSS JOIN measures m ON m.id = n.measure_id AND m.criterion_id IS NOT NULL"
		   "  LEFT JOIN ratings g ON g.response_id = ?2 AND g.measure_id = n.measure_id"
		   "  AND g.judge_id = ?3 WHERE n.run_id = ?1)",
		   "iiii", run->id, response_id, run->judge_id, measure_id);
	if (r <= 0)
		return r;
	*ret_n_measures = column_int(q, 0);
	*ret_standing = (struct standing){
		.meets_all = column_int(q, 0) == column_int(q, 1),
		.decided = column_int(q, 0) == column_int(q, 1) || column_int(q, 2) > 0,
		.value = (int)column_int_or(q, 3, -2),
		.error = tx_text(tx, q, 4),
	};
	return tx->oom ? -ENOMEM : 0;
}

int standing_read(struct tx *tx, const struct run_row *run, int64_t response_id, int64_t measure_id,
		  struct standing *ret_standing)
{
	int64_t n_measures = 0;
	int64_t fallback = -1;
	int r = read_standing(tx, run, response_id, measure_id, ret_standing, &n_measures);
	struct standing each;
	QUERY q = NULL;

	if (r >= 0)
		r = db_int(tx->db, &fallback, "SELECT fallback FROM responses WHERE id = ?1", "i", response_id);
	ret_standing->answered_by = r > 0 ? (int)fallback + 1 : 0;
	if (r < 0 || run->n_epochs <= 1)
		return r;
	ret_standing->row_is_large = run->n_epochs * n_measures > ROW_VERDICTS_MAX;
	if (ret_standing->row_is_large)
		return 0;
	r = db_query(tx->db, &q, "SELECT s.id FROM responses r CROSS JOIN responses s"
				 " ON s.template_variables_id = r.template_variables_id AND s.run_id = ?2"
				 " WHERE r.id = ?1", "ii", response_id, run->id);
	while (r >= 0 && (r = db_next(tx->db, q)) > 0) {
		r = read_standing(tx, run, column_int(q, 0), measure_id, &each, &n_measures);
		ret_standing->row_responses++;
		ret_standing->row_successes += each.meets_all;
		ret_standing->row_decided += each.value >= 0;
		ret_standing->row_yes += each.value == 1;
	}
	return r;
}
