/*
 * Methods on the database as a whole, beside all else: a copy of it, and whether it is sound. Both take
 * as long as the file is large, and hold up nobody: see STORE_KEEP and STORE_COPY.
 */
#pragma once

#include "daemon/store/engine/method.h"

int backup_run(struct tx *tx, struct method_run *op);
int storage_check_run(struct tx *tx, struct method_run *op);

/* Removes what backups left behind that a crash has ended. */
void backups_sweep(const char *state_dir);
