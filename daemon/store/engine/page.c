#include "daemon/store/engine/page.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/json/json_check.h"
#include "proto/wire/message.h"

/* Of a page, around its items. */
#define FRAME_BYTES 512
#define FRAME_VALUES 8
/* Entries of an index that one transaction of a count looks at. */
#define COUNT_LOOKS 20000

static int append(struct page *page, const char *bytes, size_t size)
{
	struct store_request *request = page->request;
	size_t needed = request->text_size + size + WIRE_REPLY_TAIL_MAX;

	if (needed > page->capacity) {
		size_t capacity = needed + needed / 2;
		char *text = realloc(request->text, capacity);

		if (!text)
			return -ENOMEM;
		request->text = text;
		page->capacity = capacity;
	}
	memcpy(request->text + request->text_size, bytes, size);
	request->text_size += size;
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

int page_begin(struct tx *tx, struct method_run *op, char list, struct page *page)
{
	const struct method_page_request *asked = method_page_of(op->method, op->arguments);
	int r = 0;

	*page = (struct page){
		.request = &op->request,
		.list = list,
		.limit = (size_t)asked->limit,
		.counted = asked->count,
	};
	if (asked->cursor)
		r = read_cursor(tx, asked->cursor, page);
	return r < 0 ? r : append_text(page, WIRE_REPLY_HEAD "{\"items\":[");
}

bool page_full(const struct page *page)
{
	return page->items.n >= page->limit ||
	       page->request->text_size >= PAGE_BYTES_MAX - FRAME_BYTES;
}

static int try_text(struct page *page, const char *text, size_t size)
{
	const size_t n_values = page->n_values + json_count_values(text, size);
	int r;

	if (page->items.n > 0 && (page->request->text_size + size > PAGE_BYTES_MAX - FRAME_BYTES ||
				  n_values > JSON_VALUES_MAX - FRAME_VALUES))
		return 0;
	if (size > MESSAGE_SIZE_MAX - FRAME_BYTES)
		return -E2BIG;
	r = page->items.n > 0 ? append_text(page, ",") : 0;
	if (r >= 0)
		r = append(page, text, size);
	page->n_values = n_values;
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
	if (r > 0 && tx_append(tx, &page->items, item) < 0)
		return -ENOMEM;
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

const char *page_cursor(struct tx *tx, char list, int64_t major, int64_t minor)
{
	return tx_printf(tx, "%c%" PRId64 ".%" PRId64, list, major, minor);
}

int page_continues(struct tx *tx, struct page *page, int64_t major, int64_t minor)
{
	page->next_cursor = page_cursor(tx, page->list, major, minor);
	return page->next_cursor ? 0 : -ENOMEM;
}

int page_end(struct tx *tx, struct page *page, int64_t count)
{
	const char *cursor = page->next_cursor;
	struct method_page *reply = TX_RECORD(tx, struct method_page);
	char text[FRAME_BYTES / 2];
	int n;

	if (!reply)
		return -ENOMEM;
	reply->items = tx_list_items(tx, &page->items);
	reply->n_items = page->items.n;
	reply->next_cursor = cursor;
	reply->count = page->counted ? tx_int_value(tx, count) : NULL;
	page->request->page = reply;
	n = snprintf(text, sizeof(text), "]%s%s%s", cursor ? ",\"next_cursor\":\"" : "",
		     cursor ? cursor : "", cursor ? "\"" : "");
	if (page->counted)
		n += snprintf(text + n, sizeof(text) - (size_t)n, ",\"count\":%" PRId64, count);
	snprintf(text + n, sizeof(text) - (size_t)n, "}");
	return tx->oom ? -ENOMEM : append_text(page, text);
}

int page_step(struct tx *tx, struct page *page, int r, int64_t count)
{
	if (r < 0)
		return r;
	if (r == 0 && (page->listed || !page->counted))
		return page_end(tx, page, count);
	page->listed = page->listed || r == 0;
	return list_again(page->request);
}

int page_count(struct tx *tx, struct page *page, const char *sql, int64_t key,
	       struct count *count)
{
	int r = page->counted ? count_step(tx, sql, key, count) : 0;

	if (r != 0)
		return r < 0 ? r : list_again(page->request);
	return page_end(tx, page, count->n);
}

int count_step(struct tx *tx, const char *sql, int64_t key, struct count *count)
{
	QUERY q = NULL;
	int r;

	r = db_row(tx->db, &q, sql, "iib", key, count->after, COUNT_LOOKS);
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
