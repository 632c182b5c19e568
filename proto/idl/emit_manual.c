/*
 * The manual pages that the interface makes: one for each method and each record in C, one for all
 * methods, and one for the experiment file. They are one text, in which a line `.\" FILE NAME` begins each.
 */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "proto/experiment_file.h"
#include "proto/idl/model.h"

/* ---- Text ---- */

static void put(FILE *out, const char *text)
{
	for (const char *at = text; *at; at++) {
		if ((*at == '.' || *at == '\'') && (at == text || at[-1] == '\n'))
			fputs("\\&", out);
		if (*at == '\\')
			fputs("\\e", out);
		else if (*at == '-')
			fputs("\\-", out);
		else if (*at == '\n' && at[1] == '\n')
			fputs("\n.PP", out);
		else
			fputc(*at, out);
	}
	fputc('\n', out);
}

static void open_page(FILE *out, const char *name, const char *section, const char *title)
{
	fprintf(out, ".\\\" FILE %s.%s\n.\\\" Made from the interface.\n.TH ", name, section);
	for (const char *at = name; *at; at++)
		fputc(toupper((unsigned char) *at), out);
	fprintf(out, " %s \"\" \"elluminated\" \"%s\"\n.SH NAME\n", section,
		*section == '5' ? "elluminated" : "libelluminate");
	put(out, name);
	fputs("\\- ", out);
	put(out, title);
}

static void link_page(FILE *out, const char *name, const char *ending, const char *page)
{
	fprintf(out, ".\\\" FILE %s%s.3\n.so man3/%s.3\n", name, ending, page);
}

/* ---- Records ---- */

static void put_kind(FILE *out, const struct idl_field *field)
{
	static const char *const kinds[_IDL_KIND_MAX] = {
		[IDL_BOOL] = "true or false", [IDL_INT] = "an integer", [IDL_FLOAT] = "a number",
		[IDL_STRING] = "a text",      [IDL_TIME] = "a time",	[IDL_MONEY] = "US dollars, as a text",
		[IDL_OBJECT] = "an object",
	};

	const struct idl_type *type = field->type;
	bool holds = type && strcmp(type->record.fields[0].name, "ref") == 0; // a name or the thing

	fprintf(out, ".br\n%s%s%s.\n", field->container == IDL_ARRAY ? "a list of: " : "",
		field->container == IDL_MAP ? "texts by name" : holds ? "a name, or " : "",
		field->container == IDL_MAP ? ""
		: holds			    ? type->record.fields[1].type_name
		: type			    ? type->name
					    : kinds[field->kind]);
}

static void put_field(FILE *out, const struct idl_field *field, bool in_c)
{
	char *text = NULL;
	size_t size = 0;
	FILE *lines = open_memstream(&text, &size);

	fputs(".TP\n.B ", out);
	if (in_c)
		emit_declaration(lines, field, "");
	else
		fprintf(lines, "%s\n", field->name);
	fclose(lines);
	text[strcspn(text, "\n")] = '\0'; // without the count
	put(out, text);
	if (field->doc[0])
		put(out, field->doc);
	if (!in_c)
		put_kind(out, field);
	emit_constraints(out, field, in_c, ".br\n", ".\n");
}

static void put_record(FILE *out, const char *heading, const struct idl_record *record)
{
	if (record->n_fields == 0)
		return;
	fprintf(out, ".SH %s\n.B struct ellu_%s\n", heading, record->name);
	for (size_t i = 0; i < record->n_fields; i++)
		put_field(out, &record->fields[i], /* in_c= */ true);
}

static void put_records_used(FILE *out, const struct idl_record *record)
{
	for (size_t i = 0; i < record->n_fields; i++)
		if (record->fields[i].type)
			fprintf(out, ".BR ellu_%s (3type),\n", record->fields[i].type->record.name);
}

static void put_type(FILE *out, const struct idl_type *type)
{
	char name[256];

	snprintf(name, sizeof(name), "ellu_%s", type->record.name);
	open_page(out, name, "3type", "a record of the interface org.elluminate");
	fputs(".SH SYNOPSIS\n.B #include <elluminate.h>\n.SH DESCRIPTION\n", out);
	put(out, type->doc[0] ? type->doc : type->name);
	put_record(out, "FIELDS", &type->record);
	fputs(".SH SEE ALSO\n", out);
	put_records_used(out, &type->record);
	fputs(".BR elluminate\\-methods (3)\n", out);
}

/* ---- Methods ---- */

