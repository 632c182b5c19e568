/* The rows of an experiment whose epochs disagree: one walk over its responses, in the order of its rows. */
#include <errno.h>

#include "daemon/store/resources/prompts/criterion.h"
#include "daemon/store/runs/compare/sides.h"
#include "daemon/store/runs/responses/response.h"
#include "proto/generated/interface.h"

#define FLAKY 'f' // the list, as cursors call it

struct counts {
	int64_t yes, no;
};

/* The page is read first, and then all are counted, if that was asked for. */
struct listing {
	struct tx *tx;
	struct page page;
	struct sides sides; // it alone
	struct response_place at;
	/* The row at hand, of which only a part may have been seen. */
	int64_t row_id; // 0: none
	struct counts all; // that meet every criterion
	struct counts *criteria; // in their order
	struct response_place row_end; // behind its last response
	struct response_place last; // of the last row in the page
	bool full;
	int64_t count;
};

static bool disagree(const struct counts *counts)
{
	return counts->yes > 0 && counts->no > 0;
}

static bool is_flaky(const struct listing *listing)
{
	bool flaky = disagree(&listing->all);

	for (size_t i = 0; !flaky && i < listing->sides.items[0].n; i++)
		flaky = disagree(&listing->criteria[i]);
	return flaky;
}

/* ---- Records ---- */

static int tell_criteria(struct listing *listing, struct ellu_flaky_row *record)
{
	const struct side *side = &listing->sides.items[0];
	struct tx_list criteria = { 0 };
	int r = 0;

	for (size_t i = 0; r >= 0 && i < side->n; i++) {
		struct ellu_flaky_criterion *criterion;

		if (!disagree(&listing->criteria[i]))
			continue;
		criterion = TX_RECORD(listing->tx, struct ellu_flaky_criterion);
		if (!criterion)
			return -ENOMEM;
		criterion->criterion_id = side->measured[i].measure->criterion_id;
		criterion->yes = listing->criteria[i].yes;
		criterion->no = listing->criteria[i].no;
		r = tx_append(listing->tx, &criteria, criterion);
	}
	record->criteria = tx_list_items(listing->tx, &criteria);
	record->n_criteria = criteria.n;
	return r;
}

/* 1: the page is full. */
static int list_row(struct listing *listing)
{
	struct ellu_flaky_row *record = TX_RECORD(listing->tx, struct ellu_flaky_row);
	struct tx *tx = listing->tx;
	int r;

	if (page_full(&listing->page))
		return 1;
	if (!record)
		return -ENOMEM;
	record->decided = listing->all.yes + listing->all.no;
	record->met = listing->all.yes;
	r = sides_row(tx, &listing->sides, listing->row_id, &record->template_variables);
	if (r >= 0)
		r = tell_criteria(listing, record);
	if (r >= 0)
		r = page_add(tx, &listing->page, &ellu_flaky_row_type, record, "row", listing->row_id);
	return r < 0 ? r : r == 0;
}

/* ---- The walk ---- */

static void forget_row(struct listing *listing)
{
	listing->row_id = 0;
	listing->all = (struct counts){ 0 };
	for (size_t i = 0; i < listing->sides.items[0].n; i++)
		listing->criteria[i] = (struct counts){ 0 };
}

/* All of the row at hand was seen. 1: the page is full, and ends before it. */
static int end_row(struct listing *listing)
{
	bool flaky = listing->row_id && is_flaky(listing);
	int r = 0;

	if (flaky && listing->page.listed)
		listing->count++;
	else if (flaky)
		r = list_row(listing);
	if (r != 0)
		return r;
	if (flaky)
		listing->last = listing->row_end;
	forget_row(listing);
	return 0;
}

static void count(struct counts *counts, int verdict)
{
	counts->yes += verdict == 1;
	counts->no += verdict == 0;
}

static int on_response(struct response_walk *walk, int64_t response_id)
{
	struct listing *listing = walk->userdata;
	const struct side *side = &listing->sides.items[0];
	int r = 0;

	if (listing->sides.left <= 0)
		return 1;
	if (listing->row_id && walk->at.row_id != listing->row_id)
		r = end_row(listing);
	listing->full = r > 0;
	if (r == 0)
		r = sides_read(walk->tx, &listing->sides, response_id);
	if (r != 0)
		return r;
	count(&listing->all, side_success(side));
	for (size_t i = 0; i < side->n; i++)
		count(&listing->criteria[i], side->measured[i].verdict);
	listing->row_id = walk->at.row_id;
	listing->row_end = walk->at;
	listing->row_end.id = response_id;
	return 0;
}

/* 1: there is more to look at. */
static int list_step(struct listing *listing)
{
	struct response_walk walk = {
		.tx = listing->tx,
		.run = &listing->sides.items[0].run,
		.at = listing->at,
		.found = on_response,
		.userdata = listing,
	};
	int r;

	if (walk.run->n_epochs <= 1)
		return 0;
	listing->sides.left = LOOKS_MAX;
	r = response_walk_step(&walk);
	listing->at = walk.at;
	if (r == RESPONSE_WALK_END) {
		r = end_row(listing);
		listing->full = r > 0;
	}
	if (r < 0)
		return r;
	if (listing->full)
		return page_continues(listing->tx, &listing->page, listing->last.id,
				      listing->last.row_number);
	return r != 0;
}

/* ---- The method ---- */

static int begin(struct tx *tx, struct method_run *op)
{
	const struct ellu_list_flaky_rows_request *a = op->arguments;
	struct listing *listing = tx_alloc(tx, sizeof(*listing));
	int r;

	if (!listing)
		return -ENOMEM;
	*listing = (struct listing){ .tx = tx };
	op->request.state = listing;
	r = sides_load(tx, &op->scope, &a->experiment, 1, &listing->sides);
	if (r < 0)
		return r;
	listing->criteria = tx_array(tx, listing->sides.items[0].n, sizeof(*listing->criteria));
	r = listing->criteria ? page_begin(tx, op, FLAKY, &listing->page) : -ENOMEM;
	if (r < 0 || !listing->page.resumed)
		return r;
	return response_place_read(tx, &listing->sides.items[0].run, listing->page.major,
				   listing->page.minor, &listing->at);
}

int flaky_rows_list(struct tx *tx, struct method_run *op)
{
	struct listing *listing;
	bool was_listed;
	int r = op->request.state ? 0 : begin(tx, op);

	if (r < 0)
		return r;
	listing = op->request.state;
	listing->tx = tx;
	was_listed = listing->page.listed;
	r = list_step(listing);
	if (r == 0 && !was_listed) { // a count begins anew
		listing->at = (struct response_place){ 0 };
		listing->full = false;
		forget_row(listing);
	}
	return page_step(tx, &listing->page, r, listing->count);
}
