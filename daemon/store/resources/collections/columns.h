/* The columns of a collection: what they are called, what their cells may hold, and what stands in
 * them where a row says nothing. */
#pragma once

#include "daemon/store/resources/collections/collection_state.h"

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

/* The default values of columns that have one, as a JSON object; NULL when none has. */
int collection_defaults(struct tx *tx, int64_t id, const char **ret_defaults);
/* A row with the defaults filled in; the text itself when there is nothing to fill in. */
int collection_fill(struct tx *tx, const char *defaults, const char *input_values,
		    const char **ret_values);
int collection_has_column(struct tx *tx, int64_t id, const char *name); // 1 or 0
/* Fills `rejected`, unless it is filled, when that is no column. */
int collection_need_column(struct tx *tx, int64_t id, const char *field, const char *column,
			   struct fault *rejected);
