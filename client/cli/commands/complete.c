/*
 * Completion: `elluminate completion SHELL` prints a script for the shell, which asks `elluminate __complete
 * WORD...` what the last of the words may become. That never starts a daemon and says nothing else.
 */
#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/cli/call.h"
#include "proto/generated/interface.h"
#include "proto/limits.h"
#include "proto/record/record.h"

static size_t before; // of the current word: what stands there already, `--option=` or the list up to a comma

/* A line: the word, a tab, what it is. */
static void offer(const char *current, const char *word, const char *is)
{
	const char *last = current + before;
	char *flat = word && strncmp(word, last, strlen(last)) == 0 ? strdup(is ? is : "") : NULL;

	if (!flat)
		return;
	text_flatten(flat);
	if (!strpbrk(word, "\t\n"))
		printf("%.*s%s%s%s\n", (int) before, current, word, *flat ? "\t" : "", flat);
	free(flat);
}

static void offer_words(const char *current, const char *words)
{
	char *copy = strdup(words), *rest = copy;

	for (char *word; (word = strsep(&rest, " |"));)
		if (*word)
			offer(current, word, NULL);
	free(copy);
}

/* ---- What the daemon has ---- */

static void offer_item(const char *current, json_object *item, bool is_task)
{
	json_object *id = json_object_object_get(item, "id"), *name = json_object_object_get(item, "name");

	if (is_task)
		offer(current, json_object_get_string(id), json_object_get_string(name));
	else if (name)
		offer(current, json_object_get_string(name), NULL);
}

/* Names, or, of tasks, ids. */
static void offer_resources(struct cli *cli, const char *current, const char *resource_type)
{
	const struct method *list = method_that_lists(resource_type);
	const struct ellu_raw_reply *reply;
	json_object *request = json_object_new_object(), *json, *items;

	cli->arguments.no_start = true;
	json_object_object_add(request, "limit", json_object_new_int64(PAGE_MAX));
	if (cli->arguments.project)
		json_object_object_add(request, "project", json_object_new_string(cli->arguments.project));
	if (list && cli_is_there(cli) &&
	    ellu_call_raw(cli->daemon, list->qualified_name, json_text(request, NULL), &reply, NULL) == 0) {
		json = json_tokener_parse(reply->parameters);
		items = json_object_object_get(json, "items");
		for (size_t i = 0; items && i < json_object_array_length(items); i++)
			offer_item(current, json_object_array_get_idx(items, i),
				   strcmp(resource_type, "task") == 0);
		json_object_put(json);
		ellu_free(reply);
	}
	json_object_put(request);
}

/* What a field refers to: `rating_llm_config` is an llm_config, an `id` that of a task. */
static void offer_referred(struct cli *cli, const char *current, const char *field)
{
	field = strstr(field, "llm_config") ? "llm_config" : field;
	offer_resources(cli, current, strcmp(field, "id") == 0 ? "task" : field);
}

static void go_behind_comma(const char *current)
{
	const char *comma = strrchr(current, ',');

	before = comma ? (size_t) (comma + 1 - current) : before;
}

/* The same of a field that has several. */
static void offer_several(struct cli *cli, const char *current, const char *field)
{
	char one[64];

	go_behind_comma(current);
	snprintf(one, sizeof(one), "%.*s", (int) strlen(field) - 1, field);
	offer_referred(cli, current, one);
}

