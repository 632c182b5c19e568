/*
 * The tasks that a Monitor stream has shown, as it left them: what `elluminate monitor` names
 * them by and what the live view draws. In the order of their ids; each is there once.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "client/elluminate.h"

struct board_task {
	int64_t id;
	char *name; // a single line
	char status[16];
	char hold[16]; // "" without
	bool changed; // status, hold or progress, by the last reply
	bool ended;
	double ended_at; // seconds, monotonic
	bool has_progress;
	double percent;
	int64_t done; // answered; rated, when rating is all that the task does
	int64_t total;
	int64_t failed;
	double eta_seconds; // negative: unknown
	bool rates;
};

struct task_board {
	struct board_task *tasks;
	size_t n;
	size_t capacity;
};

/* Takes what a reply says, which has a task or an event: 0, and the task that it is about. It stays
 * where it is until the next call. A task that was not shown has an empty name. -ENOMEM. */
int task_board_take(struct task_board *board, const struct ellu_monitor_reply *reply, double now,
		    struct board_task **ret_task);

/* Nothing follows, once the event of its end was taken. */
void task_board_forget(struct task_board *board, int64_t id);
/* Forgets the tasks that ended before then. */
void task_board_expire(struct task_board *board, double before);

void task_board_done(struct task_board *board);
