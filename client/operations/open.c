/* A handle from its beginning to its end, which reach all that is done with it. */
#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>

#include "client/operations/off_loop.h"
#include "client/operations/op.h"

static int open_loop(struct ellu *handle)
{
	struct epoll_event event = { .events = EPOLLIN, .data.ptr = NULL };

	handle->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (handle->epoll < 0)
		return -errno;
	handle->timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	if (handle->timer < 0)
		return -errno;
	return epoll_ctl(handle->epoll, EPOLL_CTL_ADD, handle->timer, &event) < 0 ? -errno : 0;
}

static int connect_once(struct ellu *handle, const char *address)
{
	struct connection *connection;
	int r = address_resolve(address, &handle->address);

	if (r == 0)
		r = connection_open(&handle->address, 0, &connection);
	if (r == 0 && connection->bus)
		connection_close(connection); // it is not a way to the daemon yet
	else if (r == 0)
		handle_give_connection(handle, connection);
	return r == -EAGAIN ? 0 : r; // it is there, and busy
}

/* A daemon that the bus has to start, or cannot, shows in its answer alone. */
static int await_daemon(struct ellu *handle)
{
	int r;

	handle->timeout_usec = HANDLE_OPEN_USEC;
	r = ellu_call_raw(handle, "org.varlink.service.GetInfo", NULL, NULL, NULL);
	handle->timeout_usec = CONNECTION_NO_LIMIT;
	return r;
}

int ellu_open(const char *address, unsigned flags, struct ellu **ret)
{
	struct ellu *handle;
	int r = 0;

	if (!ret || flags > ELLU_EVENT)
		return -EINVAL;
	handle = handle_new(flags);
	if (!handle)
		return -ENOMEM;
	if (flags == ELLU_EVENT)
		r = open_loop(handle);
	if (r == 0)
		r = connect_once(handle, address);
	if (r == 0)
		r = live_add(&handle->live, LIVE_HANDLE);
	if (r < 0) {
		handle_unref(handle);
		return r;
	}
	/* An event handle must not wait: there the first call tells. */
	if (handle->address.kind != ADDRESS_SOCKET && flags == ELLU_BLOCKING)
		r = await_daemon(handle);
	if (r < 0)
		ellu_close(handle);
	else
		*ret = handle;
	return r < 0 ? r : 0;
}

struct ellu *ellu_close(struct ellu *handle)
{
	if (!live_is(handle, LIVE_HANDLE))
		return NULL;
	if (off_loop_is_own_thread(handle))
		return handle;
	live_remove(handle);
	if (handle_is_forked(handle)) // a thread of the parent may have held it
		pthread_mutex_init(&handle->lock, NULL);
	/* What watches the descriptor in a child does so through the parent's, too. */
	if (handle->on_close && !handle_is_forked(handle))
		handle->on_close(handle, handle->on_close_userdata);
	/* While posts of functions that end still wait for this thread. */
	ops_abandon(handle);
	pthread_mutex_lock(&handle->lock);
	handle->closed = true;
	pthread_mutex_unlock(&handle->lock);
	while (handle_run_post(handle, /* closed= */ true))
		;
	/* Those that wait for the loop know by now that nothing comes. */
	off_loop_stop(handle);
	return handle_unref(handle);
}
