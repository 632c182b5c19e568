#include "daemon/queue/audience.h"

#include <errno.h>
#include <event2/event.h>
#include <stddef.h>
#include <stdlib.h>

#include "daemon/base/clock.h"
#include "daemon/base/loop.h"

/* Who is not due yet is looked at again no sooner than so much later for each who is there, so that looking
 * takes no more than about a hundredth of the time. */
#define REST_USEC 10
/* So many who are not due are looked at before others on the loop have their turn. */
#define LOOKS_MAX 64

struct audience {
	struct audience *next; // audiences::first
	struct audience **link;
	struct audiences *audiences;
	int64_t uid;
	struct audience_member *first;
	int64_t n;
	struct audience_member *at; // who is next to be told
	int64_t due_usec; // of those before, who is due first; INT64_MAX: nobody
	int64_t rests_until_usec;
	bool changed; // begin again behind the last one
	bool walking;
	int n_looked; // since the walk went on
	bool waits; // for the turn of the one at `at`
	bool has_turn; // who waited for one is told now, whoever waits behind him
	struct event *timer;
};

static struct audience *audience_free(struct audience *audience)
{
	*audience->link = audience->next;
	if (audience->next)
		audience->next->link = audience->link;
	if (audience->timer)
		event_free(audience->timer);
	free(audience);
	return NULL;
}

static void walk_at(struct audience *audience, int64_t at_usec, int64_t now)
{
	int64_t wait = (at_usec < audience->rests_until_usec ? audience->rests_until_usec : at_usec) - now;
	const struct timeval timeout = { .tv_sec = wait / USEC_PER_SEC, .tv_usec = wait % USEC_PER_SEC };

	if (wait > 0)
		(void)event_add(audience->timer, &timeout);
	else
		event_active(audience->timer, EV_TIMEOUT, 0);
}

static void rest(struct audience *audience)
{
	int64_t now = clock_monotonic_usec();

	audience->rests_until_usec = now + audience->n * REST_USEC;
	if (audience->due_usec < INT64_MAX)
		walk_at(audience, audience->due_usec, now);
}

/* Tells who is next, if he is due. False: he has to wait. */
static bool tell_next(struct audience *audience, int64_t now)
{
	const struct audience_kind *kind = audience->audiences->kind;
	struct audience_member *member = audience->at;
	int64_t due = kind->due_usec(member);
	bool is_due = due && due <= now;

	if (is_due && !audience->has_turn && kind->must_wait(member)) {
		audience->waits = true;
		return false;
	}
	audience->has_turn = false;
	audience->at = member->next;
	if (is_due)
		due = kind->tell(member);
	else
		audience->n_looked++;
	if (due && due < audience->due_usec)
		audience->due_usec = due;
	return true;
}

static void begin(struct audience *audience)
{
	audience->changed = false;
	audience->at = audience->first;
	audience->due_usec = INT64_MAX;
}

static void walk(struct audience *audience)
{
	const struct timeval at_once = { 0 }; // in the next turn: what is made active goes on in this one
	int64_t now = clock_monotonic_usec();

	if (audience->walking || audience->waits)
		return;
	audience->walking = true;
	audience->n_looked = 0;
	if (!audience->at && audience->changed)
		begin(audience);
	while (audience->at && audience->n_looked < LOOKS_MAX && tell_next(audience, now))
		if (!audience->at && audience->changed)
			begin(audience);
	audience->walking = false;
	if (!audience->n)
		audience_free(audience);
	else if (!audience->at)
		rest(audience);
	else if (!audience->waits)
		(void)event_add(audience->timer, &at_once);
}

static void on_timer(evutil_socket_t fd, short events, void *userdata)
{
	struct audience *audience = userdata;

	(void)fd;
	(void)events;
	audience->changed |= !audience->at; // else it goes on where it was
	walk(audience);
}

void audience_wake(struct audience *audience)
{
	audience->changed = true;
	walk(audience);
}

void audience_wake_soon(struct audience *audience)
{
	int64_t now = clock_monotonic_usec();

	if (!audience->changed && !audience->waits && !audience->at) // who is on the way goes on at once
		walk_at(audience, now, now);
	audience->changed = true;
}

/* One that nobody is in any more may be telling the last one yet. */
struct audience_member *audiences_first(const struct audiences *audiences)
{
	const struct audience *audience = audiences->first;

	while (audience && !audience->first)
		audience = audience->next;
	return audience ? audience->first : NULL;
}

void audiences_wake(struct audiences *audiences)
{
	struct audience *next;

	for (struct audience *audience = audiences->first; audience; audience = next) {
		next = audience->next;
		audience_wake(audience);
	}
}

void audiences_wake_soon(struct audiences *audiences)
{
	for (struct audience *audience = audiences->first; audience; audience = audience->next)
		audience_wake_soon(audience);
}

void audience_go_on(struct audience_member *member)
{
	struct audience *audience = member->audience;

	if (!audience || !audience->waits || audience->at != member)
		return;
	audience->waits = false;
	audience->has_turn = true;
	walk(audience);
}

/* ---- Who is in it ---- */

static struct audience *audience_new(struct audiences *audiences, int64_t uid)
{
	struct audience *audience = calloc(1, sizeof(*audience));

	if (!audience)
		return NULL;
	audience->timer = event_new(loop_base(audiences->loop), -1, 0, on_timer, audience);
	if (!audience->timer) {
		free(audience);
		return NULL;
	}
	audience->audiences = audiences;
	audience->uid = uid;
	audience->due_usec = INT64_MAX;
	audience->next = audiences->first;
	audience->link = &audiences->first;
	if (audience->next)
		audience->next->link = &audience->next;
	audiences->first = audience;
	return audience;
}

int audience_join(struct audiences *audiences, struct audience_member *member, int64_t uid)
{
	struct audience *audience = audiences->first;

	while (audience && audience->uid != uid)
		audience = audience->next;
	if (!audience)
		audience = audience_new(audiences, uid);
	if (!audience)
		return -ENOMEM;
	member->audience = audience;
	member->next = audience->first;
	member->link = &audience->first;
	if (member->next)
		member->next->link = &member->next;
	audience->first = member;
	audience->n++;
	return 0;
}

void audience_leave(struct audience_member *member)
{
	struct audience *audience = member->audience;
	bool was_waiting;

	if (!audience)
		return;
	*member->link = member->next;
	if (member->next)
		member->next->link = member->link;
	member->audience = NULL;
	audience->n--;
	was_waiting = audience->waits && audience->at == member;
	if (audience->at == member)
		audience->at = member->next;
	audience->waits &= !was_waiting;
	if (!audience->n && !audience->walking)
		audience_free(audience);
	else if (was_waiting)
		event_active(audience->timer, EV_TIMEOUT, 0); // its turn is the next one's
}
