/*
 * What a watcher has been told. Each event is checked as it is taken: every change and log line
 * comes once and in order, progress repeats the last sequence. What is wrong ends the test.
 */
#pragma once

#include <json-c/json.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

/* Of one task. */
struct trail {
	int64_t task_id;
	int64_t first; // the first sequence that was told; 0: none yet
	int64_t last; // after which events are expected; -1: any may be the first
	char status[16];
	char *states; // "PENDING STARTED(user) ", each change with the hold after it
	size_t states_size;
	char *logs; // every line, each with a newline
	size_t logs_size;
	FILE *states_out;
	FILE *logs_out;
	unsigned n_progress;
};

struct trail *trail_new(int64_t task_id, int64_t last);
void trail_take(struct trail *trail, json_object *event);
bool trail_has_ended(const struct trail *trail);

/* Of Monitor: every task that it showed. Begin with {0}. */
struct monitor_trail {
	struct trail **tasks;
	size_t n_tasks;
	char cursor[201]; // of the last reply
};

/* One reply's parameters. */
void monitor_trail_take(struct monitor_trail *monitor, json_object *parameters);
/* NULL: it was not shown. */
struct trail *monitor_trail_find(struct monitor_trail *monitor, int64_t task_id);
