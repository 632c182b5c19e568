#include "daemon/backend/limits/pace.h"

#include "daemon/base/clock.h"

#define MARGIN 0.98 // of what was measured
#define LOWERED 0.05 // by that part where nothing better is known, and by as much more each time
#define LOWERED_MOST 0.5 // at once
#define CONTRADICTED 0.7 // of a rate that went through: what is less is not why a call is refused
#define CONTRADICTION_CALLS 8
#define DEAF 64 // pauses, until it may be why again
#define TRIAL 4 // times what was measured
#define GROWTH_FIRST 0.02
#define GROWTH_MOST 1.0
#define GROWTH_FASTER 1.5 // each time
#define GROWTH_CALLS 16 // at least so many go at a rate before it rises
#define TRIAL_CALLS 8 // the same on trial
#define PATIENCE 24 // pauses
#define PATIENCE_CALLS 64
#define PAUSE_MOST_USEC (120 * USEC_PER_SEC) // what is longer is a budget spent, and no rate
#define SLACK_USEC INT64_C(20000) // what may be caught up of a turn that came late
#define RATE_LEAST (1.0 / 600)
#define RATE_MOST 20000.0 // what is more holds nothing back

static double a_second(double n, int64_t usec)
{
	return n * USEC_PER_SEC / (double)(usec > 0 ? usec : 1);
}

static double lower(double a, double b)
{
	return a < b ? a : b;
}

static double higher(double a, double b)
{
	return a > b ? a : b;
}

static void count(struct pace *pace, int64_t now_usec)
{
	struct pace_slot *slot = &pace->slots[pace->last];

	if (slot->begin_usec == 0 || now_usec - slot->begin_usec >= USEC_PER_SEC) {
		pace->last = (pace->last + 1) % PACE_SLOTS;
		slot = &pace->slots[pace->last];
		*slot = (struct pace_slot){ .begin_usec = now_usec };
	}
	slot->n++;
}

static void uncount(struct pace *pace, int64_t started_usec)
{
	for (unsigned i = 0; i < PACE_SLOTS; i++) {
		struct pace_slot *slot = &pace->slots[(pace->last + PACE_SLOTS - i) % PACE_SLOTS];

		if (slot->begin_usec > 0 && slot->begin_usec <= started_usec) {
			slot->n -= slot->n > 0;
			return;
		}
	}
}

/* The highest of what went through since some time, over the time since: calls that came in slowly
 * long ago say nothing of what is possible. */
static double measure(const struct pace *pace, int64_t now_usec)
{
	double n = 0, best = 0;

	for (unsigned i = 0; i < PACE_SLOTS; i++) {
		const struct pace_slot *slot =
			&pace->slots[(pace->last + PACE_SLOTS - i) % PACE_SLOTS];
		double rate;

		if (slot->begin_usec == 0)
			break;
		n += (double)slot->n;
		rate = a_second(n, now_usec - slot->begin_usec);
		best = higher(rate, best);
	}
	return best;
}

/* What goes at a rate goes at it for a while. */
static void grow(struct pace *pace, int64_t now_usec)
{
	int64_t calls_usec;

	if (now_usec < pace->grow_usec)
		return;
	if (!pace->binding) {
		if (pace->trial)
			pace->rate = 0;
		return;
	}
	pace->binding = false;
	pace->n_lowered = 0;
	pace->good = pace->rate;
	pace->rate *= 1 + pace->growth;
	pace->growth = lower(GROWTH_FASTER * pace->growth, GROWTH_MOST);
	calls_usec = (int64_t)((pace->trial ? TRIAL_CALLS : GROWTH_CALLS) * USEC_PER_SEC / pace->rate);
	pace->grow_usec = now_usec + calls_usec;
	if (!pace->trial && calls_usec < pace->pause_usec)
		pace->grow_usec = now_usec + pace->pause_usec;
	if (pace->rate > RATE_MOST)
		pace->rate = 0;
}

void pace_issued(struct pace *pace, int64_t now_usec)
{
	if (pace->epoch_usec == 0) {
		pace->epoch_usec = now_usec;
		pace->n = 0;
	}
	pace->n++;
	count(pace, now_usec);
	if (pace->rate == 0)
		return;
	if (pace->next_usec < now_usec - SLACK_USEC)
		pace->next_usec = now_usec - SLACK_USEC;
	pace->next_usec += (int64_t)(USEC_PER_SEC / pace->rate);
	grow(pace, now_usec);
}

void pace_held(struct pace *pace)
{
	pace->binding = true;
}

