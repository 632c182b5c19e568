/*
 * The main() of a test program on libcheck: `int main(void) { return RUN_SUITE(one, another); }`,
 * where each is a START_TEST. Every test runs in a process of its own; what it started ends with
 * it.
 */
#pragma once

#include <check.h>
#include <stddef.h>
#include <string.h>

#include "tests/harness/daemon.h"
#include "tests/harness/database.h"
#include "tests/harness/dir.h"
#include "tests/harness/experiment.h"
#include "tests/harness/harness.h"
#include "tests/harness/json.h"
#include "tests/harness/sim.h"
#include "tests/harness/wire.h"

/* What ctest takes for a skipped test. */
#define EXIT_SKIPPED 77

#define ASSERT_SAYS(output, wanted) \
	do { \
		const char *said_ = output; \
\
		ck_assert_msg(strstr(said_, wanted), "no %s in: %s", wanted, said_); \
	} while (0)

static inline int suite_run(const TTest *const *tests, size_t n)
{
	Suite *suite = suite_create("");
	TCase *tcase = tcase_create("");
	SRunner *runner = srunner_create(suite);
	int failed;

	dir_prepare();
	suite_add_tcase(suite, tcase);
	tcase_set_timeout(tcase, 5 * WAIT_SECONDS);
	for (size_t i = 0; i < n; i++)
		tcase_add_test(tcase, tests[i]);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed > 0;
}

#define RUN_SUITE(...) \
	suite_run((const TTest *const[]) { __VA_ARGS__ }, \
		  sizeof((const TTest *const[]) { __VA_ARGS__ }) / sizeof(const TTest *))
