/*
 * elluminate-types.h: the records as C sees them, in the public interface of the library. It
 * must stay valid C89 but for <stdint.h> and comments, and valid C++.
 */
#include <string.h>

#include "proto/idl/model.h"

static const char prologue[] =
	"/*\n"
	" * The records of the interface org.elluminate. Generated from its definition.\n"
	" *\n"
	" * Every record starts with its size, set by ELLU_RECORD():\n"
	" *\n"
	" *\tstruct ellu_get_task_request request = ELLU_RECORD(struct ellu_get_task_request);\n"
	" *\n"
	" * Fields are only ever appended. A pointer that is NULL means that the value is absent, and so does 0\n"
	" * where its comment says what that means; an\n"	" * array that is present but empty is not NULL and has the length 0. Times are microseconds\n"
	" * since the epoch in UTC, money is billionths of a US dollar, strings are UTF-8, and an\n"
	" * `object` is the text of a JSON object. What ends in _seconds is seconds, in _bytes bytes.\n"
	" *\n"
	" * `call_timeout_seconds` in a request is for how long that call may take; 0: as\n"
	" * ellu_set_timeout() says. A record of a library that is older than the program may lack what is\n"
	" * last in it: ELLU_HAS(record, field) tells.\n"
	" */\n"
	"#ifndef ELLUMINATE_TYPES_H\n"
	"#define ELLUMINATE_TYPES_H\n"
	"\n"
	"#include <stddef.h>\n"
	"#include <stdint.h>\n"
	"\n"
	"#ifdef __cplusplus\n"
	"template <typename Record> inline Record ellu_record_of_size()\n"
	"{\n"
	"\tRecord record = Record();\n"
	"\n"
	"\trecord.struct_size = sizeof(record);\n"
	"\treturn record;\n"
	"}\n"
	"#define ELLU_RECORD(type) ellu_record_of_size<type>()\n"
	"extern \"C\" {\n"
	"#else\n"
	"#define ELLU_RECORD(type) ((type) { .struct_size = sizeof(type) })\n"
	"\n"
	"/*\n"
	" * What a request holds, written where it stands (C99 and later). All of these are pointers to what\n"
	" * lasts as long as the block that they are in:\n"
	" *\n"
	" *\tELLU_NEW(llm_config, .name = \"local\", .provider = \"openai\", .max_tokens = ELLU_INT(100))\n"
	" *\n"
	" * ELLU_TEXTS and ELLU_RECORDS stand among the members there, for an array and its length:\n"
	" *\n"
	" *\tELLU_TEXTS(criteria, \"Is it polite?\", \"Is it short?\")\n"
	" *\tELLU_RECORDS(messages, message, ELLU_NEW(message, .role = \"user\", .content = \"Hello\"))\n"
	" */\n"
	"#define ELLU_NEW(type, ...) \\\n"
	"\t(&(const struct ellu_##type) { .struct_size = sizeof(struct ellu_##type), __VA_ARGS__ })\n"
	"/* Of a record that holds either a `ref` or the `content`, with the latter. */\n"
	"#define ELLU_CONTENT(type, ...) ELLU_NEW(type##_in, .content = ELLU_NEW(type, __VA_ARGS__))\n"
	"#define ELLU_INT(value) (&(const int64_t) { value })\n"
	"#define ELLU_FLOAT(value) (&(const double) { value })\n"
	"#define ELLU_TRUE (&(const int) { 1 })\n"
	"#define ELLU_FALSE (&(const int) { 0 })\n"
	"#define ELLU_TEXTS(field, ...) \\\n"
	"\t.field = (const char *const[]) { __VA_ARGS__ }, \\\n"
	"\t.n_##field = sizeof((const char *const[]) { __VA_ARGS__ }) / sizeof(const char *)\n"
	"#define ELLU_RECORDS(field, type, ...) \\\n"
	"\t.field = (const struct ellu_##type *const[]) { __VA_ARGS__ }, \\\n"
	"\t.n_##field = sizeof((const struct ellu_##type *const[]) { __VA_ARGS__ }) / \\\n"
	"\t\t     sizeof(const struct ellu_##type *)\n"
	"#endif\n"
	"\n"
	"/* Whether a record that the library returned, and that is not NULL, is new enough to have it. */\n"
	"#define ELLU_HAS(record, field) \\\n"
	"\t((size_t) ((const char *) (&(record)->field + 1) - (const char *) (record)) <= \\\n"
	"\t (record)->struct_size)\n"
	"\n"
	"/* One member of a map of strings. */\n"
	"struct ellu_entry {\n"
	"\tconst char *key;\n"
	"\tconst char *value;\n"
	"};\n";

