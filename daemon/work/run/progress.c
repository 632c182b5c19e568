#include "daemon/work/run/progress.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/base/clock.h"
#include "proto/usage.h"

/* Less than this tells nothing about a rate. */
#define ETA_AFTER_USEC (USEC_PER_SEC / 4)

int progress_init(struct progress *progress, const struct run_spec *spec, int64_t now_usec)
{
	struct run_epoch *epochs = calloc(spec->n_epochs ? spec->n_epochs : 1, sizeof(*epochs));

	if (!epochs)
		return -ENOMEM;
	*progress = (struct progress){
		.epochs = epochs,
		.n_epochs = spec->n_epochs,
		.total = spec->total_responses,
		.input_tokens = spec->input_tokens,
		.output_tokens = spec->output_tokens,
		.cost_nanodollars = spec->cost_nanodollars,
		.has_verdicts = spec->n_measures > 0,
		.samples[0] = { .at = now_usec },
		.n_samples = 1,
	};
	for (size_t i = 0; i < spec->n_epochs; i++) {
		const struct run_epoch *epoch = &spec->epochs[i];
		struct run_units units = run_epoch_units(epoch, (int64_t)spec->n_measures);

		epochs[i] = *epoch;
		progress->failed += epoch->failed;
		progress->decided += epoch->decided;
		progress->yes += epoch->yes;
		progress->units_due += units.due;
		progress->units_left += units.due - units.recorded;
	}
	return 0;
}

void progress_done(struct progress *progress)
{
	free(progress->epochs);
	progress->epochs = NULL;
}

static struct run_epoch *find_epoch(struct progress *progress, int64_t epoch)
{
	for (size_t i = 0; i < progress->n_epochs; i++)
		if (progress->epochs[i].epoch == epoch)
			return &progress->epochs[i];
	return &progress->epochs[0];
}

void progress_add_response(struct progress *progress, int64_t epoch, bool failed, bool complete,
			   size_t n_ratings)
{
	struct run_epoch *counts = find_epoch(progress, epoch);

	counts->generated++;
	counts->rated += complete;
	counts->failed += failed;
	progress->failed += failed;
	progress->units_done++;
	progress->units_left--;
	if (complete)
		progress->units_left -= (int64_t)n_ratings;
}

void progress_add_rating(struct progress *progress, int64_t epoch, bool complete)
{
	find_epoch(progress, epoch)->rated += complete;
	progress->units_done++;
	progress->units_left--;
}

void progress_add_verdict(struct progress *progress, double value)
{
	progress->decided += value >= 0;
	progress->yes += value >= 0.5;
}

void progress_add_usage(struct progress *progress, int64_t input_tokens, int64_t output_tokens,
			int64_t cost_nanodollars)
{
	usage_add(&progress->input_tokens, input_tokens);
	usage_add(&progress->output_tokens, output_tokens);
	usage_add(&progress->cost_nanodollars, cost_nanodollars);
}

void progress_complete(struct progress *progress)
{
	for (size_t i = 0; i < progress->n_epochs; i++)
		progress->epochs[i].rated = progress->epochs[i].generated;
	progress->units_left = 0;
}

bool progress_all_failed(const struct progress *progress)
{
	return progress->total > 0 && progress->failed >= progress->total;
}

/* ---- The time that is left ---- */

static void take_sample(struct progress *progress, int64_t now_usec)
{
	const struct progress_sample *last =
		&progress->samples[(progress->n_samples - 1) % PROGRESS_SAMPLES];

	if (now_usec - last->at >= PROGRESS_SAMPLE_USEC)
		progress->samples[progress->n_samples++ % PROGRESS_SAMPLES] =
			(struct progress_sample){ .at = now_usec, .units = progress->units_done };
}

static const double *estimate(struct progress *progress, int64_t now_usec, struct arena *arena)
{
	size_t oldest = progress->n_samples > PROGRESS_SAMPLES
				? progress->n_samples % PROGRESS_SAMPLES
				: 0;
	const struct progress_sample *from = &progress->samples[oldest];
	int64_t units = progress->units_done - from->units;
	int64_t elapsed = now_usec - from->at;

	if (units <= 0 || elapsed < ETA_AFTER_USEC)
		return NULL;
	if (progress->units_left <= 0)
		return arena_float(arena, 0);
	return arena_float(arena, (double)progress->units_left * (double)elapsed / (double)units /
					  (double)USEC_PER_SEC);
}

/* ---- Snapshots ---- */

static double percent(const struct progress *progress)
{
	int64_t left = progress->units_left > 0 ? progress->units_left : 0;

	return run_units_percent((struct run_units){ progress->units_due, progress->units_due - left });
}

static int add_epochs(const struct progress *progress, struct arena *arena,
		      struct ellu_progress *snapshot)
{
	size_t first, end = run_epochs_told(progress->epochs, progress->n_epochs, &first);
	const struct ellu_epoch_progress **list = arena_array(arena, end - first, sizeof(*list));
	struct ellu_epoch_progress *epochs = arena_array(arena, end - first, sizeof(*epochs));

	if (!list || !epochs)
		return -ENOMEM;
	snapshot->epochs = list;
	for (size_t i = 0; i < progress->n_epochs; i++) {
		const struct run_epoch *counts = &progress->epochs[i];
		struct ellu_epoch_progress *told = &epochs[snapshot->n_epochs];

		snapshot->responses_generated += counts->generated;
		snapshot->responses_rated += counts->rated;
		if (!counts->epoch || i < first || i >= end)
			continue;
		*told = ELLU_RECORD(struct ellu_epoch_progress);
		told->epoch = counts->epoch;
		told->generated = counts->generated;
		told->rated = counts->rated;
		told->total = counts->total;
		list[snapshot->n_epochs++] = told;
	}
	return 0;
}

int progress_snapshot(struct progress *progress, int64_t now_usec, struct arena *arena,
		      const struct ellu_progress **ret_snapshot)
{
	struct ellu_progress *snapshot = arena_alloc(arena, sizeof(*snapshot));

	if (!snapshot)
		return -ENOMEM;
	*snapshot = ELLU_RECORD(struct ellu_progress);
	if (add_epochs(progress, arena, snapshot) < 0)
		return -ENOMEM;
	snapshot->total_responses = progress->total;
	snapshot->failed = progress->failed;
	snapshot->percent_complete = percent(progress);
	snapshot->input_tokens = progress->input_tokens;
	snapshot->output_tokens = progress->output_tokens;
	if (progress->cost_nanodollars >= 0)
		snapshot->cost = arena_int(arena, progress->cost_nanodollars);
	if (progress->has_verdicts) {
		snapshot->decided = arena_int(arena, progress->decided);
		snapshot->yes = arena_int(arena, progress->yes);
	}
	snapshot->eta_seconds = estimate(progress, now_usec, arena);
	take_sample(progress, now_usec);
	*ret_snapshot = snapshot;
	return 0;
}
