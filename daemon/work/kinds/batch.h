/*
 * Rows that are scored in parts, each an evaluator's word on something about the row: what the kinds
 * `batch_evaluation` and `preference` have in common. What is recorded is not asked for again; an item's
 * trouble is its own.
 */
#pragma once

#include "daemon/work/judging/scoring.h"

struct batch_item;
struct batch_run;

/* What a kind says of its parts. */
struct batch_parts {
	/* Once it is loaded: how many a row has. 0 with the fault: nothing can be scored. */
	size_t (*count)(struct batch_run *run, struct fault *fault);
	const struct run_evaluator *(*evaluator)(const struct batch_run *run, size_t part);
	/* What is kept of a row while it is open, and what of that the part's evaluator is given; NULL without
	 * memory. */
	json_object *(*read)(struct batch_run *run, const struct run_case *row);
	/* An object; or a text: it has none, for being too large. */
	json_object *(*inputs)(const struct batch_run *run, json_object *kept, size_t part);
	/* Asks for what all of it came to. */
	void (*results)(struct store *store, struct evaluation_results *op);
	bool summed; // scores of a part, over all rows
	bool compares; // it needs the answers of experiments
};

struct batch_run {
	struct run base;
	const struct batch_parts *parts;
	size_t n_parts;
	struct scorers scorers;
	struct cases_page page;
	bool asked; // for the page
	bool there; // it is
	size_t next; // of its cases
	struct case_cursor cursor;
	bool read_all;
	int64_t window;
	struct batch_item *starting; // has scores left to start; or NULL
	struct batch_item *newest; // of all that are open
	struct fault last; // why something has no score
	struct evaluation_results results;
};

static inline const struct run_spec *batch_spec(const struct batch_run *run)
{
	return run->base.spec;
}

/* The functions of a kind whose struct begins with a struct batch_run; its own calls `batch_begin` with
 * what its parts are. */
int batch_begin(struct run *base, const struct batch_parts *parts, struct fault *fault);
bool batch_issue(struct run *base);
void batch_tune(struct run *base);
void batch_conclude(struct run *base);
/* FAILURE, since nothing has a score. */
void batch_end_failed(struct run *base, const char *otherwise);
void batch_free(struct run *base);
