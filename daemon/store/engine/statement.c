#include "daemon/store/engine/statement.h"

#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "daemon/base/loop.h"
#include "daemon/store/engine/statement_check.h"
#include "proto/limits.h"

#define BUSY_TIMEOUT_MSEC 5000
#define PROGRESS_STEPS 1000000 // of SQLite's machine; some milliseconds

/* Of what a user may have of the disk, or a process of a file (LimitFSIZE=): SQLite takes only a full
 * disk for one, and of a COMMIT that failed sqlite3_system_errno() does not know. */
static bool has_no_more_room(struct db *db)
{
	static const int files[] = { SQLITE_FCNTL_FILE_POINTER, SQLITE_FCNTL_JOURNAL_POINTER };

	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		sqlite3_file *file = NULL;
		int error = 0;

		if (sqlite3_file_control(db->handle, "main", files[i], &file) == SQLITE_OK && file &&
		    file->pMethods &&
		    file->pMethods->xFileControl(file, SQLITE_FCNTL_LAST_ERRNO, &error) == SQLITE_OK &&
		    (error == EDQUOT || error == EFBIG))
			return true;
	}
	return false;
}

static enum db_trouble trouble_of(struct db *db, int code)
{
	switch (code & 0xff) {
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
	case SQLITE_PROTOCOL:
	case SQLITE_NOMEM:
		return DB_BUSY;
	case SQLITE_FULL:
		return DB_FULL;
	case SQLITE_IOERR:
		if (code == SQLITE_IOERR_NOMEM || code == SQLITE_IOERR_BLOCKED)
			return DB_BUSY;
		return code == SQLITE_IOERR_WRITE && has_no_more_room(db) ? DB_FULL : DB_DAMAGED;
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB:
		return DB_DAMAGED;
	default:
		return DB_DEFECT;
	}
}

int db_failed(struct db *db, int code)
{
	enum db_trouble trouble;

	if (code == SQLITE_CONSTRAINT_UNIQUE || code == SQLITE_CONSTRAINT_PRIMARYKEY)
		return -EEXIST;
	trouble = trouble_of(db, code);
	if (trouble > db->trouble) {
		db->trouble = trouble;
		snprintf(db->trouble_text, sizeof(db->trouble_text), "%s (%d)",
			 db->handle ? sqlite3_errmsg(db->handle) : sqlite3_errstr(code), code);
	}
	if (trouble == DB_FULL)
		return -ENOSPC;
	if ((code & 0xff) == SQLITE_CONSTRAINT || (code & 0xff) == SQLITE_TOOBIG)
		return -EDOM;
	return (code & 0xff) == SQLITE_NOMEM || code == SQLITE_IOERR_NOMEM ? -ENOMEM : -EIO;
}

void db_forgive(struct db *db)
{
	db->trouble = DB_FINE;
	db->trouble_text[0] = '\0';
}

