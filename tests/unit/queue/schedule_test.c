/* Who is next: turns between users, priorities within one, slots. */
#include <errno.h>
#include <stdlib.h>

#include "daemon/queue/schedule.h"
#include "tests/unit/suite.h"

static struct schedule *schedule;

static void start(int64_t max_pending, int64_t per_user, int64_t running, int64_t running_per_user)
{
	const struct queue_limits limits = {
		.max_pending = max_pending,
		.max_pending_per_user = per_user,
		.max_running = running,
		.max_running_per_user = running_per_user,
		.max_interactive = 6,
		.max_interactive_per_user = 2,
	};

	ck_assert_int_eq(schedule_new(&limits, &schedule), 0);
}

static struct schedule_entry entry(int64_t uid, enum task_priority priority)
{
	return (struct schedule_entry){ .uid = uid, .turn.priority = priority };
}

static void teardown(void)
{
	schedule = schedule_free(schedule);
}

START_TEST(users_take_turns)
{
	struct schedule_entry many[4], few[2];
	int64_t turns[6];

	start(100, 100, 100, 100);
	for (int i = 0; i < 4; i++) {
		many[i] = entry(1000, PRIORITY_NORMAL);
		ck_assert_int_eq(schedule_wait(schedule, &many[i]), 0);
	}
	for (int i = 0; i < 2; i++) {
		few[i] = entry(1001, PRIORITY_NORMAL);
		ck_assert_int_eq(schedule_wait(schedule, &few[i]), 0);
	}
	for (int i = 0; i < 6; i++) {
		struct schedule_entry *next = schedule_next(schedule);

		ck_assert_ptr_nonnull(next);
		turns[i] = next->uid;
		ck_assert_int_eq(schedule_run(schedule, next), 0);
	}
	ck_assert_int_ne(turns[0], turns[1]);
	ck_assert_int_ne(turns[2], turns[3]);
	ck_assert_int_eq(turns[4], 1000);
	ck_assert_int_eq(turns[5], 1000);
	ck_assert_ptr_null(schedule_next(schedule));
}
END_TEST

START_TEST(priority_goes_before_age)
{
	struct schedule_entry batch = entry(1, PRIORITY_BATCH);
	struct schedule_entry first = entry(1, PRIORITY_NORMAL);
	struct schedule_entry second = entry(1, PRIORITY_NORMAL);

	start(10, 10, 10, 10);
	ck_assert_int_eq(schedule_wait(schedule, &batch), 0);
	ck_assert_int_eq(schedule_wait(schedule, &first), 0);
	ck_assert_int_eq(schedule_wait(schedule, &second), 0);
	ck_assert_ptr_eq(schedule_next(schedule), &first);
	schedule_leave(schedule, &first);
	ck_assert_ptr_eq(schedule_next(schedule), &second);
	schedule_leave(schedule, &second);
	ck_assert_ptr_eq(schedule_next(schedule), &batch);
	ck_assert_int_eq(schedule_n_waiting(schedule), 1);
}
END_TEST

/* Normal tasks get four slots where batch tasks get one: neither waits for ever. */
START_TEST(priorities_share_slots)
{
	struct schedule_entry normal[20], batch[20];
	int n_normal = 0, n_batch = 0;

	start(100, 100, 1, 1);
	for (int i = 0; i < 20; i++) {
		batch[i] = entry(1, PRIORITY_BATCH);
		normal[i] = entry(1, PRIORITY_NORMAL);
		ck_assert_int_eq(schedule_wait(schedule, &batch[i]), 0);
		ck_assert_int_eq(schedule_wait(schedule, &normal[i]), 0);
	}
	for (int i = 0; i < 10; i++) {
		struct schedule_entry *next = schedule_next(schedule);

		n_normal += next == &normal[n_normal];
		n_batch += next == &batch[n_batch];
		ck_assert_int_eq(schedule_run(schedule, next), 0);
		ck_assert_ptr_null(schedule_next(schedule));
		schedule_leave(schedule, next);
	}
	ck_assert_int_eq(n_normal, 8);
	ck_assert_int_eq(n_batch, 2);
}
END_TEST

