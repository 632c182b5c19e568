/* So many rejections in a minute of one user, by a clock of the test's own. */
#include "daemon/queue/rejections.h"
#include "tests/unit/suite.h"

#define SECOND INT64_C(1000000)

static struct rejections *rejections;

START_TEST(a_minute_has_room_again)
{
	int64_t now = 5 * SECOND;

	ck_assert_int_eq(rejections_new(&rejections), 0);
	/* Two a second: the hundredth comes after 49.5 seconds. */
	for (int i = 0; i < REJECTIONS_MAX; i++) {
		ck_assert_int_eq(rejections_wait_usec(rejections, 7, now), 0);
		rejections_add(rejections, 7, now);
		now += SECOND / 2;
	}
	ck_assert_int_eq(now, 55 * SECOND);
	ck_assert_int_eq(rejections_wait_usec(rejections, 7, now), 10 * SECOND);
	ck_assert_int_eq(rejections_wait_usec(rejections, 8, now), 0);
	ck_assert_int_eq(rejections_wait_usec(rejections, 7, 65 * SECOND - 1), 1);
	/* The first is a minute old: there is room for one. */
	ck_assert_int_eq(rejections_wait_usec(rejections, 7, 65 * SECOND), 0);
	rejections_add(rejections, 7, 65 * SECOND);
	ck_assert_int_eq(rejections_wait_usec(rejections, 7, 65 * SECOND), SECOND / 2);
	/* And a minute later for as many as before. */
	now = 200 * SECOND;
	for (int i = 0; i < REJECTIONS_MAX; i++) {
		ck_assert_int_eq(rejections_wait_usec(rejections, 7, now), 0);
		rejections_add(rejections, 7, now);
	}
	ck_assert_int_eq(rejections_wait_usec(rejections, 7, now), REJECTIONS_USEC);
	rejections_free(rejections);
}
END_TEST

/* Those under way together may be more: the last hundred count. */
START_TEST(more_than_the_ring_holds)
{
	ck_assert_int_eq(rejections_new(&rejections), 0);
	for (int i = 0; i < 3 * REJECTIONS_MAX; i++)
		rejections_add(rejections, 7, i * SECOND / 10);
	ck_assert_int_eq(rejections_wait_usec(rejections, 7, 30 * SECOND), 50 * SECOND);
	rejections_free(rejections);
}
END_TEST

START_TEST(many_users)
{
	ck_assert_int_eq(rejections_new(&rejections), 0);
	for (int64_t uid = 0; uid < 1000; uid++)
		for (int i = 0; i < (uid % 2 ? REJECTIONS_MAX : 1); i++)
			rejections_add(rejections, uid, uid);
	for (int64_t uid = 0; uid < 1000; uid++)
		ck_assert_int_eq(rejections_wait_usec(rejections, uid, 1000) != 0, uid % 2);
	rejections_free(rejections);
}
END_TEST

int main(void)
{
	return RUN_TESTS(a_minute_has_room_again, more_than_the_ring_holds, many_users);
}
