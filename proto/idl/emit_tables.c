/*
 * interface.h and interface.c: the records, methods and errors as tables for proto/record/record.h and
 * proto/wire/method.h, and the text of each interface.
 */
#include <stdlib.h>
#include <string.h>

#include "proto/idl/model.h"

static const char file_start[] = "/* Tables of the interfaces. Generated from the interface files. */\n";

static void emit_method_enum(FILE *out, const struct idl_interface *interface, bool main)
{
	const char *prefix = main ? "" : interface->upper;
	const char *sign = main ? "" : "_";

	fprintf(out, "\n/* Methods of %s. */\nenum %s%smethod_id {\n", interface->name,
		main ? "" : interface->snake, sign);
	for (size_t i = 0; i < interface->n_methods; i++)
		fprintf(out, "\t%s%sMETHOD_%s,\n", prefix, sign, interface->methods[i].upper);
	fprintf(out, "\t_%s%sMETHOD_MAX,\n\t_%s%sMETHOD_INVALID = -EINVAL,\n};\n", prefix, sign,
		prefix, sign);
}

static bool has_word(const struct idl_words *words, const char *word)
{
	for (size_t i = 0; i < words->n; i++)
		if (strcmp(words->items[i], word) == 0)
			return true;
	return false;
}

static void emit_enumeration(FILE *out, const struct idl_enumeration *enumeration)
{
	fprintf(out, "\n/* %s: X(ID, value, exit status or -1, whether it is ephemeral) */\n#define EACH_%s(X)",
		enumeration->name, enumeration->upper);
	for (size_t i = 0; i < enumeration->values.n; i++)
		fprintf(out, " \\\n\tX(%s, %s, %d, %s)", name_convert(enumeration->values.items[i], true),
			enumeration->values.items[i], enumeration->exits[i],
			has_word(&enumeration->ephemeral, enumeration->values.items[i]) ? "true" : "false");
	fputc('\n', out);
}

void emit_interface_header(FILE *out, const struct idl_model *model)
{
	fputs(file_start, out);
	fputs("#pragma once\n\n#include <errno.h>\n\n#include \"elluminate-types.h\"\n"
	      "#include \"proto/wire/method.h\"\n#include \"proto/record/record.h\"\n",
	      out);
	for (size_t i = 0; i < model->n_interfaces; i++) {
		const struct idl_interface *interface = &model->interfaces[i];

		emit_method_enum(out, interface, i == 0);
		for (size_t k = 0; k < interface->n_enumerations; k++)
			emit_enumeration(out, &interface->enumerations[k]);
		fputc('\n', out);
		for (size_t k = 0; k < interface->n_types; k++)
			fprintf(out, "extern const struct record_type ellu_%s_type;\n",
				interface->types[k].record.name);
		for (size_t k = 0; k < interface->n_methods; k++)
			fprintf(out,
				"extern const struct record_type ellu_%s_request_type;\n"
				"extern const struct record_type ellu_%s_reply_type;\n",
				interface->methods[k].snake, interface->methods[k].snake);
		fprintf(out, "\nextern const struct interface_info %s_interface;\n",
			interface->snake);
	}
}

/* ---- Records ---- */

static void emit_words(FILE *out, const char *member, const struct idl_words *words)
{
	if (words->n == 0)
		return;
	fprintf(out, "%s = (const char *const[]) {", member);
	for (size_t i = 0; i < words->n; i++) {
		fputc(' ', out);
		emit_string(out, words->items[i]);
		fputc(',', out);
	}
	fputs(" NULL },\n", out);
}

static void emit_flags(FILE *out, const struct idl_field *field)
{
	const struct {
		bool set;
		const char *name;
	} flags[] = {
		{ field->nullable, "FIELD_NULLABLE" },	     { field->name_rule, "FIELD_NAME" },
		{ field->read_only, "FIELD_READ_ONLY" },     { field->write_only, "FIELD_WRITE_ONLY" },
		{ field->has_range, "FIELD_RANGE" },	     { field->has_length, "FIELD_LENGTH" },
		{ field->default_text != NULL, "FIELD_DEFAULT" }, { field->plain, "FIELD_PLAIN" },
		{ field->unversioned, "FIELD_UNVERSIONED" },
	};
	const char *separator = "\t\t.flags = ";

	for (size_t i = 0; i < sizeof(flags) / sizeof(flags[0]); i++)
		if (flags[i].set) {
			fprintf(out, "%s%s", separator, flags[i].name);
			separator = " | ";
		}
	if (*separator == ' ')
		fputs(",\n", out);
}

