/* How a watch reads what it missed. */
#pragma once

#include "daemon/queue/watch_cursor.h"

/* Unless it does: reads what it has missed, until it has caught up. */
void watch_read(struct watch *watch);
/* Goes on with what waited for room, or for a turn. */
void watch_read_on(struct watch *watch);
/* It is freed, here or once nothing of it is with the store any more. */
void watch_leave_history(struct watch *watch);
