/* What the files of metrics share. */
#pragma once

#include <json-c/json.h>
#include <stdbool.h>
#include <stddef.h>

#include "proto/arena.h"
#include "proto/fault/fault.h"

struct metric_score;

struct metric {
	json_object *inputs;
	struct arena *arena; // goes once it is decided
	struct arena *out; // of what came of it
	size_t steps; // taken so far
	struct metric_score *score;
	struct fault *fault;
};

typedef int metric_function(struct metric *metric);

/* Takes so many steps, or refuses: TooLarge. */
int metric_spend(struct metric *metric, size_t steps);
int metric_spend_product(struct metric *metric, size_t a, size_t b);

/* An input as text: a string as it is, another value as JSON. InvalidParameter: it is absent. */
int metric_text(struct metric *metric, const char *name, const char **ret_text);
/* A number, or a text of one, of at least 0. */
int metric_number(struct metric *metric, const char *name, double *ret_number);
/* An input that is JSON, or a text of it; without a fence around it. To be put by the caller. */
int metric_json(struct metric *metric, const char *name, json_object **ret_json);
/* The same of the response, which may be anything: -EBADMSG with what is wrong with it. */
int metric_response_json(struct metric *metric, json_object **ret_json, const char **ret_wrong);

/* What came of it; they answer 0, or the fault's code. */
int metric_say(struct metric *metric, double score, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
int metric_invalid(struct metric *metric, const char *name, const char *expected);

/* Of metric_text.c, metric_json.c, metric_similarity.c and metric_facts.c. */
metric_function metric_equals, metric_contains_all, metric_contains_any, metric_contains_none,
	metric_starts_with, metric_regex, metric_length, metric_word_count;
metric_function metric_is_json, metric_json_schema, metric_json_property_completeness,
	metric_json_property_names, metric_json_property_types, metric_json_filled_values,
	metric_json_equals;
metric_function metric_levenshtein, metric_bleu, metric_rouge_l;
metric_function metric_latency, metric_cost, metric_finish_reason;
