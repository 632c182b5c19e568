#include "daemon/watchdog.h"

#include <errno.h>
#include <event2/event.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>

#include "daemon/base/clock.h"
#include "daemon/base/log.h"
#include "daemon/base/loop.h"
#include "daemon/service_manager.h"

/* One watched loop. */
struct pulse {
	struct message message;
	struct watchdog *watchdog;
	struct loop *loop;
	bool away; // the message is with the loop, or on its way back
	uint64_t turns; // when last looked
};

struct watchdog {
	struct loop *home;
	struct event *timer;
	bool complained;
	unsigned n_pulses;
	struct pulse pulses[];
};

static void on_back(struct message *message)
{
	((struct pulse *)message)->away = false; // its first member
}

static void on_pulse(struct message *message)
{
	struct pulse *pulse = (struct pulse *)message;

	message->deliver = on_back;
	loop_post(pulse->watchdog->home, message);
}

static bool is_alive(struct pulse *pulse)
{
	uint64_t turns = loop_turns(pulse->loop);
	bool moved = turns != pulse->turns;

	pulse->turns = turns;
	return !pulse->away || moved;
}

static void on_timer(evutil_socket_t fd, short events, void *userdata)
{
	struct watchdog *watchdog = userdata;
	bool alive = true;

	(void)fd;
	(void)events;
	for (unsigned i = 0; i < watchdog->n_pulses; i++) {
		struct pulse *pulse = &watchdog->pulses[i];

		alive = is_alive(pulse) && alive;
		if (pulse->away)
			continue;
		pulse->away = true;
		pulse->message.deliver = on_pulse;
		loop_post(pulse->loop, &pulse->message);
	}
	if (alive)
		service_manager_feed_watchdog();
	else if (!watchdog->complained)
		log_error("a thread does not answer: the watchdog is not fed");
	watchdog->complained = !alive;
}

int watchdog_new(struct loop *home, uint64_t period_usec, struct loop *const *loops,
		 unsigned n_loops, struct watchdog **ret_watchdog)
{
	const struct timeval half = { .tv_sec = (time_t)(period_usec / 2 / USEC_PER_SEC),
				      .tv_usec = (suseconds_t)(period_usec / 2 % USEC_PER_SEC) };
	struct watchdog *watchdog =
		calloc(1, sizeof(*watchdog) + n_loops * sizeof(watchdog->pulses[0]));

	if (!watchdog)
		return -ENOMEM;
	watchdog->home = home;
	watchdog->n_pulses = n_loops;
	for (unsigned i = 0; i < n_loops; i++) {
		watchdog->pulses[i].watchdog = watchdog;
		watchdog->pulses[i].loop = loops[i];
	}
	watchdog->timer = event_new(loop_base(home), -1, EV_PERSIST, on_timer, watchdog);
	if (!watchdog->timer || event_add(watchdog->timer, &half) < 0) {
		watchdog_free(watchdog);
		return -ENOMEM;
	}
	service_manager_feed_watchdog();
	*ret_watchdog = watchdog;
	return 0;
}

struct watchdog *watchdog_free(struct watchdog *watchdog)
{
	if (!watchdog)
		return NULL;
	if (watchdog->timer)
		event_free(watchdog->timer);
	free(watchdog);
	return NULL;
}
