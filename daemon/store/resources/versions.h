/*
 * Resources that have versions: a row a version, which never changes. Other content under a name is
 * its next version; numbers are not given again while the name has others.
 *
 * The table has the columns id, owner_uid, project_id, name, version, last_version, identity, content,
 * created_at, updated_at and deleted_at, and of what is not deleted unique indexes on (project_id, name,
 * version DESC) and (project_id, name, identity).
 */
#pragma once

#include "daemon/store/resources/identity.h"
#include "daemon/store/resources/resource.h"

struct versioned {
	const struct resource *resource;
	/* A live task that uses any version: ?1 the project, ?2 the name. */
	const char *live;
	/* What goes with a version, and with a name that has none left; or NULL. */
	int (*gone)(struct tx *tx, int64_t id);
	/* VERSIONED_STATEMENTS() */
	const struct resource versions; // the list of those of one name
	const char *load;
	const char *by_id_version;
	const char *by_name_version;
	const char *by_content;
	const char *last;
	const char *insert;
	const char *step_back;
	const char *hide_some;
};

/* What makes a version the one it is. */
struct version_content {
	const char *text; // as the store keeps it
	char identity[IDENTITY_SIZE];
};

/* Of a record without what the daemon gives (id, version, times). */
int version_content_read(struct tx *tx, const struct versioned *versioned, const void *record,
			 struct version_content *ret_content);

/* *ret_record points to the record, with id, version and times. NotFound. */
int version_load(struct tx *tx, const struct versioned *versioned, int64_t id, void *ret_record);
/* A Ref means the latest version of its name unless it says otherwise, and the very row when it gives
 * an id alone: 1, or 0. */
int version_find_ref(struct tx *tx, const struct versioned *versioned, const struct scope *scope,
		     const struct ellu_ref *ref, int64_t *ret_id);
/* 1 and the version that has the content, or 0. */
int version_find(struct tx *tx, const struct versioned *versioned, const struct place *place,
		 const char *name, const struct version_content *content, int64_t *ret_id);
/* The next version. */
int version_insert(struct tx *tx, const struct versioned *versioned, const struct place *place,
		   const char *name, const struct version_content *content, struct notes *notes,
		   int64_t *ret_id);
/* Before it is hidden. */
int version_discard(struct tx *tx, const struct versioned *versioned, int64_t id);

/* ---- Operations of methods ---- */

/* The latest of each name; with `name` in the request all of that one, the newest first. */
int versions_list(struct tx *tx, struct method_run *op, const struct versioned *versioned);
/* All of a name, in chunks; the very one where the reference is an id or says a version. */
int versions_delete(struct tx *tx, struct method_run *op, const struct versioned *versioned);

/* ---- Statements ---- */

/* The latest version of each name, in the order of the names: a seek each. `first` is what the
 * last page ended with, or no id. */
#define VERSIONS_LATEST(table, first, behind, order)                                        \
	"WITH RECURSIVE latest (n, id) AS (SELECT 0, " first " UNION ALL SELECT n + 1,"     \
	" (SELECT v.id FROM " table " v WHERE " behind " AND v.deleted_at IS NULL"          \
	"  ORDER BY " order ", v.version DESC LIMIT 1)"                                     \
	" FROM latest WHERE id IS NOT NULL LIMIT ?3 + 1) "
#define VERSIONS_LATEST_OF(table, column, none) \
	"coalesce((SELECT " column " FROM " table " WHERE id = latest.id), " none ")"
#define VERSIONS_LATEST_OWN(table, first, of)                                               \
	VERSIONS_LATEST(table, first, "v.project_id = " of " AND v.name > "                 \
			VERSIONS_LATEST_OF(table, "name", "''"), "v.name")
#define VERSIONS_LATEST_ALL(table, first)                                                   \
	VERSIONS_LATEST(table, first, "(v.project_id, v.name) > ("                          \
			VERSIONS_LATEST_OF(table, "project_id", "0") ", "                   \
			VERSIONS_LATEST_OF(table, "name", "''") ")", "v.project_id, v.name")
#define VERSIONS_LATEST_PAGE "SELECT id FROM latest WHERE n > 0 AND id IS NOT NULL"
#define VERSIONS_LATEST_COUNT \
	"SELECT count(*), id, count(*), max(n) FROM latest WHERE n > 0 AND id IS NOT NULL"

/* The versions of the name that ?of has. */
#define VERSIONS_OF_NAME(table, columns, of, behind)                                        \
	"SELECT " columns " FROM " table " t JOIN " table " v"                              \
	" ON v.project_id = t.project_id AND v.name = t.name AND v.deleted_at IS NULL"      \
	" AND v.version < coalesce((SELECT version FROM " table " WHERE id = " behind "),"  \
	" 9007199254740992) WHERE t.id = " of " ORDER BY v.version DESC LIMIT ?3"

/* What each has to say itself is content_read(), which checks a record of the type and reads what of it a
 * version is; the rest goes by its `versioned`. */
