/*
 * The responses of a run by how long they took and how many tokens they had, longest and most first. Both
 * orders are kept in blocks of so many responses as they came, each in order by itself, so that the first
 * of all are found by looking at the first of each block. Recording does not know of it: the blocks are made
 * once a task has ended, and who lists looks at each response behind the last one. What a later task
 * records in the place of an error moves.
 */
#pragma once

#include <stdint.h>

struct db;
struct tx;

#define RESPONSE_RANK_BY_DURATION "-coalesce(r.duration_usec, 0)"
#define RESPONSE_RANK_BY_TOKENS "-(coalesce(r.input_tokens, 0) + coalesce(r.output_tokens, 0))"

/* Responses may have come that are in no block, or verdicts that are not known of one. */
int response_order_due(struct tx *tx, int64_t run_id);
int response_order_due_task(struct tx *tx, int64_t task_id); // the run of its experiment, or its own

/* One block, or some of the verdicts that blocks have. 1: there may be more to do; 0: there is nothing. */
int response_order_sweep(struct db *db);

/* Before it changes or goes, and after it has changed. */
int response_order_take(struct db *db, int64_t response_id);
int response_order_put(struct db *db, int64_t response_id);