/* The criteria that the experiment is judged by which the words before name; of --where with either verdict. */
static void offer_criteria(struct cli *cli, const char *current, bool with_verdict)
{
	static const char *const verdicts[] = { "NO", "YES" };
	const struct ellu_get_experiment_reply *reply;
	const struct ellu_criterion_set *set;
	char word[64];

	cli->arguments.no_start = true;
	if (cli->arguments.n_operands == 0 || !cli_is_there(cli) ||
	    call_experiment(cli, cli->arguments.operands[0], &reply) != 0)
		return;
	set = reply->experiment->criterion_set;
	for (size_t i = 0; set && i < set->n_criteria; i++) {
		const struct ellu_criterion *criterion = set->criteria[i];

		if (!with_verdict)
			offer(current, criterion->label ? criterion->label : criterion->criterion_str,
			      criterion->label ? criterion->criterion_str : NULL);
		for (size_t k = 0; with_verdict && criterion->id && k < sizeof(verdicts) / sizeof(verdicts[0]); k++) {
			snprintf(word, sizeof(word), "%" PRId64 "=%s", *criterion->id, verdicts[k]);
			offer(current, word, criterion->criterion_str);
		}
	}
	ellu_free(reply);
}

/* ---- Words of the command line ---- */

/* The field of a request at `path`, or NULL. */
static const struct record_field *field_at(const struct record_type *type, const char *path)
{
	const char *dot = strchr(path, '.');
	const struct record_field *field;
	char first[64];

	snprintf(first, sizeof(first), "%.*s", (int) strcspn(path, "."), path);
	field = type ? record_field_find(type, first) : NULL;
	return field && dot ? field_at(field->type, dot + 1) : field;
}

static void offer_each(const char *current, const char *const *words)
{
	for (; words && *words; words++)
		offer(current, *words, NULL);
}

/* Of options that no field of the request stands for as they are. */
static void offer_own(struct cli *cli, const char *current, const struct option *option)
{
	if (strcmp(option->name, "project") == 0) {
		offer_resources(cli, current, "project");
	} else if (strcmp(option->name, "fail-on-regression") == 0) {
		offer_resources(cli, current, "experiment");
	} else if (strcmp(option->name, "check") == 0) {
		offer_each(current, record_field_find(&ellu_check_type, "kind")->one_of);
	} else if (strcmp(option->name, "criterion") == 0 || strcmp(option->name, "where") == 0) {
		offer_criteria(cli, current, option->kind == OPTION_VERDICT);
	} else if (option->some_of) {
		go_behind_comma(current);
		offer_words(current, option->some_of);
	}
}

static void offer_values(struct cli *cli, const char *current, const struct option *option)
{
	const struct method *method = cli->command && cli->command->method ? method_named(cli->command->method)
									    : NULL;
	const struct record_field *field = method && option->field ? field_at(method->request, option->field)
								   : NULL;

	if (option->one_of)
		offer_words(current, option->one_of);
	else if (field && field->one_of)
		offer_each(current, field->one_of);
	else if (field && (option->kind == OPTION_REF || option->kind == OPTION_EXISTING))
		offer_referred(cli, current, field->name);
	else if (strcmp(option->name, "evaluators") == 0 ||
		 (field && (option->kind == OPTION_REFS || option->kind == OPTION_EXISTINGS)))
		offer_several(cli, current, field ? field->name : option->name);
	else
		offer_own(cli, current, option);
}

static void offer_options(const char *current, const struct command *command)
{
	const struct option *option;
	char word[80];

	for (size_t i = 0; (option = options_at(command, i)); i++) {
		snprintf(word, sizeof(word), "--%s", option->name);
		offer(current, word, option->help);
	}
}

/* The first words of all commands, or the second ones of a group. */
static void offer_commands(const struct commands *commands, const char *current, const char *group)
{
	const size_t length = group ? strlen(group) : 0;
	char word[64], last[64] = "";

	for (size_t i = 0; i < commands->n; i++) {
		const char *name = commands->items[i].name;
		const bool is_alone = !strchr(name, ' ');

		if (group && (strncmp(name, group, length) != 0 || name[length] != ' '))
			continue;
		snprintf(word, sizeof(word), "%.*s", (int) strcspn(name + (group ? length + 1 : 0), " "),
			 name + (group ? length + 1 : 0));
		if (strcmp(word, last) != 0)
			offer(current, word, group || is_alone ? commands->items[i].summary : NULL);
		snprintf(last, sizeof(last), "%s", word);
	}
}

