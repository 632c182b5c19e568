/* What may be taken of requests and tokens, on a clock that only the test moves. */
#include "daemon/backend/limits/budget.h"
#include "daemon/backend/limits/told.h"
#include "daemon/base/clock.h"
#include "tests/unit/suite.h"

#define MINUTE (60 * USEC_PER_SEC)
#define DAY (86400 * USEC_PER_SEC)
#define WALL (20000 * DAY) // a midnight

static int64_t wait_of(const struct budget *budget, const struct budget_limits *limits,
		       int64_t now_usec, enum budget_kind *ret_kind)
{
	return budget_wait_usec(budget, limits, now_usec, WALL + now_usec, ret_kind);
}

/* In no minute more than are allowed, and hardly fewer, whenever calls are made. */
START_TEST(requests_per_minute)
{
	static int64_t times[20000];
	const struct budget_limits limits = { .requests_per_minute = 600 };
	struct budget budget = { 0 };
	enum budget_kind kind;
	int n = 0, first = 0;

	for (int64_t now = 5 * MINUTE; now < 15 * MINUTE; now += 7000) {
		if (now % MINUTE < 5 * USEC_PER_SEC && now < 8 * MINUTE)
			continue; // nothing is asked for
		if (wait_of(&budget, &limits, now, &kind) > 0) {
			ck_assert_int_eq(kind, BUDGET_REQUESTS_PER_MINUTE);
			continue;
		}
		budget_take(&budget, &limits, 0, now, WALL + now);
		times[n++] = now;
		while (times[first] <= now - MINUTE)
			first++;
		ck_assert_int_le(n - first, 600);
	}
	ck_assert_int_ge(n - first, 595);
}
END_TEST

START_TEST(tokens_per_minute)
{
	const struct budget_limits limits = { .tokens_per_minute = 60000 };
	struct budget budget = { 0 };
	enum budget_kind kind;
	int64_t now = 5 * MINUTE;

	ck_assert_int_eq(wait_of(&budget, &limits, now, &kind), 0);
	budget_take(&budget, &limits, 10000, now, WALL + now);
	ck_assert_int_gt(wait_of(&budget, &limits, now, &kind), 9 * USEC_PER_SEC);
	ck_assert_int_eq(kind, BUDGET_TOKENS_PER_MINUTE);
	budget_correct(&budget, &limits, -9000);
	ck_assert_int_lt(wait_of(&budget, &limits, now, &kind), USEC_PER_SEC);
	budget_correct(&budget, &limits, 29000);
	ck_assert_int_gt(wait_of(&budget, &limits, now, &kind), 29 * USEC_PER_SEC);
	ck_assert_int_eq(wait_of(&budget, &limits, now + 31 * USEC_PER_SEC, &kind), 0);
	/* Counts that cannot be do not last for ever. */
	budget_correct(&budget, &limits, INT64_C(1) << 53);
	ck_assert_int_le(wait_of(&budget, &limits, now, &kind), DAY + MINUTE);
}
END_TEST

/* Another config's calls count for what its own allows. */
START_TEST(configs_share)
{
	const struct budget_limits few = { .requests_per_minute = 6 };
	const struct budget_limits many = { .requests_per_minute = 600 };
	struct budget budget = { 0 };
	enum budget_kind kind;
	int64_t now = 5 * MINUTE;

	for (int i = 0; i < 50; i++)
		budget_take(&budget, &many, 0, now, WALL + now);
	ck_assert_int_gt(wait_of(&budget, &few, now, &kind), 4 * USEC_PER_SEC);
	ck_assert_int_lt(wait_of(&budget, &few, now, &kind), 6 * USEC_PER_SEC);
	budget_take(&budget, &few, 0, now, WALL + now);
	ck_assert_int_gt(wait_of(&budget, &many, now, &kind), 14 * USEC_PER_SEC);
}
END_TEST

