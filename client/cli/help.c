#include "client/cli/help.h"

#include <string.h>

#include "client/cli/view/output.h"
#include "proto/task_status.h"

#define HELP_COLUMNS 80
#define OPTION_COLUMNS 22 // at least
#define COMMAND_COLUMNS 32

/* "-o, --output FILE" in the buffer, which is returned. */
static const char *option_words(const struct option *option, char *buffer, size_t size)
{
	const char letter[] = { '-', option->letter, ',', ' ', '\0' };

	snprintf(buffer, size, "%s--%s%s%s", option->letter ? letter : "", option->name,
		 option->value ? " " : "", option->value ? option->value : "");
	return buffer;
}

static int option_width(const struct option *option)
{
	char words[80];

	return (int) strlen(option_words(option, words, sizeof(words)));
}

/* What it does goes on below itself. */
static void print_option(FILE *out, const struct option *option, int width)
{
	char words[80];

	fprintf(out, "  %-*s ", width, option_words(option, words, sizeof(words)));
	text_wrap(out, option->help, width + 3, HELP_COLUMNS);
	fputc('\n', out);
}

/* The same of a command, in lines for whom a terminal shows them; others may look for whole ones. */
static void print_command(FILE *out, const struct command *command, int columns)
{
	char left[64];
	int n = snprintf(left, sizeof(left), "%s %s", command->name, command->operands);

	fprintf(out, "  %-*s ", COMMAND_COLUMNS, left);
	if (columns > 0 && n > COMMAND_COLUMNS)
		fprintf(out, "\n%*s", COMMAND_COLUMNS + 3, "");
	text_wrap(out, command->summary, COMMAND_COLUMNS + 3, columns);
	fputc('\n', out);
}

/* What stands at the margin is prose, what is set off stays as it is. */
static void print_details(FILE *out, const char *details, int columns)
{
	char prose[2000] = "";
	size_t length;

	for (const char *line = details; *line; line += length + (line[length] == '\n')) {
		const bool is_prose = *line != ' ' && *line != '\n';
		const char *next;

		length = strcspn(line, "\n");
		next = line + length + (line[length] == '\n');
		if (!is_prose || columns == 0) {
			fprintf(out, "%.*s\n", (int) length, line);
			continue;
		}
		text_append(prose, sizeof(prose), "%s%.*s", *prose ? " " : "", (int) length, line);
		if (*next && *next != ' ' && *next != '\n')
			continue;
		text_wrap(out, prose, 0, columns);
		fputc('\n', out);
		*prose = '\0';
	}
}

/* Of a terminal; 0 elsewhere. */
static int help_columns(FILE *out)
{
	const int columns = terminal_width(out);

	return columns < HELP_COLUMNS ? columns : HELP_COLUMNS;
}

static void print_global_options(FILE *out, int width)
{
	fputs("\nOptions of all commands:\n", out);
	for (size_t i = 0; i < n_global_options; i++)
		print_option(out, &global_options[i], width);
}

static void print_overview(FILE *out, const struct commands *commands, const char *group)
{
	fprintf(out, "Usage: elluminate %s%sCOMMAND [ARGUMENT]… [OPTION]…\n\n", group ? group : "", group ? " " : "");
	fprintf(out, "%sCommands:\n", group ? "" : "Evaluates prompts and models with the elluminate daemon.\n\n");
	for (size_t i = 0; i < commands->n; i++) {
		const struct command *command = &commands->items[i];

		if (!group || options_are_of(command, group))
			print_command(out, command, help_columns(out));
	}
	print_global_options(out, OPTION_COLUMNS);
	fprintf(out,
		"\nExit status: 0 success, 2 wrong usage, %d to %d a task that did not succeed, 20\n"
		"and up errors. `elluminate COMMAND --help` says more about a command.\n",
		task_status_exit(TASK_FAILURE), EXIT_TASK_HELD);
}

void help_print(FILE *out, const struct commands *commands, const struct command *command,
			const char *group)
{
	const int columns = help_columns(out);
	char summary[200];
	int width = OPTION_COLUMNS;

	if (!command) {
		print_overview(out, commands, group);
		return;
	}
	fprintf(out, "Usage: elluminate %s%s%s [OPTION]…\n\n", command->name, *command->operands ? " " : "",
		command->operands);
	snprintf(summary, sizeof(summary), "%c%s.", command->summary[0] - 'a' + 'A', command->summary + 1);
	text_wrap(out, summary, 0, columns);
	fputc('\n', out);
	if (command->details) {
		fputc('\n', out);
		print_details(out, command->details, columns);
	}
	for (const struct option *const *own = command->options; own && *own; own++)
		width = option_width(*own) > width ? option_width(*own) : width;
	if (command->options && *command->options)
		fputs("\nOptions:\n", out);
	for (const struct option *const *own = command->options; own && *own; own++)
		print_option(out, *own, width);
	print_global_options(out, width);
}

int command_version(struct cli *cli)
{
	(void) cli;
	printf(output_is_json() ? "{\"version\":\"%s\"}\n" : "elluminate %s\n", ELLU_VERSION);
	return 0;
}

int command_help(struct cli *cli)
{
	const char *const *words = cli->arguments.operands;
	const struct commands *commands = cli->commands;
	const char *group = words[0] ? options_find_group(commands, words[0]) : NULL;
	const struct command *command = words[0] ? options_find_command(commands, group ? group : words[0], words[1]) :
						   NULL;

	if (!command && words[0] && !(group && !words[1])) {
		options_unknown_command(commands, group, group ? words[1] : words[0]);
		return EXIT_USAGE;
	}
	help_print(stdout, commands, command, group);
	return 0;
}
