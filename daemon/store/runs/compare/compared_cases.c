/*
 * Experiments side by side, case by case: one walk over the first one's responses finds the cases that
 * changed, a second one the rest, and the letter of the cursor tells which of them a page is in. What a
 * walk passes by is not held, and each step looks at so much only.
 */
#include <errno.h>

#include "daemon/store/resources/prompts/criterion.h"
#include "daemon/store/runs/compare/sides.h"
#include "daemon/store/runs/responses/response.h"
#include "proto/generated/interface.h"

#define CHANGED 'c' // lists, as cursors call them
#define REST 'u'

/* The page is read first, and then all are counted, if that was asked for. */
struct listing {
	struct tx *tx;
	struct page page;
	struct sides sides;
	const struct ellu_list_compared_cases_request *request;
	const int *wanted; // whether those that changed, or the rest; NULL: both
	struct response_place at;
	struct response_place last; // in the page
	bool cut; // it ended for that
	int64_t count;
};

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
	int r = 0, success = side_success(side);

	for (size_t i = 0; r >= 0 && i < side->n; i++) {
		struct ellu_compared_verdict *verdict = TX_RECORD(tx, struct ellu_compared_verdict);
		int value = side->measured[i].verdict;

		if (!verdict)
			return -ENOMEM;
		verdict->criterion_id = side->measured[i].measure->criterion_id;
		verdict->rating = value < 0 ? NULL : value ? "YES" : "NO";
		r = tx_append(tx, &verdicts, verdict);
	}
	record->verdicts = tx_list_items(tx, &verdicts);
	record->n_verdicts = verdicts.n;
	if (success >= 0)
		record->success = tx_bool_value(tx, success);
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
static int list_case(struct listing *listing, bool changed)
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
	record->epoch = listing->sides.epoch;
	record->changed = changed;
	r = sides_row(tx, &listing->sides, listing->sides.row_id, &record->template_variables);
	for (size_t i = 0; r >= 0 && i < listing->sides.n; i++)
		r = add_response(tx, &listing->sides.items[i], &responses);
	if (r < 0)
		return r;
	record->responses = tx_list_items(tx, &responses);
	record->n_responses = responses.n;
	r = page_try(tx, &listing->page, &ellu_compared_case_type, record);
	if (r == -E2BIG)
		r = list_smaller(listing, record);
	return r < 0 ? r : r == 0;
}

/* ---- Better and worse ---- */

static bool counts(const struct ellu_list_compared_cases_request *request, int64_t criterion_id)
{
	for (size_t i = 0; i < request->n_criterion_ids; i++)
		if (request->criterion_ids[i] == criterion_id)
			return true;
	return !request->criterion_ids;
}

/* How many of the criteria that count are decided. */
static int64_t count_decided(const struct listing *listing, const struct side *side, int64_t *ret_met)
{
	int64_t decided = 0;

	*ret_met = 0;
	for (size_t i = 0; side->response_id && i < side->n; i++) {
		const struct measured *measured = &side->measured[i];

		if (measured->verdict < 0 || !counts(listing->request, measured->measure->criterion_id))
			continue;
		decided++;
		*ret_met += measured->verdict;
	}
	return decided;
}

/* Whether the case came out as the request asks. */
static bool is_outcome(const struct listing *listing)
{
	const struct sides *sides = &listing->sides;
	const int *better = listing->request->better;
	int64_t met, met_last, decided, decided_last;

	if (!better)
		return true;
	decided = count_decided(listing, &sides->items[0], &met);
	decided_last = count_decided(listing, &sides->items[sides->n - 1], &met_last);
	if (!decided || !decided_last)
		return false;
	return *better ? met_last * decided > met * decided_last : met_last * decided < met * decided_last;
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
	int r;

	listing->cut = listing->sides.left <= 0;
	if (listing->cut)
		return 1;
	if (listing->page.listed && !listing->wanted && !listing->request->better) {
		listing->count++;
		return 0;
	}
	r = sides_read(listing->tx, &listing->sides, response_id);
	for (size_t i = 1; r >= 0 && i < listing->sides.n && !changed; i++)
		changed = is_changed(&listing->sides.items[0], &listing->sides.items[i]);
	if (r < 0 || !is_wanted(listing, changed) || !is_outcome(listing))
		return r;
	if (listing->page.listed) {
		listing->count++;
		return 0;
	}
	r = list_case(listing, changed);
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
		.run = &listing->sides.items[0].run,
		.by_arrival = listing->page.listed,
		.at = listing->at,
		.found = on_response,
		.userdata = listing,
	};
	int r;

	listing->sides.left = LOOKS_MAX;
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
	return response_place_read(listing->tx, &listing->sides.items[0].run, page->major, page->minor,
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
	*listing = (struct listing){ .tx = tx, .request = a, .wanted = a->changed };
	op->request.state = listing;
	if (a->criterion_ids && !a->better)
		return fault_invalid(tx->fault, "criterion_ids", "nothing, unless better cases or worse are asked for");
	r = sides_load(tx, &op->scope, a->experiments, a->n_experiments, &listing->sides);
	if (r >= 0)
		r = page_begin(tx, op, rest ? REST : CHANGED, &listing->page);
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
