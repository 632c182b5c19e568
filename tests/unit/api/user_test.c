/* What users may hold: limits, shares of what is left, and who is woken when something is given
 * back. */
#include <event2/event.h>
#include <stdlib.h>
#include <unistd.h>

#include "daemon/api/call.h"
#include "daemon/base/clock.h"
#include "daemon/base/loop.h"
#include "tests/unit/suite.h"

#define TOTAL 64
#define PER_USER 48
#define USERS 8

static struct service service;
static struct user_charge charges[USERS][TOTAL];

static void begin(int64_t total, int64_t per_user)
{
	const struct user_limits limits = { .slots = { [USER_WATCHES] = { total, per_user } } };

	ck_assert_int_eq(loop_new("test", &service.loop), 0);
	ck_assert_int_eq(users_new(&service, &limits, &service.users), 0);
}

static void end(void)
{
	users_free(service.users);
	loop_free(service.loop);
}

/* As much as the user gets, one by one. */
static int take_all(int64_t uid, struct user_charge *ret_charges)
{
	int n = 0;

	while (n < TOTAL && user_take(&ret_charges[n], user_of(service.users, uid), USER_WATCHES, 1))
		n++;
	return n;
}

static void give_all_back(void)
{
	for (int i = 0; i < USERS; i++)
		for (int j = 0; j < TOTAL; j++)
			user_give_back(&charges[i][j]);
}

START_TEST(who_comes_late_finds_some)
{
	int taken = 0, last = TOTAL;

	begin(TOTAL, TOTAL);
	for (int i = 0; i < USERS; i++) {
		int n = take_all(1000 + i, charges[i]);

		ck_assert_int_ge(n, 1);
		ck_assert_int_le(n, last);
		taken += n;
		last = n;
	}
	/* Alone, three quarters; and never more than there is. */
	ck_assert_int_eq(user_of(service.users, 1000)->held[USER_WATCHES], TOTAL * 3 / 4);
	ck_assert_int_le(taken, TOTAL);
	give_all_back();
	ck_assert_int_eq(take_all(1001, charges[1]), TOTAL * 3 / 4);
	give_all_back();
	end();
}
END_TEST

START_TEST(a_charge_grows_and_shrinks)
{
	struct user_charge charge = { 0 }, other = { 0 };
	struct user *user;

	begin(TOTAL, 10);
	user = user_of(service.users, 1000);
	ck_assert(user_take(&charge, user, USER_WATCHES, 8));
	ck_assert(!user_take(&charge, user, USER_WATCHES, 11));
	ck_assert_int_eq(charge.amount, 8);
	ck_assert(user_take(&charge, user, USER_WATCHES, 3));
	ck_assert(user_take(&other, user, USER_WATCHES, 7));
	ck_assert(!user_take(&other, user, USER_WATCHES, 8));
	/* What is there already is held whatever the limit, and counts. */
	user_hold(&charge, user, USER_WATCHES, 20);
	ck_assert_int_eq(user->held[USER_WATCHES], 27);
	user_move(&charge, &other);
	ck_assert_int_eq(user->held[USER_WATCHES], 20);
	user_give_back(&charge);
	user_give_back(&other);
	user_give_back(&other);
	ck_assert_int_eq(user->held[USER_WATCHES], 0);
	end();
}
END_TEST

/* A list has room beside as many events as there may be, and other replies beside both. */
START_TEST(a_part_of_the_share)
{
	struct user_charge events = { 0 }, list = { 0 }, other = { 0 };
	struct user *user;

	begin(TOTAL, 16);
	user = user_of(service.users, 1000);
	ck_assert(user_take(&other, user, USER_WATCHES, 1));
	ck_assert(!user_take_part(&events, user, USER_WATCHES, 8, USER_OUTPUT_OF_EVENTS));
	ck_assert(user_take_part(&events, user, USER_WATCHES, 7, USER_OUTPUT_OF_EVENTS));
	ck_assert(!user_take_part(&list, user, USER_WATCHES, 5, USER_OUTPUT_OF_LISTS));
	ck_assert(user_take_part(&list, user, USER_WATCHES, 4, USER_OUTPUT_OF_LISTS));
	ck_assert(!user_take_part(&events, user, USER_WATCHES, 8, USER_OUTPUT_OF_EVENTS));
	ck_assert(user_take(&other, user, USER_WATCHES, 5));
	user_give_back(&other);
	user_give_back(&events);
	user_give_back(&list);
	/* Who holds nothing is not kept waiting for a part. */
	ck_assert(user_take_part(&events, user, USER_WATCHES, 16, USER_OUTPUT_OF_EVENTS));
	user_give_back(&events);
	end();
}
END_TEST

