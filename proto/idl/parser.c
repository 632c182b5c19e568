/*
 * Recursive descent over the Varlink interface language, as far as org.elluminate uses it: no
 * anonymous structs, no enumerations, one layer of array or map. What is left out is refused.
 */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "proto/idl/constraint.h"
#include "proto/idl/lexer.h"
#include "proto/idl/model.h"

struct parser {
	struct lexer lexer;
	struct idl_model *model;
	struct idl_interface *interface;
	struct idl_notes notes; // comments just read, for the next member
	const char *text; // of the file
	const char *unprinted; // of it
};

#define APPEND(items, n) \
	((items) = memory_grow((items), (n), sizeof(*(items))), &(items)[(n)++])

static void check_field_name(const struct idl_field *field)
{
	static const char *const reserved[] = {
		"auto", "bool", "break", "case", "catch", "char", "class", "const", "continue",
		"default", "delete", "do", "double", "else", "enum", "explicit", "export",
		"extern", "false", "float", "for", "friend", "goto", "if", "inline", "int", "long",
		"mutable", "namespace", "new", "operator", "private", "protected", "public",
		"register", "return", "short", "signed", "sizeof", "static", "struct", "switch",
		"template", "this", "throw", "true", "try", "typedef", "typename", "union",
		"unsigned", "using", "virtual", "void", "volatile", "while", "struct_size",
		"call_timeout_seconds",
	};

	if (!islower((unsigned char) field->name[0]) || strchr(field->name, '.'))
		idl_die(field->file, field->line, "'%s' is no field name", field->name);
	for (size_t i = 0; i < sizeof(reserved) / sizeof(reserved[0]); i++)
		if (strcmp(field->name, reserved[i]) == 0)
			idl_die(field->file, field->line, "'%s' is a keyword in C or C++",
				field->name);
}

/* ---- Comments ---- */

/* Collects comment lines up to the next member; a blank line between forgets them. */
static void read_notes(struct parser *parser)
{
	struct lexer *lexer = &parser->lexer;

	notes_clear(&parser->notes);
	while (lexer->token.kind == TOKEN_COMMENT) {
		if (parser->notes.line > 0 && lexer->token.line > parser->notes.line + 1)
			notes_clear(&parser->notes);
		if (!parser->interface || !enumeration_parse(parser->interface, lexer->file,
							     lexer->token.line, lexer->token.text))
			notes_add(&parser->notes, lexer->file, lexer->token.line, lexer->token.text);
		lexer_next(lexer);
	}
	if (parser->notes.line > 0 && lexer->token.line > parser->notes.line + 1)
		notes_clear(&parser->notes);
}

static void refuse_notes(const struct parser *parser, bool type, bool method, bool error)
{
	const struct idl_notes *notes = &parser->notes;

	bool has_choices = notes->choices.exactly_one.n > 0 || notes->choices.at_most_one.n > 0 ||
			   notes->choices.at_least_one.n > 0;

	if ((has_choices && !type && !method) ||
	    ((notes->access || notes->replies || notes->safe || notes->idempotent) && !method) ||
	    (notes->number && !error) || (notes->http && !error && !method))
		idl_die(notes->file, notes->line, "the annotation does not belong here");
}

/* ---- Types and fields ---- */

static void parse_type(struct lexer *lexer, struct idl_field *field)
{
	static const struct {
		const char *word;
		enum idl_kind kind;
	} basic[] = {
		{ "bool", IDL_BOOL },	  { "int", IDL_INT },	    { "float", IDL_FLOAT },
		{ "string", IDL_STRING }, { "object", IDL_OBJECT },
	};

	if (lexer_is(lexer, "?")) {
		field->nullable = true;
		lexer_next(lexer);
	}
	if (lexer_is(lexer, "[")) {
		lexer_next(lexer);
		field->container = lexer_is(lexer, "]") ? IDL_ARRAY : IDL_MAP;
		if (field->container == IDL_MAP)
			lexer_take(lexer, "string");
		lexer_take(lexer, "]");
	}

	char *word = lexer_word(lexer, "a type");

	field->kind = IDL_STRUCT;
	for (size_t i = 0; i < sizeof(basic) / sizeof(basic[0]); i++)
		if (strcmp(word, basic[i].word) == 0)
			field->kind = basic[i].kind;
	if (field->kind == IDL_STRUCT && !isupper((unsigned char) word[0]))
		idl_die(field->file, field->line, "unknown type '%s'", word);
	field->type_name = word;
	if ((field->container == IDL_MAP && field->kind != IDL_STRING) ||
	    (field->container == IDL_ARRAY && field->kind == IDL_BOOL))
		idl_die(field->file, field->line, "no C form for a container of '%s'", word);
}

