#include "daemon/base/log_sink.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "proto/text/time_text.h"

/* The locations of this file say nothing to an administrator. */
#define SD_JOURNAL_SUPPRESS_LOCATION
#include <systemd/sd-journal.h>

#define FIELDS_MAX 6
#define FIELD_BYTES 256

static bool to_journal;
static bool to_file; // nobody but us says when a line was written

/* 32 hexadecimal digits; none for LOG_PLAIN. */
static const char *const message_ids[] = {
#define MESSAGE(name, id) [name] = id,
	LOG_MESSAGES(MESSAGE)
#undef MESSAGE
};

/* $JOURNAL_STREAM names device and inode of the descriptor that the journal reads from
 * (systemd.exec(5)): only while that is still our standard error do lines belong there. */
bool log_sink_is_journal(void)
{
	const char *stream = getenv("JOURNAL_STREAM");
	unsigned long long device, inode;
	struct stat status;

	return stream && fstat(STDERR_FILENO, &status) == 0 &&
	       sscanf(stream, "%llu:%llu", &device, &inode) == 2 && status.st_dev == device &&
	       status.st_ino == inode;
}

void log_sink_open(void)
{
	struct stat status;

	to_journal = log_sink_is_journal();
	to_file = fstat(STDERR_FILENO, &status) == 0 && S_ISREG(status.st_mode);
}

struct fields {
	struct iovec parts[FIELDS_MAX];
	int n;
	char texts[FIELDS_MAX - 1][FIELD_BYTES];
	char text[LOG_LINE_BYTES + 16];
};

static __attribute__((format(printf, 2, 3))) void add_field(struct fields *fields,
							     const char *format, ...)
{
	char *text = fields->texts[fields->n];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(text, FIELD_BYTES, format, arguments);
	va_end(arguments);
	fields->parts[fields->n++] = (struct iovec){ text, strlen(text) };
}

static int write_journal(const struct log_entry *entry)
{
	struct fields fields = { .n = 0 };

	add_field(&fields, "PRIORITY=%d", entry->level);
	if (entry->message != LOG_PLAIN)
		add_field(&fields, "MESSAGE_ID=%s", message_ids[entry->message]);
	if (entry->task)
		add_field(&fields, "ELLUMINATE_TASK=%" PRId64, entry->task);
	if (entry->experiment)
		add_field(&fields, "ELLUMINATE_EXPERIMENT=%" PRId64, entry->experiment);
	if (entry->llm_config[0])
		add_field(&fields, "ELLUMINATE_LLM_CONFIG=%s", entry->llm_config);
	snprintf(fields.text, sizeof(fields.text), "MESSAGE=%s", entry->text);
	fields.parts[fields.n++] = (struct iovec){ fields.text, strlen(fields.text) };
	return sd_journal_sendv(fields.parts, fields.n);
}

static void write_stderr(const struct log_entry *entry)
{
	char line[LOG_LINE_BYTES + TIME_TEXT_SIZE + 8], time[TIME_TEXT_SIZE] = "";
	int size;

	if (to_file)
		(void)time_format(entry->usec, time);
	size = snprintf(line, sizeof(line), "<%d>%s%s%s\n", entry->level, time, to_file ? " " : "",
			entry->text);
	(void)!write(STDERR_FILENO, line, (size_t)size);
}

void log_sink_write(const struct log_entry *entry)
{
	/* A journal that went away must not take the lines with it. */
	if (!to_journal || write_journal(entry) < 0)
		write_stderr(entry);
}