void pace_refused(struct pace *pace, int64_t started_usec, int64_t now_usec)
{
	uncount(pace, started_usec);
	if (pace->epoch_usec > 0 && started_usec >= pace->epoch_usec && pace->n > 0)
		pace->n--;
	if (pace->refused_usec == 0)
		pace->refused_usec = now_usec;
}

/* What the rate is after a refusal, and the pause until now; 0: there is nothing to tell it from. */
static double learn(const struct pace *pace, int64_t now_usec)
{
	double part = higher(1 - LOWERED * pace->n_lowered, LOWERED_MOST), measured;
	double rate = pace->good > 0 ? pace->good : part * pace->rate;

	if (pace->rate == 0)
		return MARGIN * measure(pace, now_usec);
	if (pace->trial)
		return higher(pace->first, MARGIN * measure(pace, now_usec));
	/* The pause before was too short; more than one call a pause it need not hold back. */
	if (pace->n == 0)
		return lower(pace->rate, higher(measure(pace, now_usec),
						a_second(1, now_usec - pace->refused_usec)));
	/* Refused soon after a pause: the rate is far off, and what went through says more. */
	measured = a_second((double)pace->n + 1, now_usec - pace->epoch_usec);
	measured = higher(measured, LOWERED_MOST * pace->rate);
	return 2 * (pace->refused_usec - pace->epoch_usec) < pace->pause_usec ? lower(rate, measured) :
										 rate;
}

/* What went through between the two pauses before this epoch, and until that one was over, did. */
static void compare(struct pace *pace)
{
	double rate = a_second((double)pace->n_before, pace->resumed_usec - pace->before_usec);

	if (pace->n_before >= CONTRADICTION_CALLS)
		pace->seen = higher(pace->seen, rate);
	pace->n_before = pace->rate > 0 && !pace->trial ? pace->n : 0;
	pace->before_usec = pace->epoch_usec;
}

static void give_up(struct pace *pace, int64_t now_usec)
{
	pace->rate = pace->seen = 0;
	pace->n_before = 0;
	pace->n_lowered = 0;
	pace->deaf_usec = now_usec + DEAF * (now_usec - pace->refused_usec);
}

/* A refusal among few calls says little, the first time. */
static bool is_first_guess(const struct pace *pace)
{
	return pace->rate == 0 && pace->n < TRIAL_CALLS;
}

static void set_rate(struct pace *pace, double rate, bool trial, int64_t now_usec)
{
	int64_t calls_usec, wait_usec = trial ? 0 : PATIENCE * pace->pause_usec;

	pace->first = higher(rate, RATE_LEAST);
	pace->rate = trial ? TRIAL * pace->first : pace->first;
	pace->trial = trial;
	pace->good = 0;
	pace->growth = trial ? GROWTH_MOST : GROWTH_FIRST;
	if (trial)
		pace->seen = pace->n_before = 0;
	calls_usec = (int64_t)((trial ? TRIAL_CALLS : PATIENCE_CALLS) * USEC_PER_SEC / pace->rate);
	pace->grow_usec = now_usec + (wait_usec > calls_usec ? wait_usec : calls_usec);
	pace->binding = false;
	pace->next_usec = now_usec;
}

void pace_resumed(struct pace *pace, enum refusal_cause cause, int64_t now_usec)
{
	bool known = pace->rate > 0 && !pace->trial;
	double rate;

	if (pace->n > 0)
		compare(pace);
	if (now_usec - pace->refused_usec > PAUSE_MOST_USEC)
		cause = CAUSE_NONE;
	if (cause != CAUSE_NONE && known && pace->n > 0) {
		pace->n_lowered++;
		if (pace->rate < CONTRADICTED * pace->seen)
			give_up(pace, now_usec);
	}
	if (cause != CAUSE_NONE && now_usec >= pace->deaf_usec) {
		pace->pause_usec = now_usec - pace->refused_usec +
				   (pace->n == 0 ? pace->pause_usec : 0);
		rate = learn(pace, now_usec);
		if (cause == CAUSE_NUMBER && pace->trial)
			pace->rate = 0;
		else if (rate > 0 && (known || cause != CAUSE_NUMBER))
			set_rate(pace, rate, !known && (cause == CAUSE_UNKNOWN || is_first_guess(pace)),
				 now_usec);
	}
	pace->refused_usec = 0;
	pace->resumed_usec = now_usec;
	/* The pause before was too short if nothing went through after it. */
	if (pace->n > 0)
		pace->epoch_usec = 0;
}

void pace_failed(struct pace *pace, int64_t now_usec)
{
	if (pace->grow_usec < now_usec + USEC_PER_SEC)
		pace->grow_usec = now_usec + USEC_PER_SEC;
	if (!pace->trial)
		pace->growth = GROWTH_FIRST;
}
