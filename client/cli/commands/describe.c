/* elluminate-describe: the man page of the command, from the table of commands. Runs when the project is built. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/cli/cli.h"
#include "client/cli/commands/offered.h"
#include "proto/task_status.h"

static const struct command *commands;
static size_t n_commands;

/* ---- The man page ---- */

static const char man_head[] =
	".\\\" Made from the table of commands.\n"
	".TH ELLUMINATE 1 \"\" \"elluminated\" \"User Commands\"\n"
	".SH NAME\n"
	"elluminate \\- evaluate prompts and models\n"
	".SH SYNOPSIS\n"
	".B elluminate\n"
	".IR COMMAND \" [\" ARGUMENT \"]... [\" OPTION ]...\n"
	".SH DESCRIPTION\n"
	"Runs experiments (a prompt over many cases, each answer judged by yes/no questions) with the\n"
	"daemon\n"
	".BR elluminated (8),\n"
	"follows them, and shows what came of them. Your own daemon is started when none runs.\n";

static const char man_exits[] =
	".SH EXIT STATUS\n"
	".TP\n"
	".B 0\n"
	"success\n"
	".TP\n"
	".B 1\n"
	"short of what\n"
	".B \\-\\-fail\\-under\n"
	"and the like ask for, or an answer of a skill is not valid\n"
	".TP\n"
	".B 2\n"
	"wrong usage\n";

static const char man_tail[] =
	".TP\n"
	".B 130\n"
	"Ctrl\\-C ended it; a task that it followed goes on\n"
	".SH ENVIRONMENT\n"
	".TP\n"
	".B ELLUMINATE_SOCKET\n"
	"the daemon's socket; without it\n"
	".I elluminate/socket\n"
	"in\n"
	".BR XDG_RUNTIME_DIR ,\n"
	"else\n"
	".I socket\n"
	"in\n"
	".IR $XDG_STATE_HOME/elluminate \" (\" ~/.local/state/elluminate )\n"
	".TP\n"
	".B ELLUMINATE_PROJECT\n"
	"the project to work in\n"
	".TP\n"
	".BR NO_COLOR \", \" PAGER\n"
	"no colours when it is set; what lists on a terminal are read with, nothing where it is empty\n"
	".SH FILES\n"
	".TP\n"
	".I ~/.config/elluminate/command.conf\n"
	"defaults, each on a line of its own:\n"
	".BR \"project = NAME\" \", \" \"socket = PATH\" \" or \" \"bus = session\" ,\n"
	".BR \"color = always\" \", \" \"pager = less -FRX\"\n"
	".SH SEE ALSO\n"
	".BR elluminated (8),\n"
	".BR elluminated.conf (5),\n"
	".BR libelluminate (3)\n";

static void put_roff(const char *text, size_t length)
{
	if (length > 0 && (*text == '.' || *text == '\''))
		fputs("\\&", stdout);
	for (size_t i = 0; i < length; i++) {
		if (text[i] == '-')
			fputs("\\-", stdout);
		else if (text[i] == '\\')
			fputs("\\e", stdout);
		else
			putchar(text[i]);
	}
}

static void put_option(const struct option *option)
{
	fputs(".TP\n", stdout);
	if (option->letter)
		printf("\\fB\\-%c\\fP, ", option->letter);
	fputs("\\fB\\-\\-", stdout);
	put_roff(option->name, strlen(option->name));
	fputs("\\fP", stdout);
	if (option->value)
		printf(" \\fI%s\\fP", option->value);
	putchar('\n');
	put_roff(option->help, strlen(option->help));
	putchar('\n');
}

/* Indented lines are examples, the others running text. */
static void put_details(const char *details)
{
	bool in_example = false;

	puts(".PP");
	for (const char *line = details; *line; line += strcspn(line, "\n"), line += *line == '\n') {
		size_t length = strcspn(line, "\n");
		bool is_example = *line == ' ' || (length == 0 && in_example && line[1] == ' ');

		if (is_example != in_example)
			puts(is_example ? ".EX" : ".EE");
		in_example = is_example;
		if (length == 0 && !is_example)
			fputs(".PP", stdout);
		else
			put_roff(line, length);
		putchar('\n');
	}
	if (in_example)
		puts(".EE");
}

static void put_command(const struct command *command)
{
	printf(".SS elluminate %s %s\n%c%s.\n", command->name, command->operands,
	       command->summary[0] - 'a' + 'A', command->summary + 1);
	if (command->details)
		put_details(command->details);
	for (const struct option *const *own = command->options; own && *own; own++)
		put_option(*own);
}

static void put_exit(int exit_status, const char *name, const char *text)
{
	printf(".TP\n.BR %d \" (%s)\"\n%s\n", exit_status, name, text);
}

/* Those that the interface gives, between what are the command's own. */
static void put_exits(void)
{
	fputs(man_exits, stdout);
	for (int i = 0; i < _TASK_STATUS_MAX; i++)
		if (task_status_exit((enum task_status)i) > 0)
			put_exit(task_status_exit((enum task_status)i), task_status_name((enum task_status)i),
				 "so the task ended");
	put_exit(EXIT_TASK_HELD, "on hold",
		 "the task is at its cost limit, and standard error is no terminal; it goes on after\n"
		 ".BR \"elluminate task tune\"");
	for (size_t i = 0; i < n_error_infos; i++)
		put_exit(error_infos[i].exit_status, error_infos[i].name, error_infos[i].text);
	put_exit(ellu_error_exit_status(-ECONNREFUSED), "unreachable", "no daemon answers");
	put_exit(ellu_error_exit_status(-ENOMEM), "refused", "this machine refused something");
}

static void print_man(void)
{
	fputs(man_head, stdout);
	puts(".SH COMMANDS");
	for (size_t i = 0; i < n_commands; i++)
		put_command(&commands[i]);
	puts(".SH OPTIONS OF ALL COMMANDS");
	for (size_t i = 0; i < n_global_options; i++)
		put_option(&global_options[i]);
	put_exits();
	fputs(man_tail, stdout);
}

int main(void)
{
	const struct commands *all = commands_all();

	commands = all->items;
	n_commands = all->n;
	print_man();
	return fflush(stdout) == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
