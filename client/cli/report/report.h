/*
 * A report of experiments, for people who were not there: what was asked, what came of it and how sure
 * that is, and the cases, those that went wrong first. Responses are read once, and each is written as
 * its case at once, to a file of its outcome; so a report of a million takes no more memory than one of
 * a thousand.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "client/cli/cli.h"
#include "client/cli/report/pairs.h"
#include "proto/statistics/statistics.h"

#define REPORT_EXPERIMENTS_MAX 10
#define REPORT_CASES 5000 // of each experiment, where --limit says nothing else

/* What became of a case, the worst first. */
enum outcome {
	OUTCOME_NO_ANSWER,
	OUTCOME_NOT_MET, // by one criterion at least
	OUTCOME_UNDECIDED,
	OUTCOME_MET,
	_OUTCOME_MAX,
};

/* One experiment of a report. */
struct reported {
	const struct ellu_get_experiment_reply *reply;
	const struct ellu_experiment *experiment; // of it
	const struct ellu_get_judge_agreement_reply *trust; // in its judge, once people or several judges tell
	int64_t counts[_OUTCOME_MAX];
	int64_t n_shown[_OUTCOME_MAX];
	FILE *cases[_OUTCOME_MAX]; // each written by the writer, one after the other
};

struct report;

/* A form that reports are written in. */
struct report_writer {
	/* Of what was read, or NULL: a case, into the file of its outcome. */
	void (*write_case)(const struct report *report, const struct reported *reported,
			   const struct ellu_response *response, enum outcome outcome, FILE *out);
	/* A case that is worse than that of the first experiment, or better. May be NULL. */
	void (*write_change)(const struct report *report, const struct ellu_compared_case *compared,
			     FILE *out);
	/* All of it, to standard output. */
	void (*write)(const struct report *report);
};

struct report {
	struct cli *cli;
	const struct report_writer *writer;
	struct reported experiments[REPORT_EXPERIMENTS_MAX];
	size_t n;
	const struct ellu_compare_experiments_reply *compared; // NULL: there is one alone
	FILE *worse[REPORT_EXPERIMENTS_MAX], *better[REPORT_EXPERIMENTS_MAX];
	int64_t limit;
};

extern const struct report_writer report_page, report_markdown, report_junit, report_csv, report_json;

/* Of experiments that have results, at most REPORT_EXPERIMENTS_MAX, in the format of standard output, which is
 * one of reports alone; connected. 0, or the exit status. */
int report_results(struct cli *cli, const int64_t *ids, size_t n);
