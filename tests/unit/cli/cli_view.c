/* The live view's picture, and the board that it is drawn from. */
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/cli/commands/live_view.h"
#include "client/cli/view/text.h"
#include "tests/unit/suite.h"

static struct task_board board;

static struct board_task *show(int64_t id, const char *name, const char *status)
{
	struct ellu_monitor_reply reply = ELLU_RECORD(struct ellu_monitor_reply);
	struct ellu_task task = ELLU_RECORD(struct ellu_task);
	struct board_task *taken;

	task.id = id;
	task.name = name;
	task.kind = "experiment";
	task.status = status;
	reply.task = &task;
	ck_assert_int_eq(task_board_take(&board, &reply, 0, &taken), 0);
	return taken;
}

static struct board_task *change(int64_t id, const char *status, const char *hold,
				 const struct ellu_progress *progress, double now)
{
	struct ellu_monitor_reply reply = ELLU_RECORD(struct ellu_monitor_reply);
	struct ellu_task_event event = ELLU_RECORD(struct ellu_task_event);
	struct board_task *taken;

	event.task_id = id;
	event.status = status;
	event.hold = hold;
	event.progress = progress;
	reply.event = &event;
	ck_assert_int_eq(task_board_take(&board, &reply, now, &taken), 0);
	return taken;
}

/* The frame without what erases and moves; the caller frees it. */
static char *drawn(int columns, int lines)
{
	const struct frame frame = { .columns = columns, .lines = lines, .unicode = true };
	char *text, *to;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	live_view_draw(out, &board, &frame);
	fclose(out);
	ck_assert_int_eq(strncmp(text, "\033[H", 3), 0);
	to = text;
	for (char *from = text; *from; from++)
		if (*from == '\033')
			from += strcspn(from, "HJK");
		else if (*from != '\r')
			*to++ = *from;
	*to = '\0';
	return text;
}

static void fill(void)
{
	struct ellu_progress progress = ELLU_RECORD(struct ellu_progress);
	const double eta = 75;

	show(7, "Ha\033[31miku\n", "STARTED");
	show(3, "Waiting", "PENDING");
	show(12, "\xe4\xbf\xb3\xe5\x8f\xa5 \xe4\xbf\xb3\xe5\x8f\xa5 \xe4\xbf\xb3\xe5\x8f\xa5", "STARTED");
	progress.percent_complete = 53;
	progress.responses_generated = 1060;
	progress.total_responses = 2000;
	progress.failed = 3;
	progress.eta_seconds = &eta;
	change(7, "STARTED", NULL, &progress, 1);
	change(12, "STARTED", "budget", &progress, 1);
}

START_TEST(the_board_follows_the_stream)
{
	struct board_task *task;

	fill();
	ck_assert_uint_eq(board.n, 3);
	ck_assert_int_eq(board.tasks[0].id, 3);
	ck_assert_int_eq(board.tasks[2].id, 12);
	ck_assert_str_eq(board.tasks[1].name, "Ha [31miku ");
	task = change(7, "STARTED", NULL, NULL, 2);
	ck_assert(!task->changed && task->has_progress && task->done == 1060);
	task = change(7, "SUCCESS", NULL, NULL, 3);
	ck_assert(task->changed && task->ended);
	ck_assert_double_eq(task->ended_at, 3);
	task = change(7, "SUCCESS", NULL, NULL, 9);
	ck_assert_double_eq(task->ended_at, 3);
	task_board_expire(&board, 3);
	ck_assert_uint_eq(board.n, 3);
	task_board_expire(&board, 4);
	ck_assert_uint_eq(board.n, 2);
	/* A task that was not shown has no name, and is no error. */
	task = change(5, "PENDING", "user", NULL, 5);
	ck_assert_str_eq(task->name, "");
	ck_assert_str_eq(task->hold, "user");
	ck_assert_int_eq(board.tasks[1].id, 5);
	task_board_done(&board);
}
END_TEST

START_TEST(the_picture)
{
	char *text;

	text = drawn(80, 24);
	ck_assert_str_eq(text, "0 running, 0 waiting, 0 on hold   (q: leave)\nNo task runs or waits.");
	free(text);
	fill();
	text = drawn(120, 24);
	ck_assert_ptr_nonnull(strstr(text, "1 running, 1 waiting, 1 on hold"));
	ck_assert_ptr_nonnull(strstr(text, "53 %  1,060/2,000       3  1:15  Ha [31miku"));
	ck_assert_ptr_nonnull(strstr(text, "held: budget"));
	ck_assert_ptr_nonnull(strstr(text, "\u2588\u2588\u2588"));
	/* What waits comes last. */
	ck_assert(strstr(text, "held: budget") < strstr(text, "Waiting"));
	free(text);
	text = drawn(40, 24);
	ck_assert_ptr_null(strstr(text, "1,060"));
	ck_assert_ptr_nonnull(strstr(text, "53 %  Ha [31miku"));
	free(text);
	text = drawn(80, 4);
	ck_assert_ptr_nonnull(strstr(text, "\n... and 2 more"));
	free(text);
	task_board_done(&board);
}
END_TEST

START_TEST(the_picture_fits_every_terminal)
{
	fill();
	for (int columns = 1; columns < 160; columns++)
		for (int lines = 1; lines < 8; lines++) {
			char *text = drawn(columns, lines);
			int n = 0;

			for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n")) {
				ck_assert_int_lt(text_width(line), columns);
				n++;
			}
			ck_assert_int_le(n, lines);
			free(text);
		}
	task_board_done(&board);
}
END_TEST

int main(void)
{
	setlocale(LC_CTYPE, "C.UTF-8");
	return RUN_TESTS(the_board_follows_the_stream, the_picture, the_picture_fits_every_terminal);
}
