#include "client/cli/interrupt.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

/* How late a Ctrl-C that comes just before the wait is noticed. */
#define WAIT_SECONDS 0.25

static volatile sig_atomic_t interrupted;
static struct sigaction before;

static void on_interrupt(int signal_number)
{
	interrupted = 1;
	sigaction(signal_number, &before, NULL); // the second ends the process
}

void interrupt_catch(void)
{
	/* Waiting ends by it in any case; output that it meets is written on. */
	struct sigaction action = { .sa_handler = on_interrupt,
				    .sa_flags = SA_RESTART };

	interrupted = 0;
	sigemptyset(&action.sa_mask);
	sigaction(SIGINT, NULL, &before);
	if (before.sa_handler != SIG_IGN) // as a shell has it for what runs in the background
		sigaction(SIGINT, &action, NULL);
}

void interrupt_release(void)
{
	sigaction(SIGINT, &before, NULL);
}

bool interrupt_came(void)
{
	return interrupted;
}

bool interrupt_take(void)
{
	bool taken = interrupted;

	interrupted = 0;
	return taken;
}

/* In the place of a progress bar, if there is one. */
static void say_away(const struct cli *cli)
{
	if (!isatty(STDERR_FILENO) || cli->arguments.quiet)
		return;
	fputs("\r\033[K", stderr);
	cli_note(cli, "The daemon went away; waiting for it.");
}

int interrupt_wait(const struct cli *cli, struct ellu_stream *stream)
{
	bool said = false;
	int r;

	do {
		if (interrupted)
			return -EINTR;
		r = ellu_stream_wait(stream, WAIT_SECONDS);
		if (r == 0 && !said && ellu_stream_is_reconnecting(stream)) {
			say_away(cli);
			said = true;
		}
	} while (r == 0 || r == -EINTR);
	return r;
}
