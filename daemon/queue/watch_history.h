/* How a watch reads what it missed. */
#pragma once

#include "daemon/queue/watch_cursor.h"

/* Unless it does: reads what it has missed, until it has caught up. */
void watch_read(struct watch *watch);
/* The same of a history that is at hand. */
void watch_take_history(struct watch *watch, const struct ellu_task *task,
			const struct task_event_row *rows, size_t n_rows);
/* Goes on with what waited for room, or for a turn. */
void watch_read_on(struct watch *watch);
/* It is freed, here or once nothing of it is with the store any more. */
void watch_leave_history(struct watch *watch);