void emit_declaration(FILE *out, const struct idl_field *field, const char *indent)
{
	static const char *const scalars[_IDL_KIND_MAX] = {
		[IDL_BOOL] = "int",	    [IDL_INT] = "int64_t",  [IDL_FLOAT] = "double",
		[IDL_STRING] = "char",	    [IDL_TIME] = "int64_t", [IDL_MONEY] = "int64_t",
		[IDL_OBJECT] = "char",	    [IDL_STRUCT] = NULL,
	};
	bool text = field->kind == IDL_STRING || field->kind == IDL_OBJECT;
	const char *name = field->name;

	if (field->container == IDL_MAP)
		fprintf(out, "%sconst struct ellu_entry *%s;\n", indent, name);
	else if (field->container == IDL_ARRAY && field->kind == IDL_STRUCT)
		fprintf(out, "%sconst struct ellu_%s *const *%s;\n", indent, field->type->record.name, name);
	else if (field->container == IDL_ARRAY && text)
		fprintf(out, "%sconst char *const *%s;\n", indent, name);
	else if (field->kind == IDL_STRUCT)
		fprintf(out, "%sconst struct ellu_%s *%s;\n", indent, field->type->record.name, name);
	else if (field->container == IDL_ARRAY || (field->nullable && !field->plain) || text)
		fprintf(out, "%sconst %s *%s;\n", indent, scalars[field->kind], name);
	else
		fprintf(out, "%s%s %s;\n", indent, scalars[field->kind], name);
	if (field->container != IDL_SINGLE)
		fprintf(out, "%ssize_t n_%s;\n", indent, name);
}

void emit_constraints(FILE *out, const struct idl_field *field, bool in_c, const char *before,
		      const char *after)
{
	static const char *const units[_IDL_KIND_MAX] = {
		[IDL_TIME] = "microseconds since the epoch",
		[IDL_MONEY] = "billionths of a US dollar",
		[IDL_OBJECT] = "JSON text",
	};
	const char *separator = before;

#define ITEM(...) (fputs(separator, out), fprintf(out, __VA_ARGS__), separator = "; ")
	if (!in_c && field->default_text)
		ITEM("%s unless given", field->default_text);
	if (in_c && field->plain)
		ITEM("0 means %s", field->kind == IDL_BOOL ? "no" : field->default_text);
	else if (in_c && field->nullable && field->container == IDL_SINGLE && field->default_text)
		ITEM("NULL means %s", field->default_text);
	else if (in_c && field->nullable)
		ITEM("or NULL");
	if (in_c && units[field->kind])
		ITEM("%s", units[field->kind]);
	if (field->has_range)
		ITEM("%.16g to %.16g", field->low, field->high);
	if (field->has_length && field->container == IDL_SINGLE)
		ITEM("%ld to %ld characters", field->length_low, field->length_high);
	else if (field->has_length)
		ITEM("%ld to %ld items", field->length_low, field->length_high);
	if (field->name_rule)
		ITEM("1 to 200 characters");
	if (in_c && field->enumeration)
		ITEM("one of ELLU_%s_*", field->enumeration);
	for (size_t i = 0; i < field->one_of.n && !(in_c && field->enumeration); i++)
		if (i == 0)
			ITEM("\"%s\"", field->one_of.items[i]);
		else
			fprintf(out, ", \"%s\"", field->one_of.items[i]);
	if (field->read_only)
		ITEM("only in answers");
	if (field->write_only)
		ITEM("never in answers");
	if (field->since)
		ITEM("since %s", field->since);
#undef ITEM
	if (separator != before)
		fputs(after, out);
}

