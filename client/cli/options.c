#include "client/cli/options.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "client/cli/view/output.h"
#include "proto/task_status.h"
#include "proto/text/near_name.h"

#define OWN(member) .offset = offsetof(struct arguments, member)

const struct option global_options[] = {
	{ "socket", "PATH", "the daemon's socket (also: $ELLUMINATE_SOCKET)", OPTION_TEXT, OWN(socket) },
	{ "user", NULL, "your own daemon (default); started when it does not run", OPTION_FLAG,
	  OWN(user) },
	{ "system", NULL, "the machine's daemon", OPTION_FLAG, OWN(system) },
	{ "bus", "BUS", "over D-Bus: session is your own daemon, system the machine's", OPTION_TEXT,
	  OWN(bus), .one_of = "session system" },
	{ "project", "NAME", "the project to work in", OPTION_TEXT, OWN(project) },
	{ "format", "FORMAT", "of lists and results: " FORMAT_NAMES, OPTION_TEXT, OWN(format),
	  .one_of = FORMAT_NAMES },
	{ "json", NULL, "print JSON; what is followed, as events, one a line", OPTION_FLAG, OWN(json) },
	{ "output", "FILE", "print into this file, in the format that it is called by", OPTION_TEXT, OWN(output), .letter = 'o' },
	{ "no-header", NULL, "no titles above tables and CSV", OPTION_FLAG, OWN(no_header) },
	{ "quiet", NULL, "print results and errors only; of what is listed or changed, the ids",
	  OPTION_FLAG, OWN(quiet), .letter = 'q' },
	{ "verbose", NULL, "say where the daemon is, and what it is asked", OPTION_FLAG, OWN(verbose),
	  .letter = 'v' },
	{ "color", "WHEN", "auto (where there is a terminal; also: $NO_COLOR), always or never", OPTION_TEXT,
	  OWN(color), .one_of = "auto always never" },
	{ "no-color", NULL, "no colours", OPTION_FLAG, OWN(no_color) },
	{ "no-pager", NULL, "print lists on a terminal without $PAGER", OPTION_FLAG, OWN(no_pager) },
	{ "no-start", NULL, "do not start a daemon", OPTION_FLAG, OWN(no_start) },
	{ "help", NULL, "explain the command", OPTION_FLAG, OWN(help), .letter = 'h' },
	{ "version", NULL, "print the version", OPTION_FLAG, OWN(version) },
};
const size_t n_global_options = sizeof(global_options) / sizeof(global_options[0]);

/* ---- Finding ---- */

static bool is_name(const char *command, const char *first, const char *second)
{
	size_t length = strcspn(command, " ");

	if (strlen(first) != length || strncmp(command, first, length) != 0)
		return false;
	return !command[length] || (second && strcmp(command + length + 1, second) == 0);
}

const struct command *options_find_command(const struct commands *commands, const char *first,
					   const char *second)
{
	for (size_t i = 0; i < commands->n; i++)
		if (is_name(commands->items[i].name, first, second))
			return &commands->items[i];
	return NULL;
}

static bool is_of_group(const struct command *command, const char *group)
{
	const size_t length = strlen(group);

	return strncmp(command->name, group, length) == 0 && command->name[length] == ' ';
}

/* The group of that name, or of what the interface calls it; NULL: there is none. */
static const char *find_group(const struct commands *commands, const char *word)
{
	static const struct { const char *also, *group; } names[] = {
		{ "criterion-set", "criteria" }, { "llm-config", "llm" }, { "prompt-template", "template" },
	};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (strcmp(names[i].also, word) == 0)
			word = names[i].group;
	for (size_t i = 0; i < commands->n; i++)
		if (is_of_group(&commands->items[i], word))
			return word;
	return NULL;
}

const struct option *options_at(const struct command *command, size_t i)
{
	size_t n = 0;

	for (const struct option *const *own = command ? command->options : NULL; own && own[n]; n++)
		if (n == i)
			return own[i];
	return i - n < n_global_options ? &global_options[i - n] : NULL;
}

