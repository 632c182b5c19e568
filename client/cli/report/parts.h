/* What the forms of a report share: how they say outcomes, shares and sources, and write what is not theirs. */
#pragma once

#include "client/cli/report/report.h"

extern const char *const outcome_names[_OUTCOME_MAX]; // in words

/* Copies what was written to a file so far. */
void report_copy(FILE *file, FILE *out);

/* Writes the text so that it is text in HTML and XML. */
void report_escape(FILE *out, const char *text);

/* "one 40 (83.3 %), two 3 (-), 5 from the cache": where the answers came from, and how good those of each
 * config are. NULL: from the one model. */
char *report_sources(const struct ellu_experiment_results *results);

/* What the responses of the success rate do, in words. */
const char *report_success(const struct ellu_experiment_results *results);

/* "0.81 (0.70 to 0.92)", or what stands for nothing. */
const char *coefficient_text(char buffer[static 64], const double *value, const double *low, const double *high);

/* Of a share in results; NAN is what is not known of it. */
struct estimate estimate_of(const struct ellu_proportion *proportion);
/* "83.3 %", or what stands for nothing. */
const char *share_text(char buffer[static 32], double share);
/* "70.1 to 91.2 %" */
const char *interval_text(char buffer[static 64], const struct estimate *estimate);
