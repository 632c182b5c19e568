/*
 * How a call goes on after its connection was lost: the call that tells the rest of what it has told
 * so far.
 *
 * A list and Monitor go on behind their cursor. What follows a task goes on as WatchTask behind the
 * last sequence, whatever method began it. A call that tells nothing before its end is made
 * again, when its idempotency key, or what it is, makes that safe. Where a call stands is read from
 * the replies as they came, so that it is the same for raw ones.
 */
#pragma once

#include <json-c/json.h>
#include <stdbool.h>
#include <stdint.h>

#include "proto/wire/method.h"

struct resume {
	const struct method *method; // that asks for the rest; NULL: of one that is not known, never
	json_object *parameters; // its; owned; NULL: nothing to resume with
	bool more;
	bool possible; // now
	bool follows_task; // so that it may tell its id
	int64_t task_id; // 0: not told yet
};

/* Takes a reference to the parameters where they may be needed again. `method` may be NULL. */
void resume_init(struct resume *resume, const struct method *method, json_object *parameters,
		 bool more);
void resume_done(struct resume *resume);

/* A reply with these parameters has been told. -ENOMEM. */
int resume_note(struct resume *resume, json_object *reply);
