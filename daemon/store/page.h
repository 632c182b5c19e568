/* Pages of a list: their limit, their size, and the cursor behind the last item. */
#pragma once

#include "daemon/store/tx.h"
#include "proto/limits.h"

/* A cursor is opaque to callers: the list's letter and the key of the last item. */
struct page {
	char list;
	bool resumed; // there was a cursor, and `major`, `minor` come from it
	int64_t major;
	int64_t minor;
	size_t limit;
	size_t bytes; // of the items so far
};

int page_begin(struct tx *tx, char list, const char *cursor, const int64_t *limit,
	       struct page *page);

static inline bool page_full(const struct page *page, size_t n_items)
{
	return n_items >= page->limit || (n_items > 0 && page->bytes >= PAGE_BYTES_MAX);
}

/* To ask SQLite for: one more than fits, to know whether there is a next page. */
static inline int64_t page_fetch(const struct page *page)
{
	return (int64_t)page->limit + 1;
}

const char *page_cursor(struct tx *tx, const struct page *page, int64_t major, int64_t minor);
