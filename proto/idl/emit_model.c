/*
 * interface.json: everything that the interface files say, for generators in other languages. What
 * does not hold of a thing is left out.
 */
#include "proto/idl/model.h"

/* Commas between what follows each other: the first has none. */
static void emit_comma(FILE *out, bool *first)
{
	if (!*first)
		fputc(',', out);
	*first = false;
}

static void emit_key(FILE *out, bool *first, const char *key)
{
	emit_comma(out, first);
	fprintf(out, "\"%s\":", key);
}

static void emit_member(FILE *out, bool *first, const char *key, const char *text)
{
	if (!text || !*text)
		return;
	emit_key(out, first, key);
	emit_string(out, text);
}

static void emit_flag(FILE *out, bool *first, const char *key, bool flag)
{
	if (!flag)
		return;
	emit_key(out, first, key);
	fputs("true", out);
}

static void emit_words(FILE *out, bool *first, const char *key, const struct idl_words *words)
{
	bool first_word = true;

	if (words->n == 0)
		return;
	emit_key(out, first, key);
	fputc('[', out);
	for (size_t i = 0; i < words->n; i++) {
		emit_comma(out, &first_word);
		emit_string(out, words->items[i]);
	}
	fputc(']', out);
}

static void emit_field(FILE *out, const struct idl_field *field)
{
	static const char *const kinds[_IDL_KIND_MAX] = {
		[IDL_BOOL] = "bool",	 [IDL_INT] = "int",   [IDL_FLOAT] = "float",
		[IDL_STRING] = "string", [IDL_TIME] = "time", [IDL_MONEY] = "money",
		[IDL_OBJECT] = "object", [IDL_STRUCT] = NULL,
	};
	static const char *const containers[] = {
		[IDL_SINGLE] = NULL, [IDL_ARRAY] = "array", [IDL_MAP] = "map",
	};
	bool first = true;

	fputc('{', out);
	emit_member(out, &first, "name", field->name);
	emit_member(out, &first, "doc", field->doc);
	emit_member(out, &first, "type", kinds[field->kind] ? kinds[field->kind] : field->type_name);
	emit_member(out, &first, "container", containers[field->container]);
	emit_flag(out, &first, "nullable", field->nullable);
	emit_flag(out, &first, "read_only", field->read_only);
	emit_flag(out, &first, "write_only", field->write_only);
	emit_flag(out, &first, "is_name", field->name_rule);
	emit_words(out, &first, "one_of", &field->one_of);
	emit_member(out, &first, "enum", field->enumeration);
	emit_member(out, &first, "since", field->since);
	emit_member(out, &first, "default", field->default_text);
	if (field->has_range) {
		emit_key(out, &first, "range");
		fprintf(out, "[%.17g,%.17g]", field->low, field->high);
	}
	if (field->has_length) {
		emit_key(out, &first, "length");
		fprintf(out, "[%ld,%ld]", field->length_low, field->length_high);
	}
	fputc('}', out);
}

static void emit_record(FILE *out, bool *first, const char *key, const struct idl_record *record)
{
	bool first_field = true;

	emit_key(out, first, key);
	fputc('[', out);
	for (size_t i = 0; i < record->n_fields; i++) {
		emit_comma(out, &first_field);
		emit_field(out, &record->fields[i]);
	}
	fputc(']', out);
}

static void emit_enumerations_of(FILE *out, bool *first, const struct idl_interface *interface)
{
	bool first_enumeration = true;

	emit_key(out, first, "enums");
	fputc('{', out);
	for (size_t i = 0; i < interface->n_enumerations; i++)
		emit_words(out, &first_enumeration, interface->enumerations[i].name,
			   &interface->enumerations[i].values);
	fputc('}', out);
	emit_key(out, first, "ephemeral");
	fputc('{', out);
	first_enumeration = true;
	for (size_t i = 0; i < interface->n_enumerations; i++)
		emit_words(out, &first_enumeration, interface->enumerations[i].name,
			   &interface->enumerations[i].ephemeral);
	fputc('}', out);
}

