#include "daemon/store/engine/statement_check.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Steps that may be taken, all of them or those of one statement, and why. */
static const struct excuse {
	const char *step; // its beginning
	const char *sql; // the beginning of the statement; NULL: any
	const char *reason;
} excuses[] = {
	{ "SCAN daemon", NULL, "a table of one row" },
	{ "SCAN sqlite_", NULL, "the schema, at the start" },
	{ "USE TEMP B-TREE", "SELECT group_concat(type", "the schema, at the start" },
	{ "SCAN row_batches USING INDEX row_batches_open", NULL, "holds unfinished uploads alone" },
	{ "SCAN row_batches USING INDEX row_batches_dead", NULL, "holds what is swept next alone" },
	{ "SCAN collections USING INDEX collections_cleared", NULL, "the same, and takes the first" },
	{ "SCAN runs USING INDEX runs_unordered", NULL, "the same, and takes the first" },
	{ "SCAN projects USING INDEX projects_to_empty", NULL, "the same, and takes the first" },
	{ "SCAN projects USING COVERING INDEX projects_to_empty", NULL, "the same" },
	{ "SCAN tasks USING INDEX tasks_unfinished", NULL, "as many as may wait and run" },
	{ "SCAN tasks USING COVERING INDEX tasks_unfinished", NULL, "the same" },
	{ "SCAN t USING INDEX tasks_unfinished", NULL, "the same" },
	{ "SCAN latest", NULL, "as many as were asked for" },
	{ "SCAN ", "INSERT INTO measures", "for foreign keys that are violated; none ever is" },
	{ "USE TEMP B-TREE", "SELECT json_group_array(DISTINCT", "as many as the request names" },
};

static bool begins(const char *text, const char *with)
{
	return strncmp(text, with, strlen(with)) == 0;
}

/* A step of a plan that takes longer the more rows there are, whatever it is asked for. */
static bool is_walk(const char *step)
{
	if (strstr(step, "TEMP B-TREE") || strstr(step, "AUTOMATIC"))
		return true;
	return begins(step, "SCAN ") && !begins(step, "SCAN CONSTANT ROW") &&
	       !begins(step, "SCAN (") && !strstr(step, "VIRTUAL TABLE");
}

static bool is_excused(const char *sql, const char *step)
{
	for (size_t i = 0; i < sizeof(excuses) / sizeof(excuses[0]); i++)
		if (begins(step, excuses[i].step) && (!excuses[i].sql || begins(sql, excuses[i].sql)))
			return true;
	return false;
}

void statement_check(sqlite3 *handle, const char *sql)
{
	sqlite3_stmt *plan = NULL;
	char *text = sqlite3_mprintf("EXPLAIN QUERY PLAN %s", sql);

	if (!text || sqlite3_prepare_v2(handle, text, -1, &plan, NULL) != SQLITE_OK) {
		sqlite3_free(text);
		return;
	}
	while (sqlite3_step(plan) == SQLITE_ROW) {
		const char *step = (const char *)sqlite3_column_text(plan, 3);

		if (step && is_walk(step) && !is_excused(sql, step)) {
			fprintf(stderr, "store: %s\nstore: has the step: %s\n", sql, step);
			abort();
		}
	}
	sqlite3_finalize(plan);
	sqlite3_free(text);
}
