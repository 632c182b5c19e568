/*
 * The command line: one table of commands and their options, from which parsing and all texts
 * of --help (help.h) come. An option stands for a field of the request of the command's method, and becomes
 * that field, or is the command's own.
 */
#pragma once

#include <stddef.h>
#include <stdio.h>

#include "client/cli/cli.h"
#include "client/cli/view/show.h"
#include "client/cli/view/text.h"
#include "proto/wire/method.h"

enum option_kind {
	OPTION_FLAG, // true
	OPTION_TEXT,
	OPTION_TEXTS, // may be given again
	OPTION_INTEGER,
	OPTION_COUNT, // 1 and up
	OPTION_POSITION, // 0 and up
	OPTION_NUMBER,
	OPTION_SHARE, // `0.8` or `80%`
	OPTION_GATE, // the same, or of a criterion or an evaluator; its own alone
	OPTION_MONEY, // `0.5`
	OPTION_DURATION, // `90` or `10m`, in seconds
	OPTION_SINCE, // a time or how long ago
	OPTION_REF, // an id, or a name
	OPTION_REFS, // several of them, between commas
	OPTION_EXISTING, // the same, where a content could stand as well
	OPTION_EXISTINGS, // several of them, between commas
	OPTION_EVALUATORS, // the same
	OPTION_IDS, // `1,2,3`
	OPTION_VERDICT, // `polite=NO`: two fields
	OPTION_VARIABLE, // of the environment: `$NAME` in the request
	OPTION_JSON,
	_OPTION_KIND_MAX,
};

struct option {
	const char *name; // without the dashes
	const char *value; // what --help calls its value; NULL for a flag
	const char *help;
	enum option_kind kind;
	const char *field; // of the request, or a member of one; NULL: the command's own
	size_t offset; // its own: in struct arguments
	char letter; // that also stands for it, or NUL
	const char *one_of; // its own: the words that it may be, or NULL
	const char *some_of; // the words, with commas between them, that the daemon knows; or NULL
};

struct command {
	const char *name; // one word or two
	const char *operands; // as --help shows them
	unsigned operands_min;
	unsigned operands_max;
	const char *summary;
	const char *details; // or NULL
	const struct option *const *options; // its own; ends with NULL; or NULL
	int (*run)(struct cli *cli);

	/* For what commands have in common (call.h). */
	const char *method; // that it calls, by its short name
	const char *also; // further ones, in words
	const char *fields; // of its request that are options; NULL: all
	bool own_output; // it writes the file of --output itself
	bool follows; // without an operand: until Ctrl-C, as others do with --follow
	bool own_operands; // they are no field of the request
	bool many; // operands: it runs for one after the other
	const struct column *columns; // of a list; NULL: each item is printed by `print`
	int64_t listed; // without --limit; 0: all
	void (*print)(const struct cli *cli, const void *reply); // for people; NULL: field by field
	bool all_formats; // `print` is for CSV, too
	bool reports; // in their formats
};

extern const struct option global_options[]; // of all commands
extern const size_t n_global_options;

/* All commands, those of a group together. */
struct commands {
	const struct command *items;
	size_t n;
};

/* Fills the arguments; free what they hold with options_done(). 0, or an exit status after saying what
 * is wrong. `*ret_command` is NULL when none was named. */
int options_parse(const struct commands *commands, int argc, char **argv,
		  struct arguments *ret_arguments, const struct command **ret_command);
void options_done(struct arguments *arguments);

/* The same of words that are not all there yet: what is wrong is passed over. `*ret_pending` is the option
 * whose value comes next, or NULL. */
void options_scan(const struct commands *commands, int argc, char **argv,
		  struct arguments *ret_arguments, const struct command **ret_command,
		  const struct option **ret_pending);

/* The options that a command (NULL: any) takes: its own, then those of all. NULL: there is no further one. */
const struct option *options_at(const struct command *command, size_t i);

/* The command of that name; `second` may be NULL. */
const struct command *options_find_command(const struct commands *commands, const char *first,
					   const char *second);

/* Whether it is a command of the group. */
bool options_are_of(const struct command *command, const char *group);

/* The group of that name, or of what the interface calls it; NULL: there is none. */
const char *options_find_group(const struct commands *commands, const char *word);

/* Says that no command is called so, of the first words of all (NULL) or the second ones of a group, and what may
 * have been meant. */
void options_unknown_command(const struct commands *commands, const char *group, const char *word);

/* What the arguments say of a request goes into it, over what it has. -ENOMEM. */
int options_apply(const struct arguments *arguments, json_object *request);

/* What was given of an option; NULL: nothing. */
const char *options_given(const struct arguments *arguments, const char *name);

/* True when an option set that field of the request: then the message is made its own. */
bool options_blame(const struct arguments *arguments, const char *field, const char *message,
		   struct complaint *ret_complaint);

/* The same of an option that could have set it. */
bool options_blame_missing(const struct command *command, const char *field, const char *message,
			   struct complaint *ret_complaint);

/* An option for a field that no table names. Its texts are made once and stay. False when there is none
 * for its kind, or no memory. */
bool option_for_field(const struct record_field *field, struct arena *arena,
		      struct option *ret_option);

/* The value as JSON. -EINVAL: it is none of that kind; -ENOMEM. */
int option_value(enum option_kind kind, const char *text, json_object **ret_value);

/* Reads `80%`, `criterion=TEXT:80%` or `evaluator=NAME:0.8`. -EINVAL. */
int gate_parse(const char *text, struct gate *ret_gate);

/* What a value of that kind looks like, for people. */
const char *option_expected(enum option_kind kind);
