/*
 * How a provider takes calls as a batch: requests that it answers within a day, for less. A form is a
 * dialect's; what a single call asks, and what its answer says, stays the dialect's own.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "daemon/backend/wire/buffer.h"
#include "daemon/backend/wire/json.h"

#define BATCH_MARK_MEMBER "elluminate" // of what a provider keeps of a batch for who made it

enum batch_state {
	BATCH_UNDER_WAY,
	BATCH_ENDED, // and its results can be had
	BATCH_FAILED, // none of it was or will be asked
};

/* What is told of a batch; texts are the JSON's, or NULL. */
struct batch_news {
	const char *id;
	const char *mark; // where the provider keeps one
	enum batch_state state;
	int64_t n_items;
	int64_t n_done; // that have a result
	int64_t created_usec; // 0: it does not say
	bool is_stopping; // under way, and cancelled
	const char *file; // that its items are in
	const char *results[2]; // where they are
	struct json_value *error; // why it failed, as the dialect reads refusals
	bool is_full; // and that was for want of room: it may be given again
};

/* A line of the results. */
struct batch_line {
	const char *custom_id;
	struct json_value *answer; // as that of a single call
	struct json_value *error; // or this, as that of one
	int status; // of the latter; 0: its words say
	bool unasked; // or neither: it was not asked in time, or not any more
};

struct batch_form {
	const char *path, *version_path; // of batches, as those of a dialect
	const char *file_path, *file_version_path; // of the file that items go in; NULL: with the batch itself
	const char *content_type; // of what items are in, and behind it the mark where it ends in `=`; NULL: JSON
	const char *results_end; // behind where results are
	const char *after; // parameter of a list: behind which one it goes on

	/* Write what holds the items, which the dialect's requests are, each between the two of its own. */
	void (*open)(const char *mark, struct buffer *body);
	void (*open_item)(const char *custom_id, bool is_first, struct buffer *body);
	void (*close_item)(struct buffer *body);
	void (*close)(const char *mark, struct buffer *body);
	/* The batch of a file, which is deleted with those of results; NULL: there is none, and the batch is. */
	void (*create)(const char *mark, const char *file_id, struct buffer *body);

	/* Read an object, which they borrow. */
	void (*news)(struct json_value *json, struct batch_news *ret_news);
	void (*line)(struct json_value *json, struct batch_line *ret_line);
};

extern const struct batch_form openai_batch, anthropic_batch;

int64_t batch_count(struct json_value *counts, const char *name); // at least 0
