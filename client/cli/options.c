#include "client/cli/options.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "client/cli/view/output.h"
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

bool options_are_of(const struct command *command, const char *group)
{
	const size_t length = strlen(group);

	return strncmp(command->name, group, length) == 0 && command->name[length] == ' ';
}

const char *options_find_group(const struct commands *commands, const char *word)
{
	static const struct { const char *also, *group; } names[] = {
		{ "criterion-set", "criteria" }, { "llm-config", "llm" }, { "prompt-template", "template" },
	};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (strcmp(names[i].also, word) == 0)
			word = names[i].group;
	for (size_t i = 0; i < commands->n; i++)
		if (options_are_of(&commands->items[i], word))
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

/* What other commands that people have in their fingers call it. */
static const char *usual_word(const struct commands *commands, const char *group, const char *word)
{
	static const struct {
		const char *there, *here;
	} words[] = {
		{ "ls", "list" },	{ "view", "show" },	{ "view", "web" },   { "describe", "show" },
		{ "rm", "delete" },	{ "remove", "delete" }, { "new", "create" }, { "add", "create" },
		{ "edit", "update" },	{ "set", "update" },	{ "eval", "run" },   { "stop", "cancel" },
		{ "kill", "cancel" },	{ "tail", "logs" },	{ "log", "logs" },   { "follow", "watch" },
	};

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (strcmp(words[i].there, word) == 0 &&
		    options_find_command(commands, group ? group : words[i].here, group ? words[i].here : NULL))
			return words[i].here;
	return NULL;
}

/* A second word alone: "list what? task list, template list". */
static bool say_groups(const struct commands *commands, const char *word)
{
	char names[512] = "";

	for (size_t i = 0; i < commands->n; i++) {
		const char *blank = strchr(commands->items[i].name, ' ');

		if (blank && strcmp(blank + 1, word) == 0)
			text_append(names, sizeof(names), "%s%s", *names ? ", " : "", commands->items[i].name);
	}
	if (*names)
		cli_error("%s what? %s", word, names);
	return *names;
}

/* What begins as the word does goes before what it may be a slip of. */
void options_unknown_command(const struct commands *commands, const char *group, const char *word)
{
	const size_t length = group ? strlen(group) + 1 : 0;
	struct near_name near = NEAR_NAME(word);
	char words[64][32];
	size_t n_words = 0;
	bool begins = false;

	if (!group && say_groups(commands, word))
		return;
	for (size_t i = 0; i < commands->n && n_words < sizeof(words) / sizeof(words[0]); i++) {
		const char *name = commands->items[i].name;

		if (group && !options_are_of(&commands->items[i], group))
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
	if (usual_word(commands, group, word))
		near.nearest = usual_word(commands, group, word);
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
		arguments->group = options_find_group(parser->commands, word);
		if (arguments->group)
			return true;
	}
	parser->command = arguments->group ?
				  options_find_command(parser->commands, arguments->group, word) :
				  options_find_command(parser->commands, word, NULL);
	if (!parser->command)
		options_unknown_command(parser->commands, arguments->group, word);
	return parser->command != NULL;
}

static void say_incomplete(const struct commands *commands, const char *group)
{
	size_t length = strlen(group), at = 0;
	char words[256] = "";

	for (size_t i = 0; i < commands->n; i++)
		if (options_are_of(&commands->items[i], group) && at < sizeof(words))
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
