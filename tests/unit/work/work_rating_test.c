/* Runs that only rate: nothing is generated, whatever stops them, and each ends with its verdicts. */
#include <string.h>
#include <unistd.h>

#include "tests/unit/work/work_harness.h"

/* A hundred responses, every tenth failed. */
static void setup(void)
{
	standin.rating = true;
	for (size_t row = 1; row <= standin.n_rows; row++) {
		struct standin_response *response = standin_response(row, 1);

		response->recorded = true;
		response->failed = response->rated = row % 10 == 0;
		strcpy(response->text, "earlier");
	}
}

START_TEST(only_the_judge_is_asked)
{
	setup();
	harness_run_task();
	harness_assert_all_recorded();
	ck_assert_int_eq(standin.n_generations, 0);
	ck_assert_int_eq(standin.n_judgements, 180);
	ck_assert_int_eq(standin.n_counts, 1);
	ck_assert_int_eq(standin.in_flight_max, 8);
	ck_assert_int_eq(seen.progress.failed, 10);
	ck_assert_uint_eq(seen.progress.n_epochs, 0);
	ck_assert_int_eq(seen.n_lines, 0);
}
END_TEST

static void see_question(struct llm_call *call, const struct standin_call *info)
{
	(void)info;
	if (!strstr(call->messages[1]->content, "Say w7") ||
	    !strstr(call->messages[1]->content, "Is w7 good?"))
		strcpy(standin.gone_wrong, "the question lacks what was asked for");
	standin_answer(call, "{\"rating\": \"NO\"}");
}

/* What the response was asked for comes with the case, and outlives its page. */
START_TEST(the_judge_sees_the_request)
{
	setup();
	standin.measures[0] = standin.measures[1] = "Is {{word}} good?";
	for (size_t row = 1; row <= standin.n_rows; row++)
		standin_response(row, 1)->failed = row != 7;
	standin.answer = see_question;
	harness_run_task();
	ck_assert_int_eq(standin.n_judgements, 2);
	ck_assert_int_eq(standin_response(7, 1)->ratings[1].value, 0);
}
END_TEST

static void stop(void)
{
	work_abort(harness_run);
}

static const struct {
	enum standin_moment moment;
	int64_t index;
} moments[] = {
	{ STANDIN_AT_LOAD, 0 },	 { STANDIN_AT_COUNT, 0 },  { STANDIN_AT_PAGE, 0 },
	{ STANDIN_AT_CALL, 1 },	 { STANDIN_AT_CALL, 90 },  { STANDIN_AT_RECORD, 1 },
	{ STANDIN_AT_RECORD, 70 }, { STANDIN_AT_RECORD, 180 },
};

#define N_MOMENTS (sizeof(moments) / sizeof(moments[0]))

START_TEST(stopped_and_continued)
{
	size_t ratings, complete;

	setup();
	standin.at_moment = stop;
	standin.moment = moments[_i].moment;
	standin.moment_index = moments[_i].index;
	harness_run_task();
	if (seen.status != TASK_SUCCESS)
		ck_assert_int_eq(seen.status, TASK_PENDING);
	harness_count(&ratings, &complete);
	ck_assert_int_le(standin.n_judgements, (int64_t)ratings + 8);
	standin.moment = STANDIN_NEVER;
	standin.n_results = 0;
	standin.n_judgements = (int64_t)ratings;
	harness_run_task();
	harness_assert_all_recorded();
	ck_assert_int_eq(standin.n_judgements, 180);
	ck_assert_int_eq(standin.n_generations, 0);
}
END_TEST

START_TEST(nothing_to_rate)
{
	setup();
	for (size_t row = 1; row <= standin.n_rows; row++)
		standin_response(row, 1)->failed = true;
	harness_run_task();
	harness_assert_failure("BackendUnavailable", "all 100 responses failed");
	ck_assert_int_eq(standin.n_judgements, 0);
}
END_TEST

static void talk_nonsense(struct llm_call *call, const struct standin_call *info)
{
	(void)info;
	standin_answer(call, "perhaps");
}

START_TEST(every_rating_fails)
{
	setup();
	standin.answer = talk_nonsense;
	standin.all_ratings_fail = true;
	harness_run_task();
	harness_assert_failure("BackendRejected", "ratings failed, 180 of them with: the judge");
	ck_assert(seen.has_result);
	ck_assert(standin_response(1, 1)->ratings[0].has_raw_text);
	ck_assert_msg(strncmp(seen.lines[0], "Response ", 9) == 0, "%s", seen.lines[0]);
}
END_TEST

int main(void)
{
	TCase *tcase = tcase_create("");

	tcase_add_test(tcase, only_the_judge_is_asked);
	tcase_add_test(tcase, the_judge_sees_the_request);
	tcase_add_loop_test(tcase, stopped_and_continued, 0, N_MOMENTS);
	tcase_add_test(tcase, nothing_to_rate);
	tcase_add_test(tcase, every_rating_fails);
	return harness_main(tcase);
}
