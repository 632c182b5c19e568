#include "daemon/api/listener.h"

#include "daemon/base/container_of.h"

/* What a page of events is thought to take. */
#define EVENTS_PAGE_BYTES (128 * 1024)

static void on_turn(struct user_waiter *waiter)
{
	struct listener *listener = container_of(waiter, struct listener, turn);

	listener->go_on(listener);
}

static void on_room(struct user_waiter *waiter)
{
	struct listener *listener = container_of(waiter, struct listener, room);

	listener->go_on(listener);
}

void listener_init(struct listener *listener, struct user *user,
		   void (*go_on)(struct listener *listener))
{
	*listener = (struct listener){ .user = user, .go_on = go_on };
	listener->turn.wake = on_turn;
	listener->room.wake = on_room;
}

void listener_done(struct listener *listener)
{
	user_stop_waiting(&listener->turn);
	user_stop_waiting(&listener->room);
	user_give_back(&listener->page);
}

bool listener_must_wait(struct listener *listener, int64_t took_usec)
{
	user_worked_elsewhere(listener->user, took_usec);
	return !user_is_alone(listener->user) && !user_take_turn(listener->user, &listener->turn);
}

bool listener_may_read(struct listener *listener)
{
	bool may = user_take_part(&listener->page, listener->user, USER_OUTPUT, EVENTS_PAGE_BYTES,
				  USER_OUTPUT_OF_EVENTS);

	if (!may)
		user_wait_for_slot(listener->user, USER_OUTPUT, &listener->room);
	return may;
}

void listener_has_read(struct listener *listener)
{
	user_give_back(&listener->page);
}
