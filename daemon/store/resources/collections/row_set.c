#include "daemon/store/resources/collections/row_set.h"

#include <errno.h>
#include <string.h>

#include "daemon/store/resources/collections/columns.h"
#include "daemon/store/resources/collections/row_walk.h"
#include "daemon/store/resources/identity.h"
#include "proto/generated/interface.h"
#include "proto/json/json_build.h"
#include "proto/limits.h"
#include "proto/text/utf8.h"

static bool is_name(const char *key)
{
	size_t size = strlen(key), length = utf8_length(key, size);

	for (size_t i = 0; i < size; i++)
		if ((unsigned char)key[i] < 0x20 || key[i] == 0x7f)
			return false;
	return length >= 1 && length <= NAME_MAX_CHARS;
}

static const char *type_of(json_object *value)
{
	return value && !json_object_is_type(value, json_type_string) ? "json" : "text";
}

/* 1: the key is there, with that type or with `json`. */
static int add_type(json_object *keys, const char *key, const char *type)
{
	json_object *known;

	if (!json_object_object_get_ex(keys, key, &known))
		return json_object_object_add(keys, key, json_object_new_string(type)) < 0 ? -ENOMEM : 0;
	return strcmp(type, "json") == 0 && !json_object_set_string(known, type) ? -ENOMEM : 0;
}

/* ---- What they say by themselves ---- */

static int digest_keys(json_object *keys, json_object *row)
{
	int r = 0;

	json_object_object_foreach(row, key, value)
	{
		if (!json_object_object_get_ex(keys, key, NULL) &&
		    (!is_name(key) || json_object_object_length(keys) == COLUMNS_MAX))
			return -EINVAL;
		r = add_type(keys, key, type_of(value));
		if (r < 0)
			break;
	}
	return r;
}

static int digest_row(const char *text, json_object *keys, struct identity *all, int64_t *ret_hash)
{
	char hex[IDENTITY_SIZE];
	struct identity identity;
	json_object *row = NULL;
	int r = json_build(text, strlen(text), &row);

	if (r >= 0 && !json_object_is_type(row, json_type_object))
		r = -EINVAL;
	if (r >= 0)
		r = digest_keys(keys, row);
	identity_init(&identity);
	if (r >= 0)
		r = identity_value(&identity, row);
	json_object_put(row);
	identity_done(&identity, hex);
	identity_text(all, hex);
	*ret_hash = identity_hash(hex);
	return r;
}

static const struct row_digest *digest(const char *const *rows, size_t n_rows, struct arena *arena)
{
	struct row_digest *digest = arena_alloc(arena, sizeof(*digest));
	json_object *keys = json_object_new_object();
	struct identity identity;
	int r = digest && keys ? 0 : -ENOMEM;

	identity_init(&identity);
	if (r >= 0)
		digest->hashes = arena_array(arena, n_rows, sizeof(*digest->hashes));
	r = r >= 0 && digest->hashes ? 0 : -ENOMEM;
	for (size_t i = 0; i < n_rows && r >= 0; i++)
		r = digest_row(rows[i], keys, &identity, &digest->hashes[i]);
	if (r >= 0) {
		identity_done(&identity, digest->identity);
		digest->keys = arena_strdup(arena, json_text(keys, NULL));
	}
	json_object_put(keys);
	return r >= 0 && digest->keys ? digest : NULL;
}

const void *rows_digest(const void *request, struct arena *arena)
{
	const struct ellu_add_template_variables_request *arguments = request;

	return digest(arguments->variables, arguments->n_variables, arena);
}

/* ---- What the columns say to it ---- */

struct reading {
	struct tx *tx;
	const char *path;
	json_object *types; // that columns have; NULL: none has
	json_object *keys; // of the set
};

/* The type that its column has, or that its value would have. */
static int find_type(struct reading *reading, const char *key, json_object *value, size_t i,
		     const char **ret_type)
{
	json_object *type;
	int r = 0;

	*ret_type = type_of(value);
	if (!reading->types || !json_object_object_get_ex(reading->types, key, &type))
		return 0;
	if (strcmp(json_object_get_string(type), "text") != 0 || strcmp(*ret_type, "text") != 0)
		r = cell_check(json_object_get_string(type), value,
			       tx_printf(reading->tx, "%s[%zu].%s", reading->path, i, key),
			       reading->tx->fault);
	*ret_type = json_object_get_string(type);
	return r;
}

