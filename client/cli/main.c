#include <errno.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "client/cli/options.h"

int main(int argc, char **argv)
{
	const struct command *command;
	struct cli cli = { .argv = argv };
	const char *no_color = getenv("NO_COLOR");
	int status;

	setlocale(LC_CTYPE, "");
	status = options_parse(argc, argv, &cli.arguments, &command);
	if (status != 0) {
		options_done(&cli.arguments);
		return status;
	}
	cli.color = !cli.arguments.no_color && !(no_color && *no_color) && isatty(STDOUT_FILENO);
	if (cli.arguments.help) {
		options_print_help(stdout, command);
	} else if (cli.arguments.version) {
		status = command_version(&cli);
	} else if (command) {
		cli.command = command;
		status = command->run(&cli);
	} else {
		options_print_help(stderr, NULL);
		status = EXIT_USAGE;
	}
	ellu_close(cli.daemon);
	options_done(&cli.arguments);
	if (fflush(stdout) != 0 && status == 0) {
		cli_error("the output could not be written");
		status = ellu_error_exit_status(-EIO);
	}
	return status;
}
