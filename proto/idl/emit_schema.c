/*
 * The experiment file as a JSON schema, for editors: the request of RunExperiment as people write it. A
 * string stands for what has that name, an object for the thing itself; messages may be a text, criteria
 * have a short form, and rows may come from a file.
 */
#include <stdlib.h>
#include <string.h>

#include "proto/experiment_file.h"
#include "proto/idl/model.h"

#define REF(name) "{\"$ref\":\"#/$defs/" name "\"}"

bool experiment_file_has(const struct idl_field *field)
{
	static const char *const reserved[] = { EXPERIMENT_FILE_RESERVED };

	for (size_t i = 0; i < sizeof(reserved) / sizeof(reserved[0]); i++)
		if (strcmp(reserved[i], field->name) == 0)
			return false;
	return !field->read_only;
}

static bool is_in(const struct idl_type *type)
{
	return type && type->record.n_fields == 2 && strcmp(type->record.fields[0].name, "ref") == 0;
}

/* What a file may say in place of what the interface has; NULL: nothing else. */
static const char *other_form(const char *record, const struct idl_field *field)
{
	static const struct {
		const char *record;
		const char *field;
		const char *schema;
	} forms[] = {
		{ "prompt_template", "messages", "{\"type\":\"string\"}" },
		{ "run_experiment_request", "criteria",
		  "{\"type\":\"array\",\"items\":{\"anyOf\":[{\"type\":\"string\"}," REF("FileCriterion")
		  "]}},{\"type\":\"string\"}" },
		{ "run_experiment_request", "evaluators",
		  "{\"type\":\"array\",\"items\":{\"anyOf\":[{\"type\":\"string\"}," REF("EvaluatorUse")
		  "]},\"minItems\":1}" },
		{ "message", "content", "{\"type\":\"string\"}" },
	};

	for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++)
		if (strcmp(forms[i].record, record) == 0 && strcmp(forms[i].field, field->name) == 0)
			return forms[i].schema;
	return field->type && strcmp(field->type->name, "Ref") == 0 ? "{\"type\":\"string\"}" : NULL;
}

static void emit_one(FILE *out, const struct idl_field *field)
{
	static const char *const plain[_IDL_KIND_MAX] = {
		[IDL_BOOL] = "\"type\":\"boolean\"",
		[IDL_INT] = "\"type\":\"integer\"",
		[IDL_FLOAT] = "\"type\":\"number\"",
		[IDL_STRING] = "\"type\":\"string\"",
		[IDL_TIME] = "\"type\":\"string\",\"format\":\"date-time\"",
		[IDL_MONEY] = "\"type\":\"string\",\"pattern\":\"^[0-9]+([.][0-9]+)?$\"",
		[IDL_OBJECT] = "\"type\":\"object\"",
	};

	if (is_in(field->type))
		fprintf(out, "\"anyOf\":[{\"type\":\"string\"}," REF("Ref") ",{\"$ref\":\"#/$defs/%s\"}]",
			field->type->record.fields[1].type_name);
	else if (field->type)
		fprintf(out, "\"$ref\":\"#/$defs/%s\"", field->type->name);
	else
		fputs(plain[field->kind], out);
	if (field->one_of.n > 0) {
		fputs(",\"enum\":[", out);
		for (size_t i = 0; i < field->one_of.n; i++)
			fprintf(out, "%s\"%s\"", i ? "," : "", field->one_of.items[i]);
		fputc(']', out);
	}
	if (field->has_range)
		fprintf(out, ",\"minimum\":%.17g,\"maximum\":%.17g", field->low, field->high);
	if (field->has_length && field->container == IDL_SINGLE)
		fprintf(out, ",\"minLength\":%ld,\"maxLength\":%ld", field->length_low,
			field->length_high);
	if (field->name_rule)
		fputs(",\"minLength\":1,\"maxLength\":200", out);
}

static void emit_value(FILE *out, const struct idl_field *field)
{
	fputc('{', out);
	if (field->container == IDL_MAP) {
		fputs("\"type\":\"object\",\"additionalProperties\":{\"type\":\"string\"}", out);
	} else if (field->container == IDL_ARRAY) {
		fputs("\"type\":\"array\",\"items\":{", out);
		emit_one(out, field);
		fputc('}', out);
		if (field->has_length)
			fprintf(out, ",\"minItems\":%ld,\"maxItems\":%ld", field->length_low,
				field->length_high);
	} else {
		emit_one(out, field);
	}
	fputc('}', out);
}

