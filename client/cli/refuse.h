/* What is wrong with a request, in the words of who typed it: operand, option, or place in a file. */
#pragma once

#include "client/cli/cli.h"

/* As cli_fail(): of a field of the request, the option or the place in the file that it came from is
 * told. */
int cli_fail_request(const struct cli *cli, int code, const struct ellu_error *error);
/* The same of what was found wrong here. */
int cli_refuse(const struct cli *cli, const char *field, const char *message, int code);
/* That text alone. */
void cli_complain(const struct cli *cli, const char *field, const char *message,
		  struct complaint *ret_complaint);
