/*
 * One run of a worker pool against the stand-in, on the calling thread until it has finished,
 * and what it said on the way.
 */
#pragma once

#include <check.h>

#include "daemon/work/work.h"
#include "tests/unit/work/work_standin.h"

#define HARNESS_LINES_MAX 64

struct harness {
	bool finished;
	enum task_status status;
	bool over_budget;
	char code[64];
	char message[1024];
	char field[64];
	bool has_error;
	bool has_result;
	int n_progress;
	const char *hold; // or NULL
	struct ellu_progress progress; // the last, numbers only
	int64_t cost;
	int64_t cases_max;
	int n_lines;
	char lines[HARNESS_LINES_MAX][256];
};

extern struct harness seen;
extern struct work_run *harness_run; // the task that runs, for `at_moment`
extern struct loop *harness_home;
extern struct work_tuning harness_tuning; // it begins with

/* Set up a test by it: 100 cases by 2 criteria, 8 connections. */
void harness_setup(void);
/* Runs the task and checks what holds for every run. */
void harness_run_task(void);

size_t harness_count(size_t *ret_ratings, size_t *ret_complete);
/* The run succeeded, and nothing is missing. */
void harness_assert_all_recorded(void);
void harness_assert_failure(const char *code, const char *words);
/* The main() of a test program. */
int harness_main(TCase *tcase);
