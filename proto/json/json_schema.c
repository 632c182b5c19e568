#include "proto/json/json_schema.h"

#include <math.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "proto/text/regex.h"
#include "proto/text/utf8.h"

#define PATH_SIZE 200
#define BYTES_PER_STEP 64 // of texts that are compared
#define SHOWN_MAX 60 // bytes of a value or a name in a problem

/* Where in the value it looks; an entry is on the stack of who made it. */
struct place {
	const struct place *above; // NULL: the whole value
	const char *member; // NULL: an item
	size_t index;
};

struct check {
	json_object *root;
	struct schema_problem *problem; // NULL: nobody wants to know
	size_t told_depth; // of the place that it tells of
	size_t steps;
	unsigned depth;
};

static enum schema_verdict check_value(struct check *check, json_object *schema, json_object *value,
				       const struct place *place);

static bool step(struct check *check, size_t n)
{
	check->steps += n;
	return check->steps <= SCHEMA_STEPS_MAX;
}

static json_object *member(json_object *schema, const char *name, enum json_type type)
{
	json_object *value = NULL;

	json_object_object_get_ex(schema, name, &value);
	return json_object_is_type(value, type) ? value : NULL;
}

/* ---- What is wrong ---- */

static size_t place_depth(const struct place *place)
{
	size_t depth = 0;

	for (; place->above; place = place->above)
		depth++;
	return depth;
}

static void write_path(const struct place *place, char path[static PATH_SIZE])
{
	size_t size;

	if (!place->above) {
		*path = '\0';
		return;
	}
	write_path(place->above, path);
	size = strlen(path);
	if (place->member)
		snprintf(path + size, PATH_SIZE - size, "%s%.*s", size > 0 ? "." : "",
			 (int)utf8_cut(place->member, strlen(place->member), SHOWN_MAX), place->member);
	else
		snprintf(path + size, PATH_SIZE - size, "[%zu]", place->index);
	path[utf8_cut(path, strlen(path), PATH_SIZE - 8)] = '\0';
}

/* Of several the one that lies deepest is told, and of those the first. */
__attribute__((format(printf, 3, 4))) static enum schema_verdict
misfit(struct check *check, const struct place *place, const char *format, ...)
{
	char path[PATH_SIZE], words[256];
	size_t depth = place_depth(place);
	va_list arguments;

	if (!check->problem || (check->problem->text[0] && depth <= check->told_depth))
		return SCHEMA_MISFITS;
	va_start(arguments, format);
	vsnprintf(words, sizeof(words), format, arguments);
	va_end(arguments);
	words[utf8_cut(words, strlen(words), sizeof(words) - 8)] = '\0';
	write_path(place, path);
	snprintf(check->problem->text, sizeof(check->problem->text), "%s%s%s", path, *path ? ": " : "", words);
	check->told_depth = depth;
	return SCHEMA_MISFITS;
}

/* A value, cut short. */
static const char *shown(json_object *value, char text[static SHOWN_MAX + 4])
{
	const char *json = json_object_is_type(value, json_type_object) ? "an object" :
			   json_object_is_type(value, json_type_array) ? "an array" :
			   json_object_to_json_string_ext(value, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE);
	size_t size = json ? strlen(json) : 0;

	if (size > SHOWN_MAX) {
		size = utf8_cut(json, size, SHOWN_MAX);
		snprintf(text, SHOWN_MAX + 4, "%.*s...", (int)size, json);
	} else {
		snprintf(text, SHOWN_MAX + 4, "%s", json ? json : "");
	}
	return text;
}

/* ---- Types ---- */

static bool is_number(json_object *value)
{
	return json_object_is_type(value, json_type_int) || json_object_is_type(value, json_type_double);
}

static bool is_integer(json_object *value)
{
	double number;

	if (json_object_is_type(value, json_type_int))
		return true;
	number = json_object_is_type(value, json_type_double) ? json_object_get_double(value) : NAN;
	return isfinite(number) && floor(number) == number;
}

/* A type that it does not know may be any. */
static bool is_of_type(json_object *value, const char *type)
{
	static const struct {
		const char *name;
		enum json_type type;
	} types[] = {
		{ "string", json_type_string }, { "object", json_type_object }, { "array", json_type_array },
		{ "boolean", json_type_boolean }, { "null", json_type_null },
	};

	if (strcmp(type, "integer") == 0)
		return is_integer(value);
	if (strcmp(type, "number") == 0)
		return is_number(value);
	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
		if (strcmp(type, types[i].name) == 0)
			return json_object_is_type(value, types[i].type);
	return true;
}

