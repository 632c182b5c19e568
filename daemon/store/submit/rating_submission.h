/*
 * A submission that rates, on its way through one transaction: check the request, find the
 * responses and the experiment whose habits hold (rated_responses.c), resolve criteria and judge, pin all
 * of it (rating_submit.c). What the state shows wrong is kept in `rejected` and ends as a REJECTED task,
 * with the parts rolled back.
 */
#pragma once

#include "daemon/store/resources/configs/panel.h"
#include "daemon/store/resources/collections/placeholders.h"
#include "daemon/store/runs/experiment.h"
#include "daemon/store/submit/evaluator_uses.h"
#include "daemon/store/submit/task_submit.h"
#include "proto/generated/interface.h"

/* What a reader does before the writer gets the request: of a list, each response is looked for.
 * Responses stay, and stay whose they are. */
struct rating_input {
	char hash[IDENTITY_SIZE];
	const char *response_ids; // JSON array, or NULL
	const char *run_ids; // of these responses; JSON array, or NULL
	const char *collection_ids; // of those
	int64_t n_collections;
	int64_t n_checked; // of the collections
	struct placeholders needed; // by the criteria; each collection must have them
	struct fault rejected; // code 0: they have
};

struct rating_submission {
	struct tx *tx;
	struct task_submit *op;
	struct rating_input *input;
	struct ellu_rate_responses_request a; // either method's, absent members NULL
	bool adopt;
	const struct ellu_evaluator_use *const *evaluators; // of the request; NULL: the experiment's
	size_t n_evaluators;
	bool own; // the responses are listed, and judged as their experiment is
	struct scope scope; // the submitter's own rows
	struct place place;
	struct notes notes;
	struct fault rejected; // code 0: not

	/* The experiment asked for, or that of the first response, and its run. */
	struct experiment_row experiment;
	struct run_row origin;

	const char *name;
	struct run_row run; // that is made; `judge` is not filled in
	struct evaluator_uses uses;
	struct tx_list measures; // struct run_measure; of criteria, and behind them of evaluators
	int64_t judge_config_id; // of a single one
	bool is_judge_of_project; // as nobody else names one
	struct ellu_llm_config *judges[JUDGES_MAX]; // as they are pinned
	size_t n_judges;
	const char *judge_field;
};

/* Before the writer has it: checks the request, and looks for each response of a list. */
int rated_look(struct rating_submission *s);
/* Whether the collections of those that are listed have what the criteria need. 1: there are more. */
int rated_check_listed(struct rating_submission *s);
/* In the writer: the experiment and its run. */
int rated_find(struct rating_submission *s);