/* What the help calls the operand at hand, of commands that read theirs themselves: ID|NAME is one of their
 * group, other words name the resource. */
static void offer_named(struct cli *cli, const char *current)
{
	const struct command *command = cli->command, *list;
	const struct record_field *items = NULL;
	const char *word = command->operands;
	char group[32];
	unsigned n = cli->arguments.n_operands;

	for (; n > 0 && strchr(word, ' '); n--)
		word = strchr(word, ' ') + 1;
	if (n > 0 && !strstr(word, "..."))
		return;
	word += strspn(word, "[");
	snprintf(group, sizeof(group), "%.*s", (int) strcspn(command->name, " "), command->name);
	list = options_find_command(cli->commands, group, "list");
	if (list && list->method)
		items = record_field_find(method_named(list->method)->reply, "items");
	if (strncmp(word, "ID|NAME", 7) == 0 && items)
		offer_resources(cli, current, items->type->name);
	else if (strncmp(word, "EXPERIMENT", 10) == 0 || strncmp(word, "OTHER", 5) == 0)
		offer_resources(cli, current, "experiment");
	else if (strncmp(word, "TEMPLATE", 8) == 0)
		offer_resources(cli, current, "prompt_template");
}

static void offer_operand(struct cli *cli, const char *current)
{
	const struct command *command = cli->command;
	const struct method *method = command->method ? method_named(command->method) : NULL;
	const bool is_file = strncmp(command->operands, "FILE", strlen("FILE")) == 0; // which the shell completes
	const struct record_field *field = method && !command->own_operands && !is_file ? method_operand(method) : NULL;

	if (command->run == command_api && cli->arguments.n_operands == 0)
		for (size_t i = 0; i < elluminate_interface.n_methods; i++)
			offer(current, elluminate_interface.methods[i].name, NULL);
	else if (command->run == command_help && cli->arguments.n_operands < 2)
		offer_commands(cli->commands, current, cli->arguments.n_operands > 0 ? cli->arguments.operands[0] : NULL);
	else if (strchr(command->operands, '|') && islower((unsigned char) command->operands[0]) &&
		 cli->arguments.n_operands == 0)
		offer_words(current, command->operands);
	else if (field && command->operands_max > 0 && (command->many || cli->arguments.n_operands == 0))
		offer_referred(cli, current, field->name);
	else if (command->own_operands)
		offer_named(cli, current);
}

/* Of `--option=VALUE` in one word: the option is said, and the value to come. */
static char *cut_value(const char *current)
{
	const char *equals = strncmp(current, "--", 2) == 0 ? strchr(current, '=') : NULL;

	before = equals ? (size_t) (equals + 1 - current) : 0;
	return equals ? strndup(current, before - 1) : NULL;
}

int complete(const struct commands *commands, int argc, char **argv)
{
	const struct option *pending;
	struct cli cli = { .commands = commands, .argv = argv };
	const char *current = argv[argc - 1];
	char *option;

	if (!freopen("/dev/null", "w", stderr))
		return EXIT_USAGE;
	option = cut_value(current);
	if (option)
		argv[argc++ - 1] = option;
	options_scan(commands, argc - 1, argv, &cli.arguments, &cli.command, &pending);
	(void) conf_apply(&cli.arguments);
	if (pending)
		offer_values(&cli, current, pending);
	else if (*current == '-')
		offer_options(current, cli.command);
	else if (cli.command)
		offer_operand(&cli, current);
	else
		offer_commands(commands, current, cli.arguments.group);
	ellu_close(cli.daemon);
	options_done(&cli.arguments);
	free(option);
	return 0;
}

/* ---- Scripts ---- */