/* The values that are an end, each with the exit status of the command that it ends. */
static void emit_exits_of(FILE *out, bool *first, const struct idl_interface *interface)
{
	bool first_exit = true;

	emit_key(out, first, "exit_statuses");
	fputc('{', out);
	for (size_t i = 0; i < interface->n_enumerations; i++)
		for (size_t k = 0; k < interface->enumerations[i].values.n; k++)
			if (interface->enumerations[i].exits[k] >= 0) {
				emit_key(out, &first_exit, interface->enumerations[i].values.items[k]);
				fprintf(out, "%d", interface->enumerations[i].exits[k]);
			}
	fputc('}', out);
}

static void emit_choices(FILE *out, bool *first, const struct idl_choices *choices)
{
	emit_words(out, first, "exactly_one_of", &choices->exactly_one);
	emit_words(out, first, "at_most_one_of", &choices->at_most_one);
	emit_words(out, first, "at_least_one_of", &choices->at_least_one);
}

static void emit_types_of(FILE *out, const struct idl_interface *interface)
{
	bool first_type = true;

	for (size_t i = 0; i < interface->n_types; i++) {
		const struct idl_type *type = &interface->types[i];
		bool first = true;

		emit_comma(out, &first_type);
		fputs("\n{", out);
		emit_member(out, &first, "name", type->name);
		emit_member(out, &first, "doc", type->doc);
		emit_member(out, &first, "since", type->since);
		emit_choices(out, &first, &type->record.choices);
		emit_record(out, &first, "fields", &type->record);
		fputc('}', out);
	}
}

static void emit_methods_of(FILE *out, const struct idl_interface *interface)
{
	bool first_method = true;

	for (size_t i = 0; i < interface->n_methods; i++) {
		const struct idl_method *method = &interface->methods[i];
		bool first = true;

		emit_comma(out, &first_method);
		fputs("\n{", out);
		emit_member(out, &first, "name", method->name);
		emit_member(out, &first, "snake", method->snake);
		emit_member(out, &first, "doc", method->doc);
		emit_member(out, &first, "access", method->access);
		emit_member(out, &first, "replies", method->replies);
		emit_member(out, &first, "verb", method->verb);
		emit_member(out, &first, "path", method->path);
		emit_flag(out, &first, "safe", method->safe);
		emit_flag(out, &first, "idempotent", method->idempotent);
		emit_flag(out, &first, "long", method->is_long);
		emit_flag(out, &first, "follows_task", method->follows_task);
		emit_member(out, &first, "since", method->since);
		emit_choices(out, &first, &method->request.choices);
		emit_record(out, &first, "request", &method->request);
		emit_record(out, &first, "reply", &method->reply);
		fputc('}', out);
	}
}

static void emit_errors_of(FILE *out, const struct idl_interface *interface)
{
	bool first_error = true;

	for (size_t i = 0; i < interface->n_errors; i++) {
		const struct idl_error *error = &interface->errors[i];
		bool first = true;

		emit_comma(out, &first_error);
		fputs("\n{", out);
		emit_member(out, &first, "name", error->name);
		emit_member(out, &first, "doc", error->doc);
		emit_member(out, &first, "since", error->since);
		emit_key(out, &first, "number");
		fprintf(out, "%d", error->number);
		emit_key(out, &first, "http");
		fprintf(out, "%d", error->http);
		emit_record(out, &first, "fields", &error->record);
		fputc('}', out);
	}
}

void emit_model(FILE *out, const struct idl_model *model)
{
	bool first_interface = true;

	fputs("{\"interfaces\":[", out);
	for (size_t i = 0; i < model->n_interfaces; i++) {
		const struct idl_interface *interface = &model->interfaces[i];
		bool first = true;

		emit_comma(out, &first_interface);
		fputs("\n{", out);
		emit_member(out, &first, "name", interface->name);
		emit_enumerations_of(out, &first, interface);
		emit_exits_of(out, &first, interface);
		emit_key(out, &first, "types");
		fputc('[', out);
		emit_types_of(out, interface);
		fputs("],\n\"methods\":[", out);
		emit_methods_of(out, interface);
		fputs("],\n\"errors\":[", out);
		emit_errors_of(out, interface);
		fputs("]}", out);
	}
	fputs("]}\n", out);
}
