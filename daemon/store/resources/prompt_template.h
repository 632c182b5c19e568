/* Prompt templates: one row a version, which never changes. */
#pragma once

#include "daemon/store/resources/notes.h"
#include "daemon/store/resources/project.h"

/* The version that a reference means: the latest of its name unless it says otherwise, and the
 * very row when it gives an id alone. NotFound. */
int prompt_template_resolve(struct tx *tx, const struct scope *scope, const struct ellu_ref *ref,
			    int64_t *ret_id);
int prompt_template_load(struct tx *tx, int64_t id, struct ellu_prompt_template **ret_template);

/* The content of a request: the version that it is; else, with `update`, the next version of its
 * name, or Conflict; else the first version. */
int prompt_template_put(struct tx *tx, const struct place *place,
			const struct ellu_prompt_template *content, bool update,
			struct notes *notes, int64_t *ret_id);
