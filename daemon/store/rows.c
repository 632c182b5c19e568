/* SPDX-License-Identifier: MIT */
#include "daemon/store/rows.h"

#include <errno.h>
#include <string.h>

#include "daemon/store/identity.h"
#include "daemon/store/page.h"
#include "daemon/store/resources.h"
#include "daemon/store/rows_upload.h"
#include "proto/utf8.h"

static bool is_name(const char *key)
{
	size_t size = strlen(key), length = utf8_length(key, size);

	for (size_t i = 0; i < size; i++)
		if ((unsigned char)key[i] < 0x20 || key[i] == 0x7f)
			return false;
	return length >= 1 && length <= NAME_MAX_CHARS;
}

static int check_row(struct tx *tx, const char *row, const char *path, size_t i)
{
	json_object *json = tx_parse(row);
	int r = 0;

	if (!json_object_is_type(json, json_type_object)) {
		json_object_put(json);
		return fault_invalid(tx->fault, tx_printf(tx, "%s[%zu]", path, i), "an object");
	}
	json_object_object_foreach(json, key, value)
	{
		(void)value;
		if (r == 0 && !is_name(key))
			r = fault_invalid(tx->fault, tx_printf(tx, "%s[%zu]", path, i),
					  "keys of 1 to %d characters, none a control character",
					  NAME_MAX_CHARS);
	}
	json_object_put(json);
	return r;
}

int rows_check(struct tx *tx, const char *const *rows, size_t n_rows, const char *path)
{
	size_t bytes = 0;
	int r = 0;

	for (size_t i = 0; i < n_rows && r >= 0; i++) {
		bytes += strlen(rows[i]);
		if (bytes > ROWS_BYTES_MAX)
			return fault_too_large(tx->fault, ROWS_BYTES_MAX, path);
		r = check_row(tx, rows[i], path, i);
	}
	return r;
}

int rows_new_columns(struct tx *tx, int64_t collection_id, const char *known,
		     const char *const *rows, size_t n_rows, const char **ret_names)
{
	json_object *seen = json_object_new_object();
	json_object *names = known ? tx_parse(known) : json_object_new_array();
	int r = seen && names ? 0 : -ENOMEM;

	for (size_t i = 0; r >= 0 && i < json_object_array_length(names); i++)
		r = json_object_object_add(
			seen, json_object_get_string(json_object_array_get_idx(names, i)), NULL);
	for (size_t i = 0; r >= 0 && i < n_rows; i++) {
		json_object *row = tx_parse(rows[i]);

		json_object_object_foreach(row, key, value)
		{
			(void)value;
			if (r < 0 || json_object_object_get_ex(seen, key, NULL))
				continue;
			r = json_object_object_add(seen, key, NULL);
			if (r >= 0)
				r = collection_has_column(tx, collection_id, key);
			if (r == 0)
				r = json_object_array_add(names, json_object_new_string(key));
		}
		json_object_put(row);
	}
	*ret_names = NULL;
	if (r >= 0 && json_object_array_length(names) > 0)
		*ret_names = tx_strdup(tx, json_text(names, NULL));
	json_object_put(seen);
	json_object_put(names);
	return r < 0 ? r : 0;
}

int rows_insert(struct tx *tx, const struct collection_state *state, int64_t batch_id,
		const char *const *rows, size_t n_rows)
{
	int r = 0;

	for (size_t i = 0; r >= 0 && i < n_rows; i++)
		r = db_run(tx->db, "INSERT INTO template_variables (owner_uid, project_id, batch_id,"
				   " input_values, created_at) VALUES (?1, ?2, ?3, ?4, ?5)",
			   "iiisi", state->owner_uid, state->project_id, batch_id, rows[i], tx->now);
	return r < 0 ? r : 0;
}

int rows_publish(struct tx *tx, struct collection_state *state, int64_t added)
{
	state->last_sequence++;
	state->variables_count += added;
	return db_run(tx->db, "UPDATE collections SET last_sequence = ?2, variables_count = ?3,"
			      " updated_at = ?4 WHERE id = ?1",
		      "iiii", state->id, state->last_sequence, state->variables_count, tx->now);
}

int rows_append(struct tx *tx, struct collection_state *state, const char *const *rows,
		size_t n_rows)
{
	const char *names;
	int r;

	if (n_rows == 0)
		return 0;
	r = rows_new_columns(tx, state->id, NULL, rows, n_rows, &names);
	if (r >= 0)
		r = collection_add_columns(tx, state, names);
	if (r >= 0)
		r = db_run(tx->db, "INSERT INTO row_batches (owner_uid, project_id, collection_id,"
				   " sequence, row_count, created_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
			   "iiiiii", state->owner_uid, state->project_id, state->id,
			   state->last_sequence + 1, (int64_t)n_rows, tx->now);
	if (r >= 0)
		r = rows_insert(tx, state, db_last_id(tx->db), rows, n_rows);
	return r < 0 ? r : rows_publish(tx, state, (int64_t)n_rows);
}

int rows_clear(struct tx *tx, struct collection_state *state)
{
	state->first_sequence = state->last_sequence;
	state->variables_count = 0;
	return db_run(tx->db, "UPDATE collections SET first_sequence = last_sequence,"
			      " variables_count = 0, updated_at = ?2 WHERE id = ?1",
		      "ii", state->id, tx->now);
}

static int row_equal(const char *a, const char *b)
{
	char hash_a[IDENTITY_SIZE], hash_b[IDENTITY_SIZE];
	struct identity identity;
	int r;

	if (strcmp(a, b) == 0)
		return 1;
	identity_init(&identity);
	r = identity_json(&identity, a);
	identity_done(&identity, hash_a);
	if (r < 0)
		return r;
	identity_init(&identity);
	r = identity_json(&identity, b);
	identity_done(&identity, hash_b);
	return r < 0 ? r : strcmp(hash_a, hash_b) == 0;
}

