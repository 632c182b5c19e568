/*
 * What the first version of the schema keeps for users: projects and their resources. Every row, here
 * and in its other texts, says whose it is and in which project. Times are microseconds, money is
 * nanodollars, JSON is TEXT. Ids are never used again: AUTOINCREMENT sees to that, unless a table
 * that grows with each call or task never loses a row.
 * No foreign key cascades, but for what is a task's alone; what is referred to from a large table
 * has an index there.
 */
#include "daemon/store/engine/schema.h"

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
const char schema_v1_resources[] =
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
