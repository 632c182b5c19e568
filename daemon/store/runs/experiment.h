/* Experiments as records. */
#pragma once

#include "daemon/store/resources/project.h"

int experiment_load(struct tx *tx, int64_t id, const struct ellu_experiment **ret_experiment);

/* What reading responses and ratings of an experiment needs of its pin. */
struct experiment_pin {
	int64_t id;
	int64_t judge_id; // 0: none
	int64_t prompt_template_id; // 0: none
	int64_t collection_id;
	int64_t first_sequence; // the rows are in batches above this ...
	int64_t last_sequence; // ... up to this
	int64_t total_cases; // and they are so many
	const char *column_defaults;
	const char *config_snapshot;
};
int experiment_pin(struct tx *tx, const struct scope *scope, const struct ellu_ref *ref,
		   struct experiment_pin *ret_pin);
