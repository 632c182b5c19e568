#include "daemon/store/engine/page.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/message.h"

/* Of a page, around its items. */
#define FRAME_BYTES 512
/* Entries of an index that one transaction of a count looks at. */
#define COUNT_LOOKS 20000

static int append(struct page *page, const char *bytes, size_t size)
{
	struct store_request *request = page->request;
	size_t needed = request->page_size + size + WIRE_REPLY_TAIL_MAX;

	if (needed > page->capacity) {
		size_t capacity = needed + needed / 2;
		char *text = realloc(request->page, capacity);

		if (!text)
			return -ENOMEM;
		request->page = text;
		page->capacity = capacity;
	}
	memcpy(request->page + request->page_size, bytes, size);
	request->page_size += size;
	return 0;
}

static int append_text(struct page *page, const char *text)
{
	return append(page, text, strlen(text));
}

static int read_cursor(struct tx *tx, const char *cursor, struct page *page)
{
	int end = -1;

	page->resumed = true;
	if (cursor[0] == page->list && strspn(cursor + 1, "0123456789.") == strlen(cursor + 1) &&
	    sscanf(cursor + 1, "%18" SCNd64 ".%18" SCNd64 "%n", &page->major, &page->minor, &end) == 2 &&
	    end >= 0 && cursor[1 + end] == '\0')
		return 0;
	return fault_invalid(tx->fault, "cursor", PAGE_CURSOR_EXPECTED);
}

int page_begin(struct tx *tx, struct store_request *request, char list, const char *cursor,
	       const int64_t *limit, struct page *page)
{
	int r = 0;

	*page = (struct page){
		.request = request,
		.list = list,
		.limit = limit ? (size_t)*limit : PAGE_DEFAULT,
	};
	if (page->limit > PAGE_MAX)
		page->limit = PAGE_MAX;
	request->next_cursor = NULL;
	if (cursor)
		r = read_cursor(tx, cursor, page);
	return r < 0 ? r : append_text(page, WIRE_REPLY_HEAD "{\"items\":[");
}

bool page_full(const struct page *page)
{
	return page->n_items >= page->limit ||
	       page->request->page_size >= PAGE_BYTES_MAX - FRAME_BYTES;
}

static int try_text(struct page *page, const char *text, size_t size)
{
	int r;

	if (page->n_items > 0 && page->request->page_size + size > PAGE_BYTES_MAX - FRAME_BYTES)
		return 0;
	if (size > MESSAGE_SIZE_MAX - FRAME_BYTES)
		return -E2BIG;
	r = page->n_items > 0 ? append_text(page, ",") : 0;
	if (r >= 0)
		r = append(page, text, size);
	page->n_items++;
	return r < 0 ? r : 1;
}

int page_try(struct tx *tx, struct page *page, const struct record_type *type, const void *item)
{
	json_object *json = NULL;
	const char *text;
	size_t size;
	int r;

	if (tx->oom)
		return -ENOMEM;
	if (page_full(page))
		return 0;
	r = record_encode(type, item, TO_CLIENT, &json);
	if (r < 0)
		return r;
	text = json_text(json, &size);
	r = text ? try_text(page, text, size) : -ENOMEM;
	json_object_put(json);
	return r;
}

int page_add(struct tx *tx, struct page *page, const struct record_type *type, const void *item,
	     const char *name, int64_t id)
{
	int r = page_try(tx, page, type, item);
	char what[80];

	if (r != -E2BIG)
		return r;
	snprintf(what, sizeof(what), "%s %" PRId64, name, id);
	return fault_too_large(tx->fault, MESSAGE_SIZE_MAX, what);
}

const struct ellu_error *page_left_out(struct tx *tx, const char *field, const char *name,
				       int64_t id)
{
	const struct ellu_error *error = NULL;
	struct fault fault = { 0 };

	fault_set(&fault, ELLU_E_TOO_LARGE, "%s %" PRId64 " is more than the %u bytes of a message:"
					    " it is shown without its %s", name, id,
		  MESSAGE_SIZE_MAX, field);
	snprintf(fault.resource_type, sizeof(fault.resource_type), "%s", name);
	snprintf(fault.field, sizeof(fault.field), "%s", field);
	fault.has_id = true;
	fault.id = id;
	if (fault_to_error(&fault, tx->arena, &error) < 0)
		tx->oom = true;
	return error;
}

int page_continues(struct tx *tx, struct page *page, int64_t major, int64_t minor)
{
	page->request->next_cursor =
		tx_printf(tx, "%c%" PRId64 ".%" PRId64, page->list, major, minor);
	return page->request->next_cursor ? 0 : -ENOMEM;
}

int page_end(struct tx *tx, struct page *page, const int64_t *count)
{
	const char *cursor = page->request->next_cursor;
	char text[FRAME_BYTES / 2];
	int n;

	if (tx->oom)
		return -ENOMEM;
	n = snprintf(text, sizeof(text), "]%s%s%s", cursor ? ",\"next_cursor\":\"" : "",
		     cursor ? cursor : "", cursor ? "\"" : "");
	if (count)
		n += snprintf(text + n, sizeof(text) - (size_t)n, ",\"count\":%" PRId64, *count);
	snprintf(text + n, sizeof(text) - (size_t)n, "}");
	return append_text(page, text);
}

int page_step(struct tx *tx, struct page *page, int r, const int64_t *count)
{
	if (r < 0)
		return r;
	if (r == 0 && (page->listed || !count))
		return page_end(tx, page, count);
	page->listed = page->listed || r == 0;
	return list_again(page->request);
}

int count_step(struct tx *tx, const char *sql, int64_t key, struct count *count)
{
	QUERY q = NULL;
	int r;

	r = db_query(tx->db, &q, sql, "iib", key, count->after, COUNT_LOOKS);
	if (r >= 0)
		r = db_next(tx->db, q);
	if (r <= 0)
		return r;
	count->n += column_int(q, 0);
	count->after = column_int_or(q, 1, count->after);
	return column_int(q, 2) == COUNT_LOOKS;
}

int list_again(struct store_request *request)
{
	request->lane = STORE_SCAN;
	request->again = true;
	return 0;
}
