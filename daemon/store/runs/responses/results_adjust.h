/* What an edit of a verdict makes of an experiment's results, so that they need not be counted again. */
#pragma once

struct run_measure;
struct standing;
struct tx;

/* An experiment's results as they are when one of its responses comes to stand otherwise by a
 * measure; as text. */
int results_adjust(struct tx *tx, const char *text, const struct run_measure *measure,
		   const struct standing *before, const struct standing *after,
		   const char **ret_text);
