/*
 * A page of a list, encoded where it is read: items are written behind each other as the reply
 * that the caller gets, and the page ends by what it takes on the wire. Its cursor says what the
 * last item was. What is looked at for one transaction is bounded as well: a page whose items
 * lie far apart is read in several.
 */
#pragma once

#include "daemon/store/engine/method.h"
#include "daemon/store/engine/tx.h"
#include "proto/limits.h"

/* Rows that one transaction of a long list or count looks at: a few milliseconds. */
#define LOOKS_MAX 2000

#define PAGE_CURSOR_EXPECTED "the next_cursor of an earlier page of this list"

/* A cursor is opaque to callers: the list's letter and the key of the last item. */
struct page {
	struct store_request *request; // has the text
	struct tx_list items;
	size_t n_values; // in the items; a message has JSON_VALUES_MAX
	const char *next_cursor; // NULL: nothing follows, as it is
	size_t capacity;
	char list;
	bool resumed; // there was a cursor, and `major`, `minor` come from it
	int64_t major;
	int64_t minor;
	size_t limit;
	bool counted; // how many there are in all was asked for
	bool listed; // it is as it will be; a count may go on
};

int page_begin(struct tx *tx, struct method_run *op, char list, struct page *page);

/* There is no room for another item, however small. */
bool page_full(const struct page *page);

/* 1: the item is in the page; 0: the page was full, and ends before it. `name` and `id` say what
 * the item is: TooLarge when no message could hold it. */
int page_add(struct tx *tx, struct page *page, const struct record_type *type, const void *item,
	     const char *name, int64_t id);
/* The same, and -E2BIG for an item that no message could hold: the caller makes it smaller. */
int page_try(struct tx *tx, struct page *page, const struct record_type *type, const void *item);
/* What such an item says of what was left out: TooLarge. NULL without memory. */
const struct ellu_error *page_left_out(struct tx *tx, const char *field, const char *name,
				       int64_t id);

/* The cursor behind what the numbers say, of the list of that letter. NULL without memory. */
const char *page_cursor(struct tx *tx, char list, int64_t major, int64_t minor);

/* Ends the page behind what the numbers say; in a list with more to come only. */
int page_continues(struct tx *tx, struct page *page, int64_t major, int64_t minor);
/* Writes what follows the items. `count`: of all items, told where it was asked for. */
int page_end(struct tx *tx, struct page *page, int64_t count);
/* After a step of the page or, once that is `listed`, of the count; `r` is 1 when there is more of
 * either. The request goes on in another transaction, or the page ends. */
int page_step(struct tx *tx, struct page *page, int r, int64_t count);

/* A count, a step a transaction. The statement has the parameters (key, behind what, how many to
 * look at) and answers (how many count, the last looked at, how many were looked at). */
struct count {
	int64_t n;
	int64_t after;
};
int count_step(struct tx *tx, const char *sql, int64_t key, struct count *count); // 1: more
/* Counts on where that was asked for, and ends the page when all are counted. */
int page_count(struct tx *tx, struct page *page, const char *sql, int64_t key,
	       struct count *count);
/* The request goes on in another transaction, behind others that wait. */
int list_again(struct store_request *request);
