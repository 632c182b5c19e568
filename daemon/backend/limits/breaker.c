#include "daemon/backend/limits/breaker.h"

#include "daemon/backend/limits/retry.h"

static const char *const names[_BREAKER_STATE_MAX] = {
	[BREAKER_CLOSED] = "closed",
	[BREAKER_OPEN] = "open",
	[BREAKER_PROBING] = "probing",
};

const char *breaker_name(const struct breaker *breaker)
{
	return names[breaker->state];
}

bool breaker_blocks(const struct breaker *breaker)
{
	return breaker->state == BREAKER_OPEN || breaker->probe_away;
}

int64_t breaker_failed(struct breaker *breaker, bool probe, double random)
{
	/* What was under way when it opened tells nothing new. */
	if (breaker->state != BREAKER_CLOSED && !probe)
		return 0;
	if (breaker->state == BREAKER_CLOSED && ++breaker->n_failures < BREAKER_FAILURES)
		return 0;
	breaker->state = BREAKER_OPEN;
	breaker->n_failures = 0;
	breaker->n_opened++;
	return retry_grown_usec(BREAKER_BASE_USEC, BREAKER_MAX_USEC, breaker->n_opened, random);
}

bool breaker_answered(struct breaker *breaker)
{
	bool was_closed = breaker->state == BREAKER_CLOSED;

	breaker->state = BREAKER_CLOSED;
	breaker->n_failures = 0;
	breaker->n_opened = 0;
	return !was_closed;
}

void breaker_try(struct breaker *breaker)
{
	if (breaker->state == BREAKER_OPEN)
		breaker->state = BREAKER_PROBING;
}

bool breaker_issued(struct breaker *breaker)
{
	if (breaker->state != BREAKER_PROBING || breaker->probe_away)
		return false;
	breaker->probe_away = true;
	return true;
}

void breaker_probe_back(struct breaker *breaker)
{
	breaker->probe_away = false;
}
