/*
 * Two experiments case by case: which rows came out better and which worse, and whether that could be
 * chance. Rows are what is compared: of several epochs, their mean.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "client/cli/cli.h"
#include "proto/statistics.h"

struct row_pair {
	int64_t row_id;
	int n; // epochs that both have decided
	double sum; // of the other one's success less the first one's
};

struct pairs {
	struct row_pair *rows;
	size_t n_rows;
	size_t capacity;
	int64_t n_better; // rows
	int64_t n_worse;
	struct estimate difference; // of the success rates over these rows
	double p; // of a two-sided sign test: that chance alone does so much
};

/* Reads all cases of the two; each is told to `told`, if there is one. 0, or the exit status after
 * saying what is wrong. Ends with pairs_done(), whatever came of it. */
int pairs_read(struct cli *cli, int64_t base_id, int64_t other_id, struct pairs *ret_pairs,
	       void (*told)(void *userdata, const struct ellu_compared_case *compared), void *userdata);
void pairs_done(struct pairs *pairs);

/* What came of it on a line: "3 rows better, 12 worse (p = 0.035)". */
void pairs_print(FILE *out, const struct pairs *pairs);
