/*
 * Where log entries end: the journal, with fields, when standard error is the journal's; else
 * standard error, with level prefixes, and times where that is a file. Written to by the log's own
 * thread alone, since the journal blocks its clients when it stalls.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "daemon/base/log_message.h"

#define LOG_LINE_BYTES 1024
#define LOG_NAME_BYTES 208

struct log_entry {
	int level;
	int64_t usec; // by the wall clock
	enum log_message message;
	int64_t task; // 0: none; also below
	int64_t experiment;
	char llm_config[LOG_NAME_BYTES]; // empty: none
	char text[LOG_LINE_BYTES];
};

void log_sink_open(void); // before that thread
bool log_sink_is_journal(void);
void log_sink_write(const struct log_entry *entry);
