/* An endpoint that repeats every key ("sk-...") that it gets. */
#pragma once

/* In a process of its own, which ends with the test. Its URL, behind which a path begins with the status that it
 * answers with. */
const char *key_echo_start(void);
