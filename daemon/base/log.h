/*
 * The daemon's log: lines with a level go into a bounded ring, and one thread writes them out
 * (log_sink.h). A full ring drops lines and counts them; no caller ever waits. Any thread may log.
 * Secrets are never logged.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <syslog.h>

#include "daemon/base/log_message.h"

/* Before log_start(). */
bool log_goes_to_journal(void);
int log_start(int max_level);
void log_stop(void); // writes out what waits, unless the journal has stalled
void log_set_level(int max_level);
uint64_t log_dropped(void);

/* What a line is about: fields of its own in the journal. Zero and NULL: nothing. */
struct log_subject {
	enum log_message message;
	int64_t task;
	int64_t experiment;
	const char *llm_config;
};

/* `subject` may be NULL. */
__attribute__((format(printf, 3, 4))) void log_about(int level, const struct log_subject *subject,
						     const char *format, ...);

/* log_about(LOG_INFO, ABOUT(.message = LOG_TASK_ENDED, .task = id), ...) */
#define ABOUT(...) (&(const struct log_subject){ __VA_ARGS__ })

#define log_error(...) log_about(LOG_ERR, NULL, __VA_ARGS__)
#define log_warning(...) log_about(LOG_WARNING, NULL, __VA_ARGS__)
#define log_notice(...) log_about(LOG_NOTICE, NULL, __VA_ARGS__)
#define log_info(...) log_about(LOG_INFO, NULL, __VA_ARGS__)
#define log_debug(...) log_about(LOG_DEBUG, NULL, __VA_ARGS__)
