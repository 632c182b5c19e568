/* Judges, as users know them: evaluators under a name. What judges the answers of a run is another thing
 * (criterion.h). */
#pragma once

#include "daemon/store/resources/resource.h"

extern const struct resource resource_judge;

/* What a Ref names. NotFound. */
int judge_find(struct tx *tx, const struct scope *scope, const struct ellu_ref *ref,
	       struct ellu_judge **ret_judge);