struct waiting {
	struct user_waiter waiter;
	struct user_charge charge;
	int64_t wants;
	int64_t uid;
	int number;
};

static int woken[8];
static int n_woken;

static void on_wake(struct user_waiter *waiter)
{
	struct waiting *waiting = (struct waiting *)waiter;
	struct user *user = user_of(service.users, waiting->uid);

	if (user_take(&waiting->charge, user, USER_WATCHES, waiting->wants))
		woken[n_woken++] = waiting->number;
	else
		user_wait_for_slot(user, USER_WATCHES, waiter);
	if (n_woken == 3)
		loop_stop(service.loop);
}

/* In the order they came, but who asks for too much is not in the others' way. */
START_TEST(who_is_short_is_woken)
{
	struct user_charge charge = { 0 };
	struct waiting waiting[4];
	struct user *user;

	begin(TOTAL, 10);
	user = user_of(service.users, 1000);
	ck_assert(user_take(&charge, user, USER_WATCHES, 10));
	for (int i = 0; i < 4; i++) {
		waiting[i] = (struct waiting){ .waiter.wake = on_wake, .uid = 1000, .number = i,
					       .wants = i == 1 ? 11 : 2 };
		user_wait_for_slot(user, USER_WATCHES, &waiting[i].waiter);
	}
	user_give_back(&charge);
	ck_assert_int_eq(loop_run(service.loop), 0);
	ck_assert_int_eq(woken[0], 0);
	ck_assert_int_eq(woken[1], 2);
	ck_assert_int_eq(woken[2], 3);
	ck_assert_ptr_nonnull(waiting[1].waiter.list);
	user_stop_waiting(&waiting[1].waiter);
	for (int i = 0; i < 4; i++)
		user_give_back(&waiting[i].charge);
	end();
}
END_TEST

/* Without anything being given back. */
START_TEST(who_is_short_is_woken_by_a_higher_limit)
{
	const struct user_limits higher = { .slots = { [USER_WATCHES] = { TOTAL, 20 } } };
	struct waiting waiting = { .waiter.wake = on_wake, .uid = 1000, .number = 7, .wants = 5 };
	struct user_charge charge = { 0 };
	struct user *user;

	begin(TOTAL, 10);
	user = user_of(service.users, 1000);
	ck_assert(user_take(&charge, user, USER_WATCHES, 10));
	user_wait_for_slot(user, USER_WATCHES, &waiting.waiter);
	n_woken = 2; // the next one ends the loop
	users_set_limits(service.users, &higher);
	ck_assert_int_eq(loop_run(service.loop), 0);
	ck_assert_int_eq(woken[2], 7);
	user_give_back(&charge);
	user_give_back(&waiting.charge);
	end();
}
END_TEST

static void on_turn_come(struct user_waiter *waiter)
{
	struct waiting *waiting = (struct waiting *)waiter;
	int64_t until = clock_monotonic_usec() + 2000;

	woken[n_woken++] = waiting->number;
	while (clock_monotonic_usec() < until)
		; // more than a user's part of a turn
	if (n_woken == 3)
		loop_stop(service.loop);
}

/* A user with much to do has one piece of it done before the next user's turn. */
START_TEST(turns_go_around)
{
	struct waiting waiting[3] = {
		{ .waiter.wake = on_turn_come, .number = 0, .uid = 1000 },
		{ .waiter.wake = on_turn_come, .number = 1, .uid = 1000 },
		{ .waiter.wake = on_turn_come, .number = 2, .uid = 1001 },
	};

	begin(TOTAL, PER_USER);
	for (int i = 0; i < 3; i++)
		user_wait_for_turn(user_of(service.users, waiting[i].uid), &waiting[i].waiter);
	ck_assert_int_eq(loop_run(service.loop), 0);
	ck_assert_int_eq(woken[2], 1);
	end();
}
END_TEST

