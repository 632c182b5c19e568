/* Lists of resources: the newest first, a project's or everybody's, in pages. */
#pragma once

#include "daemon/store/page.h"
#include "daemon/store/project.h"

struct resource_list {
	char letter; // of its cursors
	const char *page_sql;
	const char *count_sql;
	int (*load)(struct tx *tx, int64_t id, const void **ret_item);
};

/* The statements for a table; `bytes` is roughly what an item takes. */
#define RESOURCE_PAGE_SQL(table, bytes)                                                         \
	"SELECT id, " bytes " FROM " table " WHERE id < ?1 AND (?2 < 0 OR project_id = ?2)"     \
	" ORDER BY id DESC LIMIT ?3"
#define RESOURCE_COUNT_SQL(table) \
	"SELECT count(*) FROM " table " WHERE ?1 < 0 OR project_id = ?1"

/* What every request for a list says, and what every reply has. */
struct resource_page {
	const char *cursor;
	const int64_t *limit;
	const int *count;
	const void *ret_items;
	size_t ret_n_items;
	const char *ret_next_cursor;
	const int64_t *ret_count;
};

int resource_list_page(struct tx *tx, const struct resource_list *list, const struct scope *scope,
		       struct resource_page *page);