static int add_key(struct reading *reading, const char *key, json_object *value, size_t i)
{
	bool known = json_object_object_get_ex(reading->keys, key, NULL);
	struct tx *tx = reading->tx;
	const char *type;
	int r;

	if (!known && !is_name(key))
		return fault_invalid(tx->fault, tx_printf(tx, "%s[%zu]", reading->path, i),
				     "keys of 1 to %d characters, none a control character",
				     NAME_MAX_CHARS);
	r = find_type(reading, key, value, i, &type);
	if (r < 0)
		return r;
	if (!known && json_object_object_length(reading->keys) == COLUMNS_MAX)
		return fault_invalid(tx->fault, reading->path, "at most %d different keys",
				     COLUMNS_MAX);
	return add_type(reading->keys, key, type);
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
			r = add_key(reading, key, value, i);
			if (r < 0)
				break;
		}
	}
	json_object_put(json);
	return r;
}

/* Texts go into any column of texts, and new columns are as the rows are. */
static bool fits(const struct row_digest *digest, json_object *types)
{
	json_object *keys = tx_parse(digest->keys), *type;
	bool fits = true;

	if (!keys)
		return false;
	json_object_object_foreach(keys, key, of_rows)
	{
		fits = fits && (!types || !json_object_object_get_ex(types, key, &type) ||
				(strcmp(json_object_get_string(type), "text") == 0 &&
				 strcmp(json_object_get_string(of_rows), "text") == 0));
	}
	json_object_put(keys);
	return fits;
}

static int read_rows(struct reading *reading, const char *const *rows, size_t n_rows,
		     const char **ret_keys)
{
	int r = 0;

	reading->keys = json_object_new_object();
	if (!reading->keys)
		return -ENOMEM;
	for (size_t i = 0; i < n_rows && r >= 0; i++)
		r = read_row(reading, rows[i], i);
	*ret_keys = tx_strdup(reading->tx, json_text(reading->keys, NULL));
	json_object_put(reading->keys);
	return r;
}

int row_set_read(struct tx *tx, const char *types, const char *const *rows, size_t n_rows,
		 const char *path, const struct row_digest *digested, struct row_set *ret_set)
{
	struct reading reading = { .tx = tx, .path = path };
	const char *keys = NULL;
	size_t bytes = 0;
	int r = 0;

	for (size_t i = 0; i < n_rows; i++)
		bytes += strlen(rows[i]);
	if (bytes > ROWS_BYTES_MAX)
		return fault_too_large(tx->fault, ROWS_BYTES_MAX, path);
	if (!digested)
		digested = digest(rows, n_rows, tx->arena);
	reading.types = types ? tx_parse(types) : NULL;
	if (!reading.types && types)
		return -ENOMEM;
	if (digested && fits(digested, reading.types))
		keys = digested->keys;
	else
		r = read_rows(&reading, rows, n_rows, &keys);
	json_object_put(reading.types);
	if (r < 0 || !digested || tx->oom)
		return r < 0 ? r : -ENOMEM;
	*ret_set = (struct row_set){ .rows = rows, .n_rows = n_rows, .n_read = n_rows, .keys = keys,
				     .hashes = digested->hashes };
	memcpy(ret_set->identity, digested->identity, sizeof(ret_set->identity));
	return 0;
}

