/* Evaluators: one row a version, which never changes. */
#pragma once

#include "daemon/base/catalogue.h"
#include "daemon/store/resources/resource.h"

extern const struct resource resource_evaluator;

/* Of what several take together, which the writer reads at once. */
#define EVALUATORS_BYTES_MAX (2u * 1024 * 1024)
/* The same for one of several: adds what it takes to *bytes. TooLarge. */
int evaluator_resolve_next(struct tx *tx, const struct scope *scope, const struct ellu_ref *ref,
			   size_t *bytes, const struct ellu_evaluator **ret_evaluator);
/* The very version, deleted or not. `name` is that of one that has no row (id 0). */
int evaluator_load(struct tx *tx, int64_t id, const char *name,
		   const struct ellu_evaluator **ret_evaluator);
/* How it decides; NULL: by its prompt alone, as one of the user's own. */
const struct catalogue_entry *evaluator_built_in(struct tx *tx, const struct ellu_evaluator *evaluator);
/* InvalidParameter of what it scores and the record, which calls it by the same names, leaves out. `path`
 * is the record's in the request, with a dot; or empty. */
int evaluator_check_inputs(struct tx *tx, const struct ellu_evaluator *evaluator, const char *path,
			   const struct record_type *type, const void *record);

/* ---- Operations of methods ---- */

int evaluator_get(struct tx *tx, struct method_run *op);
int evaluators_list(struct tx *tx, struct method_run *op);
int evaluator_delete(struct tx *tx, struct method_run *op);