static void put_traits(FILE *out, const struct idl_method *method)
{
	fputs(".PP\n", out);
	put(out, strcmp(method->access, "administrator") == 0 ? "For administrators."
		 : strcmp(method->access, "own") == 0
			 ? "For who owns what it is about, and for administrators."
		 : strcmp(method->access, "self") == 0
			 ? "For who owns what it is about, and for administrators; not by a token."
			 : "For anyone.");
	if (method->safe)
		put(out, "It changes nothing, and is made again when its answer is lost.");
	else if (method->idempotent)
		put(out, "Twice is as good as once: it is made again when its answer is lost.");
	if (method->follows_task)
		put(out, "As a stream it tells of its task until that has ended.");
	else if (method->is_long)
		put(out, "It answers when what was asked for has come about.");
	if (method->since)
		fprintf(out, "Since %s.\n", method->since);
}

static void put_prototype(FILE *out, const char *snake, const char *ending, const char *arguments)
{
	fprintf(out, "\\fBint ellu_%s%s(%s);\\fP\n.br\n", snake, ending, arguments);
}

static void put_synopsis(FILE *out, const struct idl_method *method)
{
	char request[512], asynchronous[1024], reply[512];
	const char *snake = method->snake;
	bool is_list = strcmp(method->replies, "pages") == 0;

	snprintf(request, sizeof(request), "struct ellu *handle, const struct ellu_%s_request *request",
		 snake);
	snprintf(asynchronous, sizeof(asynchronous),
		 "%s, ellu_%s_fn *callback, void *userdata, struct ellu_op **ret_op", request, snake);
	snprintf(reply, sizeof(reply),
		 "const struct ellu_%s_reply **ret, const struct ellu_error **ret_error", snake);
	fputs(".SH SYNOPSIS\n.nh\n.ad l\n.B #include <elluminate.h>\n.PP\n", out);
	fprintf(out, "\\fBint ellu_%s(%s, %s);\\fP\n.br\n", snake, request, reply);
	put_prototype(out, snake, "_async", asynchronous);
	fprintf(out, "\\fBint ellu_%s_result(const struct ellu_op *op, %s);\\fP\n.br\n", snake, reply);
	fprintf(out, "\\fBint ellu_%s_set_callback(struct ellu_op *op, ellu_%s_fn *callback, "
		"void *userdata);\\fP\n.br\n", snake, snake);
	fprintf(out, "\\fBint ellu_%s_await(struct ellu *handle, ellu_start_fn *start, void *userdata, "
		"double timeout_seconds, %s);\\fP\n.br\n", snake, reply);
	if (is_list || strcmp(method->replies, "events") == 0) {
		fprintf(out, "\\fBint ellu_%s_stream(%s, struct ellu_stream **ret, "
			"const struct ellu_error **ret_error);\\fP\n.br\n", snake, request);
		fprintf(out, "\\fBint ellu_%s_next(struct ellu_stream *stream, %s);\\fP\n.br\n", snake,
			reply);
		put_prototype(out, snake, "_stream_async", asynchronous);
	}
	if (is_list)
		fprintf(out, "\\fBint ellu_%s_next_item(struct ellu_stream *stream, const struct ellu_%s **ret, "
			"const struct ellu_error **ret_error);\\fP\n", snake, list_item_type(method));
	fputs(".ad b\n.hy\n", out);
}

static void put_links(FILE *out, const struct idl_method *method, const char *page)
{
	static const char *const endings[] = { "_async", "_result", "_set_callback", "_await", "_stream",
					       "_next", "_stream_async", "_next_item" };
	size_t n = strcmp(method->replies, "pages") == 0    ? 8
		   : strcmp(method->replies, "events") == 0 ? 7
							    : 4;

	for (size_t i = 0; i < n; i++)
		link_page(out, page, endings[i], page);
}

static void put_method(FILE *out, const struct idl_interface *interface,
		       const struct idl_method *method)
{
	char name[256], title[512];

	snprintf(name, sizeof(name), "ellu_%s", method->snake);
	snprintf(title, sizeof(title), "the method %s of %s", method->name, interface->name);
	open_page(out, name, "3", title);
	put_synopsis(out, method);
	fputs(".SH DESCRIPTION\n", out);
	put(out, method->doc[0] ? method->doc : title);
	put_traits(out, method);
	put_record(out, "REQUEST", &method->request);
	put_record(out, "REPLY", &method->reply);
	fputs(".SH SEE ALSO\n", out);
	put_records_used(out, &method->request);
	put_records_used(out, &method->reply);
	fputs(".BR elluminate\\-methods (3),\n.BR libelluminate (3)\n", out);
	put_links(out, method, name);
}