static void parse_field(struct parser *parser, struct idl_record *record)
{
	struct lexer *lexer = &parser->lexer;
	struct idl_field *field;
	char *doc = memory_copy("", 0);

	for (; lexer->token.kind == TOKEN_COMMENT; lexer_next(lexer))
		doc = memory_join(doc, lexer->token.text);
	field = APPEND(record->fields, record->n_fields);
	field->doc = doc;
	field->file = lexer->file;
	field->line = lexer->token.line;
	field->start = lexer->token.start;
	field->name = lexer_word(lexer, "a field");
	check_field_name(field);
	for (size_t i = 0; i + 1 < record->n_fields; i++)
		if (strcmp(record->fields[i].name, field->name) == 0)
			idl_die(field->file, field->line, "the field '%s' stands here twice",
				field->name);
	lexer_take(lexer, ":");
	parse_type(lexer, field);
}

/* ---- The printed text ---- */

static void print(struct parser *parser, const char *text, size_t length)
{
	char **printed = &parser->interface->text;
	size_t size = strlen(*printed);

	*printed = memory_grow(*printed, size + length, 1);
	memcpy(*printed + size, text, length);
	(*printed)[size + length] = '\0';
}

/* Up to `end`, without the blanks before it. */
static void print_up_to(struct parser *parser, const char *end)
{
	size_t length = (size_t) (end - parser->unprinted);

	if (parser->unprinted == parser->text && parser->interface->text[0])
		print(parser, "\n", 1); // between two files
	while (length > 0 && isspace((unsigned char) parser->unprinted[length - 1]))
		length--;
	print(parser, parser->unprinted, length);
	parser->unprinted = end;
}

/* A constraint stands behind its field, where it reads best; it is printed above it, since the
 * language has no place for a comment between the last field and its `)`. */
static void print_constraint_above(struct parser *parser, const char *field)
{
	const struct token *comment = &parser->lexer.token;

	print_up_to(parser, field);
	print(parser, "\n  # ", 5);
	print(parser, comment->text, strlen(comment->text));
	print(parser, "\n  ", 3);
	print_up_to(parser, comment->start);
	parser->unprinted += strcspn(parser->unprinted, "\n");
}

static void parse_record(struct parser *parser, struct idl_record *record)
{
	struct lexer *lexer = &parser->lexer;
	bool more = true;

	lexer_take(lexer, "(");
	if (lexer_is(lexer, ")"))
		more = false;
	while (more) {
		parse_field(parser, record);

		struct idl_field *field = &record->fields[record->n_fields - 1];

		more = lexer_is(lexer, ",");
		if (more)
			lexer_next(lexer);
		if (lexer->token.kind == TOKEN_COMMENT && !lexer->token.first_on_line) {
			constraint_parse(parser->interface, field, lexer->token.text);
			print_constraint_above(parser, field->start);
			lexer_next(lexer);
		}
		constraint_check(field);
	}
	lexer_take(lexer, ")");
}

/* ---- Members ---- */

static char *member_name(struct lexer *lexer)
{
	char *name = lexer_word(lexer, "a name");

	if (!isupper((unsigned char) name[0]) || strpbrk(name, "._"))
		idl_die(lexer->file, lexer->token.line, "'%s' is no name of a member", name);
	return name;
}

static void parse_type_member(struct parser *parser)
{
	struct idl_interface *interface = parser->interface;
	struct idl_type *type = APPEND(interface->types, interface->n_types);

	refuse_notes(parser, true, false, false);
	type->doc = parser->notes.doc;
	type->since = parser->notes.since;
	type->record.choices = parser->notes.choices;
	type->place = (struct idl_place){ parser->lexer.file, parser->lexer.token.line };
	type->name = member_name(&parser->lexer);
	type->record.name = name_convert(type->name, false);
	parse_record(parser, &type->record);
}

