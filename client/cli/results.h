/* An experiment and what came out of it, as tables for people. */
#pragma once

#include <stdbool.h>
#include <stdio.h>

#include "client/elluminate.h"

void results_print(FILE *out, const struct ellu_experiment *experiment, bool color);

/* What a batch of ratings came to, below its verdicts. */
void results_print_ratings(FILE *out, const struct ellu_rating_results *results, bool color);
