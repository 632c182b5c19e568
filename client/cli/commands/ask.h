/* What a model is told: its text, as it is typed or read. */
#pragma once

#include "client/cli/cli.h"

/* A message; its text may be NULL. */
json_object *ask_message(const char *role, const char *text);
/* The text that an operand says, or a file (--file), or standard input (`-`, or NULL), without the line
 * breaks at its end; free() it. -EINVAL with a complaint, -ENOMEM. */
int ask_text(const struct cli *cli, const char *operand, char **ret_text, struct complaint *complaint);