static void emit_choice(FILE *out, const char *how_many, const struct idl_words *fields)
{
	if (fields->n == 0)
		return;
	fprintf(out, "\t/* %s one of ", how_many);
	for (size_t i = 0; i < fields->n; i++)
		fprintf(out, "%s%s", i == 0 ? "" : i + 1 < fields->n ? ", " : " and ", fields->items[i]);
	fputs(" is given. */\n", out);
}

static void emit_record(FILE *out, const char *doc, const struct idl_record *record, bool is_request)
{
	fputc('\n', out);
	emit_doc(out, "", doc);
	fprintf(out, "struct ellu_%s {\n\tsize_t struct_size;\n", record->name);
	if (is_request)
		fputs("\tdouble call_timeout_seconds;\n", out);
	emit_choice(out, "Exactly", &record->choices.exactly_one);
	emit_choice(out, "At most", &record->choices.at_most_one);
	emit_choice(out, "At least", &record->choices.at_least_one);
	for (size_t i = 0; i < record->n_fields; i++) {
		emit_doc(out, "\t", record->fields[i].doc);
		emit_constraints(out, &record->fields[i], /* in_c= */ true, "\t/* ", " */\n");
		emit_declaration(out, &record->fields[i], "\t");
	}
	fputs("};\n", out);
}

static void emit_errors(FILE *out, const struct idl_interface *interface)
{
	fprintf(out, "\n/* Errors of %s. */\n", interface->name);
	for (size_t i = 0; i < interface->n_errors; i++) {
		const struct idl_error *error = &interface->errors[i];

		fputc('\n', out);
		emit_doc(out, "", error->doc);
		fprintf(out, "#define ELLU_E_%s (-%d)\n", error->upper, 1000 + error->number);
	}
}

static void emit_enumeration(FILE *out, const struct idl_enumeration *enumeration)
{
	fprintf(out, "\n/* %s */\n", enumeration->name);
	for (size_t i = 0; i < enumeration->values.n; i++)
		fprintf(out, "#define ELLU_%s_%s \"%s\"\n", enumeration->upper,
			name_convert(enumeration->values.items[i], true),
			enumeration->values.items[i]);
}

void emit_types(FILE *out, const struct idl_model *model)
{
	fputs(prologue, out);
	for (size_t i = 0; i < model->n_interfaces; i++)
		for (size_t k = 0; k < model->interfaces[i].n_enumerations; k++)
			emit_enumeration(out, &model->interfaces[i].enumerations[k]);
	for (size_t i = 0; i < model->n_interfaces; i++)
		emit_errors(out, &model->interfaces[i]);
	fputc('\n', out);
	for (size_t i = 0; i < model->n_interfaces; i++)
		for (size_t k = 0; k < model->interfaces[i].n_types; k++)
			fprintf(out, "struct ellu_%s;\n", model->interfaces[i].types[k].record.name);
	for (size_t i = 0; i < model->n_interfaces; i++) {
		const struct idl_interface *interface = &model->interfaces[i];

		for (size_t k = 0; k < interface->n_types; k++)
			emit_record(out, interface->types[k].doc, &interface->types[k].record, false);
		for (size_t k = 0; k < interface->n_methods; k++) {
			emit_record(out, interface->methods[k].doc, &interface->methods[k].request, true);
			emit_record(out, "", &interface->methods[k].reply, false);
		}
	}
	emit_header_end(out);
}