static enum schema_verdict check_type(struct check *check, json_object *schema, json_object *value,
				      const struct place *place)
{
	json_object *type = NULL;
	char text[SHOWN_MAX + 4], wanted[SHOWN_MAX + 4];
	size_t n;

	json_object_object_get_ex(schema, "type", &type);
	if (json_object_is_type(type, json_type_string))
		return is_of_type(value, json_object_get_string(type)) ? SCHEMA_FITS :
		       misfit(check, place, "expected a value of type %s, not %s", shown(type, wanted),
			      shown(value, text));
	if (!json_object_is_type(type, json_type_array))
		return SCHEMA_FITS;
	n = json_object_array_length(type);
	for (size_t i = 0; i < n; i++) {
		const char *name = json_object_get_string(json_object_array_get_idx(type, i));

		if (!step(check, 1))
			return SCHEMA_GIVEN_UP;
		if (name && is_of_type(value, name))
			return SCHEMA_FITS;
	}
	return misfit(check, place, "expected a value of another type than %s", shown(value, text));
}

/* ---- Equal values ---- */

/* GIVEN_UP, or whether they are. Values are no deeper than who parsed them let them be. */
static enum schema_verdict compare(struct check *check, json_object *a, json_object *b)
{
	enum schema_verdict verdict = SCHEMA_FITS;

	if (!step(check, 1))
		return SCHEMA_GIVEN_UP;
	if (is_number(a) && is_number(b))
		return json_object_get_double(a) == json_object_get_double(b) ? SCHEMA_FITS : SCHEMA_MISFITS;
	if (json_object_get_type(a) != json_object_get_type(b))
		return SCHEMA_MISFITS;
	switch (json_object_get_type(a)) {
	case json_type_object:
		if (json_object_object_length(a) != json_object_object_length(b))
			return SCHEMA_MISFITS;
		json_object_object_foreach(a, name, item) {
			json_object *other;

			if (!json_object_object_get_ex(b, name, &other))
				return SCHEMA_MISFITS;
			verdict = compare(check, item, other);
			if (verdict != SCHEMA_FITS)
				return verdict;
		}
		return SCHEMA_FITS;
	case json_type_array:
		if (json_object_array_length(a) != json_object_array_length(b))
			return SCHEMA_MISFITS;
		for (size_t i = 0; verdict == SCHEMA_FITS && i < json_object_array_length(a); i++)
			verdict = compare(check, json_object_array_get_idx(a, i), json_object_array_get_idx(b, i));
		return verdict;
	case json_type_string:
		if (json_object_get_string_len(a) != json_object_get_string_len(b))
			return SCHEMA_MISFITS;
		if (!step(check, (size_t)json_object_get_string_len(a) / BYTES_PER_STEP))
			return SCHEMA_GIVEN_UP;
		return memcmp(json_object_get_string(a), json_object_get_string(b),
			      (size_t)json_object_get_string_len(a)) == 0 ? SCHEMA_FITS : SCHEMA_MISFITS;
	case json_type_boolean:
		return json_object_get_boolean(a) == json_object_get_boolean(b) ? SCHEMA_FITS : SCHEMA_MISFITS;
	default:
		return SCHEMA_FITS;
	}
}

static enum schema_verdict check_equal(struct check *check, json_object *schema, json_object *value,
				       const struct place *place)
{
	json_object *choices = member(schema, "enum", json_type_array), *constant = NULL;
	enum schema_verdict verdict = SCHEMA_MISFITS;
	char text[SHOWN_MAX + 4], wanted[SHOWN_MAX + 4];

	if (json_object_object_get_ex(schema, "const", &constant)) {
		verdict = compare(check, constant, value);
		if (verdict != SCHEMA_FITS)
			return verdict == SCHEMA_GIVEN_UP ? verdict :
			       misfit(check, place, "expected %s, not %s", shown(constant, wanted), shown(value, text));
	}
	if (!choices)
		return SCHEMA_FITS;
	verdict = SCHEMA_MISFITS;
	for (size_t i = 0; verdict == SCHEMA_MISFITS && i < json_object_array_length(choices); i++)
		verdict = compare(check, json_object_array_get_idx(choices, i), value);
	return verdict == SCHEMA_MISFITS ?
		       misfit(check, place, "%s is none of the values of its enum", shown(value, text)) : verdict;
}

/* ---- Bounds ---- */

