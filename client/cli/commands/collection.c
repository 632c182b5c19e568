/* elluminate collection …: the rows of a collection, from a file and into one. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/cli/call.h"
#include "client/cli/files/rows.h"
#include "client/cli/transfer/archive.h"
#include "client/cli/transfer/rows_sync.h"
#include "client/cli/view/output.h"
#include "proto/generated/interface.h"
#include "proto/limits.h"
#include "proto/text/plural.h"

/* The collection that the operand names. 0 with the reply to free, 1 when it is not there and a name was
 * given, or minus the exit status. */
static int get_collection(struct cli *cli, const struct ellu_ref *ref,
			  const struct ellu_get_collection_reply **ret_reply)
{
	struct ellu_get_collection_request request = ELLU_RECORD(struct ellu_get_collection_request);
	const struct ellu_error *error;
	int r;

	request.project = cli->arguments.project;
	request.collection = ref;
	r = ellu_get_collection(cli->daemon, &request, ret_reply, &error);
	if (r != ELLU_E_NOT_FOUND || ref->id)
		return r < 0 ? -cli_fail(r, error) : 0;
	ellu_free(error);
	return 1;
}

static struct ellu_ref operand_ref(const struct cli *cli, int64_t *id)
{
	struct ellu_ref ref = ELLU_RECORD(struct ellu_ref);

	if (cli_is_id(cli->arguments.operands[0], id))
		ref.id = id;
	else
		ref.name = cli->arguments.operands[0];
	return ref;
}

/* ---- import ---- */

struct import {
	struct cli *cli;
	struct ellu_ref ref;
	int64_t id; // of `ref`
	struct rows *rows;
	struct ellu_column wanted[ROWS_IMPORT_COLUMNS_MAX]; // of --columns
	const struct ellu_column *columns[ROWS_IMPORT_COLUMNS_MAX];
	size_t n_columns;
	bool is_new;
};

/* NAME:TYPE,…; cuts the text. */
static int parse_columns(struct import *import, char *text)
{
	char *next = NULL;

	for (char *at = strtok_r(text, ",", &next); at; at = strtok_r(NULL, ",", &next)) {
		char *colon = strrchr(at, ':');
		struct ellu_column *column = &import->wanted[import->n_columns];

		if (!colon || colon == at || !colon[1] || import->n_columns == ROWS_IMPORT_COLUMNS_MAX) {
			cli_error("--columns %s: expected NAME:TYPE, at most %d of them, separated by commas", at,
				  ROWS_IMPORT_COLUMNS_MAX);
			return EXIT_USAGE;
		}
		*colon = '\0';
		*column = ELLU_RECORD(struct ellu_column);
		column->name = at;
		column->type = colon + 1;
		import->columns[import->n_columns++] = column;
	}
	return 0;
}

static int create_collection(struct import *import)
{
	struct ellu_create_collection_request request =
		ELLU_RECORD(struct ellu_create_collection_request);
	struct ellu_collection collection = ELLU_RECORD(struct ellu_collection);
	const struct ellu_create_collection_reply *reply;
	const struct ellu_error *error;
	int r;

	collection.name = import->ref.name;
	collection.columns = import->columns;
	collection.n_columns = import->n_columns;
	request.project = import->cli->arguments.project;
	request.collection = &collection;
	r = ellu_create_collection(import->cli->daemon, &request, &reply, &error);
	if (r < 0)
		return cli_fail(r, error);
	import->is_new = true;
	ellu_free(reply);
	return 0;
}

/* What was made for rows that are wrong goes again. */
static void delete_collection(struct import *import)
{
	struct ellu_delete_collection_request request =
		ELLU_RECORD(struct ellu_delete_collection_request);
	const struct ellu_delete_collection_reply *reply;
	const struct ellu_error *error;

	request.project = import->cli->arguments.project;
	request.collection = &import->ref;
	if (ellu_delete_collection(import->cli->daemon, &request, &reply, &error) < 0)
		ellu_free(error);
	else
		ellu_free(reply);
}

