/*
 * Experiments whose answers a run compares. Its rows are those of the first; a row has a part for each epoch,
 * pair of experiments and order: what `part` of an evaluation says.
 */
#pragma once

#include "daemon/store/compared_part.h"
#include "daemon/store/runs/compare/sides.h"

struct compared {
	struct sides sides;
	size_t n_epochs;
	size_t n_parts;
};

/* What the run is pinned to. */
int compared_load(struct tx *tx, const struct run_row *run, struct compared *ret_compared);
/* What each has to the row, epoch by epoch; *bytes grows by what the texts take. */
int compared_answers(struct tx *tx, struct compared *compared, int64_t row_id,
		     const char *const **ret_answers, size_t *bytes);

/* In the place of an answer that the row cannot hold. */
extern const char compared_too_large[];
/* Whether both have an answer. */
bool compared_has(const struct compared *compared, const char *const *answers, size_t part);

int preferences_list(struct tx *tx, struct method_run *op); // ListPreferences
