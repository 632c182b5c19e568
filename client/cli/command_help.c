/* elluminate help and elluminate version. */
#include <stdio.h>

#include "client/cli/options.h"

int command_version(struct cli *cli)
{
	printf(cli->arguments.json ? "{\"version\":\"%s\"}\n" : "elluminate %s\n", ELLU_VERSION);
	return 0;
}

int command_help(struct cli *cli)
{
	const struct arguments *arguments = &cli->arguments;
	const struct command *command = NULL;

	if (arguments->n_operands > 0) {
		command = options_find_command(arguments->operands[0], arguments->operands[1]);
		if (!command) {
			cli_error("unknown command %s", arguments->operands[0]);
			return EXIT_USAGE;
		}
	}
	options_print_help(stdout, command);
	return 0;
}
