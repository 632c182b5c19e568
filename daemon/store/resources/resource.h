/*
 * What the resources that users keep have in common: a name that is theirs alone in its project,
 * and a record. A resource is a row here; its methods are rows of the store's table that say which
 * of the operations below they are, and of which resource.
 *
 * Methods call the resource by its name: GetCollection takes a Ref `collection` and answers a
 * record `collection`.
 */
#pragma once

#include "daemon/store/engine/page.h"
#include "daemon/store/resources/notes.h"
#include "daemon/store/resources/place.h"

struct resource {
	const char *name; // in requests, replies and faults
	const char *noun; // for people: "a config"
	const struct record_type *type;
	char letter; // of the cursors of its list
	const char *by_id; // ?1 the id, ?2 whose, ?3 everybody's
	const char *by_name; // ?1 the project, ?2 the name
	const char *place; // owner_uid and project_id, by its id: ?1; NULL: it is no part of a project
	/* Of a project and of everybody: ?1 before what, ?2 whose, ?3 how many. */
	const char *page_own;
	const char *page_all;
	const char *count_own; // as count_step() wants them
	const char *count_all;
	const char *hide; // ?1 the id, ?2 the time
	/* A live task that uses it, by its id: ?1. NULL: none needs it. */
	const char *live;
	/* Where a name is not all that a Ref may say: 1, or 0. Or NULL. */
	int (*find_ref)(struct tx *tx, const struct scope *scope, const struct ellu_ref *ref,
			int64_t *ret_id);
	/* Of what has no rows but those of its latest version: Conflict where that is another. Or NULL. */
	int (*check_version)(struct tx *tx, int64_t id, int64_t version);
	/* *ret_record is what points to it. NotFound. */
	int (*load)(struct tx *tx, int64_t id, void *ret_record);
	/*
	 * Content, which comes by itself in its methods, or as a part of what makes a task. `path` is
	 * its own in the request, `id` what it is to take the place of, if anything (0: nothing).
	 * First, away from the writer, what takes long to read of it; or NULL.
	 */
	int (*prepare)(struct tx *tx, const void *content, const char *path, void **ret_prepared);
	/* Where a name alone does not say what content is, as there are versions: 1 and what has this
	 * very content, or 0. What is another one is a new one, then, beside those of its name. Or NULL. */
	int (*find)(struct tx *tx, const struct place *place, const void *content, void *prepared,
		    int64_t *ret_id);
	/* What the content shows wrong by itself, and beside what it does not say and so keeps. Or
	 * NULL. */
	int (*check)(struct tx *tx, const struct place *place, int64_t id, const void *content,
		     const char *path);
	/* A new one, whose name is free. */
	int (*insert)(struct tx *tx, const struct place *place, const void *content, void *prepared,
		      struct notes *notes, int64_t *ret_id);
	/* 1 where bringing it to the content would change it, or 0. */
	int (*differs)(struct tx *tx, int64_t id, const void *content, void *prepared);
	/* Does so; the name, if it is another, is free. */
	int (*update)(struct tx *tx, int64_t id, const void *content, void *prepared,
		      const char *path, struct notes *notes);
	/* 1 and what is there without a row, by its number from 0; it is listed behind the others. 0: there
	 * are no more. Or NULL. */
	int (*built_in)(struct tx *tx, size_t number, const void **ret_record);
	/* One of that name is among them. NULL: as for `built_in`. */
	bool (*is_built_in)(struct tx *tx, const struct ellu_ref *ref);
	/* What goes with it, now that nothing new can use it; or NULL. */
	int (*discard)(struct tx *tx, int64_t id);
};

/* A table with the columns id, owner_uid, project_id, name and deleted_at, and of what is not
 * deleted an index on project_id and a unique one on project_id and name. */
#define RESOURCE_STATEMENTS(table)                                                              \
	.by_id = "SELECT id FROM " table " WHERE id = ?1 AND (owner_uid = ?2 OR ?3)"            \
		 " AND deleted_at IS NULL",                                                     \
	.by_name = "SELECT id FROM " table " WHERE project_id = ?1 AND name = ?2"               \
		   " AND deleted_at IS NULL",                                                   \
	.place = "SELECT owner_uid, project_id FROM " table " WHERE id = ?1",                   \
	.page_own = "SELECT id FROM " table " WHERE project_id = ?2 AND id < ?1"                \
		    " AND deleted_at IS NULL ORDER BY id DESC LIMIT ?3",                        \
	.page_all = "SELECT id FROM " table " WHERE id < ?1 AND ?2 = ?2"                        \
		    " AND deleted_at IS NULL ORDER BY id DESC LIMIT ?3",                        \
	.count_own = "SELECT count(*), max(id), count(*) FROM (SELECT id FROM " table           \
		     " WHERE project_id = ?1 AND id > ?2 AND deleted_at IS NULL"                \
		     " ORDER BY id LIMIT ?3)",                                                  \
	.count_all = "SELECT count(*), max(id), count(*) FROM (SELECT id FROM " table           \
		     " WHERE ?1 = ?1 AND id > ?2 AND deleted_at IS NULL ORDER BY id LIMIT ?3)", \
	.hide = "UPDATE " table " SET deleted_at = ?2 WHERE id = ?1"

/* By the column of a run that has it. */
#define RESOURCE_LIVE(column)                                                           \
	.live = "SELECT t.id FROM tasks t CROSS JOIN runs r ON r.id = t.run_id"         \
		" WHERE t.finished_at IS NULL AND r." column " = ?1 LIMIT 1"

/* 1 and the id, or 0. */
int resource_find(struct tx *tx, const struct resource *resource, int64_t project_id,
		  const char *name, int64_t *ret_id);
/* Nothing of the user's own is what the reference says: NotFound, or ReadOnly where it is built in. */
int resource_none_own(struct tx *tx, const struct resource *resource, const struct ellu_ref *ref);
/* By name in the project that the scope names, or by an id that the scope may see; NotFound. */
int resource_resolve(struct tx *tx, const struct resource *resource, const struct scope *scope,
		     const struct ellu_ref *ref, int64_t *ret_id);
/* The same for who changes it, with where it is: what is seen because it is shared is its owner's. */
int resource_resolve_own(struct tx *tx, const struct resource *resource, const struct scope *scope,
			 const struct ellu_ref *ref, int64_t *ret_id, struct place *ret_place);

/* The content of a part: what exists and is equal, else what exists brought to it (with `update`) or
 * Conflict, else a new one. */
int resource_put(struct tx *tx, const struct resource *resource, const struct place *place,
		 const void *content, void *prepared, const char *path, bool update,
		 struct notes *notes, int64_t *ret_id);

/* ---- Operations of methods ---- */

int resource_get(struct tx *tx, struct method_run *op);
int resource_create(struct tx *tx, struct method_run *op); // begins at a reader, like the next two
int resource_get_or_create(struct tx *tx, struct method_run *op);
/* The record `content` takes the place of what was, but for what is written only and left out. What has
 * versions keeps its name. */
int resource_update(struct tx *tx, struct method_run *op);
int resource_list(struct tx *tx, struct method_run *op); // newest first
/* The same by the statements of another row, `of` what they have in the place of the project. */
int resource_list_of(struct tx *tx, struct method_run *op, const struct resource *resource,
		     int64_t of);
/* Hidden from lists and lookups and its name free, but kept for the results of what used it.
 * Conflict while a task uses it. */
int resource_delete(struct tx *tx, struct method_run *op);
