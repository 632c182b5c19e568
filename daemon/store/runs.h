/*
 * Operations of a run, an experiment's or one that only rates: what was pinned, which cases miss
 * something, recording answers and verdicts, aggregating them. What is missing is pinned minus
 * recorded, where an error of an earlier round does not count as recorded.
 */
#pragma once

#include "daemon/base/sha256.h"
#include "daemon/store/engine/method.h"
#include "elluminate-types.h"
#include "proto/limits.h"
#include "proto/content/template.h"

/* A criterion as a run judges it, or an evaluator that scores. The criteria come first. */
struct run_measure {
	int64_t id; // measures.id
	int64_t criterion_id; // 0: an evaluator, whose name is the text
	const char *text;
	const char *label; // or NULL
	const struct ellu_check *check; // NULL: the judge decides
	const struct ellu_evaluator_use *use; // of an evaluator, or NULL
	bool by_judge; // which asks the run's; of criteria, all but checks do
};

struct run_epoch {
	int64_t epoch; // 0: what a run rates that makes no responses
	int64_t total;
	int64_t generated; // responses recorded, failed ones included
	int64_t rated; // responses with every criterion decided or failed
	int64_t failed; // responses recorded as failed
	int64_t ratings; // recorded, failed ones included
	int64_t decided, yes; // of those
};

/* Which of the epochs progress tells of: the last that have begun, where there are many. */
static inline size_t run_epochs_told(const struct run_epoch *epochs, size_t n, size_t *ret_first)
{
	while (n > EPOCHS_TOLD_MAX && !epochs[n - 1].generated)
		n--;
	*ret_first = n > EPOCHS_TOLD_MAX ? n - EPOCHS_TOLD_MAX : 0;
	return n;
}

/* Answers and verdicts that are due, and how many of them there are. A response that failed has no
 * ratings to wait for; those of epoch 0 were there before. */
struct run_units {
	int64_t due;
	int64_t recorded;
};
static inline struct run_units run_epoch_units(const struct run_epoch *epoch,
					       int64_t n_measures)
{
	struct run_units units = { .due = epoch->total * n_measures };

	units.recorded = epoch->ratings + epoch->failed * n_measures;
	if (epoch->epoch > 0) {
		units.due += epoch->total;
		units.recorded += epoch->generated;
	}
	/* Others may have rated what this run is done with. */
	if (epoch->rated >= epoch->total || units.recorded > units.due)
		units.recorded = units.due;
	return units;
}

static inline double run_units_percent(struct run_units units)
{
	return units.due > 0 ? 100.0 * (double)units.recorded / (double)units.due : 100.0;
}

/* What a user has taken of a config, before the daemon began. */
struct taken_today {
	int64_t day; // since 1970, of UTC; 0: its config allows whatever is asked
	int64_t requests;
	int64_t tokens;
};

/* What a project may spend on a day, and has, as far as that is recorded. */
struct daily_budget {
	bool limited;
	int64_t limit; // nanodollars
	int64_t spent;
	int64_t day; // of UTC, since 1970
};

/* A config that a run may ask beside its own. */
struct run_config {
	const struct ellu_llm_config *config; // api_key filled
	struct taken_today taken;
	const char *identity; // of all of it that decides an answer; NULL: none is kept
};
#define RUN_CONFIGS_MAX 16

/* An evaluator as a run is pinned to it. */
struct run_evaluator {
	const struct ellu_evaluator *evaluator;
	const char *function; // that decides it without a model; or NULL
	bool embeddings; // a model for those compares its two inputs
	const size_t *configs; // of run_spec, in the order of preference
	size_t n_configs;
	size_t n_judges; // of a run, each of which scores: the first configs; 0: it scores once
};
#define RUN_EVALUATORS_MAX 32

/* A model that judges. */
struct run_judge_spec {
	int64_t id;
	const struct ellu_llm_config *config; // api_key filled
	struct taken_today taken;
};

/* A pinned run: snapshots, with key, limits and URL of the live configs. One that rates has no
 * template and no config, and one epoch, 0: its cases all have their response. */