START_TEST(days)
{
	const struct budget_limits limits = { .requests_per_day = 3, .tokens_per_day = 1000 };
	struct budget budget = { 0 };
	enum budget_kind kind;
	int64_t now = 3600 * USEC_PER_SEC;

	for (int i = 0; i < 3; i++) {
		ck_assert_int_eq(wait_of(&budget, &limits, now, &kind), 0);
		budget_take(&budget, &limits, 100, now, WALL + now);
	}
	ck_assert_int_eq(wait_of(&budget, &limits, now, &kind), DAY - now);
	ck_assert_int_eq(kind, BUDGET_REQUESTS_PER_DAY);
	ck_assert_int_eq(budget_left_today(3, budget.day_requests, budget.day, WALL + now), 0);
	ck_assert_int_eq(budget_left_today(1000, budget.day_tokens, budget.day, WALL + now), 700);
	ck_assert_int_eq(budget_left_today(3, budget.day_requests, budget.day, WALL + DAY), 3);
	now = DAY;
	ck_assert_int_eq(wait_of(&budget, &limits, now, &kind), 0);
	budget_take(&budget, &limits, 1200, now, WALL + now);
	ck_assert_int_eq(wait_of(&budget, &limits, now, &kind), DAY);
	ck_assert_int_eq(kind, BUDGET_TOKENS_PER_DAY);
	/* Corrections of calls of the day before. */
	budget_correct(&budget, &limits, -5000);
	ck_assert_int_eq(wait_of(&budget, &limits, now, &kind), 0);
	ck_assert_int_eq(budget.day_tokens, 0);
	budget_resume(&budget, (WALL + DAY) / DAY, 3, 10);
	ck_assert_int_eq(wait_of(&budget, &limits, now, &kind), DAY);
}
END_TEST

START_TEST(estimates)
{
	struct budget budget = { 0 };

	ck_assert_int_eq(budget_estimate(&budget, 4000, 0), 1256);
	ck_assert_int_eq(budget_estimate(&budget, 4000, 500), 1500);
	budget_learn(&budget, 100);
	ck_assert_int_eq(budget_estimate(&budget, 4000, 500), 1100);
	ck_assert_int_eq(budget_estimate(&budget, 4000, 50), 1050);
	for (int i = 0; i < 100; i++)
		budget_learn(&budget, 300);
	ck_assert_int_ge(budget_estimate(&budget, 0, 0), 295);
}
END_TEST

static struct told news[_TOLD_MAX];

static void hear(const char *name, const char *value)
{
	told_header(news, name, value, WALL);
}

static void forget(void)
{
	const struct told none = TOLD_NONE;

	news[TOLD_REQUESTS] = news[TOLD_TOKENS] = none;
}

START_TEST(headers)
{
	static const struct {
		const char *value;
		int64_t usec; // -1: nothing is told
	} resets[] = {
		{ "1s", USEC_PER_SEC }, { "6m0s", 6 * MINUTE }, { "20ms", 20000 }, { "7", 7000000 },
		{ "1h2m3.5s", INT64_C(3723500000) }, { "2024-10-04T00:00:30Z", 30 * USEC_PER_SEC },
		{ "2020-10-04T00:00:30Z", 0 }, { "1d", DAY }, { "1e300s", TOLD_RESET_MOST_USEC },
		{ "1728000042", 42 * USEC_PER_SEC }, { "1728000042500", 42500000 }, { "1700000000", 0 },
		{ "", -1 }, { "soon", -1 }, { "-3s", -1 }, { "nan", -1 }, { "1x", -1 },
		{ "2024-99-99", -1 }, { "1s1x", -1 },
	};

	forget();
	hear("x-ratelimit-limit-requests", "60");
	hear("X-RateLimit-Remaining-Requests", "59");
	hear("anthropic-ratelimit-tokens-remaining", "12000");
	hear("anthropic-ratelimit-tokens-limit", "40000");
	hear("anthropic-ratelimit-input-tokens-remaining", "1");
	hear("x-ratelimit-remaining-requests-day", "1");
	hear("x-ratelimit", "1");
	ck_assert(news[TOLD_REQUESTS].limit == 60 && news[TOLD_REQUESTS].left == 59);
	ck_assert(news[TOLD_TOKENS].limit == 40000 && news[TOLD_TOKENS].left == 12000);
	hear("x-ratelimit-remaining-requests", "-1");
	ck_assert(news[TOLD_REQUESTS].left == -1);
	hear("x-ratelimit-remaining-requests", "1e400");
	ck_assert(news[TOLD_REQUESTS].left == -1);
	hear("x-ratelimit-remaining-requests", "many");
	ck_assert(news[TOLD_REQUESTS].left == -1);
	for (size_t i = 0; i < sizeof(resets) / sizeof(*resets); i++) {
		forget();
		hear("x-ratelimit-reset-requests", resets[i].value);
		ck_assert_msg(news[TOLD_REQUESTS].full_after_usec == resets[i].usec, "%s: %lld",
			      resets[i].value, (long long)news[TOLD_REQUESTS].full_after_usec);
	}
}
END_TEST

