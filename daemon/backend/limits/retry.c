#include "daemon/backend/limits/retry.h"

#include <curl/curl.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>

#include "daemon/base/clock.h"

#define HEADS_MAX 256

static int64_t exponential(int64_t base_usec, int64_t max_usec, int64_t n)
{
	int64_t usec = base_usec;

	for (; n > 1 && usec < max_usec; n--)
		usec *= 2;
	return usec < max_usec ? usec : max_usec;
}

int64_t retry_backoff_usec(int64_t n, double random)
{
	return (int64_t)((double)exponential(RETRY_BASE_USEC, RETRY_MAX_USEC, n) * random);
}

int64_t retry_grown_usec(int64_t base_usec, int64_t max_usec, int64_t n, double random)
{
	/* Never nothing: an endpoint that refuses at once would be asked in a loop. */
	return (int64_t)((double)exponential(base_usec, max_usec, n) * (0.5 + random / 2));
}

int64_t retry_wait_usec(int64_t n, double random)
{
	return retry_grown_usec(WAIT_BASE_USEC, WAIT_MAX_USEC, n, random);
}

int64_t retry_floor_usec(int64_t wait_usec, double random)
{
	int64_t floor_usec = retry_grown_usec(RETRY_BASE_USEC, RETRY_BASE_USEC, 1, random);

	return wait_usec > floor_usec ? wait_usec : floor_usec;
}

void heads_note(struct heads *heads, bool refused)
{
	/* What was long ago says less. */
	if (heads->n >= HEADS_MAX) {
		heads->n /= 2;
		heads->n_refused /= 2;
	}
	heads->n++;
	heads->n_refused += refused;
}

bool heads_beyond_chance(const struct heads *heads, int n)
{
	int n_others = heads->n - n, n_refused = heads->n_refused - n;
	double refused;

	if (n < REFUSALS_MIN || n_others <= 0)
		return false;
	/* Estimated cautiously where little is known. */
	refused = (n_refused > 0 ? n_refused + 1.0 : 1.0) / (n_others + 2.0);
	return n * log(refused) < log(1e-6);
}

static bool parse_number(const char *text, double *ret_value)
{
	char *end;

	if (!text)
		return false;
	errno = 0;
	*ret_value = strtod(text, &end);
	while (*end == ' ')
		end++;
	return end != text && !*end && !errno && isfinite(*ret_value) && *ret_value >= 0;
}

int64_t retry_after_usec(const char *retry_after, const char *retry_after_ms, int64_t wall_usec)
{
	double value, usec;

	if (parse_number(retry_after_ms, &value)) {
		usec = value * USEC_PER_MSEC;
	} else if (parse_number(retry_after, &value)) {
		usec = value * USEC_PER_SEC;
	} else {
		time_t date = retry_after ? curl_getdate(retry_after, NULL) : -1;

		if (date < 0)
			return -1;
		usec = (double)date * USEC_PER_SEC - (double)wall_usec;
		usec = usec > 0 ? usec : 0;
	}
	return usec < (double)RETRY_AFTER_MAX_USEC ? (int64_t)usec : RETRY_AFTER_MAX_USEC;
}