static bool beyond(json_object *schema, const char *name, double value, bool low, bool exclusive)
{
	json_object *bound = NULL;
	double number;

	json_object_object_get_ex(schema, name, &bound);
	if (!is_number(bound))
		return false;
	number = json_object_get_double(bound);
	if (exclusive)
		return low ? value <= number : value >= number;
	return low ? value < number : value > number;
}

static enum schema_verdict check_bounds(struct check *check, json_object *schema, double value,
					const char *low, const char *high, const char *what,
					const struct place *place)
{
	if (beyond(schema, low, value, /* low= */ true, /* exclusive= */ false))
		return misfit(check, place, "%s%.15g is below its %s of %.15g", what, value, low,
			      json_object_get_double(json_object_object_get(schema, low)));
	if (beyond(schema, high, value, /* low= */ false, /* exclusive= */ false))
		return misfit(check, place, "%s%.15g is above its %s of %.15g", what, value, high,
			      json_object_get_double(json_object_object_get(schema, high)));
	return SCHEMA_FITS;
}

static enum schema_verdict check_number(struct check *check, json_object *schema, json_object *value,
					const struct place *place)
{
	const double number = json_object_get_double(value);

	if (beyond(schema, "exclusiveMinimum", number, /* low= */ true, /* exclusive= */ true))
		return misfit(check, place, "%.15g is not above its exclusiveMinimum", number);
	if (beyond(schema, "exclusiveMaximum", number, /* low= */ false, /* exclusive= */ true))
		return misfit(check, place, "%.15g is not below its exclusiveMaximum", number);
	return check_bounds(check, schema, number, "minimum", "maximum", "", place);
}

static enum schema_verdict check_string(struct check *check, json_object *schema, json_object *value,
					const struct place *place)
{
	json_object *pattern = member(schema, "pattern", json_type_string);
	const char *text = json_object_get_string(value), *expected;
	size_t size = (size_t)json_object_get_string_len(value), chars = 0, steps;
	char shown_pattern[SHOWN_MAX + 4];
	enum schema_verdict verdict;
	bool found;
	int r;

	if (!step(check, size / BYTES_PER_STEP))
		return SCHEMA_GIVEN_UP;
	for (size_t i = 0; i < size; i++)
		chars += ((unsigned char)text[i] & 0xc0) != 0x80;
	verdict = check_bounds(check, schema, (double)chars, "minLength", "maxLength", "a length of ", place);
	if (verdict != SCHEMA_FITS || !pattern)
		return verdict;
	r = regex_find(json_object_get_string(pattern), text, &found, &steps, &expected);
	/* A step there is much less than one here. */
	if (!step(check, steps / 16) || (r < 0 && !expected))
		return SCHEMA_GIVEN_UP;
	return r < 0 || found ? SCHEMA_FITS :
	       misfit(check, place, "the text does not match its pattern %s", shown(pattern, shown_pattern));
}

/* ---- Objects and arrays ---- */

static enum schema_verdict check_members(struct check *check, json_object *schema, json_object *value,
					 const struct place *place)
{
	json_object *properties = member(schema, "properties", json_type_object), *others = NULL;
	bool has_others = json_object_object_get_ex(schema, "additionalProperties", &others) &&
			  !json_object_object_get_ex(schema, "patternProperties", NULL);
	enum schema_verdict verdict = SCHEMA_FITS;

	json_object_object_foreach(value, name, item) {
		const struct place below = { place, name, 0 };
		json_object *its = NULL;

		if (!step(check, 1))
			return SCHEMA_GIVEN_UP;
		if (properties && json_object_object_get_ex(properties, name, &its))
			verdict = check_value(check, its, item, &below);
		else if (has_others && json_object_is_type(others, json_type_boolean))
			verdict = json_object_get_boolean(others) ? SCHEMA_FITS :
				  misfit(check, &below, "there is no such property");
		else if (has_others)
			verdict = check_value(check, others, item, &below);
		if (verdict != SCHEMA_FITS)
			return verdict;
	}
	return SCHEMA_FITS;
}

static enum schema_verdict check_object(struct check *check, json_object *schema, json_object *value,
					const struct place *place)
{
	json_object *required = member(schema, "required", json_type_array);
	enum schema_verdict verdict;

	for (size_t i = 0; required && i < json_object_array_length(required); i++) {
		json_object *name = json_object_array_get_idx(required, i);

		if (!step(check, 1))
			return SCHEMA_GIVEN_UP;
		if (json_object_is_type(name, json_type_string) &&
		    !json_object_object_get_ex(value, json_object_get_string(name), NULL)) {
			const struct place below = { place, json_object_get_string(name), 0 };

			return misfit(check, &below, "it is required and missing");
		}
	}
	verdict = check_bounds(check, schema, json_object_object_length(value), "minProperties",
			       "maxProperties", "a number of properties of ", place);
	return verdict == SCHEMA_FITS ? check_members(check, schema, value, place) : verdict;
}

