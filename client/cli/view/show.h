/* Records as rows of tables, or field by field; experiments and what came out of them. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "client/cli/view/table.h"
#include "client/elluminate.h"
#include "proto/record/record.h"

/* ---- Records ---- */

/* A column of a list. */
struct column {
	const char *title; // as of table_column(); NULL ends the columns
	const char *path; // of the field: "progress.percent_complete"
	void (*add)(struct table *table, const void *item); // the cell, in its place; or NULL
};

void show_columns(struct table *table, const struct column *columns);

/* A record's row of them; what is not there is an empty cell. In CSV a field is as it is in JSON. */
void show_row(struct table *table, const struct column *columns, const struct record_type *type,
	      const void *record);

/* The record's id on a line; false when it has none. */
bool show_id(FILE *out, const struct record_type *type, const void *record);

/* All fields that are there, a line each; in CSV a row of all that there may be. */
void show_record(FILE *out, const struct record_type *type, const void *record);

/* Who says what, on a line of its own. */
void show_message(FILE *out, const struct ellu_message *message);
/* What is asked, a line each. */
void show_criteria(FILE *out, const struct ellu_criterion *const *criteria, size_t n);

/* ---- Experiments and ratings ---- */

/* Provider and name of a model, in the buffer, which is returned. */
const char *model_text(const struct ellu_model *model, char *buffer, size_t size);

/* Which model answers, and which one judges, a line each. */
void results_print_models(FILE *out, const struct ellu_experiment *experiment);

/* In CSV: what came of each criterion. */
void results_print(FILE *out, const struct ellu_experiment *experiment);

/* "83.3 % (70.1 to 91.2)", or what stands for nothing. NULL: it was not judged so. */
const char *proportion_text(char buffer[static 64], const struct ellu_proportion *share);

/* "83.3 % (70-91)", for a table's cell. */
const char *proportion_brief(char buffer[static 64], const struct ellu_proportion *share);

/* Its value, low, high, n_scored and n_total, as numbers. */
void proportion_add_numbers(struct table *table, const struct ellu_proportion *proportion);

#define ALL_CRITERIA "all of them (success rate)"
/* That, or what the rate is of where there are no criteria. */
const char *success_name(const struct ellu_experiment_results *results);

/* That `what` comes from no real model. */
void results_print_simulated(FILE *out, const char *what);

/* What came of each criterion of each, in CSV. */
void results_print_csv(FILE *out, const struct ellu_experiment *const *experiments, size_t n);

/* What a batch of ratings came to, below its verdicts. */
void results_print_ratings(FILE *out, const struct ellu_rating_results *results);
