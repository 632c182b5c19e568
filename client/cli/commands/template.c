/* elluminate template …: prompts, as the command line or a file has them. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "client/cli/call.h"
#include "client/cli/files/file_text.h"
#include "client/cli/files/json_file.h"
#include "client/cli/view/output.h"
#include "proto/generated/interface.h"

/* ---- What it is ---- */

/* The content of the file, or of that name. 0, or the exit status. */
static int read_content(struct cli *cli, const struct record_field *field, struct json_file *file,
			json_object **ret_content)
{
	struct complaint complaint;
	int r;

	if (!json_file_is_meant(cli->operand)) {
		*ret_content = json_object_new_object();
		return json_object_object_add(*ret_content, "name", json_object_new_string(cli->operand)) < 0
			       ? cli_fail(-ENOMEM, NULL) : 0;
	}
	r = json_file_read(cli->operand, file, ret_content, &complaint);
	if (r < 0)
		return cli_fail_file(r, &complaint);
	cli->content = file;
	cli->content_field = field->name;
	r = content_expand(*ret_content, file->path, &complaint);
	return r < 0 ? cli_fail_file(r, &complaint) : 0;
}

static int add_message(json_object *list, const char *role, const char *says)
{
	json_object *made = says ? json_object_new_object() : NULL;

	if (!says)
		return 0;
	if (made && json_object_object_add(made, "role", json_object_new_string(role)) == 0 &&
	    json_object_object_add(made, "content", json_object_new_string(says)) == 0 &&
	    json_object_array_add(list, made) == 0)
		return 0;
	json_object_put(made);
	return -ENOMEM;
}

/* What options say of the messages takes the place of what the content says. */
static int add_messages(const struct cli *cli, json_object *content)
{
	const struct arguments *arguments = &cli->arguments;
	json_object *list;

	if (!arguments->message && !arguments->system_message)
		return 0;
	list = json_object_new_array();
	if (list && add_message(list, "system", arguments->system_message) == 0 &&
	    add_message(list, "user", arguments->message) == 0 &&
	    json_object_object_add(content, "messages", list) == 0)
		return 0;
	json_object_put(list);
	return -ENOMEM;
}

int command_template(struct cli *cli)
{
	const struct method *method = method_named(cli->command->method);
	const struct record_field *field = method_content(method);
	json_object *request = json_object_new_object(), *content = NULL;
	struct json_file file = { 0 };
	int status = 0;

	if (field)
		status = read_content(cli, field, &file, &content);
	if (status == 0 && content && json_object_object_add(request, field->name, content) < 0)
		status = cli_fail(-ENOMEM, NULL);
	if (status == 0 && add_messages(cli, content ? content : request) < 0)
		status = cli_fail(-ENOMEM, NULL);
	if (status == 0)
		status = call_json_and_print(cli, method, request);
	else
		json_object_put(request);
	cli->content = NULL;
	json_file_done(&file);
	return status;
}

/* ---- For people ---- */

/* Its fields, and below them the messages as they read. */
void print_template(const struct cli *cli, const void *reply)
{
	const struct method *method = method_named(cli->command->method);
	const struct ellu_prompt_template *template =
		record_member(method->reply, reply, "prompt_template");
	struct ellu_prompt_template head = *template;

	if (output.format == FORMAT_CSV) {
		show_record(stdout, &ellu_prompt_template_type, template);
		return;
	}
	head.messages = NULL;
	head.n_messages = 0;
	show_record(stdout, &ellu_prompt_template_type, &head);
	for (size_t i = 0; i < template->n_messages; i++) {
		putchar('\n');
		output_fence(stdout);
		show_message(stdout, template->messages[i]);
		output_fence(stdout);
	}
}

void print_rendered(const struct cli *cli, const void *reply)
{
	const struct ellu_render_prompt_template_reply *rendered = reply;

	(void) cli;
	for (size_t i = 0; i < rendered->n_messages; i++)
		show_message(stdout, rendered->messages[i]);
}

void print_criteria(const struct cli *cli, const void *reply)
{
	const struct ellu_list_criteria_reply *list = reply;

	(void) cli;
	show_criteria(stdout, list->criteria, list->n_criteria);
}
