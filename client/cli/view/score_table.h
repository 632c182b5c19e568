/* What evaluators came to in an experiment, for people and in CSV. */
#pragma once

#include <stdbool.h>
#include <stdio.h>

#include "client/cli/view/table.h"
#include "client/elluminate.h"

#define SCORE_TEXT_SIZE 16

/* What a rating says: YES, NO, a score as 0.75, or what stands for nothing. */
const char *rating_text(char buffer[static SCORE_TEXT_SIZE], const struct ellu_rating *rating,
			const char *nothing);

/* A table of them; nothing where there are none. */
void score_table_print(FILE *out, const struct ellu_experiment_results *results);
/* Of one: mean, low, high, n_scored, n_total, as numbers. */
void score_table_add_numbers(struct table *table, const struct ellu_evaluator_scores *scores);
/* How many scores lie in each tenth, as one character each, the most being the highest. */
#define SCORE_BARS_SIZE 64
const char *score_bars(char buffer[static SCORE_BARS_SIZE], const struct ellu_evaluator_scores *scores,
		       bool unicode);
/* The evaluator's name; where it is there with several variables, with a part of these. */
#define SCORE_NAME_SIZE 400
const char *score_name(char buffer[static SCORE_NAME_SIZE], const struct ellu_experiment_results *results,
		       size_t number);