static const struct option *find_option(const struct command *command, const char *name, size_t length)
{
	const struct option *option;

	for (size_t i = 0; (option = options_at(command, i)); i++)
		if (strlen(option->name) == length && memcmp(option->name, name, length) == 0)
			return option;
	return NULL;
}

static const struct option *find_letter(const struct command *command, char letter)
{
	const struct option *option;

	for (size_t i = 0; (option = options_at(command, i)); i++)
		if (option->letter == letter)
			return option;
	return NULL;
}

/* ---- Parsing ---- */

struct parser {
	const struct commands *commands;
	struct arguments *arguments;
	const struct command *command;
};

static int usage_error(const struct command *command, const char *group)
{
	const char *about = command ? command->name : group;

	fprintf(stderr, "Try: elluminate%s%s --help\n", about ? " " : "", about ? about : "");
	return EXIT_USAGE;
}

static int unknown_option(const struct command *command, const char *word)
{
	char name[64];
	struct near_name near = NEAR_NAME(name);
	const struct option *option;

	snprintf(name, sizeof(name), "%.*s", (int) strcspn(word + 2, "="), word + 2);
	for (size_t i = 0; (option = options_at(command, i)); i++)
		near_name_show(&near, option->name);
	cli_error("unknown option --%s%s%s%s", name, near.nearest ? "; did you mean --" : "",
		  near.nearest ? near.nearest : "", near.nearest ? "?" : "");
	return 0;
}

/* The first words of all, or the second ones of a group. What begins as the word does goes before what it
 * may be a slip of. */
static void unknown_command(const struct commands *commands, const char *group, const char *word)
{
	const size_t length = group ? strlen(group) + 1 : 0;
	struct near_name near = NEAR_NAME(word);
	char words[64][32];
	size_t n_words = 0;
	bool begins = false;

	for (size_t i = 0; i < commands->n && n_words < sizeof(words) / sizeof(words[0]); i++) {
		const char *name = commands->items[i].name;

		if (group && !is_of_group(&commands->items[i], group))
			continue;
		name += length;
		snprintf(words[n_words], sizeof(words[0]), "%.*s", (int) strcspn(name, " "), name);
		if (!begins && strlen(word) > 2 && strncmp(words[n_words], word, strlen(word)) == 0) {
			near.nearest = words[n_words];
			begins = true;
		}
		if (!begins)
			near_name_show(&near, words[n_words]);
		n_words += n_words == 0 || strcmp(words[n_words - 1], words[n_words]) != 0;
	}
	cli_error("unknown command %s%s%s%s%s%s%s%s", group ? group : "", group ? " " : "", word,
		  near.nearest ? "; did you mean " : "", near.nearest && group ? group : "",
		  near.nearest && group ? " " : "", near.nearest ? near.nearest : "", near.nearest ? "?" : "");
}

static bool is_full(const struct arguments *arguments, const struct option *option)
{
	if (option->field)
		return arguments->n_given == GIVEN_MAX;
	if (option->kind == OPTION_GATE)
		return arguments->n_gates == GATES_MAX;
	return option->kind == OPTION_TEXTS &&
	       ((const struct texts *) ((const char *) arguments + option->offset))->n == TEXTS_MAX;
}