static char *choice(const struct parser *parser, const char *key, char *value,
		    const char *const *allowed)
{
	if (!value)
		idl_die(parser->lexer.file, parser->lexer.token.line, "'%s:' is missing above", key);
	for (; *allowed; allowed++)
		if (strcmp(*allowed, value) == 0)
			return value;
	idl_die(parser->notes.file, parser->notes.line, "'%s: %s' is not known", key, value);
}

static char *record_name(const struct idl_method *method, const char *ending)
{
	char name[256];

	snprintf(name, sizeof(name), "%s%s", method->snake, ending);
	return memory_copy(name, strlen(name));
}

static bool has_field(const struct idl_record *record, const char *name)
{
	for (size_t i = 0; i < record->n_fields; i++)
		if (strcmp(record->fields[i].name, name) == 0)
			return true;
	return false;
}

static void derive_traits(struct idl_method *method)
{
	bool events = strcmp(method->replies, "events") == 0;

	method->is_long = events || strcmp(method->replies, "late") == 0;
	method->follows_task = events && has_field(&method->reply, "event") &&
			       !has_field(&method->reply, "cursor");
}

static void split_http(const struct parser *parser, struct idl_method *method)
{
	char *http = parser->notes.http, *blank = http ? strchr(http, ' ') : NULL;

	if (http && !blank)
		idl_die(parser->notes.file, parser->notes.line, "'http:' wants VERB /PATH");
	if (!http)
		return;
	method->verb = memory_copy(http, (size_t) (blank - http));
	method->path = blank + 1;
}

static void parse_method(struct parser *parser)
{
	static const char *const accesses[] = { "anyone", "own", "self", "administrator", NULL };
	static const char *const replies[] = { "one", "late", "pages", "events", NULL };
	struct idl_interface *interface = parser->interface;
	struct idl_method *method = APPEND(interface->methods, interface->n_methods);

	refuse_notes(parser, false, true, false);
	method->doc = parser->notes.doc;
	method->since = parser->notes.since;
	method->access = choice(parser, "access", parser->notes.access, accesses);
	method->replies = choice(parser, "replies", parser->notes.replies, replies);
	method->safe = parser->notes.safe;
	method->idempotent = parser->notes.idempotent;
	split_http(parser, method);
	method->place = (struct idl_place){ parser->lexer.file, parser->lexer.token.line };
	method->name = member_name(&parser->lexer);
	method->snake = name_convert(method->name, false);
	method->upper = name_convert(method->name, true);
	method->request.name = record_name(method, "_request");
	method->reply.name = record_name(method, "_reply");
	method->request.choices = parser->notes.choices;
	parse_record(parser, &method->request);
	lexer_take(&parser->lexer, "->");
	parse_record(parser, &method->reply);
	derive_traits(method);
}

static int number_note(const struct parser *parser, const char *key, const char *value, int low,
		       int high)
{
	char *end;
	long number;

	if (!value)
		idl_die(parser->lexer.file, parser->lexer.token.line, "'%s:' is missing above", key);
	number = strtol(value, &end, 10);
	if (*end || number < low || number > high)
		idl_die(parser->notes.file, parser->notes.line, "'%s' wants %d..%d", key, low, high);
	return (int) number;
}

static void parse_error(struct parser *parser)
{
	struct idl_interface *interface = parser->interface;
	struct idl_error *error = APPEND(interface->errors, interface->n_errors);

	refuse_notes(parser, false, false, true);
	error->doc = parser->notes.doc;
	error->since = parser->notes.since;
	error->number = number_note(parser, "number", parser->notes.number, 20,
				      EXIT_STATUS_END - 1);
	error->http = number_note(parser, "http", parser->notes.http, 400, 599);
	error->place = (struct idl_place){ parser->lexer.file, parser->lexer.token.line };
	error->name = member_name(&parser->lexer);
	error->upper = name_convert(error->name, true);
	parse_record(parser, &error->record);
}

static void parse_interface(struct parser *parser)
{
	struct idl_model *model = parser->model;
	struct idl_interface *interface = APPEND(model->interfaces, model->n_interfaces);

	refuse_notes(parser, false, false, false);
	interface->name = lexer_word(&parser->lexer, "an interface name");

	const char *dot = strrchr(interface->name, '.');

	interface->snake = name_convert(dot ? dot + 1 : interface->name, false);
	interface->upper = name_convert(dot ? dot + 1 : interface->name, true);
	interface->text = memory_copy("", 0);
	parser->interface = interface;
}

