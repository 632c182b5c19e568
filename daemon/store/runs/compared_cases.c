/*
 * Experiments side by side, case by case: one walk over the first one's responses finds the cases that
 * changed, a second one the rest, and the letter of the cursor tells which of them a page is in. What a
 * walk passes by is not held, and each step looks at so much only.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/store/resources/collection.h"
#include "daemon/store/resources/criterion.h"
#include "daemon/store/resources/rows.h"
#include "daemon/store/runs/response.h"
#include "proto/generated/interface.h"

#define CHANGED 'c' // lists, as cursors call them
#define REST 'u'

#define ALIKE_MAX 200 // rows of one hash that are looked at for one row
#define CHUNKS_A_LOOK 8 // of rows, in which none was found, cost as much as a look at one

/* A criterion of one of the experiments. */
struct measured {
	const struct run_measure *measure;
	const struct measured *first; // the first one's of the same text, or NULL
	int verdict; // of the present case: 1 YES, 0 NO, -1 none
};

/* One of the experiments, and what it has to the present case. */
struct side {
	int64_t experiment_id;
	struct run_row run;
	struct measured *measured; // in the order of its criteria
	size_t n;
	int64_t response_id; // 0: it has none
	bool failed;
};

/* The page is read first, and then all are counted, if that was asked for. */
struct listing {
	struct tx *tx;
	struct page page;
	struct side *sides;
	size_t n;
	const int *wanted; // whether those that changed, or the rest; NULL: both
	int64_t last_chunk; // of rows, see template_variables_by_hash
	struct response_place at;
	struct response_place last; // in the page
	int64_t left; // to look at in this step
	bool cut; // it ended for that
	int64_t count;
};

struct row {
	int64_t id;
	int64_t hash;
	int64_t epoch;
};

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
	side->n = measures.n;
	side->measured = tx_array(tx, side->n, sizeof(*side->measured));
	if (!side->measured)
		return -ENOMEM;
	for (size_t i = 0; i < side->n; i++)
		side->measured[i].measure = measures.items[i];
	return 0;
}

/* Criteria meet by their texts. */
static int join_criteria(struct listing *listing)
{
	const struct side *first = &listing->sides[0];
	struct measured **sorted = tx_array(listing->tx, first->n, sizeof(*sorted));

	if (!sorted)
		return -ENOMEM;
	for (size_t i = 0; i < first->n; i++)
		sorted[i] = &first->measured[i];
	qsort(sorted, first->n, sizeof(*sorted), by_text);
	for (size_t i = 1; i < listing->n; i++)
		for (size_t k = 0; k < listing->sides[i].n; k++) {
			struct measured *measured = &listing->sides[i].measured[k], **found;

			found = bsearch(&measured, sorted, first->n, sizeof(*sorted), by_text);
			measured->first = found ? *found : NULL;
		}
	return 0;
}

static int load_sides(struct listing *listing, const struct scope *scope,
		      const struct ellu_ref *const *refs)
{
	struct tx *tx = listing->tx;
	int64_t *ids = tx_array(tx, listing->n, sizeof(*ids));
	int r;

	listing->sides = tx_array(tx, listing->n, sizeof(*listing->sides));
	if (!ids || !listing->sides)
		return -ENOMEM;
	r = experiments_resolve(tx, scope, refs, listing->n, ids);
	for (size_t i = 0; r >= 0 && i < listing->n; i++) {
		listing->sides[i].experiment_id = ids[i];
		r = load_side(tx, &listing->sides[i]);
	}
	return r < 0 ? r : join_criteria(listing);
}

/* ---- A case ---- */

static int find_in_chunk(struct listing *listing, struct side *side, const struct row *row,
			 int64_t chunk, int *looks)
{
	struct tx *tx = listing->tx;
	QUERY q = NULL;
	int r;

	r = db_query(tx->db, &q,
		     "SELECT v.id, r.id, r.error IS NOT NULL FROM template_variables v"
		     " LEFT JOIN responses r ON r.template_variables_id = v.id AND r.run_id = ?4"
		     " AND r.epoch = ?5 WHERE v.project_id = ?1 AND v.id >> 16 = ?2 AND v.hash = ?3"
		     " ORDER BY v.id DESC LIMIT ?6",
		     "iiiiib", side->run.project_id, chunk, row->hash, side->run.id, row->epoch, *looks);
	while (r >= 0 && (r = db_next(tx->db, q)) > 0) {
		listing->left--;
		--*looks;
		if (column_null(q, 1))
			continue;
		r = rows_alike(tx, row->id, column_int(q, 0));
		if (r > 0) {
			side->response_id = column_int(q, 1);
			side->failed = column_int(q, 2) != 0;
		}
		if (r != 0)
			return r;
	}
	return r;
}

static int find_alike(struct listing *listing, struct side *side, const struct row *row)
{
	int looks = ALIKE_MAX, r = 0;

	for (int64_t chunk = listing->last_chunk; r == 0 && chunk >= 0 && looks > 0; chunk--) {
		r = find_in_chunk(listing, side, row, chunk, &looks);
		listing->left -= chunk % CHUNKS_A_LOOK == 0;
	}
	return r;
}

