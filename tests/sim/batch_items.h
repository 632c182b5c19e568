/* A batch, and its items, which are answered as they are taken. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#include "tests/sim/bytes.h"

struct json_object;
struct simulator;

struct batch {
	struct batch *next; /* made before */
	int64_t number, file_number;
	bool is_openai, deleted;
	char *mark; /* of its metadata, or NULL */
	bool failed, cancelled, expired;
	int64_t n_items, n_succeeded, n_errored, n_expired;
	struct bytes output, errors; /* lines of results; Anthropic's are all in the first */
	time_t created;
};

/* One a line, as OpenAI has them; or in a list, as Anthropic does. */
void batch_take_lines(struct simulator *simulator, struct batch *batch, struct span text);
void batch_take_requests(struct simulator *simulator, struct batch *batch, struct json_object *requests);
struct json_object *batch_parse(const char *data, size_t size);
