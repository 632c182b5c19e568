/*
 * Walks the tables: for every field of every request, however deep, each wrong form must be
 * refused with InvalidParameter and the field's path, and each right one must be taken.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/generated/interface.h"
#include "proto/text/float_text.h"
#include "tests/unit/suite.h"

struct walk {
	const struct record_type *root_type;
	json_object *root;
	size_t n_checks;
	bool unversioned; // the record is a Ref to what has no versions
};

static json_object *valid_record(const struct record_type *type);

/* ---- Right values ---- */

static json_object *repeated(size_t n)
{
	char *text = malloc(n + 1);
	json_object *json;

	memset(text, 'x', n);
	json = json_object_new_string_len(text, (int) n);
	free(text);
	return json;
}

static json_object *valid_item(const struct record_field *field)
{
	switch (field->kind) {
	case FIELD_BOOL:
		return json_object_new_boolean(true);
	case FIELD_INT:
		return json_object_new_int64(field->flags & FIELD_RANGE ? (int64_t) field->low : 1);
	case FIELD_FLOAT:
		return json_float(field->flags & FIELD_RANGE ? field->high : 0.5);
	case FIELD_STRING:
		if (field->one_of)
			return json_object_new_string(field->one_of[0]);
		return repeated(field->container == FIELD_SINGLE && field->length_low > 1
					? field->length_low
					: 1);
	case FIELD_TIME:
		return json_object_new_string("2026-01-31T12:00:00.000Z");
	case FIELD_MONEY:
		return json_object_new_string("0.25");
	case FIELD_OBJECT:
		return json_object_new_object();
	default:
		return valid_record(field->type);
	}
}

static json_object *valid_array(const struct record_field *field, size_t n)
{
	json_object *array = json_object_new_array();

	for (size_t i = 0; i < n; i++)
		json_object_array_add(array, valid_item(field));
	return array;
}

static json_object *valid_value(const struct record_field *field)
{
	json_object *map;

	switch (field->container) {
	case FIELD_SINGLE:
		return valid_item(field);
	case FIELD_ARRAY:
		return valid_array(field, field->length_low > 1 ? field->length_low : 1);
	default:
		map = json_object_new_object();
		json_object_object_add(map, "key", json_object_new_string("value"));
		return map;
	}
}

static bool is_among(const char *const *names, const char *name)
{
	for (size_t i = 0; names && names[i]; i++)
		if (strcmp(names[i], name) == 0)
			return true;
	return false;
}

static bool is_exclusive(const struct record_type *type, const char *name)
{
	return is_among(type->exactly_one, name);
}

static void drop(const char *const *names, json_object *object)
{
	for (size_t i = 0; names && names[i]; i++)
		json_object_object_del(object, names[i]);
}

static bool has_any(const char *const *names, json_object *object)
{
	bool any = !names;

	for (size_t i = 0; names && names[i]; i++)
		any |= json_object_object_get(object, names[i]) != NULL;
	return any;
}

/* What is named when it is not exactly one of them. */
static const char *choice_path(const struct record_type *type, const char *path)
{
	return *path ? path : type->exactly_one[0];
}

/* What must be there, and the first of fields that exclude each other, or of which one must be. */
static json_object *valid_record(const struct record_type *type)
{
	json_object *json = json_object_new_object();

	for (size_t i = 0; i < type->n_fields; i++) {
		const struct record_field *field = &type->fields[i];
		bool first = type->exactly_one && strcmp(type->exactly_one[0], field->name) == 0;

		first |= type->at_least_one && strcmp(type->at_least_one[0], field->name) == 0;
		if (first || !(field->flags & (FIELD_NULLABLE | FIELD_DEFAULT)))
			json_object_object_add(json, field->name, valid_value(field));
	}
	return json;
}

/* ---- Checks ---- */

static void check_taken(struct walk *walk, const char *path)
{
	struct arena arena = { 0 };
	struct fault fault = { 0 };
	void *record;
	json_object *json, *again;
	int r = record_decode(walk->root_type, walk->root, FROM_CLIENT, "", &arena, &record,
			      &fault);

	ck_assert_msg(r == 0, "%s %s: %s", walk->root_type->name, path, fault.message);
	// what was taken survives the way back and forth
	ck_assert_int_eq(record_encode(walk->root_type, record, TO_DAEMON, &json), 0);
	r = record_decode(walk->root_type, json, FROM_CLIENT, "", &arena, &record, &fault);
	ck_assert_msg(r == 0, "%s %s: %s", walk->root_type->name, path, fault.message);
	ck_assert_int_eq(record_encode(walk->root_type, record, TO_DAEMON, &again), 0);
	ck_assert_str_eq(json_text(json, NULL), json_text(again, NULL));
	json_object_put(json);
	json_object_put(again);
	arena_done(&arena);
	walk->n_checks++;
}