/* ---- Files ---- */

static char *read_file(const char *path)
{
	FILE *file = fopen(path, "re");
	char *text = memory_copy("", 0);
	size_t size = 0;
	int c;

	if (!file)
		idl_die(path, 0, "cannot be read");
	while ((c = fgetc(file)) != EOF) {
		text = memory_grow(text, size + 1, 1);
		text[size++] = (char) c;
	}
	fclose(file);
	return text;
}

static void parse_file(struct parser *parser, const char *path)
{
	static const struct {
		const char *word;
		void (*parse)(struct parser *parser);
	} members[] = {
		{ "interface", parse_interface }, { "type", parse_type_member },
		{ "method", parse_method },	  { "error", parse_error },
	};
	struct lexer *lexer = &parser->lexer;
	char *text = read_file(path);

	lexer_init(lexer, path, text);
	parser->text = parser->unprinted = text;
	for (read_notes(parser); lexer->token.kind != TOKEN_END; read_notes(parser)) {
		size_t i = 0, n = sizeof(members) / sizeof(members[0]);
		int line = lexer->token.line;
		char *word = lexer_word(lexer, "a member");

		while (i < n && strcmp(members[i].word, word) != 0)
			i++;
		if (i == n || (i > 0 && !parser->interface))
			idl_die(path, line, "unexpected '%s'", word);
		members[i].parse(parser);
	}
	if (!parser->interface)
		idl_die(path, 1, "the first file has no 'interface'");
	print_up_to(parser, text + strlen(text));
	print(parser, "\n", 1);
}

static bool starts_with(const char *text, const char *start)
{
	return strncmp(text, start, strlen(start)) == 0;
}

/* The functions, types and constants that a header declares, each at the beginning of a line. */
static void read_header(struct idl_model *model, const char *path)
{
	static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_";

	for (char *line = read_file(path); line; line = strchr(line, '\n')) {
		const char *end, *name = NULL;

		line += *line == '\n';
		end = line + strcspn(line, "\n");
		if (starts_with(line, "#define ELLU_"))
			name = line + strlen("#define ");
		else if (starts_with(line, "ELLU_API ") || starts_with(line, "typedef "))
			name = strstr(line, "ellu_");
		while (name && name < end && *name == 'e' && name[strspn(name, letters)] != '(')
			name = strstr(name + 1, "ellu_");
		if (name && name < end)
			*APPEND(model->taken.items, model->taken.n) =
				memory_copy(name, strspn(name, letters));
	}
}

/* ---- References ---- */

static bool ends_with(const char *text, size_t length, const char *end)
{
	size_t n = strlen(end);

	return length >= n && strncmp(text + length - n, end, n) == 0 &&
	       (length == n || text[length - n - 1] == '_');
}

/* What a Ref names: as the field is called (`rating_llm_config` an LLMConfig), or `ref` beside a `content`. */
static const struct idl_type *referred(const struct idl_interface *interface,
				       const struct idl_record *record, const struct idl_field *field)
{
	size_t length = strlen(field->name) - (field->container == IDL_ARRAY);
	const struct idl_type *found = NULL;

	if (strcmp(field->name, "ref") == 0)
		return record->fields[1].type;
	for (size_t i = 0; i < interface->n_types; i++) {
		const struct idl_type *type = &interface->types[i];

		if (ends_with(field->name, length, type->record.name) &&
		    (!found || strlen(type->record.name) > strlen(found->record.name)))
			found = type;
	}
	return found;
}

static void resolve_ref(const struct idl_interface *interface, const struct idl_record *record,
			struct idl_field *field)
{
	const struct idl_type *type = referred(interface, record, field);

	if (!type)
		idl_die(field->file, field->line, "'%s' is a Ref, and no type is called so", field->name);
	field->unversioned = true;
	for (size_t i = 0; i < type->record.n_fields; i++)
		if (strcmp(type->record.fields[i].name, "version") == 0)
			field->unversioned = false;
}

static void check_choice(const struct idl_record *record, const char *key, const struct idl_words *names)
{
	for (size_t k = 0; k < names->n; k++) {
		size_t i = 0;

		while (i < record->n_fields && strcmp(record->fields[i].name, names->items[k]) != 0)
			i++;
		if (i == record->n_fields || !record->fields[i].nullable)
			idl_die(record->fields[0].file, record->fields[0].line,
				"'%s' names '%s', no nullable field here", key, names->items[k]);
	}
}

