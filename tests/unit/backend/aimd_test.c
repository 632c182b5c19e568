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
		ck_assert_int_eq(aimd_succeeded(aimd, latency_usec, limit - 1, now_usec), i == n - 1);
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
		(void)aimd_succeeded(&aimd, LATENCY_USEC, 3, 1);
	ck_assert_int_eq(aimd_limit(&aimd), 10);
}
END_TEST

START_TEST(halved_once)
{
	struct aimd aimd = { 0 };

	aimd_set(&aimd, 40, 40);
	for (int i = 0; i < 10; i++)
		aimd_refused(&aimd, 5, 39 - i, 10);
	ck_assert_int_eq(aimd_limit(&aimd), 20);
	aimd_refused(&aimd, 10, 19, 11);
	ck_assert_int_eq(aimd_limit(&aimd), 10);
	for (int i = 0; i < 10; i++)
		aimd_refused(&aimd, 20 + i, 0, 20 + i);
	ck_assert_int_eq(aimd_limit(&aimd), 1);
}
END_TEST

START_TEST(a_failure_begins_anew)
{
	struct aimd aimd = { 0 };

	aimd_set(&aimd, 10, 64);
	aimd_issued(&aimd, 10);
	for (int i = 0; i < 9; i++)
		ck_assert(!aimd_succeeded(&aimd, LATENCY_USEC, 9, 1));
	aimd_failed(&aimd, 9);
	ck_assert(!aimd_succeeded(&aimd, LATENCY_USEC, 9, 1));
	ck_assert_int_eq(aimd_limit(&aimd), 10);
}
END_TEST

START_TEST(latency)
{
	struct aimd aimd = { 0 };

	aimd_set(&aimd, 20, 20);
	succeed(&aimd, LATENCY_USEC, 1);
	for (int i = 0; i < 20; i++)
		ck_assert(!aimd_succeeded(&aimd, 3 * LATENCY_USEC, 19, 2));
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
	aimd_refused(&aimd, 1, 29, 2);
	aimd_set(&aimd, 40, 40); // what was learnt stays
	ck_assert_int_eq(aimd_limit(&aimd), 15);
	aimd_set(&aimd, 5, 5);
	ck_assert_int_eq(aimd_limit(&aimd), 5);
}
END_TEST

int main(void)
{
	return RUN_TESTS(grows_by_one, grows_only_when_full, halved_once, a_failure_begins_anew,
			 latency, bounds_change);
}
