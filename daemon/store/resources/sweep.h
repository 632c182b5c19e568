/*
 * Removes rows that nobody can reach any more, a chunk at a time: those of uploads that were never
 * committed, and cleared ones that no experiment is pinned to. And hides what is in deleted projects.
 */
#pragma once

#include "daemon/store/engine/secrets.h"
#include "daemon/store/engine/statement.h"

#define SWEEP_PAUSE_USEC 1000 // between chunks
#define SWEEP_UPLOAD_AGE_USEC INT64_C(86400000000)

/* One chunk. *ret_next_usec says when there is more to do; -1: no upload is open. */
int sweep_step(struct db *db, struct secret_changes *secrets, int64_t now, int64_t *ret_next_usec);

/* A chunk of what is in a deleted project, the keys of its configs first; 1: there may be more. */
int sweep_project(struct db *db, struct secret_changes *secrets, int64_t project_id, int64_t now);