static void print_imported(const struct import *import, const struct rows_upload *upload)
{
	char added[32], dropped[32], count[32];

	if (import->cli->arguments.json) {
		printf("{\"added\":%lld,\"dropped\":%lld,\"variables_count\":%lld}\n",
		       (long long) upload->added, (long long) upload->dropped,
		       (long long) upload->variables_count);
		return;
	}
	number_text(added, upload->added);
	number_text(count, upload->variables_count);
	if (upload->dropped > 0)
		cli_note(import->cli, "Collection %s: %s row%s added, %s repeated one%s dropped; it has %s.",
			 import->cli->arguments.operands[0], added, plural_s(upload->added),
			 number_text(dropped, upload->dropped), plural_s(upload->dropped), count);
	else
		cli_note(import->cli, "Collection %s: %s row%s added; it has %s.",
			 import->cli->arguments.operands[0], added, plural_s(upload->added), count);
}

/* The rows are open, and the daemon is there. */
static int import_rows(struct import *import)
{
	struct cli *cli = import->cli;
	struct rows_upload upload = {
		.replace = options_given(&cli->arguments, "replace"),
		.deduplicate = options_given(&cli->arguments, "deduplicate"),
	};
	const struct ellu_get_collection_reply *reply = NULL;
	int status, found = get_collection(cli, &import->ref, &reply);

	if (found < 0)
		return -found;
	if (found == 0 && import->n_columns > 0) {
		cli_error("--columns: the collection %s exists, and has its own", cli->arguments.operands[0]);
		ellu_free(reply);
		return EXIT_USAGE;
	}
	if (found == 0)
		rows_set_columns(import->rows, reply->collection->columns, reply->collection->n_columns);
	else
		rows_set_columns(import->rows, import->columns, import->n_columns);
	status = found > 0 ? create_collection(import) : 0;
	if (status == 0)
		status = rows_upload(cli, &import->ref, import->rows, &upload);
	if (status != 0 && import->is_new)
		delete_collection(import);
	if (status == 0)
		print_imported(import, &upload);
	ellu_free(reply);
	return status;
}

int command_collection_import(struct cli *cli)
{
	const char *columns = cli->arguments.columns, *path = cli->arguments.operands[1];
	char *text = strdup(columns ? columns : "");
	struct import *import = calloc(1, sizeof(*import));
	struct complaint complaint;
	int r, status;

	if (!import || !text) {
		free(import);
		free(text);
		return cli_fail(-ENOMEM, NULL);
	}
	import->cli = cli;
	import->ref = operand_ref(cli, &import->id);
	status = parse_columns(import, text);
	if (status == 0 && strcmp(path, "-") == 0 && !cli->arguments.format) {
		cli_error("standard input has no name to tell by: expected --format csv, jsonl or json");
		status = EXIT_USAGE;
	}
	r = status ? 0 : rows_open(path, cli->arguments.format, /* once= */ true, &import->rows, &complaint);
	if (r < 0)
		status = cli_fail_file(r, &complaint);
	if (status == 0)
		status = cli_connect(cli);
	if (status == 0)
		status = import_rows(import);
	rows_free(import->rows);
	free(import);
	free(text);
	return status;
}

/* ---- export ---- */

struct export {
	enum format format;
	const struct ellu_collection *collection;
	bool begun;
};

/* By its option, or by the name of the file. -EINVAL: it is none. */
static int find_format(const struct arguments *arguments)
{
	static const enum format formats[] = { FORMAT_CSV, FORMAT_JSONL, FORMAT_JSON };
	const char *format = arguments->json ? "json" : arguments->format;
	int found = format || arguments->output ? rows_format_find(arguments->output, format) : -EINVAL;

	return found >= 0 ? (int) formats[found] : format ? -EINVAL : FORMAT_JSONL;
}

/* What a reader would take for something else stands between quotation marks. */
static void put_csv(const char *text, bool alone)
{
	size_t size = strlen(text);
	bool quoted = strpbrk(text, "\",\r\n;\t") || (alone && size == 0) ||
		      (size > 0 && (strchr(" \xef", text[0]) || text[size - 1] == ' '));

	if (!quoted) {
		fputs(text, stdout);
		return;
	}
	putchar('"');
	for (const char *c = text; *c; c++) {
		if (*c == '"')
			putchar('"');
		putchar(*c);
	}
	putchar('"');
}

static void put_cell(const struct ellu_column *column, json_object *row, bool alone)
{
	bool is_json = strcmp(column->type, "json") == 0 || strcmp(column->type, "conversation") == 0;
	json_object *value;

	if (!json_object_object_get_ex(row, column->name, &value) || (!value && !is_json))
		put_csv("", alone);
	else
		put_csv(is_json ? json_text(value, NULL) : json_object_get_string(value), alone);
}

