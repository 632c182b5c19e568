/* Projects. */
#pragma once

#include "daemon/store/resources/resource.h"

/* Of one user: each brings rows of its own. */
#define PROJECTS_MAX 1000

extern const struct resource resource_project;

/* Of whom a project is, who looks for things in it. NotFound. */
int scope_of_project(struct tx *tx, int64_t project_id, struct scope *ret_scope);
/* Of the judge's prompt, where a request says none. */
int project_rating_version(struct tx *tx, int64_t project_id, const char **ret_version);

/* ---- Operations of methods ---- */

int project_get(struct tx *tx, struct method_run *op);
/* A config of another project is refused, also when the scope may see it. */
int default_llm_config_set(struct tx *tx, struct method_run *op);
/* In chunks: first nothing can be found or made in it any more, then all that is in it is hidden; the
 * sweep goes on with that after a crash. */
int project_delete(struct tx *tx, struct method_run *op);
