/*
 * Every field of every request of the interface, over the socket, with each wrong type of value:
 * InvalidParameter with the field's path, whatever the field. The tables of the contract say
 * what to try.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/generated/interface.h"
#include "proto/method.h"
#include "tests/harness/suite.h"

#define DEPTH_MAX 6

static struct wire *wire;
static unsigned n_tried;

/* One value of each JSON type; `fits` says which of them a field takes. */
enum sample { SAMPLE_BOOL, SAMPLE_INT, SAMPLE_FLOAT, SAMPLE_STRING, SAMPLE_ARRAY, SAMPLE_OBJECT,
	      SAMPLE_NULL, _SAMPLE_MAX };
static const char *const samples[] = {
	[SAMPLE_BOOL] = "true", [SAMPLE_INT] = "7",	  [SAMPLE_FLOAT] = "1.5",
	[SAMPLE_STRING] = "\"\\u263a\"", [SAMPLE_ARRAY] = "[[1]]", [SAMPLE_OBJECT] = "{\"x\":[1]}",
	[SAMPLE_NULL] = "null",
};

static bool fits(const struct record_field *field, enum sample sample)
{
	if (sample == SAMPLE_NULL)
		return field->flags & FIELD_NULLABLE;
	if (field->container != FIELD_SINGLE)
		return false;
	switch (field->kind) {
	case FIELD_BOOL:
		return sample == SAMPLE_BOOL;
	case FIELD_INT:
		return sample == SAMPLE_INT;
	case FIELD_FLOAT:
		return sample == SAMPLE_INT || sample == SAMPLE_FLOAT;
	case FIELD_STRING:
		return sample == SAMPLE_STRING && !field->one_of;
	case FIELD_OBJECT:
		return sample == SAMPLE_OBJECT;
	default:
		return false;
	}
}

/* A parameter that is refused and named: `path` or something below it. */
static void must_refuse(const struct method *method, const char *parameters, const char *path)
{
	json_object *reply = wire_refused(wire, "org.varlink.service.InvalidParameter",
					  method->qualified_name, "%s", parameters);
	const char *named = at_text(reply, "parameters.parameter");

	ck_assert_msg(strncmp(named, path, strlen(path)) == 0, "%s %s: %s is named, not %s",
		      method->name, parameters, named, path);
	json_object_put(reply);
	n_tried++;
}

static const char *good_record(const struct record_type *type, const char *but);

/* A value that the field takes. */
static const char *good_value(const struct record_field *field)
{
	if (field->container == FIELD_MAP)
		return "{}";
	if (field->container == FIELD_ARRAY && field->length_low == 0)
		return "[]";
	if (field->kind == FIELD_STRUCT && field->container == FIELD_ARRAY)
		return text("[%s]", good_record(field->type, NULL));
	if (field->kind == FIELD_STRUCT)
		return good_record(field->type, NULL);
	if (field->container == FIELD_ARRAY)
		return field->kind == FIELD_STRING ? "[\"a\"]" : "[1]";
	if (field->one_of)
		return text("\"%s\"", field->one_of[0]);
	return field->kind == FIELD_STRING ? "\"a\"" :
	       field->kind == FIELD_OBJECT ? "{}" :
	       field->kind == FIELD_BOOL   ? "true" : "1";
}

static bool is_first_choice(const struct record_type *type, const struct record_field *field)
{
	return type->exactly_one && strcmp(type->exactly_one[0], field->name) == 0;
}

/* All that the type must have, without the member `but`; a text that ends in `}`. */
static const char *good_record(const struct record_type *type, const char *but)
{
	const char *record = "{", *comma = "";

	for (size_t i = 0; i < type->n_fields; i++) {
		const struct record_field *field = &type->fields[i];
		bool needed = !(field->flags & (FIELD_NULLABLE | FIELD_DEFAULT | FIELD_READ_ONLY)) ||
			      is_first_choice(type, field);

		if (!needed || (but && strcmp(field->name, but) == 0))
			continue;
		record = text("%s%s\"%s\":%s", record, comma, field->name, good_value(field));
		comma = ",";
	}
	return text("%s}", record);
}

