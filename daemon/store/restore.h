/*
 * A backup takes the database's place in three steps: a copy is checked; it is named RESTORED, from which
 * moment on it is the database; and what was there before is put aside. A start finds that name as well,
 * and does the last step, however often it is interrupted.
 */
#pragma once

#include "proto/fault/fault.h"

#define RESTORED "restored.db"

/* The last step, if there is anything to do. Needs the folder's lock. */
int restore_finish(const char *state_dir, struct fault *fault);
