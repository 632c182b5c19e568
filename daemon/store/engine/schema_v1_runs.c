/* What the first version of the schema keeps of runs: what is pinned, recorded, rated and spent. */
#include "daemon/store/engine/schema.h"

const char schema_v1_runs[] =
	/* What judges: a config's snapshot with mode and version of the prompt. */
	"CREATE TABLE judges ("
	" id INTEGER PRIMARY KEY AUTOINCREMENT,"
	" owner_uid INTEGER NOT NULL,"
	" project_id INTEGER NOT NULL REFERENCES projects,"
	" kind TEXT NOT NULL CHECK (kind IN ('model', 'simulated', 'check', 'panel')),"
	" name TEXT NOT NULL,"
	" reduction TEXT CHECK (reduction IN ('majority', 'mean'))," // of a panel: what its verdicts come to
	" llm_config_id INTEGER REFERENCES llm_configs,"
	" snapshot TEXT,"
	" rating_mode TEXT CHECK (rating_mode IN ('fast', 'detailed')),"
	" rating_version TEXT,"
	" identity TEXT NOT NULL," // hash of all that decides its verdicts
	" created_at INTEGER NOT NULL,"
	" UNIQUE (project_id, identity)"
	") STRICT;"

	/* Whose verdicts a panel's is made of. */
	"CREATE TABLE panel_judges ("
	" panel_id INTEGER NOT NULL REFERENCES judges,"
	" position INTEGER NOT NULL,"
	" owner_uid INTEGER NOT NULL,"
	" project_id INTEGER NOT NULL,"
	" judge_id INTEGER NOT NULL REFERENCES judges,"
	" PRIMARY KEY (panel_id, position)"
	") STRICT, WITHOUT ROWID;"

	/* What is measured: the text of a criterion, kept as it was judged; or by the name of an evaluator, with
	 * its variables and what it asks. */
	"CREATE TABLE measures ("
	" id INTEGER PRIMARY KEY AUTOINCREMENT,"
	" owner_uid INTEGER NOT NULL,"
	" project_id INTEGER NOT NULL REFERENCES projects,"
	" criterion_id INTEGER REFERENCES criteria," // NULL: an evaluator
	" text TEXT NOT NULL,"
	" rule TEXT NOT NULL," // the check as it was, empty: none; of an evaluator its use
	" asks TEXT," // identity of all that decides an evaluator's scores, but for the judge
	" by_judge INTEGER NOT NULL DEFAULT 0," // of an evaluator: it asks the run's
	" UNIQUE (criterion_id, text, rule)"
	") STRICT;"
	"CREATE UNIQUE INDEX measures_by_evaluator ON measures (project_id, asks)"
	" WHERE criterion_id IS NULL;"

	/* What a task does, pinned: rows by range, template by version, config by snapshot. A run makes
	 * responses of its rows; or it has no epochs and rates what others made: those listed, or those
	 * of another run that were there when it was asked for and that the filter lets through. */
	"CREATE TABLE runs ("
	" id INTEGER PRIMARY KEY,"
	" owner_uid INTEGER NOT NULL,"
	" project_id INTEGER NOT NULL REFERENCES projects,"
	" prompt_template_id INTEGER REFERENCES prompt_templates,"
	" collection_id INTEGER REFERENCES collections,"
	" first_sequence INTEGER,"
	" last_sequence INTEGER,"
	" rows_identity TEXT,"
	" row_limit INTEGER CHECK (row_limit >= 1),"
	" column_defaults TEXT," // JSON object; NULL: no column has one
	" input_column TEXT," // whose cells are the request, or its end
	" input_type TEXT CHECK (input_type IN ('conversation', 'raw_input')),"
	" total_cases INTEGER NOT NULL CHECK (total_cases >= 0)," // in each epoch, as far as is known
	" n_epochs INTEGER NOT NULL CHECK (n_epochs >= 0),"
	" llm_config_id INTEGER REFERENCES llm_configs,"
	" config_snapshot TEXT,"
	" response_column TEXT,"
	" response_cache INTEGER NOT NULL DEFAULT 0 CHECK (response_cache IN (0, 1)),"
	" batch INTEGER NOT NULL DEFAULT 0 CHECK (batch IN (0, 1))," // it gives its cases to a provider as batches
	" tool_results TEXT," // the column that has them
	" tool_rounds INTEGER CHECK (tool_rounds >= 1)," // how often a model is told of some
	" generation_params TEXT,"
	" criterion_set_id INTEGER REFERENCES criterion_sets,"
	" skill_id INTEGER REFERENCES skills,"
	" evaluator_set_id INTEGER REFERENCES evaluator_sets," // the judge whose evaluators it has
	" judge_id INTEGER REFERENCES judges,"
	" rating_mode TEXT CHECK (rating_mode IN ('fast', 'detailed')),"
	" rating_version TEXT,"
	" source_run_id INTEGER REFERENCES runs," // whose responses are rated
	" response_ids TEXT," // that are; JSON array, in the order asked
	" filter_epoch INTEGER," // NULL: any, down to filter_value
	" filter_measure_id INTEGER REFERENCES measures,"
	" filter_judge_id INTEGER REFERENCES judges,"
	" filter_value INTEGER CHECK (filter_value IN (0, 1)),"
	" last_response_id INTEGER,"
	" last_rating_id INTEGER,"
	" adopted INTEGER NOT NULL DEFAULT 0," // its ratings are to be the source's own
	" round INTEGER NOT NULL DEFAULT 0," // errors of an earlier one are missing; the task's id
	" counters_stale INTEGER NOT NULL DEFAULT 0," // changes that the epochs' counters lack
	/* Some may be in no block, or it is not known yet of one which verdicts it has. */
	" unordered INTEGER NOT NULL DEFAULT 0 CHECK (unordered IN (0, 1)),"
	" verdicts_block INTEGER NOT NULL DEFAULT 0," // the last one of which it is known; 0: of none
	" created_at INTEGER NOT NULL,"
	/* Long ones are last: who looks for one of the others does not read them. */
	" request TEXT," // what one item is asked that is no row's: JSON of a method's parameters
	" outcome TEXT," // what came of it, where that was kept by the run itself: JSON
	" CHECK (source_run_id IS NULL OR response_ids IS NULL),"
	" CHECK ((n_epochs = 0) OR (source_run_id IS NULL AND response_ids IS NULL))"
	") STRICT;"
	"CREATE INDEX runs_by_rows ON runs (collection_id, last_sequence)"
	" WHERE collection_id IS NOT NULL;"
	"CREATE INDEX runs_by_source ON runs (source_run_id) WHERE source_run_id IS NOT NULL;"
	"CREATE INDEX runs_unordered ON runs (id) WHERE unordered;"

	/* The runs that made the responses of a list. */
	"CREATE TABLE listed_runs ("
	" source_run_id INTEGER NOT NULL REFERENCES runs,"
	" run_id INTEGER NOT NULL REFERENCES runs," // that rates them
	" owner_uid INTEGER NOT NULL,"
	" project_id INTEGER NOT NULL,"
	" PRIMARY KEY (source_run_id, run_id)"
	") STRICT, WITHOUT ROWID;"

	"CREATE TABLE run_measures ("
	" run_id INTEGER NOT NULL REFERENCES runs,"
	" position INTEGER NOT NULL,"
	" owner_uid INTEGER NOT NULL,"
	" project_id INTEGER NOT NULL,"
	" measure_id INTEGER NOT NULL REFERENCES measures,"
	" PRIMARY KEY (run_id, position),"
	" UNIQUE (run_id, measure_id)"
	") STRICT, WITHOUT ROWID;"

	/* The configs that answer where a run's own cannot, in this order; those that its evaluators may ask,
	 * each once; and the evaluators. */
	"CREATE TABLE run_configs ("
	" run_id INTEGER NOT NULL REFERENCES runs,"
	" answers INTEGER NOT NULL CHECK (answers IN (0, 1)),"
	" position INTEGER NOT NULL,"
	" owner_uid INTEGER NOT NULL,"
	" project_id INTEGER NOT NULL,"
	" llm_config_id INTEGER NOT NULL REFERENCES llm_configs,"
	" snapshot TEXT NOT NULL,"
	" PRIMARY KEY (run_id, answers, position)"
	") STRICT, WITHOUT ROWID;"

	"CREATE TABLE run_evaluators ("
	" run_id INTEGER NOT NULL REFERENCES runs,"
	" position INTEGER NOT NULL,"
	" owner_uid INTEGER NOT NULL,"
	" project_id INTEGER NOT NULL,"
	" evaluator_id INTEGER REFERENCES evaluators," // NULL: what has no row is found by its name
	" name TEXT NOT NULL,"
	" configs TEXT NOT NULL," // positions of what they may ask, in the order of preference; JSON array
	/* Of a batch: sums that move where scores are recorded. */
	" n_scored INTEGER NOT NULL DEFAULT 0,"
	" score_sum REAL NOT NULL DEFAULT 0,"
	" score_squares REAL NOT NULL DEFAULT 0,"
	" lowest REAL,"
	" highest REAL,"
	" PRIMARY KEY (run_id, position)"
	") STRICT, WITHOUT ROWID;"

	/* What was said of the rows of a batch. */
	"CREATE TABLE evaluations ("
	" run_id INTEGER NOT NULL REFERENCES runs,"
	" template_variables_id INTEGER NOT NULL,"
	" part INTEGER NOT NULL," // of what: the evaluator's position, or which answers in which order
	" owner_uid INTEGER NOT NULL,"
	" project_id INTEGER NOT NULL,"
	" score REAL CHECK (score BETWEEN 0 AND 1)," // NULL: it failed
	" result TEXT NOT NULL," // the record
	" round INTEGER NOT NULL,"
	" PRIMARY KEY (run_id, template_variables_id, part)"
	") STRICT, WITHOUT ROWID;"

	/* Counters, moved in the transaction that records what they count. What a run rates that makes
	 * no responses is epoch 0. Epochs behind the first have a row once something of them was counted. */
	"CREATE TABLE run_epochs ("
	" run_id INTEGER NOT NULL REFERENCES runs,"
	" epoch INTEGER NOT NULL CHECK (epoch >= 0),"
	" owner_uid INTEGER NOT NULL,"
	" project_id INTEGER NOT NULL,"
	" total INTEGER NOT NULL,"
	" generated INTEGER NOT NULL DEFAULT 0,"
	" rated INTEGER NOT NULL DEFAULT 0,"
	" failed INTEGER NOT NULL DEFAULT 0,"
	" ratings INTEGER NOT NULL DEFAULT 0,"
	" decided INTEGER NOT NULL DEFAULT 0," // of these
	" yes INTEGER NOT NULL DEFAULT 0,"
	" input_tokens INTEGER NOT NULL DEFAULT 0,"
	" output_tokens INTEGER NOT NULL DEFAULT 0,"
	" cost_nanodollars INTEGER," // NULL: no price was known
	" recorded_monotonic INTEGER," // last recording by the present claim; NULL: none yet
	" PRIMARY KEY (run_id, epoch)"
	") STRICT, WITHOUT ROWID;"

	/* What was spent, moved in the transactions that record what it is of. */
	"CREATE TABLE spending ("
	" owner_uid INTEGER NOT NULL,"
	" day INTEGER NOT NULL," // since 1970, of UTC
	" project_id INTEGER NOT NULL,"
	" llm_config_id INTEGER NOT NULL," // it may be gone
	" model TEXT NOT NULL,"
	" calls INTEGER NOT NULL,"
	" unpriced_calls INTEGER NOT NULL,"
	" input_tokens INTEGER NOT NULL,"
	" cached_tokens INTEGER NOT NULL,"
	" output_tokens INTEGER NOT NULL,"
	" cost_nanodollars INTEGER," // NULL: no price was known
	" PRIMARY KEY (owner_uid, day, project_id, llm_config_id, model)"
	") STRICT, WITHOUT ROWID;"

	/* Answers that are given again to who asks the same, and of each project what they take. */
	"CREATE TABLE cached_answers ("
	" id INTEGER PRIMARY KEY AUTOINCREMENT,"
	" owner_uid INTEGER NOT NULL,"
	" project_id INTEGER NOT NULL REFERENCES projects,"
	" key TEXT NOT NULL," // hash of all that decides it
	" response_text TEXT,"
	" tool_calls TEXT,"
	" finish_reason TEXT,"
	" input_tokens INTEGER,"
	" output_tokens INTEGER,"
	" reasoning_tokens INTEGER,"
	" size_bytes INTEGER NOT NULL,"
	" created_at INTEGER NOT NULL,"
	" UNIQUE (project_id, key)"
	") STRICT;"
	"CREATE INDEX cached_answers_by_owner ON cached_answers (owner_uid);"

	"CREATE TABLE answer_caches ("
	" owner_uid INTEGER NOT NULL,"
	" project_id INTEGER NOT NULL REFERENCES projects,"
	" answers INTEGER NOT NULL,"
	" size_bytes INTEGER NOT NULL,"
	" hits INTEGER NOT NULL,"
	" PRIMARY KEY (owner_uid, project_id)"
	") STRICT, WITHOUT ROWID;"

	"CREATE TABLE experiments ("
	" id INTEGER PRIMARY KEY,"
	" owner_uid INTEGER NOT NULL,"
	" project_id INTEGER NOT NULL REFERENCES projects,"
	" name TEXT NOT NULL,"
	" family TEXT NOT NULL," // NAME of NAME, NAME #2, ...
	" family_number INTEGER NOT NULL CHECK (family_number >= 1),"
	" description TEXT,"
	" run_id INTEGER NOT NULL UNIQUE REFERENCES runs," // the one that makes its responses
	" identity TEXT NOT NULL," // hash of what is pinned
	" answer_identity TEXT NOT NULL," // hash of what, with the row, decides an answer
	" source_experiment_id INTEGER," // an earlier one, whose answers are still to be taken over
	" taken_over_responses INTEGER NOT NULL DEFAULT 0,"
	" taken_over_ratings INTEGER NOT NULL DEFAULT 0,"
	" task_id INTEGER," // the latest; it may be gone, where that is deleted
	" results TEXT,"
	" created_at INTEGER NOT NULL,"
	" updated_at INTEGER NOT NULL,"
	" deleted_at INTEGER," // hidden
	" swept_response_id INTEGER" // of a deleted one: its responses up to this are gone; NULL: all
	") STRICT;"
	"CREATE UNIQUE INDEX experiments_by_family ON"
	" experiments (project_id, family, family_number) WHERE deleted_at IS NULL;"
	"CREATE UNIQUE INDEX experiments_by_name ON experiments (project_id, name)"
	" WHERE deleted_at IS NULL;"
	"CREATE INDEX experiments_by_project ON experiments (project_id) WHERE deleted_at IS NULL;"
	"CREATE INDEX experiments_by_source ON experiments (source_experiment_id)"
	" WHERE source_experiment_id IS NOT NULL;"
	"CREATE INDEX experiments_dying ON experiments (id) WHERE swept_response_id IS NOT NULL;"

	"CREATE TABLE responses ("
	" id INTEGER PRIMARY KEY,"
	" owner_uid INTEGER NOT NULL,"
	" project_id INTEGER NOT NULL,"
	" run_id INTEGER NOT NULL REFERENCES runs,"
	" template_variables_id INTEGER NOT NULL REFERENCES template_variables,"
	" epoch INTEGER NOT NULL CHECK (epoch >= 1),"
	" response_text TEXT,"
	" tool_calls TEXT,"
	" transcript TEXT," // the messages between prompt and answer; JSON array, or NULL
	" finish_reason TEXT,"
	" error TEXT,"
	" attempts INTEGER NOT NULL,"
	" duration_usec INTEGER," // NULL: nobody waited for it
	" input_tokens INTEGER,"
	" output_tokens INTEGER,"
	" reasoning_tokens INTEGER,"
	" cached_tokens INTEGER," // of the input
	" cost_nanodollars INTEGER,"
	" replaced INTEGER NOT NULL," // invalid sequences in the text, now U+FFFD
	" round INTEGER NOT NULL DEFAULT 0," // in which it was recorded last
	" taken_from INTEGER," // the response of an earlier experiment that this one is
	" cached INTEGER," // it was given before; NULL: it was not
	" fallback INTEGER," // the position of the config that answered; NULL: the run's own
	" annotation TEXT,"
	" created_at INTEGER NOT NULL,"
	" UNIQUE (template_variables_id, run_id, epoch)"
	") STRICT;"
	"CREATE INDEX responses_taken ON responses (taken_from) WHERE taken_from IS NOT NULL;"
	"CREATE INDEX responses_by_run ON responses (run_id);"

	/* Of ended tasks: see response_order.h. Without references, which would be looked up for each. */
	"CREATE TABLE response_orders ("
	" run_id INTEGER NOT NULL,"
	" by_tokens INTEGER NOT NULL CHECK (by_tokens IN (0, 1))," // or by duration
	" block INTEGER NOT NULL," // the last response that was in it when it was made
	" rank INTEGER NOT NULL," // the negative of either
	" response_id INTEGER NOT NULL,"
	" owner_uid INTEGER NOT NULL,"
	" PRIMARY KEY (run_id, by_tokens, block, rank, response_id)"
	") STRICT, WITHOUT ROWID;"

	/* What each of these blocks is between: see response_blocks.h. Of booleans too. NULL: what none
	 * of its responses is known to have. */
	"CREATE TABLE response_blocks ("
	" run_id INTEGER NOT NULL,"
	" block INTEGER NOT NULL,"
	" after INTEGER NOT NULL," // the block before, or 0
	" owner_uid INTEGER NOT NULL,"
	" min_epoch INTEGER NOT NULL,"
	" max_epoch INTEGER NOT NULL,"
	" min_failed INTEGER NOT NULL,"
	" max_failed INTEGER NOT NULL,"
	" min_annotated INTEGER NOT NULL,"
	" max_annotated INTEGER NOT NULL,"
	" min_duration INTEGER,"
	" max_duration INTEGER,"
	" min_input INTEGER,"
	" max_input INTEGER,"
	" min_output INTEGER,"
	" max_output INTEGER,"
	" max_edited INTEGER NOT NULL," // a person has, or had, a verdict on it
	" PRIMARY KEY (run_id, block)"
	") STRICT, WITHOUT ROWID;"

	/* Which verdicts of a judge by a criterion they have, as these stand. */
	"CREATE TABLE response_verdicts ("
	" run_id INTEGER NOT NULL,"
	" block INTEGER NOT NULL,"
	" measure_id INTEGER NOT NULL,"
	" judge_id INTEGER NOT NULL,"
	" owner_uid INTEGER NOT NULL,"
	" rated INTEGER NOT NULL CHECK (rated IN (0, 1))," // or it failed
	" yes INTEGER NOT NULL CHECK (yes IN (0, 1)),"
	" no INTEGER NOT NULL CHECK (no IN (0, 1)),"
	" PRIMARY KEY (run_id, block, measure_id, judge_id)"
	") STRICT, WITHOUT ROWID;"

	"CREATE TABLE ratings ("
	" id INTEGER PRIMARY KEY,"
	" owner_uid INTEGER NOT NULL,"
	" project_id INTEGER NOT NULL,"
	" response_id INTEGER NOT NULL REFERENCES responses,"
	" measure_id INTEGER NOT NULL REFERENCES measures,"
	" judge_id INTEGER REFERENCES judges," // NULL: a person, who overrules the others
	" value REAL CHECK (value BETWEEN 0 AND 1),"
	" reasoning TEXT,"
	" raw_text TEXT,"
	" error TEXT,"
	" attempts INTEGER NOT NULL,"
	" duration_usec INTEGER NOT NULL,"
	" input_tokens INTEGER,"
	" output_tokens INTEGER,"
	" cached_tokens INTEGER,"
	" cost_nanodollars INTEGER,"
	" round INTEGER NOT NULL DEFAULT 0,"
	" created_at INTEGER NOT NULL,"
	" UNIQUE (response_id, measure_id, judge_id),"
	" CHECK (value IS NOT NULL OR error IS NOT NULL)"
	") STRICT;"
	"CREATE UNIQUE INDEX ratings_by_people ON ratings (response_id, measure_id)"
	" WHERE judge_id IS NULL;";
