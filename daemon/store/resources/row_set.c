#include "daemon/store/resources/row_set.h"

#include <errno.h>
#include <string.h>

#include "daemon/store/resources/identity.h"
#include "daemon/store/resources/rows.h"
#include "proto/limits.h"
#include "proto/utf8.h"

static bool is_name(const char *key)
{
	size_t size = strlen(key), length = utf8_length(key, size);

	for (size_t i = 0; i < size; i++)
		if ((unsigned char)key[i] < 0x20 || key[i] == 0x7f)
			return false;
	return length >= 1 && length <= NAME_MAX_CHARS;
}

struct reading {
	struct tx *tx;
	const char *path;
	json_object *seen; // its keys
	struct tx_list keys;
	int64_t *hashes;
	struct identity identity;
};

static int add_key(struct reading *reading, const char *key, size_t i)
{
	struct tx *tx = reading->tx;

	if (json_object_object_get_ex(reading->seen, key, NULL))
		return 0;
	if (!is_name(key))
		return fault_invalid(tx->fault, tx_printf(tx, "%s[%zu]", reading->path, i),
				     "keys of 1 to %d characters, none a control character",
				     NAME_MAX_CHARS);
	if (reading->keys.n == COLUMNS_MAX)
		return fault_invalid(tx->fault, reading->path, "at most %d different keys",
				     COLUMNS_MAX);
	if (json_object_object_add(reading->seen, key, NULL) < 0)
		return -ENOMEM;
	return tx_append(tx, &reading->keys, tx_strdup(tx, key));
}

static int identify(struct reading *reading, json_object *row, size_t i)
{
	char text[IDENTITY_SIZE];
	struct identity identity;
	int r;

	identity_init(&identity);
	r = identity_value(&identity, row);
	identity_done(&identity, text);
	identity_text(&reading->identity, text);
	reading->hashes[i] = identity_hash(text);
	return r;
}

static int read_row(struct reading *reading, const char *row, size_t i)
{
	struct tx *tx = reading->tx;
	json_object *json = tx_parse(row);
	int r = 0;

	if (!json_object_is_type(json, json_type_object))
		r = fault_invalid(tx->fault, tx_printf(tx, "%s[%zu]", reading->path, i), "an object");
	if (r >= 0) {
		json_object_object_foreach(json, key, value)
		{
			(void)value;
			r = add_key(reading, key, i);
			if (r < 0)
				break;
		}
	}
	if (r >= 0)
		r = identify(reading, json, i);
	json_object_put(json);
	return r;
}

int row_set_read(struct tx *tx, const char *const *rows, size_t n_rows, const char *path,
		 struct row_set *ret_set)
{
	struct reading reading = { .tx = tx, .path = path, .seen = json_object_new_object() };
	size_t bytes = 0;
	int r;

	identity_init(&reading.identity);
	reading.hashes = tx_array(tx, n_rows, sizeof(*reading.hashes));
	r = reading.seen && reading.hashes ? 0 : -ENOMEM;
	for (size_t i = 0; i < n_rows && r >= 0; i++) {
		bytes += strlen(rows[i]);
		r = bytes > ROWS_BYTES_MAX ? fault_too_large(tx->fault, ROWS_BYTES_MAX, path) :
					     read_row(&reading, rows[i], i);
	}
	json_object_put(reading.seen);
	if (r < 0)
		return r;
	*ret_set = (struct row_set){
		.rows = rows,
		.n_rows = n_rows,
		.keys = (const char *const *)reading.keys.items,
		.n_keys = reading.keys.n,
		.hashes = reading.hashes,
	};
	identity_done(&reading.identity, ret_set->identity);
	return 0;
}

/* ---- Comparing ---- */

struct comparison {
	const struct row_set *set;
	size_t n;
	bool equal;
};

static int compare_row(struct row_walk *walk, sqlite3_stmt *q)
{
	struct comparison *comparison = walk->userdata;
	int r;

	if (comparison->n == comparison->set->n_rows) {
		comparison->equal = false;
		return 1;
	}
	r = identity_json_equal(comparison->set->rows[comparison->n++], column_peek(q, 1));
	comparison->equal = r > 0;
	return r < 0 ? r : r == 0;
}

static int compare(struct tx *tx, const struct row_set *set, const struct collection_state *state)
{
	struct comparison comparison = { .set = set, .equal = true };
	struct row_walk walk = {
		.tx = tx,
		.state = state,
		.sequence = state->first_sequence + 1,
		.found = compare_row,
		.userdata = &comparison,
	};
	int r;

	if ((size_t)state->variables_count != set->n_rows)
		return 0;
	r = row_walk(&walk);
	return r < 0 ? r : comparison.equal;
}

int row_set_equal(struct tx *tx, struct row_set *set, const struct collection_state *state)
{
	struct row_comparison *compared = &set->compared;
	int r;

	if (compared->collection_id == state->id &&
	    compared->first_sequence == state->first_sequence &&
	    compared->last_sequence == state->last_sequence)
		return compared->equal;
	r = compare(tx, set, state);
	if (r >= 0)
		*compared = (struct row_comparison){ state->id, state->first_sequence,
						     state->last_sequence, r > 0 };
	return r;
}