static void resolve_record(const struct idl_interface *interface, struct idl_record *record)
{
	for (size_t i = 0; i < record->n_fields; i++) {
		struct idl_field *field = &record->fields[i];

		for (size_t k = 0; k < interface->n_types && field->kind == IDL_STRUCT; k++)
			if (strcmp(interface->types[k].name, field->type_name) == 0)
				field->type = &interface->types[k];
		if (field->kind == IDL_STRUCT && !field->type)
			idl_die(field->file, field->line, "unknown type '%s'", field->type_name);
	}
	for (size_t i = 0; i < record->n_fields; i++)
		if (record->fields[i].type && strcmp(record->fields[i].type->name, "Ref") == 0)
			resolve_ref(interface, record, &record->fields[i]);
	check_choice(record, "exactly one of", &record->choices.exactly_one);
	check_choice(record, "at most one of", &record->choices.at_most_one);
	check_choice(record, "at least one of", &record->choices.at_least_one);
}

/* Where in the record these three fields stand behind each other; -1: nowhere. */
static int three(const struct idl_record *record, const char *const names[static 3])
{
	for (size_t i = 0; i + 3 <= record->n_fields; i++)
		if (strcmp(record->fields[i].name, names[0]) == 0 &&
		    strcmp(record->fields[i + 1].name, names[1]) == 0 &&
		    strcmp(record->fields[i + 2].name, names[2]) == 0)
			return (int) i;
	return -1;
}

/* So that struct method_page_request and struct method_page are every list's. */
static void check_pages(const struct idl_interface *interface, const struct idl_method *method)
{
	static const char *const request[] = { "cursor", "limit", "count" };
	static const char *const reply[] = { "items", "next_cursor", "count" };
	const struct idl_record *place = method->reply.n_fields > 0 ? &method->reply : &method->request;

	if (strcmp(method->replies, "pages") == 0 &&
	    (three(&method->request, request) < 0 || three(&method->reply, reply) != 0))
		idl_die(place->n_fields > 0 ? place->fields[0].file : interface->name,
			place->n_fields > 0 ? place->fields[0].line : 0,
			"'%s' replies pages: it takes cursor, limit, count, in this order, and "
			"answers items, next_cursor, count first", method->name);
}

static void take_number(bool *taken, int number, struct idl_place place)
{
	if (taken[number])
		idl_die(place.file, place.line, "the number %d is taken", number);
	taken[number] = true;
}

/* An exit status of the command means one thing. */
static void check_numbers(const struct idl_model *model)
{
	bool taken[EXIT_STATUS_END] = { false };

	for (size_t i = 0; i < model->n_interfaces; i++) {
		const struct idl_interface *interface = &model->interfaces[i];

		for (size_t k = 0; k < interface->n_enumerations; k++) {
			const struct idl_enumeration *enumeration = &interface->enumerations[k];

			for (size_t n = 0; n < enumeration->values.n; n++)
				if (enumeration->exits[n] >= 0)
					take_number(taken, enumeration->exits[n], enumeration->place);
		}
		for (size_t k = 0; k < interface->n_errors; k++)
			take_number(taken, interface->errors[k].number, interface->errors[k].place);
	}
}

void idl_parse(struct idl_model *model, char *const *files, size_t n_files)
{
	struct parser parser = { .model = model };

	for (size_t i = 0; i < n_files; i++)
		if (strlen(files[i]) > 2 && strcmp(strchr(files[i], '\0') - 2, ".h") == 0)
			read_header(model, files[i]);
		else
			parse_file(&parser, files[i]);
	for (size_t i = 0; i < model->n_interfaces; i++) {
		struct idl_interface *interface = &model->interfaces[i];

		for (size_t k = 0; k < interface->n_types; k++)
			resolve_record(interface, &interface->types[k].record);
		for (size_t k = 0; k < interface->n_methods; k++) {
			resolve_record(interface, &interface->methods[k].request);
			resolve_record(interface, &interface->methods[k].reply);
			check_pages(interface, &interface->methods[k]);
		}
		paths_check(interface);
		for (size_t k = 0; k < interface->n_errors; k++)
			resolve_record(interface, &interface->errors[k].record);
	}
	check_numbers(model);
	names_check(model);
}
