/*
 * A live view of all tasks that wait or run, on the whole terminal: a line a task. Tasks that
 * ended stay a little while.
 */
#pragma once

#include <stdbool.h>
#include <stdio.h>

#include "client/cli/cli.h"
#include "client/cli/view/task_board.h"

/* Whether standard input and output are a terminal that knows the control sequences. */
bool live_view_possible(void);

/* Until `q` or Ctrl-C. Returns the exit status. */
int live_view(struct cli *cli);

struct frame {
	int columns;
	int lines;
	bool unicode;
	bool color;
	bool away; // the daemon is, and the tasks are those of before
};

/* The whole picture, with its control sequences. For tests, too. */
void live_view_draw(FILE *out, const struct task_board *board, const struct frame *frame);
