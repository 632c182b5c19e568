/* Lines for a task's log: why a call waits or is tried again. */
#pragma once

#include <stdbool.h>

struct job;

/* At most one a second and lane; the others are dropped, and so is one for which there is no
 * memory. What it quotes holds no secrets any more. */
__attribute__((format(printf, 2, 3))) void notice_send(struct job *job, const char *format, ...);
/* Whether the job's flow is held, to who asks; -ENOMEM is false. */
bool notice_hold(struct job *job, bool held, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
