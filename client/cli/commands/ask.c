/* elluminate call: one chat completion. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "client/cli/call.h"
#include "client/cli/commands/ask.h"
#include "client/cli/files/attachment.h"
#include "client/cli/files/json_file.h"
#include "client/cli/tasks/submit.h"
#include "proto/limits.h"
#include "proto/text/utf8.h"

int ask_text(const struct cli *cli, const char *operand, char **ret_text, struct complaint *complaint)
{
	const struct arguments *arguments = &cli->arguments;
	const char *text = operand ? operand : "-";
	const char *file = arguments->file ? arguments->file : "-";
	const bool is_said = strcmp(text, "-") != 0, is_input = strcmp(file, "-") == 0;
	size_t size = strlen(text);
	int r = 0;

	*ret_text = is_said ? strdup(text) : NULL;
	if (!is_said && is_input && isatty(STDIN_FILENO))
		cli_note(cli, "The text, then Ctrl-D:");
	if (!is_said)
		r = file_text_read(file, MESSAGE_SIZE_MAX, ret_text, &size, complaint);
	if (r < 0 || !*ret_text)
		return r < 0 ? r : -ENOMEM;
	while (size > 0 && (*ret_text)[size - 1] == '\n')
		(*ret_text)[--size] = '\0';
	if (size > 0 && !memchr(*ret_text, 0, size) && utf8_valid(*ret_text, size, NULL))
		return 0;
	free(*ret_text);
	return complain(complaint, size > 0 ? "%s: not valid UTF-8 text" : "%s: no text",
			is_said ? "TEXT" : is_input ? "standard input" : file);
}

static int add_attachments(const struct arguments *arguments, json_object *parts, struct complaint *complaint)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < arguments->images.n; i++)
		r = attachment_add(parts, "image", arguments->images.items[i], complaint);
	for (size_t i = 0; r == 0 && i < arguments->documents.n; i++)
		r = attachment_add(parts, "document", arguments->documents.items[i], complaint);
	return r;
}

/* A text alone, or beside what is shown with it. */
static int add_content(const struct arguments *arguments, json_object *message, const char *text,
		       struct complaint *complaint)
{
	json_object *parts, *part;

	if (arguments->images.n + arguments->documents.n == 0) {
		json_object_object_add(message, "content", json_object_new_string(text));
		return 0;
	}
	parts = json_object_new_array();
	part = json_object_new_object();
	json_object_object_add(part, "text", json_object_new_string(text));
	json_object_array_add(parts, part);
	json_object_object_add(message, "parts", parts);
	return add_attachments(arguments, parts, complaint);
}

json_object *ask_message(const char *role, const char *text)
{
	json_object *message = json_object_new_object();

	json_object_object_add(message, "role", json_object_new_string(role));
	if (text)
		json_object_object_add(message, "content", json_object_new_string(text));
	return message;
}

static int add_messages(const struct arguments *arguments, json_object *request, const char *text,
			struct complaint *complaint)
{
	json_object *messages = json_object_new_array(), *message = ask_message("user", NULL);

	if (arguments->system_message)
		json_object_array_add(messages, ask_message("system", arguments->system_message));
	json_object_array_add(messages, message);
	json_object_object_add(request, "messages", messages);
	return add_content(arguments, message, text, complaint);
}

/* The text becomes a message, unless options say what is asked. 0, or the exit status. */
static int make_messages(const struct cli *cli, json_object *request)
{
	const struct arguments *arguments = &cli->arguments;
	const bool said = options_given(arguments, "template") || options_given(arguments, "messages");
	const bool beside = arguments->system_message || arguments->images.n + arguments->documents.n > 0;
	struct complaint complaint;
	char *text;
	int r;

	if (said + (arguments->n_operands > 0) + (arguments->file != NULL) > 1) {
		cli_error("call: expected either TEXT, --file, --template or --messages");
		return EXIT_USAGE;
	}
	if (said && beside) {
		cli_error("call: --system-message, --image and --document go with a text, not with --template or "
			  "--messages");
		return EXIT_USAGE;
	}
	if (said)
		return 0;
	r = ask_text(cli, arguments->n_operands > 0 ? arguments->operands[0] : NULL, &text, &complaint);
	if (r < 0)
		return cli_fail_file(r, &complaint);
	r = add_messages(arguments, request, text, &complaint);
	free(text);
	return r < 0 ? cli_fail_file(r, &complaint) : 0;
}

static int add_schema(const struct cli *cli, json_object *request)
{
	struct json_file file = { 0 };
	struct complaint complaint;
	json_object *schema = NULL;
	int r;

	if (!cli->arguments.schema)
		return 0;
	r = json_file_read(cli->arguments.schema, &file, &schema, &complaint);
	json_file_done(&file);
	if (r < 0)
		return cli_fail_file(r, &complaint);
	json_object_object_add(request, "response_format", schema);
	return 0;
}

int command_ask(struct cli *cli)
{
	struct submission call = { .method = method_named(cli->command->method), .is_lost = true };
	json_object *json = json_object_new_object();
	int status = make_messages(cli, json);

	if (status == 0)
		status = add_schema(cli, json);
	if (status == 0)
		return submit_request(cli, &call, json);
	json_object_put(json);
	return status;
}
