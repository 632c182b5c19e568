/*
 * The command line: one table of commands and their options, from which parsing and all texts
 * of --help come.
 */
#pragma once

#include <stddef.h>
#include <stdio.h>

#include "client/cli/cli.h"

enum option_kind {
	OPTION_FLAG, // bool
	OPTION_TEXT, // const char *
	OPTION_TEXTS, // struct texts; may be given again
	OPTION_COUNT, // int64_t, 1 and up
	OPTION_POSITION, // int64_t, 0 and up
	OPTION_SHARE, // double, `0.8` or `80%`
	OPTION_MONEY, // int64_t in billionths of a dollar, `0.5`
	OPTION_DURATION, // double in seconds, `90` or `10m`
	OPTION_SINCE, // int64_t in microseconds since the epoch, a time or how long ago
	_OPTION_KIND_MAX,
};

struct option {
	const char *name; // without the dashes
	const char *value; // what --help calls its value; NULL for a flag
	const char *help;
	enum option_kind kind;
	size_t offset; // in struct arguments
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
};

extern const struct command commands[];
extern const size_t n_commands;
extern const struct option global_options[]; // of all commands
extern const size_t n_global_options;

/* Fills the arguments. 0, or an exit status after saying what is wrong. `*ret_command` is NULL
 * when none was named. */
int options_parse(int argc, char **argv, struct arguments *ret_arguments,
		  const struct command **ret_command);

/* The command of that name; `second` may be NULL. */
const struct command *options_find_command(const char *first, const char *second);

/* Sets what the option stands for; the value of a flag is ignored. False: it makes no sense. */
bool option_set(struct arguments *arguments, const struct option *option, const char *value);

/* What a value of that kind looks like, for people. */
const char *option_expected(enum option_kind kind);

void options_print_help(FILE *out, const struct command *command); // NULL: the whole
