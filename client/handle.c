/* SPDX-License-Identifier: MIT */
#include "client/handle.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

#include "client/address.h"
#include "client/op.h"

uint64_t handle_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t) now.tv_sec * 1000000 + (uint64_t) now.tv_nsec / 1000;
}

int handle_check(const struct ellu *handle, unsigned mode)
{
	if (!handle || handle->closed)
		return -EINVAL;
	return handle->mode == mode ? 0 : -EOPNOTSUPP;
}

int ellu_open(const char *address, unsigned flags, struct ellu **ret)
{
	struct connection *connection;
	struct ellu *handle;
	int r;

	if (!ret || flags > ELLU_EVENT)
		return -EINVAL;
	handle = calloc(1, sizeof(*handle));
	if (!handle)
		return -ENOMEM;
	handle->mode = flags;
	handle->references = 1;
	handle->epoll = -1;
	TAILQ_INIT(&handle->waiting);
	TAILQ_INIT(&handle->running);
	pthread_mutex_init(&handle->lock, NULL);
	r = address_resolve(address, &handle->address);
	if (r == 0 && flags == ELLU_EVENT) {
		handle->epoll = epoll_create1(EPOLL_CLOEXEC);
		if (handle->epoll < 0)
			r = -errno;
	}
	if (r == 0)
		r = connection_open(&handle->address, flags == ELLU_BLOCKING, &connection);
	if (r == 0)
		handle_give_connection(handle, connection);
	else if (r == -EAGAIN) // it is there, and busy
		r = 0;
	if (r < 0) {
		ellu_close(handle);
		return r;
	}
	*ret = handle;
	return 0;
}

struct ellu *handle_unref(struct ellu *handle)
{
	if (--handle->references > 0)
		return NULL;
	while (handle->idle) {
		struct connection *connection = handle->idle;

		handle->idle = connection->next;
		connection_close(connection);
	}
	if (handle->epoll >= 0)
		close(handle->epoll);
	pthread_mutex_destroy(&handle->lock);
	free(handle);
	return NULL;
}

struct ellu *ellu_close(struct ellu *handle)
{
	if (!handle || handle->closed)
		return NULL;
	handle->closed = true;
	ops_abandon(handle);
	return handle_unref(handle);
}

int handle_take_connection(struct ellu *handle, struct connection **ret)
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
			return connection_open(&handle->address, handle->mode == ELLU_BLOCKING, ret);
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

int ellu_fd(const struct ellu *handle)
{
	int r = handle_check(handle, ELLU_EVENT);

	return r < 0 ? r : handle->epoll;
}

int ellu_events(const struct ellu *handle)
{
	int r = handle_check(handle, ELLU_EVENT);

	return r < 0 ? r : POLLIN;
}

uint64_t ellu_timeout(const struct ellu *handle)
{
	if (handle_check(handle, ELLU_EVENT) < 0)
		return UINT64_MAX;
	return ops_timeout(handle);
}
