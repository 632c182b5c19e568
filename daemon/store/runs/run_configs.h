/*
 * Configs that a run may ask beside its own, pinned: those that answer where that one cannot, and those that
 * its evaluators name.
 */
#pragma once

#include "daemon/store/resources/resource.h"
#include "daemon/store/runs/run.h"

enum asked {
	ASKED_BY_EVALUATORS,
	ASKED_INSTEAD, // of the run's own
};

/* Its own one's snapshot, by its id: before the run is inserted. */
int run_own_config_pin(struct tx *tx, struct run_row *run);
/* A snapshot, at that position: of what the record says, or of the config as it is. */
int run_config_put(struct tx *tx, const struct run_row *run, enum asked asked, size_t position,
		   const struct ellu_llm_config *config);
int run_config_pin(struct tx *tx, const struct run_row *run, enum asked asked, size_t position, int64_t id);
/* Those to be asked instead of the run's own, or without one, each once. */
int run_fallbacks_pin(struct tx *tx, const struct run_row *run, const int64_t *ids, size_t n);
/* Ids of the evaluators', by position. */
int run_configs_ids(struct tx *tx, int64_t run_id, int64_t ret_ids[static RUN_CONFIGS_MAX], size_t *ret_n);
/* All, in no order that matters: each is called for. */
int run_configs_each(struct tx *tx, int64_t run_id, int (*each)(void *userdata, enum asked asked, int64_t id),
		     void *userdata);
/* Into the spec, with keys. */
int run_configs_load(struct tx *tx, const struct run_row *run, struct run_spec *spec);
/* Its own one and those that answer instead, as they were pinned, with their ids. */
int run_answerers_load(struct tx *tx, const struct run_row *run,
		       const struct ellu_llm_config *ret_configs[static 1 + FALLBACKS_MAX], size_t *ret_n);
/* What those that answer are called, and their models, as they were pinned: arrays of `ret_n`. */
struct run_fallback {
	int64_t config_id;
	const char *name;
	const char *model;
};
int run_fallbacks_list(struct tx *tx, int64_t run_id, struct run_fallback ret_fallbacks[static FALLBACKS_MAX],
		       size_t *ret_n);
