/*
 * The first version of the schema. Every row says whose it is and in which project. Times are
 * microseconds, money is nanodollars, JSON is TEXT. Ids are never used again: AUTOINCREMENT sees to
 * that, unless a table that grows with each call or task never loses a row.
 * No foreign key cascades; what is referred to from a large table has an index there.
 */
#include "daemon/store/engine/schema.h"

#include <stddef.h>

/* A resource with versions. */
#define VERSIONED(table)                                                                      \
	"CREATE TABLE " table " ("                                                            \
	" id INTEGER PRIMARY KEY AUTOINCREMENT,"                                              \
	" owner_uid INTEGER NOT NULL,"                                                        \
	" project_id INTEGER NOT NULL REFERENCES projects,"                                   \
	" name TEXT NOT NULL,"                                                                \
	" version INTEGER NOT NULL CHECK (version >= 1),"                                     \
	" last_version INTEGER NOT NULL," /* that there ever was, as the latest one knows it */ \
	" identity TEXT NOT NULL," /* hash of everything that makes it this version */        \
	" content TEXT NOT NULL," /* the record */                                            \
	" created_at INTEGER NOT NULL,"                                                       \
	" updated_at INTEGER NOT NULL,"                                                       \
	" deleted_at INTEGER" /* hidden: kept for what used it */                             \
	") STRICT;"                                                                           \
	"CREATE UNIQUE INDEX " table "_by_version ON"                                         \
	" " table " (project_id, name, version DESC) WHERE deleted_at IS NULL;"               \
	"CREATE UNIQUE INDEX " table "_by_content ON"                                         \
	" " table " (project_id, name, identity) WHERE deleted_at IS NULL;"

/* Rows of a collection come in batches. A batch is visible once it has a sequence that lies in
 * the collection's (first_sequence, last_sequence]: committing an upload and clearing a
 * collection only move numbers, and a pinned run keeps its range. `dead` batches are swept. */