static void emit_default(FILE *out, const struct idl_field *field)
{
	if (!field->default_text)
		return;
	fputs("\t\t.fallback = ", out);
	switch (field->kind) {
	case IDL_BOOL:
		fprintf(out, "{ .boolean = %d },\n", strcmp(field->default_text, "true") == 0);
		break;
	case IDL_INT:
		fprintf(out, "{ .integer = INT64_C(%s) },\n", field->default_text);
		break;
	case IDL_FLOAT:
		fprintf(out, "{ .number = %s },\n", field->default_text);
		break;
	default:
		fputs("{ .string = ", out);
		emit_string(out, field->default_text);
		fputs(" },\n", out);
	}
}

static void emit_field(FILE *out, const char *record, const struct idl_field *field)
{
	static const char *const kinds[_IDL_KIND_MAX] = {
		[IDL_BOOL] = "BOOL",	 [IDL_INT] = "INT",   [IDL_FLOAT] = "FLOAT",
		[IDL_STRING] = "STRING", [IDL_TIME] = "TIME", [IDL_MONEY] = "MONEY",
		[IDL_OBJECT] = "OBJECT", [IDL_STRUCT] = "STRUCT",
	};
	static const char *const containers[] = { "SINGLE", "ARRAY", "MAP" };

	fprintf(out,
		"\t{\n\t\t.name = \"%s\",\n\t\t.kind = FIELD_%s,\n\t\t.container = FIELD_%s,\n"
		"\t\t.offset = offsetof(struct ellu_%s, %s),\n",
		field->name, kinds[field->kind], containers[field->container], record,
		field->name);
	if (field->container != IDL_SINGLE)
		fprintf(out, "\t\t.count_offset = offsetof(struct ellu_%s, n_%s),\n", record,
			field->name);
	emit_flags(out, field);
	if (field->type)
		fprintf(out, "\t\t.type = &ellu_%s_type,\n", field->type->record.name);
	emit_words(out, "\t\t.one_of", &field->one_of);
	if (field->has_range)
		fprintf(out, "\t\t.low = %.17g,\n\t\t.high = %.17g,\n", field->low, field->high);
	if (field->has_length)
		fprintf(out, "\t\t.length_low = %ld,\n\t\t.length_high = %ld,\n",
			field->length_low, field->length_high);
	emit_default(out, field);
	fputs("\t},\n", out);
}

static void emit_record(FILE *out, const struct idl_record *record)
{
	fprintf(out,
		"\nconst struct record_type ellu_%s_type = {\n\t.name = \"%s\",\n"
		"\t.size = sizeof(struct ellu_%s),\n\t.n_fields = %zu,\n",
		record->name, record->name, record->name, record->n_fields);
	emit_words(out, "\t.exactly_one", &record->choices.exactly_one);
	emit_words(out, "\t.at_most_one", &record->choices.at_most_one);
	emit_words(out, "\t.at_least_one", &record->choices.at_least_one);
	if (record->n_fields > 0) {
		fputs("\t.fields = (const struct record_field[]) {\n", out);
		for (size_t i = 0; i < record->n_fields; i++)
			emit_field(out, record->name, &record->fields[i]);
		fputs("\t},\n", out);
	}
	fputs("};\n", out);
}

static void emit_records(FILE *out, const struct idl_interface *interface)
{
	for (size_t i = 0; i < interface->n_types; i++)
		emit_record(out, &interface->types[i].record);
	for (size_t i = 0; i < interface->n_methods; i++) {
		emit_record(out, &interface->methods[i].request);
		emit_record(out, &interface->methods[i].reply);
	}
}

/* ---- Methods, errors, texts ---- */

static void emit_upper(FILE *out, const char *text)
{
	for (; *text; text++)
		fputc(*text >= 'a' && *text <= 'z' ? *text - 'a' + 'A' : *text, out);
}

