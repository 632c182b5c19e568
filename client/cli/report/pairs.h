/*
 * Experiments beside the first of them: on the rows that both have decided, which came out better and
 * which worse, and whether that could be chance.
 */
#pragma once

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
/* The same of scores, which are from 0 to 1: "+0.12 (+0.02 to +0.22)". */
const char *score_difference_text(char buffer[static 64], const struct ellu_paired_difference *paired);
const char *difference_text(char buffer[static 64], const struct ellu_paired_difference *paired);
