#include "tests/bench/processors.h"

#include <errno.h>
#include <sched.h>
#include <stdbool.h>
#include <string.h>

#include "tests/harness/harness.h"

static const cpu_set_t *all(void)
{
	static cpu_set_t set;
	static bool known;

	if (!known && sched_getaffinity(0, sizeof(set), &set) < 0)
		die("sched_getaffinity: %s", strerror(errno));
	known = true;
	return &set;
}

static void stay(pid_t pid, const cpu_set_t *set)
{
	if (sched_setaffinity(pid, sizeof(*set), set) < 0)
		die("the processors of %d: %s", (int)pid, strerror(errno));
}

void processors_stay_on(pid_t pid, unsigned number)
{
	int chosen = -1;
	cpu_set_t one;

	for (int i = 0; i < CPU_SETSIZE; i++)
		if (CPU_ISSET(i, all())) {
			chosen = i;
			if (number-- == 0)
				break;
		}
	CPU_ZERO(&one);
	CPU_SET(chosen, &one);
	stay(pid, &one);
}

void processors_stay_anywhere(pid_t pid)
{
	stay(pid, all());
}