static int find_response(struct listing *listing, struct side *side, const struct row *row)
{
	QUERY q = NULL;
	int r;

	side->response_id = 0;
	side->failed = false;
	r = db_row(listing->tx->db, &q,
		   "SELECT id, error IS NOT NULL FROM responses WHERE template_variables_id = ?1"
		   " AND run_id = ?2 AND epoch = ?3", "iii", row->id, side->run.id, row->epoch);
	if (r == 0)
		return find_alike(listing, side, row);
	if (r < 0)
		return r;
	side->response_id = column_int(q, 0);
	side->failed = column_int(q, 1) != 0;
	return 0;
}

/* By the present judge of the experiment, where no person overruled it. */
static int read_verdicts(struct listing *listing, struct side *side)
{
	QUERY q = NULL;
	size_t n = 0;
	int r;

	listing->left -= (int64_t)side->n + 1;
	r = db_query(listing->tx->db, &q,
		     "SELECT coalesce(" RATING_VALUE " >= 0.5, -1) FROM run_measures n LEFT JOIN ratings g"
		     " ON g.response_id = ?2 AND g.measure_id = n.measure_id AND g.judge_id = ?3"
		     " WHERE n.run_id = ?1 ORDER BY n.position",
		     "iii", side->run.id, side->response_id, side->run.judge_id);
	while (r >= 0 && n < side->n && (r = db_next(listing->tx->db, q)) > 0)
		side->measured[n++].verdict = (int)column_int(q, 0);
	while (n < side->n)
		side->measured[n++].verdict = -1;
	return r < 0 ? r : 0;
}

static int read_case(struct listing *listing, int64_t response_id, struct row *ret_row)
{
	QUERY q = NULL;
	int r;

	r = db_row(listing->tx->db, &q,
		   "SELECT v.id, v.hash, r.epoch FROM responses r"
		   " CROSS JOIN template_variables v ON v.id = r.template_variables_id WHERE r.id = ?1",
		   "i", response_id);
	if (r <= 0)
		return r;
	*ret_row = (struct row){ column_int(q, 0), column_int(q, 1), column_int(q, 2) };
	for (size_t i = 0; r >= 0 && i < listing->n; i++) {
		r = find_response(listing, &listing->sides[i], ret_row);
		if (r >= 0)
			r = read_verdicts(listing, &listing->sides[i]);
	}
	return r < 0 ? r : 0;
}

static bool is_changed(const struct side *first, const struct side *other)
{
	if (!other->response_id)
		return false;
	if (other->failed != first->failed)
		return true;
	for (size_t i = 0; i < other->n; i++) {
		const struct measured *own = &other->measured[i], *before = own->first;

		if (before && own->verdict + before->verdict == 1 && own->verdict >= 0 && before->verdict >= 0)
			return true;
	}
	return false;
}

/* ---- Records ---- */

static int add_verdicts(struct tx *tx, const struct side *side, struct ellu_compared_response *record)
{
	struct tx_list verdicts = { 0 };
	size_t met = 0, missed = 0;
	int r = 0;

	for (size_t i = 0; r >= 0 && i < side->n; i++) {
		struct ellu_compared_verdict *verdict = TX_RECORD(tx, struct ellu_compared_verdict);
		int value = side->measured[i].verdict;

		if (!verdict)
			return -ENOMEM;
		verdict->criterion_id = side->measured[i].measure->criterion_id;
		verdict->rating = value < 0 ? NULL : value ? "YES" : "NO";
		met += value == 1;
		missed += value == 0;
		r = tx_append(tx, &verdicts, verdict);
	}
	record->verdicts = tx_list_items(tx, &verdicts);
	record->n_verdicts = verdicts.n;
	if (side->failed || missed > 0 || met == side->n)
		record->success = tx_bool_value(tx, !side->failed && met == side->n);
	return r;
}

static int add_response(struct tx *tx, const struct side *side, struct tx_list *responses)
{
	struct ellu_compared_response *record = TX_RECORD(tx, struct ellu_compared_response);
	QUERY q = NULL;
	int r;

	if (!record)
		return -ENOMEM;
	record->experiment_id = side->experiment_id;
	record->verdicts = tx_array(tx, 0, sizeof(*record->verdicts));
	r = tx_append(tx, responses, record);
	if (r < 0 || !side->response_id)
		return r;
	record->response_id = tx_int_value(tx, side->response_id);
	r = db_row(tx->db, &q, "SELECT response_text, error FROM responses WHERE id = ?1", "i",
		   side->response_id);
	if (r <= 0)
		return r;
	record->response_text = tx_text(tx, q, 0);
	r = tx_decode(tx, &ellu_error_type, column_peek(q, 1), &record->error);
	return r < 0 ? r : add_verdicts(tx, side, record);
}

static int read_row(struct tx *tx, const struct run_row *run, int64_t row_id,
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
	return collection_fill(tx, run->column_defaults, tx_text(tx, q, 0), &row->input_values);
}

