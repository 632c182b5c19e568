/*
 * Who judges: a config with a way of asking, nobody (where checks decide), or a panel: several judges,
 * each asked by itself, whose verdicts come to the panel's, which is a rating like another.
 */
#pragma once

#include "daemon/store/engine/tx.h"
#include "daemon/store/resources/notes.h"
#include "daemon/store/resources/resource.h"
#include "proto/limits.h"

/* That of a run in which no model is asked. In others, what is checked goes with the model's. */
int judge_of_checks(struct tx *tx, const struct place *place, int64_t *ret_id);

struct panel_judge {
	int64_t id;
	const char *name; // its config's, as it was
	int64_t config_id;
	const char *snapshot; // of that
};

struct panel {
	const char *reduction; // majority or mean
	struct panel_judge judges[JUDGES_MAX];
	size_t n;
};

/* The judge of that config, or the panel of these, by a reduction (NULL: majority); made when it is
 * missing. */
int judges_put(struct tx *tx, const struct place *place, struct ellu_llm_config *const *configs, size_t n,
	       const char *rating_mode, const char *rating_version, const char *reduction, int64_t *ret_id);
/* Nobody named a judge of answers that were made elsewhere: says so if it is simulated. */
int judges_note_simulated(struct tx *tx, struct notes *notes, const struct ellu_llm_config *config);
/* What a request says of judges goes together. */
int judges_check(struct tx *tx, const void *one, const void *several, const char *reduction);
/* That config is none of these so far. */
int panel_check(struct tx *tx, struct ellu_llm_config *const *configs, size_t n, int64_t config_id);
/* Without judges: it is no panel. */
int panel_load(struct tx *tx, int64_t id, struct panel *ret_panel);
