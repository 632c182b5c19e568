#include "tests/integration/request.h"

#include <string.h>

#include "tests/harness/harness.h"

static const char *shortest_array(const struct record_field *field)
{
	const char *item = field->kind == FIELD_STRUCT ? request_record(field->type, NULL) :
			   field->kind == FIELD_STRING ? "\"a\"" : "1";
	const char *items = "";

	for (size_t i = 0; i < field->length_low; i++)
		items = text("%s%s%s", items, i > 0 ? "," : "", item);
	return text("[%s]", items);
}

const char *request_value(const struct record_field *field)
{
	if (field->container == FIELD_MAP)
		return "{}";
	if (field->container == FIELD_ARRAY)
		return shortest_array(field);
	if (field->kind == FIELD_STRUCT)
		return request_record(field->type, NULL);
	if (field->one_of)
		return text("\"%s\"", field->one_of[0]);
	return field->kind == FIELD_STRING ? "\"a\"" :
	       field->kind == FIELD_OBJECT ? "{}" :
	       field->kind == FIELD_BOOL   ? "true" : "1";
}

bool request_needs(const struct record_field *field)
{
	return !(field->flags & (FIELD_NULLABLE | FIELD_DEFAULT | FIELD_READ_ONLY));
}

static bool is_choice(const struct record_type *type, const char *name)
{
	const char *const *const lists[] = { type->exactly_one, type->at_most_one };

	for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++)
		for (const char *const *choice = lists[i]; choice && *choice; choice++)
			if (strcmp(*choice, name) == 0)
				return true;
	return false;
}

/* Without `but`, and without what excludes `with`; either may be NULL. */
static const char *record_of(const struct record_type *type, const char *but, const char *with)
{
	const char *record = "{", *comma = "";

	for (size_t i = 0; i < type->n_fields; i++) {
		const struct record_field *field = &type->fields[i];
		bool is_first = (type->exactly_one && strcmp(type->exactly_one[0], field->name) == 0) ||
				(type->at_least_one && strcmp(type->at_least_one[0], field->name) == 0);

		if ((!request_needs(field) && !is_first) || (but && strcmp(field->name, but) == 0) ||
		    (is_first && with && is_choice(type, with)))
			continue;
		record = text("%s%s\"%s\":%s", record, comma, field->name, request_value(field));
		comma = ",";
	}
	return text("%s}", record);
}

const char *request_record(const struct record_type *type, const char *but)
{
	return record_of(type, but, NULL);
}

const char *request_with(const struct record_type *type, const char *name, const char *value)
{
	const char *rest = record_of(type, name, name);

	return text("{\"%s\":%s%s%s", name, value, rest[1] == '}' ? "" : ",", rest + 1);
}