static void emit_place(FILE *out, const struct idl_method *method, const char *field,
		       const char *member)
{
	for (size_t i = 0; i < method->request.n_fields; i++)
		if (strcmp(method->request.fields[i].name, field) == 0 &&
		    method->request.fields[i].kind != IDL_STRUCT)
			fprintf(out, "\t\t.%s = offsetof(struct ellu_%s_request, %s),\n", member,
				method->snake, field);
}

static void emit_methods(FILE *out, const struct idl_interface *interface)
{
	fprintf(out, "\nstatic const struct method %s_methods[] = {\n", interface->snake);
	for (size_t i = 0; i < interface->n_methods; i++) {
		const struct idl_method *method = &interface->methods[i];

		fprintf(out,
			"\t{\n\t\t.name = \"%s\",\n\t\t.qualified_name = \"%s.%s\",\n\t\t.doc = ",
			method->name, interface->name, method->name);
		emit_string(out, method->doc);
		fprintf(out,
			",\n\t\t.id = %zu,\n\t\t.interface = &%s_interface,\n"
			"\t\t.request = &ellu_%s_request_type,\n"
			"\t\t.reply = &ellu_%s_reply_type,\n\t\t.access = METHOD_ACCESS_",
			i, interface->snake, method->snake, method->snake);
		emit_upper(out, method->access);
		fputs(",\n\t\t.replies = METHOD_REPLIES_", out);
		emit_upper(out, method->replies);
		fputs(",\n", out);
		if (method->path)
			fprintf(out, "\t\t.verb = \"%s\",\n\t\t.path = \"%s\",\n", method->verb,
				method->path);
		if (method->safe)
			fputs("\t\t.safe = true,\n", out);
		if (method->safe || method->idempotent)
			fputs("\t\t.repeatable = true,\n", out);
		if (method->is_long)
			fputs("\t\t.is_long = true,\n", out);
		if (method->follows_task)
			fputs("\t\t.follows_task = true,\n", out);
		emit_place(out, method, "project", "project");
		emit_place(out, method, "detach", "detach");
		if (strcmp(method->replies, "pages") == 0)
			emit_place(out, method, "cursor", "page");
		fputs("\t},\n", out);
	}
	fputs("};\n", out);
}

static void emit_error_parameters(FILE *out, const struct idl_record *record)
{
	if (record->n_fields == 0)
		return;
	fprintf(out, "\t\t.n_parameters = %zu,\n\t\t.parameters = (const struct error_parameter[]) {\n",
		record->n_fields);
	for (size_t i = 0; i < record->n_fields; i++) {
		const struct idl_field *field = &record->fields[i];

		fprintf(out, "\t\t\t{ .name = \"%s\", .kind = FIELD_%s, .nullable = %s },\n",
			field->name,
			field->kind == IDL_INT	   ? "INT"
			: field->kind == IDL_FLOAT ? "FLOAT"
						   : "STRING",
			field->nullable ? "true" : "false");
	}
	fputs("\t\t},\n", out);
}

static void emit_errors(FILE *out, const struct idl_interface *interface)
{
	for (size_t i = 0; i < interface->n_errors; i++) {
		const struct idl_error *error = &interface->errors[i];

		fprintf(out,
			"\t{\n\t\t.name = \"%s\",\n\t\t.qualified_name = \"%s.%s\",\n"
			"\t\t.dbus_name = \"org.elluminate.Error.%s\",\n\t\t.text = ",
			error->name, interface->name, error->name, error->name);
		emit_string(out, error->doc);
		fprintf(out, ",\n\t\t.code = -%d,\n\t\t.exit_status = %d,\n\t\t.http_status = %d,\n",
			1000 + error->number, error->number, error->http);
		emit_error_parameters(out, &error->record);
		fputs("\t},\n", out);
	}
}

static void emit_all_errors(FILE *out, const struct idl_model *model)
{
	size_t n = 0;

	fputs("\nconst struct error_info error_infos[] = {\n", out);
	for (size_t i = 0; i < model->n_interfaces; i++) {
		emit_errors(out, &model->interfaces[i]);
		n += model->interfaces[i].n_errors;
	}
	fprintf(out, "};\nconst size_t n_error_infos = %zu;\n", n);
}

