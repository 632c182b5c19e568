#include "daemon/backend/connection/multi.h"

#include <errno.h>
#include <event2/event.h>
#include <event2/event_struct.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "daemon/backend/connection/descriptors.h"
#include "daemon/base/clock.h"
#include "daemon/base/deadline.h"

/* A socket that curl wants watched. */
struct watch {
	struct multi *multi;
	struct event event;
	int fd;
	short wanted; // EV_READ, EV_WRITE; 0: not at the moment
	short registered;
	bool lasts; // close_socket() will tell of its end, which is sure of plain connections alone:
	// curl closes others by itself where they fail halfway
};

struct multi {
	CURLM *curl;
	struct event_base *base;
	struct descriptors *descriptors; // of the backend
	int64_t due_usec;
	int64_t used_usec; // since multi_take_used_usec()
	bool broken;
	struct watch **watches; // by file descriptor
	size_t n_watches;
};

static struct watch *watch_find(struct multi *multi, int fd)
{
	return fd >= 0 && (size_t)fd < multi->n_watches ? multi->watches[fd] : NULL;
}

static struct watch *watch_get(struct multi *multi, int fd)
{
	struct watch *watch = watch_find(multi, fd);

	if (watch || fd < 0)
		return watch;
	if ((size_t)fd >= multi->n_watches) {
		size_t n = ((size_t)fd + 64) / 64 * 64 * 2;
		struct watch **watches = reallocarray(multi->watches, n, sizeof(*watches));

		if (!watches)
			return NULL;
		for (size_t i = multi->n_watches; i < n; i++)
			watches[i] = NULL;
		multi->watches = watches;
		multi->n_watches = n;
	}
	watch = calloc(1, sizeof(*watch));
	if (!watch)
		return NULL;
	watch->multi = multi;
	watch->fd = fd;
	multi->watches[fd] = watch;
	return watch;
}

static void watch_unregister(struct watch *watch)
{
	if (watch->registered)
		event_del(&watch->event);
	watch->registered = 0;
}

static void watch_free(struct watch *watch)
{
	watch_unregister(watch);
	watch->multi->watches[watch->fd] = NULL;
	free(watch);
}

static void act(struct multi *multi, curl_socket_t fd, int mask)
{
	int64_t began_usec = clock_monotonic_usec();
	int running;

	if (curl_multi_socket_action(multi->curl, fd, mask, &running) != CURLM_OK)
		multi->broken = true;
	multi->used_usec += clock_monotonic_usec() - began_usec;
}

static void on_socket(evutil_socket_t fd, short events, void *userdata)
{
	struct watch *watch = userdata;

	if (!watch->wanted) {
		watch_unregister(watch);
		return;
	}
	/* The watch may be gone when this returns. */
	act(watch->multi, fd, ((events & EV_READ) ? CURL_CSELECT_IN : 0) |
				      ((events & EV_WRITE) ? CURL_CSELECT_OUT : 0));
}

static int watch_register(struct watch *watch)
{
	if (watch->registered == watch->wanted)
		return 0;
	/* An event must not be assigned while it is pending. */
	watch_unregister(watch);
	if (event_assign(&watch->event, watch->multi->base, watch->fd,
			 (short)(watch->wanted | EV_PERSIST), on_socket, watch) < 0 ||
	    event_add(&watch->event, NULL) < 0)
		return -EIO;
	watch->registered = watch->wanted;
	return 0;
}

static int socket_callback(CURL *easy, curl_socket_t fd, int what, void *userdata, void *socketp)
{
	struct multi *multi = userdata;
	struct watch *watch;

	(void)easy;
	(void)socketp; // watches are found by descriptor: they outlive curl's interest in them
	if (what == CURL_POLL_REMOVE) {
		watch = watch_find(multi, fd);
		if (!watch)
			return 0;
		watch->wanted = 0;
		if (!watch->lasts)
			watch_free(watch);
		return 0;
	}
	watch = watch_get(multi, fd);
	if (!watch)
		return -1;
	watch->wanted = (short)(((what & CURL_POLL_IN) ? EV_READ : 0) |
				((what & CURL_POLL_OUT) ? EV_WRITE : 0));
	return watch_register(watch) < 0 ? -1 : 0;
}

static int timer_callback(CURLM *curl, long timeout_ms, void *userdata)
{
	struct multi *multi = userdata;

	(void)curl;
	if (timeout_ms < 0)
		multi->due_usec = DEADLINE_NEVER;
	else if (timeout_ms == 0)
		multi->due_usec = 0;
	else
		multi->due_usec = clock_monotonic_usec() + timeout_ms * USEC_PER_MSEC;
	return 0;
}

static curl_socket_t open_socket(void *userdata, curlsocktype purpose,
				 struct curl_sockaddr *address)
{
	struct multi_sockets *sockets = userdata;
	struct multi *multi = sockets->multi;
	struct watch *watch;
	int fd;

