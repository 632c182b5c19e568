/* SPDX-License-Identifier: MIT */
/* Lines for a task's log: why a call waits or is tried again. */
#pragma once

struct job;

/* At most one a second and lane; the others are dropped, and so is one for which there is no
 * memory. Secrets are blotted out. */
__attribute__((format(printf, 2, 3))) void notice_send(struct job *job, const char *format, ...);
