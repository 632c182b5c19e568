/* The heap of deadlines. */
#include <stdlib.h>

#include "daemon/base/deadline.h"
#include "tests/unit/suite.h"

static int64_t last_usec;
static int n_passed;

static void passed(struct deadline *deadline)
{
	ck_assert_int_ge(deadline->usec, last_usec);
	last_usec = deadline->usec;
	n_passed++;
}

START_TEST(deadlines)
{
	static struct deadline all[500];
	struct deadlines heap = { 0 };
	int n_unset = 0;

	ck_assert_int_eq(deadlines_reserve(&heap, 500), 0);
	srand(1);
	for (int i = 0; i < 500; i++) {
		all[i].passed = passed;
		deadline_set(&heap, &all[i], rand() % 1000);
	}
	for (int i = 0; i < 500; i += 3)
		deadline_set(&heap, &all[i], rand() % 1000);
	for (int i = 0; i < 500; i += 7, n_unset++)
		deadline_unset(&heap, &all[i]);
	deadlines_run(&heap, 500);
	ck_assert_int_le(last_usec, 500);
	ck_assert_int_gt(deadlines_next(&heap), 500);
	deadlines_run(&heap, 1000);
	ck_assert_int_eq(n_passed, 500 - n_unset);
	ck_assert_int_eq(deadlines_next(&heap), DEADLINE_NEVER);
	deadlines_done(&heap);
}
END_TEST

int main(void)
{
	return RUN_TESTS(deadlines);
}
