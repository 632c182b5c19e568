/*
 * How a call goes on after its connection was lost: what it has told so far, and the call that
 * tells the rest.
 *
 * A list and Monitor go on behind their cursor. What follows a task goes on as WatchTask behind the
 * last sequence, whatever method began it. A call that tells nothing before its end is made
 * again, when its idempotency key, or what it is, makes that safe. Where a call stands is read from
 * the replies as they came, so that it is the same for raw ones.
 */
#pragma once

#include <json-c/json.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/wire/method.h"

struct resume {
	const struct method *method; // NULL: one that is not known, and never resumed
	bool more;
	bool repeatable; // as it stands, while nothing was told
	json_object *parameters; // owned; NULL: nothing to resume with
	int64_t task_id; // 0: not told yet
	int64_t sequence;
	char *cursor;
};

/* Takes a reference to the parameters where they may be needed again. `method` may be NULL. */
void resume_init(struct resume *resume, const struct method *method, json_object *parameters,
		 bool more);
void resume_done(struct resume *resume);

/* A reply with these parameters has been told. -ENOMEM. */
int resume_note(struct resume *resume, json_object *reply);

bool resume_possible(const struct resume *resume);

/* Does the call follow a task, so that it may tell its id. */
bool resume_follows_task(const struct resume *resume);

/* The message that asks for the rest; free() it. -ENOMEM. */
int resume_write(const struct resume *resume, char **ret_text, size_t *ret_size);
