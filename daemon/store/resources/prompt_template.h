/* Prompt templates: one row a version, which never changes. */
#pragma once

#include "daemon/store/resources/notes.h"
#include "daemon/store/resources/resource.h"

/* A Ref means the latest version of its name unless it says otherwise, and the very row when it
 * gives an id alone. */
extern const struct resource resource_prompt_template;

/* *ret_template points to a struct ellu_prompt_template. NotFound. */
int prompt_template_load(struct tx *tx, int64_t id, void *ret_template);

/* The content of a request: the version that it is; else, with `update`, the next version of its
 * name, or Conflict; else the first version. */
int prompt_template_put(struct tx *tx, const struct place *place,
			const struct ellu_prompt_template *content, bool update,
			struct notes *notes, int64_t *ret_id);
