/*
 * The rows of a collection as its methods list, remove and add them.
 *
 * An upload is a batch without a sequence: its rows come in by many calls and become visible
 * when the last one gives it a sequence. An upload that was swept, or is committed and still
 * visible, keeps its id: going on with it is a conflict, never half an upload. What replaces the
 * rows that were visible does so where it becomes visible itself, in one transaction.
 */
#include "daemon/store/resources/collections/template_variables.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "daemon/store/engine/page.h"
#include "daemon/store/engine/store_internal.h"
#include "daemon/store/resources/collections/collection.h"
#include "daemon/store/resources/collections/columns.h"
#include "daemon/store/resources/collections/row_walk.h"
#include "daemon/store/resources/collections/rows.h"
#include "daemon/store/resources/sweep.h"
#include "proto/generated/interface.h"

/* ---- Listing ---- */

#define ROWS_LETTER 'v' // of the list's cursors

struct listing {
	struct page page;
	const char *defaults;
};

static int list_row(struct row_walk *walk, sqlite3_stmt *q)
{
	struct listing *listing = walk->userdata;
	struct ellu_template_variables *row;
	struct tx *tx = walk->tx;
	int r;

	row = TX_RECORD(tx, struct ellu_template_variables);
	if (!row)
		return -ENOMEM;
	row->id = column_int(q, 0);
	row->created_at = column_int(q, 2);
	r = collection_fill(tx, listing->defaults, tx_text(tx, q, 1), &row->input_values);
	if (r >= 0)
		r = page_add(tx, &listing->page, &ellu_template_variables_type, row, "row", row->id);
	if (r != 0)
		return r < 0 ? r : 0;
	r = page_continues(tx, &listing->page, walk->sequence, walk->row_id);
	return r < 0 ? r : 1;
}

/* Where a list of rows goes on with the batch of that sequence. NULL without memory. */
static const char *rows_cursor(struct tx *tx, int64_t sequence)
{
	return page_cursor(tx, ROWS_LETTER, sequence, 0);
}

static int rows_page(struct tx *tx, const struct collection_state *state, struct listing *listing)
{
	struct row_walk walk = {
		.tx = tx,
		.state = state,
		.sequence = state->first_sequence + 1,
		.found = list_row,
		.userdata = listing,
	};
	int r;

	/* What a cursor points behind may have been cleared since. */
	if (listing->page.resumed && listing->page.major >= walk.sequence) {
		walk.sequence = listing->page.major;
		walk.row_id = listing->page.minor;
	}
	r = collection_defaults(tx, state->id, &listing->defaults);
	return r < 0 ? r : row_walk(&walk);
}

int rows_list(struct tx *tx, struct method_run *op)
{
	const struct ellu_list_template_variables_request *arguments = op->arguments;
	struct listing listing = { 0 };
	struct collection_state state;
	int r = collection_resolve(tx, &op->scope, arguments->collection, &state);

	if (r >= 0)
		r = page_begin(tx, op, ROWS_LETTER, &listing.page);
	if (r >= 0)
		r = rows_page(tx, &state, &listing);
	return r < 0 ? r : page_end(tx, &listing.page, state.variables_count);
}

/* ---- Removing ---- */

/* Ids as a JSON array without repetition, and NotFound when one of them is not shown. */
static int find_shown(struct tx *tx, const struct collection_state *state, const int64_t *ids,
		      size_t n_ids, const char **ret_ids, int64_t *ret_n)
{
	json_object *list = json_object_new_object(), *array = json_object_new_array();
	char key[24];
	int64_t missing;
	int r = list && array ? 0 : -ENOMEM;

	for (size_t i = 0; r >= 0 && i < n_ids; i++) {
		snprintf(key, sizeof(key), "%" PRId64, ids[i]);
		if (json_object_object_get_ex(list, key, NULL))
			continue;
		r = json_object_object_add(list, key, NULL);
		if (r >= 0)
			r = json_object_array_add(array, json_object_new_int64(ids[i]));
	}
	if (r >= 0) {
		*ret_n = (int64_t)json_object_array_length(array);
		*ret_ids = tx_strdup(tx, json_text(array, NULL));
	}
	json_object_put(list);
	json_object_put(array);
	if (r < 0 || !*ret_ids)
		return -ENOMEM;
	r = db_int(tx->db, &missing, "SELECT j.value FROM json_each(?1) j WHERE NOT EXISTS ("
				     "SELECT 1 FROM template_variables v CROSS JOIN row_batches b"
				     " ON b.id = v.batch_id WHERE v.id = j.value AND b.collection_id = ?2"
				     " AND b.sequence > ?3 AND b.sequence <= ?4"
				     " AND v.removed_sequence IS NULL) LIMIT 1",
		   "siii", *ret_ids, state->id, state->first_sequence, state->last_sequence);
	return r <= 0 ? r : fault_not_found(tx->fault, "template_variables", NULL, missing);
}

