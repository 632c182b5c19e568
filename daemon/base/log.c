#include "daemon/base/log.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "daemon/base/clock.h"
#include "daemon/base/log_sink.h"
#include "proto/text/utf8.h"

#define LOG_RING_LINES 1024
#define LOG_STOP_SECONDS 2 // for what waits to be written

/* The ring is the log's mailbox: this lock guards it and is never held while writing. */
static struct {
	pthread_mutex_t lock;
	pthread_cond_t filled;
	pthread_cond_t finished;
	pthread_t thread;
	struct log_entry ring[LOG_RING_LINES];
	unsigned first;
	unsigned count;
	bool running;
	bool stopping;
	bool ended; // the thread
	atomic_int max_level;
	atomic_uint_fast64_t dropped;
} logger = { .lock = PTHREAD_MUTEX_INITIALIZER, .filled = PTHREAD_COND_INITIALIZER,
	     .finished = PTHREAD_COND_INITIALIZER };

/* Said once there is room again, so that a storm shows as what it was. */
static void report_dropped(uint64_t *reported)
{
	uint64_t dropped = log_dropped();
	struct log_entry entry = { .level = LOG_WARNING, .usec = clock_wall_usec(),
				   .message = LOG_LINES_DROPPED };

	if (dropped == *reported)
		return;
	snprintf(entry.text, sizeof(entry.text), "%llu log lines were dropped",
		 (unsigned long long)(dropped - *reported));
	*reported = dropped;
	log_sink_write(&entry);
}

static void *log_thread(void *userdata)
{
	struct log_entry entry;
	uint64_t reported = 0;

	(void)userdata;
	pthread_setname_np(pthread_self(), "log");
	pthread_mutex_lock(&logger.lock);
	for (;;) {
		while (!logger.count && !logger.stopping)
			pthread_cond_wait(&logger.filled, &logger.lock);
		if (!logger.count)
			break;
		entry = logger.ring[logger.first];
		logger.first = (logger.first + 1) % LOG_RING_LINES;
		logger.count--;
		pthread_mutex_unlock(&logger.lock);
		log_sink_write(&entry);
		report_dropped(&reported);
		pthread_mutex_lock(&logger.lock);
	}
	logger.ended = true;
	pthread_cond_signal(&logger.finished);
	pthread_mutex_unlock(&logger.lock);
	return NULL;
}

bool log_goes_to_journal(void)
{
	return log_sink_is_journal();
}

int log_start(int max_level)
{
	sigset_t all, before;
	int r;

	log_sink_open();
	logger.stopping = logger.ended = false;
	atomic_store(&logger.max_level, max_level);
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	r = pthread_create(&logger.thread, NULL, log_thread, NULL);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	logger.running = r == 0;
	return -r;
}

/* Whether the thread has ended in time. */
static bool await_end(void)
{
	struct timespec deadline;
	int r = 0;

	clock_gettime(CLOCK_MONOTONIC, &deadline);
	deadline.tv_sec += LOG_STOP_SECONDS;
	while (!logger.ended && r == 0)
		r = pthread_cond_clockwait(&logger.finished, &logger.lock, CLOCK_MONOTONIC,
					   &deadline);
	return logger.ended;
}

void log_stop(void)
{
	bool ended;

	if (!logger.running)
		return;
	pthread_mutex_lock(&logger.lock);
	logger.stopping = true;
	pthread_cond_signal(&logger.filled);
	ended = await_end();
	pthread_mutex_unlock(&logger.lock);
	/* A journal that has stalled keeps a thread, but no process. */
	if (ended)
		pthread_join(logger.thread, NULL);
	else
		pthread_detach(logger.thread);
	logger.running = false;
}

void log_set_level(int max_level)
{
	atomic_store(&logger.max_level, max_level);
}

uint64_t log_dropped(void)
{
	return atomic_load(&logger.dropped);
}

/* A line stays a line, whatever a peer put into it. */
static void flatten(char *text)
{
	for (; *text; text++)
		if ((unsigned char)*text < ' ' || *text == 0x7f)
			*text = ' ';
}

static void put(const struct log_entry *entry)
{
	pthread_mutex_lock(&logger.lock);
	if (logger.count < LOG_RING_LINES) {
		logger.ring[(logger.first + logger.count++) % LOG_RING_LINES] = *entry;
		pthread_cond_signal(&logger.filled);
	} else {
		atomic_fetch_add(&logger.dropped, 1);
	}
	pthread_mutex_unlock(&logger.lock);
}

void log_about(int level, const struct log_subject *subject, const char *format, ...)
{
	struct log_entry entry = { .level = level, .usec = clock_wall_usec() };
	va_list arguments;
	int size;

	if (level > atomic_load(&logger.max_level))
		return;
	if (subject) {
		entry.message = subject->message;
		entry.task = subject->task;
		entry.experiment = subject->experiment;
		if (subject->llm_config)
			snprintf(entry.llm_config, sizeof(entry.llm_config), "%s",
				 subject->llm_config);
	}
	va_start(arguments, format);
	size = vsnprintf(entry.text, sizeof(entry.text), format, arguments);
	va_end(arguments);
	/* The journal hides a line that ends within a character. */
	if (size >= (int)sizeof(entry.text))
		entry.text[utf8_cut(entry.text, sizeof(entry.text) - 1, sizeof(entry.text) - 2)] = '\0';
	flatten(entry.text);
	flatten(entry.llm_config);
	put(&entry);
}