static void put_overview(FILE *out, const struct idl_model *model)
{
	open_page(out, "elluminate-methods", "3", "the methods of the daemon as functions");
	fputs(".SH SYNOPSIS\n.B #include <elluminate.h>\n.SH DESCRIPTION\n", out);
	put(out, client_manual);
	fputs(".SH METHODS\n", out);
	for (size_t i = 0; i < model->n_interfaces; i++)
		for (size_t k = 0; k < model->interfaces[i].n_methods; k++) {
			const struct idl_method *method = &model->interfaces[i].methods[k];
			char *first = strndup(method->doc, strcspn(method->doc, ".\n"));

			fprintf(out, ".TP\n.BR ellu_%s (3)\n", method->snake);
			put(out, first && *first ? first : method->name);
			free(first);
		}
	fputs(".SH SEE ALSO\n.BR libelluminate (3),\n.BR elluminate\\-operations (3),\n"
	      ".BR elluminate\\-streams (3),\n.BR elluminated (8)\n", out);
}

void emit_manual(FILE *out, const struct idl_model *model)
{
	put_overview(out, model);
	for (size_t i = 0; i < model->n_interfaces; i++) {
		const struct idl_interface *interface = &model->interfaces[i];

		for (size_t k = 0; k < interface->n_types; k++)
			put_type(out, &interface->types[k]);
		for (size_t k = 0; k < interface->n_methods; k++)
			put_method(out, interface, &interface->methods[k]);
	}
}

/* ---- The experiment file ---- */

static void put_file_record(FILE *out, const struct idl_record *record)
{
	for (size_t i = 0; i < record->n_fields; i++)
		if (experiment_file_has(&record->fields[i]))
			put_field(out, &record->fields[i], /* in_c= */ false);
}

/* Each type once, those that it holds behind it. */
static void put_file_types(FILE *out, const struct idl_record *record, struct idl_words *seen)
{
	for (size_t i = 0; i < record->n_fields; i++) {
		const struct idl_type *type = record->fields[i].type;
		bool known = !type || !experiment_file_has(&record->fields[i]);

		for (size_t k = 0; !known && k < seen->n; k++)
			known = strcmp(seen->items[k], type->name) == 0;
		if (known)
			continue;
		seen->items = realloc(seen->items, (seen->n + 1) * sizeof(char *));
		if (!seen->items)
			abort();
		seen->items[seen->n++] = type->name;
		if (strcmp(type->record.fields[0].name, "ref") != 0) {
			fprintf(out, ".SH \"%s\"\n", type->name);
			put(out, type->doc);
			put_file_record(out, &type->record);
		}
		put_file_types(out, &type->record, seen);
	}
}

void emit_experiment_page(FILE *out, const struct idl_model *model)
{
	const struct idl_interface *interface = &model->interfaces[0];
	struct idl_words seen = { NULL, 0 };

	for (size_t i = 0; i < interface->n_methods; i++) {
		if (strcmp(interface->methods[i].name, EXPERIMENT_FILE_METHOD) != 0)
			continue;
		open_page(out, "elluminate-experiment", "5", "the experiment file of elluminate run");
		fputs(".SH DESCRIPTION\n", out);
		put(out, "An experiment file is JSON, with comments, or YAML. A string where a template, "
			 "collection, set of criteria or config stands is the name of one that exists; an "
			 "object says what it is. Messages may be one text, which is the user's; a text "
			 "`file:PATH` is what that file beside this one holds. `elluminate schema` prints a "
			 "JSON schema of it, for editors.");
		fputs(".SH \"THE FILE\"\n", out);
		put_file_record(out, &interface->methods[i].request);
		fputs(".TP\n.B prompt_templates\nSeveral, in place of prompt_template: an experiment for each.\n"
		      ".TP\n.B llm_configs\nSeveral, in place of llm_config: an experiment for each.\n"
		      ".TP\n.B collection.file\nA file beside this one with the rows: CSV, JSONL or JSON.\n"
		      ".TP\n.B criteria\nBeside texts: objects with a criterion, a label and a check.\n"
		      ".TP\n.B evaluators\nNames, or objects with an evaluator, which is a name, and its variables.\n"
		      ".TP\n.B tool_results\nThe column with what tools bring; a model is told of it in at most "
		      "tool_rounds rounds, 10 unless given.\n", out);
		put_file_types(out, &interface->methods[i].request, &seen);
		fputs(".SH SEE ALSO\n.BR elluminate (1)\n", out);
	}
	free(seen.items);
}
