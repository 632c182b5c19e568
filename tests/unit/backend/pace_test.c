/*
 * The rate of an endpoint, and how many calls it takes at once, learnt together: against limiters of
 * every shape, on a clock that only the test moves.
 */
#include "daemon/backend/limits/aimd.h"
#include "daemon/backend/limits/pace.h"
#include "daemon/backend/limits/retry.h"
#include "daemon/base/clock.h"
#include "tests/unit/suite.h"

#define CALLS_MAX 256
#define REFUSAL_USEC 2000
#define LOG_MAX 8192

enum shape {
	FIXED_WINDOW,
	SLIDING_WINDOW,
	BUCKET,
	CONCURRENCY,
	EVERY_NTH, // is refused, whatever the rate
};

struct limiter {
	enum shape shape;
	double n; // calls in a window, the bucket's depth, or calls at once
	double seconds; // of the window, or of one call's refill
	double retry_after; // seconds; 0: what is left, in whole ones; -1: not said
};

/* What it knows. */
struct seen {
	int64_t begin_usec;
	double used;
	int64_t n_asked;
	int64_t log[LOG_MAX]; // when calls were let through
	unsigned first, last;
};

struct call {
	int64_t started_usec, ends_usec;
	int among;
	bool refused;
	int64_t wait_usec;
};

struct world {
	struct limiter limiter;
	struct seen seen;
	int64_t now_usec;
	int64_t latency_usec;
	struct aimd aimd;
	struct pace pace;
	int64_t pause_usec; // until then
	bool paused;
	int streak;
	struct call calls[CALLS_MAX];
	int in_flight, at_limiter;
	int64_t n_answered, n_refused;
};

static double ceiling(double value)
{
	double whole = (double)(int64_t)value;

	return whole < value ? whole + 1 : whole;
}

/* Seconds until it lets a call through; 0: now. */
static double limiter_left(const struct limiter *limiter, struct seen *seen, int64_t now_usec,
			   int n_at_once)
{
	int64_t window_usec = (int64_t)(limiter->seconds * USEC_PER_SEC);

	switch (limiter->shape) {
	case FIXED_WINDOW:
		if (now_usec / window_usec != seen->begin_usec / window_usec)
			seen->used = 0;
		seen->begin_usec = now_usec;
		return seen->used < limiter->n ?
			       0 :
			       (double)(window_usec - now_usec % window_usec) / USEC_PER_SEC;
	case SLIDING_WINDOW:
		while (seen->first != seen->last &&
		       seen->log[seen->first % LOG_MAX] <= now_usec - window_usec)
			seen->first++;
		return seen->last - seen->first < limiter->n ?
			       0 :
			       (double)(seen->log[seen->first % LOG_MAX] + window_usec - now_usec) /
				       USEC_PER_SEC;
	case BUCKET:
		seen->used -= (double)(now_usec - seen->begin_usec) / (double)window_usec;
		seen->used = seen->used > 0 ? seen->used : 0;
		seen->begin_usec = now_usec;
		return seen->used <= limiter->n - 1 ?
			       0 :
			       (seen->used - limiter->n + 1) * limiter->seconds;
	case EVERY_NTH:
		return ++seen->n_asked % (int64_t)limiter->n != 0 ? 0 : 1;
	case CONCURRENCY:
		return n_at_once < limiter->n ? 0 : 1;
	}
	return 0;
}

static void issue(struct world *world)
{
	const struct limiter *limiter = &world->limiter;
	struct call *call = &world->calls[world->in_flight++];
	double left = limiter_left(limiter, &world->seen, world->now_usec,
				   world->at_limiter);

	*call = (struct call){
		.started_usec = world->now_usec,
		.among = world->in_flight,
		.refused = left > 0,
		.ends_usec = world->now_usec + (left > 0 ? REFUSAL_USEC : world->latency_usec),
	};
	aimd_issued(&world->aimd, world->in_flight);
	pace_issued(&world->pace, world->now_usec);
	if (left > 0) {
		call->wait_usec = limiter->retry_after < 0 ? -1 :
				  (int64_t)((limiter->retry_after > 0 ? limiter->retry_after :
									ceiling(left)) *
					    USEC_PER_SEC);
		return;
	}
	world->at_limiter++;
	world->seen.used++;
	world->seen.log[world->seen.last++ % LOG_MAX] = world->now_usec;
}

static void end(struct world *world, int i)
{
	struct call call = world->calls[i];
	int64_t wait_usec;

	world->calls[i] = world->calls[--world->in_flight];
	if (!call.refused) {
		world->at_limiter--;
		world->n_answered++;
		world->streak = 0;
		(void)aimd_succeeded(&world->aimd, call.among, world->latency_usec,
				     world->in_flight, world->now_usec);
		return;
	}
	world->n_refused++;
	aimd_refused(&world->aimd, call.among, world->in_flight, world->now_usec);
	pace_refused(&world->pace, call.started_usec, world->now_usec);
	if (call.wait_usec >= 0)
		wait_usec = retry_floor_usec(call.wait_usec, 0.5);
	else
		wait_usec = world->paused ? 0 : retry_wait_usec(++world->streak, 0.5);
	if (world->pause_usec < world->now_usec + wait_usec)
		world->pause_usec = world->now_usec + wait_usec;
	world->paused = true;
}

