/*
 * A submission that rates, on its way through one transaction: check the request, find the
 * responses and the experiment whose habits hold, resolve criteria and judge, pin all of it. What
 * the state shows wrong is kept in `rejected` and ends as a REJECTED task, with the parts rolled
 * back.
 */
#pragma once

#include "daemon/store/resources/collection.h"
#include "daemon/store/resources/notes.h"
#include "daemon/store/tasks/task_submit.h"

/* What a reader does before the writer gets the request: of a list, each response is looked for.
 * Responses stay, and stay whose they are. */
struct rating_input {
	char hash[IDENTITY_SIZE];
	const char *response_ids; // JSON array, or NULL
	const char *experiment_ids; // of these responses; JSON array, or NULL
	const char *collection_ids; // of those
	int64_t n_collections;
	int64_t n_checked; // of the collections
	struct placeholders needed; // by the criteria; each collection must have them
	struct fault rejected; // code 0: they have
};

struct rating_submission {
	struct tx *tx;
	struct rating_submit *op;
	struct rating_input *input;
	struct ellu_rate_responses_request a; // either method's, absent members NULL
	bool adopt;
	struct scope scope; // the submitter's own rows
	struct place place;
	struct notes notes;
	struct fault rejected; // code 0: not

	/* The experiment asked for, or that of the first response. */
	struct rating_origin {
		int64_t id;
		const char *name;
		int64_t task_id; // its latest; 0: none
		int64_t set_id; // 0: none, here and below
		int64_t judge_id;
		int64_t judge_config_id;
		int64_t config_id;
		const char *judge_snapshot;
		const char *rating_mode;
		const char *rating_version;
	} origin;

	const char *name;
	int64_t filter_measure_id; // 0: none
	int64_t last_response_id;
	int64_t total_responses; // as far as it is known

	int64_t set_id;
	struct tx_list measures; // struct run_measure
	int64_t judge_config_id;
	const char *judge_field;
	int64_t judge_id;
};

/* rating_asked.c: which responses. Errors of the request. */
int rating_look(struct rating_submission *s); // fills `input`
int rating_check_listed(struct rating_submission *s); // the same; 1: there is more to look at
int rating_find_responses(struct rating_submission *s);

/* rating_resolve.c: by which criteria, by whose judgement. */
int rating_resolve(struct rating_submission *s);
