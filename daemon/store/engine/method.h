/*
 * A method of the interface that the store answers by itself: its operation fills the reply's
 * record, and what a reader has made is encoded on the reader's thread.
 */
#pragma once

#include "daemon/store/engine/request.h"
#include "proto/wire/method.h"

struct resource;

/* Whose rows an operation may see. */
struct scope {
	int64_t uid;
	bool all; // an administrator: everybody's; lists without a project show them all
	bool administers; // may name what is the machine's: files, keys, configs for all
	const char *project; // NULL: the caller's `default`; administrators name others' by id only
	int64_t only_project_id; // nothing of another one, and this one in the place of `default`; 0: all
};

/* The same caller, of whose own rows alone there is talk. */
static inline struct scope scope_own(const struct scope *scope)
{
	return (struct scope){ .uid = scope->uid, .administers = scope->administers,
			       .project = scope->project, .only_project_id = scope->only_project_id };
}

static inline bool scope_covers(const struct scope *scope, int64_t project_id)
{
	return !scope->only_project_id || scope->only_project_id == project_id;
}

struct method_run {
	struct store_request request;
	struct scope scope; // without its project
	const struct method *method;
	const void *arguments; // its decoded request; lives until `done`
	const void *digest; // what store_method_digest() made of it; or NULL
	const struct resource *resource; // the store's own: of what resources have in common
	const void *ret_reply; // the record of its reply; of a list: `request.page`
	const void *ret_beside; // what else its operation tells; NULL: nothing
};

/* The reply's record, empty but for its size, as `ret_reply`. NULL without memory. */
void *method_reply(struct tx *tx, struct method_run *op);
/* Writes the reply as `request.text`, unless that is there. */
int method_encode(struct tx *tx, struct method_run *op);
