/* Criteria in sets (criterion_set.c), the measures that runs judge by, and the judges. */
#pragma once

#include "daemon/store/resources/identity.h"
#include "daemon/store/resources/notes.h"
#include "daemon/store/resources/resource.h"
#include "daemon/store/runs.h"
#include "proto/limits.h"

#define CRITERIA_MAX 1000 // of a set
#define SET_NAME_CHARS_MAX (NAME_MAX_CHARS - 9) // " criteria"

extern const struct resource resource_criterion_set;

/* As a request has them, or a set, in order. */
struct criteria {
	const struct ellu_criterion *const *items;
	size_t n;
};
int criteria_of_texts(struct tx *tx, const char *const *texts, size_t n_texts,
		      struct criteria *ret_criteria);
/* What each of them has to be; `path` is theirs in the request. */
int criteria_check_records(struct tx *tx, const struct criteria *criteria, const char *path);
int criteria_check_bytes(struct tx *tx, const struct criteria *criteria);
/* Without repetitions, in the order of their first appearance. */
int criteria_distinct(struct tx *tx, const struct criteria *criteria, const char *path,
		      struct criteria *ret_criteria);
void criteria_identity(const struct criteria *criteria, char ret_identity[static IDENTITY_SIZE]);
/* Whether what is there is what is asked for; a label that isn't said may be any. */
bool criterion_is_same(const struct ellu_criterion *there, const struct ellu_criterion *wanted);
int criterion_set_criteria(struct tx *tx, int64_t set_id, struct criteria *ret_criteria);

/* A set with exactly these: what exists and is equal, else what exists brought to them (with
 * `update`) or Conflict, else a new one. The same text is the same criterion. */
int criterion_set_put(struct tx *tx, const struct place *place, const char *name,
		      const struct criteria *criteria, bool update, struct notes *notes,
		      int64_t *ret_id);

/* Inline criteria of a request: as texts or as records, or neither (NULL); instead of a set, none blank,
 * and their set can be named after `name`, if there is one. */
struct inline_criteria {
	const char *const *texts;
	size_t n_texts;
	struct criteria records;
};
int criteria_check(struct tx *tx, const char *name, const struct inline_criteria *given,
		   const struct ellu_ref *set);
/* Of NAME criteria, NAME criteria #2, ... the one that is equal, or a new one. */
int criterion_set_fit(struct tx *tx, const struct place *place, const char *name,
		      const struct criteria *criteria, int64_t *ret_id);

/* The set that is linked to a prompt template: 1, or 0. */
int criterion_set_linked(struct tx *tx, int64_t template_id, int64_t *ret_set_id);
int criteria_linked(struct tx *tx, int64_t template_id, struct criteria *ret_criteria); // its criteria
int criterion_set_put_link(struct tx *tx, int64_t template_id, int64_t set_id);
int criterion_set_count_links(struct tx *tx, int64_t id, int64_t *ret_n);

/* What was made up for a prompt template goes into the set that is linked to it, else into that of its
 * name, or a new one, linked then; with `replace` in the place of what is in it. */
int criterion_set_extend(struct tx *tx, int64_t template_id, const struct criteria *criteria,
			 bool replace, int64_t *ret_set_id);

/* Measures of the set's present criteria, made where they are missing; struct run_measure. */
int criterion_set_measures(struct tx *tx, int64_t set_id, struct tx_list *measures);

/* Whether one of them asks the run's judge. */
bool measures_need_judge(const struct tx_list *measures);

/* The check in a column, or NULL. */
int check_read(struct tx *tx, sqlite3_stmt *q, int column, const struct ellu_check **ret_check);

/* What is rendered of them, in that order: texts, and the values of checks. */
int measures_texts(struct tx *tx, const struct tx_list *measures, const char *const **ret_texts);

/* The measures that a run is pinned to, in order; struct run_measure. */
int run_measures(struct tx *tx, int64_t run_id, struct tx_list *measures);
/* Of them the criteria alone. */
int run_criteria(struct tx *tx, int64_t run_id, struct tx_list *measures);

/* ---- Operations of methods ---- */

int criteria_add(struct tx *tx, struct method_run *op);
int criteria_list(struct tx *tx, struct method_run *op); // ListCriteria
int criterion_delete(struct tx *tx, struct method_run *op);
int criterion_set_clear(struct tx *tx, struct method_run *op);
int criterion_set_link(struct tx *tx, struct method_run *op);
int criterion_set_unlink(struct tx *tx, struct method_run *op);
