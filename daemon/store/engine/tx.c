#include "daemon/store/engine/tx.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/base/clock.h"
#include "daemon/base/log.h"
#include "daemon/store/engine/operation_check.h"
#include "daemon/store/engine/store_internal.h"
#include "proto/generated/interface.h"
#include "proto/limits.h"

void store_request_init(struct store_request *request, struct loop *reply_to,
			void (*done)(struct store_request *request), void *userdata)
{
	request->store = NULL;
	request->run = NULL;
	request->again = false;
	request->took_usec = 0;
	request->patient = false;
	request->state = NULL;
	request->spent = NULL;
	request->uid = request->for_uid = -1;
	request->steps = 0;
	request->next = NULL;
	request->reply_to = reply_to;
	request->done = done;
	request->userdata = userdata;
	request->result = 0;
	request->fault.code = 0;
	request->text = NULL;
	request->text_size = 0;
	request->page = NULL;
	arena_init(&request->arena);
}

void store_request_done(struct store_request *request)
{
	free(request->text);
	request->text = NULL;
	arena_done(&request->arena);
}

struct reader *store_reader_of(struct store *store, enum store_lane lane)
{
	return &store->readers[lane == STORE_POINT ? 0 : lane == STORE_SCAN ? 1 : 2];
}

static void on_reply(struct message *message)
{
	struct store_request *request = store_request_of(message);

	request->done(request);
}

void tx_post(struct store *store, struct store_request *request, enum store_lane lane,
	     int (*run)(struct tx *tx, struct store_request *request), const char *name)
{
	struct reader *reader;

	request->store = store;
	request->lane = lane;
	request->run = run;
	request->name = name;
	if (lane == STORE_RECORD || lane == STORE_WRITE || lane == STORE_COPY) {
		request->patient = request->patient || lane == STORE_RECORD;
		request->message.deliver = store->writer.take;
		loop_post(store->writer.loop, &request->message);
	} else {
		reader = store_reader_of(store, lane);
		request->message.deliver = reader->take;
		loop_post(reader->loop, &request->message);
	}
}

int tx_run(struct store *store, struct db *db, int64_t now, struct store_request *request,
	   bool alone)
{
	struct tx tx = {
		.store = store,
		.db = db,
		.arena = &request->arena,
		.fault = &request->fault,
		.now = now,
		.alone = alone,
	};
	int64_t began = clock_thread_usec(), rows = db_rows_changed(db);
	int r;

	request->fault.code = 0;
	request->again = false;
	request->spent = NULL;
	r = request->run(&tx, request);
	request->took_usec += clock_thread_usec() - began;
	if (db->checked) {
		request->steps += db_steps(db);
		operation_check(request->name, db_rows_changed(db) - rows);
	}
	request->first_event = r < 0 ? 0 : tx.first_event;
	request->last_event = r < 0 ? 0 : tx.last_event;
	return r >= 0 && tx.oom ? -ENOMEM : r;
}

void tx_result(struct store_request *request, struct db *db, int r)
{
	struct fault *fault = &request->fault;

	if (r < 0)
		request->first_event = request->last_event = 0;
	if (r >= 0)
		r = 0;
	else if (r <= ELLU_E_INTERFACE_NOT_FOUND)
		; /* its fault is filled */
	else if (r == -ENOMEM)
		r = fault_oom(fault);
	else if (r == -ENOSPC)
		r = fault_set(fault, ELLU_E_STORAGE_FULL, NULL);
	else if (db->trouble == DB_DAMAGED)
		r = store_damaged_fault(request->store, fault);
	else {
		log_error("store: %s (%s)",
			  db->trouble_text[0] ? db->trouble_text : "an operation failed", strerror(-r));
		r = fault_set(fault, ELLU_E_INTERNAL, "The store failed; the daemon's log says why.");
	}
	request->result = r;
}

void tx_reply(struct store_request *request)
{
	atomic_fetch_add_explicit(&request->store->operations, 1, memory_order_relaxed);
	request->message.deliver = on_reply;
	loop_post(request->reply_to, &request->message);
}

void *tx_alloc(struct tx *tx, size_t size)
{
	void *memory = arena_alloc(tx->arena, size);

	if (!memory)
		tx->oom = true;
	return memory;
}

void *tx_array(struct tx *tx, size_t n, size_t size)
{
	void *memory = arena_array(tx->arena, n, size);

	if (!memory)
		tx->oom = true;
	return memory;
}

