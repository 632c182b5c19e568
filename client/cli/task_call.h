#pragma once

#include "client/cli/cli.h"
#include "client/cli/task_method.h"

/* Connects, calls a method on the task that the first operand names (its id goes to `*id`, in the
 * request), and prints the task. Returns the exit status. */
int task_call(struct cli *cli, const struct task_method *method, const void *request, int64_t *id,
	      void (*print)(const struct ellu_task *task));
