#include "client/cli/call.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "client/cli/files/experiment_file.h"
#include "client/cli/files/file_text.h"
#include "client/cli/files/json_file.h"
#include "client/cli/view/output.h"
#include "proto/generated/interface.h"
#include "proto/limits.h"

/* ---- The request ---- */

/* The request that `json` (taken) is, in the project of the arguments. 0, or the exit status. */
static int decode(struct cli *cli, const struct method *method, json_object *json, struct arena *arena,
		  void **ret_request)
{
	const char *project = cli->arguments.project;
	struct fault fault;
	int r = 0;

	if (project && method->project && !json_object_object_get(json, "project") &&
	    !json_object_object_get(json, "project_id"))
		r = json_object_object_add(json, "project", json_object_new_string(project));
	r = r < 0 ? fault_oom(&fault)
		  : record_decode(method->request, json, FROM_CLIENT, "", arena, ret_request, &fault);
	json_object_put(json);
	return r == 0 ? 0 : cli_refuse(cli, fault.field, fault.message, fault.code);
}

static int take_operand(struct cli *cli, const struct method *method, json_object *json)
{
	const struct record_field *field = method_operand(method);
	const char *operand = cli->operand;
	json_object *value;
	int64_t id;

	if (!field || !operand || cli->command->own_operands)
		return 0;
	if (field->kind == FIELD_INT) {
		if (!cli_is_id(operand, &id)) {
			cli_error("%s: expected an id, a number", operand);
			return EXIT_USAGE;
		}
		value = json_object_new_int64(id);
	} else if (field->kind == FIELD_STRING && method_id_beside(method, field) && cli_is_id(operand, &id)) {
		field = method_id_beside(method, field);
		value = json_object_new_int64(id);
	} else if (field->kind == FIELD_STRING) {
		value = json_object_new_string(operand);
	} else {
		value = cli_ref(operand);
	}
	if (field_is_ref_or_content(field)) {
		json_object *in = json_object_new_object();

		json_object_object_add(in, "ref", value);
		value = in;
	}
	return json_object_object_add(json, field->name, value) < 0 ? cli_fail(-ENOMEM, NULL) : 0;
}

/* A config's key may stand in the environment; that of a new one in its provider's usual variable. */
static int take_key(struct cli *cli, const struct method *method, json_object *json)
{
	const struct record_field *content = method_content(method);
	const char *variable = NULL;
	struct complaint missing;
	json_object *config;
	char path[64];

	if (!content || content->type != &ellu_llm_config_type)
		return 0;
	config = json_object_object_get(json, content->name);
	if (api_key_resolve(config, &missing) < 0) {
		snprintf(path, sizeof(path), "%s.api_key", content->name);
		(void) cli_refuse(cli, path, missing.text, 0);
		return EXIT_USAGE;
	}
	if (strncmp(method->name, "Update", strlen("Update")) != 0 && api_key_usual(config, &variable) > 0)
		cli_note(cli, "Using the key in $%s.", variable);
	return 0;
}

int call_request(struct cli *cli, const struct method *method, json_object *json, struct arena *arena,
		 void **ret_request)
{
	int status;

	json = json ? json : json_object_new_object();
	status = take_operand(cli, method, json);
	if (status == 0 && options_apply(&cli->arguments, json) < 0)
		status = cli_fail(-ENOMEM, NULL);
	if (status == 0)
		status = take_key(cli, method, json);
	if (status == 0)
		return decode(cli, method, json, arena, ret_request);
	json_object_put(json);
	return status;
}

/* ---- One reply ---- */

int call_reply(struct cli *cli, const struct method *method, const void *request,
	       const void **ret_reply)
{
	const struct ellu_error *error;
	int r;

	cli_tell(cli, "%s", method->name);
	r = ellu_call_method(cli->daemon, method->qualified_name, request, ret_reply, &error);
	return r < 0 ? cli_fail_request(cli, r, error) : 0;
}

int call_json(struct cli *cli, const struct method *method, json_object *json, const void **ret_reply)
{
	struct arena arena;
	void *request;
	int status;

	arena_init(&arena);
	status = decode(cli, method, json, &arena, &request);
	if (status == 0)
		status = cli_connect(cli);
	if (status == 0)
		status = call_reply(cli, method, request, ret_reply);
	arena_done(&arena);
	return status;
}

int call_expecting(struct cli *cli, const char *name, json_object *json, const void **ret_reply,
		   int expected, const struct ellu_error **ret_error)
{
	const struct method *method = method_named(name);
	const struct ellu_error *error = NULL;
	struct arena arena;
	int r, status;
	void *request;

	arena_init(&arena);
	status = decode(cli, method, json, &arena, &request);
	r = status ? 0 : ellu_call_method(cli->daemon, method->qualified_name, request, ret_reply, &error);
	arena_done(&arena);
	if (status)
		return -status;
	if (r == 0 || r != expected)
		return r == 0 ? 0 : -cli_fail_request(cli, r, error);
	*ret_error = error;
	return 1;
}

