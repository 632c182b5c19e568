#include "tests/harness/harness.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#ifdef __SANITIZE_ADDRESS__
/* Test programs leave their memory to the end of the process; the daemon does not. */
__attribute__((visibility("default"))) int __lsan_is_turned_off(void);
int __lsan_is_turned_off(void)
{
	return 1;
}
#endif

void die(const char *format, ...)
{
	va_list arguments;

	fflush(stdout);
	fputs("harness: ", stderr);
	va_start(arguments, format);
	vfprintf(stderr, format, arguments);
	va_end(arguments);
	fputc('\n', stderr);
	exit(EXIT_FAILURE);
}

void must(bool condition, const char *what)
{
	if (!condition)
		die("%s", what);
}

double now_seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static char *vtext(const char *format, va_list arguments) __attribute__((format(printf, 1, 0)));
static char *vtext(const char *format, va_list arguments)
{
	char *result;

	if (vasprintf(&result, format, arguments) < 0)
		die("out of memory");
	return result;
}

char *text(const char *format, ...)
{
	va_list arguments;
	char *result;

	va_start(arguments, format);
	result = vtext(format, arguments);
	va_end(arguments);
	return result;
}

char *requoted(const char *json)
{
	char *copy = strdup(json);

	if (!copy)
		die("out of memory");
	for (char *at = copy; (at = strchr(at, '\''));)
		*at = '"';
	return copy;
}

char *vquoted(const char *format, va_list arguments)
{
	char *copy = requoted(format);
	char *result;

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
	result = vtext(copy, arguments);
#pragma GCC diagnostic pop
	free(copy);
	return result;
}

char *quoted(const char *format, ...)
{
	va_list arguments;
	char *result;

	va_start(arguments, format);
	result = vquoted(format, arguments);
	va_end(arguments);
	return result;
}

char *file_read(const char *path, size_t *ret_size)
{
	FILE *file = fopen(path, "re");
	size_t allocated = 64 * 1024, size = 0, n;
	char *content;

	if (!file)
		return NULL;
	content = malloc(allocated);
	while (content && (n = fread(content + size, 1, allocated - size - 1, file)) > 0) {
		size += n;
		if (allocated - size < 4096)
			content = realloc(content, allocated *= 2);
	}
	if (!content)
		die("out of memory");
	fclose(file);
	content[size] = '\0';
	if (ret_size)
		*ret_size = size;
	return content;
}

void file_write(const char *path, const char *content)
{
	FILE *file = fopen(path, "we");

	if (!file || fputs(content, file) < 0 || fclose(file) != 0)
		die("%s: cannot be written", path);
}
