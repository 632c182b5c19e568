/*
 * Every field of every request of the interface, over the socket, with each wrong type of value and
 * what lies outside its limits, missing, given where it is not to be, and naming what is another
 * user's: an error with the field's path, whatever the field, and nothing changed. The tables of the
 * contract say what to try.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "proto/generated/interface.h"
#include "proto/limits.h"
#include "proto/wire/method.h"
#include "tests/harness/database.h"
#include "tests/harness/suite.h"
#include "tests/harness/users.h"
#include "tests/integration/request.h"

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

/* The text of a message around a value, and where in it the value stands. */
struct place {
	const struct method *method;
	const char *path, *before, *after;
};

static struct place place_inside(const struct place *place, const struct record_type *type,
				 const struct record_field *field)
{
	const char *record = request_with(type, field->name, "\n");
	const char *gap = strchr(record, '\n');

	return (struct place){
		.method = place->method,
		.path = text("%s%s%s", place->path, place->path[0] ? "." : "", field->name),
		.before = text("%s%.*s", place->before, (int)(gap - record), record),
		.after = text("%s%s", gap + 1, place->after),
	};
}

static void try_value(const struct place *place, const char *value, const char *path)
{
	must_refuse(place->method, text("%s%s%s", place->before, value, place->after), path);
}

/* All that is stored. */
static char *stored(const struct daemon *daemon)
{
	char *tables = database_text(daemon, "SELECT group_concat(name, ' ') FROM sqlite_master"
					     " WHERE type = 'table'"), *rest, *all = text("%s", "");

	for (char *table = strtok_r(tables, " ", &rest); table; table = strtok_r(NULL, " ", &rest)) {
		const char *columns = database_text(daemon, "SELECT group_concat(name) FROM"
							    " pragma_table_info('%s')", table);

		all = text("%s%s: %s\n", all, table,
			   database_text(daemon, "SELECT group_concat(json_array(%s)) FROM %s", columns,
					 table));
	}
	return all;
}

static const char *long_text(size_t length)
{
	char *letters = text("\"%*s\"", (int)length, "");

	memset(letters + 1, 'x', length);
	return letters;
}

static const char *long_array(const struct record_field *field, size_t n)
{
	const char *item = field->kind == FIELD_STRUCT ? request_record(field->type, NULL) :
			   field->kind == FIELD_STRING ? "\"a\"" :
			   field->kind == FIELD_OBJECT ? "{}" : "1";
	char *array = malloc(n * (strlen(item) + 1) + 3), *at = array;

	*at++ = '[';
	for (size_t i = 0; i < n; i++)
		at += sprintf(at, "%s%s", i ? "," : "", item);
	strcpy(at, "]");
	return array;
}

/* Whether so many of it still fit into a message, and into a test. */
static bool is_tried(size_t length)
{
	return length <= 20000;
}

static void try_length(const struct place *place, const struct record_field *field)
{
	const bool is_array = field->container == FIELD_ARRAY;
	const size_t low = field->flags & FIELD_NAME ? 1 : field->length_low;
	const size_t high = field->flags & FIELD_NAME ? NAME_MAX_CHARS : field->length_high;

	if (!(field->flags & (FIELD_LENGTH | FIELD_NAME)) || field->container == FIELD_MAP)
		return;
	if (low > 0)
		try_value(place, is_array ? "[]" : "\"\"", place->path);
	if (is_tried(high))
		try_value(place, is_array ? long_array(field, high + 1) : long_text(high + 1),
			  place->path);
}

static void try_limits(const struct place *place, const struct record_field *field)
{
	try_length(place, field);
	if (field->container != FIELD_SINGLE)
		return;
	if (field->one_of)
		try_value(place, "\"no such choice\"", place->path);
	if (field->flags & FIELD_NAME)
		try_value(place, "\"a\\u0001\"", place->path);
	if (field->flags & FIELD_RANGE) {
		try_value(place, text("%.17g", field->low - 1), place->path);
		try_value(place, text("%.17g", field->high < 1e15 ? field->high + 1 : 1e17), place->path);
	}
}

static const char *both(const struct record_type *type, const char *one, const char *other)
{
	const char *with_one = request_with(type, one, request_value(record_field_find(type, one)));

	return text("{\"%s\":%s,%s", other, request_value(record_field_find(type, other)), with_one + 1);
}

/* Members that are missing, or too many of those that exclude each other. */
static void try_members(const struct place *place, const struct record_type *type, const char *dot)
{
	for (size_t i = 0; i < type->n_fields; i++)
		if (request_needs(&type->fields[i]))
			try_value(place, request_record(type, type->fields[i].name),
				  text("%s%s%s", place->path, dot, type->fields[i].name));
	if (type->exactly_one)
		try_value(place, request_record(type, type->exactly_one[0]), place->path);
	if (type->at_most_one)
		try_value(place, both(type, type->at_most_one[0], type->at_most_one[1]),
			  text("%s%s%s", place->path, dot, type->at_most_one[0]));
	if (type->at_least_one)
		try_value(place, request_record(type, type->at_least_one[0]),
			  text("%s%s%s", place->path, dot, type->at_least_one[0]));
}

static void try_fields(const struct place *place, const struct record_type *type, unsigned depth);

