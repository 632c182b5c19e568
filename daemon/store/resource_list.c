#include "daemon/store/resource_list.h"

static int read_page(struct tx *tx, const struct resource_list *list, int64_t project_id,
		     struct page *page, struct tx_list *items, const char **ret_next_cursor)
{
	int64_t id = 0;
	QUERY q = NULL;
	int r;

	r = db_query(tx->db, &q, list->page_sql, "iii", page->resumed ? page->major : INT64_MAX,
		     project_id, page_fetch(page));
	while (r >= 0 && (r = db_next(tx->db, q)) > 0) {
		const void *item;

		if (page_full(page, items->n)) {
			*ret_next_cursor = page_cursor(tx, page, id, 0);
			break;
		}
		id = column_int(q, 0);
		page->bytes += (size_t)column_int(q, 1);
		r = list->load(tx, id, &item);
		if (r >= 0)
			r = tx_append(tx, items, item);
	}
	return r;
}

int resource_list_page(struct tx *tx, const struct resource_list *list, const struct scope *scope,
		       struct resource_page *page)
{
	int64_t project_id, count = 0;
	struct tx_list items = { 0 };
	struct page place;
	int r;

	r = place_filter(tx, scope, &project_id);
	if (r >= 0)
		r = page_begin(tx, list->letter, page->cursor, page->limit, &place);
	if (r >= 0)
		r = read_page(tx, list, project_id, &place, &items, &page->ret_next_cursor);
	if (r >= 0 && page->count && *page->count) {
		r = db_int(tx->db, &count, list->count_sql, "i", project_id);
		page->ret_count = tx_int_value(tx, count);
	}
	page->ret_items = tx_list_items(tx, &items);
	page->ret_n_items = items.n;
	return r < 0 ? r : 0;
}
