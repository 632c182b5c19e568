#include "daemon/store/page.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

int page_begin(struct tx *tx, char list, const char *cursor, const int64_t *limit,
	       struct page *page)
{
	int end = -1;

	*page = (struct page){ .list = list, .limit = limit ? (size_t)*limit : PAGE_DEFAULT };
	if (page->limit > PAGE_MAX)
		page->limit = PAGE_MAX;
	if (!cursor)
		return 0;
	page->resumed = true;
	if (cursor[0] == list && strspn(cursor + 1, "0123456789.") == strlen(cursor + 1) &&
	    sscanf(cursor + 1, "%18" SCNd64 ".%18" SCNd64 "%n", &page->major, &page->minor, &end) == 2 &&
	    end >= 0 && cursor[1 + end] == '\0')
		return 0;
	return fault_invalid(tx->fault, "cursor", "the next_cursor of an earlier page of this list");
}

const char *page_cursor(struct tx *tx, const struct page *page, int64_t major, int64_t minor)
{
	return tx_printf(tx, "%c%" PRId64 ".%" PRId64, page->list, major, minor);
}
