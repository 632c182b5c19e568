/* What is known of an answer beside its text. */
#include "daemon/work/judging/metrics/metric_internal.h"

#include <string.h>

#include "proto/text/utf8.h"

#define REASON_MAX 80 // bytes that are shown

/* 1 up to the limit, and the limit's share of what it took beyond. */
static int decide_limit(struct metric *metric, const char *name, const char *limit_name,
			const char *unit)
{
	double value, limit;
	int r = metric_number(metric, name, &value);

	if (r == 0)
		r = metric_number(metric, limit_name, &limit);
	if (r < 0)
		return r;
	return metric_say(metric, value <= limit ? 1 : limit / value, "it took %g %s, where %g are allowed",
			  value, unit, limit);
}

int metric_latency(struct metric *metric)
{
	return decide_limit(metric, "duration_seconds", "maximum_seconds", "seconds");
}

int metric_cost(struct metric *metric)
{
	return decide_limit(metric, "cost", "maximum_cost", "dollars");
}

int metric_finish_reason(struct metric *metric)
{
	static const char *const ends[] = { "stop", "tool_calls" };
	const char *reason;
	int r = metric_text(metric, "finish_reason", &reason);

	if (r < 0)
		return r;
	for (size_t i = 0; i < sizeof(ends) / sizeof(*ends); i++)
		if (strcmp(reason, ends[i]) == 0)
			return metric_say(metric, 1, "it ended by itself: %s", reason);
	return metric_say(metric, 0, "it did not end by itself: %.*s",
			  (int)utf8_cut(reason, strlen(reason), REASON_MAX), reason);
}
