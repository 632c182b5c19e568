/*
 * Follows a task over the bus. Signals only say that there is something new: what it is, is asked for
 * with GetTask and then ListTaskLogs behind the last line that was told. So nothing is missed
 * when signals were, and every line comes once and in order; a state that passed between two
 * questions is told from its signal. At any time at most one question is under way.
 */
#pragma once

#include "client/bus/link.h"
#include "proto/task_status.h"

struct bus_follow;

enum bus_follow_mode {
	BUS_FOLLOW_EVENTS, // as events, the terminal one last
	BUS_FOLLOW_END, // the task alone, when it has ended
	BUS_FOLLOW_INTRODUCE, // the task first, as it is now, then events
};

/* How far a follow has told. */
struct bus_follow_position {
	bool told; // anything
	int64_t after;
	int64_t sequence;
	enum task_status status;
	char hold[16];
};

struct bus_follow_options {
	struct bus_link *link;
	int64_t task_id;
	int64_t after_sequence; // of BUS_FOLLOW_EVENTS; -1: from the present state
	uint64_t interval_usec; // between two events that only carry progress
	enum bus_follow_mode mode;
	/* Of BUS_FOLLOW_INTRODUCE, borrowed: the task as the caller has told it, or how far another
	 * follow had come; else NULL. */
	json_object *task;
	const struct bus_follow_position *position;
	bool *sent; // as of bus_link_call()
	/* JSON is lent for the call. With `terminal` the follow is to be freed; after `failed` nothing
	 * follows. */
	bool (*has_room)(void *userdata);
	void (*event)(void *userdata, json_object *event, bool terminal);
	void (*task_shown)(void *userdata, json_object *task, bool terminal);
	void (*failed)(void *userdata, const struct bus_answer *answer);
	void *userdata;
};

int bus_follow_new(const struct bus_follow_options *options, struct bus_follow **ret_follow);
struct bus_follow *bus_follow_free(struct bus_follow *follow); // accepts NULL
void bus_follow_get_position(const struct bus_follow *follow,
			     struct bus_follow_position *ret_position);
/* There is room again. */
void bus_follow_resume(struct bus_follow *follow);
