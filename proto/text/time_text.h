/*
 * Times: RFC 3339 in text, microseconds since the epoch (UTC) in C. Years 1 to 9999.
 */
#pragma once

#include <stdint.h>

#define TIME_TEXT_SIZE 40 // room for any time and its NUL

/* "2026-01-31T12:00:00.000Z": milliseconds, cut off. -ERANGE beyond the years. */
int time_format(int64_t usec, char ret_text[static TIME_TEXT_SIZE]);
/* Any fraction of a second (cut at microseconds) and any offset are taken. -EINVAL. */
int time_parse(const char *text, int64_t *ret_usec);
