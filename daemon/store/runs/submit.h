/*
 * A submission on its way through one transaction: check the request, resolve its parts, check
 * what the state says, pin the run, insert experiment and task. What the state shows wrong is
 * kept in `rejected` and ends as a REJECTED task, with the parts rolled back.
 */
#pragma once

#include "daemon/store/resources/collection.h"
#include "daemon/store/resources/notes.h"
#include "daemon/store/resources/row_set.h"
#include "daemon/store/runs/experiment.h"
#include "daemon/store/tasks.h"

/* What takes as long as the request is large: done before the writer has it. */
struct submit_input {
	struct row_set rows; // of the collection's content
	char hash[IDENTITY_SIZE]; // of the request; empty without an idempotency key
};

struct submission {
	struct tx *tx;
	struct experiment_submit *op;
	const struct ellu_run_experiment_request *arguments; // with defaults filled in
	struct scope scope; // the submitter's own rows
	struct place place;
	bool update;
	struct notes notes;
	struct submit_input *input;
	struct fault rejected; // code 0: not

	/* The parts; an id of 0: there is none. */
	struct run_row run; // `judge` is not filled in
	int64_t judge_config_id;
	struct ellu_prompt_template *template;
	struct collection_state collection;
	struct ellu_llm_config *config;
	struct ellu_llm_config *judge_config;
	const char *judge_field; // the part that named the judge
	struct tx_list measures; // struct run_measure

	bool is_new; // the experiment was not there before
	char identity[IDENTITY_SIZE];
	char answer_identity[IDENTITY_SIZE];
	int64_t source_id; // the newest that was asked the same; 0: none
};

/* submit_read.c */
int submit_read(struct tx *tx, const struct scope *scope,
		const struct ellu_run_experiment_request *arguments,
		struct submit_input **ret_input);

/* submit_check.c: what the request alone shows wrong. */
int submit_check_parts(struct submission *s);
int submit_check_again(struct submission *s);

/* submit_resolve.c: ids and records of the parts; then what the state shows wrong about them. */
int submit_resolve(struct submission *s);
int submit_check_state(struct submission *s);
/* A config can be spent; else the submission is rejected. */
int submit_check_config(struct submission *s, int64_t config_id, const char *part);

/* submit_pin.c */
int submit_pin(struct submission *s);
int submit_insert_experiment(struct submission *s, const char *name, int64_t family_number,
			     int64_t *ret_id);

/* submit_plan.c: what `submit` would do; it is taken back. */
int submit_plan(struct submission *s, int (*submit)(struct submission *s));
