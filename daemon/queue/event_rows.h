/*
 * Rows of the store's history as the events that are told of a task. Log lines that go together make
 * one event: in a page of the history those of one task under one state.
 */
#pragma once

#include <stddef.h>

#include "daemon/store/events.h"
#include "proto/arena.h"

/*
 * The event that begins at row `first`: one change, or a run of log lines of one task under one
 * state, as far as they make a text of EVENT_TEXT_MAX. Answers the row behind it, 0 without
 * memory. `ret_event` borrows from the rows and from `arena`.
 */
#define EVENT_TEXT_MAX 65536
size_t event_rows_gather(struct arena *arena, const struct task_event_row *rows, size_t n_rows,
			 size_t first, struct ellu_task_event *ret_event);

/* Progress, error and result of the task as it is by now. */
void event_add_outcome(struct ellu_task_event *event, const struct ellu_task *task);