static const char resources[] =
	"CREATE TABLE daemon ("
	" id INTEGER PRIMARY KEY CHECK (id = 1),"
	" instance INTEGER NOT NULL,"
	" event_number INTEGER NOT NULL" // the highest of events that were deleted
	") STRICT;"
	"INSERT INTO daemon VALUES (1, 0, 0);"

	"CREATE TABLE projects ("
	" id INTEGER PRIMARY KEY AUTOINCREMENT,"
	" owner_uid INTEGER NOT NULL,"
	" name TEXT NOT NULL,"
	" description TEXT,"
	" default_llm_config_id INTEGER REFERENCES llm_configs,"
	" rating_llm_config_id INTEGER REFERENCES llm_configs,"
	" rating_version TEXT NOT NULL DEFAULT '1',"
	" daily_cost_limit_nanodollars INTEGER CHECK (daily_cost_limit_nanodollars >= 0),"
	" created_at INTEGER NOT NULL,"
	" updated_at INTEGER NOT NULL,"
	" deleted_at INTEGER," // hidden: kept for the results of what is in it
	" emptied INTEGER NOT NULL DEFAULT 0 CHECK (emptied IN (0, 1))" // that is hidden, too
	") STRICT;"
	"CREATE UNIQUE INDEX projects_by_name ON projects (owner_uid, name) WHERE deleted_at IS NULL;"
	"CREATE INDEX projects_by_owner ON projects (owner_uid) WHERE deleted_at IS NULL;"
	"CREATE INDEX projects_to_empty ON projects (id) WHERE deleted_at IS NOT NULL AND NOT emptied;"

	"CREATE TABLE tokens ("
	" id INTEGER PRIMARY KEY AUTOINCREMENT,"
	" owner_uid INTEGER NOT NULL,"
	" project_id INTEGER NOT NULL REFERENCES projects,"
	" name TEXT NOT NULL,"
	" everywhere INTEGER NOT NULL CHECK (everywhere IN (0, 1))," // all projects of the owner's
	" scope TEXT NOT NULL,"
	" key TEXT NOT NULL UNIQUE," // the part that is no secret
	" digest TEXT NOT NULL," // SHA-256 of the whole
	" created_at INTEGER NOT NULL,"
	" expires_at INTEGER NOT NULL"
	") STRICT;"
	"CREATE UNIQUE INDEX tokens_by_name ON tokens (project_id, name);"
	"CREATE INDEX tokens_by_owner ON tokens (owner_uid);"
	"CREATE INDEX tokens_by_project ON tokens (project_id);"

	VERSIONED("prompt_templates")
	VERSIONED("evaluators")
	VERSIONED("skills")

	/* Judges, as users know them: `content` is the record. */
	"CREATE TABLE evaluator_sets ("
	" id INTEGER PRIMARY KEY AUTOINCREMENT,"
	" owner_uid INTEGER NOT NULL,"
	" project_id INTEGER NOT NULL REFERENCES projects,"
	" name TEXT NOT NULL,"
	" content TEXT NOT NULL,"
	" created_at INTEGER NOT NULL,"
	" updated_at INTEGER NOT NULL,"
	" deleted_at INTEGER"
	") STRICT;"
	"CREATE UNIQUE INDEX evaluator_sets_by_name ON evaluator_sets (project_id, name)"
	" WHERE deleted_at IS NULL;"
	"CREATE INDEX evaluator_sets_by_project ON evaluator_sets (project_id)"
	" WHERE deleted_at IS NULL;"

	"CREATE TABLE collections ("
	" id INTEGER PRIMARY KEY AUTOINCREMENT,"
	" owner_uid INTEGER NOT NULL,"
	" project_id INTEGER NOT NULL REFERENCES projects,"
	" name TEXT NOT NULL,"
	" description TEXT,"
	" read_only INTEGER NOT NULL CHECK (read_only IN (0, 1)),"
	" first_sequence INTEGER NOT NULL DEFAULT 0,"
	" last_sequence INTEGER NOT NULL DEFAULT 0 CHECK (last_sequence >= first_sequence),"
	" swept_sequence INTEGER NOT NULL DEFAULT 0," // cleared batches up to it were looked at
	" variables_count INTEGER NOT NULL DEFAULT 0 CHECK (variables_count >= 0),"
	" rows_identity TEXT NOT NULL DEFAULT ''," // hash of the visible rows, by value
	" created_at INTEGER NOT NULL,"
	" updated_at INTEGER NOT NULL,"
	" deleted_at INTEGER" // hidden: kept for what used it
	") STRICT;"
	"CREATE UNIQUE INDEX collections_by_name ON collections (project_id, name)"
	" WHERE deleted_at IS NULL;"
	"CREATE INDEX collections_by_project ON collections (project_id) WHERE deleted_at IS NULL;"
	"CREATE INDEX collections_cleared ON collections (id) WHERE swept_sequence < first_sequence;"

	"CREATE TABLE collection_columns (" // by the thousand: without an id of their own
	" owner_uid INTEGER NOT NULL,"
	" project_id INTEGER NOT NULL REFERENCES projects,"
	" collection_id INTEGER NOT NULL REFERENCES collections,"
	" name TEXT NOT NULL,"
	" type TEXT NOT NULL CHECK (type IN ('text', 'json', 'category', 'conversation', 'raw_input')),"
	" inferred INTEGER NOT NULL CHECK (inferred IN (0, 1))," // from what rows have
	" default_value TEXT,"
	" position INTEGER CHECK (position >= 0)," // NULL: of former rows, kept for who rates them
	" PRIMARY KEY (collection_id, name),"
	" UNIQUE (collection_id, position)"
	") STRICT, WITHOUT ROWID;"

	"CREATE TABLE row_batches ("
	" id INTEGER PRIMARY KEY AUTOINCREMENT,"
	" owner_uid INTEGER NOT NULL,"
	" project_id INTEGER NOT NULL REFERENCES projects,"
	" collection_id INTEGER NOT NULL REFERENCES collections,"
	" upload_id TEXT,"
	" sequence INTEGER," // NULL until the upload is committed
	" row_count INTEGER NOT NULL CHECK (row_count >= 0),"
	" keys TEXT," // JSON object: all that the rows of an upload have, and their types, until its commit
	" identity TEXT," // hash of the rows of an upload, by value
	" dead INTEGER NOT NULL DEFAULT 0 CHECK (dead IN (0, 1) AND (NOT dead OR sequence IS NULL)),"
	" created_at INTEGER NOT NULL,"
	" UNIQUE (collection_id, upload_id),"
	" UNIQUE (collection_id, sequence)"
	") STRICT;"
	"CREATE INDEX row_batches_open ON row_batches (created_at) WHERE sequence IS NULL;"
	"CREATE INDEX row_batches_dead ON row_batches (id) WHERE dead AND row_count > 0;"

	"CREATE TABLE template_variables ("
	" id INTEGER PRIMARY KEY AUTOINCREMENT,"
	" owner_uid INTEGER NOT NULL,"
	" project_id INTEGER NOT NULL,"
	" batch_id INTEGER NOT NULL REFERENCES row_batches,"
	" input_values TEXT NOT NULL,"
	" hash INTEGER NOT NULL," // of it, by value
	" created_at INTEGER NOT NULL,"
	" removed_sequence INTEGER" // there for runs that are pinned to less; NULL: not removed
	") STRICT;"
	"CREATE INDEX template_variables_by_batch ON template_variables (batch_id);"
	"CREATE INDEX template_variables_removed ON template_variables (batch_id, removed_sequence)"
	" WHERE removed_sequence IS NOT NULL;"
	/* A hash is as good as random: rows that come in together stay in some pages of it. */
	"CREATE INDEX template_variables_by_hash ON"
	" template_variables (project_id, id >> 16, hash);"

	"CREATE TABLE criterion_sets ("
	" id INTEGER PRIMARY KEY AUTOINCREMENT,"
	" owner_uid INTEGER NOT NULL,"
	" project_id INTEGER NOT NULL REFERENCES projects,"
	" name TEXT NOT NULL,"
	" family TEXT NOT NULL," // NAME of NAME, NAME #2, ...
	" family_number INTEGER NOT NULL CHECK (family_number >= 1),"
	" identity TEXT NOT NULL," // hash of the criteria in it
	" created_at INTEGER NOT NULL,"
	" updated_at INTEGER NOT NULL,"
	" deleted_at INTEGER" // hidden: kept for what used it
	") STRICT;"
	"CREATE UNIQUE INDEX criterion_sets_by_name ON criterion_sets (project_id, name)"
	" WHERE deleted_at IS NULL;"
	"CREATE INDEX criterion_sets_by_project ON criterion_sets (project_id)"
	" WHERE deleted_at IS NULL;"
	"CREATE UNIQUE INDEX criterion_sets_by_family ON"
	" criterion_sets (project_id, family, family_number) WHERE deleted_at IS NULL;"
	"CREATE INDEX criterion_sets_by_identity ON"
	" criterion_sets (project_id, family, identity, family_number) WHERE deleted_at IS NULL;"

	"CREATE TABLE criteria ("
	" id INTEGER PRIMARY KEY AUTOINCREMENT,"
	" owner_uid INTEGER NOT NULL,"
	" project_id INTEGER NOT NULL REFERENCES projects,"
	" criterion_set_id INTEGER NOT NULL REFERENCES criterion_sets,"
	" position INTEGER," // NULL: no longer in the set, kept for results
	" criterion_str TEXT NOT NULL,"
	" label TEXT,"
	" rule TEXT," // the record; NULL: a judge decides
	" created_at INTEGER NOT NULL,"
	" UNIQUE (criterion_set_id, criterion_str)"
	") STRICT;"
	"CREATE INDEX criteria_by_position ON criteria (criterion_set_id, position)"
	" WHERE position IS NOT NULL;"

	/* Which set judges where a run of the template, in any version, names no criteria. */
	"CREATE TABLE criterion_set_links ("
	" project_id INTEGER NOT NULL REFERENCES projects,"
	" template_name TEXT NOT NULL,"
	" owner_uid INTEGER NOT NULL,"
	" criterion_set_id INTEGER NOT NULL REFERENCES criterion_sets,"
	" PRIMARY KEY (project_id, template_name)"
	") STRICT, WITHOUT ROWID;"
	"CREATE INDEX criterion_set_links_by_set ON criterion_set_links (criterion_set_id);"

	/* `settings` is the record without id, times and key; `secret` names a file. */
	"CREATE TABLE llm_configs ("
	" id INTEGER PRIMARY KEY AUTOINCREMENT,"
	" owner_uid INTEGER NOT NULL,"
	" project_id INTEGER NOT NULL REFERENCES projects,"
	" name TEXT NOT NULL,"
	" provider TEXT NOT NULL,"
	" llm_model_name TEXT NOT NULL,"
	" settings TEXT NOT NULL,"
	" secret TEXT,"
	" shared INTEGER NOT NULL CHECK (shared IN (0, 1))," // every user may run with it
	" created_at INTEGER NOT NULL,"
	" updated_at INTEGER NOT NULL,"
	" deleted_at INTEGER" // hidden: kept for what used it
	") STRICT;"
	"CREATE UNIQUE INDEX llm_configs_by_name ON llm_configs (project_id, name)"
	" WHERE deleted_at IS NULL;"
	"CREATE INDEX llm_configs_by_project ON llm_configs (project_id) WHERE deleted_at IS NULL;"
	"CREATE INDEX llm_configs_shared ON llm_configs (name) WHERE shared;"
	"CREATE INDEX llm_configs_by_secret ON llm_configs (secret) WHERE secret IS NOT NULL;";

