/*
 * A backup takes the database's place in three steps: a copy is checked; it is named RESTORED, from which
 * moment on it is the database; and what was there before is put aside. A start finds that name as well,
 * and does the last step, however often it is interrupted. No store is open meanwhile.
 */
#pragma once

#include <stdbool.h>

#include "proto/fault/fault.h"

#define RESTORED "restored.db"

/* Whether the file is a whole and sound database of ours. Nothing is written. Blocks, like what follows. */
int store_check_backup(const char *path, struct fault *fault);

struct store_restore {
	const char *state_dir; // made when missing
	const char *path;
	bool system; // else all that is in it, which must be one user's, becomes the caller's own
	char kept[64]; // the folder in there with what was in its place; "": there was nothing
};
/* Puts a backup in the place of the database, once it is known to be sound; the keys in the folder stay.
 * Killed at any point, either is there, whole. Needs the folder's lock. */
int store_restore(struct store_restore *restore, struct fault *fault);

/* The last step, if there is anything to do. Needs the folder's lock. */
int restore_finish(const char *state_dir, struct fault *fault);
