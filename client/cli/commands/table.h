/*
 * The table of commands in its parts, for who makes one of them (offered.c): what stands there by itself, and
 * of which resources the interface offers commands.
 */
#pragma once

#include "client/cli/options.h"

/* What the interface offers of a resource, `ListTasks` and the like, is a command. */
struct resource {
	const char *group; // the first word of its commands
	const char *name; // in the interface
	const struct column *columns;
	void (*print)(const struct cli *cli, const void *reply); // of its Get method; or NULL
	const struct option *const *options; // of the same; or NULL
	int (*list)(struct cli *cli); // NULL: as any
};

#define BY_FIELD _OPTION_KIND_MAX

/* How a field of requests is called and explained where its own name and constraints would not do. The
 * values that it may have follow a colon. */
struct word {
	const char *field, *name, *value, *help;
	enum option_kind kind;
};

extern const struct resource resources[];
extern const size_t n_resources;
extern const struct word words[];
extern const size_t n_words;
extern const struct command fixed[]; // those of a group stand together
extern const size_t n_fixed;
