/*
 * What every part of the harness uses. A test has no use for running on when its own tools fail:
 * they end the process with a message instead of returning errors, and what they hand out lives
 * as long as the process.
 */
#pragma once

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

/* How long anything that must happen may take; longer where a sanitizer slows everything. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define WAIT_SECONDS 240.0
#define SLOW_BUILD 1
#else
#define WAIT_SECONDS 60.0
#define SLOW_BUILD 0
#endif

void die(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn));
/* Of a process that is not the test's own: dies with what was expected. */
void must(bool condition, const char *what);

/* Seconds of the monotonic clock. */
double now_seconds(void);

/* A formatted text that is never freed. */
char *text(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* The same for JSON: in the format itself ' stands for ". */
char *quoted(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* A copy with " for each '. */
char *requoted(const char *json);
char *vquoted(const char *format, va_list arguments) __attribute__((format(printf, 1, 0)));

/* The content of a file with a final NUL; NULL when there is no such file. */
char *file_read(const char *path, size_t *ret_size);
void file_write(const char *path, const char *content);
