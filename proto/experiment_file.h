/* What the fields of RunExperiment are called in an experiment file, and which are not for it. */
#pragma once

/* What the command itself decides; a file that says it would be ignored or would surprise. */
#define EXPERIMENT_FILE_RESERVED                                                       \
	"project", "experiment", "row_limit", "idempotency_key", "detach",            \
		"cancel_on_disconnect", "min_interval_seconds", "update_existing", "run_afresh"

#define EXPERIMENT_FILE_METHOD "RunExperiment"

/* The JSON schema of it. */
extern const char experiment_schema[];
