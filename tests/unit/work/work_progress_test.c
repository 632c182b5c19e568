/* Counters, the time that is left, and what a task's log leaves out. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/work/run/progress.h"
#include "daemon/work/run/run_log.h"
#include "daemon/work/work.h"
#include "tests/unit/suite.h"

#define SECOND INT64_C(1000000)

static struct arena arena;
static struct progress progress;

static struct run_epoch epochs[2] = {
	{ .epoch = 1, .total = 100, .generated = 100, .rated = 90, .failed = 3, .ratings = 174 },
	{ .epoch = 2, .total = 100 },
};
static struct run_spec spec = {
	.n_measures = 2,
	.epochs = epochs,
	.n_epochs = 2,
	.total_responses = 200,
	.input_tokens = 500,
	.output_tokens = 50,
	.cost_nanodollars = -1,
};

static void setup(void)
{
	arena_init(&arena);
	ck_assert_int_eq(progress_init(&progress, &spec, 0), 0);
}

static void teardown(void)
{
	progress_done(&progress);
	arena_done(&arena);
}

static const struct ellu_progress *snapshot(int64_t now)
{
	const struct ellu_progress *taken;

	ck_assert_int_eq(progress_snapshot(&progress, now, &arena, &taken), 0);
	ck_assert_uint_eq(taken->struct_size, sizeof(*taken));
	return taken;
}

START_TEST(starts_from_what_is_recorded)
{
	const struct ellu_progress *taken = snapshot(SECOND);

	ck_assert_int_eq(taken->responses_generated, 100);
	ck_assert_int_eq(taken->responses_rated, 90);
	ck_assert_int_eq(taken->total_responses, 200);
	ck_assert_int_eq(taken->failed, 3);
	ck_assert(taken->percent_complete == 100.0 * (100 + 174 + 2 * 3) / 600);
	ck_assert_uint_eq(taken->n_epochs, 2);
	ck_assert_int_eq(taken->epochs[0]->rated, 90);
	ck_assert_int_eq(taken->epochs[1]->epoch, 2);
	ck_assert_int_eq(taken->input_tokens, 500);
	ck_assert_ptr_null(taken->cost);
	ck_assert_ptr_null(taken->eta_seconds); // earlier runs say nothing about the rate
}
END_TEST

START_TEST(counts)
{
	const struct ellu_progress *taken;

	progress_add_response(&progress, 2, false, false, 2);
	progress_add_rating(&progress, 2, false);
	progress_add_rating(&progress, 2, true);
	progress_add_response(&progress, 2, true, true, 2);
	progress_add_usage(&progress, 10, -1, -1);
	progress_add_usage(&progress, -1, 5, 7);
	progress_add_response(&progress, 99, false, true, 2); // no epoch of this run: no harm
	taken = snapshot(SECOND);
	ck_assert_int_eq(taken->epochs[1]->generated, 2);
	ck_assert_int_eq(taken->epochs[1]->rated, 2);
	ck_assert_int_eq(taken->failed, 4);
	ck_assert_int_eq(taken->input_tokens, 510);
	ck_assert_int_eq(taken->output_tokens, 55);
	ck_assert_int_eq(*taken->cost, 7);
}
END_TEST

START_TEST(time_left)
{
	const struct ellu_progress *taken;

	/* 10 cases a second, 3 units each: 300 units of epoch 2 and 20 ratings of epoch 1. */
	for (int i = 0; i < 20; i++)
		progress_add_rating(&progress, 1, i % 2);
	progress.units_done = 0; // that was long ago
	for (int second = 0; second < 5; second++) {
		for (int i = 0; i < 10; i++) {
			progress_add_response(&progress, 2, false, false, 2);
			progress_add_rating(&progress, 2, false);
			progress_add_rating(&progress, 2, true);
		}
		taken = snapshot((second + 1) * SECOND);
	}
	ck_assert_ptr_nonnull(taken->eta_seconds);
	ck_assert(*taken->eta_seconds > 4.99 && *taken->eta_seconds < 5.01);

	/* Then it stalls for as long as the window is: the estimate grows. */
	for (int second = 6; second < 30; second++)
		taken = snapshot(second * SECOND);
	ck_assert(*taken->eta_seconds > 20);
	for (int i = 0; i < 150; i++)
		progress_add_rating(&progress, 2, false);
	taken = snapshot(31 * SECOND);
	ck_assert(*taken->eta_seconds == 0);
}
END_TEST

