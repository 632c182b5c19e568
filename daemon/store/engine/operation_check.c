#include "daemon/store/engine/operation_check.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LIST 1000 // rows, columns, criteria, epochs: the longest of each
#define REST (OPERATION_ROWS_MAX - 2 * LIST) // what goes with lists

/* What is one request is one transaction. `tests/bench/commit.c` holds the largest submission to 50 ms. */
static const struct excuse {
	const char *operation;
	int n_lists;
	const char *reason;
} excuses[] = {
	{ "AddResponses", 6, "2,000 answers, verdicts and edits, what lists know of each, epochs" },
	{ "AddTemplateVariables", 3, "with `replace`: rows, their columns and those that go" },
	{ "CloneExperiment", 5, "as RunExperiment" },
	{ "CreateExperiment", 5, "as RunExperiment" },
	{ "GetOrCreateExperiment", 5, "as RunExperiment" },
	{ "PlanExperiment", 8, "as RunExperiment, and taken back" },
	{ "RateExperiment", 6, "criteria that go and that come, measures, those of the run, epochs" },
	{ "RateResponses", 3, "criteria, measures, those of the run" },
	{ "RunExperiment", 8, "rows and columns, criteria, measures, those of the run; with update_existing"
			      " columns and criteria that go and a new order of columns" },
	{ "run_take_over", 12, "an answer with what each of its judges and a person said of it" },
	{ "UpdateCollection", 4, "rows, columns that go and that come, their order" },
	{ "GetOrCreateCollection", 3, "as UpdateCollection" },
};

static int64_t rows_max(const char *name)
{
	for (size_t i = 0; i < sizeof(excuses) / sizeof(excuses[0]); i++)
		if (strcmp(name, excuses[i].operation) == 0)
			return excuses[i].n_lists * LIST + REST;
	return OPERATION_ROWS_MAX;
}

void operation_check(const char *name, int64_t rows)
{
	if (rows <= rows_max(name))
		return;
	fprintf(stderr, "store: %s changed %" PRId64 " rows at once\n", name, rows);
	abort();
}