/* The same with a member more. */
static const char *with_member(const struct record_type *type, const char *name, const char *value)
{
	const char *rest = good_record(type, name);

	return text("{\"%s\":%s%s%s", name, value, rest[1] == '}' ? "" : ",", rest + 1);
}

/* The text of a message around a value, and where in it the value stands. */
struct place {
	const struct method *method;
	const char *path, *before, *after;
};

static void try_value(const struct place *place, const char *value, const char *path)
{
	must_refuse(place->method, text("%s%s%s", place->before, value, place->after), path);
}

static void try_fields(const struct place *place, const struct record_type *type, unsigned depth);

static void try_field(const struct place *place, const struct record_field *field, unsigned depth)
{
	struct place below = *place;

	for (int sample = 0; sample < _SAMPLE_MAX; sample++)
		if (!fits(field, sample))
			try_value(place, samples[sample], place->path);
	if (field->kind != FIELD_STRUCT || field->container == FIELD_MAP ||
	    (field->flags & FIELD_READ_ONLY))
		return;
	if (field->container == FIELD_ARRAY) {
		below.path = text("%s[0]", place->path);
		below.before = text("%s[", place->before);
		below.after = text("]%s", place->after);
	}
	try_fields(&below, field->type, depth + 1);
}

static void try_fields(const struct place *place, const struct record_type *type, unsigned depth)
{
	const char *dot = place->path[0] ? "." : "";

	if (depth > DEPTH_MAX)
		return;
	try_value(place, with_member(type, "no_such_field", "1"),
		  text("%s%sno_such_field", place->path, dot));
	for (size_t i = 0; i < type->n_fields; i++) {
		const struct record_field *field = &type->fields[i];
		const char *record = with_member(type, field->name, "\n");
		const char *gap = strchr(record, '\n');
		struct place inside = {
			.method = place->method,
			.path = text("%s%s%s", place->path, dot, field->name),
			.before = text("%s%.*s", place->before, (int)(gap - record), record),
			.after = text("%s%s", gap + 1, place->after),
		};

		try_field(&inside, field, depth);
	}
}

START_TEST(wrong_types)
{
	struct daemon *daemon = daemon_start(NULL);

	wire = daemon_connect(daemon);
	for (size_t i = 0; i < elluminate_interface.n_methods; i++) {
		const struct method *method = &elluminate_interface.methods[i];

		if (method->request->n_fields == 0)
			must_refuse(method, "{\"surplus\":1}", "surplus");
		else
			try_fields(&(struct place) { method, "", "", "" }, method->request, 0);
	}
	ck_assert_uint_gt(n_tried, 500);
	/* Nothing was stored. */
	ck_assert_uint_eq(json_object_array_length(list_all(wire, "ListTasks", "%s", "")), 0);
	ck_assert_uint_eq(json_object_array_length(list_all(wire, "ListExperiments", "%s", "")), 0);
	ck_assert(daemon_is_well(daemon));
	ck_assert_int_eq(daemon_stop(daemon), 0);
}
END_TEST

START_TEST(parameters_that_are_none)
{
	struct daemon *daemon = daemon_start(NULL);
	struct wire *plain = daemon_connect(daemon);
	json_object *reply;

	wire_start(plain, "", "GetTask", "null");
	reply = wire_next(plain);
	ck_assert_str_eq(at_text(reply, "error"), "org.varlink.service.InvalidParameter");
	ck_assert_str_eq(at_text(reply, "parameters.parameter"), "id");
	ck_assert_int_eq(daemon_stop(daemon), 0);
}
END_TEST

int main(void)
{
	return RUN_SUITE(wrong_types, parameters_that_are_none);
}
