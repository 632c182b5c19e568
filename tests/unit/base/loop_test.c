/* The loop and its mailbox: order, many posters, stop. */
#include <pthread.h>
#include <stdlib.h>

#include "daemon/base/clock.h"
#include "daemon/base/loop.h"
#include "tests/unit/suite.h"

#define POSTERS 4
#define MESSAGES 5000

struct numbered {
	struct message message;
	int poster;
	int number;
};

static struct loop *loop;
static int delivered;
static int next_number[POSTERS];
static int turns;

static void on_number(struct message *message)
{
	struct numbered *numbered = (struct numbered *)message;

	ck_assert(loop_is_here(loop));
	ck_assert_int_eq(numbered->number, next_number[numbered->poster]++);
	free(numbered);
	if (++delivered == POSTERS * MESSAGES)
		loop_stop(loop);
}

static void *post_all(void *userdata)
{
	int poster = *(int *)userdata;

	for (int i = 0; i < MESSAGES; i++) {
		struct numbered *numbered = calloc(1, sizeof(*numbered));

		numbered->message.deliver = on_number;
		numbered->poster = poster;
		numbered->number = i;
		loop_post(loop, &numbered->message);
	}
	return NULL;
}

static void count_turn(void *userdata)
{
	(*(int *)userdata)++;
}

START_TEST(each_poster_is_delivered_in_order)
{
	pthread_t threads[POSTERS];
	int posters[POSTERS];

	ck_assert_int_eq(loop_new("test", &loop), 0);
	loop_on_turn(loop, count_turn, &turns);
	ck_assert_int_eq(loop_start(loop), 0);
	for (int i = 0; i < POSTERS; i++) {
		posters[i] = i;
		ck_assert_int_eq(pthread_create(&threads[i], NULL, post_all, &posters[i]), 0);
	}
	for (int i = 0; i < POSTERS; i++)
		pthread_join(threads[i], NULL);
	loop_join(loop);
	ck_assert_int_eq(delivered, POSTERS * MESSAGES);
	ck_assert_int_gt(turns, 0);
	ck_assert_uint_eq(loop_turns(loop), (uint64_t)turns);
	ck_assert(!loop_is_here(loop));
	loop = loop_free(loop);
}
END_TEST

static void set_flag(struct message *message)
{
	struct numbered *numbered = (struct numbered *)message;

	numbered->number = 1;
}

START_TEST(what_was_posted_before_a_stop_is_delivered)
{
	struct numbered before = { .message.deliver = set_flag };

	ck_assert_int_eq(loop_new("test", &loop), 0);
	loop_post(loop, &before.message);
	loop_stop(loop);
	ck_assert_int_eq(loop_run(loop), 0);
	ck_assert_int_eq(before.number, 1);
	loop = loop_free(loop);
}
END_TEST

struct slow {
	struct message message;
	int64_t turn; // of the loop, when it was delivered
};

static void on_slow(struct message *message)
{
	struct slow *slow = (struct slow *)message;
	int64_t until = clock_monotonic_usec() + 2 * USEC_PER_MSEC;

	slow->turn = turns;
	while (clock_monotonic_usec() < until)
		;
	if (++delivered == 3)
		loop_stop(loop);
}

/* Much mail does not keep the loop from its other events. */
START_TEST(a_turn_delivers_a_part_of_the_mail)
{
	struct slow slow[3];

	ck_assert_int_eq(loop_new("test", &loop), 0);
	loop_on_turn(loop, count_turn, &turns);
	for (int i = 0; i < 3; i++) {
		slow[i].message.deliver = on_slow;
		loop_post(loop, &slow[i].message);
	}
	ck_assert_int_eq(loop_run(loop), 0);
	ck_assert_int_lt(slow[0].turn, slow[1].turn);
	ck_assert_int_lt(slow[1].turn, slow[2].turn);
	loop_free(loop);
}
END_TEST

static void stop_slowly(struct message *message)
{
	loop_stop(loop);
	on_slow(message);
	loop_stop(loop);
}

/* The stop waits behind other mail, and is wanted again meanwhile. */
START_TEST(stopping_more_than_once)
{
	struct slow slow[3];

	ck_assert_int_eq(loop_new("test", &loop), 0);
	for (int i = 0; i < 3; i++) {
		slow[i].message.deliver = stop_slowly;
		loop_post(loop, &slow[i].message);
	}
	ck_assert_int_eq(loop_run(loop), 0);
	ck_assert_int_eq(delivered, 3);
	loop_free(loop);
}
END_TEST

#define N_GATHERED 100

static struct loop *receivers[2];
static struct numbered gathered[N_GATHERED];

static void on_gathered(struct message *message)
{
	struct numbered *numbered = (struct numbered *)message;

	ck_assert(loop_is_here(receivers[numbered->poster]));
	ck_assert_int_eq(numbered->number, next_number[numbered->poster]++);
}

static void *receive(void *userdata)
{
	loop_stop(userdata);
	ck_assert_int_eq(loop_run(userdata), 0);
	return NULL;
}

/* How many have arrived at each. */
static void check_received(int n)
{
	pthread_t thread;

	for (int i = 0; i < 2; i++) {
		ck_assert_int_eq(pthread_create(&thread, NULL, receive, receivers[i]), 0);
		pthread_join(thread, NULL);
		ck_assert_int_eq(next_number[i], n);
	}
}

static void post_gathered(int first)
{
	for (int i = first; i < first + N_GATHERED / 2; i++) {
		gathered[i] = (struct numbered){ { .deliver = on_gathered }, i % 2, i / 2 };
		loop_post(receivers[i % 2], &gathered[i].message);
	}
}

static void on_begin(struct message *message)
{
	(void)message;
	post_gathered(0);
	check_received(0);
	loop_hand_over();
	check_received(N_GATHERED / 4);
	post_gathered(N_GATHERED / 2);
	check_received(N_GATHERED / 4);
	loop_stop(loop);
}

/* At the turn's end, or when it is asked for, and in order. */
START_TEST(what_is_gathered_is_handed_over_together)
{
	struct message begin = { .deliver = on_begin };

	ck_assert_int_eq(loop_new("test", &loop), 0);
	loop_gather(loop);
	for (int i = 0; i < 2; i++)
		ck_assert_int_eq(loop_new("receiver", &receivers[i]), 0);
	loop_post(loop, &begin);
	ck_assert_int_eq(loop_run(loop), 0);
	check_received(N_GATHERED / 2);
	for (int i = 0; i < 2; i++)
		loop_free(receivers[i]);
	loop_free(loop);
}
END_TEST

int main(void)
{
	return RUN_TESTS(each_poster_is_delivered_in_order,
			 what_was_posted_before_a_stop_is_delivered,
			 a_turn_delivers_a_part_of_the_mail, stopping_more_than_once,
			 what_is_gathered_is_handed_over_together);
}
