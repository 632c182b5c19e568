#include "client/cli/refuse.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "client/cli/files/experiment_file.h"
#include "client/cli/files/json_file.h"
#include "client/cli/files/rows.h"
#include "client/cli/methods.h"
#include "client/cli/options.h"
#include "proto/generated/interface.h"
#include "proto/limits.h"
#include "proto/text/near_name.h"

/* The operand that a field stands for, where it is one. */
static const char *operand_of(const struct cli *cli, const char *field)
{
	const struct command *command = cli->command;
	const struct method *method = command && command->method && !command->own_operands ?
					      method_named(command->method) : NULL;
	const struct record_field *operand = method ? method_operand(method) : NULL;
	const size_t length = operand ? strlen(operand->name) : 0;

	return operand && (!operand->type || operand->type == &ellu_ref_type) &&
			       strncmp(field, operand->name, length) == 0 && strchr(".", field[length]) ?
		       cli->operand : NULL;
}

void cli_complain(const struct cli *cli, const char *field, const char *message,
		  struct complaint *ret_complaint)
{
	size_t length = cli->content ? strlen(cli->content_field) : 0, skip = length > 0 ? length + 1 : 0;
	const char *operand = field ? operand_of(cli, field) : NULL;
	char where[512];

	if (operand) {
		length = strlen(field);
		complain(ret_complaint, "%.200s: %s", operand,
			 strncmp(message, field, length) == 0 && strncmp(message + length, ": ", 2) == 0 ?
				 message + length + 2 : message);
		return;
	}
	if (field && options_blame(&cli->arguments, field, message, ret_complaint))
		return;
	if (cli->file && field)
		experiment_file_complain(cli->file, field, message, ret_complaint);
	else if (cli->content && field && strncmp(field, cli->content_field, length) == 0 &&
		 (length == 0 || field[length] == '.'))
		complain(ret_complaint, "%s: %s",
			 json_file_place(cli->content, field + skip, where, sizeof(where)),
			 strncmp(message, field, skip) == 0 ? message + skip : message);
	else if (!field || cli->content ||
		 !options_blame_missing(cli->command, field, message, ret_complaint))
		complain(ret_complaint, "%s", message);
}

int cli_refuse(const struct cli *cli, const char *field, const char *message, int code)
{
	struct complaint complaint;

	cli_complain(cli, field, message, &complaint);
	cli_error("%s", complaint.text);
	return ellu_error_exit_status(code);
}

/* A name that there is, for one that there is not. */
static void suggest_name(const struct cli *cli, const struct ellu_error *error)
{
	const struct method *list = error->resource_type ? method_that_lists(error->resource_type) : NULL;
	struct near_name near = NEAR_NAME(error->name);
	const struct ellu_raw_reply *reply = NULL;
	json_object *request, *json, *items = NULL;

	if (!list || !error->name || !cli->daemon)
		return;
	request = json_object_new_object();
	json_object_object_add(request, "limit", json_object_new_int64(PAGE_MAX));
	if (cli->arguments.project)
		json_object_object_add(request, "project", json_object_new_string(cli->arguments.project));
	if (ellu_call_raw(cli->daemon, list->qualified_name, json_text(request, NULL), &reply, NULL) == 0) {
		json = json_tokener_parse(reply->parameters);
		items = json_object_object_get(json, "items");
		for (size_t i = 0; items && i < json_object_array_length(items); i++)
			near_name_show(&near, json_object_get_string(json_object_object_get(
						      json_object_array_get_idx(items, i), "name")));
		if (near.nearest && strcmp(near.nearest, error->name) != 0)
			cli_note(cli, "Did you mean %s?", near.nearest);
		json_object_put(json);
		ellu_free(reply);
	}
	json_object_put(request);
}

/* A string names what is there; who wrote the thing itself in its place learns its form. */
static void suggest_form(const struct cli *cli, const struct ellu_error *error)
{
	const char *type = error->resource_type ? error->resource_type : "";

	if (!cli->file)
		return;
	if (strcmp(type, "prompt_template") == 0 && strstr(error->name, "{{"))
		cli_note(cli, "A string names a template that exists. A prompt itself: "
			      "{ \"name\": \"...\", \"messages\": \"%s\" }", error->name);
	else if (strcmp(type, "collection") == 0 && rows_format_find(error->name, NULL) >= 0)
		cli_note(cli, "A string names a collection that exists. Cases in a file: "
			      "{ \"name\": \"...\", \"file\": \"%s\" }", error->name);
}

int cli_fail_request(const struct cli *cli, int code, const struct ellu_error *error)
{
	int64_t task_id;
	int status;

	if (code == ELLU_E_NOT_FOUND && error && error->name) {
		cli_error("%s", error->message);
		suggest_name(cli, error);
		suggest_form(cli, error);
		ellu_free(error);
		return ellu_error_exit_status(code);
	}
	if (!error || !error->field) {
		if (code != ELLU_E_CONFLICT || !error ||
		    sscanf(error->message, "its task %" SCNd64 " is ", &task_id) != 1)
			return cli_fail(code, error);
		status = cli_fail(code, error);
		cli_note(cli, "Follow it: elluminate task watch %" PRId64 "%s", task_id,
			 cli_same_daemon(&cli->arguments));
		return status;
	}
	status = cli_refuse(cli, error->field, error->message, code);
	ellu_free(error);
	return status;
}
