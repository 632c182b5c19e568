#include "daemon/api/user.h"

#include <assert.h>
#include <errno.h>
#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>

#include "daemon/api/call.h"
#include "daemon/base/clock.h"
#include "daemon/base/log.h"
#include "daemon/base/loop.h"
#include "proto/limits.h"

/* A user's part of a turn of the loop. A piece of work that has begun is finished. */
#define TURN_USEC 25
/* Beside whom nobody was at work for so long is alone. */
#define ALONE_USEC (100 * USEC_PER_MSEC)
/* Who makes one call after the other has his next one there within such a time: until then it is
 * his turn if he had less of the loop's time than others. What he did not use he may catch up on
 * later, up to a limit. */
#define GAP_USEC 50
#define CREDIT_USEC 20000
/* Waiters for a slot that go away empty-handed, until the others wait for more to be given back. */
#define VAIN_WAKES_MAX 16
#define ACTIVE_FEW 16

struct users {
	struct service *service;
	struct user_limits limits;
	struct table table; // of all, by uid
	struct user *first;
	/* Users may be many: those who were at work lately, or have something that waits, and some
	 * more, are all that are looked at when it is to be known whose turn it is. */
	struct user *active;
	size_t n_active;
	size_t n_active_max; // until those who are not any more are left out
	bool serving; // walks them
	int64_t held[_USER_SLOT_MAX];
	int64_t n_holders[_USER_SLOT_MAX];
	int n_working; // pieces of work, one within the other
	int64_t work_began_usec;
	int64_t used_usec; // by the user who has used most
	const struct user *latest; // was at work last
	int64_t before_usec; // when another one was, before that
	struct event *turn; // there are waiters to wake
	bool turn_is_due; // `turn` is to fire, or about to
};

/* What one user may have as long as there is any, whatever the share. */
static const int64_t least[_USER_SLOT_MAX] = {
	[USER_CONNECTIONS] = 1,
	[USER_REQUESTS] = 1,
	[USER_WATCHES] = 1,
	[USER_LARGE_MESSAGES] = 1,
	[USER_OUTPUT] = PAGE_BYTES_MAX,
	[USER_UNUSED_SOCKETS] = 1,
};

static const char *const slot_names[_USER_SLOT_MAX] = {
	[USER_CONNECTIONS] = "connections",
	[USER_REQUESTS] = "requests",
	[USER_WATCHES] = "watches",
	[USER_LARGE_MESSAGES] = "large messages",
	[USER_INPUT] = "bytes of input",
	[USER_OUTPUT] = "bytes of output",
	[USER_UNUSED_SOCKETS] = "sockets that it has not used yet",
};

/* ---- Waiters ---- */

static void waiters_init(struct user_waiters *waiters)
{
	*waiters = (struct user_waiters){ .tail = &waiters->first };
}

static void waiters_add(struct user_waiters *waiters, struct user_waiter *waiter)
{
	struct user_waiter **link = waiters->cursor ? waiters->cursor : waiters->tail;

	waiter->list = waiters;
	waiter->next = *link;
	waiter->link = link;
	*link = waiter;
	if (waiter->next)
		waiter->next->link = &waiter->next;
	else
		waiters->tail = &waiter->next;
	waiters->n++;
}

void user_stop_waiting(struct user_waiter *waiter)
{
	struct user_waiters *waiters = waiter->list;

	if (!waiters)
		return;
	*waiter->link = waiter->next;
	if (waiter->next)
		waiter->next->link = waiter->link;
	else
		waiters->tail = waiter->link;
	if (waiters->cursor == &waiter->next)
		waiters->cursor = waiter->link;
	waiters->n--;
	waiter->list = NULL;
}

/* The waiter may be gone afterwards, or wait again. */
static void wake(struct user *user, struct user_waiter *waiter)
{
	user_stop_waiting(waiter);
	user_begin_work(user);
	waiter->wake(waiter);
	user_end_work(user);
}

/* ---- Turns ---- */

/* What is due is left alone: adding an event that is about to fire puts it off, and who works in every
 * turn of the loop could put it off for ever. */
static void plan_turn(struct users *users, int64_t in_usec)
{
	const struct timeval in = { .tv_usec = in_usec };

	if (users->turn_is_due || (in_usec && evtimer_pending(users->turn, NULL)))
		return;
	users->turn_is_due = !in_usec;
	(void)evtimer_add(users->turn, &in);
}

