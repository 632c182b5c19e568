/* Shares of what is global: who comes later finds some, whatever was taken before. */
#include "daemon/base/fair.h"
#include "tests/unit/suite.h"

#define N_USERS 40

/* As much as he may have. */
static void take_all(struct fair *fair, int64_t *held)
{
	while (fair_allows(fair, *held))
		fair_take(fair, held);
}

START_TEST(alone_up_to_his_limit)
{
	struct fair fair = { .total = 512, .limit = 256 };
	int64_t held = 0;

	take_all(&fair, &held);
	ck_assert_int_eq(held, 256);
	fair.limit = 1000;
	take_all(&fair, &held);
	ck_assert_int_eq(held, 512);
}
END_TEST

START_TEST(who_comes_later_finds_some)
{
	struct fair fair = { .total = 512, .limit = 256 };
	int64_t held[N_USERS] = { 0 };

	for (int i = 0; i < N_USERS; i++) {
		take_all(&fair, &held[i]);
		ck_assert_msg(held[i] >= 1, "user %d", i);
		ck_assert(i == 0 || held[i] <= held[i - 1]);
	}
	ck_assert_int_ge(held[1], 64);
	ck_assert_int_le(fair.used, fair.total);
}
END_TEST

/* What the first gives back goes to the others until the shares are even. */
START_TEST(shares_become_even)
{
	struct fair fair = { .total = 512, .limit = 256 };
	int64_t held[4] = { 0 };

	take_all(&fair, &held[0]);
	for (int round = 0; round < 1000; round++) {
		for (int i = 0; i < 4; i++) {
			if (held[i] > 0)
				fair_give(&fair, &held[i]);
			take_all(&fair, &held[(i + 1) % 4]);
		}
	}
	for (int i = 0; i < 4; i++) {
		ck_assert_int_ge(held[i], 60);
		ck_assert_int_le(held[i], 110);
	}
}
END_TEST

/* Users who hold little leave the shares of the others as they are. */
START_TEST(the_few_cost_nothing)
{
	struct fair fair = { .total = 512, .limit = 256 };
	int64_t held = 0, few[20] = { 0 };

	for (int i = 0; i < 20; i++)
		fair_take(&fair, &few[i]);
	take_all(&fair, &held);
	ck_assert_int_ge(held, 240);
}
END_TEST

START_TEST(small_totals)
{
	struct fair fair = { .total = 1, .limit = 1 };
	int64_t held[2] = { 0 };

	take_all(&fair, &held[0]);
	ck_assert_int_eq(held[0], 1);
	take_all(&fair, &held[1]);
	ck_assert_int_eq(held[1], 0);
	fair_give(&fair, &held[0]);
	ck_assert_int_eq(fair.used, 0);
	ck_assert_int_eq(fair.n_heavy, 0);
	/* Lowered below what is held. */
	fair = (struct fair){ .total = 10, .limit = 10 };
	held[0] = held[1] = 0;
	take_all(&fair, &held[0]);
	fair.total = 4;
	ck_assert(!fair_allows(&fair, held[0]));
	ck_assert(!fair_allows(&fair, held[1]));
}
END_TEST

int main(void)
{
	return RUN_TESTS(alone_up_to_his_limit, who_comes_later_finds_some, shares_become_even,
			 the_few_cost_nothing, small_totals);
}
