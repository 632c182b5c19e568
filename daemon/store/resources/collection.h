/* Collections and (columns.c) their columns. Rows are in rows.h. */
#pragma once

#include "daemon/store/resources/notes.h"
#include "daemon/store/resources/resource.h"

struct row_set;

extern const struct resource resource_collection;

struct collection_state {
	int64_t id;
	int64_t owner_uid;
	int64_t project_id;
	const char *name;
	const char *description;
	int64_t first_sequence; // visible: batches above this ...
	int64_t last_sequence; // ... up to this
	int64_t variables_count;
	const char *rows_identity; // of all that are visible, by value
	bool read_only;
	int64_t created_at;
	int64_t updated_at;
	int64_t next_position; // of a new column; -1: not looked up
	bool rows_fit; // the columns that are put: their types may change
};

int collection_state(struct tx *tx, int64_t id, struct collection_state *ret_state);
int collection_resolve(struct tx *tx, const struct scope *scope, const struct ellu_ref *ref,
		       struct collection_state *ret_state);
/* Rises with every change of the rows: either sequence, and neither falls. */
static inline int64_t collection_version(const struct collection_state *state)
{
	return state->first_sequence + state->last_sequence + 1;
}
/* Refuses what a read-only collection does not take. */
int collection_check_writable(struct tx *tx, const struct collection_state *state);

/* The default values of columns that have one, as a JSON object; NULL when none has. */
int collection_defaults(struct tx *tx, int64_t id, const char **ret_defaults);
/* A row with the defaults filled in; the text itself when there is nothing to fill in. */
int collection_fill(struct tx *tx, const char *defaults, const char *input_values,
		    const char **ret_values);
int collection_has_column(struct tx *tx, int64_t id, const char *name); // 1 or 0
/* Fills `rejected`, unless it is filled, when that is no column. */
int collection_need_column(struct tx *tx, int64_t id, const char *field, const char *column,
			   struct fault *rejected);

/* The distinct placeholders of texts, and which text has each first. */
struct placeholders {
	const char *names; // JSON array
	size_t *texts;
	size_t n;
};
int placeholders_of(struct tx *tx, const char *const *texts, size_t n_texts,
		    struct placeholders *ret_placeholders);
int placeholders_named(struct tx *tx, const char *const *names, size_t n_names,
		       struct placeholders *ret_placeholders); // these very ones
/* Fills `rejected`, unless it is filled, when one of them is no column, and with `former` never
 * was one: of `field`, or of its item of the text's number. */
int collection_need(struct tx *tx, int64_t id, bool former, const struct placeholders *needed,
		    const char *field, bool numbered, struct fault *rejected);
/* The same, with `former`, of some in a JSON array of collections: `n` of them, from the first on. */
int collections_need(struct tx *tx, const char *collection_ids, int64_t first, int64_t n,
		     const struct placeholders *needed, const char *field, bool numbered,
		     struct fault *rejected);

/* Of a collection, and the different keys of the rows of a request. */
#define COLUMNS_MAX 1000

/* Appends the columns as struct ellu_column. */
int collection_columns(struct tx *tx, int64_t id, struct tx_list *columns);
int collection_check_columns(struct tx *tx, const struct ellu_collection *content,
			     const char *path);
/* What is in a cell has to fit its column: types by name as a JSON object, of columns that say so. */
int collection_types(struct tx *tx, int64_t id, const char **ret_types);
/* The value of a cell, NULL for null. InvalidParameter of `path`, or of a field below it. */
int cell_check(const char *type, json_object *value, const char *path, struct fault *fault);
/* The column that needs no template, if there is one: 1, or 0. */
int collection_input(struct tx *tx, int64_t id, const char **ret_name, const char **ret_type);

/* Takes away the columns that are not in a JSON object of keys; those with a default value only if
 * they were `declared` by what goes, too. Where a run has pinned rows, they stay as former ones. */
int collection_retire_columns(struct tx *tx, struct collection_state *state, const char *keys,
			      bool declared);
/* Whether those of the content, if it says any, come first and as it has them. Where there are no rows
 * there are no others. */
int collection_has_columns(struct tx *tx, const struct collection_state *state,
			   const struct ellu_collection *content);
/* Makes it so. Conflict with the rows or another column. */
int collection_set_columns(struct tx *tx, struct collection_state *state,
			   const struct ellu_collection *content);
/* Refuses `field` where there are more than COLUMNS_MAX. */
int collection_check_count(struct tx *tx, int64_t id, const char *field);
/* Brings the columns to what rows with these keys need (row_set.h). Conflict when the columns are
 * others than those that the rows were checked by. */
int collection_add_columns(struct tx *tx, struct collection_state *state, const char *keys);

/* The rows of a content, which fit its own columns; `path` is the record's in the request. */
int collection_read_rows(struct tx *tx, const struct ellu_collection *content, const char *path,
			 struct row_set *ret_rows);

/* ---- Operations of methods ---- */

int collection_clear(struct tx *tx, struct method_run *op);
