/*
 * What a provider is asked about a batch of calls, one thing at a time: to take one, whether it has one, how far
 * it is, what came of it, to stop it, to forget it. A batch is known by a mark of its maker's, 16 characters, with
 * which the custom ids of its items begin; so one that was given may be found again, whatever became of the
 * answer that said so.
 *
 * Results are handed over one by one as they come, a bounded number at once: what is taken is given back.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#include "daemon/backend/call.h"
#include "daemon/backend/dialect/attempt.h"
#include "daemon/backend/dialect/batch_form.h"
#include "daemon/backend/dialect/request_form.h"

#define BATCH_MARK_SIZE 17 // with its NUL
#define BATCH_ID_SIZE 128 // a provider's, with its NUL
#define BATCH_CUSTOM_ID_SIZE 65
#define BATCH_KNOWN_MAX 64

struct backend;
struct batch_job;

/* The items of a batch, as they are sent. Any thread, one at a time. */
struct batch_body {
	struct buffer text;
	size_t n;
	size_t n_bytes; // of items
};
/* -ENOMEM sticks until it is cleared. */
void batch_body_begin(struct batch_body *body, const struct llm_target *target, const char *mark);
void batch_body_add(struct batch_body *body, const struct llm_call *call, const struct request_form *form,
		    const char *custom_id);
void batch_body_end(struct batch_body *body, const struct llm_target *target, const char *mark);
void batch_body_done(struct batch_body *body);
/* The form of requests to begin with; and whether a refusal's hint asks for another. */
struct request_form batch_form_first(const struct llm_target *target);
bool batch_form_change(const struct llm_call *call, enum error_hint hint, struct request_form *form);

enum batch_step {
	BATCH_GIVE,
	BATCH_FIND,
	BATCH_LOOK,
	BATCH_COLLECT,
	BATCH_STOP, // BATCH_LATER where it has not ended by then; or else it is cleared
	BATCH_CLEAR, // what the provider keeps of one that has ended is deleted, as far as it can be
};

enum batch_outcome {
	BATCH_DONE,
	BATCH_NOT_FOUND, // it has no such batch
	BATCH_UNDECIDED, // of what may be it nothing can be seen yet, or it may have been given or not
	BATCH_LATER, // to be tried again, not before wait_usec where that is known
	BATCH_REFUSED, // finally, as the fault says
	BATCH_CANCELLED,
};

struct provider_batch;

/* The result of an item. */
struct batch_result {
	struct message message;
	struct provider_batch *batch;
	struct batch_job *job; // the backend's
	char custom_id[BATCH_CUSTOM_ID_SIZE];
	bool again; // there is none that is final; call.fault says why
	enum error_hint hint;
	size_t bytes;
	struct llm_call call; // outcome, fault and what came; of what was asked only the target
};

struct provider_batch {
	struct message message;
	struct batch_job *job; // the backend's

	/* What is asked. Borrowed until done. */
	enum batch_step step;
	struct loop *reply_to;
	void (*done)(struct provider_batch *batch);
	void (*take)(struct batch_result *result); // each of a BATCH_COLLECT, before `done`
	struct llm_target *target;
	int64_t user; // BATCH_COLLECT: whose the target's allowance is
	char mark[BATCH_MARK_SIZE];
	char id[BATCH_ID_SIZE]; // but where it is to be found
	char file[BATCH_ID_SIZE]; // BATCH_GIVE: that its items are in, once there is one
	const struct batch_body *body; // BATCH_GIVE
	int64_t n_items; // BATCH_FIND, and so the next
	int64_t since_usec; // about when it was given at the earliest
	char known[BATCH_KNOWN_MAX][BATCH_ID_SIZE]; // which are others
	size_t n_known;

	/* What came of it. */
	enum batch_outcome outcome;
	struct fault fault;
	int64_t wait_usec; // -1: it did not say
	enum batch_state state; // BATCH_LOOK
	bool is_full;
	int64_t n_done; // the same; of a BATCH_COLLECT, results that were handed over or should have been
	int64_t n_taken; // of them those that were
	bool is_cut; // there are more than their sizes allow, as the fault says; the rest was not read
};

/* Any thread, here and below. -ENOMEM. */
int provider_batch_ask(struct backend *backend, struct provider_batch *batch);
/* Comes back soon; -ENOMEM: when it would have anyway. */
int provider_batch_cancel(struct backend *backend, struct provider_batch *batch);
/* Each result, before its batch asks anything else. What the call's arena holds by then goes with it. */
void batch_result_give_back(struct backend *backend, struct batch_result *result);
