/* An idle daemon, bus and all: no thread of it wakes up, and it stays small. */
#include <dirent.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/harness/bus.h"
#include "tests/harness/suite.h"

#define SECONDS 30
#define RSS_KIB_MAX (20 * 1024)
#define ANON_KIB_MAX (6 * 1024)

static int64_t field(const char *path, const char *name)
{
	char *content = file_read(path, NULL), *line = content ? strstr(content, name) : NULL;
	int64_t value = line ? strtoll(line + strlen(name) + 1, NULL, 10) : -1;

	free(content);
	return value;
}

/* How often its threads went to sleep by themselves: so often they had been woken. */
static int64_t wake_ups(const struct daemon *daemon)
{
	const char *folder = text("/proc/%d/task", (int)daemon_pid(daemon));
	DIR *threads = opendir(folder);
	struct dirent *thread;
	int64_t sum = 0;

	ck_assert_ptr_nonnull(threads);
	while ((thread = readdir(threads)))
		if (thread->d_name[0] != '.')
			sum += field(text("%s/%s/status", folder, thread->d_name),
				     "voluntary_ctxt_switches");
	closedir(threads);
	return sum;
}

START_TEST(nothing_wakes_it)
{
	struct message_bus *bus = message_bus_start(/* system= */ false);
	struct daemon *daemon = daemon_start(&(struct daemon_options) {
		.bus = true,
		.environment = (const char *[]) { message_bus_variable(bus), NULL } });
	double deadline = now_seconds() + WAIT_SECONDS;
	int64_t before;

	/* What it does after its start, the checkpoint of the database say, comes to an end. */
	do {
		ck_assert_double_lt(now_seconds(), deadline);
		before = wake_ups(daemon);
		(void)poll(NULL, 0, 2000);
	} while (wake_ups(daemon) != before);
	/* Nothing is awaited here but time itself: it is what must not wake the daemon. */
	(void)poll(NULL, 0, SECONDS * 1000);
	ck_assert_int_eq(wake_ups(daemon), before);
	if (!SLOW_BUILD) {
		ck_assert_int_le(daemon_memory_kib(daemon, "VmRSS"), RSS_KIB_MAX);
		ck_assert_int_le(daemon_memory_kib(daemon, "RssAnon"), ANON_KIB_MAX);
	}
	printf("VmRSS %lld KiB, RssAnon %lld KiB\n", (long long)daemon_memory_kib(daemon, "VmRSS"),
	       (long long)daemon_memory_kib(daemon, "RssAnon"));
}
END_TEST

int main(void)
{
#ifdef __SANITIZE_THREAD__
	/* The sanitizer has a thread of its own in the daemon that wakes up all the time. */
	(void)nothing_wakes_it;
	return EXIT_SKIPPED;
#endif
	if (!message_bus_is_there() || !getenv("ELLU_TEST_ALL"))
		return EXIT_SKIPPED;
	return RUN_SUITE(nothing_wakes_it);
}