int rows_next_batch(struct tx *tx, int64_t collection_id, int64_t last_sequence,
		    int64_t *sequence, int64_t *ret_batch_id)
{
	QUERY q = NULL;
	int r;

	r = db_query(tx->db, &q, "SELECT sequence, id FROM row_batches WHERE collection_id = ?1"
				 " AND sequence >= ?2 AND sequence <= ?3 ORDER BY sequence LIMIT 1",
		     "iii", collection_id, *sequence, last_sequence);
	if (r >= 0)
		r = db_next(tx->db, q);
	if (r <= 0)
		return r;
	*sequence = column_int(q, 0);
	*ret_batch_id = column_int(q, 1);
	return 1;
}

/* The visible rows behind a place, in order, batch by batch. */
struct walk {
	struct tx *tx;
	const struct collection_state *state;
	int64_t sequence;
	int64_t row_id;
	int (*found)(struct walk *walk, sqlite3_stmt *q); // 1: enough; (id, input_values, created_at)
	void *userdata;
};

static int walk_batch(struct walk *walk, int64_t batch_id)
{
	struct db *db = walk->tx->db;
	QUERY q = NULL;
	int r;

	r = db_query(db, &q, "SELECT id, input_values, created_at FROM template_variables"
			     " WHERE batch_id = ?1 AND id > ?2 ORDER BY id", "ii", batch_id,
		     walk->row_id);
	while (r >= 0 && (r = db_next(db, q)) > 0) {
		r = walk->found(walk, q);
		if (r != 0)
			break;
		walk->row_id = column_int(q, 0);
	}
	return r;
}

static int walk_rows(struct walk *walk)
{
	const struct collection_state *state = walk->state;
	int64_t batch_id, at = walk->sequence;
	int r;

	while ((r = rows_next_batch(walk->tx, state->id, state->last_sequence, &at, &batch_id)) > 0) {
		if (at != walk->sequence)
			walk->row_id = 0;
		walk->sequence = at;
		r = walk_batch(walk, batch_id);
		if (r != 0)
			return r;
		at++;
	}
	return r;
}

struct comparison {
	const char *const *rows;
	size_t n_rows;
	size_t n;
	bool equal;
};

static int compare_row(struct walk *walk, sqlite3_stmt *q)
{
	struct comparison *comparison = walk->userdata;
	int r;

	if (comparison->n == comparison->n_rows) {
		comparison->equal = false;
		return 1;
	}
	r = row_equal(comparison->rows[comparison->n++], column_peek(q, 1));
	comparison->equal = r > 0;
	return r < 0 ? r : r == 0;
}

int rows_equal(struct tx *tx, const struct collection_state *state, const char *const *rows,
	       size_t n_rows)
{
	struct comparison comparison = { .rows = rows, .n_rows = n_rows, .equal = true };
	struct walk walk = {
		.tx = tx,
		.state = state,
		.sequence = state->first_sequence + 1,
		.found = compare_row,
		.userdata = &comparison,
	};
	int r;

	if ((size_t)state->variables_count != n_rows)
		return 0;
	r = walk_rows(&walk);
	return r < 0 ? r : comparison.equal;
}

struct listing {
	struct page page;
	struct tx_list items;
	const char *defaults;
	const char *next_cursor;
};

static int list_row(struct walk *walk, sqlite3_stmt *q)
{
	struct listing *listing = walk->userdata;
	struct tx *tx = walk->tx;
	struct ellu_template_variables *row;
	int r;

	if (page_full(&listing->page, listing->items.n)) {
		listing->next_cursor = page_cursor(tx, &listing->page, walk->sequence, walk->row_id);
		return 1;
	}
	row = TX_RECORD(tx, struct ellu_template_variables);
	if (!row)
		return -ENOMEM;
	row->id = column_int(q, 0);
	row->created_at = column_int(q, 2);
	r = collection_fill(tx, listing->defaults, tx_text(tx, q, 1), &row->input_values);
	if (r < 0 || !row->input_values)
		return r < 0 ? r : -ENOMEM;
	listing->page.bytes += strlen(row->input_values);
	return tx_append(tx, &listing->items, row);
}

static int rows_page(struct tx *tx, const struct collection_state *state, struct listing *listing)
{
	struct walk walk = {
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
	return r < 0 ? r : walk_rows(&walk);
}

static int rows_list_run(struct tx *tx, struct store_request *request)
{
	struct rows_list *op = (struct rows_list *)request;
	const struct ellu_list_template_variables_request *arguments = op->arguments;
	struct ellu_list_template_variables_reply *reply =
		TX_RECORD(tx, struct ellu_list_template_variables_reply);
	struct listing listing = { 0 };
	struct collection_state state;
	int64_t id;
	int r;

	if (!reply)
		return -ENOMEM;
	r = resource_resolve(tx, RESOURCE_COLLECTION, &op->scope, arguments->collection, &id);
	if (r >= 0)
		r = collection_state(tx, id, &state);
	if (r >= 0)
		r = page_begin(tx, 'v', arguments->cursor, arguments->limit, &listing.page);
	if (r >= 0)
		r = rows_page(tx, &state, &listing);
	if (r < 0)
		return r;
	reply->items = tx_list_items(tx, &listing.items);
	reply->n_items = listing.items.n;
	reply->next_cursor = listing.next_cursor;
	if (arguments->count && *arguments->count)
		reply->count = tx_int_value(tx, state.variables_count);
	op->ret_reply = reply;
	return 0;
}

void store_rows_list(struct store *store, struct rows_list *op)
{
	tx_post(store, &op->request, STORE_POINT, rows_list_run);
}
