/*
 * Listing what the daemon has, page by page: there may be more than fits into memory. As a table
 * a page, as lines, or as JSON.
 */
#pragma once

#include "client/cli/cli.h"
#include "client/cli/table.h"

struct page {
	const void *reply; // ellu_free() frees it with its items
	const void *const *items;
	size_t n_items;
};

struct listing {
	const struct record_type *type; // of an item
	const char *const *titles; // as of table_new(); NULL: each item is printed by itself
	void (*add)(struct table *table, const void *item); // a row
	void (*print)(const void *item); // without `titles`
	int (*next)(struct ellu_stream *stream, struct page *ret_page,
		    const struct ellu_error **ret_error); // as ellu_stream_next()
};

/* Defines `NAME_next` for a method that lists. */
#define LISTING_NEXT(name)                                                                 \
	static int name##_next(struct ellu_stream *stream, struct page *ret_page,          \
			       const struct ellu_error **ret_error)                        \
	{                                                                                  \
		const struct ellu_##name##_reply *reply;                                   \
		int r = ellu_##name##_next(stream, &reply, ret_error);                     \
                                                                                           \
		if (r > 0)                                                                 \
			*ret_page = (struct page){ reply, (const void *const *) reply->items, \
						   reply->n_items };                       \
		return r;                                                                  \
	}

/* Items of a page when `limit` are wanted in all. */
int64_t listing_page_limit(int64_t limit);

/* Prints at most `limit` items and closes the stream. Returns the exit status. */
int listing_print(struct cli *cli, const struct listing *listing, struct ellu_stream *stream,
		  int64_t limit);
