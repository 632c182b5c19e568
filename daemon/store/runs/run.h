/*
 * Runs as rows, and the responses that a run is about, in the order asked: all of its own, those of
 * its list, or those of another run that were there when it was submitted and that its filter lets
 * through.
 */
#pragma once

#include "daemon/store/resources/place.h"
#include "daemon/store/runs.h"

struct ellu_update_experiment_request;
struct experiment_row;

/* Responses and ratings that one transaction of a long walk looks at: a few milliseconds. */
#define RUN_STEP 2000

/* What the judge said in `g`, or who overruled it. */
#define RATING_VALUE                                                                            \
	"coalesce((SELECT p.value FROM ratings p WHERE p.response_id = g.response_id"           \
	" AND p.measure_id = g.measure_id AND p.judge_id IS NULL), g.value)"

/* Ids, limits and numbers of 0: there is none. */
struct run_row {
	int64_t id;
	int64_t owner_uid;
	int64_t project_id;
	int64_t prompt_template_id;
	int64_t collection_id;
	int64_t first_sequence; // the rows are in batches above this ...
	int64_t last_sequence; // ... up to this
	const char *rows_identity;
	int64_t row_limit;
	const char *column_defaults;
	const char *input_column; // or NULL
	const char *input_type; // its column's
	int64_t total_cases;
	int64_t n_epochs; // 0: it makes no responses
	int64_t config_id;
	const char *config_snapshot;
	const char *response_column;
	bool response_cache;
	bool batch;
	const char *tool_results;
	int64_t tool_rounds;
	const char *generation_params;
	const char *request;
	int64_t criterion_set_id;
	int64_t skill_id; // not read back
	int64_t judge_id;
	const char *rating_mode;
	const char *rating_version;
	int64_t source_run_id;
	const char *response_ids;
	const int64_t *filter_epoch; // NULL: any, here and below
	const int64_t *filter_measure_id;
	const int64_t *filter_judge_id;
	const int64_t *filter_value;
	int64_t last_response_id;
	int64_t last_rating_id;
	bool adopted; // its ratings are to be the source's own; not read back
	int64_t round;
	int64_t counters_stale;
	struct run_judge { // as its row says
		const char *name;
		int64_t config_id;
		const char *snapshot;
		const char *reduction; // of a panel; NULL: it is none
	} judge;
	const char *models[2][2]; // provider and name: that is asked, that judges
};

/* The row `v` of one of its batches was not removed when it was pinned; `last` is its last_sequence. */
#define ROW_IS_PINNED(last) "(v.removed_sequence IS NULL OR v.removed_sequence > " last ")"

int run_row_load(struct tx *tx, int64_t id, struct run_row *ret_row); // NotFound
/* What its cases are asked; what is pinned of it lives as long as the row. */
int run_prompt_load(struct tx *tx, const struct run_row *row, struct prompt *ret_prompt);
/* With its measures, and all but `judge` and `models` of the row. */
int run_insert(struct tx *tx, const struct run_row *row, const struct tx_list *measures,
	       int64_t *ret_id);
/* Counts it, in the transaction of what it was spent for. */
int run_spend_record(struct tx *tx, struct store_request *request, struct run_spend *op);
int costs_list(struct tx *tx, struct method_run *op); // ListCosts
/* It is to make more than it was pinned to: of an experiment, which is another one to who compares it. */
int run_add_epochs(struct tx *tx, int64_t run_id, int64_t n);
/* A row for what is counted of an epoch, which all but the first (or 0) have from when something is. */
int run_epoch_begin(struct tx *tx, int64_t run_id, int64_t epoch);
/* What a task works at; ids of 0: there is none. */
int run_of_task(struct tx *tx, int64_t task_id, int64_t *ret_run_id, int64_t *ret_experiment_id);
bool run_is_simulated(const struct run_row *row);
/* The snapshot, with what only says how answers are fetched taken from the config of today, and with what
 * was taken of that. */
int run_config_load(struct tx *tx, const struct run_row *row, const char *snapshot, int64_t config_id,
		    const char *field, const struct ellu_llm_config **ret_config,
		    struct taken_today *ret_taken);
/* Of one that answers, as it was loaded: all that decides an answer, and whose key it has. NULL where the run
 * keeps none. */
int run_config_identity(struct tx *tx, const struct run_row *row, const struct ellu_llm_config *config,
			const char **ret_identity);

/* Epochs, sums and the number of measures of a spec. */
int run_counters(struct tx *tx, int64_t run_id, struct run_spec *spec);

/* In the transaction that makes a task SUCCESS: nothing of its run is missing any more, and an
 * experiment that was rated again takes over judge, mode, version, criteria and verdicts. */
int run_succeeded(struct tx *tx, int64_t task_id);
