/* Commands that the interface offers of each resource, and the options of all: what is in no table is made of
 * requests' fields and the interface's words. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/cli/call.h"
#include "client/cli/commands/offered.h"
#include "client/cli/commands/table.h"
#include "proto/generated/interface.h"
#include "proto/limits.h"

#define OPTIONS_MAX 64
#define LENGTH(array) (sizeof(array) / sizeof((array)[0]))
#define DETAILS_COLUMNS 100

#define OWN(member) .offset = offsetof(struct arguments, member)

static const struct option list_limit = { "limit", "N", "at most N, the newest (default 100)",
					  OPTION_COUNT, OWN(limit), .letter = 'n' };
static const struct option all_limit = { "limit", "N", "only the first N (default: all)",
					 OPTION_COUNT, OWN(limit), .letter = 'n' };
static const struct option watch = { "watch", NULL, "again whenever a task changes, until Ctrl-C",
				     OPTION_FLAG, OWN(watch), .letter = 'w' };

static const char write_details[] =
	"FILE is JSON with comments (// and /* */) or YAML, ends in .json or .yaml or has a / in it, `-` is\n"
	"standard input; options say it without a file, or over it.";
static const char key_details[] = "\n`\"api_key\": \"$NAME\"` takes a key from your environment.";

static const struct verb {
	const char *word; // the second one of the command
	const char *before, *behind; // the name of the resource in that of the method
	const char *says; // in the place of the first word of what the interface says
	int (*run)(struct cli *cli);
} verbs[] = {
	{ "list", "List", "s", "list", command_list },
	{ "show", "Get", "", "show", command_call },
	{ "create", "Create", "", "make", command_write },
	{ "get", "GetOrCreate", "", "get", command_write },
	{ "update", "Update", "", "change", command_write },
	{ "delete", "Delete", "", "delete", command_call },
};

static struct command *commands;
static size_t n_commands;
static struct arena texts; // of what is made here; it lasts as long as the process

/* ---- What the interface offers ---- */

/* False when the field is none of the user's, or there is no memory. */
static bool make_option(const struct record_field *field, struct option *ret_option)
{
	static const char ours[] = "project project_id limit count n idempotency_key cancel_on_disconnect "
				   "min_interval_seconds criterion_id rating";
	const struct record_field named = { .name = "", .kind = FIELD_STRING, .one_of = field->one_of };
	char values[512];

	if (text_is_listed(ours, field->name))
		return false;
	for (size_t i = 0; i < n_words; i++) {
		if (strcmp(words[i].field, field->name) != 0)
			continue;
		if (!option_for_field(field, &texts, ret_option))
			return false;
		ret_option->name = words[i].name;
		ret_option->value = words[i].value;
		ret_option->help = words[i].help;
		ret_option->letter = strcmp(words[i].name, "limit") == 0 ? 'n' : '\0';
		ret_option->kind = words[i].kind == BY_FIELD ? ret_option->kind : words[i].kind;
		record_expected(&named, values, sizeof(values));
		if (words[i].help[strlen(words[i].help) - 1] == ':')
			ret_option->help = arena_printf(&texts, "%s %s", words[i].help,
							values + strlen("a string, one of "));
		return ret_option->help != NULL;
	}
	return option_for_field(field, &texts, ret_option);
}

static bool is_list(const struct command *command)
{
	return strncmp(command->method, "List", 4) == 0;
}

/* What only looks may look again. */
static bool is_watched(const struct command *command)
{
	return (is_list(command) && command->columns) ||
	       (command->run == command_call && strncmp(command->method, "Get", 3) == 0);
}

/* By its name, or by the field that it sets. */
static bool has_own(const struct command *command, const char *name)
{
	for (const struct option *const *own = command->options; own && *own; own++)
		if (strcmp((*own)->name, name) == 0 || ((*own)->field && strcmp((*own)->field, name) == 0))
			return true;
	return false;
}

/* Adds an option for each field of the record that a user may set; `path` is where it is in the request.
 * What generates is said by the members of its record. Returns how many there are then. */
