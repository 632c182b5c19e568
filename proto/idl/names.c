/* The names that the generated headers bring into C and C++: how they are made, and that no two things have one. */
#include <ctype.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "proto/idl/lexer.h"
#include "proto/idl/model.h"

struct name {
	char *text; // as C has it; a record's begins with "struct "
	const char *of; // what it comes from
	struct idl_place place;
};

struct names {
	struct name *items;
	size_t n;
};

char *name_convert(const char *name, bool upper)
{
	char *out = memory_grow(NULL, 0, 2 * strlen(name) + 1);
	size_t n = 0;

	for (size_t i = 0; name[i]; i++) {
		bool capital = isupper((unsigned char) name[i]);
		bool after_small = i > 0 && !isupper((unsigned char) name[i - 1]);
		bool before_small = islower((unsigned char) name[i + 1]);

		if (i > 0 && capital && (after_small || before_small))
			out[n++] = '_';
		out[n++] = (char) (upper ? toupper((unsigned char) name[i])
					 : tolower((unsigned char) name[i]));
	}
	out[n] = '\0';
	return out;
}

static void add(struct names *names, struct idl_place place, const char *of, const char *format, ...)
	__attribute__((format(printf, 4, 5)));

static void add(struct names *names, struct idl_place place, const char *of, const char *format, ...)
{
	va_list arguments;
	char text[512];

	va_start(arguments, format);
	vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	names->items = memory_grow(names->items, names->n, sizeof(*names->items));
	names->items[names->n++] = (struct name){ memory_copy(text, strlen(text)), of, place };
}

static void add_method(struct names *names, const struct idl_method *method)
{
	static const char *const always[] = { "", "_async", "_set_callback", "_result", "_await",
					      "_deliver_", "_fn" };
	static const char *const of_streams[] = { "_stream", "_next", "_stream_async", "_next_item" };
	bool is_list = strcmp(method->replies, "pages") == 0;
	size_t n_of_streams = is_list ? 4 : strcmp(method->replies, "events") == 0 ? 3 : 0;

	for (size_t i = 0; i < sizeof(always) / sizeof(always[0]); i++)
		add(names, method->place, method->name, "ellu_%s%s", method->snake, always[i]);
	for (size_t i = 0; i < n_of_streams; i++)
		add(names, method->place, method->name, "ellu_%s%s", method->snake, of_streams[i]);
	add(names, method->place, method->name, "struct ellu_%s", method->request.name);
	add(names, method->place, method->name, "struct ellu_%s", method->reply.name);
	/* In C++ a record may not have the name of a type. */
	add(names, method->place, method->name, "struct ellu_%s_fn", method->snake);
	add(names, method->place, method->name, "METHOD_%s", method->upper);
}

static void add_interface(struct names *names, const struct idl_interface *interface)
{
	for (size_t i = 0; i < interface->n_types; i++)
		add(names, interface->types[i].place, interface->types[i].name, "struct ellu_%s",
		    interface->types[i].record.name);
	for (size_t i = 0; i < interface->n_methods; i++)
		add_method(names, &interface->methods[i]);
	for (size_t i = 0; i < interface->n_errors; i++)
		add(names, interface->errors[i].place, interface->errors[i].name, "ELLU_E_%s",
		    interface->errors[i].upper);
	for (size_t i = 0; i < interface->n_enumerations; i++)
		for (size_t k = 0; k < interface->enumerations[i].values.n; k++)
			add(names, interface->enumerations[i].place, interface->enumerations[i].name,
			    "ELLU_%s_%s",
			    interface->enumerations[i].upper,
			    name_convert(interface->enumerations[i].values.items[k], true));
}

/* By their text, and what is a name twice in the order in which it was read. */
static int compare(const void *a, const void *b)
{
	const struct name *left = a, *right = b;
	int order = strcmp(left->text, right->text);

	if (order == 0)
		order = strcmp(left->place.file, right->place.file);
	return order != 0 ? order : left->place.line - right->place.line;
}

void names_check(const struct idl_model *model)
{
	struct names names = { NULL, 0 };

	for (size_t i = 0; i < model->taken.n; i++)
		add(&names, (struct idl_place){ "", 0 }, "a header", "%s", model->taken.items[i]);
	for (size_t i = 0; i < model->n_interfaces; i++)
		add_interface(&names, &model->interfaces[i]);
	qsort(names.items, names.n, sizeof(*names.items), compare);
	for (size_t i = 1; i < names.n; i++) {
		const struct name *name = &names.items[i];

		if (strcmp(name->text, name[-1].text) == 0 && name->place.line > 0)
			idl_die(name->place.file, name->place.line, "'%s' is a name of '%s' already",
				name->text, name[-1].of);
	}
}
