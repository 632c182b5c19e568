/* What the first version of the schema keeps of tasks: their state, their batches and their history. */
#include "daemon/store/engine/schema.h"

const char schema_v1_tasks[] =
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
