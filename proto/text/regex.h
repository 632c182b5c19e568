/*
 * Regular expressions that take no longer than their size times the text's. A pattern is written out
 * as a program of few instructions, all of whose threads go through the text at once; there is no
 * going back, so there are neither backreferences nor lookaround. What even that is too much for is
 * given up after REGEX_STEPS_MAX.
 *
 * Patterns and texts are UTF-8. \d \w \s \b and (?i), which is known at the start alone, are about
 * ASCII; "." is all but a newline, "$" the end or a newline there. Any thread.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "proto/text/regex_limits.h"

/* *ret_expected is NULL, or what the pattern is not. -ENOMEM. */
int regex_check(const char *pattern, const char **ret_expected);

/* Whether the pattern is found in the text. -EINVAL: it is none, *ret_expected says what it is not;
 * -E2BIG: it took too many steps; -ENOMEM. What it took is in *ret_steps in any case. */
int regex_find(const char *pattern, const char *text, bool *ret_found, size_t *ret_steps,
	       const char **ret_expected);
