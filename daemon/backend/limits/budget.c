#include "daemon/backend/limits/budget.h"

#include "daemon/base/clock.h"

#define SLACK_USEC (USEC_PER_SEC / 10)
/* With what may go at once, there are never more in a minute than are allowed. */
#define MINUTE_USEC (60 * USEC_PER_SEC + 2 * SLACK_USEC)
#define DAY_USEC (86400 * USEC_PER_SEC)
#define BYTES_PER_TOKEN 4
#define TOKENS_UNKNOWN 256 // of an answer, where nothing is known
#define MEAN_OF 16 // answers, about

bool budget_limits_any(const struct budget_limits *limits)
{
	return limits->requests_per_minute > 0 || limits->tokens_per_minute > 0 ||
	       limits->requests_per_day > 0 || limits->tokens_per_day > 0;
}

int64_t budget_estimate(const struct budget *budget, size_t bytes, int64_t max_tokens)
{
	int64_t answer = budget->mean_tokens > 0 ? (int64_t)budget->mean_tokens :
			 max_tokens > 0		 ? max_tokens :
						   TOKENS_UNKNOWN;

	if (max_tokens > 0 && answer > max_tokens)
		answer = max_tokens;
	return (int64_t)(bytes / BYTES_PER_TOKEN) + answer;
}

void budget_learn(struct budget *budget, int64_t tokens)
{
	if (budget->mean_tokens == 0)
		budget->mean_tokens = (double)tokens;
	else
		budget->mean_tokens += ((double)tokens - budget->mean_tokens) / MEAN_OF;
}

/* What is moved by `amount` of so many a minute; the sum stays in its range whatever they are. */
static void move(int64_t *usec, int64_t amount, int64_t a_minute)
{
	double by = (double)amount * (double)MINUTE_USEC / (double)a_minute;

	if (a_minute == 0)
		return;
	by = by < (double)DAY_USEC ? by : (double)DAY_USEC;
	*usec += (int64_t)(by > (double)-DAY_USEC ? by : (double)-DAY_USEC);
}

static void take(int64_t *usec, int64_t amount, int64_t a_minute, int64_t now_usec)
{
	if (*usec < now_usec - SLACK_USEC)
		*usec = now_usec - SLACK_USEC;
	move(usec, amount, a_minute);
}

static void begin_day(struct budget *budget, int64_t day)
{
	if (budget->day == day)
		return;
	budget->day = day;
	budget->day_requests = budget->day_tokens = 0;
}

void budget_take(struct budget *budget, const struct budget_limits *limits, int64_t tokens,
		 int64_t now_usec, int64_t wall_usec)
{
	begin_day(budget, wall_usec / DAY_USEC);
	budget->day_requests++;
	budget->day_tokens += tokens;
	take(&budget->requests_usec, 1, limits->requests_per_minute, now_usec);
	take(&budget->tokens_usec, tokens, limits->tokens_per_minute, now_usec);
}

void budget_correct(struct budget *budget, const struct budget_limits *limits, int64_t more)
{
	budget->day_tokens += more;
	if (budget->day_tokens < 0)
		budget->day_tokens = 0; // it began the day before
	move(&budget->tokens_usec, more, limits->tokens_per_minute);
}

void budget_resume(struct budget *budget, int64_t day, int64_t requests, int64_t tokens)
{
	if (day < budget->day)
		return;
	begin_day(budget, day);
	if (budget->day_requests < requests)
		budget->day_requests = requests;
	if (budget->day_tokens < tokens)
		budget->day_tokens = tokens;
}

int64_t budget_left_today(int64_t limit, int64_t taken, int64_t day, int64_t wall_usec)
{
	if (day != wall_usec / DAY_USEC)
		return limit;
	return taken < limit ? limit - taken : 0;
}

int64_t budget_wait_usec(const struct budget *budget, const struct budget_limits *limits,
			 int64_t now_usec, int64_t wall_usec, enum budget_kind *ret_kind)
{
	int64_t requests_usec = limits->requests_per_minute > 0 ? budget->requests_usec : 0;
	int64_t tokens_usec = limits->tokens_per_minute > 0 ? budget->tokens_usec : 0;
	bool of_requests = requests_usec >= tokens_usec;
	int64_t until_usec = of_requests ? requests_usec : tokens_usec;

	*ret_kind = BUDGET_NONE;
	if (limits->requests_per_day > 0 &&
	    budget_left_today(limits->requests_per_day, budget->day_requests, budget->day,
			      wall_usec) == 0)
		*ret_kind = BUDGET_REQUESTS_PER_DAY;
	else if (limits->tokens_per_day > 0 &&
		 budget_left_today(limits->tokens_per_day, budget->day_tokens, budget->day,
				   wall_usec) == 0)
		*ret_kind = BUDGET_TOKENS_PER_DAY;
	if (*ret_kind != BUDGET_NONE)
		return DAY_USEC - wall_usec % DAY_USEC;
	if (until_usec <= now_usec)
		return 0;
	*ret_kind = of_requests ? BUDGET_REQUESTS_PER_MINUTE : BUDGET_TOKENS_PER_MINUTE;
	return until_usec - now_usec;
}
