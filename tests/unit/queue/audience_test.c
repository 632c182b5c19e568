/* Many who follow the same: told one after the other, as far as a turn goes, and paced by one timer. */
#include "daemon/queue/audience.h"

#include <event2/event.h>
#include <stddef.h>

#include "daemon/base/clock.h"
#include "daemon/base/loop.h"
#include "tests/unit/suite.h"

#define MANY 1000

struct follower {
	struct audience_member member;
	int64_t due_usec;
	int64_t pace_usec; // from one telling to the next; 0: it is told once
	int n_told;
	struct follower *sends_away; // when it is told
	bool wakes;
};

static struct loop *loop;
static struct audiences audiences;
static struct follower followers[MANY];
static int turn_left; // so many may be told
static struct audience_member *waiter;
static int n_looks;

static struct follower *follower_of(const struct audience_member *member)
{
	return (struct follower *)((char *)member - offsetof(struct follower, member));
}

static int64_t due_usec(const struct audience_member *member)
{
	n_looks++;
	return follower_of(member)->due_usec;
}

static bool must_wait(struct audience_member *member)
{
	if (turn_left > 0) {
		turn_left--;
		return false;
	}
	ck_assert_ptr_null(waiter);
	waiter = member;
	return true;
}

static int64_t tell(struct audience_member *member)
{
	struct follower *follower = follower_of(member);
	int64_t again_usec = follower->pace_usec ? clock_monotonic_usec() + follower->pace_usec : 0;

	follower->n_told++;
	follower->due_usec = again_usec;
	if (follower->sends_away)
		audience_leave(&follower->sends_away->member);
	if (follower->wakes)
		audience_wake(member->audience);
	return again_usec;
}

static const struct audience_kind kind = { due_usec, must_wait, tell };

static void begin(int n, int turn)
{
	ck_assert_int_eq(loop_new("test", &loop), 0);
	audiences = (struct audiences){ .kind = &kind, .loop = loop };
	turn_left = turn;
	waiter = NULL;
	for (int i = 0; i < n; i++) {
		followers[i] = (struct follower){ .due_usec = 1 };
		ck_assert_int_eq(audience_join(&audiences, &followers[i].member, 1000), 0);
	}
}

static void end(void)
{
	while (audiences_first(&audiences))
		audience_leave(audiences_first(&audiences));
	ck_assert_ptr_null(audiences.first);
	loop_free(loop);
}

static int n_told(int n)
{
	int told = 0;

	for (int i = 0; i < n; i++)
		told += followers[i].n_told;
	return told;
}

static void go_on(int turn)
{
	struct audience_member *member = waiter;

	waiter = NULL;
	turn_left = turn - 1; // but for the one who waited
	audience_go_on(member);
}

/* One of them waits for a turn, whatever happens meanwhile, and the next turn goes on behind it. */
START_TEST(turns)
{
	begin(MANY, 10);
	audiences_wake(&audiences);
	ck_assert_int_eq(n_told(MANY), 10);
	audiences_wake(&audiences);
	audiences_wake_soon(&audiences);
	ck_assert_int_eq(n_told(MANY), 10);
	for (int turn = 1; turn < MANY / 10; turn++)
		go_on(10);
	ck_assert_int_eq(n_told(MANY), MANY);
	for (int i = 0; i < MANY; i++)
		ck_assert_int_eq(followers[i].n_told, 1);
	end();
}
END_TEST

/* Where others wait for a turn as well, who has got one is told, and only the next waits behind them. */
START_TEST(a_turn_each)
{
	begin(3, 0);
	audiences_wake(&audiences);
	for (int turn = 1; turn <= 3; turn++) {
		go_on(1);
		ck_assert_int_eq(n_told(3), turn);
	}
	ck_assert_ptr_null(waiter);
	end();
}
END_TEST

/* What happens while some have to wait is told to all of them, also to those who had their turn. */
START_TEST(news_meanwhile)
{
	begin(4, 2);
	audiences_wake(&audiences);
	for (int i = 0; i < 4; i++)
		followers[i].due_usec = 1;
	audiences_wake(&audiences);
	go_on(MANY);
	ck_assert_int_eq(n_told(4), 6);
	for (int i = 0; i < 4; i++)
		ck_assert_int_ge(followers[i].n_told, 1);
	end();
}
END_TEST