/* Each answer and each verdict moves it, and nothing moves it back. */
START_TEST(percent_moves_evenly)
{
	double percent = snapshot(0)->percent_complete;

	for (int i = 0; i < 100; i++) {
		double before = percent;

		progress_add_response(&progress, 2, i == 50, i == 50, 2);
		percent = snapshot(SECOND)->percent_complete;
		ck_assert(percent > before);
	}
	ck_assert(percent > 45 && percent < 100);
	for (int i = 0; i < 2 * 99 + 20; i++) {
		double before = percent;

		progress_add_rating(&progress, 2, i % 2);
		percent = snapshot(SECOND)->percent_complete;
		ck_assert(percent > before);
	}
	ck_assert(percent == 100);
	/* What others rated meanwhile is skipped, and more than all is not told. */
	progress_add_rating(&progress, 2, false);
	progress_complete(&progress);
	ck_assert(snapshot(SECOND)->percent_complete == 100);
}
END_TEST

/* Ratings alone: the answers were there, and are no progress. */
START_TEST(percent_of_ratings)
{
	const struct run_epoch asked = { .total = 10, .generated = 10, .failed = 2, .rated = 2,
					 .ratings = 4 };
	struct run_spec rating = {
		.n_measures = 2,
		.epochs = &asked,
		.n_epochs = 1,
		.total_responses = 10,
	};

	progress_done(&progress);
	ck_assert_int_eq(progress_init(&progress, &rating, 0), 0);
	ck_assert(snapshot(SECOND)->percent_complete == 40);
	progress_add_rating(&progress, 0, true);
	ck_assert(snapshot(SECOND)->percent_complete == 45);
	ck_assert_uint_eq(snapshot(SECOND)->n_epochs, 0);
	ck_assert_int_eq(snapshot(SECOND)->responses_rated, 3);
}
END_TEST

START_TEST(nothing_at_all)
{
	struct run_spec empty = { 0 };

	progress_done(&progress);
	ck_assert_int_eq(progress_init(&progress, &empty, 0), 0);
	ck_assert(snapshot(SECOND)->percent_complete == 100.0);
	ck_assert(!progress_all_failed(&progress));
}
END_TEST

/* ---- The log ---- */

static int n_lines;
static char last_line[LOG_LINE_MAX + 1];

static void write_line(void *userdata, const char *line)
{
	(void)userdata;
	n_lines++;
	ck_assert_uint_le(strlen(line), LOG_LINE_MAX);
	strcpy(last_line, line);
}

START_TEST(failures_are_limited)
{
	struct run_log log;

	n_lines = 0;
	run_log_init(&log, write_line, NULL);
	for (int i = 0; i < WORK_LOG_LINES_MAX + 50; i++)
		run_log_failure(&log, "Row %d", i);
	ck_assert_int_eq(n_lines, WORK_LOG_LINES_MAX);
	run_log_end(&log);
	ck_assert_int_eq(n_lines, WORK_LOG_LINES_MAX + 1);
	ck_assert_ptr_nonnull(strstr(last_line, "50 more failures"));
}
END_TEST

START_TEST(notices_get_seldom)
{
	struct run_log log;
	char line[64];

	n_lines = 0;
	run_log_init(&log, write_line, NULL);
	run_log_notice(&log, "waiting", 1);
	run_log_notice(&log, "waiting", 2);
	ck_assert_int_eq(n_lines, 1);
	for (int i = 0; i < 36000; i++) {
		snprintf(line, sizeof(line), "waiting %d s", i);
		run_log_notice(&log, line, i * SECOND);
	}
	ck_assert_int_gt(n_lines, RUN_LOG_NOTICES);
	ck_assert_int_lt(n_lines, RUN_LOG_NOTICES + 36000 / 30 + 2);
	run_log_end(&log);
	ck_assert_ptr_nonnull(strstr(last_line, "more waits and retries"));
}
END_TEST

START_TEST(long_lines_are_cut_at_a_character)
{
	struct run_log log;
	char text[4096];

	run_log_init(&log, write_line, NULL);
	for (size_t shift = 0; shift < 3; shift++) {
		memset(text, 'a', sizeof(text));
		for (size_t i = shift; i + 3 < sizeof(text); i += 3)
			memcpy(text + i, "\xe2\x82\xac", 3);
		text[3000 + shift] = '\0';
		run_log_line(&log, "%s", text);
		ck_assert_uint_gt(strlen(last_line), LOG_LINE_MAX - 4);
		ck_assert_uint_eq((strlen(last_line) - shift) % 3, 0);
	}
	run_log_line(&log, "two\nlines");
	ck_assert_str_eq(last_line, "two lines");
}
END_TEST

int main(void)
{
	return RUN_TESTS_WITH(setup, teardown, starts_from_what_is_recorded, counts, time_left,
			      percent_moves_evenly, percent_of_ratings, nothing_at_all,
			      failures_are_limited, notices_get_seldom,
			      long_lines_are_cut_at_a_character);
}