static int64_t lower(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

/* When something happens next. */
static int64_t next_usec(const struct world *world, int64_t until_usec)
{
	int64_t usec = until_usec;

	for (int i = 0; i < world->in_flight; i++)
		usec = lower(usec, world->calls[i].ends_usec);
	if (world->paused)
		usec = lower(usec, world->pause_usec);
	else if (world->pace.rate > 0 && world->in_flight < aimd_limit(&world->aimd))
		usec = lower(usec, world->pace.next_usec);
	return usec > world->now_usec ? usec : world->now_usec + 1;
}

/* Calls wait all the time. */
static void run(struct world *world, double seconds)
{
	int64_t until_usec = world->now_usec + (int64_t)(seconds * USEC_PER_SEC);

	for (; world->now_usec < until_usec;
	     world->now_usec = next_usec(world, until_usec)) {
		for (int i = 0; i < world->in_flight; i++) {
			if (world->calls[i].ends_usec <= world->now_usec)
				end(world, i--);
		}
		if (world->paused && world->pause_usec <= world->now_usec) {
			world->paused = false;
			pace_resumed(&world->pace,
				     aimd_resumed(&world->aimd, world->in_flight, world->now_usec),
				     world->now_usec);
		}
		while (!world->paused && world->in_flight < aimd_limit(&world->aimd)) {
			if (world->pace.rate > 0 && world->pace.next_usec > world->now_usec) {
				pace_held(&world->pace);
				break;
			}
			issue(world);
		}
	}
}

static void begin(struct world *world, struct limiter limiter, int connections, double latency)
{
	memset(world, 0, sizeof(*world));
	world->limiter = limiter;
	world->now_usec = 1000 * USEC_PER_SEC + 123456;
	world->seen.begin_usec = world->now_usec;
	world->latency_usec = (int64_t)(latency * USEC_PER_SEC);
	aimd_set(&world->aimd, connections, connections);
}

static struct world world;

/* What it comes to once it has learnt, in the last half of the time: answers over what the limiter
 * lets through at most, and refusals over calls. */
static void check(struct limiter limiter, int connections, double latency, double seconds,
		  double a_second, double answered_at_least, double refused_at_most)
{
	int64_t answered, refused;

	begin(&world, limiter, connections, latency);
	run(&world, seconds / 2);
	answered = world.n_answered;
	refused = world.n_refused;
	run(&world, seconds / 2);
	answered = world.n_answered - answered;
	refused = world.n_refused - refused;
	ck_assert_double_ge((double)answered / (a_second * seconds / 2), answered_at_least);
	ck_assert_double_le((double)refused / (double)(answered + refused), refused_at_most);
}

START_TEST(fixed_windows)
{
	check((struct limiter){ FIXED_WINDOW, 30, 1, 1 }, 32, 0.05, 20, 30, 0.97, 0);
	check((struct limiter){ FIXED_WINDOW, 30, 1, 1 }, 32, 1, 60, 30, 0.97, 0.005);
	check((struct limiter){ FIXED_WINDOW, 60, 60, 0 }, 32, 0.5, 3600, 1, 0.95, 0.025);
	check((struct limiter){ FIXED_WINDOW, 60, 60, -1 }, 32, 0.5, 3600, 1, 0.95, 0.025);
	check((struct limiter){ FIXED_WINDOW, 3, 60, 0 }, 10, 2, 7200, 0.05, 0.93, 0.05);
	/* Each pause is said to be over long before it is. */
	check((struct limiter){ FIXED_WINDOW, 60, 60, 1 }, 32, 0.5, 3600, 1, 0.95, 0.05);
}
END_TEST

/* Not the number of calls is refused, and it must not shrink. */
START_TEST(fixed_windows_and_slow_answers)
{
	check((struct limiter){ FIXED_WINDOW, 30, 1, 1 }, 64, 3, 60, 64 / 3.0, 0.99, 0);
	ck_assert_int_eq(aimd_limit(&world.aimd), 64);
	check((struct limiter){ FIXED_WINDOW, 60, 60, 0 }, 64, 30, 3600, 1, 0.97, 0.03);
}
END_TEST

START_TEST(sliding_windows)
{
	check((struct limiter){ SLIDING_WINDOW, 60, 60, 0 }, 32, 0.5, 3600, 1, 0.95, 0.025);
	check((struct limiter){ SLIDING_WINDOW, 60, 60, 1 }, 32, 0.5, 3600, 1, 0.95, 0.025);
	check((struct limiter){ SLIDING_WINDOW, 100, 1, -1 }, 64, 0.2, 120, 100, 0.87, 0.002);
}
END_TEST

START_TEST(buckets)
{
	check((struct limiter){ BUCKET, 60, 1, 0 }, 32, 0.5, 3600, 1, 0.97, 0.025);
	check((struct limiter){ BUCKET, 60, 1, -1 }, 32, 0.5, 3600, 1, 0.97, 0.025);
	check((struct limiter){ BUCKET, 5, 0.05, 0 }, 32, 0.5, 240, 20, 0.9, 0.01);
	check((struct limiter){ BUCKET, 5, 0.05, -1 }, 32, 0.5, 240, 20, 0.9, 0.01);
}
END_TEST

/* Where the number of calls at once is what is refused, no rate holds them back. */
START_TEST(numbers)
{
	const double latencies[] = { 0.05, 0.5, 5 };

	for (size_t i = 0; i < sizeof(latencies) / sizeof(*latencies); i++) {
		double latency = latencies[i], seconds = 240 + 240 * latency;

		check((struct limiter){ CONCURRENCY, 8, 1, 1 }, 32, latency, seconds, 8 / latency,
		      0.93, 0.035);
		ck_assert_int_le(aimd_limit(&world.aimd), 9); // it is tried now and then
		ck_assert(world.pace.rate == 0);
		check((struct limiter){ CONCURRENCY, 8, 1, -1 }, 32, latency, seconds, 8 / latency,
		      0.93, 0.035);
		ck_assert_int_le(aimd_limit(&world.aimd), 9); // it is tried now and then
		ck_assert(world.pace.rate == 0);
	}
	check((struct limiter){ CONCURRENCY, 1, 1, 1 }, 32, 0.5, 240, 2, 0.95, 0.03);
}
END_TEST

/* What is learnt at the start costs a second, and hardly a call. */
START_TEST(learns_soon)
{
	begin(&world, (struct limiter){ FIXED_WINDOW, 30, 1, 1 }, 32, 0.05);
	run(&world, 21);
	ck_assert_int_ge(world.n_answered, 600);
	ck_assert_int_le(world.n_refused, 6);
}
END_TEST

/* What was learnt is let go again. */
START_TEST(a_limit_that_rises_and_falls)
{
	begin(&world, (struct limiter){ FIXED_WINDOW, 30, 1, 0 }, 32, 0.05);
	run(&world, 60);
	world.limiter.n = 300;
	run(&world, 120);
	world.n_answered = 0;
	run(&world, 60);
	ck_assert_int_ge(world.n_answered, (int64_t)(0.9 * 60 * 300));
	world.limiter.n = 10;
	run(&world, 120);
	world.n_answered = world.n_refused = 0;
	run(&world, 60);
	ck_assert_int_ge(world.n_answered, (int64_t)(0.85 * 60 * 10));
	ck_assert_int_le(world.n_refused, (int64_t)(0.03 * 60 * 10));
}
END_TEST

/* A budget for the day is spent: what goes when there is another is not spread over the day. */
START_TEST(a_long_pause_is_no_rate)
{
	begin(&world, (struct limiter){ FIXED_WINDOW, 200, 3600, 0 }, 32, 0.5);
	world.now_usec -= world.now_usec % (3600 * USEC_PER_SEC);
	run(&world, 3700);
	ck_assert_int_eq(world.n_answered, 400);
	ck_assert(world.pace.rate == 0);
}
END_TEST

/* Pauses cost what they cost; a rate that is none must not add much to it. */
START_TEST(refused_at_random)
{
	check((struct limiter){ EVERY_NTH, 20, 1, 1 }, 32, 1, 1200, 19 / 1.6, 0.8, 0.06);
}
END_TEST

/* Asked by fewer and fewer calls at once; and there is nothing to tell a rate from. */
START_TEST(nothing_goes)
{
	begin(&world, (struct limiter){ CONCURRENCY, 0, 1, -1 }, 32, 0.05);
	run(&world, 3600);
	ck_assert_int_eq(world.n_answered, 0);
	ck_assert_int_eq(aimd_limit(&world.aimd), 1);
	ck_assert(world.pace.rate == 0);
	ck_assert_int_le(world.n_refused, 32 + 16 + 8 + 4 + 2 + 100);
}
END_TEST

/* It rises only where it is what holds calls back, and not right after a failure. */
START_TEST(no_growth_unasked)
{
	double rate;

	begin(&world, (struct limiter){ FIXED_WINDOW, 30, 1, 0 }, 32, 0.05);
	run(&world, 20);
	rate = world.pace.rate;
	ck_assert(rate > 25 && rate < 31);
	for (int i = 0; i < 600; i++) {
		world.now_usec += USEC_PER_SEC / 2;
		pace_held(&world.pace);
		pace_failed(&world.pace, world.now_usec);
		pace_issued(&world.pace, world.now_usec);
	}
	ck_assert(world.pace.rate == rate);
	world.pace.binding = false;
	for (int i = 0; i < 600; i++) {
		world.now_usec += USEC_PER_SEC;
		pace_issued(&world.pace, world.now_usec);
	}
	ck_assert(world.pace.rate == rate);
}
END_TEST

int main(void)
{
	return RUN_TESTS(fixed_windows, fixed_windows_and_slow_answers, sliding_windows, buckets,
			 numbers, learns_soon, a_limit_that_rises_and_falls, a_long_pause_is_no_rate,
			 refused_at_random, nothing_goes, no_growth_unasked);
}
