#include "proto/idl/constraint.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "proto/idl/lexer.h"

static char *trimmed(const char *text, size_t length)
{
	while (length > 0 && isspace((unsigned char) *text)) {
		text++;
		length--;
	}
	while (length > 0 && isspace((unsigned char) text[length - 1]))
		length--;
	return memory_copy(text, length);
}

static void add_words(struct idl_words *words, const char *text)
{
	for (text += strspn(text, " "); *text; text += strspn(text, " ")) {
		size_t length = strcspn(text, " ");

		words->items = memory_grow(words->items, words->n, sizeof(*words->items));
		words->items[words->n++] = memory_copy(text, length);
		text += length;
	}
}

static struct idl_words split_words(const char *text)
{
	struct idl_words words = { 0 };

	add_words(&words, text);
	return words;
}

/* Takes the next `key` or `key: value` off `*rest`; false at the end. `*ret_value` may be NULL. */
static bool next_annotation(const char **rest, char **ret_key, char **ret_value)
{
	if (**rest == '\0')
		return false;

	size_t length = strcspn(*rest, ";");
	const char *colon = memchr(*rest, ':', length);

	*ret_key = trimmed(*rest, colon ? (size_t) (colon - *rest) : length);
	*ret_value = colon ? trimmed(colon + 1, length - (size_t) (colon + 1 - *rest)) : NULL;
	*rest += length + ((*rest)[length] == ';');
	return true;
}

/* ---- Above a member ---- */

void notes_clear(struct idl_notes *notes)
{
	*notes = (struct idl_notes) { .doc = memory_copy("", 0) };
}

static bool starts_with(const char *text, const char *start)
{
	return strncmp(text, start, strlen(start)) == 0;
}

void notes_add(struct idl_notes *notes, const char *file, int line, const char *comment)
{
	static const char *const keys[] = { "exactly one of:", "at most one of:", "at least one of:",
					    "access:", "replies:", "number:", "http:", "since:" };
	bool known = false;
	char *key, *value;

	notes->file = file;
	notes->line = line;
	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
		known |= starts_with(comment, keys[i]);
	if (!known) {
		notes->doc = memory_join(notes->doc, comment);
		return;
	}
	while (next_annotation(&comment, &key, &value)) {
		if (!value && strcmp(key, "safe") == 0)
			notes->safe = true;
		else if (!value && strcmp(key, "idempotent") == 0)
			notes->idempotent = true;
		else if (!value || !*value)
			idl_die(file, line, "'%s' has no value", key);
		else if (strcmp(key, "exactly one of") == 0)
			notes->choices.exactly_one = split_words(value);
		else if (strcmp(key, "at most one of") == 0)
			notes->choices.at_most_one = split_words(value);
		else if (strcmp(key, "at least one of") == 0)
			notes->choices.at_least_one = split_words(value);
		else if (strcmp(key, "access") == 0)
			notes->access = value;
		else if (strcmp(key, "replies") == 0)
			notes->replies = value;
		else if (strcmp(key, "number") == 0)
			notes->number = value;
		else if (strcmp(key, "http") == 0)
			notes->http = value;
		else if (strcmp(key, "since") == 0)
			notes->since = value;
		else
			idl_die(file, line, "unknown annotation '%s'", key);
	}
}

/* ---- Behind a field ---- */

static void parse_bounds(const struct idl_field *field, const char *key, const char *value,
			 double *ret_low, double *ret_high)
{
	char *end;

	*ret_low = strtod(value, &end);
	// strtod takes the first dot of "1..256" with it
	const char *dots = strstr(value, "..");
	if (!dots || end < dots || end > dots + 1)
		idl_die(field->file, field->line, "'%s' wants LOW..HIGH, not '%s'", key, value);
	*ret_high = strtod(dots + 2, &end);
	if (*end || end == dots + 2 || *ret_low > *ret_high)
		idl_die(field->file, field->line, "'%s' wants LOW..HIGH, not '%s'", key, value);
}

static void parse_flag(struct idl_field *field, const char *key)
{
	bool is_string = field->kind == IDL_STRING;

	if (strcmp(key, "name") == 0)
		field->name_rule = true;
	else if (strcmp(key, "read-only") == 0)
		field->read_only = true;
	else if (strcmp(key, "write-only") == 0)
		field->write_only = true;
	else if (strcmp(key, "time") == 0 && is_string)
		field->kind = IDL_TIME;
	else if (strcmp(key, "money") == 0 && is_string)
		field->kind = IDL_MONEY;
	else
		idl_die(field->file, field->line, "'%s' does not fit the field '%s'", key,
			field->name);
}

static struct idl_enumeration *enumeration_find(const struct idl_interface *interface,
						const char *name)
{
	for (size_t i = 0; i < interface->n_enumerations; i++)
		if (strcmp(interface->enumerations[i].name, name) == 0)
			return &interface->enumerations[i];
	return NULL;
}

/* `SUCCESS=0`, `call=ephemeral`: the words behind the last that were taken lose what begins with '='. */
static void take_marks(struct idl_enumeration *enumeration, const char *file, int line)
{
	for (; enumeration->n_exits < enumeration->values.n; enumeration->n_exits++) {
		char *value = enumeration->values.items[enumeration->n_exits];
		char *sign = strchr(value, '='), *end = sign;
		bool is_ephemeral = sign && strcmp(sign, "=ephemeral") == 0;
		long exit_status = sign && !is_ephemeral ? strtol(sign + 1, &end, 10) : -1;

		if (sign && !is_ephemeral &&
		    (*end || end == sign + 1 || exit_status < 0 || exit_status >= EXIT_STATUS_END))
			idl_die(file, line, "'%s' is no exit status, and not 'ephemeral'", sign + 1);
		if (sign)
			*sign = '\0';
		if (is_ephemeral)
			add_words(&enumeration->ephemeral, value);
		enumeration->exits = memory_grow(enumeration->exits, enumeration->n_exits, sizeof(int));
		enumeration->exits[enumeration->n_exits] = (int) exit_status;
	}
}

