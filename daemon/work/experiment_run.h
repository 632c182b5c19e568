/*
 * One running experiment: does what is missing of a pinned run, and ends when nothing is.
 *
 * Everything happens on the loop of `host`; a callback of `run_events` may be called from any
 * function here but experiment_run_new(). After `ended` nothing is outstanding, no callback
 * follows, and what experiment_run_end() answers stays until experiment_run_free().
 */
#pragma once

#include <stdatomic.h>

#include "daemon/backend/backend.h"
#include "daemon/base/loop.h"
#include "daemon/store/store.h"
#include "daemon/work/progress.h"
#include "daemon/work/work.h"

struct experiment_run;

struct run_host {
	struct loop *loop;
	struct store *store;
	struct backend *backend;
	atomic_llong *user_bytes; // what all runs of the run's user hold; or NULL
};

struct run_events {
	void (*changed)(void *userdata); // the progress
	void (*log)(void *userdata, const char *line);
	void (*ended)(void *userdata);
	void *userdata;
};

/* Borrows what `host` names. */
int experiment_run_new(const struct run_host *host, const struct work_task *task,
		       const struct run_events *events, struct experiment_run **ret_run);
/* Before start or after `ended`. Accepts NULL, returns NULL. */
struct experiment_run *experiment_run_free(struct experiment_run *run);

void experiment_run_start(struct experiment_run *run);
void experiment_run_abort(struct experiment_run *run);
void experiment_run_drain(struct experiment_run *run);
void experiment_run_tune(struct experiment_run *run, const struct work_tuning *tuning);

const struct work_end *experiment_run_end(const struct experiment_run *run);
/* NULL until the run is loaded. */
struct progress *experiment_run_progress(struct experiment_run *run);
/* None of its calls can go: a provider fails, or asks for a long pause. */
bool experiment_run_is_held_up(const struct experiment_run *run);
int64_t experiment_run_cases(const struct experiment_run *run); // in the window
