/*
 * What an operation works with: a connection inside a transaction, and the request's arena and
 * fault. Helpers that find no memory raise `oom` and answer NULL; whoever runs the operation
 * turns that into its failure, so only what is dereferenced on the way needs a check.
 *
 * Helpers and operations return 0 or positive, a negative errno, or the code of the fault that
 * they filled.
 */
#pragma once

#include "daemon/store/engine/request.h"
#include "daemon/store/engine/statement.h"
#include "proto/record/record.h"

struct tx {
	struct store *store;
	struct db *db;
	struct arena *arena;
	struct fault *fault;
	int64_t now; // wall clock, one for the whole transaction
	int64_t first_event; // numbers of what it added to histories; 0: nothing
	int64_t last_event;
	bool alone; // nothing else is in the transaction
	bool oom;
	const char *missing_secret; // the row named it, its file was gone
};

/* Posts the request to the threads of its lane; the name is for the log. */
void tx_post(struct store *store, struct store_request *request, enum store_lane lane,
	     int (*run)(struct tx *tx, struct store_request *request), const char *name);

/* Defines store_NAME(), which posts a struct RECORD to that lane, where NAME_run() does it. */
#define STORE_OPERATION_OF(record, name, lane, is_patient)                              \
	static int name##_begin(struct tx *tx, struct store_request *request)           \
	{                                                                               \
		return name##_run(tx, (struct record *)request);                        \
	}                                                                               \
	void store_##name(struct store *store, struct record *op)                       \
	{                                                                               \
		op->request.patient = is_patient;                                       \
		tx_post(store, &op->request, lane, name##_begin, #name);                \
	}
#define STORE_OPERATION(name, lane, is_patient) STORE_OPERATION_OF(name, name, lane, is_patient)

/* Runs a request that is the writer's or a reader's; the transaction is theirs. */
int tx_run(struct store *store, struct db *db, int64_t now, struct store_request *request,
	   bool alone);
/* Fills result and fault from what an operation returned. */
void tx_result(struct store_request *request, struct db *db, int r);
/* Gives the request back to who made it. */
void tx_reply(struct store_request *request);

void *tx_alloc(struct tx *tx, size_t size);
void *tx_array(struct tx *tx, size_t n, size_t size);
const char *tx_strdup(struct tx *tx, const char *text);
const char *tx_printf(struct tx *tx, const char *format, ...) __attribute__((format(printf, 2, 3)));
void *tx_record(struct tx *tx, size_t size); // zeroed, but for the size that starts it
#define TX_RECORD(tx, type) ((type *)tx_record(tx, sizeof(type)))

const char *tx_text(struct tx *tx, sqlite3_stmt *statement, int column); // NULL for NULL
const int64_t *tx_int(struct tx *tx, sqlite3_stmt *statement, int column); // NULL for NULL
const int64_t *tx_int_value(struct tx *tx, int64_t value);
const double *tx_double_value(struct tx *tx, double value);
const double *tx_known(struct tx *tx, double value); // NULL for NAN
const int *tx_bool_value(struct tx *tx, bool value);

/* A record as text without what the store must not have, and back. NULL is NULL both ways. */
int tx_encode(struct tx *tx, const struct record_type *type, const void *record,
	      const char **ret_text);
int tx_decode(struct tx *tx, const struct record_type *type, const char *text, void *ret_record);
int tx_encode_fault(struct tx *tx, const struct fault *fault, const char **ret_text);

/* Parses what was checked when it came in, as deep as it may be. NULL without memory. */
json_object *tx_parse(const char *text);

/* An array of pointers that grows in the arena. */
struct tx_list {
	const void **items;
	size_t n;
	size_t capacity;
};
int tx_append(struct tx *tx, struct tx_list *list, const void *item);
/* An array that is there but empty is not NULL. */
const void *tx_list_items(struct tx *tx, struct tx_list *list);
