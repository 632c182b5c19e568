#include "client/bus/link.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

#include "client/transport/backoff.h"
#include "proto/bus_name.h"

#define STEPS_PER_PIECE 64 // of sd_bus_process()

#define OWNER_MATCH                                                                     \
	"type='signal',sender='org.freedesktop.DBus',interface='org.freedesktop.DBus'," \
	"member='NameOwnerChanged',arg0='" BUS_NAME "'"

/* ---- Users ---- */

void bus_link_join(struct bus_link *link, struct bus_user *user)
{
	LIST_INSERT_HEAD(&link->users, user, entry);
}

void bus_link_leave(struct bus_link *link, struct bus_user *user)
{
	(void) link;
	LIST_REMOVE(user, entry);
}

void bus_user_wake(const struct bus_user *user)
{
	const uint64_t one = 1;

	if (user->wake_fd >= 0)
		(void) !write(user->wake_fd, &one, sizeof(one)); // full: it is readable
}

static void tell_users(struct bus_link *link, enum bus_loss loss)
{
	struct bus_user *user;

	LIST_FOREACH(user, &link->users, entry)
		user->lost(user, loss);
}

/* ---- Calls ---- */

static void call_free(struct bus_call *call)
{
	sd_bus_slot_unref(call->slot);
	sd_bus_message_unref(call->message);
	free(call);
}

static int on_answer(sd_bus_message *message, void *userdata, sd_bus_error *ret_error)
{
	struct bus_call *call = userdata;
	struct bus_link *link = call->link;
	struct bus_answer answer;

	(void) ret_error;
	TAILQ_REMOVE(&link->pending, call, entry);
	link->n_pending--;
	if (call->answered) {
		bus_answer_read(message, &answer);
		call->answered(call->userdata, &answer);
		bus_answer_done(&answer);
	}
	call_free(call);
	return 1;
}

static int send_call(struct bus_link *link, struct bus_call *call)
{
	bool answers = sd_bus_message_get_expect_reply(call->message) > 0;
	int r;

	if (answers)
		r = sd_bus_call_async(link->bus, &call->slot, call->message, on_answer, call,
				      UINT64_MAX);
	else
		r = sd_bus_send(link->bus, call->message, NULL);
	if (r < 0)
		return r;
	TAILQ_REMOVE(&link->waiting, call, entry);
	call->message = sd_bus_message_unref(call->message);
	if (call->sent)
		*call->sent = true;
	call->sent = NULL;
	if (!answers) {
		call_free(call);
		return 0;
	}
	TAILQ_INSERT_TAIL(&link->pending, call, entry);
	link->n_pending++;
	return 0;
}

static void send_waiting(struct bus_link *link)
{
	struct bus_call *call;

	while ((call = TAILQ_FIRST(&link->waiting)) && link->n_pending < BUS_CALLS_MAX &&
	       link->error == 0 && sd_bus_is_ready(link->bus) > 0)
		link->error = send_call(link, call);
}

static int call_new(struct bus_link *link, bool *sent, const char *method, const char *json,
		    struct bus_call **ret_call)
{
	struct bus_call *call = calloc(1, sizeof(*call));
	int r;

	if (!call)
		return -ENOMEM;
	call->link = link;
	call->sent = sent;
	r = sd_bus_message_new_method_call(link->bus, &call->message, BUS_NAME, BUS_PATH,
					   BUS_MANAGER, json ? "CallDetailed" : method);
	if (r >= 0 && json)
		r = sd_bus_message_append(call->message, "ss", method, json);
	if (r < 0) {
		call_free(call);
		return r;
	}
	TAILQ_INSERT_TAIL(&link->waiting, call, entry);
	*ret_call = call;
	return 0;
}

int bus_link_call(struct bus_link *link, void (*answered)(void *userdata, struct bus_answer *answer),
		  void *userdata, bool *sent, const char *method, const char *json,
		  struct bus_call **ret_call)
{
	struct bus_call *call;
	int r = link->bus ? call_new(link, sent, method, json, &call) : -ENOTCONN;

	if (r < 0)
		return r;
	call->answered = answered;
	call->userdata = userdata;
	*ret_call = call;
	send_waiting(link);
	return 0;
}

int bus_link_tell(struct bus_link *link, bool *sent, bool idle, const char *method,
		  const char *json)
{
	struct bus_call *call;
	int r = link->bus ? call_new(link, sent, method, json, &call) : -ENOTCONN;

	if (r < 0)
		return r;
	(void) sd_bus_message_set_expect_reply(call->message, 0);
	(void) sd_bus_message_set_auto_start(call->message, !idle);
	send_waiting(link);
	return 0;
}

void bus_call_abandon(struct bus_call *call)
{
	if (!call)
		return;
	call->sent = NULL;
	call->answered = NULL; // what is pending counts until it is answered
	if (!call->message)
		return;
	TAILQ_REMOVE(&call->link->waiting, call, entry);
	call_free(call);
}

