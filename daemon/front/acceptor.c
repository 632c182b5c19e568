#include "daemon/front/acceptor.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include "daemon/base/clock.h"
#include "daemon/base/log.h"

/* So long are connections accepted in one turn; then others have theirs. */
#define TURN_USEC 50

static void pause_accepting(struct acceptor *acceptor)
{
	static const struct timeval pause = { .tv_sec = ACCEPT_PAUSE_SECONDS };

	log_about(LOG_WARNING, ABOUT(.message = LOG_OUT_OF_FILES),
		  "out of file descriptors: no connection is accepted for %d s",
		  ACCEPT_PAUSE_SECONDS);
	event_del(acceptor->acceptable);
	(void)event_add(acceptor->again, &pause);
}

static void on_again(evutil_socket_t fd, short events, void *userdata)
{
	struct acceptor *acceptor = userdata;

	(void)fd;
	(void)events;
	(void)event_add(acceptor->acceptable, NULL);
}

void acceptor_turn(struct acceptor *acceptor)
{
	int64_t end = clock_monotonic_usec() + TURN_USEC;

	do {
		int fd = accept4(acceptor->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

		if (fd >= 0) {
			if (!acceptor->accepted(acceptor->userdata, fd))
				return;
			continue;
		}
		if (errno == ECONNABORTED || errno == EINTR)
			continue;
		if (errno != EAGAIN)
			pause_accepting(acceptor);
		return;
	} while (clock_monotonic_usec() < end);
}

static void on_acceptable(evutil_socket_t fd, short events, void *userdata)
{
	(void)fd;
	(void)events;
	acceptor_turn(userdata);
}

int acceptor_open(struct acceptor *acceptor, struct event_base *base, int fd,
		  bool (*accepted)(void *userdata, int fd), void *userdata)
{
	*acceptor = (struct acceptor){
		.fd = fd,
		.acceptable = event_new(base, fd, EV_READ | EV_PERSIST, on_acceptable, acceptor),
		.again = event_new(base, -1, 0, on_again, acceptor),
		.accepted = accepted,
		.userdata = userdata,
	};
	if (!acceptor->acceptable || !acceptor->again || event_add(acceptor->acceptable, NULL) < 0)
		return -ENOMEM;
	return 0;
}

void acceptor_close(struct acceptor *acceptor)
{
	if (acceptor->acceptable)
		event_free(acceptor->acceptable);
	if (acceptor->again)
		event_free(acceptor->again);
	if (acceptor->fd >= 0)
		close(acceptor->fd);
	*acceptor = (struct acceptor){ .fd = -1 };
}
