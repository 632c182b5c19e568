/*
 * The evaluators of an experiment: which they are, whether its rows have what they read, and the measures
 * that they are. A measure is all that decides a score but for the run's judge: the evaluator's version,
 * the variables of its use, and the configs that it names.
 */
#pragma once

#include "daemon/store/resources/evaluators/evaluator.h"
#include "daemon/store/runs.h"
#include "daemon/store/runs/run.h"

struct evaluator_uses {
	const struct ellu_evaluator_use *const *items;
	const struct ellu_evaluator *const *evaluators; // theirs
	size_t n;
};

/* Those of a request; NotFound. */
int uses_resolve(struct tx *tx, const struct scope *scope, const struct ellu_evaluator_use *const *items,
		 size_t n, struct evaluator_uses *ret_uses);
/* Those of a run, in its versions; of what is built in, as it is by now. */
int uses_of_run(struct tx *tx, int64_t run_id, struct evaluator_uses *ret_uses);
/* Appends their measures, made where they are missing. InvalidParameter of one that is there twice. */
int uses_measure(struct tx *tx, const struct place *place, const struct scope *scope,
		 const struct evaluator_uses *uses, struct tx_list *measures);

/* What a run has for their inputs. */
struct use_source {
	int64_t collection_id;
	bool former; // its columns may have gone since
	bool has_request;
	bool has_tools;
	bool generates; // so that more than the text of an answer is known
};
/* Fills `rejected`, unless it is filled, when one reads what is not there. */
int uses_check(struct tx *tx, const struct evaluator_uses *uses, const struct use_source *source,
	       struct fault *rejected);
