/* The user's defaults: ~/.config/elluminate/command.conf. */
#include <errno.h>
#include <ini.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/cli/options.h"
#include "proto/text/near_name.h"

/* Each is an option of all commands, but for the pager. */
#define KEYS "project socket bus color pager"

struct conf {
	struct arguments values;
	struct complaint complaint; // "": nothing is wrong
};

static const struct option *option_of(const char *key)
{
	for (size_t i = 0; i < n_global_options; i++)
		if (strcmp(global_options[i].name, key) == 0)
			return &global_options[i];
	return NULL;
}

static void unknown_key(struct conf *conf, const char *key)
{
	struct near_name near = NEAR_NAME(key);
	char keys[] = KEYS, *rest = keys;

	for (char *word; (word = strsep(&rest, " "));)
		near_name_show(&near, word);
	complain(&conf->complaint, "unknown key %s%s%s%s", key, near.nearest ? "; did you mean " : "",
		 near.nearest ? near.nearest : "", near.nearest ? "?" : "");
}

/* libinih's convention: 1 is fine, 0 is an error at this line. */
static int on_key(void *userdata, const char *section, const char *key, const char *value)
{
	struct conf *conf = userdata;
	const struct option *option = option_of(key);
	const char **place = option ? (const char **) ((char *) &conf->values + option->offset)
				    : &conf->values.pager;

	if (conf->complaint.text[0])
		return 0;
	if (*section || !text_is_listed(KEYS, key)) {
		unknown_key(conf, *section ? section : key);
	} else if (option && option->one_of && !text_is_listed(option->one_of, value)) {
		complain(&conf->complaint, "%s: expected one of %s", key, option->one_of);
	} else if (*place) {
		complain(&conf->complaint, "%s is said already; what begins with blanks goes on with the line before", key);
	} else {
		*place = strdup(value);
		return *place != NULL;
	}
	return 0;
}

static bool is_set(const char *variable)
{
	const char *value = getenv(variable);

	return value && *value;
}

static void apply(struct arguments *arguments, const struct arguments *conf)
{
	const bool is_placed = arguments->socket || arguments->bus || arguments->user || arguments->system ||
			       is_set("ELLUMINATE_SOCKET");

	arguments->project = arguments->project		    ? arguments->project
			     : is_set("ELLUMINATE_PROJECT") ? getenv("ELLUMINATE_PROJECT")
							    : conf->project;
	arguments->socket = is_placed ? arguments->socket : conf->socket;
	arguments->bus = is_placed ? arguments->bus : conf->bus;
	if (!arguments->color && !is_set("NO_COLOR"))
		arguments->color = conf->color;
	arguments->pager = conf->pager;
}

int conf_apply(struct arguments *arguments)
{
	const char *folder = getenv("XDG_CONFIG_HOME"), *home = getenv("HOME");
	const bool is_xdg = folder && *folder == '/';
	static struct conf conf; // the arguments point into it
	char path[PATH_MAX];
	int line = 0;

	if (is_xdg || (home && *home == '/')) {
		snprintf(path, sizeof(path), "%s%s/elluminate/command.conf", is_xdg ? folder : home,
			 is_xdg ? "" : "/.config");
		line = ini_parse(path, on_key, &conf);
	}
	if (line > 0) {
		cli_error("%s:%d: %s", path, line,
			  conf.complaint.text[0] ? conf.complaint.text : "cannot be parsed");
		return EXIT_USAGE;
	}
	if (conf.values.socket && conf.values.bus) {
		cli_error("%s: socket and bus exclude each other", path);
		return EXIT_USAGE;
	}
	apply(arguments, &conf.values);
	return 0;
}