int db_open(const char *path, bool writable, int cache_kib, struct db *db)
{
	int flags = writable ? SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE : SQLITE_OPEN_READONLY;
	char pragmas[240];
	int code;

	memset(db, 0, sizeof(*db));
	code = sqlite3_open_v2(path, &db->handle, flags | SQLITE_OPEN_URI | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE,
			       NULL);
	if (code != SQLITE_OK)
		return db_failed(db, code);
	sqlite3_busy_timeout(db->handle, BUSY_TIMEOUT_MSEC);
	/* Until the file is known to be ours, closing it changes nothing in it. */
	sqlite3_db_config(db->handle, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
	/* An I/O error on mapped memory would be a SIGBUS. What savepoints keep stays in memory;
	 * the sorts of readers may be large and go to files. */
	snprintf(pragmas, sizeof(pragmas),
		 "PRAGMA mmap_size = 0; PRAGMA cache_size = -%d; PRAGMA foreign_keys = ON;"
		 "PRAGMA trusted_schema = OFF; PRAGMA wal_autocheckpoint = 0; PRAGMA temp_store = %s;",
		 cache_kib, writable ? "MEMORY" : "FILE");
	return db_script(db, pragmas);
}

static int on_progress(void *userdata)
{
	loop_count_turn(userdata);
	return 0; // go on
}

void db_check(struct db *db, bool check)
{
#ifndef NDEBUG
	check = true;
#endif
	db->checked = check;
}

void db_count_turns(struct db *db, struct loop *loop)
{
	sqlite3_progress_handler(db->handle, PROGRESS_STEPS, on_progress, loop);
}

void db_close(struct db *db)
{
	for (size_t i = 0; i < DB_STATEMENTS_MAX; i++)
		sqlite3_finalize(db->slots[i].statement);
	sqlite3_close(db->handle);
	memset(db, 0, sizeof(*db));
}

/* NULL: there are more statements than slots. */
static struct db_slot *slot_of(struct db *db, const char *sql)
{
	size_t first = ((uintptr_t)sql >> 3) * 0x9e3779b1u;

	for (size_t i = 0; i < DB_STATEMENTS_MAX; i++) {
		struct db_slot *slot = &db->slots[(first + i) % DB_STATEMENTS_MAX];

		if (slot->sql == sql || !slot->sql)
			return slot;
	}
	return NULL;
}

static int no_slot(struct db *db)
{
	db->trouble = db->trouble > DB_DEFECT ? db->trouble : DB_DEFECT;
	snprintf(db->trouble_text, sizeof(db->trouble_text), "more than %d different statements",
		 DB_STATEMENTS_MAX);
	return -EIO;
}

static int prepare(struct db *db, const char *sql, sqlite3_stmt **ret_statement)
{
	struct db_slot *slot = slot_of(db, sql);
	int code;

	if (!slot)
		return no_slot(db);
	if (!slot->statement) {
		code = sqlite3_prepare_v3(db->handle, sql, -1, SQLITE_PREPARE_PERSISTENT,
					  &slot->statement, NULL);
		if (code != SQLITE_OK)
			return db_failed(db, code);
		slot->sql = sql;
		if (db->checked)
			statement_check(db->handle, sql);
	}
	assert(!sqlite3_stmt_busy(slot->statement));
	*ret_statement = slot->statement;
	return 0;
}

static int bind_one(sqlite3_stmt *statement, int i, char kind, va_list *values)
{
	const int64_t *integer;
	const double *real;
	const char *text;
	int64_t n;

	switch (kind) {
	case 'i':
		return sqlite3_bind_int64(statement, i, va_arg(*values, int64_t));
	case 'b':
		return sqlite3_bind_int(statement, i, va_arg(*values, int));
	case 'd':
		return sqlite3_bind_double(statement, i, va_arg(*values, double));
	case 's':
		text = va_arg(*values, const char *);
		return sqlite3_bind_text(statement, i, text, -1, SQLITE_STATIC);
	case 'I':
		integer = va_arg(*values, const int64_t *);
		return integer ? sqlite3_bind_int64(statement, i, *integer) :
				 sqlite3_bind_null(statement, i);
	case 'D':
		real = va_arg(*values, const double *);
		return real ? sqlite3_bind_double(statement, i, *real) :
			      sqlite3_bind_null(statement, i);
	case 'n':
		n = va_arg(*values, int64_t);
		return n >= 0 ? sqlite3_bind_int64(statement, i, n < INTEGER_MAX ? n : INTEGER_MAX) :
				sqlite3_bind_null(statement, i);
	default:
		return SQLITE_MISUSE;
	}
}

static int query(struct db *db, sqlite3_stmt **ret_statement, const char *sql, const char *format,
		 va_list *values)
{
	sqlite3_stmt *statement = NULL;
	int code, r;

	r = prepare(db, sql, &statement);
	if (r < 0)
		return r;
	assert((size_t)sqlite3_bind_parameter_count(statement) == strlen(format));
	for (int i = 0; format[i]; i++) {
		code = bind_one(statement, i + 1, format[i], values);
		if (code != SQLITE_OK) {
			statement_reset(&statement);
			return db_failed(db, code);
		}
	}
	*ret_statement = statement;
	return 0;
}

int db_query(struct db *db, sqlite3_stmt **ret_statement, const char *sql, const char *format, ...)
{
	va_list values;
	int r;

	va_start(values, format);
	r = query(db, ret_statement, sql, format, &values);
	va_end(values);
	return r;
}

int db_next(struct db *db, sqlite3_stmt *statement)
{
	int code = sqlite3_step(statement);

	if (code == SQLITE_ROW)
		return 1;
	if (code == SQLITE_DONE)
		return 0;
	return db_failed(db, code);
}

/* With its first step. */
static int first(struct db *db, sqlite3_stmt **ret_statement, const char *sql, const char *format,
		 va_list *values)
{
	int r = query(db, ret_statement, sql, format, values);

	return r < 0 ? r : db_next(db, *ret_statement);
}

int db_row(struct db *db, sqlite3_stmt **ret_statement, const char *sql, const char *format, ...)
{
	va_list values;
	int r;

	va_start(values, format);
	r = first(db, ret_statement, sql, format, &values);
	va_end(values);
	return r;
}

int db_run(struct db *db, const char *sql, const char *format, ...)
{
	QUERY statement = NULL;
	va_list values;
	int r;

	va_start(values, format);
	r = first(db, &statement, sql, format, &values);
	va_end(values);
	return r < 0 ? r : sqlite3_changes(db->handle);
}

int db_insert(struct db *db, int64_t *ret_id, const char *sql, const char *format, ...)
{
	QUERY statement = NULL;
	va_list values;
	int r;

	va_start(values, format);
	r = first(db, &statement, sql, format, &values);
	va_end(values);
	if (r < 0)
		return r;
	*ret_id = sqlite3_last_insert_rowid(db->handle);
	return sqlite3_changes(db->handle);
}

int db_int(struct db *db, int64_t *ret_value, const char *sql, const char *format, ...)
{
	QUERY statement = NULL;
	va_list values;
	int r;

	va_start(values, format);
	r = first(db, &statement, sql, format, &values);
	va_end(values);
	if (r <= 0 || column_null(statement, 0))
		return r < 0 ? r : 0;
	*ret_value = column_int(statement, 0);
	return 1;
}

int db_script(struct db *db, const char *sql)
{
	int code = sqlite3_exec(db->handle, sql, NULL, NULL, NULL);

	return code == SQLITE_OK ? 0 : db_failed(db, code);
}

int db_check_place(struct db *db)
{
	int moved = 0;

	if (sqlite3_file_control(db->handle, "main", SQLITE_FCNTL_HAS_MOVED, &moved) != SQLITE_OK ||
	    !moved)
		return 0;
	db->trouble = DB_DAMAGED;
	snprintf(db->trouble_text, sizeof(db->trouble_text), "the file was moved or removed");
	return -EIO;
}

int64_t db_steps(struct db *db)
{
	int64_t steps = 0;

	for (size_t i = 0; i < DB_STATEMENTS_MAX; i++)
		if (db->slots[i].statement)
			steps += sqlite3_stmt_status(db->slots[i].statement, SQLITE_STMTSTATUS_VM_STEP,
						     /* reset= */ 1);
	return steps;
}

int64_t db_rows_changed(struct db *db)
{
	return sqlite3_total_changes64(db->handle);
}

void statement_reset(sqlite3_stmt **statement)
{
	if (!*statement)
		return;
	/* The reset repeats the code of the last step, which was dealt with there. */
	(void)sqlite3_reset(*statement);
	(void)sqlite3_clear_bindings(*statement);
	*statement = NULL;
}