struct run_spec {
	int64_t run_id;
	bool rates; // what is there; it makes no responses
	bool adopt; // an experiment takes the verdicts over
	bool uncounted; // the counters are not what is recorded: store_run_count()
	bool takes_over; // earlier ones may have answers for it: store_run_take_over()
	int64_t taken_over_responses; // from them
	int64_t taken_over_ratings;
	int64_t round;
	int64_t owner_uid;
	int64_t project_id;
	struct prompt prompt; // empty: responses come from a column
	const char *response_column; // or NULL
	bool batch; // cases are given to the provider as batches
	const char *tool_results; // the column that has them; or NULL
	int64_t tool_rounds;
	const struct ellu_llm_config *config; // NULL with response_column; api_key filled
	const struct run_config *fallbacks; // that answer where that one cannot, in this order
	size_t n_fallbacks;
	const struct run_judge_spec *judges; // that are asked; of several, the verdict is the panel's
	size_t n_judges;
	struct taken_today taken; // of the config
	const char *config_identity; // of all of it that decides an answer; NULL: none is kept
	const struct ellu_generation_params *generation_params; // or NULL
	const char *request; // of a run of one item: JSON of the method's parameters; or NULL
	int64_t judge_id; // whose verdicts count
	bool detailed;
	const char *rating_version;
	const struct run_measure *measures;
	size_t n_measures;
	const struct run_evaluator *evaluators;
	size_t n_evaluators;
	int64_t evaluators_judge_id; // that they are of; 0: none
	const char *evaluators_judge; // its name
	const struct run_config *configs; // that those ask
	size_t n_configs;
	const struct run_epoch *epochs;
	size_t n_epochs;
	int64_t total_responses;
	int64_t input_tokens; // recorded so far, ratings' included
	int64_t output_tokens;
	int64_t cost_nanodollars; // -1: no price was known
	struct daily_budget today; // the project's
};

/* Who pays for a call, and for what; without a config nobody. */
struct spend_source {
	int64_t owner_uid;
	int64_t project_id;
	int64_t llm_config_id;
	const char *model; // lives until the answer
};

/* What was spent on it. The source is filled by who records, the rest by the store. */
struct spent {
	struct spend_source source;
	int64_t calls;
	int64_t unpriced_calls;
	int64_t input_tokens; // -1: unknown, here and below
	int64_t cached_tokens;
	int64_t output_tokens;
	int64_t cost_nanodollars;
	struct daily_budget ret_today; // of the project, with `calls`
};

/* The run of a task. */
struct run_load {
	struct store_request request;
	int64_t task_id;
	const struct run_spec *ret_spec;
};
void store_run_load(struct store *store, struct run_load *op);

/* Makes the counters say what is recorded, which then moves them on. Needed where a run begins
 * with what others recorded, or where errors became missing. */
struct run_count {
	struct store_request request;
	const struct run_spec *spec;
};
void store_run_count(struct store *store, struct run_count *op);

/* Where a scan of the cases is; zeroed: at the start. */
struct case_cursor {
	int64_t epoch; // 0: before the first
	int64_t batch_sequence;
	int64_t row_id;
	int64_t row_number; // rows of this epoch passed
};

/* Copies what earlier experiments have over equal inputs, a step at a time until `ret_end`. */
struct run_take_over {
	struct store_request request;
	int64_t run_id;
	struct case_cursor cursor; // the store's, from one step to the next; zeroed at first
	int64_t n_sources; // the same
	bool ret_end;
};
void store_run_take_over(struct store *store, struct run_take_over *op);

/* A rating that is there: of the run's judge, or of one of its panel. */
struct run_decided {
	int64_t measure_id;
	int64_t judge_id;
};

/* What is known of an answer beside its text. */
struct case_facts {
	int64_t duration_usec; // -1: unknown, here and below
	int64_t cost_nanodollars;
	const char *finish_reason; // or NULL
};

/* A (row, epoch) that misses its response, or ratings of it. */
struct run_case {
	struct prompt prompt; // empty: the run's
	int64_t row_id;
	int64_t row_number; // from 1, in the run's order; for people
	int64_t epoch;
	const char *input_values; // JSON object; defaults of columns filled in
	int64_t response_id; // 0: the response is missing
	struct case_cursor cursor; // where the scan is behind it
	const char *response_text; // of the recorded response, or its calls of tools
	const char *transcript; // of it; or NULL
	struct case_facts facts; // of it, if they were asked for
	const struct run_decided *decided; // of a batch: positions of evaluators, for measures
	size_t n_decided;
	bool scored; // of a batch: an evaluator has a score
	bool counted; // and the item is among those that were generated
	const char *const *answers; // of a comparison: epoch by epoch one of each experiment, or NULL
};

/* Looks at up to `scan` pairs after the cursor and answers those that miss something. Epoch 1
 * of all rows comes before epoch 2. */