/* Interactive tasks come and go, and cost the user's others nothing. */
START_TEST(interactive_costs_no_turn)
{
	struct schedule_entry normal = entry(1, PRIORITY_NORMAL);
	struct schedule_entry batch = entry(1, PRIORITY_BATCH);
	struct schedule_entry mine = entry(1, PRIORITY_NORMAL);
	struct schedule_entry other = entry(2, PRIORITY_NORMAL);
	struct schedule_entry interactive;

	start(100, 100, 1, 1);
	ck_assert_int_eq(schedule_run(schedule, &normal), 0);
	ck_assert_int_eq(schedule_wait(schedule, &mine), 0);
	ck_assert_int_eq(schedule_wait(schedule, &batch), 0);
	ck_assert_int_eq(schedule_wait(schedule, &other), 0);
	for (int i = 0; i < 50; i++) {
		interactive = entry(1, PRIORITY_INTERACTIVE);
		ck_assert_int_eq(schedule_wait(schedule, &interactive), 0);
		ck_assert_ptr_eq(schedule_next(schedule), &interactive);
		ck_assert_int_eq(schedule_run(schedule, &interactive), 0);
		schedule_leave(schedule, &interactive);
	}
	schedule_leave(schedule, &normal);
	ck_assert_ptr_eq(schedule_next(schedule), &mine);
	ck_assert_int_eq(schedule_run(schedule, &mine), 0);
	schedule_leave(schedule, &mine);
	ck_assert_ptr_eq(schedule_next(schedule), &other);
}
END_TEST

/* Who was never served is served next, whoever has waited before. */
START_TEST(newcomer_gets_the_next_slot)
{
	struct schedule_entry many[6], last = entry(9, PRIORITY_BATCH);

	start(100, 100, 1, 1);
	for (int i = 0; i < 6; i++) {
		many[i] = entry(1 + i % 3, PRIORITY_NORMAL);
		ck_assert_int_eq(schedule_wait(schedule, &many[i]), 0);
	}
	for (int i = 0; i < 3; i++) {
		struct schedule_entry *next = schedule_next(schedule);

		ck_assert_int_eq(schedule_run(schedule, next), 0);
		schedule_leave(schedule, next);
	}
	ck_assert_int_eq(schedule_wait(schedule, &last), 0);
	ck_assert_ptr_eq(schedule_next(schedule), &last);
}
END_TEST

START_TEST(held_ones_have_no_turn)
{
	struct schedule_entry held = entry(1, PRIORITY_NORMAL), waits = entry(1, PRIORITY_NORMAL);

	held.turn.age = 1;
	waits.turn.age = 2;
	start(2, 2, 1, 1);
	ck_assert_int_eq(schedule_run(schedule, &held), 0);
	ck_assert_int_eq(schedule_wait(schedule, &waits), 0);
	ck_assert_ptr_null(schedule_next(schedule));
	/* It gives up its slot, and counts among those that wait. */
	ck_assert_int_eq(schedule_hold(schedule, &held), 0);
	ck_assert_int_eq(schedule_n_running(schedule), 0);
	ck_assert_ptr_eq(schedule_next(schedule), &waits);
	ck_assert_int_eq(schedule_n_waiting(schedule), 1);
	ck_assert_int_eq(schedule_admit(schedule, 1), -EAGAIN);
	schedule_admitted(schedule, 1);
	/* The older one goes first, although it came back later. */
	ck_assert_int_eq(schedule_wait(schedule, &held), 0);
	ck_assert_ptr_eq(schedule_next(schedule), &held);
	schedule_leave(schedule, &held);
	ck_assert_ptr_eq(schedule_next(schedule), &waits);
	ck_assert_int_eq(schedule_admit(schedule, 1), 0);
	schedule_admitted(schedule, 1);
	schedule_leave(schedule, &waits);
	ck_assert_ptr_null(schedule_next(schedule));
	ck_assert_int_eq(schedule_n_waiting(schedule), 0);
}
END_TEST