bool enumeration_parse(struct idl_interface *interface, const char *file, int line,
		       const char *comment)
{
	struct idl_enumeration *enumeration;
	const char *colon = strchr(comment, ':');
	char *name;

	if (!starts_with(comment, "enum "))
		return false;
	name = trimmed(comment + 5, colon ? (size_t) (colon - comment - 5) : 0);
	if (!isupper((unsigned char) *name) || strchr(name, ' ') || !colon[1 + strspn(colon + 1, " ")])
		idl_die(file, line, "an enumeration is 'enum NAME: VALUE...'");
	enumeration = enumeration_find(interface, name);
	if (!enumeration) {
		interface->enumerations = memory_grow(interface->enumerations,
						      interface->n_enumerations,
						      sizeof(*enumeration));
		enumeration = &interface->enumerations[interface->n_enumerations++];
		enumeration->name = name;
		enumeration->place = (struct idl_place){ file, line };
		enumeration->upper = name_convert(name, /* upper= */ true);
	}
	if (enumeration->is_used)
		idl_die(file, line, "a field above is one of '%s' already", name);
	add_words(&enumeration->values, colon + 1);
	take_marks(enumeration, file, line);
	return true;
}

/* Words, or the name of an enumeration. */
static void parse_one_of(const struct idl_interface *interface, struct idl_field *field,
			 const char *value)
{
	struct idl_enumeration *enumeration = enumeration_find(interface, value);

	if (enumeration)
		enumeration->is_used = true;
	field->one_of = enumeration ? enumeration->values : split_words(value);
	field->enumeration = enumeration ? enumeration->upper : NULL;
}

void constraint_parse(const struct idl_interface *interface, struct idl_field *field,
		      const char *comment)
{
	char *key, *value;
	double low, high;

	while (next_annotation(&comment, &key, &value)) {
		if (!value) {
			parse_flag(field, key);
		} else if (!*value) {
			idl_die(field->file, field->line, "'%s' has no value", key);
		} else if (strcmp(key, "one of") == 0) {
			parse_one_of(interface, field, value);
		} else if (strcmp(key, "range") == 0) {
			field->has_range = true;
			parse_bounds(field, key, value, &field->low, &field->high);
		} else if (strcmp(key, "length") == 0) {
			field->has_length = true;
			parse_bounds(field, key, value, &low, &high);
			field->length_low = (long) low;
			field->length_high = (long) high;
		} else if (strcmp(key, "default") == 0) {
			field->default_text = value;
		} else if (strcmp(key, "since") == 0) {
			field->since = value;
		} else {
			idl_die(field->file, field->line, "unknown annotation '%s'", key);
		}
	}
}

static bool default_fits(const struct idl_field *field)
{
	const char *text = field->default_text;
	char *end;
	double number;

	switch (field->kind) {
	case IDL_BOOL:
		return strcmp(text, "true") == 0 || strcmp(text, "false") == 0;
	case IDL_INT:
		number = (double) strtoll(text, &end, 10);
		break;
	case IDL_FLOAT:
		number = strtod(text, &end);
		break;
	case IDL_STRING:
		for (size_t i = 0; i < field->one_of.n; i++)
			if (strcmp(field->one_of.items[i], text) == 0)
				return true;
		return field->one_of.n == 0;
	default:
		return false;
	}
	return *end == '\0' && (!field->has_range || (number >= field->low && number <= field->high));
}

/* A number that may be absent is no pointer where 0 can say so. */
static bool is_plain(const struct idl_field *field)
{
	bool number = field->kind == IDL_INT || field->kind == IDL_FLOAT || field->kind == IDL_BOOL;

	if (!field->nullable || !field->default_text || !number || field->container != IDL_SINGLE)
		return false;
	return (field->kind == IDL_BOOL ? strcmp(field->default_text, "false") == 0
					: strtod(field->default_text, NULL) == 0) ||
	       (field->has_range && (field->low > 0 || field->high < 0));
}

void constraint_check(struct idl_field *field)
{
	bool plain = field->container == IDL_SINGLE;
	bool number = field->kind == IDL_INT || field->kind == IDL_FLOAT;
	bool string = field->kind == IDL_STRING;
	const char *wrong = NULL;

	if (field->has_range && (!plain || !number))
		wrong = "range";
	if (field->has_length && ((plain && !string) || field->container == IDL_MAP))
		wrong = "length";
	if (field->one_of.n > 0 && (!plain || !string))
		wrong = "one of";
	if (field->name_rule && (!plain || !string || field->has_length || field->one_of.n > 0))
		wrong = "name";
	if ((field->kind == IDL_TIME || field->kind == IDL_MONEY) && !plain)
		wrong = "time or money";
	if (field->default_text && (!plain || !default_fits(field)))
		wrong = "default";
	// absent in one direction, so the type must allow it
	if ((field->read_only || field->write_only) && !field->nullable)
		wrong = "read-only or write-only";
	field->plain = is_plain(field);
	if (wrong)
		idl_die(field->file, field->line, "'%s' does not fit the field '%s'", wrong,
			field->name);
}
