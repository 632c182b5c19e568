/* Skills: one row a version, which never changes. What it refers to is found again when it runs. */
#pragma once

#include "daemon/store/resources/resource.h"

/* As those of prompt templates: the latest version of a name, or the very row. */
extern const struct resource resource_skill;

/* *ret_skill points to a struct ellu_skill. NotFound. */
int skill_load(struct tx *tx, int64_t id, void *ret_skill);

/* ---- Operations of methods ---- */

int skills_list(struct tx *tx, struct method_run *op);
int skill_delete(struct tx *tx, struct method_run *op);