static void check_refused(struct walk *walk, const char *path)
{
	struct arena arena = { 0 };
	struct fault fault = { 0 };
	void *record;
	int r = record_decode(walk->root_type, walk->root, FROM_CLIENT, "", &arena, &record,
			      &fault);

	ck_assert_msg(r == ELLU_E_INVALID_PARAMETER, "%s %s was taken: %.300s",
		      walk->root_type->name, path, json_text(walk->root, NULL));
	ck_assert_msg(strcmp(fault.field, path) == 0, "%s: '%s' instead of '%s'",
		      walk->root_type->name, fault.field, path);
	ck_assert_str_ne(fault.expected, "");
	arena_done(&arena);
	walk->n_checks++;
}

/* Puts `bad` into the field; it is refused at `path` and what the suffix adds. */
static void try_bad(struct walk *walk, json_object *object, const struct record_field *field,
		    json_object *bad, const char *path, const char *suffix)
{
	char whole[512];

	snprintf(whole, sizeof(whole), "%s%s", path, suffix);
	json_object_object_add(object, field->name, bad);
	check_refused(walk, whole);
}

static void try_bad_strings(struct walk *walk, json_object *object,
			    const struct record_field *field, const char *path)
{
#define BAD(json) try_bad(walk, object, field, json, path, "")
	if (field->one_of) {
		BAD(json_object_new_string("no such value"));
		BAD(json_object_new_string(""));
	} else if (field->flags & FIELD_NAME) {
		BAD(json_object_new_string(""));
		BAD(json_object_new_string("a\nb"));
		BAD(json_object_new_string("\xc2\x85"));
		BAD(repeated(201));
	} else if (field->flags & FIELD_LENGTH) {
		if (field->length_low > 0)
			BAD(repeated(field->length_low - 1));
		BAD(repeated(field->length_high + 1));
	}
	BAD(json_object_new_string_len("a\0b", 3));
	BAD(json_object_new_int(7));
#undef BAD
}

static void try_bad_singles(struct walk *walk, json_object *object,
			    const struct record_field *field, const char *path)
{
#define BAD(json) try_bad(walk, object, field, json, path, "")
	bool range = field->flags & FIELD_RANGE;

	switch (field->kind) {
	case FIELD_STRING:
		try_bad_strings(walk, object, field, path);
		break;
	case FIELD_INT:
		BAD(json_object_new_double_s(3.0, "3.0"));
		BAD(json_object_new_int64(INT64_C(9007199254740993)));
		BAD(json_object_new_int64(INT64_MIN));
		BAD(json_object_new_boolean(true));
		if (range)
			BAD(json_object_new_int64((int64_t) field->low - 1));
		if (range)
			BAD(json_object_new_int64((int64_t) field->high + 1));
		break;
	case FIELD_FLOAT:
		BAD(json_object_new_double_s(1.0 / 0.0, "1e999"));
		if (range)
			BAD(json_object_new_double(field->low - 0.001));
		if (range)
			BAD(json_object_new_double(field->high + 1));
		break;
	case FIELD_TIME:
	case FIELD_MONEY:
		BAD(json_object_new_int(7));
		BAD(json_object_new_string("tomorrow"));
		BAD(json_object_new_string(""));
		break;
	default:
		BAD(json_object_new_int(7));
		BAD(json_object_new_array());
	}
	if (field->kind != FIELD_STRING)
		BAD(json_object_new_string("x"));
#undef BAD
}

static void try_bad_containers(struct walk *walk, json_object *object,
			       const struct record_field *field, const char *path)
{
	json_object *bad = valid_value(field);

	if (field->container == FIELD_MAP) {
		json_object_object_add(bad, "key", json_object_new_int(1));
		try_bad(walk, object, field, bad, path, ".key");
		try_bad(walk, object, field, json_object_new_array(), path, "");
	} else {
		json_object_array_put_idx(bad, 0, json_object_new_boolean(true));
		try_bad(walk, object, field, bad, path, "[0]");
		bad = valid_value(field);
		json_object_array_put_idx(bad, json_object_array_length(bad), NULL);
		char suffix[32];
		snprintf(suffix, sizeof(suffix), "[%zu]", json_object_array_length(bad) - 1);
		try_bad(walk, object, field, bad, path, suffix);
		try_bad(walk, object, field, json_object_new_object(), path, "");
		if (field->flags & FIELD_LENGTH && field->length_low > 0)
			try_bad(walk, object, field, valid_array(field, field->length_low - 1),
				path, "");
		if (field->flags & FIELD_LENGTH)
			try_bad(walk, object, field, valid_array(field, field->length_high + 1),
				path, "");
	}
	try_bad(walk, object, field, json_object_new_string("x"), path, "");
}

