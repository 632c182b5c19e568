/*
 * The evaluators of a run, pinned: the version of each, and with a snapshot what it may ask. Whatever kind
 * of task has them (an evaluator's or a judge's, a skill with its validators) pins them here.
 */
#pragma once

#include "daemon/store/engine/page.h"
#include "daemon/store/resources/evaluators/judge.h"
#include "daemon/store/runs/run.h"
#include "proto/task_kind.h"

/* Behind run_insert(), of the run's place. `instead` (or NULL) is asked in the place of what they name;
 * `scope` is who may name it. Of what a run already has, these come behind. */
int run_evaluators_pin(struct tx *tx, const struct run_row *run, const struct scope *scope,
		       const struct ellu_llm_config_in *instead,
		       const struct evaluator_list *evaluators, struct notes *notes);
/* The same of an experiment, whose judges are asked where an evaluator names no config; as they are said. */
int run_uses_pin(struct tx *tx, const struct run_row *run, const struct scope *scope,
		 struct ellu_llm_config *const *judges, size_t n_judges,
		 const struct ellu_evaluator *const *evaluators, size_t n);
/* A run takes over those of another. */
int run_uses_take_over(struct tx *tx, int64_t run_id, int64_t from_id);
/* The judge that they are of; what is returned stays as it was where there is none. */
int run_judge_load(struct tx *tx, int64_t run_id, int64_t *ret_id, const char **ret_name);
/* Into the spec: what they are and what they ask, with its keys. */
int run_evaluators_load(struct tx *tx, const struct run_row *run, struct run_spec *spec);

int batch_items_list(struct tx *tx, struct method_run *op); // ListBatchItems (evaluations.c)
/* A page of a task's rows with what was said of them (evaluations.c). */
struct evaluations_listing {
	enum task_kind kind;
	const char *expected; // what a task of that kind is
	char letter; // of its cursors
	int (*begin)(struct tx *tx, struct evaluations_listing *listing); // or NULL
	/* As page_add() of the row. */
	int (*add)(struct tx *tx, struct evaluations_listing *listing, int64_t row_id, const char *values);
	struct page page;
	struct run_row run; // of which there is none where the task was rejected
};
int evaluations_list(struct tx *tx, struct method_run *op, int64_t task_id, struct evaluations_listing *listing);
