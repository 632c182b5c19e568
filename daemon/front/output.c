#include "daemon/front/output.h"

#include <errno.h>
#include <sys/socket.h>

#include "daemon/base/container_of.h"
#include "daemon/base/log.h"

/* A larger reply leaves piece by piece, in its user's turns. */
#define PIECE (16 * 1024)
#define LOW 262144 // bytes

size_t output_size(const struct output *output)
{
	return evbuffer_get_length(output->waiting);
}

bool output_is_low(const struct output *output)
{
	return output_size(output) < LOW;
}

static void charge(struct output *output)
{
	user_hold(&output->charge, output->user, USER_OUTPUT, (int64_t)output_size(output));
}

/* ---- Sending ---- */

static void release(const void *data, size_t size, void *reply)
{
	(void)data;
	(void)size;
	reply_unref(reply);
}

/* What the socket takes at once needs no buffer. */
static ssize_t send_at_once(const struct output *output, const struct reply *reply)
{
	ssize_t sent;

	if (output_size(output) > 0 || reply->size > PIECE)
		return 0;
	sent = send(output->fd, reply->text, reply->size, MSG_NOSIGNAL | MSG_DONTWAIT);
	return sent >= 0 ? sent : errno == EAGAIN || errno == EINTR ? 0 : -errno;
}

int output_send(struct output *output, struct reply *reply)
{
	ssize_t sent = send_at_once(output, reply);

	if (sent < 0 || (size_t)sent == reply->size)
		return sent < 0 ? (int)sent : 0;
	if (evbuffer_add_reference(output->waiting, reply->text + sent, reply->size - (size_t)sent,
				   release, reply_ref(reply)) < 0) {
		reply_unref(reply);
		return -ENOMEM;
	}
	charge(output);
	return 0;
}

int output_add(struct output *output, const void *data, size_t size)
{
	if (evbuffer_add(output->waiting, data, size) < 0)
		return -ENOMEM;
	charge(output);
	return 0;
}

/* ---- What waits ---- */

/* Sends a piece of it. 0: the peer takes no more for now. */
static int flush_piece(struct output *output)
{
	struct evbuffer_iovec pieces[8];
	int n = evbuffer_peek(output->waiting, PIECE, NULL, pieces, 8);
	struct msghdr header = { 0 };
	size_t size = 0;
	ssize_t sent;

	header.msg_iov = (struct iovec *)pieces;
	for (; header.msg_iovlen < 8 && (int)header.msg_iovlen < n && size < PIECE;
	     header.msg_iovlen++) {
		struct evbuffer_iovec *piece = &pieces[header.msg_iovlen];

		if (piece->iov_len > PIECE - size)
			piece->iov_len = PIECE - size;
		size += piece->iov_len;
	}
	sent = sendmsg(output->fd, &header, MSG_NOSIGNAL | MSG_DONTWAIT);
	if (sent < 0)
		return errno == EINTR ? 1 : errno == EAGAIN ? 0 : -errno;
	evbuffer_drain(output->waiting, (size_t)sent);
	charge(output);
	return 1;
}

void output_flush(struct output *output)
{
	struct user *user = output->user;
	bool has_turn = true;
	int r = 1;

	if (output->stopped)
		return;
	user_begin_work(user);
	while (r > 0 && has_turn && output_size(output) > 0) {
		r = flush_piece(output);
		has_turn = user_has_turn(user);
	}
	if (r < 0)
		output->failed(output);
	else
		output->moved(output);
	user_end_work(user);
}

static void on_turn(struct user_waiter *waiter)
{
	output_flush(container_of(waiter, struct output, turn));
}

static void on_stalled(struct output *output)
{
	log_about(LOG_NOTICE, ABOUT(.message = LOG_CLIENT_DROPPED),
		  "a client of user %lld took nothing for %lld seconds: dropped",
		  (long long)output->user->uid, (long long)output->stall_seconds);
	output->failed(output);
}

static void on_writable(evutil_socket_t fd, short events, void *userdata)
{
	struct output *output = userdata;

	(void)fd;
	if (events & EV_TIMEOUT)
		on_stalled(output);
	else if (user_take_turn(output->user, &output->turn))
		output_flush(output);
}

/* Gone once it has fired, so the time-out counts from the last byte taken; what else the client
 * does meanwhile does not put it off. */
int output_watch(struct output *output, int64_t stall_seconds)
{
	const struct timeval stall = { .tv_sec = stall_seconds };

	if (!output_size(output))
		return event_del(output->writable);
	if (output->turn.list || event_pending(output->writable, EV_WRITE, NULL))
		return 0;
	output->stall_seconds = stall_seconds;
	return event_add(output->writable, &stall);
}

/* ---- Life ---- */

int output_init(struct output *output, struct event_base *base, int fd)
{
	output->fd = fd;
	output->turn.wake = on_turn;
	output->waiting = evbuffer_new();
	output->writable = event_new(base, fd, EV_WRITE, on_writable, output);
	return output->waiting && output->writable ? 0 : -ENOMEM;
}

void output_done(struct output *output)
{
	user_stop_waiting(&output->turn);
	if (output->writable)
		event_free(output->writable);
	if (output->waiting)
		evbuffer_free(output->waiting);
	user_give_back(&output->charge);
}
