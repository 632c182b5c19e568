/* An experiment and what came out of it, as tables for people. */
#pragma once

#include <stdbool.h>
#include <stdio.h>

#include "client/elluminate.h"

/* Provider and name of a model, in the buffer, which is returned. */
const char *model_text(const struct ellu_model *model, char *buffer, size_t size);

/* Which model answers, and which one judges, a line each. */
void results_print_models(FILE *out, const struct ellu_experiment *experiment);

void results_print(FILE *out, const struct ellu_experiment *experiment, bool color);

/* What a batch of ratings came to, below its verdicts. */
void results_print_ratings(FILE *out, const struct ellu_rating_results *results, bool color);