static const char bash[] =
	"# Completion of elluminate in bash.\n"
	"_elluminate()\n"
	"{\n"
	"\tlocal line piece quote kept words=() rest=${COMP_LINE#*\"${COMP_WORDS[0]}\"}\n"
	"\tCOMPREPLY=()\n"
	"\tfor piece in \"${COMP_WORDS[@]:1:COMP_CWORD}\"; do\n" // as they were typed, cut at colons and so on
	"\t\tquote= kept=\n"
	"\t\tif [[ $rest != [[:space:]]* && ${#words[@]} -gt 0 ]]; then\n"
	"\t\t\tkept=${words[-1]}\n"
	"\t\t\tunset 'words[-1]'\n"
	"\t\tfi\n"
	"\t\trest=${rest#*\"$piece\"}\n"
	"\t\tcase $piece in\n"
	"\t\t[\\\"\\']*) quote=${piece:0:1} piece=${piece:1} piece=${piece%\"$quote\"} ;;\n"
	"\t\tesac\n"
	"\t\t[ \"$quote\" = \\' ] || piece=${piece//\\\\/}\n"
	"\t\twords+=(\"$kept$piece\")\n"
	"\t\t[[ -n $quote || $piece == *[!:=]* ]] || kept+=$piece\n"
	"\tdone\n"
	"\twhile IFS=$'\\t' read -r line _; do\n"
	"\t\tline=${line#\"${kept%@}\"}\n" // bash puts it behind the cut, or at an @
	"\t\tcase $quote in\n"
	"\t\t\\') line=${line//\\'/\\'\\\\\\'\\'} ;;\n"
	"\t\t\\\") line=${line//\\\\/\\\\\\\\} line=${line//\\\"/\\\\\\\"} line=${line//\\$/\\\\\\$} line=${line//\\`/\\\\\\`} ;;\n"
	"\t\t*) printf -v line %q \"$line\" ;;\n"
	"\t\tesac\n"
	"\t\tCOMPREPLY+=(\"$line\")\n"
	"\tdone < <(\"${COMP_WORDS[0]}\" __complete \"${words[@]}\" 2>/dev/null)\n"
	"}\n"
	"complete -o default -F _elluminate elluminate\n";

static const char zsh[] =
	"#compdef elluminate\n"
	"_elluminate()\n"
	"{\n"
	"\tlocal -a lines\n"
	"\tlocal last=${(Q)words[CURRENT]}\n"
	"\tlines=(\"${(@f)$($words[1] __complete \"${(@Q)words[2,CURRENT-1]}\" \"${last#[\\\"\\']}\" 2>/dev/null)}\")\n"
	"\tlines=(\"${(@)lines%%$'\\t'*}\")\n"
	"\tlines=(${lines:#})\n"
	"\tif (( $#lines )); then compadd -- \"${lines[@]}\"; else _files; fi\n"
	"}\n"
	"if [ \"$funcstack[1]\" = _elluminate ]; then _elluminate \"$@\"; else compdef _elluminate elluminate; fi\n";

static const char fish[] =
	"# Completion of elluminate in fish.\n"
	"function __elluminate_complete\n"
	"\tset -l words (commandline -opc)\n"
	"\tset -l last (commandline -ct | string replace -r '^[\"\\']' '' | string replace -a '\\\\' '')\n"
	"\tset -l lines ($words[1] __complete $words[2..-1] \"$last\" 2>/dev/null)\n"
	"\tif set -q lines[1]; printf '%s\\n' $lines; else; __fish_complete_path \"$last\"; end\n"
	"end\n"
	"complete -c elluminate -f -a '(__elluminate_complete)'\n";

int command_completion(struct cli *cli)
{
	static const struct {
		const char *shell, *script;
	} scripts[] = { { "bash", bash }, { "zsh", zsh }, { "fish", fish } };

	for (size_t i = 0; i < sizeof(scripts) / sizeof(scripts[0]); i++)
		if (strcmp(cli->operand, scripts[i].shell) == 0) {
			fputs(scripts[i].script, stdout);
			return 0;
		}
	cli_error("completion: expected bash, zsh or fish");
	return EXIT_USAGE;
}