START_TEST(priorities_change)
{
	struct schedule_entry entries[3];

	start(10, 10, 1, 1);
	for (int i = 0; i < 3; i++) {
		entries[i] = entry(1, PRIORITY_BATCH);
		entries[i].turn.age = i;
		ck_assert_int_eq(schedule_wait(schedule, &entries[i]), 0);
	}
	schedule_set_priority(schedule, &entries[2], PRIORITY_NORMAL);
	ck_assert_ptr_eq(schedule_next(schedule), &entries[2]);
	schedule_set_priority(schedule, &entries[1], PRIORITY_NORMAL);
	ck_assert_ptr_eq(schedule_next(schedule), &entries[1]);
	ck_assert_int_eq(schedule_n_waiting(schedule), 3);
	/* One that runs takes a slot, or gives it up. */
	ck_assert_int_eq(schedule_run(schedule, &entries[1]), 0);
	ck_assert_ptr_null(schedule_next(schedule));
	schedule_set_priority(schedule, &entries[1], PRIORITY_INTERACTIVE);
	ck_assert_ptr_nonnull(schedule_next(schedule));
	schedule_set_priority(schedule, &entries[1], PRIORITY_BATCH);
	ck_assert_ptr_null(schedule_next(schedule));
	schedule_leave(schedule, &entries[1]);
	/* A held one keeps its place, and has the new priority when it waits again. */
	ck_assert_int_eq(schedule_hold(schedule, &entries[2]), 0);
	schedule_set_priority(schedule, &entries[2], PRIORITY_BATCH);
	ck_assert_int_eq(schedule_wait(schedule, &entries[2]), 0);
	ck_assert_ptr_eq(schedule_next(schedule), &entries[0]);
	schedule_leave(schedule, &entries[0]);
	ck_assert_ptr_eq(schedule_next(schedule), &entries[2]);
	schedule_leave(schedule, &entries[2]);
}
END_TEST

START_TEST(interactive_has_its_own_slots)
{
	struct schedule_entry normal = entry(1, PRIORITY_NORMAL);
	struct schedule_entry waits = entry(1, PRIORITY_NORMAL);
	struct schedule_entry interactive = entry(1, PRIORITY_INTERACTIVE);

	start(10, 10, 1, 1);
	ck_assert_int_eq(schedule_run(schedule, &normal), 0);
	ck_assert(!schedule_has_room(schedule, 1, PRIORITY_NORMAL));
	ck_assert(!schedule_has_room(schedule, 2, PRIORITY_BATCH));
	ck_assert(schedule_has_room(schedule, 1, PRIORITY_INTERACTIVE));
	ck_assert_int_eq(schedule_wait(schedule, &waits), 0);
	ck_assert_ptr_null(schedule_next(schedule));
	ck_assert_int_eq(schedule_wait(schedule, &interactive), 0);
	ck_assert_ptr_eq(schedule_next(schedule), &interactive);
	ck_assert_int_eq(schedule_run(schedule, &interactive), 0);
	ck_assert_int_eq(schedule_n_running(schedule), 2);
	schedule_leave(schedule, &normal);
	ck_assert_ptr_eq(schedule_next(schedule), &waits);
}
END_TEST

