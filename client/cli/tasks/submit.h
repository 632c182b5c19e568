/* A command that starts a task: seen through to its end, or left. */
#pragma once

#include "client/cli/tasks/follow.h"

/* With --detach: the task is printed. Returns the exit status. */
int submit_detached(struct cli *cli, const struct submission *submission);

/* Starts a task, connected, and sees it through: progress, then what it brought. With --detach only the
 * task is printed. Returns the exit status. */
int submission_send(struct cli *cli, const struct submission *submission);
/* The same from the start: with what call_request() makes of `json`. */
int submit_request(struct cli *cli, struct submission *submission, json_object *json);