static bool is_set(const struct method *method, const void *reply, const char *name)
{
	const struct record_field *field = record_field_find(method->reply, name);

	return field && *(const int *) ((const char *) reply + field->offset);
}

/* What a reply is about: its record, or itself. */
static const struct record_type *subject_of(const struct method *method, const void *reply,
					    const void **ret_record)
{
	const struct record_field *field = method->reply->fields;
	const bool is_found = record_field_find(method->reply, "created") != NULL;
	const bool is_record = (method->reply->n_fields == 1 || is_found) && field->kind == FIELD_STRUCT &&
			       field->container == FIELD_SINGLE;

	*ret_record = is_record ? record_member(method->reply, reply, field->name) : reply;
	return is_record ? field->type : method->reply;
}

/* What is made for people to look at is in Markdown as they see it. Returns the format to go back to. */
static enum format begin_page(const struct command *command)
{
	const enum format format = output.format;

	if (format == FORMAT_MD && command->print && !command->all_formats) {
		output_fence(stdout);
		output.format = FORMAT_TABLE;
	}
	return format;
}

static void end_page(enum format format)
{
	const bool is_fenced = output.format != format;

	output.format = format;
	if (is_fenced)
		output_fence(stdout);
}

/* What was found is said to differ from what was asked for. */
static int print_reply(struct cli *cli, const struct method *method, const void *reply)
{
	const struct command *command = cli->command;
	const bool looks = strncmp(method->name, "Get", 3) == 0 && command->run != command_write;
	const struct record_type *type;
	const void *record;
	enum format format;

	if (output_is_json())
		return cli_print_json(method->reply, reply);
	if (looks)
		output_page();
	if (is_set(method, reply, "differs"))
		cli_note(cli, "It was there before, and differs from this; `update` would change it.");
	type = subject_of(method, reply, &record);
	if (!looks && cli->arguments.quiet && show_id(stdout, type, record))
		return 0;
	if (command->print && (output.format != FORMAT_CSV || command->all_formats)) {
		format = begin_page(command);
		command->print(cli, reply);
		end_page(format);
	} else {
		show_record(stdout, type, record);
	}
	output.header = output.header && output.format != FORMAT_CSV; // one for all
	return output_flush();
}

int call_print_data(const struct record_type *type, const void *record)
{
	if (output_is_json())
		return cli_print_json(type, record);
	show_record(stdout, type, record);
	output.header = false; // one for all
	return output_flush();
}

int call_and_print(struct cli *cli, const struct method *method, const void *request)
{
	const void *reply;
	int status = call_reply(cli, method, request, &reply);

	if (status != 0)
		return status;
	status = print_reply(cli, method, reply);
	ellu_free(reply);
	return status;
}

/* Who says a name and no content wants what is there. */
static void suggest_show(const struct cli *cli, const struct method *method, int status)
{
	if (status == ellu_error_exit_status(ELLU_E_INVALID_PARAMETER) && cli->operand &&
	    strncmp(method->name, "GetOrCreate", strlen("GetOrCreate")) == 0 && !json_file_is_meant(cli->operand))
		cli_note(cli, "One that is there is shown by: elluminate %.*s show NAME",
			 (int) strcspn(cli->command->name, " "), cli->command->name);
}

int call_json_and_print(struct cli *cli, const struct method *method, json_object *json)
{
	struct arena arena;
	void *request;
	int status;

	arena_init(&arena);
	status = call_request(cli, method, json, &arena, &request);
	suggest_show(cli, method, status);
	if (status == 0)
		status = cli_connect(cli);
	if (status == 0)
		status = call_and_print(cli, method, request);
	arena_done(&arena);
	return status;
}

int command_call(struct cli *cli)
{
	return call_json_and_print(cli, method_named(cli->command->method), NULL);
}

/* ---- A list ---- */

struct listing {
	struct cli *cli;
	const struct command *list;
	struct table *table; // NULL: it has no columns, or is no table
	int64_t left; // how many more are wanted
	bool of_others; // of several users, or another one's
	bool begun;
};

static void begin_table(struct listing *listing)
{
	if (listing->table || !listing->list->columns || output_is_json())
		return;
	listing->table = table_new();
	if (listing->of_others)
		table_column(listing->table, "USER");
	show_columns(listing->table, listing->list->columns);
}