struct cases_page {
	struct store_request request;
	int64_t run_id;
	size_t n_measures; // or of a batch what an item has scores of
	size_t n_judges;
	bool scores; // a batch's
	bool with_facts; // of responses, beside their texts
	bool compares; // and that is one of answers
	struct case_cursor cursor;
	size_t scan;
	const struct run_case *ret_cases;
	size_t ret_n_cases;
	size_t ret_n_answers; // of each, where answers are compared
	const char *ret_too_large; // stands for those that a row cannot hold (COMPARED_BYTES_MAX)
	struct case_cursor ret_cursor;
	bool ret_end;
};
void store_cases_page(struct store *store, struct cases_page *op);

/* Records a response, with an answer or a final error. The same (run, row, epoch) again
 * changes nothing but what was spent and answers the id of what is there, unless that is an
 * error of an earlier round: it is overwritten, and attempts and usage add up. An answer that does not fit its columns is
 * recorded as an error, which `error` and `complete` then say. */
struct response_record {
	struct store_request request;
	int64_t run_id;
	int64_t round;
	int64_t owner_uid;
	int64_t project_id;
	int64_t row_id;
	int64_t epoch;
	const char *text; // or NULL
	const char *tool_calls; // JSON array, or NULL
	const char *transcript; // the same: messages behind the prompt's
	const char *finish_reason; // or NULL
	int64_t fallback; // which of the spec's answered; -1: the config itself, or nobody
	const struct fault *error; // or NULL
	int64_t attempts;
	int64_t duration_usec; // -1: nobody waited for it
	int64_t input_tokens; // -1: unknown, here and below
	int64_t output_tokens;
	int64_t reasoning_tokens;
	int64_t cached_tokens; // of the input
	int64_t cost_nanodollars;
	int64_t replaced; // invalid sequences replaced by U+FFFD
	bool cached; // it was given before
	bool collected; // of a batch: again, it is the same, and nothing more was spent
	bool complete; // no rating will follow: it counts as rated
	struct spent spent;
	int64_t ret_response_id;
	bool ret_known; // was `collected`, and changed nothing
	struct fault ret_unfit; // code 0: not
};
void store_response_record(struct store *store, struct response_record *op);

struct rating_usage {
	int64_t input_tokens;
	int64_t output_tokens;
	int64_t cached_tokens;
	int64_t cost_nanodollars;
};

/* The same rules for a verdict. With that of the last judge of a panel comes the panel's own: what those
 * come to that said something, or the error of one where nobody did. */
struct rating_record {
	struct store_request request;
	int64_t run_id;
	int64_t round;
	int64_t owner_uid;
	int64_t project_id;
	int64_t epoch; // the response's; 0 in a run that rates
	int64_t response_id;
	int64_t measure_id;
	int64_t judge_id;
	int64_t panel_id; // 0: the judge is alone
	int64_t n_judges; // of the panel
	bool said; // its rating is there already: only the panel's is missing
	bool is_score; // an evaluator's: several judges come to the mean
	double value; // 1 YES, 0 NO, or a score; -1: none (with an error)
	const char *reasoning; // or NULL
	const char *raw_text; // or NULL
	const struct fault *error; // or NULL
	int64_t attempts;
	int64_t duration_usec;
	int64_t input_tokens;
	int64_t output_tokens;
	int64_t cached_tokens;
	int64_t cost_nanodollars;
	struct rating_usage counted; // of calls before the last, which the run's counters have already
	bool complete; // the last one of its response: that counts as rated
	struct spent spent;
	bool ret_counts; // it is what the run's judge says, be it an error
	double ret_value; // that, as `value`; -1 of a score
	struct fault ret_unfit;
};
void store_rating_record(struct store *store, struct rating_record *op);

/* The same rules for what an evaluator of a batch said of a row. */
struct evaluation_record {
	struct store_request request;
	int64_t run_id;
	int64_t round;
	int64_t owner_uid;
	int64_t project_id;
	int64_t epoch;
	int64_t row_id;
	int64_t part; // of the item's
	bool summed; // with others of the evaluator in the part's place
	const double *score; // NULL: it failed
	const struct ellu_evaluator_result *result;
	bool complete; // the last of its item, which counts then
	bool failed; // and has no score
	int64_t attempts; // of what is not recorded yet, like what it took
	int64_t input_tokens; // -1: unknown, here and below
	int64_t output_tokens;
	int64_t cached_tokens;
	int64_t cost_nanodollars;
	struct spent spent;
};
void store_evaluation_record(struct store *store, struct evaluation_record *op);

/* What a batch came to, or a comparison of experiments. */
struct evaluation_results {
	struct store_request request;
	int64_t run_id;
	const struct ellu_batch_result *ret_batch;
	const struct ellu_preference_result *ret_preference;
};
void store_batch_results(struct store *store, struct evaluation_results *op);
void store_preference_results(struct store *store, struct evaluation_results *op);

