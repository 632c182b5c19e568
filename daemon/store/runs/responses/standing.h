/* How a response stands by the criteria of its run. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct run_row;
struct tx;

/* By all criteria, and by one of them; and, where there are several epochs, all of its row. */
struct standing {
	bool meets_all;
	bool decided;
	int value; // 1 YES, 0 NO, -1 none (it failed), -2 not rated
	const char *error; // why the judge has no verdict by the one, whoever overruled it; or NULL
	int64_t row_responses, row_successes; // that meet all
	int64_t row_decided, row_yes; // by the one
	int answered_by; // the config; 0: the run's own
	bool row_is_large; // and was not looked at: everyone waits while one is
};
int standing_read(struct tx *tx, const struct run_row *run, int64_t response_id, int64_t measure_id,
		  struct standing *ret_standing);
