#include "daemon/store/engine/soundness.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "daemon/base/log.h"
#include "daemon/store/engine/schema.h"
#include "daemon/store/engine/store_internal.h"

#define CACHE_KIB 4096 // an index is compared with its table: each row of the one is looked up in the other

#define NO_ROW "row %" PRId64 " of %s refers to no row of %s"

/* ---- A file ---- */

int soundness_check(struct db *db, struct arena *arena, const char **ret_problem)
{
	QUERY pages = NULL;
	QUERY references = NULL;
	int r = db_row(db, &pages, "PRAGMA integrity_check(1)", "");

	if (r > 0 && !column_peek(pages, 0))
		return -ENOMEM;
	if (r > 0 && strcmp(column_peek(pages, 0), "ok") != 0) {
		*ret_problem = arena_strdup(arena, column_peek(pages, 0));
		return *ret_problem ? 1 : -ENOMEM;
	}
	if (r > 0)
		r = db_row(db, &references, "PRAGMA foreign_key_check", "");
	if (r <= 0)
		return r;
	*ret_problem = arena_printf(arena, NO_ROW, column_int(references, 1),
				    column_peek(references, 0), column_peek(references, 2));
	return *ret_problem ? 1 : -ENOMEM;
}

/* Without a lock, a log or anything else beside it; SQLite takes a path as it stands in a URI. */
static int open_alone(const char *path, struct db *db)
{
	char uri[3 * 4096 + 32] = "file:";
	size_t used = strlen(uri);

	for (; *path && used < sizeof(uri) - 32; path++)
		used += (size_t)snprintf(uri + used, sizeof(uri) - used,
					 strchr("%?#", *path) ? "%%%02x" : "%c", (unsigned char)*path);
	if (*path)
		return -ENAMETOOLONG;
	snprintf(uri + used, sizeof(uri) - used, "?immutable=1");
	return db_open(uri, /* writable= */ false, CACHE_KIB, db);
}

static int not_sound(struct fault *fault, const char *path, const char *problem)
{
	int r = fault_set(fault, ELLU_E_STORAGE_DAMAGED, "%s is damaged: %s.", path, problem);

	snprintf(fault->field, sizeof(fault->field), "%s", path);
	return r;
}

static int check_open_file(struct db *db, const char *path, struct fault *fault)
{
	const char *problem;
	struct arena arena;
	int r = schema_recognise(db, path, fault);

	if (r < 0)
		return r;
	arena_init(&arena);
	r = soundness_check(db, &arena, &problem);
	if (r > 0)
		r = not_sound(fault, path, problem);
	else if (r == -ENOMEM)
		r = fault_oom(fault);
	else if (r < 0)
		r = not_sound(fault, path, db->trouble_text);
	arena_done(&arena);
	return r;
}

/* What is still being written has a log, without which it is half of itself. */
int soundness_check_alone(const char *path, struct fault *fault)
{
	char log[4096];
	struct stat file;

	if (stat(path, &file) < 0)
		return fault_set(fault, ELLU_E_PERMISSION_DENIED, "%s: %s.", path, strerror(errno));
	if (!S_ISREG(file.st_mode) || file.st_size == 0)
		return fault_set(fault, ELLU_E_UNSUPPORTED, "%s is no backup: %s.", path,
				 S_ISREG(file.st_mode) ? "it is empty" : "it is no file");
	if (snprintf(log, sizeof(log), "%s-wal", path) >= (int)sizeof(log))
		return fault_set(fault, ELLU_E_UNSUPPORTED, "%s: the path is too long.", path);
	if (stat(log, &file) == 0 && file.st_size > 0)
		return fault_set(fault, ELLU_E_UNSUPPORTED,
				 "%s is a database with a log beside it, and no backup; `elluminate backup` "
				 "makes one.", path);
	return 0;
}

int soundness_check_file(const char *path, const char *called, struct fault *fault)
{
	struct db db = { .handle = NULL };
	int r = open_alone(path, &db);

	if (r < 0 && db.handle && (sqlite3_errcode(db.handle) & 0xff) != SQLITE_NOTADB)
		r = not_sound(fault, called, db.trouble_text);
	else if (r < 0)
		r = fault_set(fault, ELLU_E_UNSUPPORTED, "%s is no backup: %s.", called,
			      db.handle ? "it is no database" : strerror(-r));
	else
		r = check_open_file(&db, called, fault);
	db_close(&db);
	return r;
}

/* ---- The database ---- */

static int note(struct tx *tx, struct soundness *state, const char *problem)
{
	return problem ? tx_append(tx, &state->problems, problem) : -ENOMEM;
}

static bool is_full(const struct soundness *state)
{
	return state->problems.n >= SOUNDNESS_PROBLEMS_MAX;
}

/* What is wrong with pages comes as lines of one text, below a heading. */
static int note_lines(struct tx *tx, struct soundness *state, const char *text)
{
	int r = text ? 0 : -ENOMEM;

	for (size_t length; r >= 0 && *text && !is_full(state); text += length + (text[length] == '\n')) {
		length = strcspn(text, "\n");
		if (strncmp(text, "*** ", 4) != 0 && strcmp(text, "ok") != 0)
			r = note(tx, state, tx_printf(tx, "%s: %.*s", state->table, (int)length, text));
	}
	return r;
}

static int check_pages(struct tx *tx, struct soundness *state)
{
	QUERY q = NULL;
	int r = db_query(tx->db, &q, "SELECT integrity_check FROM pragma_integrity_check(?1)", "s",
			 state->table);

	while (r >= 0 && !is_full(state) && (r = db_next(tx->db, q)) > 0)
		r = note_lines(tx, state, column_peek(q, 0));
	return r;
}

static int check_references(struct tx *tx, struct soundness *state)
{
	QUERY q = NULL;
	int r = db_query(tx->db, &q, "SELECT \"rowid\", parent FROM pragma_foreign_key_check(?1)", "s",
			 state->table);

	while (r >= 0 && !is_full(state) && (r = db_next(tx->db, q)) > 0)
		r = note(tx, state, tx_printf(tx, NO_ROW, column_int(q, 0), state->table,
					      column_peek(q, 1)));
	return r;
}

/* 1: there is one. */
static int next_table(struct tx *tx, struct soundness *state)
{
	QUERY q = NULL;
	int r = db_row(tx->db, &q, "SELECT min(name) FROM sqlite_schema WHERE type = 'table'"
				   " AND name > ?1 AND name NOT LIKE 'sqlite_%'", "s",
		       state->table ? state->table : "");

	if (r <= 0 || column_null(q, 0))
		return r < 0 ? r : 0;
	state->table = tx_text(tx, q, 0);
	return state->table ? 1 : -ENOMEM;
}

int soundness_check_next(struct tx *tx, struct soundness *state)
{
	size_t before = state->problems.n;
	int r = is_full(state) ? 0 : next_table(tx, state);

	if (r <= 0)
		return r;
	state->n_tables++;
	r = check_pages(tx, state);
	if (r < 0 && tx->db->trouble == DB_DAMAGED)
		r = note(tx, state, tx_printf(tx, "%s: %s", state->table, tx->db->trouble_text));
	if (r >= 0 && state->problems.n > before && tx->db->trouble < DB_DAMAGED) {
		tx->db->trouble = DB_DAMAGED;
		snprintf(tx->db->trouble_text, sizeof(tx->db->trouble_text), "%s",
			 (const char *)state->problems.items[before]);
	}
	if (r >= 0)
		r = check_references(tx, state);
	return r < 0 ? r : 1;
}
