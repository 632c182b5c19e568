#include "daemon/work/run/run_log.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "daemon/work/work.h"
#include "proto/text/utf8.h"

void run_log_init(struct run_log *log, void (*write)(void *userdata, const char *line),
		  void *userdata)
{
	*log = (struct run_log){ .write = write, .userdata = userdata };
}

__attribute__((format(printf, 2, 0))) static void write_line(struct run_log *log,
							     const char *format, va_list arguments)
{
	char line[LOG_LINE_MAX + 1];
	int size = vsnprintf(line, sizeof(line), format, arguments);

	if (size < 0)
		return;
	if ((size_t)size >= sizeof(line))
		line[utf8_cut(line, LOG_LINE_MAX, LOG_LINE_MAX - 1)] = '\0';
	for (char *at = line; *at; at++)
		if (*at == '\n' || *at == '\r')
			*at = ' ';
	log->write(log->userdata, line);
}

void run_log_line(struct run_log *log, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	write_line(log, format, arguments);
	va_end(arguments);
}

void run_log_failure(struct run_log *log, const char *format, ...)
{
	va_list arguments;

	if (log->n_failures >= WORK_LOG_LINES_MAX) {
		log->n_failures_left_out++;
		return;
	}
	log->n_failures++;
	va_start(arguments, format);
	write_line(log, format, arguments);
	va_end(arguments);
}

void run_log_notice(struct run_log *log, const char *line, int64_t now_usec)
{
	bool seldom = log->n_notices >= RUN_LOG_NOTICES &&
		      now_usec - log->notice_at < RUN_LOG_NOTICE_USEC;

	if (seldom || strncmp(log->notice, line, sizeof(log->notice) - 1) == 0) {
		log->n_notices_left_out++;
		return;
	}
	log->n_notices++;
	log->notice_at = now_usec;
	snprintf(log->notice, sizeof(log->notice), "%s", line);
	run_log_line(log, "%s", line);
}

void run_log_end(struct run_log *log)
{
	if (log->n_failures_left_out > 0)
		run_log_line(log, "%" PRId64 " more failures are not listed here",
			     log->n_failures_left_out);
	if (log->n_notices_left_out > 0)
		run_log_line(log, "%" PRId64 " more waits and retries are not listed here",
			     log->n_notices_left_out);
}
