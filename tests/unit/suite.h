/*
 * The main() of a test program: `int main(void) { return RUN_TESTS(one, another); }`, where each
 * is a START_TEST. Every test runs in a process of its own.
 */
#pragma once

#include <check.h>
#include <stddef.h>

static inline int suite_run(const TTest *const *tests, size_t n)
{
	Suite *suite = suite_create("");
	TCase *tcase = tcase_create("");
	SRunner *runner = srunner_create(suite);
	int failed;

	suite_add_tcase(suite, tcase);
	tcase_set_timeout(tcase, 60);
	for (size_t i = 0; i < n; i++)
		tcase_add_test(tcase, tests[i]);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed > 0;
}

#define RUN_TESTS(...) \
	suite_run((const TTest *const[]) { __VA_ARGS__ }, \
		  sizeof((const TTest *const[]) { __VA_ARGS__ }) / sizeof(const TTest *))
