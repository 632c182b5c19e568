#include "client/cli/commands/live_view.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include "client/cli/view/progress_bar.h"
#include "client/cli/view/show.h"
#include "client/cli/view/text.h"

/* The alternate buffer, no cursor, no wrapping at the right edge. */
#define ENTER "\033[?1049h\033[?25l\033[?7l\033[2J"
#define LEAVE "\033[?7h\033[?25h\033[?1049l"

#define ENDED_SECONDS 10 // how long a task that ended stays
#define DRAW_SECONDS 0.2 // at least, between two frames
#define BAR_WIDTH 20
#define HEAD_LINES 2 // above the first task

/* Terminals of at least as many columns show it. */
#define BAR_COLUMNS 90
#define COUNTS_COLUMNS 64
#define ETA_COLUMNS 48

/* ---- The screen ----
 *
 * The terminal's alternate buffer, without cursor and echo, and given back as it was. One at a time;
 * signals that would end or stop the process come as events meanwhile, so that none leaves the
 * terminal behind in disorder. */

enum screen_event {
	SCREEN_NOTHING, // only the other descriptor, or the time
	SCREEN_RESIZED, // or it has to be drawn anew for another reason
	SCREEN_KEY,
	SCREEN_SIGNAL, // that ends the process
};

struct screen {
	int signals; // a signalfd
	sigset_t mask_before;
	bool has_keys;
	struct termios before;
};

bool live_view_possible(void)
{
	const char *terminal = getenv("TERM");

	return isatty(STDOUT_FILENO) && isatty(STDIN_FILENO) && terminal && *terminal &&
	       strcmp(terminal, "dumb") != 0;
}

/* Writes a frame. Negative errno: the terminal is gone. */
static int screen_write(const char *bytes, size_t size)
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

/* Negative errno: nothing has changed. */
static int screen_enter(struct screen *screen)
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

/* Gives the terminal back. */
static void screen_leave(struct screen *screen)
{
	give_terminal(screen);
	close(screen->signals);
	sigprocmask(SIG_SETMASK, &screen->mask_before, NULL);
}

/* Columns and lines. */
static void screen_size(int *ret_columns, int *ret_lines)
{
	struct winsize size = { 0 };

	(void) ioctl(STDOUT_FILENO, TIOCGWINSZ, &size);
	*ret_columns = size.ws_col > 0 ? size.ws_col : 80;
	*ret_lines = size.ws_row > 0 ? size.ws_row : 24;
}

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

/* Waits for one thing: a key or a signal, whose number it gives; or until `other` is ready or
 * `timeout_msec` (negative: none) has passed. Ctrl-Z is handled here. Negative errno. */
static int screen_wait(struct screen *screen, struct pollfd *other, int timeout_msec, int *ret_number)
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

/* ---- The view ---- */

struct view {
	struct task_board board;
	struct ellu_op *op; // of the monitor
	struct frame frame;
	char *drawn; // the last frame, or NULL: there is none on the screen
	size_t drawn_size;
	double drawn_at;
	bool changed;
	bool ended; // the stream
	int result; // why
	const struct ellu_error *error;
};

/* ---- The picture ---- */

/* The columns that there is room for. */
static void add_columns(struct table *table, int columns)
{
	table_column(table, ">ID");
	table_column(table, "STATUS");
	if (columns >= BAR_COLUMNS)
		table_column(table, "");
	table_column(table, ">DONE");
	if (columns >= COUNTS_COLUMNS) {
		table_column(table, ">CASES");
		table_column(table, ">FAILED");
	}
	if (columns >= ETA_COLUMNS)
		table_column(table, ">LEFT");
	table_column(table, "NAME");
}

static void add_counts(struct table *table, const struct board_task *task)
{
	char done[32], total[32];

	if (!task->has_progress) {
		table_text(table, "");
		table_text(table, "");
		return;
	}
	table_printf(table, "%s/%s", number_text(done, task->done), number_text(total, task->total));
	table_text(table, task->failed > 0 ? number_text(done, task->failed) : "");
}