#define VERSIONED_FUNCTIONS(type)                                                           \
	static int content_read(struct tx *tx, const type *record, const char *path,        \
				struct version_content *ret_content);                       \
	static int find_ref(struct tx *tx, const struct scope *scope, const struct ellu_ref *ref, \
			    int64_t *ret_id)                                                \
	{                                                                                   \
		return version_find_ref(tx, &versioned, scope, ref, ret_id);                \
	}                                                                                   \
	static int prepare(struct tx *tx, const void *record, const char *path, void **ret_content) \
	{                                                                                   \
		struct version_content *content = tx_alloc(tx, sizeof(*content));           \
                                                                                            \
		*ret_content = content;                                                     \
		return content ? content_read(tx, record, path, content) : -ENOMEM;         \
	}                                                                                   \
	static int find(struct tx *tx, const struct place *place, const void *record, void *content, \
			int64_t *ret_id)                                                    \
	{                                                                                   \
		return version_find(tx, &versioned, place, ((const type *)record)->name, content, ret_id); \
	}                                                                                   \
	static int insert(struct tx *tx, const struct place *place, const void *record, void *content, \
			  struct notes *notes, int64_t *ret_id)                             \
	{                                                                                   \
		return version_insert(tx, &versioned, place, ((const type *)record)->name, content, notes, \
				      ret_id);                                              \
	}                                                                                   \
	static int discard(struct tx *tx, int64_t id)                                       \
	{                                                                                   \
		return version_discard(tx, &versioned, id);                                 \
	}

/* Of the resource itself. */
#define VERSIONED_RESOURCE(table)                                                           \
	.find_ref = find_ref, .prepare = prepare, .find = find, .insert = insert, .discard = discard, \
	.by_id = "SELECT id FROM " table " WHERE id = ?1 AND (owner_uid = ?2 OR ?3)"        \
		 " AND deleted_at IS NULL",                                                 \
	.by_name = "SELECT id FROM " table " WHERE project_id = ?1 AND name = ?2"           \
		   " AND deleted_at IS NULL ORDER BY version DESC LIMIT 1",                 \
	.place = "SELECT owner_uid, project_id FROM " table " WHERE id = ?1",               \
	.page_own = VERSIONS_LATEST_OWN(table, "?1", "?2") VERSIONS_LATEST_PAGE,            \
	.page_all = VERSIONS_LATEST_ALL(table, "?1") VERSIONS_LATEST_PAGE,                  \
	.count_own = VERSIONS_LATEST_OWN(table, "?2", "?1") VERSIONS_LATEST_COUNT,          \
	.count_all = VERSIONS_LATEST_ALL(table, "?2") VERSIONS_LATEST_COUNT,                \
	.hide = "UPDATE " table " SET deleted_at = ?2 WHERE id = ?1"

/* Of its list of versions. */
#define VERSIONED_LIST(table)                                                               \
	.page_own = VERSIONS_OF_NAME(table, "v.id", "?2", "?1"),                            \
	.count_own = "SELECT count(*), id, count(*), min(version) FROM ("                   \
		     VERSIONS_OF_NAME(table, "v.id, v.version", "?1", "?2") ")"

#define VERSIONED_STATEMENTS(table)                                                         \
	.load = "SELECT content, version, created_at, updated_at FROM " table " WHERE id = ?1", \
	.by_id_version = "SELECT v.id FROM " table " t JOIN " table " v"                    \
			 " ON v.project_id = t.project_id AND v.name = t.name AND v.version = ?4" \
			 " WHERE t.id = ?1 AND (t.owner_uid = ?2 OR ?3)"                    \
			 " AND t.deleted_at IS NULL AND v.deleted_at IS NULL",              \
	.by_name_version = "SELECT id FROM " table " WHERE project_id = ?1 AND name = ?2"   \
			   " AND version = ?3 AND deleted_at IS NULL",                      \
	.by_content = "SELECT id FROM " table " WHERE project_id = ?1 AND name = ?2"        \
		      " AND identity = ?3 AND deleted_at IS NULL",                          \
	.last = "SELECT last_version FROM " table " WHERE project_id = ?1"                  \
		" AND name = ?2 AND deleted_at IS NULL ORDER BY version DESC LIMIT 1",      \
	.insert = "INSERT INTO " table " (owner_uid, project_id, name, version,"            \
		  " last_version, identity, content, created_at, updated_at)"               \
		  " VALUES (?1, ?2, ?3, ?4, ?4, ?5, ?6, ?7, ?7)",                           \
	.step_back = "UPDATE " table " SET last_version ="                                  \
		     " max(last_version, (SELECT last_version FROM " table                  \
		     "  WHERE id = ?1)) WHERE id = (SELECT v.id FROM " table " t"           \
		     "  JOIN " table " v ON v.project_id = t.project_id"                    \
		     "  AND v.name = t.name AND v.version < t.version"                      \
		     "  AND v.deleted_at IS NULL WHERE t.id = ?1"                           \
		     "  ORDER BY v.version DESC LIMIT 1)",                                  \
	.hide_some = "UPDATE " table " SET deleted_at = ?3 WHERE id IN ("                   \
		     "SELECT id FROM " table " WHERE project_id = ?1 AND name = ?2"         \
		     " AND deleted_at IS NULL ORDER BY version LIMIT ?4)"
