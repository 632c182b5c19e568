#include "client/operations/handle.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

bool handle_is_forked(const struct ellu *handle)
{
	return handle->pid != getpid();
}

int handle_check(const struct ellu *handle, unsigned mode)
{
	if (!live_is(handle, LIVE_HANDLE))
		return -EINVAL;
	if (handle_is_forked(handle))
		return -ECHILD;
	return handle->mode == mode ? 0 : -EOPNOTSUPP;
}

int handle_duration(double seconds, uint64_t *ret_usec)
{
	if (!(seconds >= 0 && seconds <= HANDLE_TIMEOUT_MAX))
		return -EINVAL;
	*ret_usec = (uint64_t) (seconds * 1e6);
	return 0;
}

int handle_deadline(double seconds, uint64_t *ret_usec)
{
	int r = handle_duration(seconds, ret_usec);

	*ret_usec += r == 0 ? now_usec() : 0;
	return r;
}

/* ---- Life ---- */

struct ellu *handle_new(unsigned mode)
{
	struct ellu *handle = calloc(1, sizeof(*handle));

	if (!handle)
		return NULL;
	handle->mode = mode;
	handle->pid = getpid();
	atomic_init(&handle->references, 1);
	atomic_init(&handle->reconnect_usec, HANDLE_RECONNECT_USEC);
	atomic_init(&handle->timeout_usec, CONNECTION_NO_LIMIT);
	handle->epoll = handle->timer = -1;
	handle->armed_usec = UINT64_MAX;
	STAILQ_INIT(&handle->posts);
	TAILQ_INIT(&handle->waiting_short);
	TAILQ_INIT(&handle->waiting_long);
	TAILQ_INIT(&handle->running);
	TAILQ_INIT(&handle->ended);
	TAILQ_INIT(&handle->ready);
	TAILQ_INIT(&handle->untold);
	TAILQ_INIT(&handle->limited);
	TAILQ_INIT(&handle->jobs);
	pthread_mutex_init(&handle->lock, NULL);
	return handle;
}

struct ellu *handle_ref(struct ellu *handle)
{
	atomic_fetch_add_explicit(&handle->references, 1, memory_order_relaxed);
	return handle;
}

struct ellu *handle_unref(struct ellu *handle)
{
	if (atomic_fetch_sub_explicit(&handle->references, 1, memory_order_acq_rel) > 1)
		return NULL;
	while (handle->idle) {
		struct connection *connection = handle->idle;

		handle->idle = connection->next;
		connection_close(connection);
	}
	if (handle->timer >= 0)
		close(handle->timer);
	if (handle->epoll >= 0)
		close(handle->epoll);
	pthread_mutex_destroy(&handle->lock);
	free(handle);
	return NULL;
}

const char *ellu_version(void)
{
	return ELLU_VERSION;
}

int ellu_set_reconnect(struct ellu *handle, double seconds)
{
	uint64_t usec;
	int r = live_is(handle, LIVE_HANDLE) ? handle_duration(seconds, &usec) : -EINVAL;

	if (r == 0)
		handle->reconnect_usec = usec;
	return r;
}

int ellu_set_timeout(struct ellu *handle, double seconds)
{
	uint64_t usec;
	int r = live_is(handle, LIVE_HANDLE) ? handle_duration(seconds, &usec) : -EINVAL;

	if (r == 0)
		handle->timeout_usec = usec > 0 ? usec : CONNECTION_NO_LIMIT;
	return r;
}

int ellu_set_in_order(struct ellu *handle, int in_order)
{
	int r = handle_check(handle, ELLU_EVENT);

	if (r == 0 && handle->n_short > 0)
		r = -EBUSY;
	if (r == 0)
		handle->in_order = in_order;
	return r;
}

int ellu_set_close_callback(struct ellu *handle, ellu_close_fn *callback, void *userdata)
{
	int r = handle_check(handle, ELLU_EVENT);

	if (r == 0 && callback && handle->on_close)
		r = -EBUSY;
	if (r == 0) {
		handle->on_close = callback;
		handle->on_close_userdata = userdata;
	}
	return r;
}

/* ---- Connections ---- */

int handle_take_connection(struct ellu *handle, uint64_t patience_usec, struct connection **ret)
{
	struct connection *connection;

	for (;;) {
		pthread_mutex_lock(&handle->lock);
		connection = handle->idle;
		if (connection) {
			handle->idle = connection->next;
			handle->n_idle--;
		}
		pthread_mutex_unlock(&handle->lock);
		if (!connection)
			return connection_open(&handle->address, patience_usec, ret);
		if (connection_is_fresh(connection)) {
			*ret = connection;
			return 0;
		}
		connection_close(connection);
	}
}

void handle_give_connection(struct ellu *handle, struct connection *connection)
{
	bool keep;

	pthread_mutex_lock(&handle->lock);
	keep = handle->n_idle < HANDLE_IDLE_MAX && !handle->closed;
	if (keep) {
		connection->next = handle->idle;
		handle->idle = connection;
		handle->n_idle++;
	}
	pthread_mutex_unlock(&handle->lock);
	if (!keep)
		connection_close(connection);
}

/* ---- What is due ---- */

static void set_timer(struct ellu *handle, uint64_t usec)
{
	struct itimerspec time = { .it_value = { .tv_nsec = 0 } };

	if (usec == handle->armed_usec || handle_is_forked(handle))
		return;
	handle->armed_usec = usec;
	if (usec != UINT64_MAX)
		time.it_value = timespec_of(usec ? usec : 1);
	(void) timerfd_settime(handle->timer, TFD_TIMER_ABSTIME, &time, NULL);
}

void handle_arm(struct ellu *handle, uint64_t due_usec)
{
	pthread_mutex_lock(&handle->lock);
	set_timer(handle, STAILQ_EMPTY(&handle->posts) ? due_usec : 0);
	pthread_mutex_unlock(&handle->lock);
}

void handle_post(struct ellu *handle, struct post *post)
{
	bool closed;

	pthread_mutex_lock(&handle->lock);
	closed = handle->closed;
	if (!closed) {
		STAILQ_INSERT_TAIL(&handle->posts, post, link);
		set_timer(handle, 0);
	}
	pthread_mutex_unlock(&handle->lock);
	if (closed)
		post->run(post, handle, /* closed= */ true);
}

bool handle_run_post(struct ellu *handle, bool closed)
{
	struct post *post;

	pthread_mutex_lock(&handle->lock);
	post = STAILQ_FIRST(&handle->posts);
	if (post)
		STAILQ_REMOVE_HEAD(&handle->posts, link);
	pthread_mutex_unlock(&handle->lock);
	if (post)
		post->run(post, handle, closed);
	return post;
}