static void on_quick_turn(struct user_waiter *waiter)
{
	woken[n_woken++] = ((struct waiting *)waiter)->number;
	if (n_woken == 4)
		loop_stop(service.loop);
}

/* What other threads did for a user counts: others, who had less, go first. */
START_TEST(who_used_less_goes_first)
{
	struct waiting waiting[4] = {
		{ .number = 0, .uid = 1000 },
		{ .number = 1, .uid = 1001 },
		{ .number = 2, .uid = 1001 },
		{ .number = 3, .uid = 1001 },
	};

	begin(TOTAL, PER_USER);
	user_worked_elsewhere(user_of(service.users, 1001), 1);
	user_worked_elsewhere(user_of(service.users, 1000), USEC_PER_SEC);
	for (int i = 0; i < 4; i++) {
		waiting[i].waiter.wake = on_quick_turn;
		user_wait_for_turn(user_of(service.users, waiting[i].uid), &waiting[i].waiter);
	}
	ck_assert_int_eq(loop_run(service.loop), 0);
	ck_assert_int_eq(woken[3], 0);
	end();
}
END_TEST

#define PATIENCE 100 // turns of the loop

static int n_turns;

static void on_ready(evutil_socket_t fd, short events, void *userdata)
{
	(void)fd;
	(void)events;
	user_begin_work(userdata);
	user_end_work(userdata);
	if (++n_turns == PATIENCE)
		loop_stop(service.loop);
}

static void on_turn_at_last(struct user_waiter *waiter)
{
	woken[n_woken++] = ((struct waiting *)waiter)->number;
	loop_stop(service.loop);
}

/* A user who has something to do in every turn of the loop keeps nobody from his turn. */
START_TEST(a_turn_is_not_put_off)
{
	struct waiting waiting = { .waiter.wake = on_turn_at_last, .number = 1, .uid = 1001 };
	struct event *ready;
	int fds[2];

	begin(TOTAL, PER_USER);
	ck_assert_int_eq(pipe(fds), 0);
	ready = event_new(loop_base(service.loop), fds[1], EV_WRITE | EV_PERSIST, on_ready,
			  user_of(service.users, 1000));
	ck_assert_int_eq(event_add(ready, NULL), 0);
	user_wait_for_turn(user_of(service.users, 1001), &waiting.waiter);
	ck_assert_int_eq(loop_run(service.loop), 0);
	ck_assert_int_eq(n_woken, 1);
	ck_assert_int_lt(n_turns, PATIENCE);
	event_free(ready);
	close(fds[0]);
	close(fds[1]);
	end();
}
END_TEST

/* Many who were here once are in nobody's way, and each is found again. */
START_TEST(users_are_found_among_many)
{
	enum { MANY = 5000 };
	struct waiting waiting = { .waiter.wake = on_turn_at_last, .number = 1, .uid = MANY / 2 };

	begin(TOTAL, PER_USER);
	for (int i = 0; i < MANY; i++) {
		user_begin_work(user_of(service.users, i));
		user_end_work(user_of(service.users, i));
	}
	for (int i = 0; i < MANY; i++)
		ck_assert_int_eq(user_of(service.users, i)->uid, i);
	user_wait_for_turn(user_of(service.users, waiting.uid), &waiting.waiter);
	ck_assert_int_eq(loop_run(service.loop), 0);
	ck_assert_int_eq(n_woken, 1);
	end();
}
END_TEST

int main(void)
{
	return RUN_TESTS(who_comes_late_finds_some, a_charge_grows_and_shrinks,
			 a_part_of_the_share, who_is_short_is_woken, who_is_short_is_woken_by_a_higher_limit,
			 turns_go_around, who_used_less_goes_first,
			 a_turn_is_not_put_off, users_are_found_among_many);
}
