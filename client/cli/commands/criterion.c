#include "client/cli/commands/criterion.h"

#include <string.h>

#include "client/cli/cli.h"
#include "client/cli/options.h"
#include "proto/generated/interface.h"

static const struct ellu_criterion *find(const struct ellu_criterion_set *set, const char *wanted)
{
	const struct ellu_criterion *found = NULL;
	bool several = false;

	for (size_t i = 0; set && i < set->n_criteria; i++) {
		const struct ellu_criterion *criterion = set->criteria[i];

		if (strcmp(criterion->criterion_str, wanted) == 0 ||
		    (criterion->label && strcmp(criterion->label, wanted) == 0))
			return criterion;
		if (!strcasestr(criterion->criterion_str, wanted))
			continue;
		several = found != NULL;
		found = criterion;
	}
	return several ? NULL : found;
}

int criterion_find(const struct ellu_experiment *experiment, const char *option, const char *wanted, int64_t *ret_id)
{
	const struct ellu_criterion *criterion;

	if (cli_is_id(wanted, ret_id))
		return 0;
	criterion = find(experiment->criterion_set, wanted);
	if (!criterion || !criterion->id) {
		cli_error("--%s %s: expected an id, a label or a text that one criterion of the experiment has",
			  option, wanted);
		return EXIT_USAGE;
	}
	*ret_id = *criterion->id;
	return 0;
}

/* What --where says of it, if it was given. */
static json_object *where_of(const struct given *given)
{
	return given->option->kind == OPTION_VERDICT ? json_object_object_get(given->value, "criterion_id") : NULL;
}

bool criterion_where_is_text(const struct cli *cli)
{
	for (size_t i = 0; i < cli->arguments.n_given; i++)
		if (json_object_is_type(where_of(&cli->arguments.given[i]), json_type_string))
			return true;
	return false;
}

int criterion_take_where(const struct cli *cli, const struct ellu_experiment *experiment)
{
	int status = 0;

	for (size_t i = 0; status == 0 && i < cli->arguments.n_given; i++) {
		const struct given *given = &cli->arguments.given[i];
		json_object *named = where_of(given);
		int64_t id;

		if (!named)
			continue;
		status = criterion_find(experiment, given->option->name, json_object_get_string(named), &id);
		if (status == 0)
			json_object_object_add(given->value, "criterion_id", json_object_new_int64(id));
	}
	return status;
}
