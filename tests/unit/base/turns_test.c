/* Turns: users, the shares of priorities, items. */
#include <stdlib.h>

#include "daemon/base/turns.h"
#include "tests/unit/suite.h"

static struct turns turns;
static struct turns_user users[3];
static struct turns_item items[3][_PRIORITY_MAX]; // by user and priority

static void start(void)
{
	turns_init(&turns);
	for (int i = 0; i < 3; i++) {
		turns_user_init(&users[i]);
		for (int k = 0; k < _PRIORITY_MAX; k++)
			items[i][k].priority = (enum task_priority)k;
	}
}

static void wait(int user, enum task_priority priority)
{
	turns_wait(&turns, &users[user], &items[user][priority]);
}

/* Serves n times whoever of the first user's is next; counts by priority. */
static void serve(int n, int counts[_PRIORITY_MAX])
{
	for (int i = 0; i < n; i++) {
		struct turns_item *item = turns_next(&users[0], TURNS_ALL);

		counts[item->priority]++;
		turns_serve(&turns, item, TURNS_ALL);
	}
}

START_TEST(shares)
{
	int counts[_PRIORITY_MAX] = { 0 };

	start();
	for (int k = 0; k < _PRIORITY_MAX; k++)
		wait(0, (enum task_priority)k);
	serve(210, counts);
	ck_assert_int_eq(counts[PRIORITY_INTERACTIVE], 160);
	ck_assert_int_eq(counts[PRIORITY_NORMAL], 40);
	ck_assert_int_eq(counts[PRIORITY_BATCH], 10);
}
END_TEST

/* One that comes and goes does not push another one's turn away. */
START_TEST(nobody_starves)
{
	int counts[_PRIORITY_MAX] = { 0 };

	start();
	wait(0, PRIORITY_NORMAL);
	wait(0, PRIORITY_BATCH);
	for (int i = 0; i < 100; i++) {
		wait(0, PRIORITY_INTERACTIVE);
		serve(1, counts);
		turns_leave(&turns, &items[0][PRIORITY_INTERACTIVE]);
		serve(1, counts);
	}
	ck_assert_int_ge(counts[PRIORITY_BATCH], 8);
	ck_assert_int_ge(counts[PRIORITY_NORMAL], 32);
}
END_TEST

/* An interactive item that joins a user's busy others is next. */
START_TEST(interactive_is_next)
{
	int counts[_PRIORITY_MAX] = { 0 };

	start();
	wait(0, PRIORITY_NORMAL);
	wait(0, PRIORITY_BATCH);
	for (int i = 0; i < 37; i++) {
		serve(1, counts);
		wait(0, PRIORITY_INTERACTIVE);
		ck_assert_ptr_eq(turns_next(&users[0], TURNS_ALL), &items[0][PRIORITY_INTERACTIVE]);
		turns_leave(&turns, &items[0][PRIORITY_INTERACTIVE]);
	}
	ck_assert_int_eq(counts[PRIORITY_INTERACTIVE], 0);
}
END_TEST

/* What waited for nobody's slot but its own saved up nothing, and owes nothing. */
START_TEST(idle_saves_nothing)
{
	int counts[_PRIORITY_MAX] = { 0 };

	start();
	wait(0, PRIORITY_NORMAL);
	serve(1000, counts);
	wait(0, PRIORITY_BATCH);
	counts[PRIORITY_NORMAL] = 0;
	serve(50, counts);
	ck_assert_int_eq(counts[PRIORITY_NORMAL], 40);
	ck_assert_int_eq(counts[PRIORITY_BATCH], 10);
}
END_TEST

START_TEST(a_slot_of_its_own_costs_nothing)
{
	int counts[_PRIORITY_MAX] = { 0 };

	start();
	wait(0, PRIORITY_INTERACTIVE);
	wait(0, PRIORITY_NORMAL);
	for (int i = 0; i < 100; i++)
		turns_serve(&turns, turns_next(&users[0], TURNS_INTERACTIVE), TURNS_INTERACTIVE);
	serve(20, counts);
	ck_assert_int_eq(counts[PRIORITY_INTERACTIVE], 16);
	ck_assert_int_eq(counts[PRIORITY_NORMAL], 4);
	ck_assert_ptr_null(turns_next(&users[0], 1u << PRIORITY_BATCH));
}
END_TEST

START_TEST(users_in_turn)
{
	start();
	wait(0, PRIORITY_NORMAL);
	wait(1, PRIORITY_NORMAL);
	for (int i = 0; i < 7; i++) {
		struct turns_user *user = TAILQ_FIRST(&turns.users);

		ck_assert_ptr_eq(user, &users[i % 2]);
		turns_serve(&turns, turns_next(user, TURNS_ALL), TURNS_ALL);
	}
	/* Never served, and then served longest ago. */
	wait(2, PRIORITY_BATCH);
	ck_assert_ptr_eq(TAILQ_FIRST(&turns.users), &users[2]);
	turns_leave(&turns, &items[1][PRIORITY_NORMAL]);
	turns_serve(&turns, &items[2][PRIORITY_BATCH], TURNS_ALL);
	wait(1, PRIORITY_NORMAL);
	ck_assert_ptr_eq(TAILQ_FIRST(&turns.users), &users[1]);
}
END_TEST

START_TEST(items_by_age_then_in_turn)
{
	struct turns_item same[3] = { { .age = 5 }, { .age = 5 }, { .age = 5 } };
	struct turns_item older = { .age = 1 };

	start();
	for (int i = 0; i < 3; i++)
		turns_wait(&turns, &users[0], &same[i]);
	for (int i = 0; i < 7; i++) {
		struct turns_item *item = turns_next(&users[0], TURNS_ALL);

		ck_assert_ptr_eq(item, &same[i % 3]);
		turns_serve(&turns, item, TURNS_ALL);
	}
	turns_wait(&turns, &users[0], &older);
	ck_assert_ptr_eq(turns_next(&users[0], TURNS_ALL), &older);
	turns_leave(&turns, &older);
	turns_leave(&turns, &older);
	for (int i = 0; i < 3; i++)
		turns_leave(&turns, &same[i]);
	ck_assert(TAILQ_EMPTY(&turns.users));
	ck_assert_ptr_null(turns_next(&users[0], TURNS_ALL));
}
END_TEST

int main(void)
{
	return RUN_TESTS(shares, nobody_starves, interactive_is_next, idle_saves_nothing,
			 a_slot_of_its_own_costs_nothing, users_in_turn, items_by_age_then_in_turn);
}
