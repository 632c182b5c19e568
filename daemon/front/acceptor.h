/*
 * A listening socket whose connections are accepted: for a moment a turn, and not for a while when
 * file descriptors have run out.
 */
#pragma once

#include <event2/event.h>
#include <stdbool.h>
#include <stdint.h>

#define ACCEPT_PAUSE_SECONDS 1 // when file descriptors have run out

struct acceptor {
	int fd; // -1: not listening
	struct event *acceptable;
	struct event *again;
	bool (*accepted)(void *userdata, int fd); // see acceptor_open()
	void *userdata;
};

/* Takes the descriptor, as `accepted` takes the one that it is given; false: whose it is has had his part of
 * this turn, and nobody else is accepted in it. -ENOMEM: acceptor_close() is to follow all the same. */
int acceptor_open(struct acceptor *acceptor, struct event_base *base, int fd,
		  bool (*accepted)(void *userdata, int fd), void *userdata);
/* Accepts who has connected by now. */
void acceptor_turn(struct acceptor *acceptor);
/* One that is not open stays as it is. */
void acceptor_close(struct acceptor *acceptor);
