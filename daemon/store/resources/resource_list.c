#include "daemon/store/resources/resource_list.h"

#include <errno.h>

struct listing {
	int64_t project_id; // -1: everybody's
	struct page page;
	struct count count;
};

static int read_page(struct tx *tx, const struct resource_list *list, struct listing *listing)
{
	struct page *page = &listing->page;
	int64_t id = page->resumed ? page->major : INT64_MAX, last = id;
	QUERY q = NULL;
	int r;

	r = db_query(tx->db, &q, listing->project_id < 0 ? list->page_all : list->page_own, "iii", id,
		     listing->project_id, (int64_t)page->limit + 1);
	while (r >= 0 && (r = db_next(tx->db, q)) > 0) {
		const void *item;

		id = column_int(q, 0);
		if (page_full(page))
			return page_continues(tx, page, last, 0);
		r = list->load(tx, id, &item);
		if (r >= 0)
			r = page_add(tx, page, list->type, item, list->name, id);
		if (r == 0)
			return page_continues(tx, page, last, 0);
		last = id;
	}
	return r;
}

static int begin(struct tx *tx, struct store_request *request, const struct resource_list *list,
		 const struct scope *scope, struct list_arguments arguments)
{
	struct listing *listing = tx_alloc(tx, sizeof(*listing));
	int r;

	if (!listing)
		return -ENOMEM;
	listing->count = (struct count){ 0 };
	r = place_filter(tx, scope, &listing->project_id);
	if (r >= 0)
		r = page_begin(tx, request, list->letter, arguments.cursor, arguments.limit,
			       &listing->page);
	if (r >= 0)
		r = read_page(tx, list, listing);
	request->state = listing;
	return r;
}

int resource_list_run(struct tx *tx, struct store_request *request,
		      const struct resource_list *list, const struct scope *scope,
		      struct list_arguments arguments)
{
	struct listing *listing;
	int r = 0;

	if (!request->state)
		r = begin(tx, request, list, scope, arguments);
	if (r < 0)
		return r;
	listing = request->state;
	if (!arguments.count || !*arguments.count)
		return page_end(tx, &listing->page, NULL);
	r = count_step(tx, listing->project_id < 0 ? list->count_all : list->count_own,
		       listing->project_id, &listing->count);
	if (r != 0)
		return r < 0 ? r : list_again(request);
	return page_end(tx, &listing->page, &listing->count.n);
}
