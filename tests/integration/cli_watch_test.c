/* What the command shows of all tasks: as lines, and as a live view on a terminal. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/harness/command.h"
#include "tests/harness/suite.h"

#define HOME "\033[H"
#define SCREEN_BACK "\033[?7h\033[?25h\033[?1049l"

static struct daemon *server;
static struct sim *sim;
static struct wire *wire;

/* A task that runs until the endpoint is told to answer. */
static int64_t submit(const char *name)
{
	return experiment_submit(wire, &(struct experiment) {
		.name = name, .rows = 6, .url = sim_url(sim), .max_connections = 2 });
}

static void begin(void)
{
	server = daemon_start(NULL);
	sim = sim_start((const char *[]) { "--latency_seconds=3600", NULL });
	wire = daemon_connect(server);
}

static bool ends_with(const char *text, const char *end)
{
	size_t size = strlen(text);

	return size >= strlen(end) && strcmp(text + size - strlen(end), end) == 0;
}

/* ---- Lines ---- */

START_TEST(monitor_lines)
{
	struct command *monitor;
	int64_t id;

	begin();
	id = submit("First");
	monitor = command_start(server, (const char *[]) { "monitor", NULL });
	command_await(monitor, "1  First  STARTED");
	submit("Second");
	command_await(monitor, "2  Second  ");
	sim_control(sim, "{'content_filter_rate':1,'latency_seconds':0}");
	wire_call(wire, "CancelTask", "{'id':%lld}", (long long)id);
	command_await(monitor, "1  First  REVOKED");
	/* Shown as it is, without what led there: and that is a single line of its end. */
	wire_call(wire, "CreateCollection", "{'collection':{'name':'empty','columns':[{'name':'topic'}]}}");
	experiment_submit(wire, &(struct experiment) {
		.name = "Third", .url = sim_url(sim), .more = "'collection':{'ref':{'name':'empty'}}" });
	submit("Fourth");
	command_await(monitor, "4  Fourth  STARTED");
	ASSERT_SAYS(monitor->out, "3  Third  REJECTED");
	ck_assert_ptr_null(strstr(monitor->out, "3    REJECTED"));
	ck_assert_ptr_null(strstr(strstr(monitor->out, "Third  REJECTED") + 1, "Third  REJECTED"));
	/* Nor does the first event of one tell again what it was shown as. */
	ck_assert_ptr_null(strstr(strstr(monitor->out, "Fourth  ") + 1, "Fourth  PENDING"));
	command_signal(monitor, SIGINT);
	ck_assert_int_eq(command_end(monitor), 0);
	ASSERT_SAYS(monitor->err, "elluminate monitor --cursor ");
}
END_TEST

/* The cursor of the last line of --json. */
static const char *last_cursor(const struct command *monitor)
{
	const char *line = monitor->out, *cursor = NULL;

	while (*line) {
		size_t size = strcspn(line, "\n");
		json_object *reply = json_must_parse(text("%.*s", (int)size, line));

		ck_assert(at_has(reply, "task") != at_has(reply, "event"));
		if (at_has(reply, "cursor"))
			cursor = text("%s", at_text(reply, "cursor"));
		json_object_put(reply);
		line += size + 1;
	}
	return cursor;
}

START_TEST(monitor_goes_on)
{
	struct command *monitor;
	const char *cursor;

	begin();
	submit("First");
	monitor = command_start(server, (const char *[]) { "monitor", "--json", NULL });
	command_await(monitor, "\"name\":\"First\"");
	wire_call(wire, "CancelTask", "{'id':1}");
	command_await(monitor, "\"status\":\"REVOKED\"");
	command_await(monitor, "\n");
	command_signal(monitor, SIGINT);
	ck_assert_int_eq(command_end(monitor), 0);
	cursor = last_cursor(monitor);
	ck_assert_ptr_nonnull(cursor);
	submit("Second");
	monitor = command_start(server, (const char *[]) { "monitor", "--json", "--quiet", "--cursor",
							   cursor, NULL });
	command_await(monitor, "\"name\":\"Second\"");
	command_signal(monitor, SIGINT);
	ck_assert_int_eq(command_end(monitor), 0);
	ck_assert_ptr_null(strstr(monitor->out, "REVOKED"));
	ck_assert_str_eq(monitor->err, "");
	COMMAND(server, 23, "monitor", "--cursor", "nonsense");
}
END_TEST

