/*
 * Experiments side by side: what each has to a case of the first one. Its response is that to the same
 * row or, where it was run over other rows, to one of the same values.
 */
#pragma once

#include "daemon/store/runs/experiment.h"

/* A criterion of one of the experiments, or an evaluator. */
struct measured {
	const struct run_measure *measure;
	const struct measured *first; // the first one's of the same text, or variables; or NULL
	int verdict; // of the present case: 1 YES, 0 NO, -1 none
	double score; // by an evaluator; -1: none
};

/* One of the experiments, and what it has to the present case. */
struct side {
	int64_t experiment_id;
	struct run_row run;
	struct measured *measured; // in the order of its criteria, and behind them of its evaluators
	size_t n; // criteria
	size_t n_evaluators;
	int64_t response_id; // 0: it has none
	bool failed;
};

struct sides {
	struct tx *tx; // of the present step
	struct side *items;
	size_t n;
	int64_t last_chunk; // of rows, see template_variables_by_hash
	int64_t left; // to look at in this step; less than that when a case took more
	/* The present case. */
	int64_t row_id;
	int64_t row_hash;
	int64_t epoch;
};

/* An evaluator with these variables, whatever its version. */
bool use_is(const struct ellu_evaluator_use *use, const char *name, const char *variables);

/* The experiments, each of which is to be there once. */
int sides_load(struct tx *tx, const struct scope *scope, const struct ellu_ref *const *refs, size_t n,
	       struct sides *ret_sides);
int sides_load_ids(struct tx *tx, const int64_t *ids, size_t n, struct sides *ret_sides);
/* Makes that of a response of the first one the present case. */
int sides_read(struct tx *tx, struct sides *sides, int64_t response_id);
/* Makes a row and an epoch of the first one the present case; nothing is said of verdicts. */
int sides_find(struct tx *tx, struct sides *sides, int64_t row_id, int64_t epoch);
/* Whether its response meets every criterion; -1: undecided, or there is none. */
int side_success(const struct side *side);
/* A row of the first one, as that ran over it. */
int sides_row(struct tx *tx, const struct sides *sides, int64_t row_id,
	      const struct ellu_template_variables **ret_row);
