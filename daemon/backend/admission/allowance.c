#include "daemon/backend/admission/allowance.h"

#include "daemon/backend/admission/hold.h"
#include "daemon/backend/core.h"
#include "daemon/base/clock.h"

#define LOOK_USEC (3600 * USEC_PER_SEC) // the wall clock may have been set

/* ---- What configs allow ---- */

void allowance_enter(struct endpoint *endpoint, const struct llm_target *target)
{
	if (!budget_limits_any(&target->limits))
		return;
	endpoint->limits = target->limits;
	if (target->taken_day > 0)
		budget_resume(&endpoint->budget, target->taken_day, target->taken_requests,
			      target->taken_tokens);
}

/* Until the call that may go first of those that wait. */
static void close_spent(struct endpoint *endpoint, const struct budget_limits *limits,
			enum budget_kind kind, int64_t wait_usec)
{
	const struct {
		const char *what;
		int64_t n;
	} kinds[] = {
		[BUDGET_REQUESTS_PER_MINUTE] = { "requests a minute", limits->requests_per_minute },
		[BUDGET_TOKENS_PER_MINUTE] = { "tokens a minute", limits->tokens_per_minute },
		[BUDGET_REQUESTS_PER_DAY] = { "requests a day", limits->requests_per_day },
		[BUDGET_TOKENS_PER_DAY] = { "tokens a day", limits->tokens_per_day },
	};
	struct deadlines *deadlines = &endpoint->backend->ground.deadlines;
	int64_t until_usec = endpoint->backend->ground.now_usec +
			     (wait_usec < LOOK_USEC ? wait_usec : LOOK_USEC);

	if (gate_is_closed(&endpoint->spent)) {
		if (until_usec >= endpoint->spent.until.usec)
			return;
		deadline_unset(deadlines, &endpoint->spent.until);
	}
	gate_close(&endpoint->spent, deadlines, until_usec,
		   "the config allows %lld %s, and they are taken%s", (long long)kinds[kind].n,
		   kinds[kind].what,
		   kind == BUDGET_REQUESTS_PER_DAY || kind == BUDGET_TOKENS_PER_DAY ?
			   " until midnight, UTC" :
			   "");
	hold_if_long(endpoint, &endpoint->spent, GATE_SPENT);
}

bool allowance_allows(struct endpoint *endpoint, const struct llm_target *target)
{
	enum budget_kind kind;
	int64_t wait_usec;

	if (!budget_limits_any(&target->limits))
		return true;
	wait_usec = budget_wait_usec(&endpoint->budget, &target->limits,
				     endpoint->backend->ground.now_usec, clock_wall_usec(), &kind);
	if (wait_usec > 0)
		close_spent(endpoint, &target->limits, kind, wait_usec);
	return wait_usec == 0;
}

/* ---- What the endpoint does ---- */

static int64_t told_left_usec(const struct endpoint *endpoint, const char **ret_what)
{
	int64_t now_usec = endpoint->backend->ground.now_usec;
	int64_t requests_usec = told_wait_usec(&endpoint->told[TOLD_REQUESTS], 1, now_usec);
	int64_t tokens_usec = told_wait_usec(&endpoint->told[TOLD_TOKENS],
					     endpoint->budget.mean_tokens > 1 ?
						     endpoint->budget.mean_tokens :
						     1,
					     now_usec);

	*ret_what = tokens_usec > requests_usec ? "tokens" : "requests";
	return tokens_usec > requests_usec ? tokens_usec : requests_usec;
}

static void close_paced(struct endpoint *endpoint)
{
	struct backend *backend = endpoint->backend;
	struct pace *pace = &endpoint->pace;
	const char *what;
	int64_t told_usec = told_left_usec(endpoint, &what);
	bool paced = pace->rate > 0 && pace->next_usec > backend->ground.now_usec;

	if (paced) {
		gate_close(&endpoint->paced, &backend->ground.deadlines, pace->next_usec,
			   "as its refusals have shown, it takes %.3g calls a second", pace->rate);
		if (endpoint->waiting > 0)
			pace_held(pace);
	}
	if (told_usec > 0 &&
	    (!paced || backend->ground.now_usec + told_usec > pace->next_usec))
		gate_close(&endpoint->paced, &backend->ground.deadlines, backend->ground.now_usec + told_usec,
			   "it says that of its %s none are left for now", what);
	if (gate_is_closed(&endpoint->paced))
		hold_if_long(endpoint, &endpoint->paced, GATE_PACED);
}