void bus_link_forget(struct bus_link *link, const bool *sent)
{
	struct bus_call *call = TAILQ_FIRST(&link->waiting), *next;

	for (; call; call = next) {
		next = TAILQ_NEXT(call, entry);
		if (call->sent == sent)
			bus_call_abandon(call);
	}
}

bool bus_link_is_flushed(const struct bus_link *link)
{
	uint64_t n = 0;

	return link->bus && (sd_bus_get_n_queued_write(link->bus, &n) < 0 || n == 0);
}

/* ---- The connection ---- */

static void stop_watching(struct bus_link *link)
{
	if (link->watched_fd < 0)
		return;
	if (link->pid == getpid())
		(void) epoll_ctl(link->epoll, EPOLL_CTL_DEL, link->watched_fd, NULL);
	close(link->watched_fd);
	link->watched_fd = -1;
}

static void disconnect(struct bus_link *link)
{
	struct bus_call *call;

	if (!link->bus)
		return;
	stop_watching(link);
	tell_users(link, BUS_LOSS_BUS);
	while ((call = TAILQ_FIRST(&link->waiting))) {
		TAILQ_REMOVE(&link->waiting, call, entry);
		call_free(call);
	}
	while ((call = TAILQ_FIRST(&link->pending))) {
		TAILQ_REMOVE(&link->pending, call, entry);
		call_free(call);
	}
	link->n_pending = 0;
	link->error = 0;
	link->signals = sd_bus_slot_unref(link->signals);
	sd_bus_close(link->bus);
	link->bus = sd_bus_unref(link->bus);
}

/* The daemon has left the name: what it had to tell it tells no more. Calls get errors of their own. */
static int on_owner(sd_bus_message *message, void *userdata, sd_bus_error *ret_error)
{
	const char *name, *before, *after;

	(void) ret_error;
	if (sd_bus_message_read(message, "sss", &name, &before, &after) > 0 && before[0])
		tell_users(userdata, BUS_LOSS_DAEMON);
	return 0;
}

static int start(struct bus_link *link, const char *address)
{
	int r = sd_bus_new(&link->bus);

	if (r >= 0)
		r = sd_bus_set_address(link->bus, address);
	if (r >= 0)
		r = sd_bus_set_bus_client(link->bus, 1);
	if (r >= 0)
		r = sd_bus_start(link->bus);
	if (r >= 0)
		r = sd_bus_add_match_async(link->bus, NULL, OWNER_MATCH, on_owner, NULL, link);
	return r;
}

int bus_link_connect(struct bus_link *link)
{
	char buffer[BUS_ADDRESS_SIZE];
	const char *address;
	int r;

	/* A blocking handle was not looked after while nobody waited. */
	if (link->bus && link->epoll < 0)
		(void) bus_link_process(link);
	if (link->bus)
		return 0;
	address = bus_address(link->system, buffer);
	if (!address)
		return -ENOENT;
	r = start(link, address);
	if (r < 0)
		link->bus = sd_bus_unref(link->bus);
	return r < 0 ? r : 0;
}

int bus_link_process(struct bus_link *link)
{
	int r = 1;

	for (int i = 0; r > 0 && i < STEPS_PER_PIECE && link->bus; i++) {
		r = link->error < 0 ? link->error : sd_bus_process(link->bus, NULL);
		if (r >= 0)
			send_waiting(link);
	}
	if (r < 0)
		disconnect(link);
	bus_listeners_remind(link);
	return r != 0;
}

uint64_t bus_link_due(const struct bus_link *link)
{
	uint64_t due = bus_listeners_due(link), own = UINT64_MAX;

	if (!link->bus)
		return due;
	if (link->error < 0 || sd_bus_get_timeout(link->bus, &own) < 0)
		return 0;
	return own < due ? own : due;
}

/* ---- Waiting ---- */

void bus_link_turn(struct bus_link *link)
{
	pthread_mutex_lock(&link->lock);
	(void) bus_link_process(link);
	pthread_mutex_unlock(&link->lock);
}

uint64_t bus_link_due_usec(struct bus_link *link)
{
	uint64_t due;

	pthread_mutex_lock(&link->lock);
	due = bus_link_due(link);
	pthread_mutex_unlock(&link->lock);
	return due;
}

static void start_watching(struct bus_link *link, int fd, struct epoll_event *event)
{
	link->bus_fd = fd;
	link->watched_fd = fcntl(fd, F_DUPFD_CLOEXEC, 3);
	if (link->watched_fd >= 0 &&
	    epoll_ctl(link->epoll, EPOLL_CTL_ADD, link->watched_fd, event) < 0) {
		close(link->watched_fd);
		link->watched_fd = -1;
	}
}

