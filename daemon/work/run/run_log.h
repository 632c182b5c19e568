/*
 * What a run writes into its task's log, kept short: failures up to WORK_LOG_LINES_MAX, notices
 * of the backend more and more seldom. What is left out is counted.
 */
#pragma once

#include <stdint.h>

#include "proto/limits.h"

#define RUN_LOG_NOTICES 50 // written as they come
#define RUN_LOG_NOTICE_USEC 30000000 // after those, one in this time

struct run_log {
	void (*write)(void *userdata, const char *line);
	void *userdata;
	int n_failures;
	int64_t n_failures_left_out;
	int n_notices;
	int64_t n_notices_left_out;
	int64_t notice_at;
	char notice[LOG_LINE_MAX]; // the last one
};

void run_log_init(struct run_log *log, void (*write)(void *userdata, const char *line),
		  void *userdata);
void run_log_line(struct run_log *log, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
void run_log_failure(struct run_log *log, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
void run_log_notice(struct run_log *log, const char *line, int64_t now_usec);
/* Says what was left out. */
void run_log_end(struct run_log *log);
