#include "daemon/base/loop.h"

#include <errno.h>
#include <event2/event.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <unistd.h>

#include "daemon/base/clock.h"
#include "daemon/base/container_of.h"

#define NICE_BEHIND 10
#define LARGE_BLOCK 65536
/* So long are messages delivered in one turn; then timers and descriptors have theirs. */
#define MAIL_USEC 50
#define GATHERED_MAIL_USEC 200 // longer, where what it makes is posted at the turn's end

/* The one lock of the daemon guards this list and nothing else. */
struct mailbox {
	pthread_mutex_t lock;
	struct message *first;
	struct message **tail;
	int fd; // eventfd, written when the list becomes non-empty
};

struct loop {
	char name[16];
	struct mailbox mailbox;
	struct event_base *base;
	struct event *mail; // mailbox::fd is readable
	struct message *taken; // out of the mailbox, and not delivered yet
	bool gathers;
	struct message *gathered, **gathered_tail; // posted by its thread
	void (*hook)(void *userdata);
	void *hook_userdata;
	pthread_t thread;
	bool has_thread;
	bool behind; // the thread gives way to others
	bool stopping; // loop thread only
	struct message stop;
	atomic_bool stop_posted; // and not delivered yet: it can be in the mail but once
	atomic_uint_fast64_t turns;
	_Atomic(pthread_t) runner;
};

/* That this thread runs, if it gathers. */
static _Thread_local struct loop *gathering;

static int mailbox_init(struct mailbox *box)
{
	box->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (box->fd < 0)
		return -errno;
	pthread_mutex_init(&box->lock, NULL);
	box->first = NULL;
	box->tail = &box->first;
	return 0;
}

static void mailbox_done(struct mailbox *box)
{
	pthread_mutex_destroy(&box->lock);
	close(box->fd);
}

/* A list of messages; `tail` is the last one's `next`. */
static void mailbox_put(struct mailbox *box, struct message *first, struct message **tail)
{
	bool was_empty;

	*tail = NULL;
	pthread_mutex_lock(&box->lock);
	was_empty = !box->first;
	*box->tail = first;
	box->tail = tail;
	pthread_mutex_unlock(&box->lock);
	if (was_empty)
		(void)eventfd_write(box->fd, 1);
}

static struct message *mailbox_take(struct mailbox *box)
{
	struct message *first;
	eventfd_t count;

	/* Emptied before the list is taken: a put in between leaves a wake-up too many, never one
	 * too few. */
	(void)eventfd_read(box->fd, &count);
	pthread_mutex_lock(&box->lock);
	first = box->first;
	box->first = NULL;
	box->tail = &box->first;
	pthread_mutex_unlock(&box->lock);
	return first;
}

static void on_mail(evutil_socket_t fd, short events, void *userdata)
{
	struct loop *loop = userdata;
	int64_t end = clock_monotonic_usec() + (loop->gathers ? GATHERED_MAIL_USEC : MAIL_USEC);

	(void)fd;
	(void)events;
	if (!loop->taken)
		loop->taken = mailbox_take(&loop->mailbox);
	/* Whoever stops the loop wants what was posted before to be delivered. */
	while (loop->taken && (clock_monotonic_usec() < end || loop->stopping)) {
		/* Delivering hands the message back, and its owner may free it. */
		struct message *message = loop->taken;

		loop->taken = message->next;
		message->deliver(message);
	}
}

static void on_stop(struct message *message)
{
	struct loop *loop = container_of(message, struct loop, stop);

	loop->stopping = true;
	atomic_store(&loop->stop_posted, false);
}

static struct event_base *new_base(void)
{
	struct event_config *config = event_config_new();
	struct event_base *base;

	if (!config)
		return NULL;
	/* Without this flag timers round to a coarse clock; the eventfd does the locking. */
	event_config_set_flag(config, EVENT_BASE_FLAG_PRECISE_TIMER);
	event_config_set_flag(config, EVENT_BASE_FLAG_NOLOCK);
	base = event_base_new_with_config(config);
	event_config_free(config);
	return base;
}