/* Beyond his own, a user's interactive tasks wait like any other, and others still find a slot. */
START_TEST(interactive_is_limited)
{
	struct schedule_entry mine[3], others[4];

	start(3, 3, 10, 10);
	for (int i = 0; i < 3; i++) {
		mine[i] = entry(1, PRIORITY_INTERACTIVE);
		mine[i].turn.age = i;
		ck_assert_int_eq(schedule_wait(schedule, &mine[i]), 0);
	}
	ck_assert_int_eq(schedule_admit(schedule, 1), -EAGAIN);
	schedule_admitted(schedule, 1);
	for (int i = 0; i < 2; i++)
		ck_assert_int_eq(schedule_run(schedule, schedule_next(schedule)), 0);
	ck_assert_ptr_null(schedule_next(schedule));
	ck_assert(!schedule_has_room(schedule, 1, PRIORITY_INTERACTIVE));
	for (int i = 0; i < 4; i++) {
		ck_assert(schedule_has_room(schedule, 2 + i, PRIORITY_INTERACTIVE));
		others[i] = entry(2 + i, PRIORITY_INTERACTIVE);
		ck_assert_int_eq(schedule_run(schedule, &others[i]), 0);
	}
	ck_assert(!schedule_has_room(schedule, 6, PRIORITY_INTERACTIVE));
	for (int i = 0; i < 4; i++)
		schedule_leave(schedule, &others[i]);
	schedule_leave(schedule, &mine[0]);
	ck_assert_ptr_eq(schedule_next(schedule), &mine[2]);
}
END_TEST

/* Two users who take all they can leave places to a third. */
START_TEST(places_to_wait_are_shared)
{
	int64_t n[4] = { 0 };

	start(100, 60, 1, 1);
	for (int64_t uid = 1; uid < 4; uid++) {
		while (schedule_admit(schedule, uid) == 0)
			n[uid]++;
		schedule_admitted(schedule, uid);
	}
	ck_assert_int_eq(n[1], 60);
	ck_assert_int_gt(n[2], 10);
	ck_assert_int_gt(n[3], 5);
	for (int64_t uid = 1; uid < 4; uid++)
		while (n[uid]-- > 0)
			schedule_admitted(schedule, uid);
}
END_TEST

START_TEST(one_user_leaves_slots_to_others)
{
	struct schedule_entry mine[3], other = entry(2, PRIORITY_NORMAL);

	start(10, 10, 3, 2);
	for (int i = 0; i < 3; i++) {
		mine[i] = entry(1, PRIORITY_NORMAL);
		ck_assert_int_eq(schedule_wait(schedule, &mine[i]), 0);
	}
	for (int i = 0; i < 2; i++)
		ck_assert_int_eq(schedule_run(schedule, schedule_next(schedule)), 0);
	ck_assert_ptr_null(schedule_next(schedule));
	ck_assert_int_eq(schedule_wait(schedule, &other), 0);
	ck_assert_ptr_eq(schedule_next(schedule), &other);
}
END_TEST

START_TEST(newcomer_does_not_pass_who_waits)
{
	struct schedule_entry running = entry(1, PRIORITY_NORMAL);
	struct schedule_entry waits = entry(1, PRIORITY_NORMAL);

	start(10, 10, 1, 1);
	ck_assert(schedule_has_room(schedule, 1, PRIORITY_NORMAL));
	ck_assert_int_eq(schedule_run(schedule, &running), 0);
	ck_assert_int_eq(schedule_wait(schedule, &waits), 0);
	schedule_leave(schedule, &running);
	ck_assert(!schedule_has_room(schedule, 1, PRIORITY_NORMAL));
	ck_assert(schedule_has_room(schedule, 1, PRIORITY_INTERACTIVE));
}
END_TEST

