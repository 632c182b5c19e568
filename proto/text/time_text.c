/*
 * Own calendar arithmetic: timegm() and strptime() are not strict, and the latter knows locales.
 */
#include "proto/text/time_text.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>

#define USEC_PER_SECOND INT64_C(1000000)
#define SECONDS_PER_DAY INT64_C(86400)

/* Days since 1970-01-01 of the Gregorian calendar. Years start in March, so that the leap day
 * is their last. */
static int64_t days_from_date(int64_t year, int month, int day)
{
	year -= month <= 2;

	int64_t era = year / 400; // years are positive here
	int64_t year_of_era = year - era * 400;
	int64_t day_of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;

	return era * 146097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 +
	       day_of_year - 719468;
}

static void date_from_days(int64_t days, int *ret_year, int *ret_month, int *ret_day)
{
	days += 719468;

	int64_t era = days / 146097; // days since 0000-03-01 are positive here
	int64_t day_of_era = days - era * 146097;
	int64_t year_of_era =
		(day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
	int64_t day_of_year =
		day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
	int64_t month = (5 * day_of_year + 2) / 153;

	*ret_day = (int) (day_of_year - (153 * month + 2) / 5 + 1);
	*ret_month = (int) (month < 10 ? month + 3 : month - 9);
	*ret_year = (int) (year_of_era + era * 400 + (*ret_month <= 2));
}

static int days_in_month(int64_t year, int month)
{
	static const int days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
	bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

	return month == 2 && leap ? 29 : days[month - 1];
}

int time_format(int64_t usec, char ret_text[static TIME_TEXT_SIZE])
{
	int64_t first = days_from_date(1, 1, 1) * SECONDS_PER_DAY * USEC_PER_SECOND;
	int64_t end = days_from_date(10000, 1, 1) * SECONDS_PER_DAY * USEC_PER_SECOND;
	int year, month, day;

	if (usec < first || usec >= end)
		return -ERANGE;

	int64_t milliseconds = (usec - first) / 1000; // not negative
	int64_t days = milliseconds / (SECONDS_PER_DAY * 1000);
	int rest = (int) (milliseconds % (SECONDS_PER_DAY * 1000));

	date_from_days(days + days_from_date(1, 1, 1), &year, &month, &day);
	snprintf(ret_text, TIME_TEXT_SIZE, "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ", year, month, day,
		 rest / 3600000, rest / 60000 % 60, rest / 1000 % 60, rest % 1000);
	return 0;
}

/* Takes exactly `n` digits and, when it is not 0, the sign behind them. */
static bool take(const char **at, int n, char sign, int *ret_value)
{
	int value = 0;

	for (; n > 0; n--, (*at)++) {
		if (**at < '0' || **at > '9')
			return false;
		value = 10 * value + (**at - '0');
	}
	*ret_value = value;
	return sign == 0 || *(*at)++ == sign;
}

static bool take_fraction(const char **at, int64_t *ret_usec)
{
	int64_t unit = USEC_PER_SECOND / 10;

	*ret_usec = 0;
	if (**at != '.')
		return true;
	(*at)++;
	if (**at < '0' || **at > '9')
		return false;
	for (; **at >= '0' && **at <= '9'; (*at)++) {
		*ret_usec += unit * (**at - '0');
		unit /= 10;
	}
	return true;
}

static bool take_offset(const char **at, int64_t *ret_seconds)
{
	char sign = *(*at)++;
	int hours, minutes;

	*ret_seconds = 0;
	if (sign == 'Z' || sign == 'z')
		return true;
	if (sign != '+' && sign != '-')
		return false;
	if (!take(at, 2, ':', &hours) || !take(at, 2, 0, &minutes) || hours > 23 || minutes > 59)
		return false;
	*ret_seconds = (sign == '-' ? -60 : 60) * (int64_t) (hours * 60 + minutes);
	return true;
}

int time_parse(const char *text, int64_t *ret_usec)
{
	char check[TIME_TEXT_SIZE];
	int year, month, day, hour, minute, second;
	int64_t fraction, offset, usec;

	if (!take(&text, 4, '-', &year) || !take(&text, 2, '-', &month) || !take(&text, 2, 0, &day))
		return -EINVAL;
	if (*text != 'T' && *text != 't' && *text != ' ')
		return -EINVAL;
	text++;
	if (!take(&text, 2, ':', &hour) || !take(&text, 2, ':', &minute) ||
	    !take(&text, 2, 0, &second) || !take_fraction(&text, &fraction) ||
	    !take_offset(&text, &offset) || *text)
		return -EINVAL;
	if (year < 1 || month < 1 || month > 12 || day < 1 || day > days_in_month(year, month) ||
	    hour > 23 || minute > 59 || second > 60)
		return -EINVAL;
	usec = ((days_from_date(year, month, day) * SECONDS_PER_DAY + hour * 3600 + minute * 60 +
		 second - offset) * USEC_PER_SECOND) + fraction;
	if (time_format(usec, check) < 0) // an offset led beyond the years
		return -EINVAL;
	*ret_usec = usec;
	return 0;
}
