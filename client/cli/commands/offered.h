/* All commands that there are, above everything that they run. */
#pragma once

#include "client/cli/options.h"

/* What the interface offers of a resource is found here, so that a new method of the usual names is a command
 * without further ado. */
const struct commands *commands_all(void);
