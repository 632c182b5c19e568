/* elluminate criteria …: questions as they stand on the command line. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "client/cli/call.h"

/* KIND, or KIND=VALUE; `starts-with` is what options would call it. */
static json_object *check_of(const char *text)
{
	json_object *check = json_object_new_object();
	size_t size = strcspn(text, "=");
	char kind[32];

	snprintf(kind, sizeof(kind), "%.*s", (int) size, text);
	for (char *c = kind; *c; c++)
		*c = *c == '-' ? '_' : *c;
	json_object_object_add(check, "kind", json_object_new_string(kind));
	if (text[size])
		json_object_object_add(check, "value", json_object_new_string(text + size + 1));
	return check;
}

/* The operands behind the set. NULL without memory. */
static json_object *criteria_of(const struct arguments *arguments)
{
	json_object *criteria = json_object_new_array();

	for (unsigned i = 1; criteria && i < arguments->n_operands; i++) {
		json_object *criterion = json_object_new_object();

		json_object_object_add(criterion, "criterion_str",
				       json_object_new_string(arguments->operands[i]));
		if (arguments->label)
			json_object_object_add(criterion, "label", json_object_new_string(arguments->label));
		if (arguments->check)
			json_object_object_add(criterion, "check", check_of(arguments->check));
		json_object_array_add(criteria, criterion);
	}
	return criteria;
}

/* A method that makes a set has its record; one that changes it a Ref. */
int command_criteria(struct cli *cli)
{
	const struct method *method = method_named(cli->command->method);
	const struct record_field *content = method_content(method);
	const char *set = cli->arguments.operands[0];
	json_object *request, *criteria, *record;

	if ((cli->arguments.label || cli->arguments.check) && cli->arguments.n_operands != 2) {
		cli_error("--label and --check are of one question: give one TEXT");
		return EXIT_USAGE;
	}
	request = json_object_new_object();
	criteria = criteria_of(&cli->arguments);
	record = content ? json_object_new_object() : request;
	if (!request || !criteria || !record)
		return cli_fail(-ENOMEM, NULL);
	if (content) {
		json_object_object_add(record, "name", json_object_new_string(set));
		json_object_object_add(request, content->name, record);
	} else {
		json_object_object_add(request, "criterion_set", cli_ref(set));
	}
	json_object_object_add(record, "criteria", criteria);
	return call_json_and_print(cli, method, request);
}

int command_criteria_link(struct cli *cli)
{
	json_object *request = json_object_new_object();

	if (!request)
		return cli_fail(-ENOMEM, NULL);
	json_object_object_add(request, "criterion_set", cli_ref(cli->arguments.operands[0]));
	json_object_object_add(request, "prompt_template", cli_ref(cli->arguments.operands[1]));
	return call_json_and_print(cli, method_named(cli->command->method), request);
}

void column_criteria(struct table *table, const void *set)
{
	table_printf(table, "%zu", ((const struct ellu_criterion_set *) set)->n_criteria);
}