/* Submissions that are with the store have their slots already. */
START_TEST(reserved_slots_are_taken)
{
	start(100, 100, 3, 2);
	for (int i = 0; i < 2; i++) {
		ck_assert_int_eq(schedule_admit(schedule, 1), 0);
		ck_assert(schedule_has_room(schedule, 1, PRIORITY_NORMAL));
		schedule_reserve(schedule, 1, PRIORITY_NORMAL);
	}
	ck_assert_int_eq(schedule_n_running(schedule), 2);
	ck_assert(!schedule_has_room(schedule, 1, PRIORITY_NORMAL));
	ck_assert(schedule_has_room(schedule, 1, PRIORITY_INTERACTIVE));
	ck_assert(schedule_has_room(schedule, 2, PRIORITY_NORMAL));
	schedule_unreserve(schedule, 1, PRIORITY_NORMAL);
	schedule_admitted(schedule, 1);
	ck_assert(schedule_has_room(schedule, 1, PRIORITY_NORMAL));
	schedule_unreserve(schedule, 1, PRIORITY_NORMAL);
	schedule_admitted(schedule, 1);
	ck_assert_int_eq(schedule_n_running(schedule), 0);
}
END_TEST

/* What ran and comes back goes before what is younger. */
START_TEST(older_goes_before_younger)
{
	struct schedule_entry entries[4];

	start(100, 100, 100, 100);
	for (int i = 0; i < 4; i++) {
		entries[i] = entry(1, PRIORITY_NORMAL);
		entries[i].turn.age = i + 1;
		ck_assert_int_eq(schedule_wait(schedule, &entries[i]), 0);
	}
	ck_assert_int_eq(schedule_run(schedule, &entries[0]), 0);
	ck_assert_int_eq(schedule_run(schedule, &entries[1]), 0);
	schedule_leave(schedule, &entries[1]);
	ck_assert_int_eq(schedule_wait(schedule, &entries[1]), 0);
	schedule_leave(schedule, &entries[0]);
	ck_assert_int_eq(schedule_wait(schedule, &entries[0]), 0);
	schedule_leave(schedule, &entries[3]);
	ck_assert_int_eq(schedule_wait(schedule, &entries[3]), 0);
	for (int i = 0; i < 4; i++) {
		ck_assert_ptr_eq(schedule_next(schedule), &entries[i]);
		schedule_leave(schedule, &entries[i]);
	}
	ck_assert_ptr_null(schedule_next(schedule));
}
END_TEST

START_TEST(admission_counts_what_is_on_its_way)
{
	struct schedule_entry waits = entry(1, PRIORITY_NORMAL);

	start(3, 2, 1, 1);
	ck_assert_int_eq(schedule_wait(schedule, &waits), 0);
	ck_assert_int_eq(schedule_admit(schedule, 1), 0);
	ck_assert_int_eq(schedule_admit(schedule, 1), -EAGAIN);
	schedule_admitted(schedule, 1);
	ck_assert_int_eq(schedule_admit(schedule, 2), 0);
	ck_assert_int_eq(schedule_admit(schedule, 3), -EAGAIN);
	schedule_admitted(schedule, 1);
	schedule_admitted(schedule, 2);
	schedule_admitted(schedule, 3);
	ck_assert_int_eq(schedule_admit(schedule, 3), 0);
}
END_TEST

START_TEST(names_of_priorities)
{
	ck_assert_int_eq(task_priority_from_name("interactive"), PRIORITY_INTERACTIVE);
	ck_assert_int_eq(task_priority_from_name("batch"), PRIORITY_BATCH);
	ck_assert_int_eq(task_priority_from_name("normal"), PRIORITY_NORMAL);
	ck_assert_int_eq(task_priority_from_name(NULL), PRIORITY_NORMAL);
}
END_TEST

int main(void)
{
	return RUN_TESTS_WITH(NULL, teardown, users_take_turns, priority_goes_before_age,
			      priorities_share_slots, interactive_costs_no_turn,
			      newcomer_gets_the_next_slot, held_ones_have_no_turn,
			      priorities_change, interactive_has_its_own_slots,
			      interactive_is_limited, places_to_wait_are_shared,
			      one_user_leaves_slots_to_others, newcomer_does_not_pass_who_waits,
			      admission_counts_what_is_on_its_way, reserved_slots_are_taken,
			      older_goes_before_younger, names_of_priorities);
}