static void add_task(struct table *table, const struct board_task *task, const struct frame *frame)
{
	char bar[BAR_WIDTH * 4 + 8], left[32];

	table_printf(table, "%lld", (long long) task->id);
	table_printf(table, "%s%s", *task->hold ? "held: " : task->status, task->hold);
	if (frame->columns >= BAR_COLUMNS) {
		progress_bar_draw(frame->unicode, task->percent / 100, BAR_WIDTH, bar, sizeof(bar));
		table_text(table, bar);
	}
	if (task->has_progress)
		table_printf(table, "%.0f %%", task->percent);
	else
		table_text(table, "");
	if (frame->columns >= COUNTS_COLUMNS)
		add_counts(table, task);
	if (frame->columns >= ETA_COLUMNS)
		table_text(table, task->eta_seconds >= 0 && !task->ended && !*task->hold
					  ? duration_text(left, task->eta_seconds)
					  : "");
	table_text(table, task->name);
}

/* What works comes first, what only waits after it. */
static bool waits(const struct board_task *task)
{
	return strcmp(task->status, "PENDING") == 0;
}

/* The rows that there is room for. Returns how many are left out. */
static size_t add_tasks(struct table *table, const struct task_board *board,
			const struct frame *frame)
{
	size_t room = frame->lines > HEAD_LINES ? (size_t) (frame->lines - HEAD_LINES) : 0, n = 0;

	if (board->n > room)
		room -= room > 0; // for the line that says so
	for (int waiting = 0; waiting < 2; waiting++)
		for (size_t i = 0; i < board->n && n < room; i++)
			if (waits(&board->tasks[i]) == waiting) {
				add_task(table, &board->tasks[i], frame);
				n++;
			}
	return board->n - n;
}

static void print_head(FILE *out, const struct task_board *board, bool away)
{
	size_t running = 0, held = 0, waiting = 0;

	for (size_t i = 0; i < board->n; i++) {
		const struct board_task *task = &board->tasks[i];

		held += *task->hold && !task->ended;
		waiting += !*task->hold && waits(task);
		running += !*task->hold && !waits(task) && !task->ended;
	}
	if (away)
		fputs("The daemon went away; waiting for it.   (q: leave)\n", out);
	else
		fprintf(out, "%zu running, %zu waiting, %zu on hold   (q: leave)\n", running, waiting,
			held);
}

/* Line by line, none as long as the screen is wide: erasing to its edge would take the last
 * character of one that fills it. */
static void put_lines(FILE *out, char *text, const struct frame *frame)
{
	int n = 0;

	fputs("\033[H", out);
	for (char *line = text, *end; n < frame->lines && (end = strchr(line, '\n')); line = end + 1) {
		bool title = n == HEAD_LINES - 1 && frame->color;

		*end = '\0';
		fputs(n > 0 ? "\r\n" : "", out);
		fprintf(out, "%s%.*s%s\033[K", title ? "\033[1m" : "",
			(int) text_cut(line, frame->columns - 1), line, title ? "\033[0m" : "");
		n++;
	}
	fputs("\033[J", out);
}

void live_view_draw(FILE *out, const struct task_board *board, const struct frame *frame)
{
	/* Colours come with the lines. */
	const struct output plain = { .header = true, .terminal = true, .width = frame->columns - 1,
				      .flat = true };
	struct table *table;
	size_t size, left_out;
	char *text = NULL;
	FILE *lines = open_memstream(&text, &size);

	if (!lines)
		return;
	table = table_new_as(&plain);
	add_columns(table, frame->columns);
	left_out = table ? add_tasks(table, board, frame) : 0;
	print_head(lines, board, frame->away);
	if (board->n > 0)
		table_print(table, lines);
	else
		fputs("No task runs or waits.\n", lines);
	if (left_out > 0)
		fprintf(lines, "... and %zu more\n", left_out);
	table_free(table);
	if (fclose(lines) == 0)
		put_lines(out, text, frame);
	free(text);
}

/* ---- Drawing ---- */

