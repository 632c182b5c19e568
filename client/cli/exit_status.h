/* What the command ends with. */
#pragma once

enum exit_status {
	EXIT_BELOW = 1, // what --fail-under and the like ask for
	EXIT_USAGE = 2,
	/* Then those of the interface: how a task ended, and, from EXIT_ERRORS on, errors. */
	EXIT_TASK_HELD = 14, // at its cost limit, and nobody looks on
	EXIT_ERRORS = 20,
	EXIT_INTERRUPTED = 130,
};
