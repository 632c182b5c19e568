/* The charts of a page, each a drawing of its own. */
#pragma once

#include "client/cli/report/report.h"

/* A share, and its interval. */
void chart_bar(FILE *out, const struct estimate *estimate);
/* How many have each tenth of a score. */
void chart_distribution(FILE *out, const struct ellu_evaluator_scores *scores);
/* The same of what has a unit, with its title. */
void chart_histogram(FILE *out, const struct ellu_spread *spread, const char *title, const char *unit);
