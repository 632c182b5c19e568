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
extern const char *const outcome_names[_OUTCOME_MAX]; // in words

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
	const char *name; // of the format
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

/* The writer of that format, or NULL. */
const struct report_writer *report_writer_find(const char *name);

/* Copies what was written to a file so far. */
void report_copy(FILE *file, FILE *out);

/* Writes the text so that it is text in HTML and XML. */
void report_escape(FILE *out, const char *text);

/* "one 40 (83.3 %), two 3 (-), 5 from the cache": where the answers came from, and how good those of each
 * config are. NULL: from the one model. */
char *report_sources(const struct ellu_experiment_results *results);

/* "0.81 (0.70 to 0.92)", or what stands for nothing. */
const char *coefficient_text(char buffer[static 64], const double *value, const double *low, const double *high);

extern const struct report_writer report_page, report_markdown, report_junit, report_csv, report_json;

/* Of a share in results; NAN is what is not known of it. */
struct estimate estimate_of(const struct ellu_proportion *proportion);
/* "83.3 %", or what stands for nothing. */
const char *share_text(char buffer[static 32], double share);
/* "70.1 to 91.2 %" */
const char *interval_text(char buffer[static 64], const struct estimate *estimate);
