#include "daemon/backend/limits/told.h"

#include <curl/curl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "daemon/base/clock.h"

#define COUNT_MOST 1e13 // what is more is no count
#define SHORT_SHARE 0.25 // less is left than some call may want
#define EPOCH_LEAST 1e9 // no duration: a time

/* A count; -1: it is none. */
static double count_of(const char *text)
{
	char *end;
	double value = *text >= '0' && *text <= '9' ? strtod(text, &end) : -1;

	return value >= 0 && value <= COUNT_MOST && (!*end || *end == ' ') ? value : -1;
}

/* Of 2026-01-27T12:00:00Z; -1: it is none. */
static double seconds_until(const char *text, int64_t wall_usec)
{
	struct tm when = { .tm_isdst = 0 };
	double seconds;

	if (sscanf(text, "%4d-%2d-%2dT%2d:%2d:%2d", &when.tm_year, &when.tm_mon, &when.tm_mday,
		   &when.tm_hour, &when.tm_min, &when.tm_sec) != 6 || when.tm_year < 2000)
		return -1;
	when.tm_year -= 1900;
	when.tm_mon -= 1;
	seconds = (double)timegm(&when) - (double)wall_usec / USEC_PER_SEC;
	return seconds > 0 ? seconds : 0;
}

/* Of a time in seconds since 1970, or in milliseconds. */
static double seconds_since_epoch(double at, int64_t wall_usec)
{
	double seconds = (at >= EPOCH_LEAST * 100 ? at / 1000 : at) - (double)wall_usec / USEC_PER_SEC;

	return seconds > 0 ? seconds : 0;
}

/* Of 1h2m3.5s, 20ms, 7 or a time; -1: it is none. */
static double seconds_of(const char *text, int64_t wall_usec)
{
	static const struct {
		const char *unit;
		double seconds;
	} units[] = { { "ms", 1e-3 }, { "us", 1e-6 }, { "ns", 1e-9 }, { "d", 86400 },
		      { "h", 3600 }, { "m", 60 }, { "s", 1 } };
	double seconds = 0;

	if (strlen(text) > 10 && text[4] == '-')
		return seconds_until(text, wall_usec);
	if (count_of(text) >= EPOCH_LEAST)
		return seconds_since_epoch(count_of(text), wall_usec);
	while (*text >= '0' && *text <= '9') {
		char *end;
		double value = strtod(text, &end), unit = *end && *end != ' ' ? 0 : 1;

		for (size_t i = 0; unit == 0 && i < sizeof(units) / sizeof(*units); i++) {
			if (strncmp(end, units[i].unit, strlen(units[i].unit)) == 0) {
				unit = units[i].seconds;
				end += strlen(units[i].unit);
			}
		}
		if (unit == 0)
			return -1;
		seconds += value * unit;
		text = end;
		if (!*text || *text == ' ')
			return isfinite(seconds) ? seconds : -1;
	}
	return -1;
}

static const char *behind(const char *text, const char *start)
{
	size_t size = strlen(start);

	return strncasecmp(text, start, size) == 0 ? text + size : NULL;
}

/* Which part of it, and of what; as in remaining-requests, or the other way round. What is of nothing
 * is of requests. */
static bool split(const char *name, enum told_what *ret_what, const char **ret_part)
{
	static const char *const whats[_TOLD_MAX] = { "requests", "tokens" };
	static const char *const parts[] = { "limit", "remaining", "reset" };
	const char *rest;

	for (int what = 0; what < _TOLD_MAX; what++)
		for (size_t i = 0; i < sizeof(parts) / sizeof(*parts); i++) {
			*ret_what = (enum told_what)what;
			*ret_part = parts[i];
			rest = behind(name, parts[i]);
			if (rest && (!*rest || (*rest == '-' && strcasecmp(rest + 1, whats[what]) == 0)))
				return true;
			rest = behind(name, whats[what]);
			if (rest && *rest == '-' && strcasecmp(rest + 1, parts[i]) == 0)
				return true;
		}
	return false;
}

void told_header(struct told *news, const char *name, const char *value, int64_t wall_usec)
{
	static const char *const starts[] = { "x-ratelimit-", "anthropic-ratelimit-", "ratelimit-" };
	const char *rest = NULL, *part;
	enum told_what what;
	double number;

	for (size_t i = 0; !rest && i < sizeof(starts) / sizeof(*starts); i++)
		rest = behind(name, starts[i]);
	if (!rest || !split(rest, &what, &part))
		return;
	news += what;
	if (strcmp(part, "reset") == 0) {
		number = seconds_of(value, wall_usec) * USEC_PER_SEC;
		if (number >= 0)
			news->full_after_usec = number < TOLD_RESET_MOST_USEC ? (int64_t)number :
										TOLD_RESET_MOST_USEC;
		return;
	}
	number = count_of(value);
	if (strcmp(part, "remaining") == 0)
		news->left = number;
	else
		news->limit = number > 0 ? number : 0;
}

void told_update(struct told *told, const struct told *news, int64_t at_usec, double since)
{
	if (news->left < 0 || at_usec < told->at_usec)
		return;
	*told = *news;
	told->at_usec = at_usec;
	told->left -= since;
}

/* Which part of it is left, where that is said. What is not said of a thing that was refused is none. */
static double share_left(const struct told *told)
{
	if (told->left <= 0)
		return 0;
	return told->limit > 0 ? told->left / told->limit : 1;
}

int64_t told_refused_usec(const struct told news[static _TOLD_MAX])
{
	double least = SHORT_SHARE;
	int64_t wait_usec = -1;

	for (int i = 0; i < _TOLD_MAX; i++) {
		double share = share_left(&news[i]);

		if (news[i].full_after_usec < 0 || share > least)
			continue;
		if (share < least || news[i].full_after_usec > wait_usec)
			wait_usec = news[i].full_after_usec;
		least = share;
	}
	return wait_usec;
}

void told_take(struct told *told, double amount)
{
	told->left -= amount;
}

/* What comes back in a microsecond; 0: nobody knows. */
static double refill(const struct told *told)
{
	return told->full_after_usec > 0 && told->limit > told->left ?
		       (told->limit - (told->left > 0 ? told->left : 0)) /
			       (double)told->full_after_usec :
		       0;
}

static bool holds(const struct told *told, int64_t now_usec)
{
	int64_t age_usec = now_usec - told->at_usec;

	return told->at_usec > 0 && age_usec < TOLD_MOST_USEC &&
	       (told->full_after_usec < 0 || age_usec < told->full_after_usec);
}

double told_left(const struct told *told, int64_t now_usec)
{
	double left;

	if (!holds(told, now_usec))
		return -1;
	left = told->left + refill(told) * (double)(now_usec - told->at_usec);
	return left > 0 ? left : 0;
}

int64_t told_wait_usec(const struct told *told, double amount, int64_t now_usec)
{
	double rate = refill(told), left;
	int64_t full_usec, wait_usec;

	if (!holds(told, now_usec) || told->full_after_usec < 0)
		return 0;
	left = told->left + rate * (double)(now_usec - told->at_usec);
	if (told->limit > 0 && amount > told->limit)
		amount = told->limit;
	if (left >= amount)
		return 0;
	full_usec = told->full_after_usec < TOLD_MOST_USEC ? told->full_after_usec : TOLD_MOST_USEC;
	wait_usec = told->at_usec + full_usec - now_usec;
	if (rate > 0 && (amount - left) / rate < (double)wait_usec)
		wait_usec = (int64_t)((amount - left) / rate) + 1;
	return wait_usec > 0 ? wait_usec : 0;
}