/* The sequence that removes is no batch's. Who is pinned to less sees the rows; they go with their
 * batch. */
int rows_delete(struct tx *tx, struct method_run *op)
{
	const struct ellu_delete_template_variables_request *request = op->arguments;
	struct ellu_delete_template_variables_reply *reply = method_reply(tx, op);
	struct collection_state state;
	const char *ids = NULL, *identity;
	int r = reply ? 0 : -ENOMEM;

	if (r >= 0)
		r = collection_resolve(tx, &op->scope, request->collection, &state);
	if (r >= 0)
		r = collection_check_writable(tx, &state);
	if (r >= 0)
		r = find_shown(tx, &state, request->ids, request->n_ids, &ids, &reply->removed);
	if (r >= 0)
		r = db_run(tx->db, "UPDATE template_variables SET removed_sequence = ?2"
				   " WHERE id IN (SELECT value FROM json_each(?1))", "si", ids,
			   state.last_sequence + 1);
	if (r < 0)
		return r;
	identity = tx_printf(tx, "without %s", ids);
	return identity ? rows_publish(tx, &state, -reply->removed, identity) : -ENOMEM;
}

/* ---- Uploads ---- */

struct upload {
	int64_t batch_id;
	int64_t row_count;
	const char *keys; // as a set of rows has them; NULL: it has no rows yet
	const char *identity; // of its rows
};

/* 1: open, 0: there is none. */
static int upload_find(struct tx *tx, const struct collection_state *state, const char *upload_id,
		       struct upload *ret_upload)
{
	int64_t sequence;
	bool dead;
	QUERY q = NULL;
	int r;

	r = db_row(tx->db, &q, "SELECT id, row_count, keys, sequence, dead, identity"
			       " FROM row_batches WHERE collection_id = ?1 AND upload_id = ?2",
		   "is", state->id, upload_id);
	if (r <= 0)
		return r;
	ret_upload->batch_id = column_int(q, 0);
	ret_upload->row_count = column_int(q, 1);
	ret_upload->keys = tx_text(tx, q, 2);
	ret_upload->identity = tx_text(tx, q, 5);
	sequence = column_int_or(q, 3, 0);
	dead = column_int(q, 4) != 0;
	if (dead)
		return fault_conflict(tx->fault, "upload", upload_id, 0,
				      "this upload was given up; begin again with another upload_id");
	if (sequence > state->first_sequence)
		return fault_conflict(tx->fault, "upload", upload_id, 0,
				      "this upload is committed already");
	if (sequence == 0)
		return 1;
	/* Its rows were cleared, so that its id is free. */
	statement_reset(&q);
	r = db_run(tx->db, "UPDATE row_batches SET upload_id = NULL WHERE id = ?1", "i",
		   ret_upload->batch_id);
	return r < 0 ? r : 0;
}

static int upload_begin(struct tx *tx, const struct collection_state *state, const char *upload_id,
			struct upload *ret_upload)
{
	int r;

	*ret_upload = (struct upload){ 0 };
	r = db_insert(tx->db, &ret_upload->batch_id,
		      "INSERT INTO row_batches (owner_uid, project_id, collection_id, upload_id,"
		      " row_count, created_at) VALUES (?1, ?2, ?3, ?4, 0, ?5)",
		      "iiisi", state->owner_uid, state->project_id, state->id, upload_id, tx->now);
	writer_sweep_in(&tx->store->writer, SWEEP_UPLOAD_AGE_USEC);
	return r;
}

/* Before rows with these keys become visible. */
static int make_place(struct tx *tx, struct collection_state *state,
		      const struct ellu_add_template_variables_request *arguments, const char *keys)
{
	int r;

	if (!arguments->replace)
		return 0;
	r = rows_clear(tx, state);
	return r < 0 ? r : collection_retire_columns(tx, state, keys, /* declared= */ false);
}

static int upload_commit(struct tx *tx, struct collection_state *state,
			 const struct upload *upload)
{
	int r;

	r = db_run(tx->db, "UPDATE row_batches SET sequence = ?2, keys = NULL WHERE id = ?1",
		   "ii", upload->batch_id, state->last_sequence + 1);
	if (r >= 0)
		r = collection_add_columns(tx, state, upload->keys);
	return r < 0 ? r : rows_publish(tx, state, upload->row_count, upload->identity);
}

