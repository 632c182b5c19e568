/*
 * The main() of a test program: `int main(void) { return RUN_TESTS(one, another); }`, where each
 * is a START_TEST; RUN_TESTS_WITH(setup, teardown, ...) where each has them around it, or NULL.
 * Every test runs in a process of its own.
 */
#pragma once

#include <check.h>
#include <stddef.h>

static inline int suite_run(void (*setup)(void), void (*teardown)(void), const TTest *const *tests,
			    size_t n)
{
	Suite *suite = suite_create("");
	TCase *tcase = tcase_create("");
	SRunner *runner = srunner_create(suite);
	int failed;

	suite_add_tcase(suite, tcase);
	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_set_timeout(tcase, 60);
	for (size_t i = 0; i < n; i++)
		tcase_add_test(tcase, tests[i]);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed > 0;
}

#define RUN_TESTS_WITH(setup, teardown, ...)                                    \
	suite_run(setup, teardown, (const TTest *const[]) { __VA_ARGS__ }, \
		  sizeof((const TTest *const[]) { __VA_ARGS__ }) / sizeof(const TTest *))
#define RUN_TESTS(...) RUN_TESTS_WITH(NULL, NULL, __VA_ARGS__)