static void try_field(const struct place *place, const struct record_field *field, unsigned depth)
{
	struct place below = *place;

	for (int sample = 0; sample < _SAMPLE_MAX; sample++)
		if (!fits(field, sample))
			try_value(place, samples[sample], place->path);
	if (field->flags & FIELD_READ_ONLY)
		try_value(place, request_value(field), place->path);
	else
		try_limits(place, field);
	if (field->kind != FIELD_STRUCT || field->container == FIELD_MAP ||
	    (field->flags & FIELD_READ_ONLY))
		return;
	if (field->container == FIELD_ARRAY) {
		const char *others = "";

		for (size_t n = 1; field->flags & FIELD_LENGTH && n < field->length_low; n++)
			others = text("%s,%s", others, request_record(field->type, NULL));
		below.path = text("%s[0]", place->path);
		below.before = text("%s[", place->before);
		below.after = text("%s]%s", others, place->after);
	}
	try_fields(&below, field->type, depth + 1);
}

static void try_fields(const struct place *place, const struct record_type *type, unsigned depth)
{
	const char *dot = place->path[0] ? "." : "";

	if (depth > DEPTH_MAX)
		return;
	try_value(place, request_with(type, "no_such_field", "1"),
		  text("%s%sno_such_field", place->path, dot));
	try_members(place, type, dot);
	for (size_t i = 0; i < type->n_fields; i++) {
		const struct record_field *field = &type->fields[i];
		struct place inside = place_inside(place, type, field);

		try_field(&inside, field, depth);
	}
}

START_TEST(wrong_values)
{
	struct daemon *daemon = daemon_start(NULL);
	char *before;

	wire = daemon_connect(daemon);
	wire_call(wire, "GetProject", "{}");
	before = stored(daemon);
	for (size_t i = 0; i < elluminate_interface.n_methods; i++) {
		const struct method *method = &elluminate_interface.methods[i];

		if (method->request->n_fields == 0)
			must_refuse(method, "{\"surplus\":1}", "surplus");
		else
			try_fields(&(struct place) { method, "", "", "" }, method->request, 0);
	}
	ck_assert_uint_gt(n_tried, 500);
	ck_assert_str_eq(stored(daemon), before);
	ck_assert(daemon_is_well(daemon));
	ck_assert_int_eq(daemon_stop(daemon), 0);
}
END_TEST

/* ---- What is another user's ---- */

/* Everything of the owner's has the id 1 and, where it has one, this name. */
#define FOREIGN_NAME "F"

static void must_not_find(const struct place *place, const char *value)
{
	static const char *const refusals[] = { "org.elluminate.NotFound",
						"org.varlink.service.PermissionDenied",
						"org.varlink.service.InvalidParameter" };
	json_object *reply;
	bool refused = false;

	wire_start(wire, "", place->method->qualified_name, "%s%s%s", place->before, value, place->after);
	reply = wire_next(wire);
	for (size_t i = 0; i < sizeof(refusals) / sizeof(*refusals); i++)
		refused |= at_is(reply, "error", refusals[i]);
	ck_assert_msg(refused, "%s %s%s%s: %s", place->method->name, place->before, value, place->after,
		      json_object_to_json_string(reply));
	json_object_put(reply);
	n_tried++;
}

static bool is_id(const char *name)
{
	const char *end = strrchr(name, '_');

	end = end ? end + 1 : name;
	return strcmp(end, "id") == 0 || strcmp(end, "ids") == 0;
}

static void find_foreign(const struct place *place, const struct record_type *type, unsigned depth)
{
	for (size_t i = 0; i < type->n_fields; i++) {
		const struct record_field *field = &type->fields[i];
		struct place inside = place_inside(place, type, field);

		if (depth > DEPTH_MAX || field->flags & FIELD_READ_ONLY)
			continue;
		if (field->type == &ellu_ref_type && field->container == FIELD_SINGLE) {
			must_not_find(&inside, "{\"id\":1}");
			must_not_find(&inside, "{\"name\":\"" FOREIGN_NAME "\"}");
		} else if (field->kind == FIELD_INT && is_id(field->name)) {
			must_not_find(&inside, field->container == FIELD_ARRAY ? "[1]" : "1");
		} else if (field->kind == FIELD_STRUCT && field->container == FIELD_SINGLE) {
			find_foreign(&inside, field->type, depth + 1);
		}
	}
}

START_TEST(what_is_anothers)
{
	struct daemon *daemon;
	char *before;

	if (geteuid() != 0)
		return; // a second user is to be had by root only
	daemon = daemon_start_system();
	experiment_run(daemon_connect(daemon), &(struct experiment) {
		.name = FOREIGN_NAME, .n_criteria = 1,
		.more = "'prompt_template':{'content':{'name':'" FOREIGN_NAME "','messages':[{'role':'user',"
			"'content':'{{a}}'}]}},'collection':{'content':{'name':'" FOREIGN_NAME "','variables':["
			"{'a':1}]}},'llm_config':{'content':{'name':'" FOREIGN_NAME "','provider':"
			"'simulated'}}" });
	wire = connect_as(daemon, OTHER_UID);
	wire_call(wire, "GetProject", "{}");
	before = stored(daemon);
	n_tried = 0;
	for (size_t i = 0; i < elluminate_interface.n_methods; i++)
		find_foreign(&(struct place) { &elluminate_interface.methods[i], "", "", "" },
			     elluminate_interface.methods[i].request, 0);
	ck_assert_uint_gt(n_tried, 50);
	ck_assert_str_eq(stored(daemon), before);
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
	return RUN_SUITE(wrong_values, what_is_anothers, parameters_that_are_none);
}
