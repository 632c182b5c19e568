/* Criteria in sets, the measures that runs judge by, and the judges. */
#pragma once

#include "daemon/store/resources/notes.h"
#include "daemon/store/resources/resource.h"
#include "daemon/store/runs.h"

extern const struct resource resource_criterion_set;

/* A set with exactly these texts: what exists and is equal, else what exists brought to them
 * (with `update`) or Conflict, else a new one. The same text is the same criterion. */
int criterion_set_put(struct tx *tx, const struct place *place, const char *name,
		      const char *const *texts, size_t n_texts, bool update, struct notes *notes,
		      int64_t *ret_id);

/* Inline criteria of a request, or NULL: instead of a set, none blank, and their set can be named
 * after `name`, if there is one. */
int criteria_check(struct tx *tx, const char *name, const char *const *texts, size_t n_texts,
		   const struct ellu_ref *set);
/* Of NAME criteria, NAME criteria #2, ... the one that is equal, or a new one. */
int criterion_set_fit(struct tx *tx, const struct place *place, const char *name,
		      const char *const *texts, size_t n_texts, int64_t *ret_id);

/* Measures of the set's present criteria, made where they are missing; struct run_measure. */
int criterion_set_measures(struct tx *tx, int64_t set_id, struct tx_list *measures);

/* Their texts, in that order. */
int measures_texts(struct tx *tx, const struct tx_list *measures, const char *const **ret_texts);

/* The measures that a run is pinned to, in order; struct run_measure. */
int run_measures(struct tx *tx, int64_t run_id, struct tx_list *measures);

/* The judge of that config, mode and version; made when it is missing. */
int judge_put(struct tx *tx, const struct place *place, const struct ellu_llm_config *config,
	      const char *rating_mode, const char *rating_version, int64_t *ret_id);