static int put_csv_row(const struct export *export, const char *text)
{
	const struct ellu_collection *collection = export->collection;
	json_object *row = json_tokener_parse(text);

	if (!row)
		return cli_fail(-ENOMEM, NULL);
	for (size_t i = 0; i < collection->n_columns; i++) {
		if (i > 0)
			putchar(',');
		put_cell(collection->columns[i], row, collection->n_columns == 1);
	}
	putchar('\n');
	json_object_put(row);
	return 0;
}

static void put_header(const struct export *export)
{
	const struct ellu_collection *collection = export->collection;

	for (size_t i = 0; i < collection->n_columns; i++) {
		if (i > 0)
			putchar(',');
		put_csv(collection->columns[i]->name, /* alone= */ false);
	}
	if (collection->n_columns > 0)
		putchar('\n');
}

static int put_row(struct export *export, const char *text)
{
	if (export->format == FORMAT_CSV)
		return put_csv_row(export, text);
	if (export->format == FORMAT_JSON)
		fputs(export->begun ? ",\n" : "[\n", stdout);
	export->begun = true;
	fputs(text, stdout);
	if (export->format == FORMAT_JSONL)
		putchar('\n');
	return 0;
}

static int export_rows(struct cli *cli, const struct ellu_ref *ref, struct export *export)
{
	struct ellu_list_template_variables_request request =
		ELLU_RECORD(struct ellu_list_template_variables_request);
	const struct ellu_template_variables *item;
	const struct ellu_error *error = NULL;
	struct ellu_stream *stream;
	int r, status = 0;

	request.project = cli->arguments.project;
	request.collection = ref;
	request.limit = PAGE_MAX;
	r = ellu_list_template_variables_stream(cli->daemon, &request, &stream, NULL);
	if (r < 0)
		return cli_fail(r, NULL);
	if (export->format == FORMAT_CSV)
		put_header(export);
	while (status == 0 &&
	       (r = ellu_list_template_variables_next_item(stream, &item, &error)) > 0)
		status = put_row(export, item->input_values);
	ellu_stream_close(stream);
	if (r < 0)
		return cli_fail(r, error);
	if (status == 0 && export->format == FORMAT_JSON)
		puts(export->begun ? "\n]" : "[]");
	return status ? status : output_flush();
}

int command_collection_export(struct cli *cli)
{
	const struct ellu_get_collection_reply *reply;
	int format = find_format(&cli->arguments), found, status;
	struct export export;
	struct ellu_ref ref;
	int64_t id;

	if (format < 0) {
		cli_error("--format %s: expected csv, jsonl or json", cli->arguments.format);
		return EXIT_USAGE;
	}
	status = cli_connect(cli);
	if (status != 0)
		return status;
	ref = operand_ref(cli, &id);
	found = get_collection(cli, &ref, &reply);
	if (found > 0) {
		cli_error("no collection named '%s'", ref.name);
		return ellu_error_exit_status(ELLU_E_NOT_FOUND);
	}
	if (found < 0)
		return -found;
	export = (struct export){ .format = (enum format) format, .collection = reply->collection };
	status = archive_is(cli->arguments.output) ? archive_export_collection(cli) :
						     export_rows(cli, &ref, &export);
	ellu_free(reply);
	return status;
}

/* ---- remove-rows ---- */

int command_collection_remove_rows(struct cli *cli)
{
	const struct method *method = method_named(cli->command->method);
	json_object *json = json_object_new_object(), *ids;
	const struct ellu_delete_template_variables_reply *reply;
	const void *answer;
	char number[32];
	int status;

	if (option_value(OPTION_IDS, cli->arguments.operands[1], &ids) < 0) {
		cli_error("%s: expected %s", cli->arguments.operands[1], option_expected(OPTION_IDS));
		json_object_put(json);
		return EXIT_USAGE;
	}
	json_object_object_add(json, "collection", cli_ref(cli->arguments.operands[0]));
	json_object_object_add(json, "ids", ids);
	status = call_json(cli, method, json, &answer);
	if (status != 0)
		return status;
	reply = answer;
	if (output_is_json())
		status = cli_print_json(method->reply, reply);
	else
		cli_note(cli, "%s row%s removed.", number_text(number, reply->removed),
			 plural_s(reply->removed));
	ellu_free(reply);
	return status;
}