START_TEST(watch_without_a_terminal)
{
	struct command *watch;

	begin();
	submit("First");
	watch = command_start(server, (const char *[]) { "task", "watch", NULL });
	command_await(watch, "1  First  STARTED");
	daemon_kill(server);
	ck_assert_int_eq(command_end(watch), 69);
	ck_assert_ptr_null(strchr(watch->out, '\033'));
}
END_TEST

/* ---- The live view ---- */

static struct command *view(int columns, int lines)
{
	return command_start_on_terminal(server, columns, lines,
					 (const char *[]) { "task", "watch", NULL });
}

/* What was on the screen when it was given back. */
static const char *last_frame(const struct command *command)
{
	const char *end = strstr(command->out, SCREEN_BACK), *frame = NULL;

	ck_assert_msg(end, "the screen was not given back: %s", command->out);
	for (const char *at = command->out; (at = strstr(at, HOME)) && at < end; at++)
		frame = at;
	ck_assert_ptr_nonnull(frame);
	return text("%.*s", (int)(end - frame), frame);
}

START_TEST(view_shows_all_tasks)
{
	struct command *watch;
	const char *frame;

	begin();
	submit("First");
	watch = view(120, 30);
	command_await(watch, "\033[?1049h");
	command_await(watch, "First");
	submit("Second");
	command_await(watch, "2 running");
	command_await(watch, "Second");
	wire_call(wire, "CancelTask", "{'id':1}");
	command_await(watch, "REVOKED");
	command_type(watch, "q");
	command_await(watch, SCREEN_BACK);
	ck_assert_int_eq(command_end(watch), 0);
	ck_assert(ends_with(watch->out, SCREEN_BACK));
	frame = last_frame(watch);
	ASSERT_SAYS(frame, "1 running");
	ASSERT_SAYS(frame, "REVOKED");
	ASSERT_SAYS(frame, "First");
	ASSERT_SAYS(frame, "Second");
}
END_TEST

/* Columns that the widest line of a frame takes; its texts are ASCII. */
static int frame_width(const char *frame)
{
	int width = 0, widest = 0;

	for (const char *c = frame; *c; c++) {
		if (*c == '\033') {
			c += strcspn(c, "hlHJKm");
		} else if (*c == '\n') {
			width = 0;
		} else if (*c != '\r') {
			width += ((unsigned char)*c & 0xc0) != 0x80;
			widest = width > widest ? width : widest;
		}
	}
	return widest;
}

START_TEST(view_survives_resizing)
{
	struct command *watch;
	const char *frame;

	begin();
	submit("A name that is longer than the narrow terminal is wide");
	watch = view(120, 30);
	command_await(watch, "terminal is wide");
	command_resize(watch, 24, 3);
	command_await(watch, "A na\033[K\033[J");
	command_resize(watch, 1, 1);
	command_await(watch, HOME);
	command_resize(watch, 120, 30);
	command_await(watch, "terminal is wide");
	command_resize(watch, 40, 10);
	command_await(watch, "A name");
	command_await(watch, "\033[J");
	command_signal(watch, SIGINT);
	ck_assert_int_eq(command_end(watch), 0);
	ck_assert(ends_with(watch->out, SCREEN_BACK));
	frame = last_frame(watch);
	ck_assert_int_le(frame_width(frame), 40);
	ASSERT_SAYS(frame, "A name");
	ASSERT_SAYS(frame, "...");
}
END_TEST

