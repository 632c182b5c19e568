/*
 * Who is asked where one cannot answer: configs in the order of preference, each with its own retries and
 * parameters. One that cannot be shown what the messages show is left out; and so is, for the rest of the run,
 * one of which nothing can be had: no retry can mend it, or several calls did not reach it.
 *
 *	chain = (struct chain){ .models = models, .n = n };	// for each item
 *	model = chain_begin(&chain, &fault);			// is asked; NULL: none can be
 *	model = chain_go_on(&chain, asking, "Row 3");		// the call failed; NULL: there is no other
 *
 * What is asked next, and what becomes of what the failed call took, is for the item to say.
 */
#pragma once

#include "daemon/work/run/run.h"

#define CHAIN_WHAT_SIZE 1024 // the longest name, and what stands around it

/* A config that a run asks. */
struct model {
	const struct ellu_llm_config *config;
	struct llm_target *target;
	struct route *route;
	const char *identity; // of what decides its answers; NULL: they are not kept
	int n_unreached; // calls that did not reach it, before any did
	struct fault broken; // nothing can be had of it; code 0: not
};

/* The fault of a config that is none. */
int model_init(struct model *model, struct run *run, struct route *route,
	       const struct ellu_llm_config *config, const struct taken_today *taken, struct fault *fault);
void model_done(struct model *model); // a zeroed one too

/* The first in the order, from a place on, that is not known to be none; NULL: there is no such. */
const struct model *model_first(const struct model *models, const size_t *order, size_t n, size_t from);

/* The run's own config, and what is asked instead. */
struct answerers {
	struct model *items; // of the run's memory
	size_t n; // 0: no model answers
};
/* Once it is loaded, before run_begin(). `own` is the spec's config, or made of it. */
int answerers_init(struct answerers *answerers, struct run *run, const struct run_spec *spec,
		   const struct ellu_llm_config *own, struct fault *fault);
void answerers_done(struct answerers *answerers); // zeroed ones too
/* Sets their caps by what the run is tuned to; the kind's `tune` calls it. */
void answerers_tune(struct answerers *answerers, const struct run *run);

struct chain {
	struct model *models;
	const size_t *order; // positions among them; NULL: as they lie
	size_t n;
	size_t at; // who is asked
	bool reached; // one before was, and refused the item alone
	char first[256]; // what the first one failed by; empty: none has
};

/* Who is asked now; NULL: none is left. */
struct model *chain_model(const struct chain *chain);
/* The first who can be. NULL: none, by the fault of the last. */
struct model *chain_begin(struct chain *chain, struct fault *ret_fault);
/* Another could still be asked behind this one. */
bool chain_has_more(const struct chain *chain);
/* Notes why the call failed, and goes to the next one who can be shown its messages; the log says so, of
 * `what`. NULL: there is none; the call's fault then says what the first one failed by, too. */
struct model *chain_go_on(struct chain *chain, struct run_call *failed, const char *what);
