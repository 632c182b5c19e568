/*
 * Which processor a process may use. Waking another one costs more than a small call, and which
 * calls have to is otherwise the scheduler's luck, for seconds at a time.
 */
#pragma once

#include <sys/types.h>

/* What this process may use at its start, from 0 on; the last of them where there are fewer. What it
 * starts stays there too. 0 is the calling process; of another one, it is its first thread alone. */
void processors_stay_on(pid_t pid, unsigned number);
/* On any of them again. */
void processors_stay_anywhere(pid_t pid);
