/*
 * Scoring: one input, by one evaluator. Every kind of run that has evaluators asks for their scores here:
 * a run's scorers are made once it is loaded, a struct scoring is started for each score that is wanted,
 * and its `done` called when it is had, or cannot be.
 *
 *	scorers_init(&run->scorers, &run->base, spec, &fault);	// once it is loaded, before run_begin()
 *	*scoring = (struct scoring){ .evaluator = &spec->evaluators[i], .done = on_scored, ... };
 *	scoring_start(scoring, &run->scorers, values);	// from `issue`, while run_may_spend() and
 *								// run_has_time()
 *
 * A model that cannot answer is followed by the next that the evaluator names. A model for embeddings is asked for those
 * of the two texts of an evaluator that compares them. Whatever goes wrong is the score's own
 * trouble: the run goes on.
 */
#pragma once

#include "daemon/work/run/chain.h"

/* The configs that evaluators of a run ask, by their positions in the spec. */
struct scorers {
	struct run *run;
	const struct run_spec *spec;
	struct model *items; // of the run's memory
	size_t n;
};

/* The fault of the first config that is none. */
int scorers_init(struct scorers *scorers, struct run *run, const struct run_spec *spec,
		 struct fault *fault);
void scorers_done(struct scorers *scorers); // zeroed ones too
/* Sets their caps by what the run is tuned to; the kind's `tune` calls it. */
void scorers_tune(struct scorers *scorers);
/* It asks no model, or has a config left that could answer. */
bool scorers_can_ask(const struct scorers *scorers, const struct run_evaluator *evaluator);
/* What of the evaluator's is asked next has room, or nothing is asked. */
bool scorers_have_room(const struct scorers *scorers, const struct run_evaluator *evaluator);
/* None of the run's evaluators has a config left that could answer; the fault is one's. */
bool scorers_are_broken(const struct scorers *scorers, struct fault *ret_fault);

struct scoring {
	const struct run_evaluator *evaluator;
	int64_t epoch; // that counts what it takes
	char key[40]; // what tells it from every other one
	/* Not called when the run ends over it: then the score is missing. */
	void (*done)(struct scoring *scoring);

	/* What came of it, until scoring_release(). */
	bool scored;
	double score; // 0..1
	const char *justification; // or NULL
	struct fault fault; // why there is no score
	const struct ellu_llm_config *config; // asked last; NULL: none was
	struct run_total total; // of all that was asked
	struct run_call asking; // the last of it: nothing of that is recorded yet, of those before all is

	struct scorers *scorers;
	const struct ellu_message *const *messages; // that ask for the score
	size_t n_messages;
	const char *texts[2]; // whose vectors are asked for instead, where the config's model makes some
	struct llm_embedding embedding;
	struct arena arena;
	size_t bytes; // of RUN_QUESTIONS
	struct chain chain; // of the evaluator's configs
};

/* `values` has the evaluator's inputs by their names. `done` may be called before
 * it returns. */
void scoring_start(struct scoring *scoring, struct scorers *scorers, json_object *values);
/* The same for one that has no values, for this reason: it is done at once. */
void scoring_refuse(struct scoring *scoring, struct scorers *scorers, int code, const char *why);
void scoring_release(struct scoring *scoring); // what it holds, not itself

/* What evaluators have for inputs, of a request whose method calls them by their names: its members, and
 * beside them its `variables`. -ENOMEM. */
int scoring_values(json_object *request, json_object **ret_values);

/* The record of what came of it; -ENOMEM. */
int scoring_result(const struct scoring *scoring, struct arena *arena,
		   const struct ellu_evaluator_result **ret_result);