const char *tx_strdup(struct tx *tx, const char *text)
{
	const char *copy = arena_strdup(tx->arena, text);

	if (text && !copy)
		tx->oom = true;
	return copy;
}

const char *tx_printf(struct tx *tx, const char *format, ...)
{
	va_list arguments;
	const char *text;

	va_start(arguments, format);
	text = arena_vprintf(tx->arena, format, arguments);
	va_end(arguments);
	if (!text)
		tx->oom = true;
	return text;
}

void *tx_record(struct tx *tx, size_t size)
{
	size_t *record = tx_alloc(tx, size);

	if (record)
		*record = size;
	return record;
}

const char *tx_text(struct tx *tx, sqlite3_stmt *statement, int column)
{
	const char *text = column_peek(statement, column);
	const char *copy;

	if (!text) {
		/* SQLite answers NULL as well when it has no memory. */
		tx->oom = tx->oom || !column_null(statement, column);
		return NULL;
	}
	copy = arena_strndup(tx->arena, text, (size_t)sqlite3_column_bytes(statement, column));
	if (!copy)
		tx->oom = true;
	return copy;
}

const int64_t *tx_int(struct tx *tx, sqlite3_stmt *statement, int column)
{
	return column_null(statement, column) ? NULL :
						tx_int_value(tx, column_int(statement, column));
}

const int64_t *tx_int_value(struct tx *tx, int64_t value)
{
	const int64_t *copy = arena_int(tx->arena, value);

	if (!copy)
		tx->oom = true;
	return copy;
}

const double *tx_known(struct tx *tx, double value)
{
	return isnan(value) ? NULL : tx_double_value(tx, value);
}

const double *tx_double_value(struct tx *tx, double value)
{
	const double *copy = arena_float(tx->arena, value);

	if (!copy)
		tx->oom = true;
	return copy;
}

const int *tx_bool_value(struct tx *tx, bool value)
{
	const int *copy = arena_bool(tx->arena, value);

	if (!copy)
		tx->oom = true;
	return copy;
}

int tx_encode(struct tx *tx, const struct record_type *type, const void *record,
	      const char **ret_text)
{
	char *text;
	size_t size;
	int r;

	*ret_text = NULL;
	if (!record)
		return 0;
	r = record_to_text(type, record, TO_STORE, &text, &size);
	if (r < 0)
		return r;
	*ret_text = arena_strndup(tx->arena, text, size);
	free(text);
	return *ret_text ? 0 : -ENOMEM;
}

int tx_decode(struct tx *tx, const struct record_type *type, const char *text, void *ret_record)
{
	struct fault fault;
	void *record = NULL;
	int r = 0;

	if (text)
		r = record_from_text(type, text, strlen(text), FROM_STORE, tx->arena, &record, &fault);
	if (r < 0) {
		/* What the store wrote is no fault of the caller's. */
		log_error("store: a stored %s does not read back: %s", type->name, fault.message);
		return r == ELLU_E_INTERNAL ? -ENOMEM : -EBADMSG;
	}
	memcpy(ret_record, &record, sizeof(record));
	return 0;
}

int tx_encode_fault(struct tx *tx, const struct fault *fault, const char **ret_text)
{
	const struct ellu_error *error;
	int r;

	*ret_text = NULL;
	if (!fault)
		return 0;
	r = fault_to_error(fault, tx->arena, &error);
	return r < 0 ? r : tx_encode(tx, &ellu_error_type, error, ret_text);
}

json_object *tx_parse(const char *text)
{
	json_tokener *tokener = json_tokener_new_ex(JSON_DEPTH_MAX + 2);
	json_object *json;

	if (!tokener)
		return NULL;
	json = json_tokener_parse_ex(tokener, text, (int)strlen(text) + 1);
	json_tokener_free(tokener);
	return json;
}

int tx_append(struct tx *tx, struct tx_list *list, const void *item)
{
	if (list->n == list->capacity) {
		size_t capacity = list->capacity ? list->capacity * 2 : 16;
		const void **items = tx_array(tx, capacity, sizeof(*items));

		if (!items)
			return -ENOMEM;
		if (list->n > 0)
			memcpy(items, list->items, list->n * sizeof(*items));
		list->items = items;
		list->capacity = capacity;
	}
	list->items[list->n++] = item;
	return 0;
}

const void *tx_list_items(struct tx *tx, struct tx_list *list)
{
	return list->items ? list->items : tx_array(tx, 0, sizeof(*list->items));
}
