/* What the values of options may look like. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "client/cli/options.h"
#include "proto/money.h"
#include "proto/time_text.h"

static bool parse_number(const char *text, int64_t low, int64_t *ret)
{
	char *end;
	long long value;

	errno = 0;
	value = strtoll(text, &end, 10);
	if (errno || end == text || *end || value < low)
		return false;
	*ret = value;
	return true;
}

static bool parse_share(const char *text, double *ret)
{
	char *end;
	double value = strtod(text, &end);

	if (end == text)
		return false;
	if (*end == '%') {
		value /= 100;
		end++;
	}
	if (*end || !(value >= 0 && value <= 1))
		return false;
	*ret = value;
	return true;
}

static bool parse_money(const char *text, int64_t *ret)
{
	int64_t value;

	if (money_parse(text, &value) < 0 || value < 0)
		return false;
	*ret = value;
	return true;
}

static bool parse_duration(const char *text, double *ret_seconds)
{
	static const struct {
		const char *name;
		double seconds;
	} units[] = { { "", 1 }, { "s", 1 }, { "m", 60 }, { "h", 3600 }, { "d", 86400 } };
	size_t digits = strspn(text, "0123456789.");
	char *end;
	double value = strtod(text, &end);

	if (digits == 0 || end != text + digits)
		return false;
	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++)
		if (strcmp(end, units[i].name) == 0) {
			*ret_seconds = value * units[i].seconds;
			return true;
		}
	return false;
}

static bool parse_since(const char *text, int64_t *ret_usec)
{
	double seconds, now;

	if (time_parse(text, ret_usec) == 0)
		return *ret_usec >= 0;
	if (!parse_duration(text, &seconds))
		return false;
	now = (double) time(NULL);
	*ret_usec = seconds < now ? (int64_t) ((now - seconds) * 1e6) : 0;
	return true;
}

static bool add_text(struct texts *texts, const char *text)
{
	if (!*text || texts->n == TEXTS_MAX)
		return false;
	texts->items[texts->n++] = text;
	return true;
}

bool option_set(struct arguments *arguments, const struct option *option, const char *value)
{
	void *field = (char *) arguments + option->offset;

	switch (option->kind) {
	case OPTION_FLAG:
		*(bool *) field = true;
		return true;
	case OPTION_TEXT:
		*(const char **) field = value;
		return *value;
	case OPTION_TEXTS:
		return add_text(field, value);
	case OPTION_COUNT:
		return parse_number(value, 1, field);
	case OPTION_POSITION:
		return parse_number(value, 0, field);
	case OPTION_SHARE:
		return parse_share(value, field);
	case OPTION_MONEY:
		return parse_money(value, field);
	case OPTION_DURATION:
		return parse_duration(value, field);
	case OPTION_SINCE:
		return parse_since(value, field);
	case _OPTION_KIND_MAX:
		break;
	}
	return false;
}

const char *option_expected(enum option_kind kind)
{
	static const char *const expected[_OPTION_KIND_MAX] = {
		[OPTION_FLAG] = "no value",
		[OPTION_TEXT] = "a text",
		[OPTION_TEXTS] = "a text, at most 100 times",
		[OPTION_COUNT] = "a number, 1 or more",
		[OPTION_POSITION] = "a number, 0 or more",
		[OPTION_SHARE] = "a share, 0.8 or 80%",
		[OPTION_MONEY] = "US dollars, 5 or 0.25",
		[OPTION_DURATION] = "a duration: 90 (seconds), 10m, 2h, 1d",
		[OPTION_SINCE] = "a time, 2026-01-31T12:00:00Z, or how long ago: 10m, 2h, 1d",
	};

	return expected[kind];
}
