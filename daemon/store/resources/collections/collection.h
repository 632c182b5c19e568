/* Collections, as the resource that they are. */
#pragma once

#include "daemon/store/resources/collections/collection_state.h"
#include "daemon/store/resources/resource.h"

struct row_set;

extern const struct resource resource_collection;

int collection_resolve(struct tx *tx, const struct scope *scope, const struct ellu_ref *ref,
		       struct collection_state *ret_state);

/* The rows of a content, which fit its own columns; `path` is the record's in the request. */
int collection_read_rows(struct tx *tx, const struct ellu_collection *content, const char *path,
			 struct row_set *ret_rows);

/* ---- Operations of methods ---- */

int collection_clear(struct tx *tx, struct method_run *op);
