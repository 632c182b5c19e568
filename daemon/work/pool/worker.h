/*
 * Between the pool and the runs. A run has two halves: `struct work_run` is what the home loop
 * holds and posts through; `run` inside of it belongs to the worker.
 *
 * The messages of a run and their order, which each mailbox keeps:
 *
 *	home to worker: start, then at most once abort and drain, any number of changes, of results of
 *	tools and of times that there is room, each `progress` back, release
 *	worker to home: progress, log lines and calls of tools, then finished
 *
 * Home posts `release` when it has delivered `finished`; the worker then frees everything.
 */
#pragma once

#include <event2/event.h>

#include "daemon/work/run/run.h"
#include "daemon/work/work.h"

struct worker {
	struct loop *loop;
	struct run_host host;
	int64_t n_tasks; // home's, and so is the next
	int64_t n_cases;
};

/* A snapshot on its way: with home or with the worker, never with both. */
struct work_snapshot {
	struct message message;
	struct work_run *run;
	struct arena arena;
	const struct ellu_progress *progress; // or NULL
	int64_t n_cases;
	const char *hold;
};

struct work_line {
	struct message message;
	struct work_run *run;
	char text[];
};

struct work_tool_calls {
	struct message message;
	struct work_run *run;
	struct arena arena;
	const struct ellu_tool_call *const *tool_calls;
	size_t n_tool_calls;
};

struct work_tool_result {
	struct message message;
	struct work_run *run;
	const char *content;
	char tool_call_id[];
};

struct work_change {
	struct message message;
	struct work_run *run;
	struct work_tuning tuning;
};

/* How home takes what a worker posts. */
struct worker_events {
	void (*progress)(struct message *message); // in a work_snapshot; home posts it back
	void (*log)(struct message *message); // in a work_line; home frees it
	void (*tool_calls)(struct message *message); // in a work_tool_calls; home frees it
	void (*finished)(struct message *message); // work_run::finished
};

/* What the running tasks of a user have in common; home's but for `shared`. */
struct work_user {
	struct work_user *next; // work::users
	int64_t uid;
	struct work_run *runs; // goes with the last
	struct run_user shared;
};

struct work_run {
	struct work *work;
	struct work_user *user;
	struct work_run *next, **link; // work_user::runs, and what points here
	struct worker *worker;
	struct work_task task;
	const struct worker_events *events;

	/* To the worker. */
	struct message start;
	struct message abort;
	struct message drain;
	struct message release;
	struct message room;
	atomic_bool room_posted;
	bool abort_posted; // home's
	bool drain_posted;
	int64_t n_cases; // as home knows it
	const char *hold; // and this

	/* To home. */
	struct work_snapshot snapshot;
	struct work_snapshot last; // goes with finished
	struct message finished;
	const struct work_end *end; // set with finished

	/* The worker's. */
	struct run *run;
	struct event *timer;
	bool snapshot_away; // with home
	bool changed; // since the last snapshot
	int64_t snapshot_at;
};

/* Fills a zeroed run, of which work, worker and task are set; its messages can then be posted. */
int worker_run_init(struct work_run *run, const struct worker_events *events);
/* For one that was never started. */
void worker_run_free(struct work_run *run);
/* Delivers a snapshot that home has seen; home sets it and posts the message to the worker. */
void worker_take_snapshot_back(struct message *message);
/* Delivers a change and frees it; the same of a tool's result. */
void worker_take_change(struct message *message);
void worker_take_tool_result(struct message *message);
