/* The columns of a collection, for what keeps collections. */
#pragma once

#include "daemon/store/resources/collection.h"

/* Of a collection, and the different keys of the rows of a request. */
#define COLUMNS_MAX 1000

/* Appends the columns as struct ellu_column. */
int collection_columns(struct tx *tx, int64_t id, struct tx_list *columns);
int collection_check_columns(struct tx *tx, const struct ellu_collection *content,
			     const char *path);
/* Takes away the columns that are not in a JSON array of names; those with a default value only if
 * they were `declared` by what goes, too. Where a run has pinned rows, they stay as former ones. */
int collection_retire_columns(struct tx *tx, struct collection_state *state, const char *names,
			      bool declared);
/* A new one, or new type and default of an old one. */
int collection_put_column(struct tx *tx, struct collection_state *state,
			  const struct ellu_column *column);
