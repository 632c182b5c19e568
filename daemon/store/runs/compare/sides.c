#include "daemon/store/runs/compare/sides.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/store/resources/collections/columns.h"
#include "daemon/store/resources/collections/row_walk.h"
#include "daemon/store/resources/prompts/criterion.h"
#include "daemon/store/resources/identity.h"
#include "proto/generated/interface.h"

#define ALIKE_MAX 200 // rows of one hash that are looked at for one row
#define CHUNKS_A_LOOK 8 // of rows, in which none was found, cost as much as a look at one

/* ---- The experiments ---- */

static int by_text(const void *a, const void *b)
{
	const struct measured *const *x = a, *const *y = b;

	return strcmp((*x)->measure->text, (*y)->measure->text);
}

static int load_side(struct tx *tx, struct side *side)
{
	struct tx_list measures = { 0 };
	struct experiment_row row;
	int r = experiment_row_load(tx, side->experiment_id, &row);

	if (r >= 0)
		r = run_row_load(tx, row.run_id, &side->run);
	if (r >= 0)
		r = run_measures(tx, side->run.id, &measures);
	if (r < 0)
		return r;
	side->measured = tx_array(tx, measures.n, sizeof(*side->measured));
	if (!side->measured)
		return -ENOMEM;
	for (size_t i = 0; i < measures.n; i++) {
		side->measured[i].measure = measures.items[i];
		side->n += side->measured[i].measure->use == NULL;
	}
	side->n_evaluators = measures.n - side->n;
	return 0;
}

bool use_is(const struct ellu_evaluator_use *use, const char *name, const char *variables)
{
	if (strcmp(use->evaluator->name, name) != 0 || !use->variables != !variables)
		return false;
	return !variables || identity_json_equal(use->variables, variables) > 0;
}

static void join_evaluators(struct sides *sides)
{
	const struct side *first = &sides->items[0];

	for (size_t i = 1; i < sides->n; i++)
		for (size_t k = 0; k < sides->items[i].n_evaluators; k++) {
			struct measured *measured = &sides->items[i].measured[sides->items[i].n + k];
			const struct ellu_evaluator_use *use = measured->measure->use;

			for (size_t j = first->n; j < first->n + first->n_evaluators; j++)
				if (use_is(first->measured[j].measure->use, use->evaluator->name, use->variables))
					measured->first = &first->measured[j];
		}
}

/* Criteria meet by their texts. */
static int join_criteria(struct sides *sides)
{
	const struct side *first = &sides->items[0];
	struct measured **sorted = tx_array(sides->tx, first->n, sizeof(*sorted));

	if (!sorted)
		return -ENOMEM;
	for (size_t i = 0; i < first->n; i++)
		sorted[i] = &first->measured[i];
	qsort(sorted, first->n, sizeof(*sorted), by_text);
	for (size_t i = 1; i < sides->n; i++)
		for (size_t k = 0; k < sides->items[i].n; k++) {
			struct measured *measured = &sides->items[i].measured[k], **found;

			found = bsearch(&measured, sorted, first->n, sizeof(*sorted), by_text);
			measured->first = found ? *found : NULL;
		}
	return 0;
}

int sides_load_ids(struct tx *tx, const int64_t *ids, size_t n, struct sides *ret_sides)
{
	struct sides sides = { .tx = tx, .n = n, .items = tx_array(tx, n, sizeof(*sides.items)) };
	int r = sides.items ? 0 : -ENOMEM;

	for (size_t i = 0; r >= 0 && i < n; i++) {
		sides.items[i].experiment_id = ids[i];
		r = load_side(tx, &sides.items[i]);
	}
	if (r >= 0) {
		r = join_criteria(&sides);
		join_evaluators(&sides);
	}
	if (r >= 0)
		r = db_int(tx->db, &sides.last_chunk, "SELECT max(id) >> 16 FROM template_variables", "");
	*ret_sides = sides;
	return r < 0 ? r : 0;
}

int sides_load(struct tx *tx, const struct scope *scope, const struct ellu_ref *const *refs, size_t n,
	       struct sides *ret_sides)
{
	int64_t *ids = tx_array(tx, n, sizeof(*ids));
	int r = ids ? experiments_resolve(tx, scope, refs, n, ids) : -ENOMEM;

	return r < 0 ? r : sides_load_ids(tx, ids, n, ret_sides);
}

/* ---- A case ---- */

static int find_in_chunk(struct sides *sides, struct side *side, int64_t chunk, int *looks)
{
	struct tx *tx = sides->tx;
	QUERY q = NULL;
	int r;

	r = db_query(tx->db, &q,
		     "SELECT v.id, r.id, r.error IS NOT NULL FROM template_variables v"
		     " LEFT JOIN responses r ON r.template_variables_id = v.id AND r.run_id = ?4"
		     " AND r.epoch = ?5 WHERE v.project_id = ?1 AND v.id >> 16 = ?2 AND v.hash = ?3"
		     " ORDER BY v.id DESC LIMIT ?6",
		     "iiiiib", side->run.project_id, chunk, sides->row_hash, side->run.id, sides->epoch, *looks);
	while (r >= 0 && (r = db_next(tx->db, q)) > 0) {
		sides->left--;
		--*looks;
		if (column_null(q, 1))
			continue;
		r = rows_alike(tx, sides->row_id, column_int(q, 0));
		if (r > 0) {
			side->response_id = column_int(q, 1);
			side->failed = column_int(q, 2) != 0;
		}
		if (r != 0)
			return r;
	}
	return r;
}