static enum schema_verdict check_unique(struct check *check, json_object *value, const struct place *place)
{
	size_t n = json_object_array_length(value);

	for (size_t i = 0; i < n; i++) {
		for (size_t k = 0; k < i; k++) {
			enum schema_verdict verdict = compare(check, json_object_array_get_idx(value, i),
							      json_object_array_get_idx(value, k));
			const struct place below = { place, NULL, i };

			if (verdict == SCHEMA_GIVEN_UP)
				return verdict;
			if (verdict == SCHEMA_FITS)
				return misfit(check, &below, "it stands there twice");
		}
	}
	return SCHEMA_FITS;
}

static enum schema_verdict check_array(struct check *check, json_object *schema, json_object *value,
				       const struct place *place)
{
	json_object *first = member(schema, "prefixItems", json_type_array), *items = NULL;
	size_t n = json_object_array_length(value), n_first = first ? json_object_array_length(first) : 0;
	enum schema_verdict verdict = check_bounds(check, schema, (double)n, "minItems", "maxItems",
						   "a number of items of ", place);

	json_object_object_get_ex(schema, "items", &items);
	for (size_t i = 0; verdict == SCHEMA_FITS && i < n; i++) {
		const struct place below = { place, NULL, i };
		json_object *its = i < n_first ? json_object_array_get_idx(first, i) : items;

		verdict = check_value(check, its, json_object_array_get_idx(value, i), &below);
	}
	if (verdict == SCHEMA_FITS && json_object_get_boolean(member(schema, "uniqueItems", json_type_boolean)))
		verdict = check_unique(check, value, place);
	return verdict;
}

/* ---- Schemas of schemas ---- */

/* `#`, or `#/$defs/name` and whatever else leads there. NULL: there is none, or it is elsewhere. */
static json_object *follow(struct check *check, const char *ref)
{
	json_object *at = check->root;

	if (*ref++ != '#')
		return NULL;
	while (*ref == '/') {
		size_t size = strcspn(++ref, "/"), n = 0;
		char name[SHOWN_MAX * 4];

		if (size >= sizeof(name) || !step(check, 1))
			return NULL;
		for (size_t i = 0; i < size; i++) {
			name[n++] = ref[i];
			if (ref[i] == '~' && i + 1 < size)
				name[n - 1] = ref[++i] == '1' ? '/' : '~';
		}
		name[n] = '\0';
		if (!json_object_is_type(at, json_type_object) || !json_object_object_get_ex(at, name, &at))
			return NULL;
		ref += size;
	}
	return *ref ? NULL : at;
}

/* How many of the schemas it fits, counted no further than `enough`; SIZE_MAX: given up. */
static size_t count_fitting(struct check *check, json_object *schemas, json_object *value, size_t enough,
			    const struct place *place)
{
	size_t n = 0;

	for (size_t i = 0; n < enough && i < json_object_array_length(schemas); i++) {
		enum schema_verdict verdict =
			check_value(check, json_object_array_get_idx(schemas, i), value, place);

		if (verdict == SCHEMA_GIVEN_UP)
			return SIZE_MAX;
		n += verdict == SCHEMA_FITS;
	}
	return n;
}

/* What is wrong about alternatives is told where one of them went deeper than this place. */
static enum schema_verdict check_choice(struct check *check, json_object *schema, const char *name,
					bool one_only, json_object *value, const struct place *place)
{
	json_object *schemas = member(schema, name, json_type_array);
	struct schema_problem *problem = check->problem, tried = { "" };
	size_t told_depth = check->told_depth, tried_depth, n;

	if (!schemas)
		return SCHEMA_FITS;
	check->problem = problem ? &tried : NULL;
	n = count_fitting(check, schemas, value, one_only ? 2 : 1, place);
	tried_depth = check->told_depth;
	check->problem = problem;
	check->told_depth = told_depth;
	if (n == SIZE_MAX)
		return SCHEMA_GIVEN_UP;
	if (n == 1)
		return SCHEMA_FITS;
	if (n > 1)
		return misfit(check, place, "it fits several of its %s", name);
	if (!tried.text[0] || tried_depth <= place_depth(place))
		return misfit(check, place, "it fits none of its %s", name);
	if (problem && (!problem->text[0] || tried_depth > told_depth)) {
		*problem = tried;
		check->told_depth = tried_depth;
	}
	return SCHEMA_MISFITS;
}

