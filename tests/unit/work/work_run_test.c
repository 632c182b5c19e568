/* Runs from start to end, successful ones and all the ways they can fail. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/base/clock.h"
#include "daemon/work/run/run.h"
#include "tests/unit/work/work_harness.h"

/* ---- Success ---- */

START_TEST(everything_is_recorded)
{
	standin.n_epochs = 3;
	harness_run_task();
	harness_assert_all_recorded();
	ck_assert_int_eq(standin.n_generations, 300);
	ck_assert_int_eq(standin.n_judgements, 600);
	ck_assert_int_eq(standin.in_flight_max, 8);
	ck_assert_int_le(standin.handed_max, 16);
	ck_assert_int_eq(seen.progress.input_tokens, 9000);
	ck_assert_int_eq(seen.progress.output_tokens, 4500);
	ck_assert_int_eq(seen.cost, 900000);
	ck_assert_int_gt(seen.n_progress, 2);
	ck_assert_int_le(seen.cases_max, 2 * 8 + 16);
	ck_assert_int_gt(seen.cases_max, 0);
	ck_assert_int_eq(seen.n_lines, 0);
}
END_TEST

START_TEST(many_pages_fast)
{
	int64_t start = clock_monotonic_usec();

	standin.n_rows = 1000;
	standin.n_epochs = 2;
	standin.max_connections = 64;
	standin.latency_usec = 10000;
	standin.commit_usec = 2000;
	harness_run_task();
	harness_assert_all_recorded();
	printf("2000 cases: %.3f of ideal, %d in flight\n",
	       (double)(clock_monotonic_usec() - start) / (6000.0 / 64 * 10000), standin.in_flight_max);
}
END_TEST

START_TEST(without_criteria)
{
	standin.n_measures = 0;
	harness_run_task();
	harness_assert_all_recorded();
	ck_assert_int_eq(standin.n_judgements, 0);
}
END_TEST

START_TEST(one_connection)
{
	standin.n_rows = 10;
	standin.max_connections = 1;
	harness_run_task();
	harness_assert_all_recorded();
	ck_assert_int_eq(standin.in_flight_max, 1);
}
END_TEST

START_TEST(judge_apart)
{
	standin.judge_apart = true;
	standin.detailed = true;
	standin.max_connections = 0;
	harness_run_task();
	harness_assert_all_recorded();
}
END_TEST

START_TEST(own_connections)
{
	standin.flow_connections = 3;
	harness_run_task();
	harness_assert_all_recorded();
	ck_assert_int_eq(standin.in_flight_max, 3);
	ck_assert_int_le(standin.at_risk_max, 6);
	ck_assert_int_eq(seen.n_lines, 0);
}
END_TEST

START_TEST(own_connections_lowered)
{
	standin.flow_connections = 20;
	harness_run_task();
	harness_assert_all_recorded();
	ck_assert_int_eq(standin.in_flight_max, 8);
	ck_assert_int_eq(seen.n_lines, 1);
	ck_assert_ptr_nonnull(strstr(seen.lines[0], "lowered to 8"));
}
END_TEST

#define LARGE (3u * 1024 * 1024)

static char *large_text(const char *end)
{
	char *text = malloc(LARGE + strlen(end) + 1);

	memset(text, 'x', LARGE);
	strcpy(text + LARGE, end);
	return text;
}

/* As many as fit are under way, and not as many as there are connections. */
static void run_large(char *text, int at_least)
{
	standin.n_rows = 20;
	standin.answers_wait_for = at_least;
	standin.max_connections = 64;
	harness_run_task();
	harness_assert_all_recorded();
	ck_assert_int_ge(standin.in_flight_max, at_least);
	ck_assert_uint_le(standin.in_flight_max, RUN_BYTES_MAX / LARGE + 1);
	free(text);
}

START_TEST(large_requests)
{
	char *text = large_text(" {{word}}");

	standin.template_text = text;
	standin.n_measures = 0;
	run_large(text, 9);
}
END_TEST

START_TEST(large_questions)
{
	char *text = large_text(" {{word}}?");

	standin.measures[0] = text;
	standin.response_column = "word";
	standin.n_measures = 1;
	run_large(text, 5);
}
END_TEST

START_TEST(column_of_the_row)
{
	standin.response_column = "word";
	harness_run_task();
	harness_assert_all_recorded();
	ck_assert_int_eq(standin.n_generations, 0);
	ck_assert_int_eq(standin.n_judgements, 200);
	ck_assert_str_eq(standin_response(17, 1)->text, "w17");
	ck_assert_int_eq(standin_response(17, 1)->attempts, 0);
	ck_assert_int_eq(standin_response(17, 1)->input_tokens, -1);
}
END_TEST

/* ---- Failing ---- */

static void fail_item(struct llm_call *call, const char *message)
{
	call->outcome = LLM_ITEM_FAILED;
	fault_set(&call->fault, ELLU_E_BACKEND_REJECTED, "%s", message);
	call->fault.status = 400;
}

