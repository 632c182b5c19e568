/* elluminate api METHOD [JSON]. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/cli/cli.h"
#include "client/cli/files/json_file.h"
#include "client/cli/methods.h"
#include "client/cli/options.h"
#include "client/cli/view/output.h"
#include "client/cli/view/table.h"
#include "client/cli/view/text.h"
#include "proto/generated/interface.h"
#include "proto/limits.h"
#include "proto/text/near_name.h"

static int print_reply(const struct ellu_raw_reply *reply)
{
	json_object *json = output.terminal ? json_tokener_parse(reply->parameters) : NULL;
	int status = cli_put_json(!json ? reply->parameters
					: json_object_to_json_string_ext(json, JSON_C_TO_STRING_PRETTY |
									       JSON_C_TO_STRING_SPACED |
									       JSON_C_TO_STRING_NOSLASHESCAPE));

	json_object_put(json);
	return status;
}

/* What a request has at the path, where a file has a name, a content or a text alone. Or NULL. */
static const char *form_at(const struct record_type *type, const char *path)
{
	const size_t length = strcspn(path, ".[");
	const char *rest = path + strcspn(path, ".");
	const struct record_field *field;
	char name[64];

	snprintf(name, sizeof(name), "%.*s", (int) length, path);
	field = type ? record_field_find(type, name) : NULL;
	if (field && *rest)
		return form_at(field->type, rest + 1);
	type = field ? field->type : type;
	if (type == &ellu_ref_type)
		return "{\"name\": \"…\"} or {\"id\": 1}";
	if (type == &ellu_message_type)
		return "[{\"role\": \"user\", \"content\": \"…\"}]";
	return type && record_field_find(type, "ref") && record_field_find(type, "content") ?
		       "{\"ref\": {\"name\": \"…\"}} or {\"content\": {…}}" :
		       NULL;
}

/* As cli_fail(). */
static int fail(struct cli *cli, int code, const struct ellu_error *error)
{
	const struct method *method = code == ELLU_E_INVALID_PARAMETER ? method_named(cli->operand) : NULL;
	const char *form = method && error->field ? form_at(method->request, error->field) : NULL;
	struct near_name near = NEAR_NAME(cli->operand);

	for (size_t i = 0; code == ELLU_E_METHOD_NOT_FOUND && i < elluminate_interface.n_methods; i++)
		near_name_show(&near, elluminate_interface.methods[i].name);
	code = cli_fail(code, error);
	if (near.nearest)
		cli_note(cli, "Did you mean %s?", near.nearest);
	if (form)
		cli_note(cli, "In a request, other than in a file, that is %s.", form);
	return code;
}

static int call_many(struct cli *cli, const char *method, const char *parameters)
{
	const struct ellu_error *error = NULL;
	struct ellu_stream *stream;
	const void *reply;
	int status = 0, r = ellu_stream_raw(cli->daemon, method, parameters, &stream, NULL);

	if (r < 0)
		return cli_fail(r, NULL);
	while (status == 0 && (r = ellu_stream_next(stream, &reply, &error)) > 0) {
		status = cli_put_json(((const struct ellu_raw_reply *) reply)->parameters);
		ellu_free(reply);
	}
	ellu_stream_close(stream);
	return r < 0 ? fail(cli, r, error) : status;
}

static int call_once(struct cli *cli, const char *method, const char *parameters)
{
	const struct ellu_raw_reply *reply;
	const struct ellu_error *error;
	int status, r = ellu_call_raw(cli->daemon, method, parameters, &reply, &error);

	if (r < 0)
		return fail(cli, r, error);
	status = print_reply(reply);
	ellu_free(reply);
	return status;
}

/* What is no object is told with its place, which the daemon knows of the whole message only. */
static bool is_object(const char *text)
{
	json_object *json = NULL;
	int line, column, r;
	const char *reason = "an object expected";
	size_t offset = 0;
	bool good;

	r = json_text_parse(text, strlen(text), &json, &offset, &reason);
	good = r < 0 ? r != -EINVAL : json_object_is_type(json, json_type_object);
	json_object_put(json);
	if (good)
		return true;
	text_position(text, offset, &line, &column);
	cli_error("JSON:%d:%d: %s", line, column, reason);
	return false;
}

/* The command that is one of the method, or has a part of it; else this one. */
static const char *command_of(const struct commands *commands, const struct method *method)
{
	const struct command *items = commands->items;

	for (size_t i = 0; i < commands->n; i++)
		if (items[i].method && strcmp(items[i].method, method->name) == 0)
			return items[i].name;
	for (size_t i = 0; i < commands->n; i++)
		if (items[i].also && text_is_listed(items[i].also, method->name))
			return items[i].name;
	return "api";
}

static int list_as_json(const struct commands *commands)
{
	json_object *list = json_object_new_object(), *items = json_object_new_array();
	int status;

	json_object_object_add(list, "items", items);
	for (size_t i = 0; i < elluminate_interface.n_methods; i++) {
		const struct method *method = &elluminate_interface.methods[i];
		json_object *item = json_object_new_object();

		json_object_object_add(item, "method", json_object_new_string(method->name));
		json_object_object_add(item, "command", json_object_new_string(command_of(commands, method)));
		json_object_array_add(items, item);
	}
	status = cli_put_json(json_object_to_json_string_ext(list, JSON_C_TO_STRING_PLAIN));
	json_object_put(list);
	return status;
}

static int list_methods(const struct commands *commands)
{
	struct table *table;

	if (output_is_json())
		return list_as_json(commands);
	table = table_new();
	table_column(table, "METHOD");
	table_column(table, "COMMAND");
	for (size_t i = 0; i < elluminate_interface.n_methods; i++) {
		table_text(table, elluminate_interface.methods[i].name);
		table_text(table, command_of(commands, &elluminate_interface.methods[i]));
	}
	table_print(table, stdout);
	table_free(table);
	return 0;
}

int command_api(struct cli *cli)
{
	const struct arguments *arguments = &cli->arguments;
	const char *parameters = arguments->operands[1];
	struct complaint complaint;
	char *input = NULL, *method;
	size_t size;
	int r, status;

	if (arguments->n_operands == 0)
		return list_methods(cli->commands);
	if (asprintf(&method, "%s%s", strchr(arguments->operands[0], '.') ? "" : "org.elluminate.",
		     arguments->operands[0]) < 0)
		return cli_fail(-ENOMEM, NULL);
	if (parameters && strcmp(parameters, "-") == 0) {
		r = file_text_read("-", MESSAGE_SIZE_MAX, &input, &size, &complaint);
		if (r < 0) {
			free(method);
			return cli_fail_file(r, &complaint);
		}
		parameters = input;
	}
	status = parameters && !is_object(parameters) ? ellu_error_exit_status(ELLU_E_INVALID_MESSAGE)
						    : cli_connect(cli);
	if (status == 0)
		status = arguments->more ? call_many(cli, method, parameters)
					 : call_once(cli, method, parameters);
	free(input);
	free(method);
	return status;
}
