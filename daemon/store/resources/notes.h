/* What a submission changed, a line each, for the caller and the task's log. */
#pragma once

#include "daemon/store/engine/tx.h"

struct notes {
	struct tx_list lines;
};

#define notes_add(tx, notes, ...) tx_append(tx, &(notes)->lines, tx_printf(tx, __VA_ARGS__))
