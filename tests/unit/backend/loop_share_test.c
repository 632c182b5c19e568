/*
 * Users on the backend's loop, on a clock that only the test moves: who takes as much as there is,
 * who wants little, nobody beside them, and what is under way already.
 */
#include "daemon/backend/limits/loop_share.h"
#include "daemon/base/deadline.h"
#include "tests/unit/suite.h"

#define BEGIN_USEC INT64_C(1000000)
#define CALL_USEC 100

/* A round in which as many calls are issued as may be, and of which each takes so long; how many. */
static int issue_of(struct loop_shares *shares, struct loop_share *share, int64_t user, int max, int64_t *now_usec)
{
	int n = 0;

	loop_share_next_round(share);
	for (; n < max && loop_share_allows(shares, share, *now_usec); n++) {
		loop_share_issued(shares, share, user, *now_usec);
		*now_usec += CALL_USEC;
		loop_share_took(share, CALL_USEC, *now_usec);
	}
	return n;
}

/* Each share a user's own. */
static int issue(struct loop_shares *shares, struct loop_share *share, int max, int64_t *now_usec)
{
	return issue_of(shares, share, (int64_t)(uintptr_t)share, max, now_usec);
}

START_TEST(who_is_alone_has_all)
{
	struct loop_shares shares = { 0 };
	struct loop_share heavy = { 0 };
	int64_t now_usec = BEGIN_USEC;

	for (int i = 0; i < 10; i++)
		ck_assert_int_eq(issue(&shares, &heavy, 100, &now_usec), 100);
	ck_assert(loop_share_due_usec(&heavy) == DEADLINE_NEVER);
}
END_TEST

START_TEST(beside_others_it_is_half)
{
	struct loop_shares shares = { 0 };
	struct loop_share heavy = { 0 }, light = { 0 };
	int64_t now_usec = BEGIN_USEC, began_usec;
	int n = 0, n_light = 0;

	issue(&shares, &heavy, 100, &now_usec);
	issue(&shares, &light, 1, &now_usec);
	began_usec = now_usec;
	while (now_usec < began_usec + 1000000) {
		int now = issue(&shares, &heavy, 100, &now_usec);

		ck_assert_int_le(now, 8);
		n += now;
		if (now == 0)
			now_usec += CALL_USEC / 2; // others have the loop
		if (now_usec > began_usec + n_light * 5000)
			n_light += issue(&shares, &light, 1, &now_usec);
	}
	ck_assert_int_ge(n, 4500);
	ck_assert_int_le(n, 5050);
	ck_assert_int_eq(n_light, 200);
}
END_TEST

/* With endpoints of his own and those of all. */
START_TEST(who_is_alone_at_both_has_all)
{
	struct loop_shares shares = { 0 };
	struct loop_share own = { 0 }, common = { 0 };
	int64_t now_usec = BEGIN_USEC;

	for (int i = 0; i < 10; i++) {
		ck_assert_int_eq(issue_of(&shares, &own, 7, 100, &now_usec), 100);
		ck_assert_int_eq(issue_of(&shares, &common, 7, 100, &now_usec), 100);
	}
	/* Nor do they who only share it have a loop to share with others. */
	for (int64_t user = 7; user < 17; user++)
		ck_assert_int_eq(issue_of(&shares, &common, user, 100, &now_usec), 100);
	issue_of(&shares, &own, 7, 100, &now_usec);
	ck_assert_int_eq(issue_of(&shares, &common, 8, 100, &now_usec), 0);
}
END_TEST

/* What his calls under way take goes on whether others go or not. */
START_TEST(one_goes_now_and_then)
{
	struct loop_shares shares = { 0 };
	struct loop_share heavy = { 0 }, light = { 0 };
	int64_t now_usec = BEGIN_USEC, began_usec;
	int n = 0;

	issue(&shares, &heavy, 100, &now_usec);
	began_usec = now_usec;
	while (now_usec < began_usec + 1000000) {
		int now;

		issue(&shares, &light, 1, &now_usec);
		now_usec += 1000;
		loop_share_took(&heavy, 1000, now_usec);
		now = issue(&shares, &heavy, 100, &now_usec);
		ck_assert(now > 0 || loop_share_due_usec(&heavy) > now_usec);
		n += now;
	}
	ck_assert_int_ge(n, 40);
	ck_assert_int_le(n, 50);
}
END_TEST

START_TEST(who_wants_little_is_not_kept_back)
{
	struct loop_shares shares = { 0 };
	struct loop_share heavy = { 0 }, light = { 0 };
	int64_t now_usec = BEGIN_USEC;

	issue(&shares, &heavy, 100, &now_usec);
	issue(&shares, &light, 1, &now_usec);
	/* Some at once in each round, without a wait in between. */
	ck_assert_int_eq(issue(&shares, &light, 100, &now_usec), 8);
	ck_assert(loop_share_due_usec(&light) <= now_usec);
	ck_assert_int_eq(issue(&shares, &light, 100, &now_usec), 8);
}
END_TEST

START_TEST(others_who_are_gone_do_not_count)
{
	struct loop_shares shares = { 0 };
	struct loop_share heavy = { 0 }, light = { 0 };
	int64_t now_usec = BEGIN_USEC;

	issue(&shares, &heavy, 100, &now_usec);
	issue(&shares, &light, 1, &now_usec);
	ck_assert_int_eq(issue(&shares, &heavy, 100, &now_usec), 0);
	ck_assert_int_gt(loop_share_due_usec(&heavy), now_usec);
	/* What he took while alone does not keep him back for long. */
	ck_assert_int_le(loop_share_due_usec(&heavy), now_usec + 5000);
	now_usec += 100000;
	ck_assert_int_eq(issue(&shares, &heavy, 100, &now_usec), 100);
}
END_TEST

int main(void)
{
	return RUN_TESTS(who_is_alone_has_all, who_is_alone_at_both_has_all, beside_others_it_is_half,
			 one_goes_now_and_then, who_wants_little_is_not_kept_back, others_who_are_gone_do_not_count);
}
