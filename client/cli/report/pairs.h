/*
 * Experiments beside the first of them: on the rows that both have decided, which came out better and
 * which worse, and whether that could be chance.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "client/cli/cli.h"

/* 0 with the reply to free, or the exit status after saying what is wrong. */
int pairs_read(struct cli *cli, const int64_t *ids, size_t n,
	       const struct ellu_compare_experiments_reply **ret_reply);

/* What came of it in a sentence without an end; NULL: they share no row. */
void pairs_print(FILE *out, const struct ellu_paired_difference *paired);
/* "+4.1 (-2.0 to +10.2)", in percentage points; or what stands for nothing. */
const char *difference_text(char buffer[static 64], const struct ellu_paired_difference *paired);
/* The same of scores, which are from 0 to 1: "+0.12 (+0.02 to +0.22)". */
const char *score_difference_text(char buffer[static 64], const struct ellu_paired_difference *paired);

/* The criteria, or the evaluators, by which the experiment of that place can be compared, behind a head. False:
 * there is none, and no head. */
typedef void pair_write_fn(FILE *out, const char *name, const char *difference,
			   const struct ellu_paired_difference *paired);
bool pairs_write_criteria(FILE *out, const struct ellu_compare_experiments_reply *compared, size_t place,
			  const char *head, pair_write_fn *write);
bool pairs_write_scores(FILE *out, const struct ellu_compare_experiments_reply *compared, size_t place,
			const char *head, pair_write_fn *write);