/* Who is told may go, send others away, and make news. */
START_TEST(leaving)
{
	begin(4, MANY);
	followers[3].sends_away = &followers[3]; // who came last is told first
	followers[2].sends_away = &followers[1];
	followers[0].wakes = true;
	audiences_wake(&audiences);
	ck_assert_int_eq(followers[3].n_told + followers[2].n_told + followers[0].n_told, 3);
	ck_assert_int_eq(followers[1].n_told, 0);
	followers[0].sends_away = &followers[2];
	followers[0].due_usec = 1;
	audiences_wake(&audiences);
	followers[0].sends_away = &followers[0];
	followers[0].wakes = false;
	followers[0].due_usec = 1;
	audiences_wake(&audiences);
	ck_assert_ptr_null(audiences.first);
	end();
}
END_TEST

/* Where the one who waits goes, it is the turn of the next. */
START_TEST(the_waiter_leaves)
{
	struct audience_member *before;

	begin(3, 0);
	audiences_wake(&audiences);
	before = waiter;
	ck_assert_ptr_nonnull(before);
	waiter = NULL;
	audience_leave(before);
	audience_go_on(before);
	ck_assert_int_eq(event_base_loop(loop_base(loop), EVLOOP_ONCE), 0);
	ck_assert_ptr_nonnull(waiter);
	ck_assert_ptr_ne(waiter, before);
	go_on(MANY);
	ck_assert_int_eq(n_told(3), 2);
	end();
}
END_TEST

/* Each at its own pace, and none before it is due. */
START_TEST(pace)
{
	begin(3, MANY);
	followers[1].due_usec = 0;
	followers[2].pace_usec = 1000;
	audiences_wake_soon(&audiences);
	ck_assert_int_eq(n_told(3), 0);
	while (followers[2].n_told < 3) {
		int64_t due = followers[2].due_usec;
		int before = followers[2].n_told;

		ck_assert_int_ge(event_base_loop(loop_base(loop), EVLOOP_ONCE), 0);
		if (followers[2].n_told > before)
			ck_assert_int_ge(clock_monotonic_usec(), due);
	}
	ck_assert_int_eq(followers[0].n_told, 1);
	ck_assert_int_eq(followers[1].n_told, 0);
	end();
}
END_TEST

/* Those who are not due are looked at some at a time, and news meanwhile make them begin once more. */
START_TEST(looking)
{
	begin(MANY, MANY);
	for (int i = 1; i < MANY; i++)
		followers[i].due_usec = INT64_MAX - 1;
	n_looks = 0;
	audiences_wake(&audiences);
	ck_assert_int_le(n_looks, 100);
	while (!followers[0].n_told) { // who came first is told last
		int before = n_looks;

		ck_assert_int_le(n_looks, MANY);
		ck_assert_int_ge(event_base_loop(loop_base(loop), EVLOOP_ONCE), 0);
		ck_assert_int_le(n_looks - before, 100);
	}
	ck_assert_int_eq(n_looks, MANY);
	audiences_wake(&audiences);
	followers[MANY - 1].due_usec = 1; // it was looked at already
	audiences_wake(&audiences);
	while (!followers[MANY - 1].n_told)
		ck_assert_int_ge(event_base_loop(loop_base(loop), EVLOOP_ONCE), 0);
	ck_assert_int_le(n_looks, 3 * MANY);
	while (n_looks < 3 * MANY)
		ck_assert_int_ge(event_base_loop(loop_base(loop), EVLOOP_ONCE), 0);
	/* After a rest: who is on the way does not begin another one. */
	audiences_wake(&audiences);
	audiences_wake_soon(&audiences);
	n_looks = 0;
	ck_assert_int_ge(event_base_loop(loop_base(loop), EVLOOP_NONBLOCK), 0);
	ck_assert_int_gt(n_looks, 0);
	end();
}
END_TEST

int main(void)
{
	return RUN_TESTS(turns, a_turn_each, news_meanwhile, leaving, the_waiter_leaves, pace,
			 looking);
}
