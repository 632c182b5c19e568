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
#include "daemon/store/submit/task_submit.h"

/* What takes as long as the request is large: done before the writer has it. */
struct submit_input {
	struct row_set rows; // of the collection's content
	char hash[IDENTITY_SIZE]; // of the request; empty without an idempotency key
};

struct submission {
	struct tx *tx;
	struct task_submit *op;
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

	struct experiment_row newest; // of the family; zeroed: none
	bool is_new; // the experiment was not there before
	char identity[IDENTITY_SIZE];
	char answer_identity[IDENTITY_SIZE];
	int64_t source_id; // the newest that was asked the same; 0: none
};

/* experiment_parts.c: ids and records of the parts; then what the state shows wrong about them; then
 * the pin, which the run and its experiment are made of. */
int parts_resolve(struct submission *s);
int parts_check(struct submission *s);
int parts_pin(struct submission *s);
int parts_insert(struct submission *s, const char *name, int64_t family_number, int64_t *ret_id);
