/*
 * A listening socket whose connections are accepted: for a moment a turn, and not for a while when
 * file descriptors have run out.
 */
#pragma once

#include <event2/event.h>
#include <stdint.h>

#define ACCEPT_PAUSE_SECONDS 1 // when file descriptors have run out

struct acceptor {
	int fd; // -1: not listening
	struct event *acceptable;
	struct event *again;
	void (*accepted)(void *userdata, int fd); // takes the descriptor
	void *userdata;
};

/* Takes the descriptor. -ENOMEM: acceptor_close() is to follow all the same. */
int acceptor_open(struct acceptor *acceptor, struct event_base *base, int fd,
		  void (*accepted)(void *userdata, int fd), void *userdata);
/* Accepts who has connected by now. */
void acceptor_turn(struct acceptor *acceptor);
/* One that is not open stays as it is. */
void acceptor_close(struct acceptor *acceptor);