void bus_link_watch(struct bus_link *link)
{
	struct epoll_event event = { .data.ptr = link };
	int fd, events;

	pthread_mutex_lock(&link->lock);
	fd = link->bus ? sd_bus_get_fd(link->bus) : -1;
	events = fd >= 0 ? sd_bus_get_events(link->bus) : 0;
	event.events = events > 0 ? (uint32_t) events : 0; // as epoll's
	if (link->watched_fd >= 0 && fd != link->bus_fd)
		stop_watching(link);
	if (fd >= 0 && link->watched_fd < 0)
		start_watching(link, fd, &event);
	else if (fd >= 0 && event.events != link->watched_events)
		(void) epoll_ctl(link->epoll, EPOLL_CTL_MOD, link->watched_fd, &event);
	link->watched_events = event.events;
	pthread_mutex_unlock(&link->lock);
}

static uint64_t sooner(long long timeout_usec, uint64_t due_usec, bool *ret_own)
{
	uint64_t now = now_usec(), left = due_usec > now ? due_usec - now : 0;

	*ret_own = due_usec != UINT64_MAX && (timeout_usec < 0 || left <= (uint64_t) timeout_usec);
	if (*ret_own)
		return left;
	return timeout_usec < 0 ? UINT64_MAX : (uint64_t) timeout_usec;
}

/* Under the lock: what this user polls beside its own descriptor. */
static uint64_t begin_wait(struct bus_link *link, struct bus_user *user, struct pollfd *fd)
{
	int events = link->bus ? sd_bus_get_events(link->bus) : 0;
	uint64_t due = bus_link_due(link);

	*fd = (struct pollfd){ .fd = -1 };
	if (link->watcher) {
		/* What was sent since then may want more than it looks for. */
		if (events != link->polled_events || due < link->polled_usec)
			bus_user_wake(link->watcher);
		TAILQ_INSERT_TAIL(&link->waiters, user, waiter);
		return UINT64_MAX;
	}
	link->watcher = user;
	link->polled_events = events;
	link->polled_usec = due;
	if (link->bus)
		*fd = (struct pollfd){ .fd = sd_bus_get_fd(link->bus), .events = (short) events };
	return due;
}

static void end_wait(struct bus_link *link, struct bus_user *user)
{
	if (link->watcher == user)
		link->watcher = NULL;
	else
		TAILQ_REMOVE(&link->waiters, user, waiter);
	if (!link->watcher && !TAILQ_EMPTY(&link->waiters))
		bus_user_wake(TAILQ_FIRST(&link->waiters)); // it takes over
}

int bus_link_wait(struct bus_link *link, struct bus_user *user, long long timeout_usec)
{
	struct pollfd fds[2] = { { .fd = user->wake_fd, .events = POLLIN } };
	struct timespec timeout;
	uint64_t usec;
	bool own;
	int n;

	pthread_mutex_lock(&link->lock);
	usec = sooner(timeout_usec, begin_wait(link, user, &fds[1]), &own);
	pthread_mutex_unlock(&link->lock);
	timeout = (struct timespec){ .tv_sec = (time_t) (usec / 1000000),
				     .tv_nsec = (long) (usec % 1000000) * 1000 };
	n = ppoll(fds, 2, usec == UINT64_MAX ? NULL : &timeout, NULL);
	n = n < 0 ? -errno : n > 0 || own;
	pthread_mutex_lock(&link->lock);
	end_wait(link, user);
	pthread_mutex_unlock(&link->lock);
	return n;
}

/* ---- Life ---- */

int bus_link_new(bool system, int epoll, struct bus_link **ret_link)
{
	struct bus_link *link = calloc(1, sizeof(*link));
	int r;

	if (!link)
		return -ENOMEM;
	link->system = system;
	link->pid = getpid();
	link->epoll = epoll;
	link->watched_fd = -1;
	pthread_mutex_init(&link->lock, NULL);
	TAILQ_INIT(&link->waiting);
	TAILQ_INIT(&link->pending);
	TAILQ_INIT(&link->waiters);
	TAILQ_INIT(&link->parked);
	r = bus_link_connect(link);
	if (r < 0) {
		bus_link_free(link);
		return r;
	}
	*ret_link = link;
	return 0;
}

void bus_link_unpark(struct bus_link *link, struct bus_parked *parked)
{
	TAILQ_REMOVE(&link->parked, parked, entry);
	link->n_parked--;
}

static void drop_oldest(struct bus_link *link)
{
	struct bus_parked *parked = TAILQ_LAST(&link->parked, bus_parked_list);

	bus_link_unpark(link, parked);
	parked->drop(parked);
}

void bus_link_park(struct bus_link *link, struct bus_parked *parked)
{
	TAILQ_INSERT_HEAD(&link->parked, parked, entry);
	if (++link->n_parked > BUS_PARKED_MAX)
		drop_oldest(link);
}

struct bus_link *bus_link_free(struct bus_link *link)
{
	if (!link)
		return NULL;
	disconnect(link);
	while (link->n_parked > 0)
		drop_oldest(link);
	pthread_mutex_destroy(&link->lock);
	free(link);
	return NULL;
}