static void emit_property(FILE *out, const char *record, const struct idl_field *field)
{
	const char *other = other_form(record, field);

	emit_string(out, field->name);
	fputs(":{\"anyOf\":[", out);
	emit_value(out, field);
	if (other)
		fprintf(out, ",%s", other);
	fputc(']', out);
	if (field->doc[0]) {
		fputs(",\"description\":", out);
		emit_string(out, field->doc);
	}
	if (field->default_text) {
		fputs(",\"default\":", out);
		if (field->kind == IDL_STRING)
			emit_string(out, field->default_text);
		else
			fputs(field->default_text, out);
	}
	fputc('}', out);
}

/* `also`: properties of the file alone, behind a comma, or "". */
static void emit_object(FILE *out, const struct idl_record *record, const char *also)
{
	const char *separator = "";

	fputs("\"type\":\"object\",\"additionalProperties\":false,\"properties\":{", out);
	for (size_t i = 0; i < record->n_fields; i++)
		if (experiment_file_has(&record->fields[i])) {
			fputs(separator, out);
			emit_property(out, record->name, &record->fields[i]);
			separator = ",\n ";
		}
	fprintf(out, "%s},\"required\":[", also);
	separator = "";
	for (size_t i = 0; i < record->n_fields; i++)
		if (!record->fields[i].nullable && !record->fields[i].default_text) {
			fprintf(out, "%s\"%s\"", separator, record->fields[i].name);
			separator = ",";
		}
	fputc(']', out);
}

static void emit_definition(FILE *out, const struct idl_type *type)
{
	bool is_collection = strcmp(type->name, "Collection") == 0;

	fprintf(out, ",\n\"%s\":{", type->name);
	if (type->doc[0]) {
		fputs("\"description\":", out);
		emit_string(out, type->doc);
		fputc(',', out);
	}
	emit_object(out, &type->record,
		    is_collection ? ",\"file\":{\"type\":\"string\",\"description\":\"A file beside this "
				    "one with the rows: CSV, JSONL or JSON.\"}"
				  : "");
	fputc('}', out);
}

/* The same as a string in C. */
void emit_schema_source(FILE *out, const struct idl_model *model)
{
	char *text = NULL, *rest;
	size_t size = 0;
	FILE *lines = open_memstream(&text, &size);

	emit_schema(lines, model);
	fclose(lines);
	fputs("/* Generated from the interface files. */\n#include \"proto/experiment_file.h\"\n\n"
	      "const char experiment_schema[] =", out);
	rest = text;
	for (char *line; (line = strsep(&rest, "\n"));) {
		fputs("\n\t", out);
		emit_string(out, line);
		fputs(rest ? " \"\\n\"" : ";\n", out);
	}
	free(text);
}

void emit_schema(FILE *out, const struct idl_model *model)
{
	const struct idl_interface *interface = &model->interfaces[0];
	const struct idl_method *run = NULL;

	for (size_t i = 0; i < interface->n_methods; i++)
		if (strcmp(interface->methods[i].name, EXPERIMENT_FILE_METHOD) == 0)
			run = &interface->methods[i];
	fputs("{\"$schema\":\"https://json-schema.org/draft/2020-12/schema\",\n"
	      "\"title\":\"An experiment file of elluminate\",\n",
	      out);
	emit_object(out, &run->request,
		    ",\n \"prompt_templates\":{\"type\":\"array\",\"minItems\":1,\"items\":{\"anyOf\":["
		    "{\"type\":\"string\"}," REF("Ref") "," REF("PromptTemplate")
		    "]},\"description\":\"Several, in place of prompt_template: an experiment for each.\"}"
		    ",\n \"llm_configs\":{\"type\":\"array\",\"minItems\":1,\"items\":{\"anyOf\":["
		    "{\"type\":\"string\"}," REF("Ref") "," REF("LLMConfig")
		    "]},\"description\":\"Several, in place of llm_config: an experiment for each.\"}");
	fputs(",\n\"$defs\":{\"FileCriterion\":{\"type\":\"object\",\"additionalProperties\":false,"
	      "\"properties\":{\"criterion\":{\"type\":\"string\"},\"criterion_str\":{\"type\":\"string\"},"
	      "\"label\":{\"type\":\"string\",\"minLength\":1,\"maxLength\":200},\"check\":" REF("Check")
	      "},\"anyOf\":[{\"required\":[\"criterion\"]},{\"required\":[\"criterion_str\"]}]}",
	      out);
	for (size_t i = 0; i < interface->n_types; i++)
		emit_definition(out, &interface->types[i]);
	fputs("}}\n", out);
}
