/*
 * A handle's one connection with a message bus, which all of its calls share: the calls of the
 * daemon's manager that are under way, and whoever listens to signals of tasks.
 *
 * dbus-daemon lets a connection wait for 128 answers at once; so at most BUS_CALLS_MAX calls are
 * pending, and the rest waits here, as do all until the bus has said hello: what is lost before
 * was certainly not carried out.
 *
 * Everything here happens under `lock`, callbacks included. Of the threads that wait for answers one
 * at a time watches the bus for all (bus_link_wait()).
 */
#pragma once

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>
#include <systemd/sd-bus.h>

#include "client/bus/answer.h"

#define BUS_CALLS_MAX 100
#define BUS_PARKED_MAX 4096 // as many streams as a daemon serves at most

struct bus_link;

/* A call of the daemon. */
struct bus_call {
	TAILQ_ENTRY(bus_call) entry; // bus_link::waiting or pending
	struct bus_link *link;
	sd_bus_message *message; // until it is sent
	sd_bus_slot *slot; // from then on
	bool *sent; // set when it is; NULL: nobody asks
	/* The call is gone afterwards. NULL: it was abandoned, and still counts until its answer. */
	void (*answered)(void *userdata, struct bus_answer *answer);
	void *userdata;
};
TAILQ_HEAD(bus_call_list, bus_call);

enum bus_news {
	BUS_NEWS_STATE,
	BUS_NEWS_LOG,
	BUS_NEWS_PROPERTIES,
	BUS_NEWS_ADDED,
	BUS_NEWS_REMOVED,
};

/* A signal of a task. */
struct bus_signal {
	int64_t task_id;
	enum bus_news news;
	int64_t sequence; // of BUS_NEWS_STATE and BUS_NEWS_LOG
	const char *status; // of BUS_NEWS_STATE
	const char *hold; // empty: none
};

struct bus_listener {
	LIST_ENTRY(bus_listener) entry; // of bus_link::listeners
	int64_t task_id; // 0: all
	void (*signal)(struct bus_listener *listener, const struct bus_signal *signal);
	uint64_t due_usec; // when `due` is wanted, once; 0: it is not
	void (*due)(struct bus_listener *listener);
};

/* What outlives a loss, to be taken up by name later. */
struct bus_parked {
	TAILQ_ENTRY(bus_parked) entry; // bus_link::parked
	void (*drop)(struct bus_parked *parked);
};

enum bus_loss {
	BUS_LOSS_DAEMON, // it left the bus: no signals come any more; calls are answered by the bus
	BUS_LOSS_BUS, // nothing comes any more
};

/* Someone who waits for something; what is lost is told to all. */
struct bus_user {
	LIST_ENTRY(bus_user) entry; // bus_link::users
	TAILQ_ENTRY(bus_user) waiter; // bus_link::waiters
	int wake_fd; // an eventfd, readable when there is something to look at
	void (*lost)(struct bus_user *user, enum bus_loss loss);
};

#define BUS_LISTENER_BUCKETS 64

struct bus_link {
	bool system;
	pid_t pid; // that made it
	pthread_mutex_t lock;
	sd_bus *bus; // NULL: not connected
	int epoll; // of an event handle, else -1
	int watched_fd; // in `epoll`, a duplicate: sd-bus closes its own when it likes; -1: none
	int bus_fd; // whose duplicate it is
	uint32_t watched_events;
	struct bus_call_list waiting;
	struct bus_call_list pending;
	unsigned n_pending;
	int error; // sending failed: the connection is of no use any more
	LIST_HEAD(, bus_user) users;
	LIST_HEAD(bus_listener_list, bus_listener) listeners[BUS_LISTENER_BUCKETS + 1]; // last: of all
	unsigned n_listeners;
	TAILQ_HEAD(bus_parked_list, bus_parked) parked; // the newest first
	unsigned n_parked;
	uint64_t n_monitors; // ever
	unsigned n_due; // listeners that want to be told the time
	sd_bus_slot *signals;

	/* Of a blocking handle: the user who watches the bus for all, and how. */
	TAILQ_HEAD(, bus_user) waiters;
	struct bus_user *watcher;
	int polled_events;
	uint64_t polled_usec;
};

/* Connects. `epoll` -1: for blocking use. */
int bus_link_new(bool system, int epoll, struct bus_link **ret_link);
struct bus_link *bus_link_free(struct bus_link *link); // without users any more; accepts NULL
/* For blocking use: waits until the daemon is there, which the bus may have to start.
 * -ECONNREFUSED: it cannot be had. */
int bus_link_check(struct bus_link *link);

/* ---- Under the lock ---- */

/* Connects where it must. -ENOENT, -ECONNREFUSED: there is no bus. */
int bus_link_connect(struct bus_link *link);
void bus_link_join(struct bus_link *link, struct bus_user *user);
void bus_link_leave(struct bus_link *link, struct bus_user *user);
void bus_user_wake(const struct bus_user *user);

/* Calls a method of the daemon's table; `*ret_call` is valid until its answer, which never comes
 * before this returns. -ENOTCONN. */
int bus_link_call(struct bus_link *link, void (*answered)(void *userdata, struct bus_answer *answer),
		  void *userdata, bool *sent, const char *method, const char *json,
		  struct bus_call **ret_call);
/* The same without an answer. `json` NULL: a method of the manager itself, without arguments; a
 * daemon that is not there is not started for it with `idle`. */
int bus_link_tell(struct bus_link *link, bool *sent, bool idle, const char *method,
		  const char *json);
/* Whoever `sent` belongs to goes: what waits with it is not sent any more. */
void bus_link_forget(struct bus_link *link, const bool *sent);
void bus_call_abandon(struct bus_call *call); // accepts NULL

int bus_link_listen(struct bus_link *link, struct bus_listener *listener);
void bus_link_ignore(struct bus_link *link, struct bus_listener *listener);
/* 0: not any more. Calls listener::due in bus_link_process(). */
void bus_link_remind(struct bus_link *link, struct bus_listener *listener, uint64_t due_usec);

void bus_link_park(struct bus_link *link, struct bus_parked *parked);
void bus_link_unpark(struct bus_link *link, struct bus_parked *parked);

uint64_t bus_listeners_due(const struct bus_link *link);
void bus_listeners_remind(struct bus_link *link);

/* Does a bounded piece of what is there, without waiting. 1: there may be more. */
int bus_link_process(struct bus_link *link);
/* Everything was handed to the kernel. */
bool bus_link_is_flushed(const struct bus_link *link);
/* When bus_link_process() has something to do of itself. */
uint64_t bus_link_due(const struct bus_link *link);

/* ---- Not under it ---- */

/* Of an event handle: bus_link_process() and bus_link_due(). */
void bus_link_turn(struct bus_link *link);
uint64_t bus_link_due_usec(struct bus_link *link);
/* Of an event handle: the epoll watches what is to be watched. */
void bus_link_watch(struct bus_link *link);
/* Waits for news of this user's, looking after the bus meanwhile where nobody else does. 1: there may
 * be some, 0: the time passed (negative: no limit), -EINTR. */
int bus_link_wait(struct bus_link *link, struct bus_user *user, long long timeout_usec);