int loop_new(const char *name, struct loop **ret_loop)
{
	struct loop *loop = calloc(1, sizeof(*loop));
	int r;

	if (!loop)
		return -ENOMEM;
	strncpy(loop->name, name, sizeof(loop->name) - 1);
	r = mailbox_init(&loop->mailbox);
	if (r < 0) {
		free(loop);
		return r;
	}
	loop->stop.deliver = on_stop;
	loop->base = new_base();
	if (loop->base)
		loop->mail = event_new(loop->base, loop->mailbox.fd, EV_READ | EV_PERSIST, on_mail,
				       loop);
	if (!loop->mail || event_add(loop->mail, NULL) < 0) {
		loop_free(loop);
		return -ENOMEM;
	}
	*ret_loop = loop;
	return 0;
}

struct loop *loop_free(struct loop *loop)
{
	if (!loop)
		return NULL;
	if (loop->mail)
		event_free(loop->mail);
	if (loop->base)
		event_base_free(loop->base);
	mailbox_done(&loop->mailbox);
	free(loop);
	return NULL;
}

void loop_count_turn(struct loop *loop)
{
	atomic_fetch_add_explicit(&loop->turns, 1, memory_order_relaxed);
}

int loop_run(struct loop *loop)
{
	int r = 0;

	atomic_store(&loop->runner, pthread_self());
	gathering = loop->gathers ? loop : NULL;
	while (!loop->stopping) {
		if (event_base_loop(loop->base, EVLOOP_ONCE) < 0) {
			r = -EIO;
			break;
		}
		if (loop->hook)
			loop->hook(loop->hook_userdata);
		/* Here, since the same turn would go on with it. */
		if (loop->taken)
			event_active(loop->mail, EV_READ, 0);
		loop_hand_over();
		loop_count_turn(loop);
	}
	loop_hand_over();
	gathering = NULL;
	loop->stopping = false;
	return r;
}

static void *loop_thread(void *userdata)
{
	struct loop *loop = userdata;

	pthread_setname_np(pthread_self(), loop->name);
	/* On Linux each thread has a niceness of its own. */
	if (loop->behind)
		(void)setpriority(PRIO_PROCESS, 0, NICE_BEHIND);
	(void)loop_run(loop);
	return NULL;
}

int loop_start(struct loop *loop)
{
	sigset_t all, before;
	int r;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	r = pthread_create(&loop->thread, NULL, loop_thread, loop);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	loop->has_thread = r == 0;
	return -r;
}

int loop_start_behind(struct loop *loop)
{
	loop->behind = true;
	return loop_start(loop);
}

void loop_stop(struct loop *loop)
{
	if (!atomic_exchange(&loop->stop_posted, true))
		loop_post(loop, &loop->stop);
}

void loop_join(struct loop *loop)
{
	if (!loop->has_thread)
		return;
	pthread_join(loop->thread, NULL);
	loop->has_thread = false;
}

void loop_post(struct loop *loop, struct message *message)
{
	if (!gathering) {
		mailbox_put(&loop->mailbox, message, &message->next);
		return;
	}
	message->to = loop;
	message->next = NULL;
	*gathering->gathered_tail = message;
	gathering->gathered_tail = &message->next;
}

void loop_gather(struct loop *loop)
{
	loop->gathers = true;
	loop->gathered_tail = &loop->gathered;
}

void loop_hand_over(void)
{
	while (gathering && gathering->gathered) {
		struct loop *to = gathering->gathered->to;
		struct message *first = NULL, **tail = &first, **rest = &gathering->gathered;

		while (*rest) {
			struct message *message = *rest;

			if (message->to != to) {
				rest = &message->next;
				continue;
			}
			*rest = message->next;
			*tail = message;
			tail = &message->next;
		}
		gathering->gathered_tail = rest;
		mailbox_put(&to->mailbox, first, tail);
	}
}

static void on_free(struct message *message)
{
	free(message);
}

void loop_free_there(struct loop *loop, void *block, size_t size)
{
	struct message *message = block;

	if (!loop || size < LARGE_BLOCK) {
		free(block);
		return;
	}
	message->deliver = on_free;
	loop_post(loop, message);
}

void loop_on_turn(struct loop *loop, void (*hook)(void *userdata), void *userdata)
{
	loop->hook = hook;
	loop->hook_userdata = userdata;
}

struct event_base *loop_base(struct loop *loop)
{
	return loop->base;
}

uint64_t loop_turns(const struct loop *loop)
{
	return atomic_load_explicit(&loop->turns, memory_order_relaxed);
}

bool loop_is_here(const struct loop *loop)
{
	return pthread_equal(atomic_load(&loop->runner), pthread_self());
}