static void answer_with_failures(struct llm_call *call, const struct standin_call *info)
{
	if (info->index % 10 == 0)
		fail_item(call, "too long");
	else
		standin_answer(call, info->judging ? "NO" : "fine");
}

START_TEST(items_fail)
{
	size_t ratings, complete;

	standin.answer = answer_with_failures;
	harness_run_task();
	ck_assert_int_eq(seen.status, TASK_SUCCESS);
	ck_assert_uint_eq(harness_count(&ratings, &complete), 100);
	ck_assert_uint_eq(complete, 100);
	ck_assert_uint_eq(ratings, 180);
	ck_assert_int_eq(seen.progress.failed, 10);
	ck_assert_int_eq(seen.n_lines, 10 + 18);
	ck_assert_ptr_nonnull(strstr(seen.lines[0], "too long"));
	ck_assert_ptr_nonnull(strstr(seen.lines[0], "Row "));
}
END_TEST

static void answer_never(struct llm_call *call, const struct standin_call *info)
{
	(void)info;
	fail_item(call, "filtered");
}

START_TEST(all_items_fail)
{
	standin.answer = answer_never;
	harness_run_task();
	harness_assert_failure("BackendRejected", "all 100 responses failed");
	ck_assert_ptr_nonnull(strstr(seen.message, "filtered"));
	ck_assert_int_eq(standin.n_judgements, 0);

	/* And when there is nothing left to do. */
	harness_run_task();
	ck_assert_int_eq(seen.status, TASK_FAILURE);
	ck_assert_int_eq(standin.n_generations, 100);
}
END_TEST

static bool break_judge;
static int64_t break_from;

static void answer_bad_key(struct llm_call *call, const struct standin_call *info)
{
	if (info->judging == break_judge && info->index >= break_from) {
		call->outcome = LLM_CONFIG_FAILED;
		fault_set(&call->fault, ELLU_E_BACKEND_AUTHENTICATION, "bad key");
	} else {
		standin_answer(call, "YES");
	}
}

START_TEST(config_fails)
{
	size_t recorded, ratings, complete;

	standin.answer = answer_bad_key;
	break_judge = _i % 2;
	break_from = _i / 2 * 20;
	standin.judge_apart = _i >= 4;
	harness_run_task();
	harness_assert_failure("BackendAuthentication", "bad key");
	recorded = harness_count(&ratings, &complete);
	ck_assert_int_eq(seen.progress.failed, 0);
	ck_assert_int_le(standin.n_generations, 60);
	if (!break_judge)
		ck_assert_uint_eq(recorded, (size_t)break_from);
	else
		ck_assert_uint_le(ratings, (size_t)break_from);
	ck_assert_int_eq(standin.n_results, 0);
}
END_TEST

START_TEST(config_is_unusable)
{
	standin.target_error = ELLU_E_UNSUPPORTED;
	harness_run_task();
	harness_assert_failure("Unsupported", "");
	ck_assert_int_eq(standin.n_generations, 0);
}
END_TEST

START_TEST(judge_version_is_unknown)
{
	standin.rating_version = "999";
	harness_run_task();
	harness_assert_failure("Unsupported", "999");
	ck_assert_int_eq(standin.n_generations, 0);
}
END_TEST

static int64_t unreachable_until;
static bool unreachable_judge;

static void answer_unreachable(struct llm_call *call, const struct standin_call *info)
{
	if (info->judging == unreachable_judge && info->index < unreachable_until) {
		call->outcome = LLM_UNREACHABLE;
		fault_set(&call->fault, ELLU_E_BACKEND_UNAVAILABLE, "connection refused");
	} else {
		standin_answer(call, "YES");
	}
}

START_TEST(never_reachable)
{
	size_t ratings, complete;

	standin.answer = answer_unreachable;
	unreachable_until = INT64_MAX;
	unreachable_judge = _i >= 2;
	standin.judge_apart = unreachable_judge;
	standin.max_connections = 0;
	standin.n_rows = _i % 2 ? 2 : 100;
	harness_run_task();
	harness_assert_failure("BackendUnavailable", "connection refused");
	if (unreachable_judge) {
		harness_count(&ratings, &complete);
		ck_assert_uint_eq(ratings, 0);
	} else {
		ck_assert_uint_eq(harness_count(&ratings, &complete), 0);
	}
	ck_assert_int_eq(seen.progress.failed, 0);
}
END_TEST

START_TEST(reachable_at_last)
{
	standin.answer = answer_unreachable;
	unreachable_until = 6;
	unreachable_judge = false;
	standin.max_connections = 3;
	harness_run_task();
	ck_assert_int_eq(seen.status, TASK_SUCCESS);
	ck_assert_int_eq(seen.progress.failed, 6);
	ck_assert_int_eq(standin.n_generations, 100);
	ck_assert_int_eq(standin.n_judgements, 188);
	ck_assert_int_eq(seen.n_lines, 6);
}
END_TEST

