/*
 * Why items failed: errors that are alike, counted. Of a long walk, so what is kept is bounded; all
 * of that is told, so that it can be counted on from there.
 */
#pragma once

#include "daemon/store/engine/tx.h"
#include "elluminate-types.h"

#define ERROR_COUNTS_MAX 32 // different ones that are kept apart

struct error_counts {
	struct error_count {
		const char *item; // "response" or "rating"
		const char *code;
		const char *message; // of the first
		int64_t status; // 0: none
		int64_t count;
	} items[ERROR_COUNTS_MAX];
	size_t n;
};

/* `error` is a stored ellu_error; NULL: there is none. Messages that differ in numbers are
 * alike. */
int error_counts_add(struct tx *tx, struct error_counts *counts, const char *item,
		     const char *error);
/* The commonest first. */
int error_counts_tell(struct tx *tx, struct error_counts *counts, bool responses,
		      const struct ellu_error_count *const **ret_items, size_t *ret_n);
/* Of those that were told there comes to be one more, or one fewer. */
int error_counts_move(struct tx *tx, const char *item, const char *error, bool more,
		      const struct ellu_error_count *const **items, size_t *n);