/* False after saying what is wrong. */
static bool take_value(struct arguments *arguments, const struct option *option, const char *text)
{
	json_object *value = NULL;
	void *own = (char *) arguments + option->offset;
	int r = option_value(option->kind, text ? text : "", &value);

	if (r == 0 && (is_full(arguments, option) || !text_is_listed(option->one_of, text)))
		r = -EINVAL;
	if (r < 0) {
		cli_error("--%s %s: expected %s%s", option->name, text, option->one_of ? "one of " : "",
			  option->one_of ? option->one_of : option_expected(option->kind));
		json_object_put(value);
		return false;
	}
	if (option->field) {
		arguments->given[arguments->n_given++] = (struct given){ option, text, value };
		return true;
	}
	if (option->kind == OPTION_FLAG)
		*(bool *) own = true;
	else if (option->kind == OPTION_TEXT)
		*(const char **) own = text;
	else if (option->kind == OPTION_TEXTS)
		((struct texts *) own)->items[((struct texts *) own)->n++] = text;
	else if (option->kind == OPTION_SHARE)
		*(double *) own = json_object_get_double(value);
	else if (option->kind == OPTION_GATE)
		(void) gate_parse(text, (struct gate *) own + arguments->n_gates++);
	else
		*(int64_t *) own = json_object_get_int64(value);
	json_object_put(value);
	return true;
}

/* Returns how many words it took, or 0 after saying what is wrong. */
static int take_long(struct parser *parser, const char *word, const char *next)
{
	const char *name = word + 2;
	size_t length = strcspn(name, "=");
	const struct option *option = find_option(parser->command, name, length);
	const char *value = name[length] ? name + length + 1 : NULL;
	int taken = 1;

	if (!option)
		return unknown_option(parser->command, word);
	if (!value && option->value && next) {
		value = next;
		taken = 2;
	}
	if (option->value && !value) {
		cli_error("--%s needs a value: --%s %s", option->name, option->name, option->value);
		return 0;
	}
	if (!option->value && value && !option->field) {
		cli_error("--%s takes no value", option->name);
		return 0;
	}
	return take_value(parser->arguments, option, value) ? taken : 0;
}

/* Of `-q`, `-n5`, `-n 5` and `-qn5`. The same. */
static int take_letters(struct parser *parser, const char *word, const char *next)
{
	for (const char *letter = word + 1; *letter; letter++) {
		const struct option *option = find_letter(parser->command, *letter);
		const char *value = letter[1] ? letter + 1 : next;

		if (!option) {
			cli_error("unknown option -%c", *letter);
			return 0;
		}
		if (option->value && !value) {
			cli_error("-%c needs a value: -%c %s", *letter, *letter, option->value);
			return 0;
		}
		if (!take_value(parser->arguments, option, option->value ? value : NULL))
			return 0;
		if (option->value)
			return value == next ? 2 : 1;
	}
	return 1;
}

static int take_option(struct parser *parser, const char *word, const char *next)
{
	return (word[1] == '-' ? take_long : take_letters)(parser, word, next);
}

static bool take_word(struct parser *parser, const char *word)
{
	struct arguments *arguments = parser->arguments;

	if (parser->command) {
		if (arguments->n_operands < parser->command->operands_max &&
		    arguments->n_operands < OPERANDS_MAX) {
			arguments->operands[arguments->n_operands++] = word;
			return true;
		}
		cli_error("%s: unexpected argument %s", parser->command->name, word);
		return false;
	}
	if (!arguments->group) {
		arguments->group = find_group(parser->commands, word);
		if (arguments->group)
			return true;
	}
	parser->command = arguments->group ?
				  options_find_command(parser->commands, arguments->group, word) :
				  options_find_command(parser->commands, word, NULL);
	if (!parser->command)
		unknown_command(parser->commands, arguments->group, word);
	return parser->command != NULL;
}

static void say_incomplete(const struct commands *commands, const char *group)
{
	size_t length = strlen(group), at = 0;
	char words[256] = "";

	for (size_t i = 0; i < commands->n; i++)
		if (is_of_group(&commands->items[i], group) && at < sizeof(words))
			at += (size_t) snprintf(words + at, sizeof(words) - at, "%s%s",
						at > 0 ? ", " : "", commands->items[i].name + length + 1);
	cli_error("%s what? %s", group, words);
}

