/* What a submission changed, a line each, for the caller and the task's log; some are warnings to
 * the daemon's log besides, once it is known that what they are about stays. */
#pragma once

#include "daemon/base/log.h"
#include "daemon/store/engine/tx.h"

struct notes {
	struct tx_list lines;
	struct tx_list warnings;
};

#define notes_add(tx, notes, ...) tx_append(tx, &(notes)->lines, tx_printf(tx, __VA_ARGS__))

static inline void notes_warn(const struct notes *notes)
{
	for (size_t i = 0; i < notes->warnings.n; i++)
		log_warning("%s", (const char *)notes->warnings.items[i]);
}
