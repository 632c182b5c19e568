#include <errno.h>
#include <fcntl.h>
#include <locale.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "client/cli/commands/offered.h"
#include "client/cli/help.h"
#include "client/cli/view/output.h"

/* What was closed is not to become a connection, into which the output would go: it fails, as before. */
static void hold_closed(void)
{
	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
		if (fcntl(fd, F_GETFD) < 0)
			(void) open("/dev/null", fd == STDIN_FILENO ? O_WRONLY : O_RDONLY);
}

/* What went wrong first is the status of all; the others have their turn nevertheless. */
static int run_all(struct cli *cli)
{
	const struct arguments *arguments = &cli->arguments;
	int status = 0, one;
	unsigned i = 0;

	do {
		cli->operand = i < arguments->n_operands ? arguments->operands[i] : NULL;
		one = cli->command->run(cli);
		status = status ? status : one;
	} while (cli->command->many && cli->daemon && ++i < arguments->n_operands);
	return status;
}

/* Reports are of what came of experiments, once they are over. 0, or the exit status. */
static int check_format(const struct arguments *arguments, const struct command *command)
{
	const bool reports = command && command->reports;

	if (output.format < FORMAT_HTML)
		return 0;
	if (reports && (arguments->dry_run || options_given(arguments, "detach"))) {
		cli_error("%s: there is no result with --%s", arguments->format ? arguments->format : arguments->output,
			  arguments->dry_run ? "dry-run" : "detach");
		return EXIT_USAGE;
	}
	if (command && !reports && arguments->format) {
		cli_error("--format %s: `elluminate experiment report` writes it", arguments->format);
		return EXIT_USAGE;
	}
	if (!reports)
		output.format = FORMAT_TABLE; // what another file is called says nothing
	return 0;
}

int main(int argc, char **argv)
{
	const struct command *command;
	struct cli cli = { .commands = commands_all(), .argv = argv };
	int status;

	hold_closed();
	setlocale(LC_CTYPE, "");
	if (argc > 2 && strcmp(argv[1], "__complete") == 0)
		return complete(cli.commands, argc - 1, argv + 1);
	status = options_parse(cli.commands, argc, argv, &cli.arguments, &command);
	if (status == 0)
		status = conf_apply(&cli.arguments);
	if (status != 0) {
		options_done(&cli.arguments);
		return status;
	}
	cli.arguments.follow |= command && command->follows && cli.arguments.n_operands == 0;
	status = cli_open_output(&cli.arguments, command && command->own_output && !cli.arguments.help ?
							 NULL : cli.arguments.output);
	if (status == 0 && !cli.arguments.help)
		status = check_format(&cli.arguments, command);
	if (status != 0) {
		options_done(&cli.arguments);
		return cli_close_output(status, /* was_followed= */ false);
	}
	if (cli.arguments.help) {
		help_print(stdout, cli.commands, command, cli.arguments.group);
	} else if (cli.arguments.version) {
		status = command_version(&cli);
	} else if (command) {
		cli.command = command;
		status = cli.arguments.watch ? watch_run(&cli, run_all) : run_all(&cli);
	} else {
		help_print(stderr, cli.commands, NULL, NULL);
		status = EXIT_USAGE;
	}
	ellu_close(cli.daemon);
	options_done(&cli.arguments);
	return cli_close_output(status, command && command->follows);
}
