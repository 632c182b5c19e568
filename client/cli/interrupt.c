/* SPDX-License-Identifier: MIT */
#include "client/cli/interrupt.h"

#include <errno.h>
#include <signal.h>

/* How late a Ctrl-C that comes just before the wait is noticed. */
#define WAIT_SECONDS 0.25

static volatile sig_atomic_t interrupted;
static struct sigaction before;

static void on_interrupt(int signal_number)
{
	(void) signal_number;
	interrupted = 1;
}

void interrupt_catch(void)
{
	struct sigaction action = { .sa_handler = on_interrupt, .sa_flags = (int) SA_RESETHAND };

	interrupted = 0;
	sigemptyset(&action.sa_mask);
	sigaction(SIGINT, &action, &before);
}

void interrupt_release(void)
{
	sigaction(SIGINT, &before, NULL);
}

bool interrupt_take(void)
{
	bool taken = interrupted;

	interrupted = 0;
	return taken;
}

int interrupt_wait(struct ellu_stream *stream)
{
	int r;

	do {
		if (interrupted)
			return -EINTR;
		r = ellu_stream_wait(stream, WAIT_SECONDS);
	} while (r == 0 || r == -EINTR);
	return r;
}