/* What is on the screen already is not sent again. */
static int redraw(struct view *view)
{
	char *frame = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&frame, &size);
	int r = 0;

	if (!out)
		return -ENOMEM;
	screen_size(&view->frame.columns, &view->frame.lines);
	view->frame.away = ellu_op_is_reconnecting(view->op);
	live_view_draw(out, &view->board, &view->frame);
	if (fclose(out) != 0) {
		free(frame);
		return -ENOMEM;
	}
	if (!view->drawn || size != view->drawn_size || memcmp(frame, view->drawn, size) != 0)
		r = screen_write(frame, size);
	free(view->drawn);
	view->drawn = frame;
	view->drawn_size = size;
	view->drawn_at = now_seconds();
	view->changed = false;
	return r;
}

static void forget_drawn(struct view *view)
{
	free(view->drawn);
	view->drawn = NULL;
	view->drawn_at = 0;
	view->changed = true;
}

/* ---- The stream ---- */

static void on_reply(struct ellu_op *op, int result, const struct ellu_monitor_reply *change,
		     const struct ellu_error *error, void *userdata)
{
	struct view *view = userdata;
	struct board_task *task;
	int r = 0;

	(void) op;
	if (result >= 0 && change) {
		if (change->event || change->task)
			r = task_board_take(&view->board, change, now_seconds(), &task);
		view->changed = true;
	}
	if (result > 0 && r == 0)
		return;
	view->ended = true;
	view->result = r < 0 ? r : result < 0 ? result : -ECONNRESET;
	view->error = ellu_keep(error);
}

/* How long to wait: for the next frame, for the library, or for an ended task to go. */
static int timeout_msec(const struct view *view, const struct ellu *daemon)
{
	double now = now_seconds(), until = now + 1;
	uint64_t library = ellu_timeout(daemon);

	if (view->changed && view->drawn_at + DRAW_SECONDS < until)
		until = view->drawn_at + DRAW_SECONDS;
	if (library != UINT64_MAX && (double) library / 1e6 < until)
		until = (double) library / 1e6;
	return until <= now ? 0 : (int) ((until - now) * 1000) + 1;
}

/* ---- The loop ---- */

/* One turn. 0 to go on, 1 to leave, with the exit status; negative: the error's code. */
static int turn(struct view *view, struct screen *screen, struct ellu *daemon, int *ret_status)
{
	struct pollfd socket = { .fd = ellu_fd(daemon), .events = (short) ellu_events(daemon) };
	int number = 0, r = screen_wait(screen, &socket, timeout_msec(view, daemon), &number);

	if (r < 0)
		return r;
	if (r == SCREEN_SIGNAL || (r == SCREEN_KEY && (number == 'q' || number == 'Q'))) {
		*ret_status = r == SCREEN_KEY || number == SIGINT ? 0 : 128 + number;
		return 1;
	}
	if (r == SCREEN_RESIZED)
		forget_drawn(view);
	do
		r = ellu_process(daemon);
	while (r > 0 && !view->ended);
	if (r < 0 || view->ended)
		return r < 0 ? r : view->result;
	task_board_expire(&view->board, now_seconds() - ENDED_SECONDS);
	if (now_seconds() >= view->drawn_at + (view->changed ? DRAW_SECONDS : 1))
		return redraw(view);
	return 0;
}

static int show(struct view *view, struct ellu *daemon)
{
	struct screen screen;
	int status = 0, r = screen_enter(&screen);

	if (r < 0)
		return cli_fail(r, NULL);
	do
		r = turn(view, &screen, daemon, &status);
	while (r == 0);
	screen_leave(&screen);
	if (r < 0) {
		status = cli_fail(r, view->error);
		view->error = NULL;
	}
	return status;
}

int live_view(struct cli *cli)
{
	struct ellu_monitor_request request = ELLU_RECORD(struct ellu_monitor_request);
	struct view view = { .changed = true };
	struct ellu *daemon;
	int r, status = cli_connect(cli);

	if (status == 0)
		status = cli_connect_event(cli, &daemon);
	if (status != 0)
		return status;
	view.frame.unicode = progress_bar_has_unicode();
	view.frame.color = output.color;
	r = ellu_monitor_stream_async(daemon, &request, on_reply, &view, &view.op);
	status = r < 0 ? cli_fail(r, NULL) : show(&view, daemon);
	ellu_op_free(view.op);
	ellu_close(daemon);
	ellu_free(view.error);
	free(view.drawn);
	task_board_done(&view.board);
	return status;
}