static bool is_active(const struct user *user, int64_t now)
{
	for (enum user_slot slot = 0; slot < _USER_SLOT_MAX; slot++)
		if (user->short_of[slot].first)
			return true;
	return user->turn.first || user->relieved || now - user->worked_last_usec < GAP_USEC;
}

static void forget_inactive(struct users *users)
{
	struct user **link = &users->active;
	int64_t now = clock_monotonic_usec();

	users->n_active = 0;
	while (*link) {
		struct user *user = *link;

		user->active = is_active(user, now);
		users->n_active += user->active;
		if (user->active)
			link = &user->next_active;
		else
			*link = user->next_active;
	}
	users->n_active_max = 2 * users->n_active + ACTIVE_FEW;
}

static void activate(struct user *user)
{
	struct users *users = user->users;

	if (user->active)
		return;
	if (users->n_active >= users->n_active_max && !users->serving)
		forget_inactive(users);
	user->active = true;
	user->next_active = users->active;
	users->active = user;
	users->n_active++;
}

/* How long it may be the turn of others, who have used less. */
static int64_t time_to_wait(const struct user *user, int64_t now)
{
	int64_t until = now;

	for (const struct user *each = user->users->active; each; each = each->next_active) {
		int64_t theirs = each->turn.first ? now + GAP_USEC : each->worked_last_usec + GAP_USEC;

		if (each->used_usec + TURN_USEC < user->used_usec && theirs > until)
			until = theirs;
	}
	return until - now;
}

static void follow_turn(struct user *user)
{
	uint64_t turn = loop_turns(user->users->service->loop);

	if (user->turn_number != turn)
		user->worked_usec = 0;
	user->turn_number = turn;
}

bool user_is_alone(const struct user *user)
{
	const struct users *users = user->users;
	bool is_latest = !users->latest || users->latest == user;
	int64_t other_usec = is_latest ? users->before_usec : users->latest->worked_last_usec;

	return clock_monotonic_usec() - other_usec > ALONE_USEC;
}

bool user_has_turn(struct user *user)
{
	const struct users *users = user->users;
	int64_t now = clock_monotonic_usec(), working;

	follow_turn(user);
	working = users->n_working ? now - users->work_began_usec : 0;
	return user->worked_usec + working < TURN_USEC && !time_to_wait(user, now);
}

void user_begin_work(struct user *user)
{
	struct users *users = user->users;

	if (users->n_working++)
		return;
	users->work_began_usec = clock_monotonic_usec();
	if (user->used_usec < users->used_usec - CREDIT_USEC)
		user->used_usec = users->used_usec - CREDIT_USEC;
}

void user_worked_elsewhere(struct user *user, int64_t usec)
{
	struct users *users = user->users;

	user->used_usec += usec;
	if (users->used_usec < user->used_usec)
		users->used_usec = user->used_usec;
}

void user_end_work(struct user *user)
{
	struct users *users = user->users;
	int64_t now, worked;

	if (--users->n_working)
		return;
	now = clock_monotonic_usec();
	worked = now - users->work_began_usec;
	follow_turn(user);
	user->worked_usec += worked;
	user->worked_last_usec = now;
	if (users->latest && users->latest != user)
		users->before_usec = users->latest->worked_last_usec;
	users->latest = user;
	activate(user);
	user_worked_elsewhere(user, worked);
	if (evtimer_pending(users->turn, NULL))
		plan_turn(users, 0); // it may be another's turn now
}

/* Something of the slot was given back: wakes who is short of it, as far as that goes. */
static void relieve(struct user *user, enum user_slot slot)
{
	struct user_waiters *waiters = &user->short_of[slot];

	user->relieved &= ~(1u << slot);
	waiters->cursor = &waiters->first;
	while (*waiters->cursor && waiters->in_vain < VAIN_WAKES_MAX) {
		int64_t before = waiters->n;

		if (!user_has_turn(user)) {
			user->relieved |= 1u << slot; // goes on in the next one
			waiters->cursor = NULL;
			return;
		}
		wake(user, *waiters->cursor);
		if (waiters->n < before)
			continue;
		waiters->in_vain++;
		if (*waiters->cursor)
			waiters->cursor = &(*waiters->cursor)->next;
	}
	waiters->in_vain = 0;
	waiters->cursor = NULL;
}

