#include "client/cli/methods.h"

#include <stdio.h>
#include <string.h>

#include "proto/generated/interface.h"

const struct method *method_that_lists(const char *resource_type)
{
	for (size_t i = 0; i < elluminate_interface.n_methods; i++) {
		const struct method *method = &elluminate_interface.methods[i];
		const struct record_field *items = record_field_find(method->reply, "items");

		if (strncmp(method->name, "List", 4) == 0 && items && items->type &&
		    strcmp(items->type->name, resource_type) == 0 && record_field_find(items->type, "name") &&
		    !method_operand(method))
			return method;
	}
	return NULL;
}

const struct method *method_named(const char *name)
{
	for (size_t i = 0; i < elluminate_interface.n_methods; i++)
		if (strcmp(elluminate_interface.methods[i].name, name) == 0)
			return &elluminate_interface.methods[i];
	return NULL;
}

bool field_is_ref_or_content(const struct record_field *field)
{
	return field->type == &ellu_template_in_type ||
	       (field->type == &ellu_llm_config_in_type && !(field->flags & FIELD_NULLABLE));
}

const struct record_field *method_id_beside(const struct method *method, const struct record_field *field)
{
	char name[64];

	snprintf(name, sizeof(name), "%s_id", field->name);
	return record_field_find(method->request, name);
}

const struct record_field *method_operand(const struct method *method)
{
	for (size_t i = 0; i < method->request->n_fields; i++) {
		const struct record_field *field = &method->request->fields[i];

		if (strcmp(field->name, "id") == 0 ||
		    field_is_ref_or_content(field) ||
		    (field->type == &ellu_ref_type && field->container == FIELD_SINGLE) ||
		    (field->kind == FIELD_STRING &&
		     (method->request->n_fields == 1 || (i == 0 && method_id_beside(method, field)))))
			return field;
	}
	return NULL;
}

const struct record_field *method_content(const struct method *method)
{
	for (size_t i = 0; i < method->request->n_fields; i++) {
		const struct record_field *field = &method->request->fields[i];

		if (field->kind == FIELD_STRUCT && field->container == FIELD_SINGLE &&
		    !field->type->exactly_one)
			return field;
	}
	return NULL;
}
