/* Judges, as users know them: evaluators under a name. What judges the answers of a run is another thing
 * (criterion.h). */
#pragma once

#include "daemon/store/resources/resource.h"

extern const struct resource resource_judge;

/* What scores together: one evaluator, or those of a judge. */
struct evaluator_list {
	const struct ellu_evaluator **items;
	size_t n;
	int64_t judge_id; // 0: none
	int64_t config_id; // asked where neither an evaluator nor the project names one; 0: the project's default
};
/* Of one of both, the other is NULL. NotFound. */
int evaluators_find(struct tx *tx, const struct scope *scope, const struct ellu_ref *evaluator,
		    const struct ellu_ref *judge, struct evaluator_list *ret_list);
