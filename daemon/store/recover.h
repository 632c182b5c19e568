/* What a start mends: tasks that no daemon runs any more, unfinished uploads, orphaned secrets. */
#pragma once

#include "daemon/store/engine/store_internal.h"

/* On the writer's connection, before the threads run. Takes the next instance number. */
int recover(struct store *store, struct db *db);
