/*
 * A daemon's socket with a test behind it: every call that comes in is handed, as text, to the
 * test's function, on a thread of the connection's own.
 */
#pragma once

#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stddef.h>

#define STANDIN_GUESTS_MAX 256

struct standin;

struct standin_guest {
	struct standin *standin;
	pthread_t thread;
	int fd;
	int is_deaf;
};

struct standin {
	char folder[32];
	char path[64];
	int listener;
	pthread_t acceptor;
	struct standin_guest guests[STANDIN_GUESTS_MAX];
	atomic_int n_connections; // ever made
	atomic_int deaf_from; // from this connection on (the first is 1) it hangs up unread; 0: none
	atomic_int n_calls;
	sem_t left; // posted when a connection is closed from this side
	/* Answers a call with what it sends; negative closes the connection. */
	int (*answer)(struct standin *standin, int fd, const char *call);
};

void standin_start(struct standin *standin,
		   int (*answer)(struct standin *standin, int fd, const char *call));
/* Waits until one more connection was closed from this side. */
void standin_await_left(struct standin *standin);
/* Hangs up on everyone. */
void standin_stop(struct standin *standin);

/* A message: the text and its NUL. */
void standin_send(int fd, const char *text);
void standin_send_bytes(int fd, const void *bytes, size_t size);

/* Answers with whole tasks, statuses and errors, by what the call asks for. */
int standin_answer(struct standin *standin, int fd, const char *call);