static enum schema_verdict check_not(struct check *check, json_object *schema, json_object *value,
				     const struct place *place)
{
	struct schema_problem *problem = check->problem;
	enum schema_verdict verdict;
	json_object *other;

	if (!json_object_object_get_ex(schema, "not", &other))
		return SCHEMA_FITS;
	check->problem = NULL;
	verdict = check_value(check, other, value, place);
	check->problem = problem;
	if (verdict == SCHEMA_FITS)
		return misfit(check, place, "it is what its schema excludes");
	return verdict == SCHEMA_MISFITS ? SCHEMA_FITS : verdict;
}

static enum schema_verdict check_combined(struct check *check, json_object *schema, json_object *value,
					  const struct place *place)
{
	json_object *all = member(schema, "allOf", json_type_array), *ref = member(schema, "$ref", json_type_string);
	enum schema_verdict verdict = SCHEMA_FITS;

	if (ref)
		verdict = check_value(check, follow(check, json_object_get_string(ref)), value, place);
	for (size_t i = 0; verdict == SCHEMA_FITS && all && i < json_object_array_length(all); i++)
		verdict = check_value(check, json_object_array_get_idx(all, i), value, place);
	if (verdict == SCHEMA_FITS)
		verdict = check_choice(check, schema, "anyOf", /* one_only= */ false, value, place);
	if (verdict == SCHEMA_FITS)
		verdict = check_choice(check, schema, "oneOf", /* one_only= */ true, value, place);
	return verdict == SCHEMA_FITS ? check_not(check, schema, value, place) : verdict;
}

static enum schema_verdict check_content(struct check *check, json_object *schema, json_object *value,
					 const struct place *place)
{
	switch (json_object_get_type(value)) {
	case json_type_object:
		return check_object(check, schema, value, place);
	case json_type_array:
		return check_array(check, schema, value, place);
	case json_type_string:
		return check_string(check, schema, value, place);
	case json_type_int:
	case json_type_double:
		return check_number(check, schema, value, place);
	default:
		return SCHEMA_FITS;
	}
}

static enum schema_verdict check_value(struct check *check, json_object *schema, json_object *value,
				       const struct place *place)
{
	enum schema_verdict verdict;

	if (!step(check, 1) || check->depth == SCHEMA_DEPTH_MAX)
		return SCHEMA_GIVEN_UP;
	if (json_object_is_type(schema, json_type_boolean))
		return json_object_get_boolean(schema) ? SCHEMA_FITS :
		       misfit(check, place, "nothing may stand there");
	if (!json_object_is_type(schema, json_type_object))
		return SCHEMA_FITS;
	check->depth++;
	verdict = check_type(check, schema, value, place);
	if (verdict == SCHEMA_FITS)
		verdict = check_equal(check, schema, value, place);
	if (verdict == SCHEMA_FITS)
		verdict = check_content(check, schema, value, place);
	if (verdict == SCHEMA_FITS)
		verdict = check_combined(check, schema, value, place);
	check->depth--;
	return verdict;
}

enum schema_verdict schema_check(json_object *schema, json_object *value, struct schema_problem *ret_problem)
{
	struct check check = { .root = schema, .problem = ret_problem };
	const struct place whole = { NULL, NULL, 0 };

	ret_problem->text[0] = '\0';
	return check_value(&check, schema, value, &whole);
}

/* ---- What is in a text ---- */

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static void trim(const char **text, size_t *size)
{
	while (*size > 0 && is_blank((*text)[*size - 1]))
		--*size;
	while (*size > 0 && is_blank(**text)) {
		++*text;
		--*size;
	}
}

void schema_find_value(const char *text, size_t size, const char **ret_value, size_t *ret_size)
{
	const char *line;

	trim(&text, &size);
	line = size > 6 && memcmp(text, "```", 3) == 0 ? memchr(text, '\n', size) : NULL;
	if (line && memcmp(text + size - 3, "```", 3) == 0 && line < text + size - 3) {
		size = (size_t)(text + size - 3 - (line + 1));
		text = line + 1;
		trim(&text, &size);
	}
	*ret_value = text;
	*ret_size = size;
}