static size_t add_options(const struct command *command, const struct option **options, size_t n,
			  const struct record_type *type, const char *path,
			  const struct record_field *content, const struct record_field *operand)
{
	for (size_t i = 0; i < type->n_fields && n < OPTIONS_MAX; i++) {
		const struct record_field *field = &type->fields[i];
		struct option *option = arena_alloc(&texts, sizeof(*option));
		bool is_page = is_list(command) && strcmp(field->name, "cursor") == 0;

		if (!option || field == content || field == operand || is_page ||
		    (!path && has_own(command, field->name)) || field->flags & FIELD_READ_ONLY ||
		    !text_is_listed(path ? NULL : command->fields, field->name))
			continue;
		if (field->type == &ellu_generation_params_type) {
			n = add_options(command, options, n, field->type, field->name, NULL, NULL);
			continue;
		}
		if (!(path ? option_for_field(field, &texts, option) : make_option(field, option)))
			continue;
		if (path)
			option->field = arena_printf(&texts, "%s.%s", path, field->name);
		options[n++] = option;
	}
	return n;
}

/* A key of a config need not stand on the command line, where others see it. */
static size_t add_key_option(const struct option **options, size_t n, const struct record_field *content)
{
	struct option *option = content->type == &ellu_llm_config_type ? arena_alloc(&texts, sizeof(*option)) : NULL;

	if (!option)
		return n;
	*option = (struct option){ "api-key-env", "NAME", "the key is in this variable of your environment",
				   OPTION_VARIABLE, .field = arena_printf(&texts, "%s.api_key", content->name) };
	options[n] = option;
	return n + 1;
}

/* Its own, then those of its method. */
static void complete_options(struct command *command)
{
	const struct method *method = command->method ? method_named(command->method) : NULL;
	const struct option **options = arena_array(&texts, OPTIONS_MAX + 1,
						       sizeof(*options));
	const struct record_field *content = NULL;
	size_t n = 0;

	if (!method || !options)
		return;
	for (const struct option *const *own = command->options; own && *own; own++)
		options[n++] = *own;
	if (is_list(command) && !has_own(command, "limit"))
		options[n++] = command->listed > 0 ? &list_limit : &all_limit;
	if (is_watched(command))
		options[n++] = &watch;
	if (command->run == command_write || command->run == command_template)
		content = method_content(method);
	if (content)
		n = add_key_option(options, add_options(command, options, n, content->type, content->name, NULL, NULL),
				   content);
	n = add_options(command, options, n, method->request, NULL, content,
			command->operands_max > 0 && !command->own_operands ? method_operand(method) : NULL);
	command->options = options;
}

/* What takes one thing and is done with it takes several. */
static void take_many(struct command *command)
{
	if ((command->run != command_call && command->run != command_submit && command->run != command_task_tune) ||
	    command->operands_max != 1)
		return;
	command->many = true;
	command->operands = arena_printf(&texts, "%s...", command->operands);
	command->operands_max = OPERANDS_MAX;
}

/* "list tasks, newest first" of "Lists tasks, newest first. `since` …": the first sentence, with a word
 * of our own; what follows are the details, or NULL. */
static const char *make_summary(const struct method *method, const char *says, const char **ret_details)
{
	const char *rest = method->doc + strcspn(method->doc, " \n"), *end = rest;
	char *summary;

	while (*end && !(*end == '.' && strchr(" \n", end[1])))
		end++;
	*ret_details = *end && end[1] ? end + 2 : NULL;
	summary = arena_printf(&texts, "%s%.*s", says, (int) (end - rest), rest);
	if (!summary)
		return says;
	for (char *c = summary; *c; c++)
		*c = *c == '\n' ? ' ' : *c;
	return summary;
}

