/* Which of its configs answered, and how well, of a run that can fall back to others. */
#pragma once

#include "daemon/store/runs/responses/standing.h"
#include "daemon/store/runs/run_configs.h"

struct answered_by {
	struct answerer { // the run's own config, and the others
		const char *name;
		const char *model;
		int64_t responses;
		int64_t decided;
		int64_t successes; // that meet every criterion
	} items[1 + FALLBACKS_MAX];
	size_t n; // 0: it asks no other
};

/* Also to say who answered one response. */
int answered_by_begin(struct tx *tx, const struct run_row *run, struct answered_by *ret_answered_by);
/* Of a response without error, in the columns of a walk. */
void answered_by_count(struct answered_by *answered_by, sqlite3_stmt *q, bool success, bool decided);
int answered_by_tell(struct tx *tx, const struct answered_by *answered_by, struct ellu_experiment_results *results);
/* One of its responses comes to stand otherwise. */
int answered_by_adjust(struct tx *tx, struct ellu_experiment_results *results, const struct standing *before,
		       const struct standing *after);
