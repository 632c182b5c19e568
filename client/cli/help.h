/* What --help prints, from the table of commands and their options. */
#pragma once

#include <stdio.h>

#include "client/cli/options.h"

/* Of a command, of the commands of a group, or, where both are NULL, of all. */
void help_print(FILE *out, const struct commands *commands, const struct command *command, const char *group);