/* Paragraphs whose lines are broken where ours are. */
static const char *flow(const char *text)
{
	char *flowed = arena_strdup(&texts, text);
	size_t column = 0;

	for (char *c = flowed, *blank = NULL; c && *c; c++, column++) {
		if (*c == '\n' && c[1] == '\n') {
			c++;
			column = 0;
			blank = NULL;
			continue;
		}
		if (*c == '\n' || *c == ' ') {
			*c = ' ';
			blank = c;
		} else if (column >= DETAILS_COLUMNS && blank) {
			*blank = '\n';
			column = (size_t) (c - blank) - 1;
			blank = NULL;
		}
	}
	return flowed;
}

static const char *make_operands(const struct method *method, const struct verb *verb)
{
	const struct record_field *operand = method_operand(method);
	const char *which = !operand ? "" : operand->kind == FIELD_INT ? "ID" : "ID|NAME";

	if (operand && operand->kind == FIELD_STRING)
		return "[ID|NAME]";
	if (verb->run == command_write)
		return operand ? "ID|NAME [FILE]" : "[NAME|FILE]";
	return verb->run == command_list && operand && operand->flags & FIELD_NULLABLE ? "" : which;
}

/* What the interface offers alone is not enough for these. */
static bool is_fixed(const char *name)
{
	for (size_t i = 0; i < n_fixed; i++)
		if (strcmp(fixed[i].name, name) == 0)
			return true;
	return false;
}

/* The reply begins with the record, as that of Get does. */
static bool brings_record(const struct verb *verb)
{
	return verb->run == command_write || strcmp(verb->before, "Get") == 0;
}

static void add_verb(const struct resource *resource, const struct verb *verb)
{
	const struct method *method;
	const struct record_field *content;
	struct command *command = &commands[n_commands];
	const bool is_get = verb->run == command_call && verb->word[0] == 's';
	char method_name[128], *name;

	snprintf(method_name, sizeof(method_name), "%s%s%s", verb->before, resource->name, verb->behind);
	method = method_named(method_name);
	name = arena_printf(&texts, "%s %s", resource->group, verb->word);
	if (!method || !name || is_fixed(name))
		return;
	content = method_content(method);
	*command = (struct command){
		.name = name,
		.operands = make_operands(method, verb),
		.run = verb->run,
		.method = method->name,
		.columns = resource->columns,
		.listed = PAGE_DEFAULT,
		.print = brings_record(verb) ? resource->print : NULL,
		.all_formats = is_get,
		.options = is_get ? resource->options : NULL,
	};
	command->summary = make_summary(method, verb->says, &command->details);
	command->operands_min = *command->operands && *command->operands != '[';
	command->operands_max = command->operands_min + (strchr(command->operands, '[') != NULL);
	if (command->details)
		command->details = flow(command->details);
	if (verb->run == command_write)
		command->details = arena_printf(&texts, "%s%s%s%s", command->details ? command->details : "",
						command->details ? "\n\n" : "", write_details,
						content && content->type == &ellu_llm_config_type ? key_details : "");
	complete_options(command);
	take_many(command);
	if (resource->list && verb->run == command_list)
		command->run = resource->list;
	n_commands++;
}

static void add_fixed(const struct command *command)
{
	commands[n_commands] = *command;
	complete_options(&commands[n_commands]);
	take_many(&commands[n_commands++]);
}

const struct commands *commands_all(void)
{
	static struct commands all;
	size_t i = 0;

	if (!commands)
		commands = arena_array(&texts, n_fixed + n_resources * LENGTH(verbs), sizeof(*commands));
	if (commands && n_commands == 0) {
		for (; !strchr(fixed[i].name, ' '); i++)
			add_fixed(&fixed[i]);
		for (size_t k = 0; k < n_resources; k++) {
			for (size_t v = 0; v < LENGTH(verbs); v++)
				add_verb(&resources[k], &verbs[v]);
			for (size_t f = i; f < n_fixed; f++)
				if (options_are_of(&fixed[f], resources[k].group))
					add_fixed(&fixed[f]);
		}
		for (; i < n_fixed; i++)
			if (!strchr(fixed[i].name, ' '))
				add_fixed(&fixed[i]);
	}
	all = (struct commands){ commands, n_commands };
	return &all;
}