/* ---- The walk ---- */

static void walk_record(struct walk *walk, const struct record_type *type, json_object *object,
			const char *path);

static void walk_into(struct walk *walk, const struct record_field *field, json_object *value,
		      const char *path)
{
	char deeper[512];

	if (field->kind != FIELD_STRUCT)
		return;
	walk->unversioned = field->flags & FIELD_UNVERSIONED;
	if (field->container == FIELD_ARRAY) {
		if (snprintf(deeper, sizeof(deeper), "%s[0]", path) >= (int) sizeof(deeper))
			ck_abort();
		walk_record(walk, field->type, json_object_array_get_idx(value, 0), deeper);
	} else {
		walk_record(walk, field->type, value, path);
	}
	walk->unversioned = false;
}

static const char *below(const char *path, const char *name)
{
	static char text[512];

	snprintf(text, sizeof(text), "%s%s%s", path, *path ? "." : "", name);
	return text;
}

/* `object` is valid, and is so again afterwards. */
static void walk_field(struct walk *walk, const struct record_type *type,
		       const struct record_field *field, json_object *object, const char *path)
{
	json_object *value = valid_value(field);
	char text[512];

	snprintf(text, sizeof(text), "%s%s%s", path, *path ? "." : "", field->name);
	if (walk->unversioned && strcmp(field->name, "version") == 0) {
		json_object_object_add(object, field->name, value);
		check_refused(walk, text);
		json_object_object_del(object, field->name);
		return;
	}
	if (field->flags & FIELD_READ_ONLY) {
		try_bad(walk, object, field, value, text, "");
		json_object_object_del(object, field->name);
		return;
	}
	if (is_exclusive(type, field->name))
		drop(type->exactly_one, object);
	if (is_among(type->at_most_one, field->name))
		drop(type->at_most_one, object);
	json_object_object_add(object, field->name, json_object_get(value));
	check_taken(walk, text);
	walk_into(walk, field, value, text);
	if (field->container == FIELD_SINGLE)
		try_bad_singles(walk, object, field, text);
	else
		try_bad_containers(walk, object, field, text);
	json_object_object_add(object, field->name, NULL);
	if (!has_any(type->at_least_one, object))
		check_refused(walk, below(path, type->at_least_one[0]));
	else if (field->flags & FIELD_NULLABLE && !is_exclusive(type, field->name))
		check_taken(walk, text);
	else
		check_refused(walk, is_exclusive(type, field->name) ? choice_path(type, path) : text);
	json_object_object_del(object, field->name);
	if (!(field->flags & (FIELD_NULLABLE | FIELD_DEFAULT)))
		check_refused(walk, text);
	json_object_object_add(object, field->name, value);
}

static void walk_record(struct walk *walk, const struct record_type *type, json_object *object,
			const char *path)
{
	char text[512];

	for (size_t i = 0; i < type->n_fields; i++)
		walk_field(walk, type, &type->fields[i], object, path);
	check_taken(walk, path); // with all that may be there
	snprintf(text, sizeof(text), "%s%sno_such_field", path, *path ? "." : "");
	json_object_object_add(object, "no_such_field", json_object_new_int(1));
	check_refused(walk, text);
	json_object_object_del(object, "no_such_field");
	if (type->exactly_one) {
		for (size_t i = 0; i < type->n_fields; i++)
			if (is_exclusive(type, type->fields[i].name))
				json_object_object_add(object, type->fields[i].name,
						       valid_value(&type->fields[i]));
		check_refused(walk, choice_path(type, path));
		for (size_t i = 1; type->exactly_one[i]; i++)
			json_object_object_del(object, type->exactly_one[i]);
	}
	if (type->at_most_one) {
		for (size_t i = 0; i < type->n_fields; i++)
			if (is_among(type->at_most_one, type->fields[i].name))
				json_object_object_add(object, type->fields[i].name,
						       valid_value(&type->fields[i]));
		check_refused(walk, below(path, type->at_most_one[0]));
		for (size_t i = 1; type->at_most_one[i]; i++)
			json_object_object_del(object, type->at_most_one[i]);
	}
}

START_TEST(every_field_of_every_request)
{
	size_t n_checks = 0;

	for (size_t i = 0; i < n_methods_by_name; i++) {
		struct walk walk = { .root_type = methods_by_name[i]->request };

		walk.root = valid_record(walk.root_type);
		check_taken(&walk, "");
		walk_record(&walk, walk.root_type, walk.root, "");
		json_object_put(walk.root);
		n_checks += walk.n_checks;
	}
	ck_assert_uint_gt(n_checks, 1000);
}
END_TEST

int main(void)
{
	return RUN_TESTS(every_field_of_every_request);
}