static void serve(struct user *user)
{
	for (enum user_slot slot = 0; slot < _USER_SLOT_MAX; slot++)
		if (user->relieved & (1u << slot))
			relieve(user, slot);
	while (user->turn.first && user_has_turn(user))
		wake(user, user->turn.first);
}

static void on_turn(evutil_socket_t fd, short events, void *userdata)
{
	struct users *users = userdata;
	int64_t now, wait, soonest = INT64_MAX;

	(void)fd;
	(void)events;
	users->turn_is_due = false;
	users->serving = true;
	for (struct user *user = users->active; user; user = user->next_active)
		serve(user);
	users->serving = false;
	now = clock_monotonic_usec();
	for (struct user *user = users->active; user; user = user->next_active) {
		wait = time_to_wait(user, now);
		if ((user->turn.first || user->relieved) && wait < soonest)
			soonest = wait;
	}
	if (soonest < INT64_MAX)
		plan_turn(users, soonest);
}

void user_wait_for_turn(struct user *user, struct user_waiter *waiter)
{
	if (waiter->list)
		return;
	waiters_add(&user->turn, waiter);
	activate(user);
	plan_turn(user->users, 0);
}

bool user_take_turn(struct user *user, struct user_waiter *waiter)
{
	if (!user->turn.first && user_has_turn(user))
		return true;
	user_wait_for_turn(user, waiter);
	return false;
}

void user_wait_for_slot(struct user *user, enum user_slot slot, struct user_waiter *waiter)
{
	if (waiter->list)
		return;
	waiters_add(&user->short_of[slot], waiter);
	activate(user);
}

/* ---- Slots ---- */

/* There may be more of it for them. */
static void wake_short_of(struct users *users, enum user_slot slot)
{
	for (struct user *each = users->active; each; each = each->next_active)
		if (each->short_of[slot].first) {
			each->relieved |= 1u << slot;
			plan_turn(users, 0);
		}
}

static void account(struct user_charge *charge, int64_t amount)
{
	struct user *user = charge->user;
	enum user_slot slot = charge->slot;
	struct users *users = user->users;
	int64_t more = amount - charge->amount;
	bool held_some = user->held[slot] > 0;

	user->held[slot] += more;
	users->held[slot] += more;
	users->n_holders[slot] += (user->held[slot] > 0) - held_some;
	charge->amount = amount;
	if (more < 0)
		wake_short_of(users, slot);
}

/* With n users who hold some, the asker among them, 3 / (3n + 1) of what the others leave: a user
 * alone may have three quarters. */
static int64_t share_of(const struct user *user, enum user_slot slot)
{
	const struct users *users = user->users;
	const struct user_limit *limit = &users->limits.slots[slot];
	int64_t left = limit->total - users->held[slot] + user->held[slot];
	int64_t n = users->n_holders[slot] + !user->held[slot];
	int64_t share = left > 0 ? left * 3 / (3 * n + 1) : 0;

	if (share < least[slot])
		share = left < least[slot] ? left : least[slot];
	return share < limit->per_user ? share : limit->per_user;
}

void user_describe(const struct user *user, enum user_slot slot, char *ret_text, unsigned size)
{
	(void)snprintf(ret_text, size, "user %lld has %lld of at most %lld %s",
		       (long long)user->uid, (long long)user->held[slot],
		       (long long)share_of(user, slot), slot_names[slot]);
}

static void log_refusal(struct user *user, enum user_slot slot)
{
	const struct users *users = user->users;
	char numbers[256];

	if (user->refused & (1u << slot))
		return;
	user->refused |= 1u << slot;
	user_describe(user, slot, numbers, sizeof(numbers));
	log_about(LOG_NOTICE, ABOUT(.message = LOG_USER_LIMIT),
		  "%s: a limit is reached; all %lld users have %lld of %lld", numbers,
		  (long long)users->n_holders[slot], (long long)users->held[slot],
		  (long long)users->limits.slots[slot].total);
}

bool user_take_part(struct user_charge *charge, struct user *user, enum user_slot slot,
		    int64_t amount, int quarters)
{
	int64_t share = share_of(user, slot);

	if (user->held[slot] > charge->amount)
		share = share * quarters / USER_OUTPUT_WHOLE;
	if (amount > charge->amount && user->held[slot] + amount - charge->amount > share) {
		log_refusal(user, slot);
		return false;
	}
	user_hold(charge, user, slot, amount);
	return true;
}

