/* Runs that are stopped, go on with what is missing, or wait for the store. */
#include <semaphore.h>
#include <string.h>

#include "tests/unit/work/work_harness.h"

/* ---- Stopping and going on ---- */

static void abort_run(void)
{
	work_abort(harness_run);
	work_abort(harness_run);
}

static void drain_run(void)
{
	work_drain(harness_run);
	backend_drain(standin_backend());
}

/* As when the daemon goes on serving others. */
static void give_back_run(void)
{
	work_drain(harness_run);
}

static void drain_and_abort_run(void)
{
	drain_run();
	work_abort(harness_run);
}

static void (*const stops[])(void) = { abort_run, drain_run, give_back_run, drain_and_abort_run };

static const struct {
	enum standin_moment moment;
	int64_t index;
} moments[] = {
	{ STANDIN_AT_LOAD, 0 },	   { STANDIN_AT_PAGE, 0 },   { STANDIN_AT_CALL, 1 },
	{ STANDIN_AT_CALL, 60 },   { STANDIN_AT_CALL, 299 }, { STANDIN_AT_RECORD, 1 },
	{ STANDIN_AT_RECORD, 77 }, { STANDIN_AT_RECORD, 300 },
};

#define N_STOPS (sizeof(stops) / sizeof(*stops))
#define N_MOMENTS (sizeof(moments) / sizeof(*moments))

START_TEST(stopped_and_continued)
{
	size_t ratings, complete, recorded;
	int64_t asked;

	standin.at_moment = stops[_i % (int)N_STOPS];
	standin.moment = moments[_i / (int)N_STOPS].moment;
	standin.moment_index = moments[_i / (int)N_STOPS].index;
	harness_run_task();
	recorded = harness_count(&ratings, &complete);
	if (seen.status != TASK_SUCCESS) { // else it was complete before the stop came
		ck_assert_int_eq(seen.status, TASK_PENDING);
		ck_assert_uint_le(recorded + ratings, 300);
		ck_assert(!seen.has_error);
		ck_assert_int_eq(standin.n_results, 0);
	}
	asked = standin.n_generations + standin.n_judgements;
	/* A drain repeats nothing at all; an abort at most what was in flight. */
	if (stops[_i % (int)N_STOPS] == drain_run || stops[_i % (int)N_STOPS] == give_back_run)
		ck_assert_int_eq(asked, (int64_t)(recorded + ratings));
	else
		ck_assert_int_le(asked, (int64_t)(recorded + ratings) + 8);

	standin.moment = STANDIN_NEVER;
	standin.n_results = 0;
	standin.n_generations = (int64_t)recorded;
	standin.n_judgements = (int64_t)ratings;
	harness_run_task();
	harness_assert_all_recorded();
	ck_assert_int_eq(standin.n_generations, 100);
	ck_assert_int_eq(standin.n_judgements, 200);
}
END_TEST

START_TEST(stopped_while_aggregating)
{
	standin.at_moment = stops[_i];
	standin.moment = STANDIN_AT_RESULTS;
	harness_run_task();
	harness_assert_all_recorded();
}
END_TEST

START_TEST(only_what_is_missing)
{
	standin.n_rows = 1000;
	for (size_t row = 1; row <= 1000; row++) {
		struct standin_response *response = standin_response(row, 1);

		response->recorded = row % 10 != 0;
		strcpy(response->text, "earlier");
		for (size_t m = 0; m < 2; m++)
			response->ratings[m].recorded = response->recorded && (row % 10 != m + 5);
		response->rated = response->ratings[0].recorded && response->ratings[1].recorded;
	}
	harness_run_task();
	harness_assert_all_recorded();
	ck_assert_int_eq(standin.n_generations, 100);
	ck_assert_int_eq(standin.n_judgements, 400);
	ck_assert_str_eq(standin_response(5, 1)->text, "earlier");
}
END_TEST

START_TEST(nothing_is_missing)
{
	standin.n_rows = 3000;
	for (size_t row = 1; row <= 3000; row++) {
		struct standin_response *response = standin_response(row, 1);

		response->recorded = response->rated = true;
		response->ratings[0].recorded = response->ratings[1].recorded = true;
	}
	harness_run_task();
	harness_assert_all_recorded();
	ck_assert_int_eq(standin.n_generations + standin.n_judgements, 0);
}
END_TEST

START_TEST(empty_run)
{
	standin.n_rows = 0;
	harness_run_task();
	ck_assert_int_eq(seen.status, TASK_SUCCESS);
}
END_TEST

/* ---- What was spent for nothing ---- */

static struct message stop_message;
static sem_t stop_posted;

static void on_stop(struct message *message)
{
	(void)message;
	standin.at_moment();
	sem_post(&stop_posted);
}

/* The run hears of its stop before it gets this answer. */
static void no_verdict_at_first(struct llm_call *call, const struct standin_call *info)
{
	if (info->judging && !info->again && !stop_message.deliver && info->index >= 20) {
		stop_message.deliver = on_stop;
		loop_post(standin.home, &stop_message);
		while (sem_wait(&stop_posted) < 0)
			; // a signal
	}
	standin_answer(call, !info->judging ? "an answer" : info->again ? "{\"rating\": \"YES\"}" : "Well.");
}