	(void)purpose;
	if (!descriptors_allow_socket(multi->descriptors)) {
		sockets->refused = true;
		return CURL_SOCKET_BAD;
	}
	fd = socket(address->family, address->socktype | SOCK_CLOEXEC | SOCK_NONBLOCK,
		    address->protocol);
	if (fd < 0) {
		sockets->refused = sockets->refused || errno == EMFILE || errno == ENFILE;
		return CURL_SOCKET_BAD;
	}
	/* Made here, where lack of memory fails one connection and not the whole handle. */
	watch = watch_get(multi, fd);
	if (!watch) {
		close(fd);
		return CURL_SOCKET_BAD;
	}
	watch->lasts = sockets->plain;
	multi->descriptors->n_sockets++;
	return fd;
}

static int close_socket(void *userdata, curl_socket_t fd)
{
	struct multi *multi = userdata;
	struct watch *watch = watch_find(multi, fd);

	/* Before the number can be given to another file. */
	if (watch)
		watch_free(watch);
	multi->descriptors->n_sockets--;
	return close(fd);
}

int multi_new(struct event_base *base, int max_connections, struct descriptors *descriptors,
	      struct multi **ret_multi)
{
	struct multi *multi = calloc(1, sizeof(*multi));

	if (!multi)
		return -ENOMEM;
	multi->base = base;
	multi->descriptors = descriptors;
	multi->due_usec = DEADLINE_NEVER;
	multi->curl = curl_multi_init();
	if (!multi->curl) {
		free(multi);
		return -ENOMEM;
	}
	(void)curl_multi_setopt(multi->curl, CURLMOPT_SOCKETFUNCTION, socket_callback);
	(void)curl_multi_setopt(multi->curl, CURLMOPT_SOCKETDATA, multi);
	(void)curl_multi_setopt(multi->curl, CURLMOPT_TIMERFUNCTION, timer_callback);
	(void)curl_multi_setopt(multi->curl, CURLMOPT_TIMERDATA, multi);
	multi_keep(multi, max_connections);
	*ret_multi = multi;
	return 0;
}

struct multi *multi_free(struct multi *multi)
{
	if (!multi)
		return NULL;
	/* Closes the connections, which frees their watches. */
	curl_multi_cleanup(multi->curl);
	for (size_t i = 0; i < multi->n_watches; i++) {
		if (multi->watches[i])
			watch_free(multi->watches[i]);
	}
	free(multi->watches);
	free(multi);
	return NULL;
}

bool multi_prepare(struct multi_sockets *sockets, struct multi *multi, CURL *easy)
{
	sockets->multi = multi;
	return curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, open_socket) == CURLE_OK &&
	       curl_easy_setopt(easy, CURLOPT_OPENSOCKETDATA, sockets) == CURLE_OK &&
	       curl_easy_setopt(easy, CURLOPT_CLOSESOCKETFUNCTION, close_socket) == CURLE_OK &&
	       curl_easy_setopt(easy, CURLOPT_CLOSESOCKETDATA, multi) == CURLE_OK;
}

int multi_add(struct multi *multi, CURL *easy)
{
	switch (curl_multi_add_handle(multi->curl, easy)) {
	case CURLM_OK:
		return 0;
	case CURLM_OUT_OF_MEMORY:
		return -ENOMEM;
	default:
		return -EIO;
	}
}

void multi_remove(struct multi *multi, CURL *easy)
{
	(void)curl_multi_remove_handle(multi->curl, easy);
}

void multi_keep(struct multi *multi, int max_connections)
{
	(void)curl_multi_setopt(multi->curl, CURLMOPT_MAXCONNECTS, (long)max_connections);
}

int64_t multi_due_usec(const struct multi *multi)
{
	return multi->due_usec;
}

void multi_kick(struct multi *multi)
{
	/* One shot; curl sets it again from inside. */
	multi->due_usec = DEADLINE_NEVER;
	act(multi, CURL_SOCKET_TIMEOUT, 0);
}

bool multi_drain(struct multi *multi, int64_t until_usec,
		 void (*done)(void *userdata, CURL *easy, CURLcode result), void *userdata)
{
	int64_t began_usec = clock_monotonic_usec(), now_usec = began_usec;
	CURLMsg *message;
	int left = 0;
	bool more = false;

	while ((message = curl_multi_info_read(multi->curl, &left))) {
		/* The message dies with the removal. */
		CURL *easy = message->easy_handle;
		CURLcode result = message->data.result;

		if (message->msg != CURLMSG_DONE)
			continue;
		multi_remove(multi, easy);
		done(userdata, easy, result);
		now_usec = clock_monotonic_usec();
		more = left > 0 && now_usec >= until_usec;
		if (more)
			break;
	}
	multi->used_usec += now_usec - began_usec;
	return more;
}

int64_t multi_take_used_usec(struct multi *multi)
{
	int64_t used_usec = multi->used_usec;

	multi->used_usec = 0;
	return used_usec;
}

bool multi_is_broken(const struct multi *multi)
{
	return multi->broken;
}