static const char runs[] =
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
	" unordered INTEGER NOT NULL DEFAULT 0 CHECK (unordered IN (0, 1))," // some may be in no block
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
	 * no responses is epoch 0. */
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

static const char tasks[] =
	"CREATE TABLE tasks ("
	" id INTEGER PRIMARY KEY,"
	" owner_uid INTEGER NOT NULL,"
	" project_id INTEGER NOT NULL REFERENCES projects,"
	" kind TEXT NOT NULL," // by the interface alone: another one changes no table
	" name TEXT NOT NULL,"
	" experiment_id INTEGER REFERENCES experiments," // that it changes when it ends
	" run_id INTEGER REFERENCES runs," // NULL: none is needed, or rejected before there was one
	/* For IN and more than two values SQLite would make a table, at each change of a row. */
	" status TEXT NOT NULL CHECK (status = 'PENDING' OR status = 'STARTED' OR status = 'SUCCESS'"
	"  OR status = 'FAILURE' OR status = 'TIMEOUT' OR status = 'REVOKED' OR status = 'REJECTED'),"
	" hold TEXT CHECK (hold = 'user' OR hold = 'storage' OR hold = 'budget' OR hold = 'provider'),"
	" priority TEXT NOT NULL"
	"  CHECK (priority = 'interactive' OR priority = 'normal' OR priority = 'batch'),"
	" created_at INTEGER NOT NULL,"
	" started_at INTEGER," // first claim
	" claimed_monotonic INTEGER," // last claim, by the clock of the daemon that made it
	" finished_at INTEGER,"
	" time_limit_usec INTEGER NOT NULL CHECK (time_limit_usec > 0),"
	" running_usec INTEGER NOT NULL DEFAULT 0,"
	" attempts INTEGER NOT NULL DEFAULT 0,"
	" instance INTEGER," // of the daemon that claimed it last
	" idle_claims INTEGER NOT NULL DEFAULT 0," // in a row that recorded nothing
	" suspect INTEGER NOT NULL DEFAULT 0," // times that the daemon went down while it ran beside
	// others and recorded nothing, in a row; -1: it is tried by itself
	" recorded_at_claim INTEGER NOT NULL DEFAULT 0,"
	" retry_of INTEGER," // it may be gone
	" sequence INTEGER NOT NULL,"
	" last_event INTEGER NOT NULL DEFAULT 0," // its number
	" error TEXT,"
	" result TEXT,"
	" max_connections INTEGER CHECK (max_connections >= 1)," // NULL: the config's
	" cost_limit_nanodollars INTEGER CHECK (cost_limit_nanodollars >= 0),"
	" idempotency_key TEXT,"
	" request_hash TEXT,"
	" CHECK ((finished_at IS NULL) = (status IN ('PENDING', 'STARTED')))"
	") STRICT;"
	"CREATE UNIQUE INDEX tasks_by_key ON tasks (owner_uid, idempotency_key)"
	" WHERE idempotency_key IS NOT NULL;"
	/* Who submits waits for each index that has the new task. The unfinished ones are few enough to be
	 * walked, whosever they are; those that ended have an index for each way in which they are listed. */
	"CREATE INDEX tasks_unfinished ON tasks (id, owner_uid, project_id, status)"
	" WHERE finished_at IS NULL;"
	"CREATE INDEX tasks_by_project ON tasks (project_id) WHERE finished_at IS NOT NULL;"
	"CREATE INDEX tasks_by_project_status ON tasks (project_id, status)"
	" WHERE finished_at IS NOT NULL;"
	"CREATE INDEX tasks_by_status ON tasks (status) WHERE finished_at IS NOT NULL;"
	/* Walked by id: whether somebody has seen how it ended, and for how long it is over. */
	"CREATE INDEX tasks_ended ON tasks (owner_uid, id, last_event, finished_at)"
	" WHERE finished_at IS NOT NULL;"
	"CREATE INDEX tasks_retried ON tasks (retry_of) WHERE retry_of IS NOT NULL;"
	/* At most one live task an experiment. */
	"CREATE UNIQUE INDEX tasks_live ON tasks (experiment_id)"
	" WHERE status IN ('PENDING', 'STARTED');"

	/* Batches that providers have of a task's cases, of one scan after another: the cases that were missing
	 * behind one place up to another. Collected ones go, but for a task's last. */
	"CREATE TABLE provider_batches ("
	" id INTEGER PRIMARY KEY AUTOINCREMENT,"
	" task_id INTEGER NOT NULL REFERENCES tasks ON DELETE CASCADE,"
	" owner_uid INTEGER NOT NULL,"
	" project_id INTEGER NOT NULL,"
	" state TEXT NOT NULL CHECK (state IN ('meant', 'given', 'collected'))," // before it is given, and after
	" pass INTEGER NOT NULL CHECK (pass >= 1),"
	" mark TEXT NOT NULL UNIQUE," // that its items begin with, and what they are sealed by
	" provider_id TEXT CHECK (provider_id IS NOT NULL OR state <> 'given'),"
	" n_items INTEGER NOT NULL CHECK (n_items >= 1),"
	" estimate_nanodollars INTEGER NOT NULL,"
	" from_epoch INTEGER NOT NULL,"
	" from_sequence INTEGER NOT NULL,"
	" from_row_id INTEGER NOT NULL,"
	" from_row_number INTEGER NOT NULL,"
	" to_epoch INTEGER NOT NULL,"
	" to_sequence INTEGER NOT NULL,"
	" to_row_id INTEGER NOT NULL,"
	" to_row_number INTEGER NOT NULL,"
	" created_at INTEGER NOT NULL"
	") STRICT;"
	"CREATE INDEX provider_batches_by_task ON provider_batches (task_id);"

	/* State changes and log lines under one sequence a task, and one number over all tasks. */
	"CREATE TABLE task_events ("
	" task_id INTEGER NOT NULL REFERENCES tasks,"
	" sequence INTEGER NOT NULL,"
	" number INTEGER NOT NULL UNIQUE,"
	" owner_uid INTEGER NOT NULL,"
	" project_id INTEGER NOT NULL,"
	" at INTEGER NOT NULL,"
	" status TEXT NOT NULL," // and the hold, after this event
	" hold TEXT,"
	" line TEXT," // NULL: a change of status or hold
	" PRIMARY KEY (task_id, sequence)"
	") STRICT, WITHOUT ROWID;"
	"CREATE INDEX task_events_by_owner ON task_events (owner_uid, number);"
	/* Numbers are never given again. */
	"CREATE TRIGGER task_events_deleted AFTER DELETE ON task_events BEGIN"
	" UPDATE daemon SET event_number = OLD.number WHERE event_number < OLD.number;"
	"END;";

const char *const schema_v1[] = { resources, runs, tasks, NULL };