int keys_merge(struct tx *tx, const char *known, const char *more, const char **ret_keys)
{
	json_object *keys = tx_parse(known ? known : "{}"), *added = tx_parse(more);
	int r = keys && added ? 0 : -ENOMEM;

	if (r >= 0) {
		json_object_object_foreach(added, key, type)
		{
			if (r >= 0 && (strcmp(json_object_get_string(type), "json") == 0 ||
				       !json_object_object_get_ex(keys, key, NULL)))
				r = json_object_object_add(keys, key, json_object_get(type));
		}
	}
	if (r >= 0 && json_object_object_length(keys) > COLUMNS_MAX)
		r = fault_invalid(tx->fault, "variables", "at most %d different keys", COLUMNS_MAX);
	if (r >= 0)
		*ret_keys = tx_strdup(tx, json_text(keys, NULL));
	json_object_put(keys);
	json_object_put(added);
	return r < 0 ? r : tx->oom ? -ENOMEM : 0;
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

/* ---- Dropping ---- */

#define LOOKS 4000 // that one step takes: chunks of rows, and rows of one hash

/* Equal to an earlier one of the set? */
static int is_repeated(const struct row_set *set, size_t i)
{
	int r = 0;

	for (size_t k = 0; k < i && r == 0; k++)
		if (set->hashes[k] == set->hashes[i])
			r = identity_json_equal(set->rows[k], set->rows[i]);
	return r;
}

struct range {
	const struct collection_state *state;
	int64_t after_sequence;
	int64_t batch_id;
	int64_t first_chunk, last_chunk; // of rows, see template_variables_by_hash
	int looks; // that are left
};

/* 1: the collection has it. */
static int is_there(struct tx *tx, struct range *range, const struct row_set *set, size_t i)
{
	const struct collection_state *state = range->state;
	int r = 0;

	for (int64_t chunk = range->last_chunk; r == 0 && chunk >= range->first_chunk; chunk--) {
		QUERY q = NULL;

		range->looks--;
		r = db_query(tx->db, &q,
			     "SELECT v.input_values FROM template_variables v CROSS JOIN row_batches b"
			     " ON b.id = v.batch_id WHERE v.project_id = ?1 AND v.id >> 16 = ?2"
			     " AND v.hash = ?3 AND v.removed_sequence IS NULL AND b.collection_id = ?4"
			     " AND (b.id = ?5 OR (b.sequence > ?6 AND b.sequence <= ?7))",
			     "iiiiiii", state->project_id, chunk, set->hashes[i], state->id,
			     range->batch_id, range->after_sequence, state->last_sequence);
		while (r >= 0 && (r = db_next(tx->db, q)) > 0) {
			range->looks--;
			r = identity_json_equal(set->rows[i], column_peek(q, 0));
			if (r != 0)
				break;
		}
	}
	return r;
}

/* Where the batches in question may have their rows. */
static int find_chunks(struct tx *tx, struct range *range)
{
	int64_t id = 0;
	int r;

	r = db_int(tx->db, &range->last_chunk, "SELECT max(id) >> 16 FROM template_variables", "");
	if (r <= 0) {
		range->last_chunk = -1;
		return r;
	}
	/* Those that came meanwhile are few; all there are may be many. */
	if (range->after_sequence > range->state->first_sequence && !range->batch_id)
		r = db_int(tx->db, &id, "SELECT min((SELECT min(v.id) FROM template_variables v"
					"  WHERE v.batch_id = b.id)) FROM row_batches b"
					" WHERE b.collection_id = ?1 AND b.sequence > ?2",
			   "ii", range->state->id, range->after_sequence);
	range->first_chunk = id >> 16;
	return r;
}

static void drop(struct row_set *set, size_t i)
{
	const char **rows = (const char **)set->rows;
	size_t n = set->n_rows - i - 1;

	memmove(rows + i, rows + i + 1, n * sizeof(*rows));
	memmove(set->hashes + i, set->hashes + i + 1, n * sizeof(*set->hashes));
	set->n_rows--;
}

/* Its own array, which rows can be dropped from. */
static int own_rows(struct tx *tx, struct row_set *set)
{
	const char **rows = tx_array(tx, set->n_rows, sizeof(*rows));

	if (!rows)
		return -ENOMEM;
	memcpy(rows, set->rows, set->n_rows * sizeof(*rows));
	set->rows = rows;
	set->is_own = true;
	return 0;
}

/* Of the rows that are left. */
static int identify_again(struct row_set *set)
{
	struct identity whole, identity;
	char text[IDENTITY_SIZE];
	int r = 0;

	identity_init(&whole);
	for (size_t i = 0; r >= 0 && i < set->n_rows; i++) {
		identity_init(&identity);
		r = identity_json(&identity, set->rows[i]);
		identity_done(&identity, text);
		identity_text(&whole, text);
	}
	identity_done(&whole, set->identity);
	return r;
}

int row_set_deduplicate(struct tx *tx, struct row_set *set, const struct collection_state *state,
			int64_t after_sequence, int64_t batch_id, size_t *at)
{
	struct range range = { .state = state, .after_sequence = after_sequence, .batch_id = batch_id,
			       .looks = LOOKS };
	bool all = after_sequence < state->last_sequence || batch_id;
	int r = set->is_own ? 0 : own_rows(tx, set);

	if (r >= 0 && all)
		r = find_chunks(tx, &range);
	while (r >= 0 && *at < set->n_rows && range.looks > 0) {
		r = is_repeated(set, *at);
		if (r == 0 && all)
			r = is_there(tx, &range, set, *at);
		if (r > 0)
			drop(set, *at);
		else
			(*at)++;
	}
	if (r < 0 || *at < set->n_rows)
		return r < 0 ? r : 1;
	return set->n_rows < set->n_read ? identify_again(set) : 0;
}