START_TEST(row_lacks_a_value)
{
	standin.n_rows = 60;
	standin.row_without_word = 40;
	if (_i == 1) {
		standin.template_text = "Say it";
		standin.measures[1] = "Is it about {{ word }}?";
	} else if (_i == 2) {
		standin.response_column = "word";
	}
	harness_run_task();
	harness_assert_failure("org.varlink.service.InvalidParameter" + (strncmp(seen.code, "org.", 4) ? 20 : 0),
		       "row 40 ");
	ck_assert_ptr_nonnull(strstr(seen.message, "'word'"));
	ck_assert_str_eq(seen.field, "word");
	ck_assert(!standin_response(40, 1)->recorded);
}
END_TEST

static void answer_criterion(struct llm_call *call, const struct standin_call *info)
{
	const struct ellu_message *const *messages = call->messages;
	const char *number = info->judging ? strstr(messages[1]->content, "Is it w") : "";

	standin_answer(call, info->judging ? (number ? "YES" : "NO") : "fine");
}

START_TEST(criteria_are_filled_from_the_row)
{
	standin.measures[0] = "Is it {{word}}?";
	standin.answer = answer_criterion;
	harness_run_task();
	harness_assert_all_recorded();
	ck_assert_int_eq(standin_response(5, 1)->ratings[0].value, 1);
	ck_assert_int_eq(standin_response(5, 1)->ratings[1].value, 0);
}
END_TEST

START_TEST(store_fails)
{
	standin.record_error = ELLU_E_INTERNAL;
	standin.record_error_after = 30;
	harness_run_task();
	harness_assert_failure("Internal", "");
	ck_assert_int_lt(standin.n_generations, 60);
}
END_TEST

/* What cannot be recorded because of the disk is no fault of the run's: the task goes on later. */
START_TEST(store_cannot_write)
{
	standin.record_error = _i ? ELLU_E_STORAGE_FULL : ELLU_E_STORAGE_DAMAGED;
	standin.record_error_after = 30;
	harness_run_task();
	ck_assert_int_eq(seen.status, TASK_PENDING);
	ck_assert_int_lt(standin.n_generations, 60);
}
END_TEST

/* ---- Verdicts ---- */

static bool never_a_verdict;

static void answer_nonsense(struct llm_call *call, const struct standin_call *info)
{
	if (!info->judging)
		standin_answer(call, "fine");
	else if (info->again && !never_a_verdict)
		standin_answer(call, "```json\n{\"rating\": \"NO\"}\n```");
	else
		standin_answer(call, "It depends.");
}

START_TEST(judge_is_asked_again)
{
	standin.answer = answer_nonsense;
	never_a_verdict = _i;
	standin.n_rows = 30;
	harness_run_task();
	harness_assert_all_recorded();
	ck_assert_int_eq(standin.n_judgements, 120);
	for (size_t row = 1; row <= 30; row++) {
		const struct standin_rating *rating = &standin_response(row, 1)->ratings[1];

		ck_assert_int_eq(rating->attempts, 2);
		ck_assert_int_eq(rating->input_tokens, 20);
		ck_assert_int_eq(rating->failed, never_a_verdict);
		ck_assert_int_eq(rating->has_raw_text, never_a_verdict);
		ck_assert_int_eq(rating->value, never_a_verdict ? -1 : 0);
	}
	ck_assert_int_eq(seen.n_lines, never_a_verdict ? 60 : 0);
}
END_TEST

int main(void)
{
	TCase *tcase = tcase_create("");

	tcase_add_test(tcase, everything_is_recorded);
	tcase_add_test(tcase, many_pages_fast);
	tcase_add_test(tcase, without_criteria);
	tcase_add_test(tcase, one_connection);
	tcase_add_test(tcase, judge_apart);
	tcase_add_test(tcase, own_connections);
	tcase_add_test(tcase, own_connections_lowered);
	tcase_add_test(tcase, large_requests);
	tcase_add_test(tcase, large_questions);
	tcase_add_test(tcase, column_of_the_row);
	tcase_add_test(tcase, items_fail);
	tcase_add_test(tcase, all_items_fail);
	tcase_add_loop_test(tcase, config_fails, 0, 6);
	tcase_add_test(tcase, config_is_unusable);
	tcase_add_test(tcase, judge_version_is_unknown);
	tcase_add_loop_test(tcase, never_reachable, 0, 4);
	tcase_add_test(tcase, reachable_at_last);
	tcase_add_loop_test(tcase, row_lacks_a_value, 0, 3);
	tcase_add_test(tcase, criteria_are_filled_from_the_row);
	tcase_add_test(tcase, store_fails);
	tcase_add_loop_test(tcase, store_cannot_write, 0, 2);
	tcase_add_loop_test(tcase, judge_is_asked_again, 0, 2);
	return harness_main(tcase);
}