static int list_smaller(struct listing *listing, struct ellu_compared_case *record)
{
	struct tx *tx = listing->tx;
	int64_t row_id = record->template_variables->id;

	for (size_t i = 0; i < record->n_responses; i++)
		((struct ellu_compared_response *)record->responses[i])->response_text = NULL;
	record->left_out = page_left_out(tx, "responses' texts", "row", row_id);
	return page_add(tx, &listing->page, &ellu_compared_case_type, record, "row", row_id);
}

/* 1: the page is full. */
static int list_case(struct listing *listing, const struct row *row, bool changed)
{
	struct tx *tx = listing->tx;
	struct tx_list responses = { 0 };
	struct ellu_compared_case *record;
	int r;

	if (page_full(&listing->page))
		return 1;
	record = TX_RECORD(tx, struct ellu_compared_case);
	if (!record)
		return -ENOMEM;
	record->epoch = row->epoch;
	record->changed = changed;
	r = read_row(tx, &listing->sides[0].run, row->id, &record->template_variables);
	for (size_t i = 0; r >= 0 && i < listing->n; i++)
		r = add_response(tx, &listing->sides[i], &responses);
	if (r < 0)
		return r;
	record->responses = tx_list_items(tx, &responses);
	record->n_responses = responses.n;
	r = page_try(tx, &listing->page, &ellu_compared_case_type, record);
	if (r == -E2BIG)
		r = list_smaller(listing, record);
	return r < 0 ? r : r == 0;
}

/* ---- The list ---- */

static bool is_wanted(const struct listing *listing, bool changed)
{
	if (listing->page.listed)
		return !listing->wanted || changed == (*listing->wanted != 0);
	return changed == (listing->page.list == CHANGED);
}

static int on_response(struct response_walk *walk, int64_t response_id)
{
	struct listing *listing = walk->userdata;
	bool changed = false;
	struct row row = { 0 };
	int r;

	listing->cut = listing->left <= 0;
	if (listing->cut)
		return 1;
	if (listing->page.listed && !listing->wanted) {
		listing->count++;
		return 0;
	}
	r = read_case(listing, response_id, &row);
	for (size_t i = 1; r >= 0 && i < listing->n && !changed; i++)
		changed = is_changed(&listing->sides[0], &listing->sides[i]);
	if (r < 0 || !is_wanted(listing, changed))
		return r;
	if (listing->page.listed) {
		listing->count++;
		return 0;
	}
	r = list_case(listing, &row, changed);
	if (r != 0)
		return r;
	listing->last = walk->at;
	listing->last.id = response_id;
	return 0;
}

/* A count takes them as they lie. 1: there is more to look at. */
static int list_step(struct listing *listing)
{
	struct response_walk walk = {
		.tx = listing->tx,
		.run = &listing->sides[0].run,
		.by_arrival = listing->page.listed,
		.at = listing->at,
		.found = on_response,
		.userdata = listing,
	};
	int r;

	listing->left = LOOKS_MAX;
	r = response_walk_step(&walk);
	listing->at = walk.at;
	if (r == RESPONSE_WALK_STOPPED && !listing->cut)
		return page_continues(listing->tx, &listing->page, listing->last.id,
				      listing->last.row_number);
	if (r != RESPONSE_WALK_END)
		return r < 0 ? r : 1;
	listing->at = listing->last = (struct response_place){ 0 };
	if (listing->page.listed || listing->wanted || listing->page.list == REST)
		return 0;
	listing->page.list = REST;
	return 1;
}

/* Where the page before ended; with an id of 0, at the beginning of the rest. */
static int resume(struct listing *listing)
{
	const struct page *page = &listing->page;

	if (!page->resumed || !page->major)
		return 0;
	return response_place_read(listing->tx, &listing->sides[0].run, page->major, page->minor,
				   &listing->at);
}

static int begin(struct tx *tx, struct method_run *op)
{
	const struct ellu_list_compared_cases_request *a = op->arguments;
	struct listing *listing = tx_alloc(tx, sizeof(*listing));
	bool rest = a->changed ? !*a->changed : a->cursor && a->cursor[0] == REST;
	int r;

	if (!listing)
		return -ENOMEM;
	*listing = (struct listing){ .tx = tx, .n = a->n_experiments, .wanted = a->changed };
	op->request.state = listing;
	r = load_sides(listing, &op->scope, a->experiments);
	if (r >= 0)
		r = page_begin(tx, op, rest ? REST : CHANGED, &listing->page);
	if (r >= 0)
		r = db_int(tx->db, &listing->last_chunk, "SELECT max(id) >> 16 FROM template_variables", "");
	return r < 0 ? r : resume(listing);
}

int compared_cases_list(struct tx *tx, struct method_run *op)
{
	struct listing *listing;
	int r = op->request.state ? 0 : begin(tx, op);

	if (r < 0)
		return r;
	listing = op->request.state;
	listing->tx = tx;
	r = list_step(listing);
	if (r == 0 && !listing->page.listed)
		listing->at = (struct response_place){ 0 }; // a count begins anew
	return page_step(tx, &listing->page, r, listing->count);
}