bool allowance_told(struct job *job, const struct told news[static _TOLD_MAX])
{
	struct endpoint *endpoint = job->endpoint;

	told_update(&endpoint->told[TOLD_REQUESTS], &news[TOLD_REQUESTS], job->started_usec,
		    (double)(endpoint->calls - job->calls_before));
	told_update(&endpoint->told[TOLD_TOKENS], &news[TOLD_TOKENS], job->started_usec,
		    endpoint->tokens - job->tokens_taken);
	close_paced(endpoint);
	return gate_is_closed(&endpoint->paced);
}

/* ---- What people see of it ---- */

void allowance_status(const struct endpoint *endpoint, struct ellu_endpoint_status *status,
		      struct arena *arena)
{
	const struct budget *budget = &endpoint->budget;
	const struct budget_limits *limits = &endpoint->limits;
	int64_t now_usec = clock_monotonic_usec(), wall_usec = clock_wall_usec();
	double requests = told_left(&endpoint->told[TOLD_REQUESTS], now_usec);
	double tokens = told_left(&endpoint->told[TOLD_TOKENS], now_usec);

	if (endpoint->pace.rate > 0)
		status->calls_per_second = arena_float(arena, endpoint->pace.rate);
	if (requests >= 0)
		status->requests_left = arena_int(arena, (int64_t)requests);
	if (tokens >= 0)
		status->tokens_left = arena_int(arena, (int64_t)tokens);
	if (limits->requests_per_day > 0)
		status->requests_left_today = arena_int(
			arena, budget_left_today(limits->requests_per_day, budget->day_requests,
						 budget->day, wall_usec));
	if (limits->tokens_per_day > 0)
		status->tokens_left_today = arena_int(
			arena, budget_left_today(limits->tokens_per_day, budget->day_tokens,
						 budget->day, wall_usec));
}

/* ---- Of each call ---- */

/* Whether what calls take of tokens matters there. */
static bool counts_tokens(const struct endpoint *endpoint, const struct llm_target *target)
{
	return target->limits.tokens_per_minute > 0 || target->limits.tokens_per_day > 0 ||
	       endpoint->told[TOLD_TOKENS].at_usec > 0;
}

static int64_t known(int64_t tokens)
{
	return tokens > 0 ? tokens : 0;
}

static int64_t tokens_of(const struct llm_call *call)
{
	return known(call->input_tokens) + known(call->output_tokens);
}

bool allowance_take(struct job *job)
{
	struct endpoint *endpoint = job->endpoint;
	const struct llm_target *target = job->call->target;
	const int64_t *max_tokens = job->call->params && job->call->params->max_tokens ?
					    job->call->params->max_tokens :
					    target->params.max_tokens;
	int64_t now_usec = endpoint->backend->ground.now_usec;

	job->tokens = 0;
	if (counts_tokens(endpoint, target))
		job->tokens = budget_estimate(&endpoint->budget, target_asked_bytes(job->call),
					      max_tokens ? *max_tokens : 0);
	endpoint->tokens += (double)job->tokens;
	job->tokens_before = tokens_of(job->call);
	job->calls_before = endpoint->calls;
	job->tokens_taken = endpoint->tokens;
	told_take(&endpoint->told[TOLD_REQUESTS], 1);
	told_take(&endpoint->told[TOLD_TOKENS], (double)job->tokens);
	pace_issued(&endpoint->pace, now_usec);
	close_paced(endpoint);
	if (budget_limits_any(&target->limits))
		budget_take(&endpoint->budget, &target->limits, job->tokens, now_usec,
			    clock_wall_usec());
	return gate_is_closed(&endpoint->paced) || !allowance_allows(endpoint, target);
}

bool allowance_settle(struct job *job, const struct attempt *attempt)
{
	struct endpoint *endpoint = job->endpoint;
	const struct llm_target *target = job->call->target;
	int64_t taken = tokens_of(job->call) - job->tokens_before, more;
	bool refused = attempt->class == ATTEMPT_WAIT || !attempt->connected;

	if (taken > 0 && !job->call->embedding)
		budget_learn(&endpoint->budget, known(job->call->output_tokens));
	more = taken > 0 || refused ? taken - job->tokens : 0;
	if (job->tokens == 0 || more == 0)
		return false;
	endpoint->tokens += (double)more;
	if (!budget_limits_any(&target->limits))
		return false;
	budget_correct(&endpoint->budget, &target->limits, more);
	return more < 0;
}

void allowance_charge(struct endpoint *endpoint, const struct llm_target *target, int64_t tokens)
{
	static const struct budget_limits none;

	endpoint->limits = target->limits;
	/* Minutes are those of single calls. */
	budget_take(&endpoint->budget, &none, tokens, endpoint->backend->ground.now_usec, clock_wall_usec());
}
