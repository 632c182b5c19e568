#include "tests/unit/work/work_harness.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct harness seen;
struct work_run *harness_run;
struct loop *harness_home;
struct work_tuning harness_tuning;

static struct work *work;

/* ---- What the pool says ---- */

static void on_progress(void *userdata, int64_t task_id, const struct ellu_progress *progress)
{
	int64_t tasks, cases;

	(void)userdata;
	ck_assert_int_eq(task_id, 42);
	ck_assert(!seen.finished);
	ck_assert_int_ge(progress->responses_generated, seen.progress.responses_generated);
	ck_assert_int_ge(progress->responses_rated, seen.progress.responses_rated);
	seen.n_progress++;
	seen.progress = *progress;
	seen.cost = progress->cost ? *progress->cost : -1;
	work_worker_status(work, 0, &tasks, &cases);
	if (cases > seen.cases_max)
		seen.cases_max = cases;
}

static void on_held(void *userdata, int64_t task_id, const char *hold)
{
	(void)userdata;
	(void)task_id;
	seen.hold = hold;
}

static void on_log(void *userdata, int64_t task_id, const char *line)
{
	(void)userdata;
	ck_assert_int_eq(task_id, 42);
	ck_assert(!seen.finished);
	if (seen.n_lines < HARNESS_LINES_MAX)
		snprintf(seen.lines[seen.n_lines], sizeof(seen.lines[0]), "%s", line);
	seen.n_lines++;
}

static void on_finished(void *userdata, int64_t task_id, const struct work_end *end)
{
	(void)userdata;
	ck_assert_int_eq(task_id, 42);
	ck_assert(!seen.finished);
	seen.finished = true;
	seen.status = end->status;
	seen.over_budget = end->over_budget;
	seen.has_error = end->error != NULL;
	seen.has_result = end->result != NULL;
	if (end->error) {
		snprintf(seen.code, sizeof(seen.code), "%s", end->error->code);
		snprintf(seen.message, sizeof(seen.message), "%s", end->error->message);
		snprintf(seen.field, sizeof(seen.field), "%s",
			 end->error->field ? end->error->field : "");
	}
	if (end->result && !standin.rating)
		ck_assert_int_eq(*end->result->experiment_id, 7);
	if (end->result)
		ck_assert((end->result->ratings != NULL) == standin.rating);
	loop_stop(harness_home);
}

/* ---- One run ---- */

void harness_run_task(void)
{
	const struct work_events events = {
		.progress = on_progress, .held = on_held, .log = on_log, .finished = on_finished
	};
	const struct work_task task = {
		.task_id = 42, .attempt = 1,
		.kind = standin.rating ? TASK_KIND_RATING : TASK_KIND_EXPERIMENT, .experiment_id = 7, .owner_uid = 1000,
		.tuning = harness_tuning
	};
	int64_t tasks, cases;

	memset(&seen, 0, sizeof(seen));
	ck_assert_int_eq(loop_new("home", &harness_home), 0);
	standin.home = harness_home;
	standin_start();
	ck_assert_int_eq(work_new(1, harness_home, standin_store(), standin_backend(), &events, &work), 0);
	ck_assert_uint_eq(work_n_workers(work), 1);
	ck_assert_int_eq(work_start(work, &task, &harness_run), 0);
	ck_assert_int_eq(loop_run(harness_home), 0);
	ck_assert(seen.finished);
	work_worker_status(work, 0, &tasks, &cases);
	ck_assert_int_eq(tasks, 0);
	ck_assert_int_eq(cases, 0);
	work = work_free(work);
	standin_stop();
	harness_home = loop_free(harness_home);
	ck_assert_str_eq(standin.gone_wrong, "");
	ck_assert_int_eq(standin.in_flight, 0);
	ck_assert_int_eq(standin.n_targets, 0);
	ck_assert_int_eq(standin.n_flows, 0);
	if (standin.max_connections) // of each config
		ck_assert_int_le(standin.at_risk_max,
				 (standin.judge_apart ? 4 : 2) * standin.max_connections);
}

void harness_setup(void)
{
	memset(&standin, 0, sizeof(standin));
	harness_tuning = (struct work_tuning){ .priority = 1, .cost_limit = -1 };
	standin.n_rows = 100;
	standin.n_epochs = 1;
	standin.n_measures = 2;
	standin.max_connections = 8;
	standin.latency_usec = 1000;
	standin.commit_usec = 500;
}

size_t harness_count(size_t *ret_ratings, size_t *ret_complete)
{
	size_t n = 0;

	*ret_ratings = *ret_complete = 0;
	for (size_t i = 0; i < standin.n_rows * standin.n_epochs; i++) {
		size_t ratings = 0;

		for (size_t m = 0; m < standin.n_measures; m++)
			ratings += standin.responses[i].ratings[m].recorded;
		n += standin.responses[i].recorded;
		*ret_ratings += ratings;
		*ret_complete += standin.responses[i].rated;
		if (standin.responses[i].rated && !standin.responses[i].failed)
			ck_assert_uint_eq(ratings, standin.n_measures);
	}
	return n;
}

void harness_assert_all_recorded(void)
{
	size_t n = standin.n_rows * standin.n_epochs, ratings, complete;

	ck_assert_msg(seen.status == TASK_SUCCESS, "%d: %s", seen.status, seen.message);
	ck_assert(seen.has_result);
	ck_assert(!seen.has_error);
	ck_assert_uint_eq(harness_count(&ratings, &complete), n);
	ck_assert_uint_eq(complete, n);
	ck_assert_int_eq(standin.n_results, 1);
	ck_assert_int_eq(seen.progress.responses_generated, (int64_t)n);
	ck_assert_int_eq(seen.progress.responses_rated, (int64_t)n);
	ck_assert_int_eq(seen.progress.total_responses, (int64_t)n);
	ck_assert(seen.progress.percent_complete == 100.0);
}

void harness_assert_failure(const char *code, const char *words)
{
	ck_assert_int_eq(seen.status, TASK_FAILURE);
	ck_assert_str_eq(seen.code, code);
	ck_assert_msg(strstr(seen.message, words) != NULL, "'%s'", seen.message);
}

int harness_main(TCase *tcase)
{
	Suite *suite = suite_create("");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_checked_fixture(tcase, harness_setup, NULL);
	tcase_set_timeout(tcase, 60);
	suite_add_tcase(suite, tcase);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
