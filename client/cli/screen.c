#include "client/cli/screen.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <unistd.h>

/* The alternate buffer, no cursor, no wrapping at the right edge. */
#define ENTER "\033[?1049h\033[?25l\033[?7l\033[2J"
#define LEAVE "\033[?7h\033[?25h\033[?1049l"

bool screen_possible(void)
{
	const char *terminal = getenv("TERM");

	return isatty(STDOUT_FILENO) && isatty(STDIN_FILENO) && terminal && *terminal &&
	       strcmp(terminal, "dumb") != 0;
}

/* ---- The terminal ---- */

static void take_terminal(struct screen *screen)
{
	struct termios raw;

	screen->has_keys = tcgetattr(STDIN_FILENO, &screen->before) == 0;
	if (screen->has_keys) {
		raw = screen->before;
		raw.c_lflag &= ~(tcflag_t) (ICANON | ECHO);
		raw.c_cc[VMIN] = 1;
		raw.c_cc[VTIME] = 0;
		(void) tcsetattr(STDIN_FILENO, TCSADRAIN, &raw);
	}
	(void) screen_write(ENTER, strlen(ENTER));
}

static void give_terminal(struct screen *screen)
{
	(void) screen_write(LEAVE, strlen(LEAVE));
	if (screen->has_keys)
		(void) tcsetattr(STDIN_FILENO, TCSADRAIN, &screen->before);
}

int screen_enter(struct screen *screen)
{
	static const int taken[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGTSTP, SIGWINCH };
	sigset_t mask;

	sigemptyset(&mask);
	for (size_t i = 0; i < sizeof(taken) / sizeof(taken[0]); i++)
		sigaddset(&mask, taken[i]);
	screen->signals = signalfd(-1, &mask, SFD_CLOEXEC | SFD_NONBLOCK);
	if (screen->signals < 0)
		return -errno;
	sigprocmask(SIG_BLOCK, &mask, &screen->mask_before);
	take_terminal(screen);
	return 0;
}

void screen_leave(struct screen *screen)
{
	give_terminal(screen);
	close(screen->signals);
	sigprocmask(SIG_SETMASK, &screen->mask_before, NULL);
}

void screen_size(int *ret_columns, int *ret_lines)
{
	struct winsize size = { 0 };

	(void) ioctl(STDOUT_FILENO, TIOCGWINSZ, &size);
	*ret_columns = size.ws_col > 0 ? size.ws_col : 80;
	*ret_lines = size.ws_row > 0 ? size.ws_row : 24;
}

int screen_write(const char *bytes, size_t size)
{
	while (size > 0) {
		ssize_t n = write(STDOUT_FILENO, bytes, size);

		if (n < 0 && errno == EAGAIN) { // its other users made it so
			struct pollfd out = { .fd = STDOUT_FILENO, .events = POLLOUT };

			(void) poll(&out, 1, -1);
		} else if (n < 0 && errno != EINTR) {
			return -errno;
		} else if (n > 0) {
			bytes += n;
			size -= (size_t) n;
		}
	}
	return 0;
}

/* ---- Events ---- */

static int take_signal(struct screen *screen, int *ret_number)
{
	struct signalfd_siginfo info;

	if (read(screen->signals, &info, sizeof(info)) != sizeof(info))
		return SCREEN_NOTHING;
	*ret_number = (int) info.ssi_signo;
	if (info.ssi_signo == SIGTSTP) {
		give_terminal(screen);
		raise(SIGSTOP);
		take_terminal(screen);
	}
	return info.ssi_signo == SIGTSTP || info.ssi_signo == SIGWINCH ? SCREEN_RESIZED
								      : SCREEN_SIGNAL;
}

static int take_key(struct screen *screen, int *ret_number)
{
	unsigned char key;
	ssize_t n = read(STDIN_FILENO, &key, 1);

	if (n == 1) {
		*ret_number = key;
		return SCREEN_KEY;
	}
	if (n < 0 && (errno == EINTR || errno == EAGAIN))
		return SCREEN_NOTHING;
	screen->has_keys = false; // the terminal is gone: a signal will say so
	return SCREEN_NOTHING;
}

int screen_wait(struct screen *screen, struct pollfd *other, int timeout_msec, int *ret_number)
{
	struct pollfd fds[3] = {
		{ .fd = screen->signals, .events = POLLIN },
		{ .fd = screen->has_keys ? STDIN_FILENO : -1, .events = POLLIN },
		*other,
	};

	if (poll(fds, 3, timeout_msec) < 0)
		return errno == EINTR ? SCREEN_NOTHING : -errno;
	other->revents = fds[2].revents;
	if (fds[0].revents)
		return take_signal(screen, ret_number);
	if (fds[1].revents)
		return take_key(screen, ret_number);
	return SCREEN_NOTHING;
}
