/* Lists of resources: the newest first, a project's or everybody's, in pages. */
#pragma once

#include "daemon/store/engine/page.h"
#include "daemon/store/resources/project.h"

struct resource_list {
	char letter; // of its cursors
	const char *name; // of an item
	const struct record_type *type;
	/* Statements for a project's and for everybody's: ?1 before what, ?2 whose, ?3 how many. */
	const char *page_own;
	const char *page_all;
	const char *count_own; // as count_step() wants them
	const char *count_all;
	int (*load)(struct tx *tx, int64_t id, const void **ret_item);
};

/* Needs an index on project_id. */
#define RESOURCE_STATEMENTS(table)                                                              \
	.page_own = "SELECT id FROM " table " WHERE project_id = ?2 AND id < ?1"                \
		    " ORDER BY id DESC LIMIT ?3",                                               \
	.page_all = "SELECT id FROM " table " WHERE id < ?1 AND ?2 = ?2 ORDER BY id DESC LIMIT ?3", \
	.count_own = "SELECT count(*), max(id), count(*) FROM (SELECT id FROM " table           \
		     " WHERE project_id = ?1 AND id > ?2 ORDER BY id LIMIT ?3)",                \
	.count_all = "SELECT count(*), max(id), count(*) FROM (SELECT id FROM " table           \
		     " WHERE ?1 = ?1 AND id > ?2 ORDER BY id LIMIT ?3)"

/* What every request for a list says. */
struct list_arguments {
	const char *cursor;
	const int64_t *limit;
	const int *count;
};
#define LIST_ARGUMENTS(a) ((struct list_arguments){ (a)->cursor, (a)->limit, (a)->count })

int resource_list_run(struct tx *tx, struct store_request *request,
		      const struct resource_list *list, const struct scope *scope,
		      struct list_arguments arguments);
