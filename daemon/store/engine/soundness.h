/*
 * Whether a database is what it says: every page, every index beside its table, every reference. It
 * reads all of it.
 */
#pragma once

#include "daemon/store/engine/tx.h"

#define SOUNDNESS_PROBLEMS_MAX 100 // that are told

/* Of a file that nobody writes: 1, and the first problem; 0: none. */
int soundness_check(struct db *db, struct arena *arena, const char **ret_problem);

/* Of the database, a table at a time, so that its log can be reset in between. Zeroed. */
struct soundness {
	const char *table; // the last one
	struct tx_list problems; // texts
	int64_t n_tables;
};

/* 1: there is another table, for another transaction; 0: that was all. A file that is damaged is
 * only read from now on. */
int soundness_check_next(struct tx *tx, struct soundness *state);

/* Of a backup: it is a file by itself. */
int soundness_check_alone(const char *path, struct fault *fault);
/* That it is one of ours, and sound; faults speak of it as `called`. Nothing is written, not even beside
 * it. */
int soundness_check_file(const char *path, const char *called, struct fault *fault);
