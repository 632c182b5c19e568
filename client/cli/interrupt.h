/* Ctrl-C while a command waits: the first is the command's to act on, the second ends the process. */
#pragma once

#include <stdbool.h>

#include "client/cli/cli.h"

void interrupt_catch(void);
/* Gives Ctrl-C back its usual meaning. */
void interrupt_release(void);

/* Whether there was one that nobody has taken yet. */
bool interrupt_came(void);
/* True once for a Ctrl-C. */
bool interrupt_take(void);

/* Waits for the next reply of a stream, and says on a terminal when the daemon has gone away
 * meanwhile: 1 when it can be had, -EINTR when there was a Ctrl-C
 * (interrupt_take() then says so), else a negative error. */
int interrupt_wait(const struct cli *cli, struct ellu_stream *stream);