static void assert_modes_are_back(const struct command *watch)
{
	const struct termios *before = &watch->modes_before, *after = &watch->modes_after;

	ck_assert_uint_eq(after->c_iflag, before->c_iflag);
	ck_assert_uint_eq(after->c_oflag, before->c_oflag);
	ck_assert_uint_eq(after->c_cflag, before->c_cflag);
	ck_assert_uint_eq(after->c_lflag, before->c_lflag);
	ck_assert_mem_eq(after->c_cc, before->c_cc, sizeof(before->c_cc));
}

/* However it ends, the screen and the modes of the terminal are what they were. */
static void ends(void (*end)(struct command *watch), int status)
{
	struct termios during;
	struct command *watch;

	begin();
	submit("First");
	watch = view(100, 20);
	command_await(watch, "First");
	during = command_termios(watch);
	ck_assert(!(during.c_lflag & ICANON) && !(during.c_lflag & ECHO));
	end(watch);
	ck_assert_int_eq(command_end(watch), status);
	assert_modes_are_back(watch);
	ck_assert(ends_with(watch->out, SCREEN_BACK));
	ck_assert(strstr(last_frame(watch), "First"));
	ck_assert_str_eq(at_text(task_get(wire, 1), "status"), "STARTED");
}

static void press_ctrl_c(struct command *watch)
{
	command_type(watch, "\003");
}

static void terminate(struct command *watch)
{
	command_signal(watch, SIGTERM);
}

START_TEST(view_ends_by_ctrl_c)
{
	ends(press_ctrl_c, 0);
}
END_TEST

START_TEST(view_ends_by_sigterm)
{
	ends(terminate, 128 + SIGTERM);
}
END_TEST

START_TEST(view_ends_with_its_daemon)
{
	struct command *watch;

	begin();
	submit("First");
	watch = view(100, 20);
	command_await(watch, "First");
	daemon_kill(server);
	command_await(watch, "waiting for it");
	command_await(watch, SCREEN_BACK);
	ck_assert_int_eq(command_end(watch), 69);
	assert_modes_are_back(watch);
	ASSERT_SAYS(strstr(watch->out, SCREEN_BACK), "elluminate: ");
}
END_TEST

START_TEST(lines_on_a_terminal_say_that_the_daemon_is_away)
{
	struct command *monitor;

	begin();
	submit("First");
	monitor = command_start_on_terminal(server, 100, 20, (const char *[]) { "monitor", NULL });
	command_await(monitor, "1  First  STARTED");
	daemon_kill(server);
	command_await(monitor, "The daemon went away; waiting for it.");
	daemon_restart(server);
	wire = daemon_connect(server);
	submit("Second");
	command_await(monitor, "2  Second  ");
	command_signal(monitor, SIGINT);
	ck_assert_int_eq(command_end(monitor), 0);
}
END_TEST

/* Stopped by Ctrl-Z it gives the screen back, and takes it again when it goes on. */
START_TEST(view_stops_and_goes_on)
{
	struct command *watch;

	begin();
	submit("First");
	watch = view(100, 20);
	command_await(watch, "First");
	command_signal(watch, SIGTSTP);
	command_await(watch, SCREEN_BACK);
	command_await_stopped(watch);
	command_signal(watch, SIGCONT);
	command_await(watch, "\033[?1049h");
	command_await(watch, "First");
	command_type(watch, "q");
	ck_assert_int_eq(command_end(watch), 0);
	ck_assert(ends_with(watch->out, SCREEN_BACK));
}
END_TEST

int main(void)
{
	return RUN_SUITE(monitor_lines, monitor_goes_on, watch_without_a_terminal,
			 view_shows_all_tasks, view_survives_resizing, view_ends_by_ctrl_c,
			 view_ends_by_sigterm, view_ends_with_its_daemon,
			 lines_on_a_terminal_say_that_the_daemon_is_away, view_stops_and_goes_on);
}