START_TEST(what_is_told)
{
	struct told told = { 0 };

	ck_assert_int_eq(told_wait_usec(&told, 1, MINUTE), 0);
	ck_assert(told_left(&told, MINUTE) == -1);

	/* A window: none before it is over. */
	forget();
	hear("x-ratelimit-remaining-requests", "2");
	hear("x-ratelimit-reset-requests", "10s");
	told_update(&told, &news[TOLD_REQUESTS], MINUTE, 0);
	ck_assert_int_eq(told_wait_usec(&told, 1, MINUTE), 0);
	told_take(&told, 1);
	told_take(&told, 1);
	ck_assert_int_eq(told_wait_usec(&told, 1, MINUTE + 4000000), 6000000);
	ck_assert(told_left(&told, MINUTE + 4000000) == 0);
	ck_assert_int_eq(told_wait_usec(&told, 1, MINUTE + 10000000), 0);
	/* What an older call was told is no news; what went since is taken off. */
	forget();
	hear("x-ratelimit-remaining-requests", "50");
	told_update(&told, &news[TOLD_REQUESTS], MINUTE - 1, 0);
	ck_assert_int_eq(told_wait_usec(&told, 1, MINUTE + 4000000), 6000000);
	hear("x-ratelimit-reset-requests", "10s");
	told_update(&told, &news[TOLD_REQUESTS], MINUTE + 1, 50);
	ck_assert_int_gt(told_wait_usec(&told, 1, MINUTE + 4000000), 5900000);

	/* A bucket: it fills evenly. */
	hear("x-ratelimit-limit-requests", "60");
	hear("x-ratelimit-remaining-requests", "0");
	hear("x-ratelimit-reset-requests", "60s");
	told_update(&told, &news[TOLD_REQUESTS], 2 * MINUTE, 0);
	ck_assert_int_le(told_wait_usec(&told, 1, 2 * MINUTE), 1000001);
	ck_assert_int_gt(told_wait_usec(&told, 1, 2 * MINUTE), 900000);
	ck_assert_int_eq(told_wait_usec(&told, 1, 2 * MINUTE + 1100000), 0);
	/* More than there ever is goes when all of it is there. */
	ck_assert_int_le(told_wait_usec(&told, 1e9, 2 * MINUTE), MINUTE);

	/* Whatever it says, not for longer than a minute, and not at all where it says no time. */
	hear("x-ratelimit-limit-requests", "0");
	hear("x-ratelimit-reset-requests", "99999999h");
	told_update(&told, &news[TOLD_REQUESTS], 5 * MINUTE, 1e12);
	ck_assert_int_eq(told_wait_usec(&told, 1, 5 * MINUTE), TOLD_MOST_USEC);
	ck_assert_int_eq(told_wait_usec(&told, 1, 6 * MINUTE), 0);
	forget();
	hear("x-ratelimit-remaining-requests", "0");
	told_update(&told, &news[TOLD_REQUESTS], 7 * MINUTE, 0);
	ck_assert_int_eq(told_wait_usec(&told, 1, 7 * MINUTE), 0);
}
END_TEST

START_TEST(what_a_refusal_tells)
{
	forget();
	ck_assert_int_eq(told_refused_usec(news), -1);
	/* The time alone. */
	hear("x-ratelimit-reset", "1728000030");
	ck_assert_int_eq(told_refused_usec(news), 30 * USEC_PER_SEC);
	forget();
	hear("RateLimit-Reset", "7");
	hear("RateLimit-Remaining", "0");
	ck_assert_int_eq(told_refused_usec(news), 7 * USEC_PER_SEC);
	/* Of what there is least. */
	forget();
	hear("x-ratelimit-limit-requests", "14400");
	hear("x-ratelimit-remaining-requests", "14370");
	hear("x-ratelimit-reset-requests", "2m59s");
	hear("x-ratelimit-limit-tokens", "18000");
	hear("x-ratelimit-remaining-tokens", "17");
	hear("x-ratelimit-reset-tokens", "7.5s");
	ck_assert_int_eq(told_refused_usec(news), 7500000);
	/* Of neither: it was refused for another reason. */
	hear("x-ratelimit-remaining-tokens", "17000");
	ck_assert_int_eq(told_refused_usec(news), -1);
	/* Of both: until both are back. */
	hear("x-ratelimit-remaining-requests", "0");
	hear("x-ratelimit-remaining-tokens", "0");
	ck_assert_int_eq(told_refused_usec(news), 179 * USEC_PER_SEC);
}
END_TEST

int main(void)
{
	return RUN_TESTS(requests_per_minute, tokens_per_minute, configs_share, days, estimates,
			 headers, what_is_told, what_a_refusal_tells);
}
