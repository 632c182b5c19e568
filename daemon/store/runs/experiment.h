/* Experiments as rows and records, and what one is pinned to as one value. */
#pragma once

#include "daemon/store/resources/identity.h"
#include "daemon/store/resources/resource.h"
#include "daemon/store/runs/run.h"

extern const struct resource resource_experiment;

/* Ids of 0: there is none. */
struct experiment_row {
	int64_t id;
	int64_t owner_uid;
	int64_t project_id;
	const char *name;
	const char *family;
	int64_t family_number;
	const char *description;
	int64_t run_id;
	const char *answer_identity;
	int64_t source_experiment_id;
	int64_t taken_over_responses;
	int64_t taken_over_ratings;
	int64_t task_id; // the latest
	const char *results;
	int64_t created_at;
	int64_t updated_at;
	const char *task_status; // of the latest
	int64_t live_task_id; // of any kind
	const char *live_status;
	bool deleted;
};

int experiment_row_load(struct tx *tx, int64_t id, struct experiment_row *ret_row); // NotFound
int experiment_row_resolve(struct tx *tx, const struct scope *scope, const struct ellu_ref *ref,
			   struct experiment_row *ret_row);
/* The one whose responses the run makes: 1, or 0. */
int experiment_row_of_run(struct tx *tx, int64_t run_id, struct experiment_row *ret_row);
/* The run behind a reference to an experiment. */
int experiment_run_resolve(struct tx *tx, const struct scope *scope, const struct ellu_ref *ref,
			   struct run_row *ret_run);
/* Conflict while a task works at it. */
int experiment_check_idle(struct tx *tx, const struct experiment_row *row);

/* Those that are to be put side by side: each once. */
int experiments_resolve(struct tx *tx, const struct scope *scope, const struct ellu_ref *const *refs,
			size_t n, int64_t *ret_ids);
int experiments_compare(struct tx *tx, struct method_run *op); // CompareExperiments
int compared_cases_list(struct tx *tx, struct method_run *op); // ListComparedCases
int flaky_rows_list(struct tx *tx, struct method_run *op); // ListFlakyRows
int judge_agreement(struct tx *tx, struct method_run *op); // GetJudgeAgreement

/* *ret_experiment points to a const struct ellu_experiment. NotFound. */
int experiment_load(struct tx *tx, int64_t id, void *ret_experiment);

/* The method: name and description; what has not been asked yet can be asked otherwise. */
int experiment_update(struct tx *tx, struct method_run *op);

/* Equal for runs of what, with a row and an epoch, decides an answer. `config` is the run's, or NULL. */
int experiment_answer_identity(struct tx *tx, const struct run_row *run,
			       const struct ellu_llm_config *const *configs, size_t n,
			       char ret_identity[static IDENTITY_SIZE]);
/* Equal for runs that would bring the same: that, and by what it is judged. `measures`: struct
 * run_measure. */
void experiment_identity(const struct run_row *run, const char *answer_identity,
			 const struct tx_list *measures, char ret_identity[static IDENTITY_SIZE]);
