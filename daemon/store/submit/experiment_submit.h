/*
 * A submission on its way through one transaction: check the request, resolve its parts, check
 * what the state says, pin the run, insert experiment and task. What the state shows wrong is
 * kept in `rejected` and ends as a REJECTED task, with the parts rolled back.
 */
#pragma once

#include "daemon/store/resources/configs/panel.h"
#include "daemon/store/resources/notes.h"
#include "daemon/store/resources/collections/row_set.h"
#include "daemon/store/runs/experiment.h"
#include "daemon/store/submit/evaluator_uses.h"
#include "daemon/store/submit/task_submit.h"

/* What takes as long as the request is large: done before the writer has it. */
struct submit_input {
	void *template; // its content, prepared
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
	bool runs_later; // who makes it need not say how it comes to answers
	bool fits_criteria; // those of the request make a set of their own beside one that differs
	struct notes notes;
	struct submit_input *input;
	struct fault rejected; // code 0: not

	/* The parts; an id of 0: there is none. */
	struct run_row run; // `judge` is not filled in
	struct ellu_prompt_template *template;
	struct collection_state collection;
	struct ellu_llm_config *config;
	struct ellu_llm_config *fallbacks[FALLBACKS_MAX];
	int64_t fallback_ids[FALLBACKS_MAX];
	size_t n_fallbacks;
	struct ellu_llm_config *judge_configs[JUDGES_MAX];
	size_t n_judges;
	const char *judge_field; // the part that named the judge, or the first of them
	struct evaluator_uses uses;
	struct tx_list measures; // struct run_measure; of criteria, and behind them of evaluators

	struct experiment_row newest; // of the family; zeroed: none
	int64_t named_id; // the experiment that has the name; 0: it is free
	bool is_new; // the experiment was not there before
	char identity[IDENTITY_SIZE];
	char answer_identity[IDENTITY_SIZE];
	int64_t source_id; // the newest that was asked the same; 0: none
};

/* ---- experiment_submit.c ---- */

/* `input` is what was read. */
void submission_init(struct submission *s, struct tx *tx, struct task_submit *op,
		     struct submit_input *input);
/* The whole of RunExperiment. */
int submission_run(struct submission *s);
/* Of its place, what the parts alone show wrong, and who has the name. */
int submission_look(struct submission *s);
/* Resolved, checked, pinned. 1: rejected. */
int submission_pin(struct submission *s);
/* A new one of what is pinned: with its name, or the next of the family's. */
int submission_create(struct submission *s, int64_t *ret_id, const char **ret_name);
/* There is one of that name. */
int submission_conflict(struct submission *s);

/* Of a method that runs nothing, from the reader to the writer. */
struct prepared {
	struct task_submit submit; // as if RunExperiment had been called
	struct submit_input *input;
	struct trial *trial; // of a plan, once it was made and taken back
};
/* Away from the writer, to which the request goes on: as `op->request.state`. */
int submission_prepare(struct tx *tx, struct method_run *op,
		       struct ellu_run_experiment_request *run);

/* experiment_parts.c: ids and records of the parts; then what the state shows wrong about them; then
 * the pin, which the run and its experiment are made of. */
int parts_resolve(struct submission *s);
int parts_check(struct submission *s);
int parts_pin(struct submission *s);
int parts_insert(struct submission *s, const char *name, int64_t family_number, int64_t *ret_id);