static int find_alike(struct sides *sides, struct side *side)
{
	int looks = ALIKE_MAX, r = 0;

	for (int64_t chunk = sides->last_chunk; r == 0 && chunk >= 0 && looks > 0; chunk--) {
		r = find_in_chunk(sides, side, chunk, &looks);
		sides->left -= chunk % CHUNKS_A_LOOK == 0;
	}
	return r;
}

static int find_response(struct sides *sides, struct side *side)
{
	QUERY q = NULL;
	int r;

	side->response_id = 0;
	side->failed = false;
	r = db_row(sides->tx->db, &q,
		   "SELECT id, error IS NOT NULL FROM responses WHERE template_variables_id = ?1"
		   " AND run_id = ?2 AND epoch = ?3", "iii", sides->row_id, side->run.id, sides->epoch);
	if (r == 0)
		return find_alike(sides, side);
	if (r < 0)
		return r;
	side->response_id = column_int(q, 0);
	side->failed = column_int(q, 1) != 0;
	return 0;
}

static void take_value(struct measured *measured, double value)
{
	measured->score = value;
	measured->verdict = value < 0 ? -1 : value >= 0.5;
}

/* By the present judge of the experiment, where no person overruled it. */
static int read_verdicts(struct sides *sides, struct side *side)
{
	const size_t n_all = side->n + side->n_evaluators;
	QUERY q = NULL;
	size_t n = 0;
	int r;

	sides->left -= (int64_t)n_all + 1;
	r = db_query(sides->tx->db, &q,
		     "SELECT coalesce(" RATING_VALUE ", -1) FROM run_measures n LEFT JOIN ratings g"
		     " ON g.response_id = ?2 AND g.measure_id = n.measure_id AND g.judge_id = ?3"
		     " WHERE n.run_id = ?1 ORDER BY n.position",
		     "iii", side->run.id, side->response_id, side->run.judge_id);
	while (r >= 0 && n < n_all && (r = db_next(sides->tx->db, q)) > 0)
		take_value(&side->measured[n++], column_double(q, 0));
	while (n < n_all)
		take_value(&side->measured[n++], -1);
	return r < 0 ? r : 0;
}

int sides_read(struct tx *tx, struct sides *sides, int64_t response_id)
{
	QUERY q = NULL;
	int r;

	sides->tx = tx;
	r = db_row(tx->db, &q,
		   "SELECT v.id, v.hash, r.epoch FROM responses r"
		   " CROSS JOIN template_variables v ON v.id = r.template_variables_id WHERE r.id = ?1",
		   "i", response_id);
	if (r <= 0)
		return r;
	sides->row_id = column_int(q, 0);
	sides->row_hash = column_int(q, 1);
	sides->epoch = column_int(q, 2);
	for (size_t i = 0; r >= 0 && i < sides->n; i++) {
		r = find_response(sides, &sides->items[i]);
		if (r >= 0)
			r = read_verdicts(sides, &sides->items[i]);
	}
	return r < 0 ? r : 0;
}

int sides_find(struct tx *tx, struct sides *sides, int64_t row_id, int64_t epoch)
{
	int r;

	sides->tx = tx;
	sides->row_id = row_id;
	sides->epoch = epoch;
	r = db_int(tx->db, &sides->row_hash, "SELECT hash FROM template_variables WHERE id = ?1", "i", row_id);
	for (size_t i = 0; r >= 0 && i < sides->n; i++)
		r = find_response(sides, &sides->items[i]);
	return r < 0 ? r : 0;
}

int side_success(const struct side *side)
{
	size_t met = 0, missed = 0;

	for (size_t i = 0; i < side->n; i++) {
		met += side->measured[i].verdict == 1;
		missed += side->measured[i].verdict == 0;
	}
	if (!side->response_id)
		return -1;
	if (side->failed || missed > 0)
		return 0;
	return met == side->n ? 1 : -1;
}

int sides_row(struct tx *tx, const struct sides *sides, int64_t row_id,
	      const struct ellu_template_variables **ret_row)
{
	struct ellu_template_variables *row = TX_RECORD(tx, struct ellu_template_variables);
	QUERY q = NULL;
	int r;

	if (!row)
		return -ENOMEM;
	r = db_row(tx->db, &q, "SELECT input_values, created_at FROM template_variables WHERE id = ?1",
		   "i", row_id);
	if (r <= 0)
		return r;
	row->id = row_id;
	row->created_at = column_int(q, 1);
	*ret_row = row;
	return collection_fill(tx, sides->items[0].run.column_defaults, tx_text(tx, q, 0),
			       &row->input_values);
}
