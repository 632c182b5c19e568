/* The working concurrency of an endpoint, by itself. */
#include "daemon/backend/limits/aimd.h"
#include "tests/unit/suite.h"

#define LATENCY_USEC 100000

/* A window of as many successes as it allows, all slots taken. */
static void succeed(struct aimd *aimd, int64_t latency_usec, int64_t now_usec)
{
	int limit = aimd_limit(aimd), n = limit > 8 ? limit : 8;

	aimd_issued(aimd, limit);
	for (int i = 0; i < n; i++)
		ck_assert_int_eq(aimd_succeeded(aimd, limit, latency_usec, limit - 1, now_usec), i == n - 1);
}

START_TEST(grows_by_one)
{
	struct aimd aimd = { 0 };

	aimd_set(&aimd, 10, 12);
	ck_assert_int_eq(aimd_limit(&aimd), 10);
	for (int i = 11; i < 16; i++) {
		succeed(&aimd, LATENCY_USEC, 1);
		ck_assert_int_eq(aimd_limit(&aimd), i < 12 ? i : 12);
	}
}
END_TEST

/* What was never wanted is no evidence. */
START_TEST(grows_only_when_full)
{
	struct aimd aimd = { 0 };

	aimd_set(&aimd, 10, 64);
	for (int i = 0; i < 100; i++)
		(void)aimd_succeeded(&aimd, 4, LATENCY_USEC, 3, 1);
	ck_assert_int_eq(aimd_limit(&aimd), 10);
}
END_TEST

/* So many calls go at once, and those beyond `left` are refused; then the pause, for a second. */
static enum refusal_cause refuse(struct aimd *aimd, int n, int left, int64_t now_usec)
{
	for (int i = n; i > left; i--)
		aimd_refused(aimd, left + 1, i - 1, now_usec);
	return aimd_resumed(aimd, left, now_usec + 1000000);
}

/* Where nothing goes through, it is halved once a pause. */
START_TEST(halved_once)
{
	struct aimd aimd = { 0 };

	aimd_set(&aimd, 40, 40);
	for (int limit = 20; limit > 0; limit /= 2) {
		aimd_refused(&aimd, 2, 1, 1);
		aimd_refused(&aimd, 1, 0, 2);
		ck_assert_int_eq(aimd_resumed(&aimd, 0, 3), CAUSE_UNKNOWN);
		ck_assert_int_eq(aimd_limit(&aimd), limit);
	}
}
END_TEST

START_TEST(a_number_is_refused_twice)
{
	struct aimd aimd = { 0 };

	aimd_set(&aimd, 40, 40);
	ck_assert_int_eq(refuse(&aimd, 40, 12, 1), CAUSE_UNKNOWN);
	ck_assert_int_eq(aimd_limit(&aimd), 40);
	ck_assert_int_eq(refuse(&aimd, 14, 12, 2000000), CAUSE_NUMBER);
	ck_assert_int_eq(aimd_limit(&aimd), 12);
	succeed(&aimd, LATENCY_USEC, 20000000);
	ck_assert_int_eq(aimd_limit(&aimd), 12); // too soon after a pause of a second
	succeed(&aimd, LATENCY_USEC, 28000000);
	ck_assert_int_eq(aimd_limit(&aimd), 13);
}
END_TEST

START_TEST(another_number_is_a_rate)
{
	struct aimd aimd = { 0 };

	aimd_set(&aimd, 40, 40);
	ck_assert_int_eq(refuse(&aimd, 40, 12, 1), CAUSE_UNKNOWN);
	ck_assert_int_eq(refuse(&aimd, 14, 12, 2000000), CAUSE_NUMBER);
	ck_assert_int_eq(refuse(&aimd, 12, 5, 4000000), CAUSE_RATE);
	ck_assert_int_eq(aimd_limit(&aimd), 40);
}
END_TEST

/* As many as with the refused call have gone through at once, since the last pause. */
START_TEST(a_proven_number_is_not_refused)
{
	struct aimd aimd = { 0 };

	aimd_set(&aimd, 40, 40);
	(void)aimd_succeeded(&aimd, 10, LATENCY_USEC, 20, 1);
	aimd_refused(&aimd, 10, 9, 2);
	ck_assert_int_eq(aimd_resumed(&aimd, 9, 3), CAUSE_RATE);
	aimd_refused(&aimd, 10, 9, 4);
	ck_assert_int_eq(aimd_resumed(&aimd, 9, 5), CAUSE_NUMBER);
	ck_assert_int_eq(aimd_resumed(&aimd, 9, 6), CAUSE_NONE);
}
END_TEST

START_TEST(a_failure_begins_anew)
{
	struct aimd aimd = { 0 };

	aimd_set(&aimd, 10, 64);
	aimd_issued(&aimd, 10);
	for (int i = 0; i < 9; i++)
		ck_assert(!aimd_succeeded(&aimd, 10, LATENCY_USEC, 9, 1));
	aimd_failed(&aimd, 9);
	ck_assert(!aimd_succeeded(&aimd, 10, LATENCY_USEC, 9, 1));
	ck_assert_int_eq(aimd_limit(&aimd), 10);
}
END_TEST

START_TEST(latency)
{
	struct aimd aimd = { 0 };

	aimd_set(&aimd, 20, 20);
	succeed(&aimd, LATENCY_USEC, 1);
	for (int i = 0; i < 20; i++)
		ck_assert(!aimd_succeeded(&aimd, 20, 3 * LATENCY_USEC, 19, 2));
	ck_assert_int_eq(aimd_limit(&aimd), 18);
	/* The new measure: it does not shrink again, and grows after a while. */
	for (int i = 0; i < 4; i++) {
		succeed(&aimd, 3 * LATENCY_USEC, 3);
		ck_assert_int_eq(aimd_limit(&aimd), 18);
	}
	succeed(&aimd, 3 * LATENCY_USEC, 4);
	ck_assert_int_eq(aimd_limit(&aimd), 19);
}
END_TEST

START_TEST(bounds_change)
{
	struct aimd aimd = { 0 };

	aimd_set(&aimd, 10, 64);
	aimd_set(&aimd, 30, 30);
	ck_assert_int_eq(aimd_limit(&aimd), 30);
	ck_assert_int_eq(refuse(&aimd, 30, 15, 2), CAUSE_UNKNOWN);
	ck_assert_int_eq(refuse(&aimd, 30, 15, 2), CAUSE_NUMBER);
	aimd_set(&aimd, 40, 40); // what was learnt stays
	ck_assert_int_eq(aimd_limit(&aimd), 15);
	aimd_set(&aimd, 5, 5);
	ck_assert_int_eq(aimd_limit(&aimd), 5);
}
END_TEST

int main(void)
{
	return RUN_TESTS(grows_by_one, grows_only_when_full, halved_once,
			 a_number_is_refused_twice, another_number_is_a_rate,
			 a_proven_number_is_not_refused, a_failure_begins_anew, latency,
			 bounds_change);
}