static int upload_add(struct tx *tx, struct collection_state *state,
		      const struct ellu_add_template_variables_request *arguments,
		      const struct row_set *set)
{
	char identity[IDENTITY_SIZE];
	struct upload upload;
	int r;

	r = upload_find(tx, state, arguments->upload_id, &upload);
	if (r == 0)
		r = upload_begin(tx, state, arguments->upload_id, &upload);
	if (r >= 0)
		r = keys_merge(tx, upload.keys, set->keys, &upload.keys);
	if (r >= 0)
		r = rows_insert(tx, state, upload.batch_id, set);
	upload.row_count += (int64_t)set->n_rows;
	if (r >= 0) {
		identity_chain(upload.identity, set->identity, identity);
		upload.identity = identity;
		r = db_run(tx->db, "UPDATE row_batches SET row_count = ?2, keys = ?3,"
				   " identity = ?4 WHERE id = ?1", "iiss", upload.batch_id,
			   upload.row_count, upload.keys, upload.identity);
	}
	if (r < 0 || !arguments->commit)
		return r;
	r = make_place(tx, state, arguments, upload.keys);
	return r < 0 ? r : upload_commit(tx, state, &upload);
}

static int add_at_once(struct tx *tx, struct collection_state *state,
		       const struct ellu_add_template_variables_request *arguments,
		       const struct row_set *set)
{
	int r = make_place(tx, state, arguments, set->keys);

	return r < 0 ? r : rows_append(tx, state, set);
}

/* ---- Adding ---- */

struct adding {
	struct row_set rows;
	int64_t seen_sequence; // rows up to it were looked at for equal ones
	int64_t batch_id; // of the upload so far, 0: it has none
	size_t at; // rows that were
};

/* What a reader sees may change before the writer looks at it: what came meanwhile is looked at there. */
static int read_rows(struct tx *tx, const struct method_run *op, const struct collection_state *state,
		     struct adding *adding)
{
	const struct ellu_add_template_variables_request *request = op->arguments;
	const char *types;
	int r = collection_types(tx, state->id, &types);

	if (r >= 0)
		r = row_set_read(tx, types, request->variables, request->n_variables, "variables",
				 op->digest, &adding->rows);
	if (r >= 0 && request->upload_id)
		r = db_int(tx->db, &adding->batch_id, "SELECT id FROM row_batches WHERE collection_id = ?1"
						      " AND upload_id = ?2 AND sequence IS NULL",
			   "is", state->id, request->upload_id);
	adding->seen_sequence = state->last_sequence;
	return r < 0 ? r : 0;
}

/* Away from the writer, to which the request goes on. */
static int prepare_rows(struct tx *tx, struct method_run *op)
{
	const struct ellu_add_template_variables_request *request = op->arguments;
	struct adding *adding = op->request.state;
	struct collection_state state;
	int r = collection_resolve(tx, &op->scope, request->collection, &state);

	op->request.again = false;
	if (r >= 0 && !adding) {
		op->request.state = adding = tx_alloc(tx, sizeof(*adding));
		r = adding ? read_rows(tx, op, &state, adding) : -ENOMEM;
	}
	if (r >= 0 && request->deduplicate) {
		state.last_sequence = adding->seen_sequence;
		r = row_set_deduplicate(tx, &adding->rows, &state,
					request->replace ? state.last_sequence : state.first_sequence,
					adding->batch_id, &adding->at);
	}
	if (r > 0)
		return list_again(&op->request);
	op->request.lane = STORE_WRITE;
	return r;
}

static int drop_newcomers(struct tx *tx, const struct ellu_add_template_variables_request *request,
			  const struct collection_state *state, struct adding *adding)
{
	int64_t after = adding->seen_sequence;
	int r = 0;

	if (!request->deduplicate || request->replace || after == state->last_sequence)
		return 0;
	adding->at = 0;
	do
		r = row_set_deduplicate(tx, &adding->rows, state, after, /* batch_id= */ 0, &adding->at);
	while (r > 0);
	return r;
}

int rows_add(struct tx *tx, struct method_run *op)
{
	const struct ellu_add_template_variables_request *request = op->arguments;
	struct adding *adding = op->request.state;
	struct ellu_add_template_variables_reply *reply;
	struct collection_state state;
	int64_t shown;
	int r;

	if (op->request.lane != STORE_WRITE)
		return prepare_rows(tx, op);
	reply = method_reply(tx, op);
	if (!reply)
		return -ENOMEM;
	r = collection_resolve(tx, &op->scope, request->collection, &state);
	if (r >= 0)
		r = collection_check_writable(tx, &state);
	if (r >= 0)
		r = drop_newcomers(tx, request, &state, adding);
	shown = state.last_sequence;
	if (r >= 0 && request->upload_id)
		r = upload_add(tx, &state, request, &adding->rows);
	else if (r >= 0)
		r = add_at_once(tx, &state, request, &adding->rows);
	if (r < 0)
		return r;
	reply->added = (int64_t)adding->rows.n_rows;
	reply->dropped = (int64_t)(adding->rows.n_read - adding->rows.n_rows);
	reply->variables_count = state.variables_count;
	reply->version = collection_version(&state);
	if (state.last_sequence > shown)
		reply->cursor = rows_cursor(tx, state.last_sequence);
	return tx->oom ? -ENOMEM : 0;
}
