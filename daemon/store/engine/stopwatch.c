#include "daemon/store/engine/stopwatch.h"

#include "daemon/base/clock.h"
#include "daemon/base/log.h"

static void warn(struct stopwatch *watch, const char *name, int64_t took, int64_t now)
{
	if (watch->warned_usec && now - watch->warned_usec < SLOW_WARNING_USEC) {
		watch->n_unsaid++;
		return;
	}
	log_warning("store: %s held the writer for %d ms; %u like it before were not logged", name,
		    (int)(took / USEC_PER_MSEC), watch->n_unsaid);
	watch->warned_usec = now;
	watch->n_unsaid = 0;
}

int64_t stopwatch_operation(struct stopwatch *watch, const char *name, int64_t begun)
{
	int64_t now = clock_monotonic_usec(), took = now - begun;

	if (took > atomic_load_explicit(&watch->slowest_usec, memory_order_relaxed)) {
		atomic_store_explicit(&watch->slowest, name, memory_order_relaxed);
		atomic_store_explicit(&watch->slowest_usec, took, memory_order_relaxed);
	}
	if (took > OPERATION_USEC_MAX)
		warn(watch, name, took, now);
	return now;
}

void stopwatch_commit(struct stopwatch *watch, int64_t begun)
{
	int64_t took = clock_monotonic_usec() - begun;

	if (took > atomic_load_explicit(&watch->slowest_commit_usec, memory_order_relaxed))
		atomic_store_explicit(&watch->slowest_commit_usec, took, memory_order_relaxed);
}
