/* Which responses of a run are wanted. */
#pragma once

#include <stdint.h>

/* NULL: any. */
struct response_filter {
	const int64_t *epoch;
	const int64_t *failed;
	const int64_t *criterion_id; // by any, where a value is wanted
	const int64_t *value; // of a verdict as it stands
	const int64_t *annotated;
	const int64_t *min_duration; // microseconds
	const int64_t *max_duration;
	const int64_t *min_input_tokens;
	const int64_t *max_input_tokens;
	const int64_t *min_output_tokens;
	const int64_t *max_output_tokens;
	const int64_t *overruled; // by a person, by some criterion
	const int64_t *row_id; // of a ranking; walks have all
};