bool user_take(struct user_charge *charge, struct user *user, enum user_slot slot, int64_t amount)
{
	return user_take_part(charge, user, slot, amount, USER_OUTPUT_WHOLE);
}

void user_hold(struct user_charge *charge, struct user *user, enum user_slot slot, int64_t amount)
{
	assert(!charge->amount || (charge->user == user && charge->slot == slot));
	charge->user = user;
	charge->slot = slot;
	if (amount != charge->amount)
		account(charge, amount);
}

void user_give_back(struct user_charge *charge)
{
	if (charge->amount)
		account(charge, 0);
}

void user_move(struct user_charge *from, struct user_charge *to)
{
	user_give_back(to);
	*to = *from;
	*from = (struct user_charge){ 0 };
}

/* ---- Introduction ---- */

struct user_introduction {
	struct user_ensure op;
	struct user *user;
};

static void on_introduced(struct store_request *request)
{
	struct user_introduction *introduction = request->userdata;
	struct user *user = introduction->user;

	user->users->service->n_under_way--;
	user->introduction = NULL;
	/* Even when it failed calls are served: each says itself what the store cannot do. */
	user->is_known = request->result == 0;
	if (request->result < 0)
		log_error("user %lld cannot be added: %s", (long long)user->uid,
			  request->fault.message);
	for (int64_t n = user->strangers.n; n > 0 && user->strangers.first; n--)
		wake(user, user->strangers.first);
	store_request_done(request);
	free(introduction);
}

void user_introduce(struct user *user, struct user_waiter *waiter)
{
	struct service *service = user->users->service;
	struct user_introduction *introduction;

	if (user->is_known) {
		waiter->wake(waiter);
		return;
	}
	waiters_add(&user->strangers, waiter);
	if (user->introduction)
		return;
	introduction = calloc(1, sizeof(*introduction));
	if (!introduction) {
		log_error("out of memory: user %lld is not served", (long long)user->uid);
		return;
	}
	introduction->user = user;
	introduction->op.uid = user->uid;
	user->introduction = introduction;
	service->n_under_way++;
	store_request_init(&introduction->op.request, service->loop, on_introduced, introduction);
	store_user_ensure(service->store, &introduction->op);
}

/* ---- Life ---- */

struct user *user_of(struct users *users, int64_t uid)
{
	uint64_t hash = table_hash((uint64_t)uid);
	struct table_node *node = table_first(&users->table, hash);
	struct user *user;

	while (node && ((struct user *)node)->uid != uid)
		node = table_next(node);
	if (node)
		return (struct user *)node; // its first member
	user = calloc(1, sizeof(*user));
	if (!user)
		return NULL;
	user->users = users;
	user->uid = uid;
	waiters_init(&user->strangers);
	waiters_init(&user->turn);
	for (enum user_slot slot = 0; slot < _USER_SLOT_MAX; slot++)
		waiters_init(&user->short_of[slot]);
	user->next = users->first;
	users->first = user;
	table_add(&users->table, &user->node, hash);
	return user;
}

void users_set_limits(struct users *users, const struct user_limits *limits)
{
	users->limits = *limits;
	for (enum user_slot slot = 0; slot < _USER_SLOT_MAX; slot++)
		wake_short_of(users, slot);
}

int users_new(struct service *service, const struct user_limits *limits, struct users **ret_users)
{
	struct users *users = calloc(1, sizeof(*users));

	if (!users)
		return -ENOMEM;
	users->service = service;
	users->limits = *limits;
	users->turn = event_new(loop_base(service->loop), -1, 0, on_turn, users);
	if (!users->turn || table_init(&users->table) < 0) {
		users_free(users);
		return -ENOMEM;
	}
	*ret_users = users;
	return 0;
}

struct users *users_free(struct users *users)
{
	if (!users)
		return NULL;
	for (enum user_slot slot = 0; slot < _USER_SLOT_MAX; slot++)
		assert(users->held[slot] == 0);
	while (users->first) {
		struct user *user = users->first;

		users->first = user->next;
		free(user);
	}
	if (users->turn)
		event_free(users->turn);
	table_done(&users->table);
	free(users);
	return NULL;
}
