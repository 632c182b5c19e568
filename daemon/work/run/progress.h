/*
 * How far a run is: counters that start from what was recorded before, and the time that is
 * left at the recent rate. What earlier runs did tells nothing about the rate.
 *
 * A run's work is counted in units, a response or a rating each, so that the estimate moves
 * before the first case is complete. Belongs to the run's thread.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "daemon/store/runs.h"
#include "elluminate-types.h"
#include "proto/arena.h"

#define PROGRESS_SAMPLES 32
#define PROGRESS_SAMPLE_USEC 1000000

struct progress_sample {
	int64_t at; // monotonic
	int64_t units;
};

struct progress {
	struct run_epoch *epochs;
	size_t n_epochs;
	int64_t total;
	int64_t failed;
	bool has_verdicts;
	int64_t decided, yes; // of those
	int64_t input_tokens;
	int64_t output_tokens;
	int64_t cost_nanodollars; // -1: unknown
	int64_t units_due;
	int64_t units_left;
	int64_t units_done; // by this run
	struct progress_sample samples[PROGRESS_SAMPLES]; // a ring
	size_t n_samples; // ever taken
};

int progress_init(struct progress *progress, const struct run_spec *spec, int64_t now_usec);
void progress_done(struct progress *progress);

/* A response was recorded; `complete`: no rating follows, though `n_ratings` were due. */
void progress_add_response(struct progress *progress, int64_t epoch, bool failed, bool complete,
			   size_t n_ratings);
/* A rating was recorded; `complete`: the last one of its response. */
void progress_add_rating(struct progress *progress, int64_t epoch, bool complete);
/* What it says, if it is what counts: 0.5 or more is YES, less than 0 nothing. */
void progress_add_verdict(struct progress *progress, double value);
/* What a recorded call took; -1: unknown. */
void progress_add_usage(struct progress *progress, int64_t input_tokens, int64_t output_tokens,
			int64_t cost_nanodollars);

/* Nothing is missing any more, though others may have recorded some of it. */
void progress_complete(struct progress *progress);

bool progress_all_failed(const struct progress *progress);

/* -ENOMEM. */
int progress_snapshot(struct progress *progress, int64_t now_usec, struct arena *arena,
		      const struct ellu_progress **ret_snapshot);
