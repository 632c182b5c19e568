/* SPDX-License-Identifier: MIT */
/*
 * The daemon's log: lines with a level go into a bounded ring, and one thread writes them out
 * (stderr with level prefixes). A full ring drops lines and counts them; no caller ever waits.
 * Any thread may log. Secrets are never logged.
 */
#pragma once

#include <stdint.h>
#include <syslog.h>

int log_start(int max_level);
void log_stop(void); // writes out what waits
void log_set_level(int max_level);
int log_level_from_name(const char *name); // LOG_* or -EINVAL
uint64_t log_dropped(void);

__attribute__((format(printf, 2, 3))) void log_line(int level, const char *format, ...);

#define log_error(...) log_line(LOG_ERR, __VA_ARGS__)
#define log_warning(...) log_line(LOG_WARNING, __VA_ARGS__)
#define log_notice(...) log_line(LOG_NOTICE, __VA_ARGS__)
#define log_info(...) log_line(LOG_INFO, __VA_ARGS__)
#define log_debug(...) log_line(LOG_DEBUG, __VA_ARGS__)
