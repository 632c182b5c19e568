/*
 * `http: VERB /PATH` of methods: how HTTP calls one. What stands in braces is a field of the request;
 * no two methods fit one path.
 */
#include <string.h>

#include "proto/idl/lexer.h"
#include "proto/idl/model.h"

/* The next segment, without its slash; false at the end. */
static bool next_segment(const char **path, const char **ret_segment, size_t *ret_length)
{
	if (**path != '/')
		return false;
	*ret_segment = *path + 1;
	*ret_length = strcspn(*ret_segment, "/");
	*path = *ret_segment + *ret_length;
	return true;
}

static const struct idl_field *field_of(const struct idl_record *record, const char *name, size_t length)
{
	for (size_t i = 0; i < record->n_fields; i++)
		if (strlen(record->fields[i].name) == length &&
		    strncmp(record->fields[i].name, name, length) == 0)
			return &record->fields[i];
	return NULL;
}

/* A field that one word can stand for: a text, a number, or what has an id or a name. */
static bool fits_segment(const struct idl_field *field)
{
	return field && field->container == IDL_SINGLE &&
	       (field->kind == IDL_INT || field->kind == IDL_STRING ||
		(field->kind == IDL_STRUCT && strcmp(field->type_name, "Ref") == 0));
}

static bool is_segment(const struct idl_method *method, const char *segment, size_t length)
{
	if (length > 2 && segment[0] == '{' && segment[length - 1] == '}')
		return fits_segment(field_of(&method->request, segment + 1, length - 2));
	return length > 0 && strspn(segment, "abcdefghijklmnopqrstuvwxyz_") >= length;
}

static void check_path(const struct idl_method *method)
{
	static const char *const verbs[] = { "GET", "POST", "PUT", "PATCH", "DELETE" };
	const char *path = method->path, *segment;
	bool known = false;
	size_t length;

	for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++)
		known |= strcmp(verbs[i], method->verb) == 0;
	if (!known)
		idl_die(method->place.file, method->place.line, "'http:' wants VERB /PATH");
	if (!method->safe && strcmp(method->verb, "GET") == 0)
		idl_die(method->place.file, method->place.line, "'%s' is not safe: no GET", method->name);
	while (next_segment(&path, &segment, &length))
		if (!is_segment(method, segment, length))
			idl_die(method->place.file, method->place.line,
				"'%.*s' is no word, and no field that stands for one", (int) length, segment);
	if (*path || path == method->path)
		idl_die(method->place.file, method->place.line, "'http:' wants VERB /PATH");
}

/* Whether a path may be meant by both. */
static bool overlap(const char *a, const char *b)
{
	const char *segment_a, *segment_b;
	size_t length_a, length_b;

	while (next_segment(&a, &segment_a, &length_a)) {
		if (!next_segment(&b, &segment_b, &length_b))
			return false;
		if (*segment_a != '{' && *segment_b != '{' &&
		    (length_a != length_b || strncmp(segment_a, segment_b, length_a) != 0))
			return false;
	}
	return !*b;
}

void paths_check(const struct idl_interface *interface)
{
	for (size_t i = 0; i < interface->n_methods; i++) {
		const struct idl_method *method = &interface->methods[i];

		if (!method->path)
			continue;
		check_path(method);
		for (size_t k = 0; k < i; k++) {
			const struct idl_method *other = &interface->methods[k];

			if (other->path && strcmp(other->verb, method->verb) == 0 &&
			    overlap(other->path, method->path))
				idl_die(method->place.file, method->place.line,
					"'%s %s' may mean '%s' already", method->verb, method->path,
					other->name);
		}
	}
}