/* Whose it is; one's own where its records do not say so. */
static int64_t owner_of(const struct record_type *type, const void *item)
{
	const struct record_field *field = record_field_find(type, "owner_uid");
	const char *slot = field ? (const char *) item + field->offset : NULL;

	slot = field && field_is_boxed(field) ? *(const char *const *) slot : slot;
	return slot ? *(const int64_t *) slot : (int64_t) geteuid();
}

static int print_item(struct listing *listing, const struct record_type *type, const void *item)
{
	const bool is_first = !listing->begun;

	listing->begun = true;
	if (output.format == FORMAT_JSON)
		fputs(is_first ? "{\"items\":[\n" : ",", stdout);
	if (output_is_json())
		return cli_print_json(type, item);
	if (listing->cli->arguments.quiet && show_id(stdout, type, item))
		return 0;
	begin_table(listing); // of what is called by nothing, with --quiet, too
	if (listing->table && listing->of_others)
		table_user(listing->table, owner_of(type, item));
	if (listing->table)
		show_row(listing->table, listing->list->columns, type, item);
	else if (output.format != FORMAT_CSV && listing->list->print)
		listing->list->print(listing->cli, item);
	else
		show_record(stdout, type, item);
	output.header = output.header && (listing->table || output.format != FORMAT_CSV); // one for all
	return 0;
}

static int print_page(struct listing *listing, const struct record_field *field, const char *page)
{
	size_t n = *(const size_t *) (page + field->count_offset);
	const void *const *items = *(const void *const *const *) (page + field->offset);
	int status = 0;

	if (listing->list == listing->cli->command && !listing->cli->arguments.watch)
		output_page();
	/* As the first page has it; programs that read CSV know which columns there are. */
	for (size_t i = 0; !listing->table && output.format != FORMAT_CSV && i < n; i++)
		listing->of_others |= owner_of(field->type, items[i]) != (int64_t) geteuid();
	if (!listing->cli->arguments.quiet)
		begin_table(listing);
	for (size_t i = 0; status == 0 && i < n && listing->left > 0; i++, listing->left--)
		status = print_item(listing, field->type, items[i]);
	table_print(listing->table, stdout);
	return status ? status : output_flush();
}

static int print_pages(struct listing *listing, struct ellu_stream *stream)
{
	const struct method *method = method_named(listing->list->method);
	const struct record_field *items = record_field_find(method->reply, "items");
	const struct ellu_error *error = NULL;
	const void *page;
	int r = 0, status = 0;

	while (status == 0 && listing->left > 0 && (r = ellu_stream_next(stream, &page, &error)) > 0) {
		status = print_page(listing, items, page);
		ellu_free(page);
	}
	if (r < 0)
		return cli_fail_request(listing->cli, r, error);
	if (output.format == FORMAT_JSON && status == 0)
		puts(listing->begun ? "]}" : "{\"items\":[]}");
	return status;
}

/* `request` was decoded for the list's method. */
static int list_pages(struct cli *cli, const struct command *list, const void *request, int64_t wanted)
{
	struct listing listing = { .cli = cli, .list = list, .left = wanted };
	struct ellu_stream *stream;
	enum format format;
	int r, status = cli_connect(cli);

	if (status != 0)
		return status;
	cli_tell(cli, "%s", list->method);
	r = ellu_stream_method(cli->daemon, method_named(list->method)->qualified_name, request, &stream, NULL);
	if (r < 0)
		return cli_fail(r, NULL);
	format = list->columns || cli->arguments.quiet ? output.format : begin_page(list);
	status = print_pages(&listing, stream);
	end_page(format);
	table_free(listing.table);
	ellu_stream_close(stream);
	return status;
}

static int list_by(struct cli *cli, const struct command *list, json_object *json, int64_t wanted,
		   int (*make)(struct cli *cli, const struct method *method, json_object *json,
			       struct arena *arena, void **ret_request))
{
	struct arena arena;
	void *request;
	int status;

	json_object_object_add(json, "limit",
			       json_object_new_int64(wanted < PAGE_MAX ? wanted : PAGE_MAX));
	arena_init(&arena);
	status = make(cli, method_named(list->method), json, &arena, &request);
	if (status == 0)
		status = list_pages(cli, list, request, wanted);
	arena_done(&arena);
	return status;
}

int call_list(struct cli *cli, const struct command *list, json_object *json)
{
	return list_by(cli, list, json, INTEGER_MAX, decode);
}

int call_list_asked(struct cli *cli, json_object *json)
{
	int64_t limit = cli->arguments.limit;
	int64_t wanted = limit > 0 ? limit : cli->command->listed > 0 ? cli->command->listed : INTEGER_MAX;

	if (cli->arguments.watch && output.terminal && limit < 0)
		wanted = terminal_lines(stdout) - 2; // what the screen holds below the header
	return list_by(cli, cli->command, json, wanted, call_request);
}

