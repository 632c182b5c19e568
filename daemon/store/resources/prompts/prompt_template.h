/* Prompt templates: one row a version, which never changes. */
#pragma once

#include "daemon/store/resources/resource.h"

/* A Ref means the latest version of its name unless it says otherwise, and the very row when it
 * gives an id alone. */
extern const struct resource resource_prompt_template;

/* *ret_template points to a struct ellu_prompt_template. NotFound. */
int prompt_template_load(struct tx *tx, int64_t id, void *ret_template);

/* That `variables`, the text of an object or NULL, has a value for each of its placeholders: else
 * InvalidParameter. */
int prompt_template_check_values(struct tx *tx, const struct ellu_prompt_template *template,
				 const char *variables);

/* ---- Operations of methods ---- */

int prompt_templates_list(struct tx *tx, struct method_run *op);
int prompt_template_new_version(struct tx *tx, struct method_run *op);
int prompt_template_delete(struct tx *tx, struct method_run *op);
int prompt_template_render(struct tx *tx, struct method_run *op);