/* Counts what calls took of which no answer or verdict is recorded: that of a run of one item, and
 * those that were spent for nothing. */
struct run_spend {
	struct store_request request;
	int64_t run_id;
	int64_t epoch;
	bool generated; // the item has its answer
	int64_t input_tokens; // -1: unknown, here and below
	int64_t output_tokens;
	int64_t cached_tokens;
	int64_t cost_nanodollars;
	struct spent spent;
};
void store_run_spend(struct store *store, struct run_spend *op);

/* Keeps what a model made up, and that the run has it: once, however often it is asked for. They are
 * rows of the run's collection, or where it has none criteria, for its prompt template. */
struct generation_keep {
	struct store_request request;
	struct run_spend spend; // all but its request
	const char *model;
	const char *const *rows; // JSON objects; criteria have one key, GENERATION_CRITERION
	size_t n_rows;
	bool replace; // what is in the set of criteria goes
	const struct ellu_generation_result *ret_result;
};
#define GENERATION_CRITERION "criterion"
void store_generation_keep(struct store *store, struct generation_keep *op);

/* Aggregates of a run, by its judge; of one that rates as if it had made the responses too, and of
 * its ratings alone. */
struct results_compute {
	struct store_request request;
	int64_t run_id;
	const struct ellu_experiment_results *ret_results;
	const struct ellu_rating_results *ret_ratings; // of a run that rates
};
void store_results_compute(struct store *store, struct results_compute *op);

/* ---- Answers that are given again ---- */

#define CACHE_KEY_SIZE SHA256_TEXT_SIZE

/* One that was kept. */
struct cache_find {
	struct store_request request;
	int64_t project_id;
	const char *key;
	bool ret_found;
	const char *ret_text; // or NULL, here and below
	const char *ret_tool_calls;
	const char *ret_finish_reason;
	int64_t ret_input_tokens; // -1: unknown, here and below
	int64_t ret_output_tokens;
	int64_t ret_reasoning_tokens;
};
void store_cache_find(struct store *store, struct cache_find *op);

/* Keeps one, unless there is one; or counts that one was found. The oldest of the user's make room. */
struct cache_keep {
	struct store_request request;
	int64_t owner_uid;
	int64_t project_id;
	char key[CACHE_KEY_SIZE]; // empty: nothing is kept
	bool hit;
	const char *text; // or NULL, here and below
	const char *tool_calls;
	const char *finish_reason;
	int64_t input_tokens; // -1: unknown, here and below
	int64_t output_tokens;
	int64_t reasoning_tokens;
};
void store_cache_keep(struct store *store, struct cache_keep *op);

/* ---- Batches of providers ---- */

enum kept_batch_state {
	KEPT_BATCH_MEANT, // it is to be given, or may have been
	KEPT_BATCH_GIVEN,
	KEPT_BATCH_COLLECTED,
	_KEPT_BATCH_STATE_MAX,
};

/* A batch of a task's cases: those that were missing behind `from` up to `to`. */
struct kept_batch {
	int64_t id;
	int64_t task_id;
	enum kept_batch_state state;
	int64_t pass; // which scan of the cases it is of
	const char *mark; // and behind it what its provider is not told
	const char *provider_id; // or NULL
	int64_t n_items;
	int64_t estimate_nanodollars;
	struct case_cursor from, to;
	int64_t created_usec;
};

/* Keeps what is meant to be given, before it is. What the task has that is collected goes. */
struct batch_keep {
	struct store_request request;
	struct kept_batch batch; // id and time are answered there
};
void store_batch_keep(struct store *store, struct batch_keep *op);

/* What has become of one: it was given, under that id, and perhaps looked at; or it is collected. Or it goes,
 * since it never was given, or its task is over. */
struct batch_note {
	struct store_request request;
	int64_t id;
	int64_t task_id;
	enum kept_batch_state state;
	const char *provider_id;
	bool drop;
};
void store_batch_note(struct store *store, struct batch_note *op);

#define KEPT_BATCHES_MAX 64 // of a task, that are not collected

/* Those of a task in the order given; or, of task 0, of tasks that are over, which nobody collects, and no
 * more than KEPT_BATCHES_MAX of them, behind the given one. */
struct batches_load {
	struct store_request request;
	int64_t task_id;
	int64_t after_id;
	const struct kept_batch *ret_batches;
	size_t ret_n_batches;
};
void store_batches_load(struct store *store, struct batches_load *op);