int command_list(struct cli *cli)
{
	return call_list_asked(cli, json_object_new_object());
}

/* ---- Content ---- */

/* The field that the content is, or "" when it is the request itself. */
static const char *content_name(const struct method *method)
{
	const struct record_field *field = method_content(method);

	return field ? field->name : "";
}

/* From the file that the last operand names, if any; of what is made it may be the name alone. 0, or the exit status. */
static int read_content(struct cli *cli, const struct method *method, struct json_file *file,
			json_object **ret_content)
{
	unsigned n = method_operand(method) ? 1 : 0;
	struct complaint complaint;
	int r;

	*file = (struct json_file){ 0 };
	*ret_content = NULL;
	if (cli->arguments.n_operands <= n) {
		*ret_content = json_object_new_object();
		return 0;
	}
	if (n == 0 && !json_file_is_meant(cli->operand)) {
		*ret_content = json_object_new_object();
		return json_object_object_add(*ret_content, "name", json_object_new_string(cli->operand)) < 0
			       ? cli_fail(-ENOMEM, NULL) : 0;
	}
	r = json_file_read(cli->arguments.operands[n], file, ret_content, &complaint);
	if (r == 0) {
		r = content_expand(*ret_content, file->path, &complaint);
		if (r < 0)
			json_object_put(*ret_content);
	}
	if (r < 0)
		return cli_fail_file(r, &complaint);
	cli->content = file;
	cli->content_field = content_name(method);
	return 0;
}

/* What a reply's record has and the content does not say. */
static int add_below(const struct method *get, const void *reply, json_object **content)
{
	const struct record_field *field = get->reply->fields;
	json_object *record = NULL;
	int r = record_encode(field->type, record_member(get->reply, reply, field->name), TO_DAEMON,
			      &record);

	if (r < 0)
		return r;
	json_object_object_foreach(*content, key, value)
	{
		if (r >= 0)
			r = json_object_object_add(record, key, json_object_get(value));
	}
	json_object_put(*content);
	*content = record;
	return r < 0 ? -ENOMEM : 0;
}

/* What an Update method changes, as it is. */
static int get_record(struct cli *cli, const struct method *get, const void **ret_reply)
{
	json_object *json = json_object_new_object();
	int status = take_operand(cli, get, json);

	if (status == 0)
		return call_json(cli, get, json, ret_reply);
	json_object_put(json);
	return status;
}

/* The whole record takes the place of what was: so what is there goes below what the content says. */
static int lay_over(struct cli *cli, const struct method *update, json_object **content)
{
	const char *resource = update->name + strlen("Update");
	const struct method *get;
	const void *reply;
	char name[128];
	int status, r;

	snprintf(name, sizeof(name), "Get%s", resource);
	get = method_named(name);
	status = get_record(cli, get, &reply);
	if (status != 0)
		return status;
	r = add_below(get, reply, content);
	ellu_free(reply);
	return r < 0 ? cli_fail(r, NULL) : 0;
}

int command_write(struct cli *cli)
{
	const struct method *method = method_named(cli->command->method);
	json_object *content, *request = NULL;
	struct json_file file;
	int status = read_content(cli, method, &file, &content);

	if (status == 0 && strncmp(method->name, "Update", strlen("Update")) == 0)
		status = lay_over(cli, method, &content);
	if (status == 0 && method_content(method)) {
		request = json_object_new_object();
		json_object_object_add(request, content_name(method), content);
	}
	if (status == 0)
		status = call_json_and_print(cli, method, request ? request : content);
	else
		json_object_put(content);
	cli->content = NULL;
	json_file_done(&file);
	return status;
}

static int get_experiment(struct cli *cli, const struct ellu_ref *ref,
			  const struct ellu_get_experiment_reply **ret_reply)
{
	struct ellu_get_experiment_request request = ELLU_RECORD(struct ellu_get_experiment_request);
	const struct ellu_error *error;
	int r;

	request.project = cli->arguments.project;
	request.experiment = ref;
	r = ellu_get_experiment(cli->daemon, &request, ret_reply, &error);
	return r < 0 ? cli_fail(r, error) : 0;
}

int call_experiment(struct cli *cli, const char *operand,
		    const struct ellu_get_experiment_reply **ret_reply)
{
	struct ellu_ref ref = ELLU_RECORD(struct ellu_ref);
	int64_t id;

	if (cli_is_id(operand, &id))
		ref.id = &id;
	else
		ref.name = operand;
	return get_experiment(cli, &ref, ret_reply);
}

int call_experiment_by_id(struct cli *cli, int64_t id, const struct ellu_get_experiment_reply **ret_reply)
{
	struct ellu_ref ref = ELLU_RECORD(struct ellu_ref);

	ref.id = &id;
	return get_experiment(cli, &ref, ret_reply);
}