/* A judge is not asked again once the run stops: what its answer took is counted all the same. */
START_TEST(unusable_answers_count)
{
	int64_t recorded = 0;

	sem_init(&stop_posted, /* pshared= */ 0, 0);
	standin.answer = no_verdict_at_first;
	standin.at_moment = _i ? drain_run : give_back_run;
	harness_run_task();
	ck_assert_int_eq(seen.status, TASK_PENDING);
	for (size_t i = 0; i < standin.n_rows; i++) {
		recorded += standin.responses[i].recorded ? standin.responses[i].input_tokens : 0;
		for (size_t m = 0; m < standin.n_measures; m++)
			recorded += standin.responses[i].ratings[m].recorded ?
					    standin.responses[i].ratings[m].input_tokens : 0;
	}
	ck_assert_int_eq(recorded + standin.lost_input_tokens,
			 10 * (standin.n_generations + standin.n_judgements));
	ck_assert_int_gt(standin.lost_input_tokens, 0);
	ck_assert_int_eq(seen.progress.input_tokens, recorded + standin.lost_input_tokens);
}
END_TEST

/* ---- Back-pressure ---- */

/* Commits wait as long as the moment lasts. */
static void stall(void)
{
	standin_await_stall();
}

START_TEST(stalled_commits_stop_calls)
{
	standin.at_moment = stall;
	standin.moment = STANDIN_AT_CALL;
	standin.moment_index = 50;
	standin.stall_at = 8;
	harness_run_task();
	harness_assert_all_recorded();
	ck_assert_int_le(standin.at_risk_max, 16);
	ck_assert_int_ge(standin.at_risk_max, 8);
}
END_TEST

/* ---- Tuning ---- */

static int tuned_to;

static void tune_run(void)
{
	const struct work_tuning tuning = { .priority = 2, .max_connections = tuned_to, .cost_limit = -1 };

	/* No call has been made that the backend would have to hear of. */
	if (standin.moment == STANDIN_AT_LOAD)
		standin.task_connections = tuned_to;
	ck_assert_int_eq(work_tune(harness_run, &tuning), 0);
}

/* Every call from then on says so (the stand-in looks), and nothing is lost or asked twice. */
START_TEST(tuned_at_any_moment)
{
	static const int caps[] = { 1, 3, 0, 200 };

	tuned_to = caps[_i % 4];
	harness_tuning.max_connections = standin.task_connections = 2;
	standin.at_moment = tune_run;
	standin.moment = moments[_i / 4].moment;
	standin.moment_index = moments[_i / 4].index;
	harness_run_task();
	harness_assert_all_recorded();
	ck_assert_int_eq(standin.n_generations, 100);
	ck_assert_int_eq(standin.n_judgements, 200);
	ck_assert_int_le(standin.in_flight_max, tuned_to == 1 ? 2 : tuned_to == 3 ? 3 : 8);
	ck_assert_int_eq(standin.n_tunes, moments[_i / 4].moment != STANDIN_AT_LOAD);
}
END_TEST

/* ---- The cost limit ---- */

static bool has_line(const char *words)
{
	for (int i = 0; i < seen.n_lines; i++)
		if (strstr(seen.lines[i], words))
			return true;
	return false;
}

/* A call is 0.000001 dollars. */
START_TEST(cost_limit_stops)
{
	size_t recorded, ratings, complete;

	harness_tuning.cost_limit = 120000;
	harness_run_task();
	ck_assert_int_eq(seen.status, TASK_PENDING);
	ck_assert(seen.over_budget);
	recorded = harness_count(&ratings, &complete);
	ck_assert_uint_ge(recorded + ratings, 120);
	ck_assert_uint_lt(recorded + ratings, 120 + 2 * 8); // what was in flight, or not committed
	ck_assert_int_eq(standin.n_generations + standin.n_judgements, (int64_t)(recorded + ratings));
	ck_assert_int_eq(seen.cost, (int64_t)(recorded + ratings) * 1000);
	ck_assert(has_line("the cost_limit is $0.00012"));

	harness_tuning.cost_limit = -1;
	harness_run_task();
	harness_assert_all_recorded();
	ck_assert_int_eq(standin.n_generations, 100);
	ck_assert_int_eq(standin.n_judgements, 200);
}
END_TEST

/* Reached by the very last call, it holds nothing up. */
START_TEST(cost_limit_reached_at_the_end)
{
	harness_tuning.cost_limit = 300000;
	harness_run_task();
	harness_assert_all_recorded();
	ck_assert(!seen.over_budget);
	ck_assert_int_eq(seen.n_lines, 1); // that no price is known
	ck_assert(has_line("cost_limit has no effect"));
}
END_TEST

static void raise_limit(void)
{
	const struct work_tuning tuning = { .priority = 2, .cost_limit = 1000000 };

	ck_assert_int_eq(work_tune(harness_run, &tuning), 0);
}

START_TEST(cost_limit_raised_in_time)
{
	harness_tuning.cost_limit = 150000;
	standin.at_moment = raise_limit;
	standin.moment = STANDIN_AT_RECORD;
	standin.moment_index = 60;
	harness_run_task();
	harness_assert_all_recorded();
}
END_TEST

int main(void)
{
	TCase *tcase = tcase_create("");

	tcase_add_loop_test(tcase, stopped_and_continued, 0, (int)(N_STOPS * N_MOMENTS));
	tcase_add_loop_test(tcase, stopped_while_aggregating, 0, (int)N_STOPS);
	tcase_add_test(tcase, only_what_is_missing);
	tcase_add_test(tcase, nothing_is_missing);
	tcase_add_test(tcase, empty_run);
	tcase_add_loop_test(tcase, unusable_answers_count, 0, 2);
	tcase_add_test(tcase, stalled_commits_stop_calls);
	tcase_add_loop_test(tcase, tuned_at_any_moment, 0, (int)(4 * N_MOMENTS));
	tcase_add_test(tcase, cost_limit_stops);
	tcase_add_test(tcase, cost_limit_reached_at_the_end);
	tcase_add_test(tcase, cost_limit_raised_in_time);
	return harness_main(tcase);
}
