/*
 * Batches of an experiment from inside, for the files that are its parts; see batching.h:
 *
 *	batching.c	what is put into one, and what is done next
 *	batching_asked.c	what the provider is asked, and says
 *	batching_list.c	the list of them
 */
#pragma once

#include "daemon/work/experiment/batch_item.h"
#include "daemon/work/experiment/experiment_run.h"

#define KEPT_MARK_SIZE (BATCH_MARK_SIZE + BATCH_SEAL_SIZE - 1)

enum doing {
	DOING_NOTHING,
	LOADING,
	KEEPING,
	GIVING,
	FINDING,
	LOOKING,
	COLLECTING,
	COLLECTED, // and what came is being recorded
	CLEARING,
	NOTING,
};

struct given {
	int64_t id; // of the store's
	enum kept_batch_state state;
	char mark[BATCH_MARK_SIZE];
	char seal[BATCH_SEAL_SIZE]; // what its provider doesn't know, by which items are told from others
	char provider_id[BATCH_ID_SIZE];
	char file[BATCH_ID_SIZE]; // that was sent, of one that is not given yet
	int64_t n_items, estimate;
	struct case_cursor from;
	int64_t created_usec;
	int64_t due_usec, wait_usec; // when something is done about it next
	bool unsure; // it may have been given
	bool ended;
	int n_collects;
};

struct batching {
	struct experiment_run *run;
	struct llm_target *target;
	bool loaded;
	enum doing doing;
	bool outstanding; // something is awaited, so that the run does not end
	struct event *timer;

	int64_t pass; // from 1
	bool given_in_pass;
	bool excused; // what this pass did not bring counts against no case
	struct case_cursor at; // the end of the last batch's part
	struct request_form form, used_form; // of the next pass, and of this one
	char last_words[300]; // why an item was not answered, or empty

	/* What is put together; kept until it is known to be given. */
	struct batch_body body;
	size_t weight; // of it, as it is counted
	char mark[BATCH_MARK_SIZE], seal[BATCH_SEAL_SIZE];
	char kept_mark[KEPT_MARK_SIZE]; // one behind the other
	struct case_cursor to;
	int64_t estimate;
	bool is_whole; // its batch is kept, the last of the list

	struct given batches[KEPT_BATCHES_MAX];
	size_t n_batches;
	struct given *now; // what is done is about it
	int n_failed; // times in a row that it could not be given
	bool reached;
	bool is_seen; // one of them was looked at, and is under way

	struct batches_load load;
	struct batch_keep keep;
	struct batch_note note;
	struct provider_batch ask;
	size_t n_unrecorded; // results
};

static inline struct run *batching_run(const struct batching *batching)
{
	return &batching->run->base;
}

/* Asks its provider something about one that is on the list (batching_asked.c). */
void batching_ask(struct batching *batching, struct given *given, enum doing doing, enum batch_step step);

/* ---- The list (batching_list.c) ---- */

void batching_load(struct batching *batching);
/* One that is kept. */
struct given *batching_add_given(struct batching *batching, const struct kept_batch *kept);
/* Nothing is done about it for a while, which is longer each time. */
void batching_wait(struct batching *batching, struct given *given, int64_t at_least_usec);
/* Keeps what has become of the one that something was done about; one that is dropped never was. */
void batching_note(struct batching *batching, enum kept_batch_state state, bool drop);
