/* When a call is tried again: classes of errors, delays, and what is no chance any more. */
#include "daemon/backend/dialect/attempt.h"
#include "daemon/backend/limits/retry.h"
#include "elluminate-types.h"
#include "tests/unit/suite.h"

START_TEST(classes)
{
	static const struct {
		int status;
		enum error_hint hint;
		int64_t wait_usec;
		enum attempt_class class;
		int code;
	} table[] = {
		{ 429, HINT_NONE, -1, ATTEMPT_WAIT, ELLU_E_BACKEND_UNAVAILABLE },
		{ 529, HINT_NONE, -1, ATTEMPT_WAIT, ELLU_E_BACKEND_UNAVAILABLE },
		{ 503, HINT_NONE, 0, ATTEMPT_WAIT, ELLU_E_BACKEND_UNAVAILABLE },
		{ 503, HINT_NONE, -1, ATTEMPT_RETRY, ELLU_E_BACKEND_UNAVAILABLE },
		{ 500, HINT_NONE, 5, ATTEMPT_RETRY, ELLU_E_BACKEND_UNAVAILABLE },
		{ 408, HINT_NONE, -1, ATTEMPT_RETRY, ELLU_E_BACKEND_UNAVAILABLE },
		{ 409, HINT_NONE, -1, ATTEMPT_RETRY, ELLU_E_BACKEND_UNAVAILABLE },
		{ 425, HINT_NONE, -1, ATTEMPT_RETRY, ELLU_E_BACKEND_UNAVAILABLE },
		{ 400, HINT_NONE, -1, ATTEMPT_ITEM, ELLU_E_BACKEND_REJECTED },
		{ 413, HINT_NONE, -1, ATTEMPT_ITEM, ELLU_E_BACKEND_REJECTED },
		{ 422, HINT_NONE, -1, ATTEMPT_ITEM, ELLU_E_BACKEND_REJECTED },
		{ 401, HINT_NONE, -1, ATTEMPT_CONFIG, ELLU_E_BACKEND_AUTHENTICATION },
		{ 403, HINT_NONE, -1, ATTEMPT_CONFIG, ELLU_E_BACKEND_AUTHENTICATION },
		{ 403, HINT_CONTENT, -1, ATTEMPT_ITEM, ELLU_E_BACKEND_REJECTED },
		{ 404, HINT_NONE, -1, ATTEMPT_CONFIG, ELLU_E_BACKEND_REJECTED },
		{ 307, HINT_NONE, -1, ATTEMPT_CONFIG, ELLU_E_BACKEND_REJECTED },
	};

	for (size_t i = 0; i < sizeof(table) / sizeof(*table); i++) {
		struct attempt attempt = { .status = table[i].status, .hint = table[i].hint,
					   .wait_usec = table[i].wait_usec };

		attempt_classify(&attempt);
		ck_assert_msg(attempt.class == table[i].class, "%d", table[i].status);
		ck_assert_int_eq(attempt.code, table[i].code);
	}
}
END_TEST

START_TEST(delays)
{
	const int64_t wall_usec = INT64_C(784111767000000); // 06 Nov 1994 08:49:27

	ck_assert_int_eq(retry_backoff_usec(1, 0.5), 250000);
	ck_assert_int_eq(retry_backoff_usec(3, 0.5), 1000000);
	ck_assert_int_eq(retry_backoff_usec(100, 0.5), 30000000);
	ck_assert_int_eq(retry_backoff_usec(5, 0), 0);
	ck_assert_int_eq(retry_wait_usec(1, 0), 500000);
	ck_assert_int_eq(retry_wait_usec(60, 0.999999) / 1000000, 59);

	ck_assert_int_eq(retry_after_usec("2", NULL, 0), 2000000);
	ck_assert_int_eq(retry_after_usec("2", "1500", 0), 1500000);
	ck_assert_int_eq(retry_after_usec("0", NULL, 0), 0);
	ck_assert_int_eq(retry_after_usec(NULL, NULL, 0), -1);
	ck_assert_int_eq(retry_after_usec("soon", NULL, 0), -1);
	ck_assert_int_eq(retry_after_usec("-1", "nan", 0), -1);
	ck_assert_int_eq(retry_after_usec("1e300", NULL, 0), RETRY_AFTER_MAX_USEC);
	ck_assert_int_eq(retry_after_usec("Sun, 06 Nov 1994 08:49:37 GMT", NULL, wall_usec),
			 10000000);
	ck_assert_int_eq(retry_after_usec("Sun, 06 Nov 1994 08:49:07 GMT", NULL, wall_usec), 0);
}
END_TEST

START_TEST(waits_have_a_floor)
{
	ck_assert_int_eq(retry_floor_usec(0, 0), RETRY_BASE_USEC / 2);
	ck_assert_int_gt(retry_floor_usec(0, 0.999), RETRY_BASE_USEC / 2);
	ck_assert_int_le(retry_floor_usec(0, 0.999), RETRY_BASE_USEC);
	ck_assert_int_eq(retry_floor_usec(5000000, 0.5), 5000000);
}
END_TEST

/* `n_refused` of `n` others were refused: how often may one be before it is no chance any more. */
static int refusals_until_beyond_chance(int n_others, int n_refused)
{
	struct heads heads = { 0 };

	for (int i = 0; i < n_others; i++)
		heads_note(&heads, i < n_refused);
	for (int n = 1; n < 200; n++) {
		heads_note(&heads, true);
		if (heads_beyond_chance(&heads, n))
			return n;
	}
	return 0;
}

START_TEST(refused_beyond_chance)
{
	ck_assert_int_eq(refusals_until_beyond_chance(0, 0), 0);
	ck_assert_int_eq(refusals_until_beyond_chance(50, 50), 0);
	ck_assert_int_eq(refusals_until_beyond_chance(50, 0), REFUSALS_MIN);
	ck_assert_int_ge(refusals_until_beyond_chance(50, 25), 19);
	ck_assert_int_ge(refusals_until_beyond_chance(50, 45), 100);
	ck_assert_int_ge(refusals_until_beyond_chance(1, 0), 12);
}
END_TEST

int main(void)
{
	return RUN_TESTS(classes, delays, waits_have_a_floor, refused_beyond_chance);
}