static void emit_interface(FILE *out, const struct idl_interface *interface)
{
	fprintf(out,
		"\nconst struct interface_info %s_interface = {\n\t.name = \"%s\",\n"
		"\t.methods = %s_methods,\n\t.n_methods = %zu,\n"
		"\t.text =\n",
		interface->snake, interface->name, interface->snake, interface->n_methods);
	for (const char *line = interface->text; *line;) {
		size_t length = strcspn(line, "\n");
		char *copy = strndup(line, length + (line[length] == '\n'));

		if (!copy)
			abort();
		fputs("\t\t", out);
		emit_string(out, copy);
		fputc('\n', out);
		line += strlen(copy);
		free(copy);
	}
	fputs("\t\t\"\",\n};\n", out);
}

static int compare_names(const void *a, const void *b)
{
	return strcmp(*(const char *const *) a, *(const char *const *) b);
}

/* Pointers to all methods in the order of their qualified names. */
static void emit_index(FILE *out, const struct idl_model *model)
{
	char *entries[1024];
	size_t n = 0;

	for (size_t i = 0; i < model->n_interfaces; i++)
		for (size_t k = 0; k < model->interfaces[i].n_methods; k++) {
			const struct idl_interface *interface = &model->interfaces[i];

			if (n == sizeof(entries) / sizeof(entries[0]) ||
			    asprintf(&entries[n++], "%s.%s &%s_methods[%zu]", interface->name,
				     interface->methods[k].name, interface->snake, k) < 0)
				abort();
		}
	qsort(entries, n, sizeof(entries[0]), compare_names);
	fputs("\nconst struct method *const methods_by_name[] = {\n", out);
	for (size_t i = 0; i < n; i++) {
		fprintf(out, "\t%s,\n", strchr(entries[i], ' ') + 1);
		free(entries[i]);
	}
	fprintf(out, "};\nconst size_t n_methods_by_name = %zu;\n", n);
	fputs("\nconst struct interface_info *const interfaces[] = {\n", out);
	for (size_t i = 0; i < model->n_interfaces; i++)
		fprintf(out, "\t&%s_interface,\n", model->interfaces[i].snake);
	fprintf(out, "};\nconst size_t n_interfaces = %zu;\n", model->n_interfaces);
}

static void add_secrets(struct idl_words *secrets, const struct idl_record *record)
{
	for (size_t i = 0; i < record->n_fields; i++)
		if (record->fields[i].write_only && !has_word(secrets, record->fields[i].name)) {
			secrets->items = realloc(secrets->items, (secrets->n + 1) * sizeof(char *));
			if (!secrets->items)
				abort();
			secrets->items[secrets->n++] = record->fields[i].name;
		}
}

static void emit_secrets(FILE *out, const struct idl_model *model)
{
	struct idl_words secrets = { NULL, 0 };

	for (size_t i = 0; i < model->n_interfaces; i++) {
		for (size_t k = 0; k < model->interfaces[i].n_types; k++)
			add_secrets(&secrets, &model->interfaces[i].types[k].record);
		for (size_t k = 0; k < model->interfaces[i].n_methods; k++)
			add_secrets(&secrets, &model->interfaces[i].methods[k].request);
	}
	fputs("\nconst char *const interface_secrets[] = {\n", out);
	for (size_t i = 0; i < secrets.n; i++)
		fprintf(out, "\t\"%s\",\n", secrets.items[i]);
	fputs("\tNULL,\n};\n", out);
	free(secrets.items);
}

void emit_interface_source(FILE *out, const struct idl_model *model)
{
	fputs(file_start, out);
	fputs("#include \"proto/generated/interface.h\"\n\n#include <stddef.h>\n", out);
	for (size_t i = 0; i < model->n_interfaces; i++) {
		emit_records(out, &model->interfaces[i]);
		emit_methods(out, &model->interfaces[i]);
		emit_interface(out, &model->interfaces[i]);
	}
	emit_all_errors(out, model);
	emit_index(out, model);
	emit_secrets(out, model);
}