static int check(const struct parser *parser)
{
	const struct arguments *arguments = parser->arguments;
	const struct command *command = parser->command;

	if (arguments->user && arguments->system) {
		cli_error("--user and --system exclude each other");
		return usage_error(command, NULL);
	}
	if (arguments->bus && (arguments->socket || arguments->user || arguments->system)) {
		cli_error("--bus excludes --socket, --user and --system");
		return usage_error(command, NULL);
	}
	if (arguments->json && arguments->format) {
		cli_error("--json and --format exclude each other");
		return usage_error(command, NULL);
	}
	if (arguments->help || arguments->version)
		return 0;
	if (arguments->group && !command) {
		say_incomplete(parser->commands, arguments->group);
		return usage_error(NULL, arguments->group);
	}
	if (command && arguments->n_operands < command->operands_min) {
		cli_error("%s: expected %s", command->name, command->operands);
		return usage_error(command, NULL);
	}
	return 0;
}

int options_parse(const struct commands *commands, int argc, char **argv,
		  struct arguments *ret_arguments, const struct command **ret_command)
{
	struct parser parser = { .commands = commands, .arguments = ret_arguments };
	bool options_end = false;
	int taken;

	*ret_arguments = (struct arguments){ .limit = -1 };
	for (int i = 1; i < argc; i += taken) {
		taken = 1;
		if (!options_end && strcmp(argv[i], "--") == 0) {
			options_end = true;
		} else if (!options_end && argv[i][0] == '-' && argv[i][1]) {
			taken = take_option(&parser, argv[i], argv[i + 1]);
			if (taken == 0)
				return usage_error(parser.command, ret_arguments->group);
		} else if (!take_word(&parser, argv[i])) {
			return usage_error(parser.command, ret_arguments->group);
		}
	}
	*ret_command = parser.command;
	return check(&parser);
}

/* What a word that is the last one waits for. */
static const struct option *pending_option(const struct command *command, const char *word)
{
	const struct option *option;

	if (word[0] != '-' || !word[1] || strchr(word, '='))
		return NULL;
	option = word[1] == '-' ? find_option(command, word + 2, strlen(word + 2))
				: find_letter(command, word[strlen(word) - 1]);
	return option && option->value ? option : NULL;
}

void options_scan(const struct commands *commands, int argc, char **argv,
		  struct arguments *ret_arguments, const struct command **ret_command,
		  const struct option **ret_pending)
{
	struct parser parser = { .commands = commands, .arguments = ret_arguments };
	int taken;

	*ret_arguments = (struct arguments){ .limit = -1 };
	*ret_pending = NULL;
	for (int i = 1; i < argc; i += taken) {
		taken = 1;
		if (i + 1 == argc)
			*ret_pending = pending_option(parser.command, argv[i]);
		if (*ret_pending)
			break;
		if (argv[i][0] == '-' && argv[i][1])
			taken = take_option(&parser, argv[i], argv[i + 1]);
		else
			(void) take_word(&parser, argv[i]);
		taken = taken > 0 ? taken : 1;
	}
	*ret_command = parser.command;
}

void options_done(struct arguments *arguments)
{
	while (arguments->n_given > 0)
		json_object_put(arguments->given[--arguments->n_given].value);
}

/* ---- Help ---- */

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

		if (!group || is_of_group(command, group))
			print_command(out, command, help_columns(out));
	}
	print_global_options(out, OPTION_COLUMNS);
	fprintf(out,
		"\nExit status: 0 success, 2 wrong usage, %d to %d a task that did not succeed, 20\n"
		"and up errors. `elluminate COMMAND --help` says more about a command.\n",
		task_status_exit(TASK_FAILURE), EXIT_TASK_HELD);
}

void options_print_help(FILE *out, const struct commands *commands, const struct command *command,
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
	const char *group = words[0] ? find_group(commands, words[0]) : NULL;
	const struct command *command = words[0] ? options_find_command(commands, group ? group : words[0], words[1]) :
						   NULL;

	if (!command && words[0] && !(group && !words[1])) {
		unknown_command(commands, group, group ? words[1] : words[0]);
		return EXIT_USAGE;
	}
	options_print_help(stdout, commands, command, group);
	return 0;
}
